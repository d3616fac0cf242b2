package gatewaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"flametree/gateway/api"
	"flametree/gateway/auth"
	"flametree/gateway/httpd"
	"flametree/gateway/ws"
)

// Site is a front door on a free port of loopback.
type Site struct {
	House   *House
	Server  *httpd.Server
	Hub     *ws.Hub
	Tickets *auth.Tickets
	Addr    string // host:port
	URL     string // http://host:port
	Client  *http.Client
	served  chan error
}

// Config changes a site before it starts.
type Config struct {
	HTTP   httpd.Options
	Limits ws.Limits
	API    api.Options // its interfaces are set to the house
	Calls  ws.Calls    // nil: no calls of browsers
	// Mount adds more.
	Mount func(*Site)
}

// Start opens a house to the world until the test ends.
func Start(t testing.TB, h *House, c Config) *Site {
	t.Helper()
	s := Open(h, c)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close the site: %v", err)
		}
	})
	return s
}

// Open is Start for programs: the caller closes. It panics without a port.
func Open(h *House, c Config) *Site {
	if testing.Testing() && testing.Verbose() && c.HTTP.Logger == nil {
		c.HTTP.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	s := &Site{House: h, Server: httpd.New(c.HTTP), Tickets: &auth.Tickets{}, served: make(chan error, 1)}
	s.Hub = ws.NewHub(s.Server, c.Limits)
	c.API.Agents, c.API.Sessions, c.API.Speech, c.API.Tickets = h, h, h, s.Tickets
	api.Mount(s.Server, c.API)
	ws.Mount(s.Server, s.Hub, ws.Options{Agents: h, Sockets: h, Tickets: s.Tickets, Calls: c.Calls})
	if c.Mount != nil {
		c.Mount(s)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s.Addr = ln.Addr().String()
	s.URL = "http://" + s.Addr
	s.Client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 20 * time.Second}
	go func() { s.served <- s.Server.Serve(ln) }() // ends in Close
	return s
}

// Close shuts the site down and waits for it. A second call does nothing.
func (s *Site) Close(ctx context.Context) error {
	if s.served == nil {
		return nil
	}
	s.Client.CloseIdleConnections()
	err := s.Server.Shutdown(ctx)
	<-s.served // Shutdown says what went wrong
	s.served = nil
	return err
}

// Leaks runs the tests of a package and fails when goroutines are left. The one
// exception is fasthttp's clock, which lives as long as the process.
func Leaks(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// Answer is what a request got.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON reads the answer into a map.
func (a Answer) JSON(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.Body, &m); err != nil {
		t.Fatalf("answer is no JSON object: %v: %q", err, a.Body)
	}
	return m
}

// Do sends a request with the token of the agent "card", unless header sets or
// empties Authorization. Header alternates names and values.
func (s *Site) Do(t testing.TB, method, path string, body io.Reader, header ...string) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer card-token")
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := s.Client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return Answer{resp.StatusCode, resp.Header, b}
}

// JSON sends a JSON body, or none when body is "".
func (s *Site) JSON(t testing.TB, method, path, body string, header ...string) Answer {
	t.Helper()
	if body == "" {
		return s.Do(t, method, path, nil, header...)
	}
	return s.Do(t, method, path, strings.NewReader(body), append([]string{"Content-Type", "application/json"}, header...)...)
}

// Session opens a session of the agent "card" and gives its id.
func (s *Site) Session(t testing.TB) string {
	t.Helper()
	a := s.JSON(t, http.MethodPost, "/chatbot/card/session", `{"user_id":"u1"}`)
	if a.Status != http.StatusOK {
		t.Fatalf("create session: %d %s", a.Status, a.Body)
	}
	return a.JSON(t)["session_id"].(string)
}

// Form makes a multipart body of fields (name, value …) and files of the given
// sizes under "attachments".
func Form(fields []string, files ...int) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = w.WriteField(fields[i], fields[i+1])
	}
	for _, n := range files {
		f, _ := w.CreateFormFile("attachments", `C:\docs\note.txt`)
		_, _ = f.Write(bytes.Repeat([]byte("a"), n))
	}
	_ = w.Close()
	return w.FormDataContentType(), b.Bytes()
}

// Say sends a message with run_v2.
func (s *Site) Say(t testing.TB, session, text string, header ...string) Answer {
	t.Helper()
	ct, b := Form([]string{"message", text})
	return s.Do(t, http.MethodPost, "/chatbot/card/session/"+session+"/run_v2", bytes.NewReader(b), append([]string{"Content-Type", ct}, header...)...)
}

// Dial opens a session's socket with the token of the agent "card", unless
// header says otherwise.
func (s *Site) Dial(t testing.TB, path string, header http.Header) *websocket.Conn {
	t.Helper()
	if header == nil {
		header = http.Header{"Authorization": {"Bearer card-token"}}
	}
	c, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.Addr+path, header)
	if err != nil {
		t.Fatalf("dial %s: %v (%v)", path, err, resp)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	return c
}

// Frame reads the next frame of a socket.
func Frame(t testing.TB, c *websocket.Conn) ws.Frame {
	t.Helper()
	var f ws.Frame
	if err := c.ReadJSON(&f); err != nil {
		t.Fatalf("read frame: %v", err)
	}
	return f
}

// CloseCode reads a socket to its end and gives the code it was closed with.
func CloseCode(t testing.TB, c *websocket.Conn) int {
	t.Helper()
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			var e *websocket.CloseError
			if !asClose(err, &e) {
				t.Fatalf("socket ended without a close frame: %v", err)
			}
			return e.Code
		}
	}
}

func asClose(err error, e **websocket.CloseError) bool {
	c, ok := err.(*websocket.CloseError) //nolint:errorlint // gorilla never wraps it
	*e = c
	return ok
}
