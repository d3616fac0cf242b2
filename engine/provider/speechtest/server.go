package speechtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Key is the key that a server wants. It stands in every complaint, as vendors
// quote it, and must not come out of a connector.
const Key = "sk-0123456789-secret"

// Kind is a kind of trouble.
type Kind int

// The troubles. A trouble befalls one socket or one request.
const (
	None      Kind = iota
	Refuse         // 401 at the door
	TooMany        // 429 at the door, with Retry-After
	Down           // 503 at the door
	Dies           // the connection breaks after Seed messages
	HangsUp        // the connection ends regularly after Seed messages
	Drips          // every message takes its time
	Repeats        // finals come twice
	Silent         // nothing comes any more after Seed messages
	BadJSON        // a message is no JSON after Seed ones
	Huge           // a message is larger than anybody should take
	Expelled       // the vendor's own 401 in the middle
	Throttled      // the vendor's own 429 in the middle
	Mute           // a voice answers without any sound
	WrongRate      // a voice renders at another rate than agreed
)

// Trouble is what happens; Seed chooses where.
type Trouble struct {
	Kind Kind
	Seed int
}

// Server is one vendor. Its fields are set before it serves.
type Server struct {
	// Endpoint is how much silence ends a turn for recognisers that end turns
	// themselves, in letters; 0 = never.
	Endpoint int
	// Tones has it hear and speak in tones in place of levels: they pass through a
	// telephone.
	Tones bool
	// Knows are the sentences that a hearer of tones expects: what sounds much like
	// one of them is taken for it, as recognisers do. Empty = it writes what it hears.
	Knows []string
	// FinalAfter and SoundAfter are how long last words and the first sound of a
	// clause take besides.
	FinalAfter, SoundAfter time.Duration

	mux *http.ServeMux

	mu       sync.Mutex
	troubles []Trouble
	refused  []string
	opened   int
	asked    []url.Values
	said     []string // texts that voices were given
	stopped  int      // clauses that were stopped
	sockets  map[*websocket.Conn]bool
}

func newServer() *Server {
	return &Server{mux: http.NewServeMux(), sockets: map[*websocket.Conn]bool{}}
}

// Drop cuts every socket that is open.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.sockets {
		_ = c.UnderlyingConn().Close()
	}
}

// Trouble adds troubles for the next sockets or requests; after them all is well.
func (s *Server) Trouble(t ...Trouble) *Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.troubles = append(s.troubles, t...)
	return s
}

// Opened is how many sockets and requests there were.
func (s *Server) Opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// Said are the texts that were to be spoken, in their order.
func (s *Server) Said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said)
}

// Stopped is how many clauses were stopped before their end.
func (s *Server) Stopped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// Asked are the parameters of the last socket or request.
func (s *Server) Asked() url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) == 0 {
		return nil
	}
	return s.asked[len(s.asked)-1]
}

// Refused tells what was wrong with requests and messages.
func (s *Server) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

func (s *Server) refuse(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, text)
	return text
}

func (s *Server) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Handler is s, to be served by whoever wants to.
func (s *Server) Handler() http.Handler { return s.mux }

// Local serves s on loopback until the test ends, and fails the test if
// anything was refused that the test did not ask for.
func Local(t testing.TB, s *Server) string {
	t.Helper()
	h := httptest.NewServer(s.mux)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
		for _, r := range s.Refused() {
			t.Errorf("the vendor refused: %s", r)
		}
	})
	return h.URL
}

// enter takes the trouble of a request and checks what every vendor checks. It
// reports false after it has answered.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, header, value string, params map[string]bool) (Trouble, bool) {
	s.mu.Lock()
	var t Trouble
	if len(s.troubles) > 0 {
		t, s.troubles = s.troubles[0], s.troubles[1:]
	}
	s.opened++
	s.asked = append(s.asked, r.URL.Query())
	s.mu.Unlock()
	status := 0
	switch {
	case t.Kind == Refuse || r.Header.Get(header) != value:
		status = http.StatusUnauthorized
	case t.Kind == TooMany:
		w.Header().Set("Retry-After", "7")
		status = http.StatusTooManyRequests
	case t.Kind == Down:
		status = http.StatusServiceUnavailable
	}
	if status != 0 {
		http.Error(w, `{"error":{"message":"no, `+Key+`","code":"`+Key+`"}}`, status)
		return t, false
	}
	if text := wrongParams(r.URL.Query(), params); text != "" {
		http.Error(w, s.refuse("%s", text), http.StatusBadRequest)
		return t, false
	}
	return t, true
}

// wrongParams checks a query: params says which there are and which must be.
func wrongParams(q url.Values, params map[string]bool) string {
	for name, must := range params {
		if must && q.Get(name) == "" {
			return "the parameter " + name + " is missing"
		}
	}
	for name := range q {
		if _, ok := params[name]; !ok {
			return "unknown parameter " + name
		}
	}
	return ""
}

// strict reads JSON and wants to know every field.
func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF { // Token gives io.EOF itself
		return fmt.Errorf("something follows the JSON")
	}
	return nil
}

// conn is one socket with its trouble.
type conn struct {
	s       *Server
	ws      *websocket.Conn
	trouble Trouble
	expel   func(status int) any // the vendor's own refusal
	in      chan frame           // closed when the peer is gone
	gone    chan struct{}        // closed when the server is done
	kept    []frame              // that came while something was rendered
	sent    int
	dead    bool
	closed  bool // by a close frame
}

type frame struct {
	binary bool
	data   []byte
}

// upgrade opens the socket and runs f until it returns.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, t Trouble, expel func(status int) any, f func(c *conn)) {
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := u.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &conn{s: s, ws: ws, trouble: t, expel: expel, in: make(chan frame, 4096), gone: make(chan struct{})}
	s.note(func() { s.sockets[ws] = true })
	defer s.note(func() { delete(s.sockets, ws) })
	var wg sync.WaitGroup
	wg.Go(c.read)
	f(c)
	if c.closed { // what was said last must be read: a connection cut with data in it loses it
		_ = ws.SetReadDeadline(time.Now().Add(2 * time.Second))
		for range c.in {
		}
	}
	close(c.gone)
	_ = ws.Close()
	wg.Wait()
}

func (c *conn) read() {
	defer close(c.in)
	for {
		kind, data, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		select {
		case c.in <- frame{binary: kind == websocket.BinaryMessage, data: data}:
		case <-c.gone:
			return
		}
	}
}

// next is the next message; false = the peer is gone.
func (c *conn) next() (frame, bool) {
	if len(c.kept) > 0 {
		f := c.kept[0]
		c.kept = c.kept[1:]
		return f, !c.dead
	}
	f, ok := <-c.in
	return f, ok && !c.dead
}

// refuse ends a socket on which something wrong was said.
func (c *conn) refuse(format string, args ...any) {
	c.s.refuse(format, args...)
	c.close(websocket.ClosePolicyViolation)
}

func (c *conn) close(code int) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, "said "+Key), time.Now().Add(time.Second))
	c.dead, c.closed = true, true
}

// final sends what a vendor says once; in some trouble it says it twice.
func (c *conn) final(v any) {
	time.Sleep(c.s.FinalAfter)
	c.settled(v)
}

// settled is final without the time it takes.
func (c *conn) settled(v any) {
	c.send(v)
	if c.trouble.Kind == Repeats {
		c.send(v)
	}
}

// send sends v as JSON, a []byte as it is in a binary message, a string as text.
func (c *conn) send(v any) {
	if c.dead || c.troubled() {
		return
	}
	c.sent++
	kind, data := websocket.TextMessage, []byte(nil)
	switch v := v.(type) {
	case []byte:
		kind, data = websocket.BinaryMessage, v
	case string:
		data = []byte(v)
	default:
		data, _ = json.Marshal(v) // our own values
	}
	if c.ws.WriteMessage(kind, data) != nil {
		c.dead = true
	}
}

// troubled makes the trouble that is due before the next message.
func (c *conn) troubled() bool {
	if c.trouble.Kind == Drips {
		time.Sleep(2 * time.Millisecond) // the vendor is slow, not the test
		return false
	}
	if c.sent < c.trouble.Seed {
		return false
	}
	switch c.trouble.Kind {
	case Dies:
		_ = c.ws.UnderlyingConn().Close()
		c.dead = true
	case HangsUp:
		c.close(websocket.CloseNormalClosure)
	case Silent:
	case BadJSON:
		_ = c.ws.WriteMessage(websocket.TextMessage, []byte(`{"type": "`+Key))
	case Huge:
		_ = c.ws.WriteMessage(websocket.TextMessage, bytes.Repeat([]byte(" "), 6<<20))
	case Expelled, Throttled:
		status := map[Kind]int{Expelled: 401, Throttled: 429}[c.trouble.Kind]
		kind := c.trouble.Kind
		c.trouble = Trouble{}
		c.send(c.expel(status))
		c.trouble = Trouble{Kind: kind}
		c.close(websocket.ClosePolicyViolation)
	default:
		return false
	}
	return true
}
