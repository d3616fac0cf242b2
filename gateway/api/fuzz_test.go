package api_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/gateway/gatewaytest"
)

// fit checks what every answer must be, whatever was asked.
func fit(t *testing.T, a gatewaytest.Answer) {
	t.Helper()
	switch a.Status {
	case http.StatusOK:
		return
	case 400, 404, 413, 415, 422, 429:
	default:
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	var p struct {
		Status  int    `json:"status"`
		Code    string `json:"code"`
		Kind    string `json:"kind"`
		Detail  string `json:"detail"`
		TraceID string `json:"trace_id"`
	}
	if err := json.Unmarshal(a.Body, &p); err != nil || p.Status != a.Status || p.Code == "" || p.Kind == "" || p.TraceID == "" || p.Detail == "" {
		t.Fatalf("a refusal without its form: %v: %s", err, a.Body)
	}
}

func seeds(f *testing.F) {
	for _, s := range []string{
		documented, `{}`, `{"user_id":"u"}`, `[]`, `null`, `"`, `{"user_id":{}}`, `{"user_id":"u","kwargs":{"a":` + strings.Repeat("[", 50),
		`{"user_id":"u","user_info":{"screenWidth":1e400}}`, "\xff", `{"user_id":"\ud800"}`, `{"user_id":"u","args":[null]}`,
	} {
		f.Add([]byte(s))
	}
}

func FuzzCreate(f *testing.F) {
	seeds(f)
	s := gatewaytest.Start(f, gatewaytest.New(), gatewaytest.Config{})
	f.Fuzz(func(t *testing.T, body []byte) {
		fit(t, s.Do(t, "POST", "/chatbot/card/session", bytes.NewReader(body), "Content-Type", "application/json"))
	})
}

func FuzzRun(f *testing.F) {
	ct, form := gatewaytest.Form([]string{"message", "hi", "client_id", "c"}, 10)
	f.Add(ct, form)
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\n\r\n\r\n--x--"))
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=message\r\n\r\nhi\r\n--x--\r\n"))
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=message; filename=../../x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=\r\n--x--\r\n"))
	f.Add("multipart/form-data; boundary=\"\"", []byte(""))
	f.Add("text/plain", []byte("hi"))
	s := gatewaytest.Start(f, gatewaytest.New(), gatewaytest.Config{})
	id := s.Session(f)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		if strings.ContainsFunc(contentType, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
			t.Skip("no client sends that in a header")
		}
		if bytes.Contains(body, []byte("panic")) {
			t.Skip("the fake panics when told to")
		}
		fit(t, s.Do(t, "POST", "/chatbot/card/session/"+id+"/run_v2", bytes.NewReader(body), "Content-Type", contentType))
	})
}

// Bodies that were good once and have been damaged at random.
func TestAThousandDamagedBodies(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	id := s.Session(t)
	ct, form := gatewaytest.Form([]string{"message", "hi", "client_id", "c"}, 40)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		path, kind, body := "/chatbot/card/session", "application/json", []byte(documented)
		switch i % 3 {
		case 1:
			path, kind, body = "/chatbot/card/session/"+id+"/run_v2", ct, bytes.Clone(form)
		case 2:
			path, kind, body = "/chatbot/card/transcribe", "audio/wav", []byte(wav(50))
		}
		for range 1 + rnd.IntN(6) {
			switch at := rnd.IntN(len(body)); rnd.IntN(3) {
			case 0:
				body[at] = byte(rnd.IntN(256))
			case 1:
				body = append(body[:at:at], body[min(len(body), at+1+rnd.IntN(8)):]...)
			case 2:
				body = append(body[:at:at], append(bytes.Repeat([]byte{body[at]}, rnd.IntN(9)), body[at:]...)...)
			}
			if len(body) == 0 {
				body = []byte{'x'}
			}
		}
		fit(t, s.Do(t, "POST", path, bytes.NewReader(body), "Content-Type", kind))
	}
	require.Equal(t, 200, s.Say(t, id, "still there?").Status)
}
