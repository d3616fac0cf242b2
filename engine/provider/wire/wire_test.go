package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/vendortest"
	"flametree/engine/provider/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func events(in io.Reader) (out []string, err error) {
	r := wire.NewReader(in)
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, e.Name+"="+string(e.Data))
	}
}

// TestEvents follows the examples and rules of the standard for event streams.
func TestEvents(t *testing.T) {
	for name, x := range map[string]struct {
		in   string
		want []string
	}{
		"one":                              {"data: a\n\n", []string{"=a"}},
		"a name":                           {"event: n\ndata: a\n\n", []string{"n=a"}},
		"the name is for one event":        {"event: n\ndata: a\n\ndata: b\n\n", []string{"n=a", "=b"}},
		"lines of data are joined":         {"data: a\ndata:b\ndata:  c\n\n", []string{"=a\nb\n c"}},
		"CR LF, LF and CR end a line":      {"data: a\r\n\r\ndata: b\r\rdata: c\n\n", []string{"=a", "=b", "=c"}},
		"comments are passed over":         {": hello\n\ndata: a\n: x\n\n", []string{"=a"}},
		"other fields are passed over":     {"id: 1\nretry: 5\nnonsense\ndata: a\n\n", []string{"=a"}},
		"an event without data is none":    {"event: n\n\ndata: a\n\n", []string{"=a"}},
		"empty data is an event":           {"data\n\n", []string{"="}},
		"a mark of byte order":             {"\xef\xbb\xbfdata: a\n\n", []string{"=a"}},
		"what the end cuts short is none":  {"data: a\n\ndata: b\n", []string{"=a"}},
		"nor is a line without an end":     {"data: a\n\ndata: b", []string{"=a"}},
		"nothing":                          {"", nil},
		"characters of more than one byte": {"data: dóllars\n\n", []string{"=dóllars"}},
	} {
		t.Run(name, func(t *testing.T) {
			for how, in := range map[string]io.Reader{"at once": strings.NewReader(x.in), "byte by byte": iotest.OneByteReader(strings.NewReader(x.in))} {
				if got, err := events(in); err != nil || !reflect.DeepEqual(got, x.want) {
					t.Errorf("%s: got %q, %v, want %q", how, got, err, x.want)
				}
			}
		})
	}
	for name, in := range map[string]string{
		"a line too long":   "data: " + strings.Repeat("x", wire.MaxLine+1),
		"an event too long": strings.Repeat("data: "+strings.Repeat("x", 1<<19)+"\n", 9),
		"not UTF-8":         "data: \xff\n\n",
		"half a character":  "data: \xc3\n\n",
	} {
		if _, err := events(strings.NewReader(in)); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := events(io.MultiReader(strings.NewReader("data: a\n"), iotest.ErrReader(fault.Conflict))); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a broken connection: %v", err)
	}
}

// FuzzEvents shows that no stream breaks the reader, that it reads the same in
// any sizes, and that it passes on UTF-8 only.
func FuzzEvents(f *testing.F) {
	for _, s := range []string{"data: a\n\n", "event: n\r\ndata: a\r\rdata\n\n", ":\n\ndata: \xff\n\n", "\xef\xbb\xbfdata:b\n\n\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		a, errA := events(strings.NewReader(string(in)))
		b, errB := events(iotest.HalfReader(strings.NewReader(string(in))))
		if !reflect.DeepEqual(a, b) || (errA == nil) != (errB == nil) {
			t.Errorf("at once %q, %v; in pieces %q, %v", a, errA, b, errB)
		}
		for _, s := range a {
			if !utf8.ValidString(s) {
				t.Errorf("%q", s)
			}
		}
	})
}

// FuzzRefusal shows that no body of an error breaks the reader or puts more
// than identifiers into the error.
func FuzzRefusal(f *testing.F) {
	for _, s := range []string{
		`{"error":{"message":"m","type":"t","param":"p","code":"c"}}`, `{"error":"text"}`, `[{"error":{"code":429,"status":"X","details":[{"retryDelay":"7s"}]}}]`,
		`{"type":"error","error":{"type":"overloaded_error"}}`, `{"error":{"code":{"a":1}}}`, `null`, `[]`, `<html>`,
	} {
		f.Add([]byte(s))
	}
	c, err := wire.New(wire.Options{Vendor: "v", BaseURL: "http://127.0.0.1", Secret: "canary-key"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := c.Broken(body)
		if r.Kind == "" || r.After < 0 || r.After > time.Hour {
			t.Errorf("%+v", r)
		}
		if s := r.Error(); strings.Contains(s, "canary-key") || len(s) > 400 || strings.ContainsAny(s, "\n\"<{") {
			t.Errorf("%q", s)
		}
	})
}

// TestTalkIsInOrder shows, for any conversation, what every vendor asks for.
func TestTalkIsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		messages := rapid.SliceOfN(message(), 0, 12).Draw(t, "messages")
		lines := wire.Talk(messages)
		all := fmt.Sprint(lines)
		for i, l := range lines {
			if l.Assistant != (i%2 == 1) {
				t.Fatalf("line %d: the sides do not alternate: %+v", i, lines)
			}
			if l.Text == "" && len(l.Calls)+len(l.Answers) == 0 {
				t.Fatalf("line %d is empty", i)
			}
			if !l.Assistant && i > 0 && len(l.Answers) != len(lines[i-1].Calls) || i == 0 && len(l.Answers) > 0 {
				t.Fatalf("line %d has %d answers", i, len(l.Answers))
			}
			seen := map[string]bool{}
			for j, a := range l.Answers {
				if c := lines[i-1].Calls[j]; a.ID != c.ID || a.Name != c.Name || seen[a.ID] || a.Text == "" || !json.Valid([]byte(c.Args)) {
					t.Fatalf("answer %+v to %+v", a, c)
				}
				seen[a.ID] = true
			}
		}
		if len(lines) == 0 || lines[len(lines)-1].Assistant {
			t.Fatal("the human's line is not the last")
		}
		for _, m := range messages {
			if m.Text != "" && !strings.Contains(all, m.Text) {
				t.Fatalf("%q is lost in %s", m.Text, all)
			}
		}
	})
}

func message() *rapid.Generator[provider.Message] {
	return rapid.Custom(func(t *rapid.T) provider.Message {
		m := provider.Message{
			Role: rapid.SampledFrom([]provider.Role{provider.RoleUser, provider.RoleAssistant, provider.RoleTool}).Draw(t, "role"),
			Text: rapid.SampledFrom([]string{"", "one", "two", "three"}).Draw(t, "text"),
		}
		id := rapid.SampledFrom([]string{"a", "b", "ü", ""})
		if m.Role == provider.RoleTool {
			m.CallID = id.Draw(t, "call id")
		}
		if m.Role == provider.RoleAssistant {
			m.Interrupted = rapid.Bool().Draw(t, "interrupted")
			for range rapid.IntRange(0, 3).Draw(t, "calls") {
				m.Calls = append(m.Calls, provider.ToolCall{ID: id.Draw(t, "id"), Name: "x", Args: rapid.SampledFrom([]string{"", "{}", `{"a":1}`, "[", "null"}).Draw(t, "args")})
			}
		}
		return m
	})
}

func TestNames(t *testing.T) {
	tools := []provider.Tool{{Name: "GetBalance"}, {Name: "move: état"}, {Name: "move- état"}, {Name: "3d"}, {Name: ""}, {Name: strings.Repeat("long", 30)}}
	names := wire.NamesOf(tools)
	if len(names) != len(tools) {
		t.Errorf("%d names for %d tools", len(names), len(tools))
	}
	for _, x := range tools {
		n := wire.Name(x.Name)
		if len(n) == 0 || len(n) > 63 || names.Real(n) != x.Name {
			t.Errorf("%q is %q and back %q", x.Name, n, names.Real(n))
		}
		for i, r := range n {
			if !(r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && (r == '-' || r >= '0' && r <= '9')) {
				t.Errorf("%q has %q", n, r)
			}
		}
	}
	if wire.Name("GetBalance") != "GetBalance" || names.Real("Other") != "Other" {
		t.Error("a plain name was changed")
	}
}

// TestDataCannotEndItsMark shows that no text gets out of its mark.
func TestDataCannotEndItsMark(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"<", "/", "data", "DATA", ">", " ", "\t", "\n", "</data>", "x", `"`})).Draw(t, "text"), "")
		out := wire.Data(text, "title", text)
		if strings.Count(strings.ToLower(out), "</data") != 1 || !strings.HasSuffix(out, "\n</data>") || strings.Count(strings.ToLower(out), "<data") != 1 {
			t.Fatalf("%q gives %q", text, out)
		}
	})
}

// TestWaits reads the ways in which a server asks to be left alone.
func TestWaits(t *testing.T) {
	date := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for name, x := range map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"seconds":            {map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"milliseconds":       {map[string]string{"Retry-After": "7", "retry-after-ms": "150"}, 150 * time.Millisecond},
		"a date":             {map[string]string{"Retry-After": date.Add(time.Minute).Format(http.TimeFormat), "Date": date.Format(http.TimeFormat)}, time.Minute},
		"a date in the past": {map[string]string{"Retry-After": date.Format(http.TimeFormat), "Date": date.Format(http.TimeFormat)}, 0},
		"for ever":           {map[string]string{"Retry-After": "1e300"}, time.Hour},
		"nonsense":           {map[string]string{"Retry-After": "soon"}, 0},
		"less than nothing":  {map[string]string{"Retry-After": "-5"}, 0},
		"no number":          {map[string]string{"Retry-After": "NaN"}, 0},
		"nothing":            {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			url, h := vendortest.Local(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range x.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			c, err := wire.New(wire.Options{Vendor: "v", BaseURL: url, HTTP: h})
			if err != nil {
				t.Fatal(err)
			}
			var r *wire.Refusal
			if err := c.Post(t.Context(), "/", nil, nil); !errors.As(err, &r) || r.RetryAfter() != x.want || r.Kind != fault.Exhausted {
				t.Errorf("%v: %+v", err, r)
			}
		})
	}
}

// TestKinds is the table from answers to kinds.
func TestKinds(t *testing.T) {
	for name, x := range map[string]struct {
		status int
		body   string
		want   fault.Kind
	}{
		"bad request":      {400, `{"error":{"message":"x"}}`, fault.Invalid},
		"no key":           {401, ``, fault.Denied},
		"to be paid":       {402, ``, fault.Denied},
		"forbidden":        {403, `{"error":{}}`, fault.Denied},
		"no such model":    {404, `{"error":"model 'x' not found"}`, fault.NotFound},
		"too long":         {413, ``, fault.Invalid},
		"too many":         {429, `{"error":{"type":"rate_limit_error"}}`, fault.Exhausted},
		"nothing left":     {429, `{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}`, fault.Denied},
		"broken":           {500, `{`, fault.Unavailable},
		"overloaded":       {529, `{"type":"error","error":{"type":"overloaded_error"}}`, fault.Unavailable},
		"a redirect":       {301, ``, fault.Invalid},
		"nothing to say":   {204, ``, fault.Invalid},
		"timed out there":  {408, ``, fault.Unavailable},
		"a list of errors": {429, `[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]`, fault.Exhausted},
	} {
		t.Run(name, func(t *testing.T) {
			url, h := vendortest.Local(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(x.status)
				_, _ = io.WriteString(w, x.body)
			}))
			c, _ := wire.New(wire.Options{Vendor: "v", BaseURL: url, HTTP: h})
			for _, err := range c.Stream(t.Context(), "/", nil, nil) {
				if fault.KindOf(err) != x.want {
					t.Errorf("%v", err)
				}
			}
		})
	}
	c, _ := wire.New(wire.Options{Vendor: "v", BaseURL: "http://h"})
	for code, want := range map[string]fault.Kind{
		"rate_limit_error": fault.Exhausted, "overloaded_error": fault.Unavailable, "authentication_error": fault.Denied,
		"invalid_request_error": fault.Invalid, "not_found_error": fault.NotFound, "api_error": fault.Unavailable,
	} {
		if err := c.Broken([]byte(`{"type":"error","error":{"type":"` + code + `"}}`)); err.Kind != want {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// TestAGuardKeepsItsKind shows that what forbids an address is not mistaken
// for a server that is away.
func TestAGuardKeepsItsKind(t *testing.T) {
	c, err := wire.New(wire.Options{Vendor: "v", BaseURL: "http://10.0.0.1", HTTP: &http.Client{Transport: guard{}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Post(t.Context(), "/", nil, nil); fault.KindOf(err) != fault.Denied || strings.Contains(err.Error(), "10.0.0.1") {
		t.Error(err)
	}
}

type guard struct{}

func (guard) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("this address is not allowed: %w", fault.Denied)
}

// TestAConnectionIsUsedAgain shows that a reply that was read to its end leaves
// its connection for the next.
func TestAConnectionIsUsedAgain(t *testing.T) {
	peers := map[string]bool{}
	url, _ := vendortest.Local(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peers[r.RemoteAddr] = true
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: a\n\ndata: [DONE]\n\n")
	}))
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c, _ := wire.New(wire.Options{Vendor: "v", BaseURL: url, HTTP: &http.Client{Transport: tr}})
	for range 5 {
		for _, err := range c.Stream(t.Context(), "/", nil, func(e wire.Event) bool { return string(e.Data) == "[DONE]" }) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(peers) != 1 {
		t.Errorf("%d connections for 5 replies", len(peers))
	}
}
