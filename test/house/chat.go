package house

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// quickly sends every request on a connection of its own, so that none outlives
// its server.
var quickly = &http.Transport{DisableKeepAlives: true} //nolint:gochecknoglobals // never changed

// Chat is a client of one agent's Chat API. It is safe for concurrent use.
type Chat struct {
	HTTP  string // host:port of the server
	Agent string // id
	Token string
}

// Chat makes a client of an agent.
func (s *Server) Chat(a Agent) *Chat { return &Chat{HTTP: s.HTTP, Agent: a.ID, Token: a.Token} }

// Request is one request to the agent's API. Path begins behind the agent's id.
type Request struct {
	Method, Path string
	Type         string // Content-Type
	Body         io.Reader
	Header       http.Header
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Error implements error: an answer that was not hoped for.
func (a *Answer) Error() string { return fmt.Sprintf("%d: %s", a.Status, a.Body) }

// Problem is a refusal.
type Problem struct {
	Status int    `json:"status"`
	Kind   string `json:"kind"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Errors []struct{ Location, Message string }
}

// Problem reads a refusal of the form the API has for it.
func (a *Answer) Problem(t testing.TB) Problem {
	t.Helper()
	var p Problem
	require.Equal(t, "application/problem+json", a.Header.Get("Content-Type"), "%d %s", a.Status, a.Body)
	require.NoError(t, json.Unmarshal(a.Body, &p), "%s", a.Body)
	require.Equal(t, a.Status, p.Status)
	require.NotEmpty(t, p.Kind)
	require.NotEmpty(t, p.Code)
	require.NotEmpty(t, p.Detail)
	return p
}

// Into reads the answer's JSON.
func (a *Answer) Into(t testing.TB, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(a.Body, into), "%s", a.Body)
}

// Do sends a request. The error is about the way there and back alone.
func (c *Chat) Do(ctx context.Context, r Request) (*Answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, "http://"+c.HTTP+"/chatbot/"+c.Agent+r.Path, r.Body)
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if r.Type != "" {
		req.Header.Set("Content-Type", r.Type)
	}
	maps.Copy(req.Header, r.Header)
	resp, err := quickly.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, err
}

// JSON sends a request with a JSON body and fails the test when no answer comes.
func (c *Chat) JSON(t testing.TB, method, path string, body any) *Answer {
	t.Helper()
	r := Request{Method: method, Path: path}
	if body != nil {
		b, err := json.Marshal(body)
		require.NoError(t, err)
		r.Type, r.Body = "application/json", bytes.NewReader(b)
	}
	a, err := c.Do(t.Context(), r)
	require.NoError(t, err)
	return a
}

// Open creates a session. key makes it idempotent, "" = not. A refusal is an *Answer.
func (c *Chat) Open(ctx context.Context, user, key string) (string, error) {
	body, err := json.Marshal(map[string]string{"user_id": user})
	if err != nil {
		return "", err
	}
	r := Request{Method: http.MethodPost, Path: "/session", Type: "application/json", Body: bytes.NewReader(body)}
	if key != "" {
		r.Header = http.Header{"Idempotency-Key": {key}}
	}
	a, err := c.Do(ctx, r)
	if err != nil {
		return "", err
	}
	if a.Status != http.StatusOK {
		return "", a
	}
	var s struct {
		ID string `json:"session_id"`
	}
	return s.ID, json.Unmarshal(a.Body, &s)
}

// MustOpen creates a session or fails the test.
func (c *Chat) MustOpen(t testing.TB, user string) string {
	t.Helper()
	id, err := c.Open(t.Context(), user, "")
	require.NoError(t, err)
	require.NotEmpty(t, id)
	return id
}

// Reply is the answer to a message.
type Reply struct {
	Text, Mode, Message string
	Options             []string
}

// Form makes the multipart body of a message.
func Form(clientID, text string) (body *bytes.Buffer, contentType string) {
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	_ = w.WriteField("message", text) // a Buffer takes everything
	if clientID != "" {
		_ = w.WriteField("client_id", clientID)
	}
	_ = w.Close()
	return body, w.FormDataContentType()
}

// Say sends a message by run_v2 and waits for the reply. A refusal is an *Answer.
func (c *Chat) Say(ctx context.Context, session, clientID, text string) (Reply, error) {
	body, typ := Form(clientID, text)
	a, err := c.Do(ctx, Request{Method: http.MethodPost, Path: "/session/" + session + "/run_v2", Type: typ, Body: body})
	if err != nil {
		return Reply{}, err
	}
	if a.Status != http.StatusOK {
		return Reply{}, a
	}
	var b struct {
		Response string
		Metadata struct {
			Mode    string
			Options []string
		}
	}
	err = json.Unmarshal(a.Body, &b)
	return Reply{
		Text: b.Response, Mode: b.Metadata.Mode, Options: b.Metadata.Options, Message: a.Header.Get("Flametree-Message-Id"),
	}, err
}

// MustSay sends a message or fails the test.
func (c *Chat) MustSay(t testing.TB, session, text string) Reply {
	t.Helper()
	r, err := c.Say(t.Context(), session, "", text)
	require.NoError(t, err, "%s", text)
	return r
}

// Frame is what a socket shows.
type Frame struct {
	Seq      uint64   `json:"seq"`
	Type     string   `json:"type"`
	Role     string   `json:"role"`
	Message  string   `json:"message_id"`
	Client   string   `json:"client_id"`
	Text     string   `json:"text"`
	Code     string   `json:"code"`
	Options  []string `json:"options"`
	Metadata struct {
		Mode string `json:"mode"`
	} `json:"metadata"`
}

// Socket is an open socket into a session.
type Socket struct {
	t    testing.TB
	conn *websocket.Conn
}

// Socket opens a session's socket; query is such as ?after=3. It is closed with the test.
func (c *Chat) Socket(t testing.TB, session, query string) *Socket {
	t.Helper()
	return c.SocketWith(t, session, query, http.Header{"Authorization": {"Bearer " + c.Token}})
}

// SocketWith opens a socket with other credentials.
func (c *Chat) SocketWith(t testing.TB, session, query string, h http.Header) *Socket {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+c.HTTP+"/chatbot/"+c.Agent+"/ws/"+session+query, h)
	require.NoError(t, err)
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	return &Socket{t: t, conn: conn}
}

// Send sends a frame.
func (s *Socket) Send(frame any) {
	s.t.Helper()
	require.NoError(s.t, s.conn.WriteJSON(frame))
}

// Next waits for a frame. The error is a *websocket.CloseError when the server closed.
func (s *Socket) Next() (Frame, error) {
	var f Frame
	if err := s.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return f, err
	}
	return f, s.conn.ReadJSON(&f)
}

// MustNext waits for a frame or fails the test.
func (s *Socket) MustNext() Frame {
	s.t.Helper()
	f, err := s.Next()
	require.NoError(s.t, err)
	return f
}

// Close cuts the connection off.
func (s *Socket) Close() { _ = s.conn.Close() }
