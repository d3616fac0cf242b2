package vendortest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/providertest"
)

// Fuzz shows that no stream of bytes breaks a connector: a reply has one field
// a delta, nothing after its finish or its error, and an error with a kind that
// shows nothing of the key. It begins with what the vendor itself would send.
func (c Connector) Fuzz(f *testing.F) {
	s := c.Server(Key)
	body := []byte(`{"stream":true,"stream_options":{"include_usage":true}}`)
	for _, p := range []Reply{{}, {Calls: []Call{{ID: "a", Name: "x", Args: []string{`{"a":`, `1}`}}, {ID: "b", Name: "y"}}}} {
		var all strings.Builder
		for _, x := range s.vendor.frames(s, body, p.or(false)) {
			all.WriteString(x.text)
		}
		f.Add([]byte(all.String()))
		f.Add([]byte(all.String()[:len(all.String())/2]))
	}
	f.Add([]byte(s.vendor.broken().text))
	f.Add([]byte("data: null\n\ndata: [DONE]\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := c.New("http://127.0.0.1", Key, &http.Client{Transport: canned(in)})
		if err != nil {
			t.Fatal(err)
		}
		r := providertest.Question()
		r.Tools = Tools()
		over := false
		for d, err := range m.Complete(t.Context(), r) {
			if over {
				t.Fatalf("%+v, %v follows the end", d, err)
			}
			over = err != nil || d.Finish != ""
			if n := set(d); err == nil && n != 1 || err != nil && n != 0 {
				t.Fatalf("%d fields: %+v, %v", n, d, err)
			}
			if err != nil && (fault.KindOf(err) == fault.Bug || strings.Contains(err.Error(), Key)) {
				t.Fatalf("error %v", err)
			}
			if d.Call != nil && d.Call.ID == "" {
				t.Fatal("a call without an id")
			}
		}
		if !over {
			t.Fatal("no finish and no error")
		}
	})
}

func set(d provider.Delta) (n int) {
	for _, is := range []bool{d.Text != "", d.Call != nil, d.Usage != nil, d.Finish != ""} {
		if is {
			n++
		}
	}
	return n
}

// canned answers with the same stream, whatever is asked.
type canned []byte

// RoundTrip implements http.RoundTripper.
func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body: io.NopCloser(strings.NewReader(string(c))),
	}, nil
}
