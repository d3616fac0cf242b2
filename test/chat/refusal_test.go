package chat_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// refusal is a bad request and what it must be answered with.
type refusal struct {
	name   string
	send   house.Request
	chat   *house.Chat // nil = the agent's own
	status int
	code   string // "" = any
	says   string // within the detail
}

// json is a request with a JSON body.
func jsonRequest(method, path, body string) house.Request {
	return house.Request{Method: method, Path: path, Type: "application/json", Body: strings.NewReader(body)}
}

// onlyReader hides the length of a body: it is sent in chunks.
type onlyReader struct{ io.Reader }

// Bad input is answered in the form the protocol has for it, crashes nothing
// and loses nothing that was accepted.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak", "narrow")
	kayak, museum := s.Chat(s.Agent(t, "Kayak")), s.Chat(s.Agent(t, "Narrow"))
	id, foreign := kayak.MustOpen(t, "guest"), museum.MustOpen(t, "guest")
	kayak.MustSay(t, id, "What does a kayak cost for an hour?")
	before := string(kayak.JSON(t, http.MethodGet, "/session/"+id, nil).Body)
	for _, r := range append(credentials(kayak, museum, id, foreign), bodies(id)...) {
		t.Run(r.name, func(t *testing.T) {
			chat := kayak
			if r.chat != nil {
				chat = r.chat
			}
			a, err := chat.Do(t.Context(), r.send)
			require.NoError(t, err)
			require.Equal(t, r.status, a.Status, "%s", a.Body)
			p := a.Problem(t)
			if r.code != "" {
				require.Equal(t, r.code, p.Code)
			}
			require.Contains(t, p.Detail, r.says)
			if r.status == http.StatusUnauthorized {
				require.Contains(t, a.Header.Get("WWW-Authenticate"), "Bearer")
			}
		})
	}
	require.JSONEq(t, before, string(kayak.JSON(t, http.MethodGet, "/session/"+id, nil).Body))
	require.Contains(t, kayak.MustSay(t, id, "What does a canoe cost for an hour?").Text, "€19")
	code, text := s.Readyz(t.Context())
	require.Equal(t, http.StatusOK, code, text)
	require.NotContains(t, s.Log(), "panic")
}

func credentials(own, other *house.Chat, id, foreign string) []refusal {
	with := func(agent, token string) *house.Chat { return &house.Chat{HTTP: own.HTTP, Agent: agent, Token: token} }
	get := house.Request{Method: http.MethodGet, Path: "/session/" + id}
	return []refusal{
		{"no token", get, with(own.Agent, ""), 401, "token_missing", ""},
		{"wrong token", get, with(own.Agent, own.Token+"x"), 401, "token_invalid", ""},
		{"another agent's token", get, with(own.Agent, other.Token), 401, "token_invalid", ""},
		{"not a bearer", house.Request{Method: http.MethodGet, Path: "/session/" + id, Header: http.Header{"Authorization": {"Basic eDp5"}}}, with(own.Agent, ""), 401, "token_missing", ""},
		{"unknown agent", get, with("01M00000000000000000000000", own.Token), 404, "", ""},
		{"another agent's session", house.Request{Method: http.MethodGet, Path: "/session/" + foreign}, nil, 404, "", ""},
		{"close another agent's session", jsonRequest(http.MethodDelete, "/session/"+foreign, `{}`), nil, 404, "", ""},
		{"no such session", house.Request{Method: http.MethodGet, Path: "/session/none"}, nil, 404, "", ""},
		{"no such path", house.Request{Method: http.MethodGet, Path: "/nothing"}, nil, 404, "", ""},
		{"no such method", house.Request{Method: http.MethodPatch, Path: "/session/" + id}, nil, 405, "", ""},
	}
}

func bodies(id string) []refusal {
	run := "/session/" + id + "/run_v2"
	form := func(text string) house.Request {
		b, typ := house.Form("", text)
		return house.Request{Method: http.MethodPost, Path: run, Type: typ, Body: b}
	}
	post := func(path, typ string, body io.Reader) house.Request {
		return house.Request{Method: http.MethodPost, Path: path, Type: typ, Body: body}
	}
	huge := func() *bytes.Reader { return bytes.NewReader(make([]byte, 11<<20)) }
	long, longType := house.Form("", strings.Repeat("x", 300<<10))
	return []refusal{
		{"malformed JSON", jsonRequest(http.MethodPost, "/session", `{"user_id":`), nil, 422, "", ""},
		{"no JSON object", jsonRequest(http.MethodPost, "/session", `[]`), nil, 422, "", ""},
		{"missing field", jsonRequest(http.MethodPost, "/session", `{}`), nil, 422, "", "user_id"},
		{"blank field", jsonRequest(http.MethodPost, "/session", `{"user_id":" "}`), nil, 422, "", "user_id"},
		{"field of another type", jsonRequest(http.MethodPost, "/session", `{"user_id":"u","user_info":{"screenWidth":"wide"}}`), nil, 422, "", "body.user_info.screenWidth"},
		{"unknown channel", jsonRequest(http.MethodPost, "/session", `{"user_id":"u","type":"smoke"}`), nil, 422, "", "type"},
		{"unknown status", jsonRequest(http.MethodDelete, "/session/"+id, `{"status":"tired"}`), nil, 422, "", "status"},
		{"body too large", post("/session", "application/json", huge()), nil, 413, "body_too_large", ""},
		{"body too large, in chunks", post("/session", "application/json", onlyReader{huge()}), nil, 413, "body_too_large", ""},
		{"audio too large, in chunks", post("/transcribe", "audio/wav", onlyReader{huge()}), nil, 413, "", ""},
		{"message that is JSON", jsonRequest(http.MethodPost, run, `{"message":"hi"}`), nil, 415, "", "multipart"},
		{"form without boundary", post(run, "multipart/form-data", strings.NewReader("x")), nil, 422, "", "boundary"},
		{"form that breaks off", post(run, "multipart/form-data; boundary=b", strings.NewReader("--b\r\nContent-Disp")), nil, 422, "", "multipart"},
		{"form without message", post(run, "multipart/form-data; boundary=b", strings.NewReader("--b--\r\n")), nil, 422, "", "body.message"},
		{"blank message", form("  \n "), nil, 422, "", "body.message"},
		{"message that is not UTF-8", form("\xff\xfe"), nil, 422, "", "UTF-8"},
		{"message longer than the agent takes", form(strings.Repeat("x", 8001)), nil, 422, "", "8000"},
		{"message longer than anybody takes", post(run, longType, long), nil, 413, "", "body.message"},
		{"nothing to synthesize", house.Request{Method: http.MethodGet, Path: "/synthesize"}, nil, 422, "", "text"},
		{"format that is missing", house.Request{Method: http.MethodGet, Path: "/synthesize?text=x&format=mp4"}, nil, 422, "", "mp4"},
		{"unknown format", house.Request{Method: http.MethodGet, Path: "/synthesize?text=x&format=ogg"}, nil, 422, "", "format"},
		{"unknown voice", house.Request{Method: http.MethodGet, Path: "/synthesize?text=x&voice_name=nobody"}, nil, 422, "", "nobody"},
		{"audio that is none", post("/transcribe", "audio/wav", strings.NewReader("RIFF1234WAVEfmt ")), nil, 422, "", ""},
		{"audio of another format", post("/transcribe", "audio/mp4", strings.NewReader("....ftyp")), nil, 422, "", "mp4"},
		{"audio that is text", post("/transcribe", "text/plain", strings.NewReader("hello")), nil, 415, "", "audio/wav"},
	}
}

// Bytes that are no HTTP, and a client that never finishes, disturb nobody.
func TestBadBytes(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	for name, text := range map[string]string{
		"no HTTP":              "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"a torn request":       "POST /chatbot/x/session HTTP/1.1\r\nHost: x\r\nContent-Le",
		"a negative length":    "POST /chatbot/x/session HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
		"a torn chunk":         "POST /chatbot/x/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"two lengths":          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"a header without end": "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 200<<10),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", s.HTTP)
			require.NoError(t, err)
			_, _ = c.Write([]byte(text)) // it may be cut off while we send
			require.NoError(t, c.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
			answer, _ := io.ReadAll(c)
			require.NotContains(t, string(answer), "HTTP/1.1 2")
			require.NoError(t, c.Close())
		})
	}
	chat := s.Chat(s.Agents[0])
	require.Contains(t, chat.MustSay(t, chat.MustOpen(t, "u"), "What does a kayak cost for an hour?").Text, "€11")
	require.NotContains(t, s.Log(), "panic")
}
