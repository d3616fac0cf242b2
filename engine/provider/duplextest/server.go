package duplextest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"flametree/engine/provider/speechtest"
)

// Key is the key that a server wants. It stands in every complaint, as vendors
// quote it, and must not come out of a connector.
const Key = "sk-9876543210-duplex"

// Kind is a kind of trouble.
type Kind int

// The troubles. A trouble befalls one connection.
const (
	None      Kind = iota
	Refuse         // 401 at the door
	TooMany        // 429 at the door
	Down           // 503 at the door
	Dies           // the connection breaks after Seed messages
	HangsUp        // the connection ends regularly after Seed messages
	Silent         // nothing comes any more after Seed messages
	BadJSON        // a message is no JSON after Seed ones
	Huge           // a message is larger than anybody should take
	Expelled       // the vendor's own 401 in the middle
	Throttled      // the vendor's own 429 in the middle
	LateWords      // what was heard is told only after the activity has ended
)

// Trouble is what happens; Seed chooses where.
type Trouble struct {
	Kind Kind
	Seed int
}

// Asked is what a server is asked to reply to.
type Asked struct {
	Heard   string   // the newest of the caller, by voice or text
	Results []string // of tools, since the last reply
	System  string
	Tools   []string
	Memory  []string // "user: …", "assistant: …", as the vendor has them
	Extra   string   // what is known for this reply alone
}

// Wish is a call of a tool.
type Wish struct{ Name, Args string }

// Reply is what a server says.
type Reply struct {
	Text string
	Wish *Wish // after the text
}

// Server is one vendor. Its fields are set before it serves.
type Server struct {
	// Listen makes words of an utterance; nil = sound of package speechtest.
	Listen func(n int, pcm []int16, rateHz int) string
	// Answer makes a reply; nil = it says what it heard.
	Answer func(a Asked) Reply
	// Voice makes sound at 24 kHz; nil = that of package speechtest.
	Voice func(text string) []int16
	// Speed is how many times faster than it is spoken sound is sent; 0 = at once.
	Speed float64
	// WordsFirst sends all words of a reply before its sound.
	WordsFirst bool

	mux *http.ServeMux

	mu       sync.Mutex
	troubles []Trouble
	refused  []string
	log      []string
	asked    []Asked
	memory   []string
	opened   int
	heard    int
	sockets  map[*websocket.Conn]bool
	serving  sync.WaitGroup
	leave    func() // has every connection say that it will end
}

func newServer() *Server {
	return &Server{mux: http.NewServeMux(), sockets: map[*websocket.Conn]bool{}}
}

// Local serves s on loopback until the test ends, and fails the test if
// anything was refused.
func Local(t testing.TB, s *Server) string {
	t.Helper()
	h := httptest.NewServer(s.mux)
	t.Cleanup(func() {
		s.Drop()
		h.CloseClientConnections()
		h.Close()
		s.serving.Wait()
		for _, r := range s.Refused() {
			t.Errorf("the vendor refused: %s", r)
		}
	})
	return h.URL
}

// Handler serves s where the test has a server of its own.
func (s *Server) Handler() http.Handler { return s.mux }

// Drop cuts every connection that is open.
func (s *Server) Drop() {
	s.note(func() {
		for c := range s.sockets {
			_ = c.UnderlyingConn().Close()
		}
	})
}

// Trouble adds troubles for the next connections; after them all is well.
func (s *Server) Trouble(t ...Trouble) *Server {
	s.note(func() { s.troubles = append(s.troubles, t...) })
	return s
}

// Opened is how many connections there were, refused ones too.
func (s *Server) Opened() (n int) {
	s.note(func() { n = s.opened })
	return n
}

// Refused tells what was wrong with messages.
func (s *Server) Refused() (all []string) {
	s.note(func() { all = slices.Clone(s.refused) })
	return all
}

// Log is what was asked for, one line a message without sound.
func (s *Server) Log() (all []string) {
	s.note(func() { all = slices.Clone(s.log) })
	return all
}

// Logged reports whether a line of the log begins so.
func (s *Server) Logged(begins string) bool {
	return slices.ContainsFunc(s.Log(), func(l string) bool { return strings.HasPrefix(l, begins) })
}

// Asked are all replies that were asked for.
func (s *Server) Asked() (all []Asked) {
	s.note(func() { all = slices.Clone(s.asked) })
	return all
}

// Memory is the conversation as the newest connection has it.
func (s *Server) Memory() (all []string) {
	s.note(func() { all = slices.Clone(s.memory) })
	return all
}

func (s *Server) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *Server) logf(format string, args ...any) {
	s.note(func() { s.log = append(s.log, fmt.Sprintf(format, args...)) })
}

func (s *Server) listen(pcm []int16, rateHz int) string {
	n := 0
	s.note(func() { n = s.heard; s.heard++ })
	if s.Listen != nil {
		return s.Listen(n, pcm, rateHz)
	}
	l := speechtest.NewListener(rateHz, speechtest.Letter)
	l.Hear(pcm)
	return l.Text()
}

func (s *Server) answer(a Asked) Reply {
	s.note(func() { s.asked = append(s.asked, a) })
	if s.Answer != nil {
		return s.Answer(a)
	}
	return Reply{Text: "You said " + a.Heard + "."}
}

func (s *Server) voice(text string) []int16 {
	if s.Voice != nil {
		return s.Voice(text)
	}
	pcm, each := speechtest.Sound(text, 24000, speechtest.Voiced), 24000*int(speechtest.Voiced/time.Millisecond)/1000
	for i, r := range []rune(text) { // between words is silence
		if r == ' ' || r == '.' || r == '?' {
			clear(pcm[i*each : (i+1)*each])
		}
	}
	return pcm
}

// enter takes the trouble of a connection and checks its key.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, header, value string) (Trouble, bool) {
	var t Trouble
	s.note(func() {
		if s.opened++; len(s.troubles) > 0 {
			t, s.troubles = s.troubles[0], s.troubles[1:]
		}
	})
	status := map[Kind]int{Refuse: 401, TooMany: 429, Down: 503}[t.Kind]
	if r.Header.Get(header) != value {
		status = http.StatusUnauthorized
	}
	if status != 0 {
		http.Error(w, `{"error":{"message":"no, `+Key+`","code":"`+Key+`"}}`, status)
	}
	return t, status == 0
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

// conn is one connection. Messages are read by one goroutine; replies are sent by
// others, which end with it.
type conn struct {
	s       *Server
	ws      *websocket.Conn
	trouble Trouble
	binary  bool // messages go out as binary ones
	expel   func(status int) any
	work    sync.WaitGroup
	gone    chan struct{}

	mu   sync.Mutex
	sent int
	dead bool
}

// serve opens the socket and gives every message to f until it returns false.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, c *conn, f func(data []byte) bool) {
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := u.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	s.serving.Add(1)
	defer s.serving.Done()
	c.s, c.ws, c.gone = s, ws, make(chan struct{})
	s.note(func() { s.sockets[ws] = true; s.memory = nil })
	for {
		_, data, err := ws.ReadMessage()
		if err != nil || !f(data) {
			break
		}
	}
	close(c.gone)
	s.note(func() { delete(s.sockets, ws) })
	_ = ws.Close()
	c.work.Wait()
}

// refuse notes what a vendor would not take, and ends the connection.
func (c *conn) refuse(format string, args ...any) bool {
	text := fmt.Sprintf(format, args...)
	c.s.note(func() { c.s.refused = append(c.s.refused, text) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close(websocket.ClosePolicyViolation)
	return false
}

// close says that the connection ends; mu is held.
func (c *conn) close(code int) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, "said "+Key), time.Now().Add(time.Second))
	c.dead = true
}

// send sends v as JSON, or the trouble that is due.
func (c *conn) send(v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead || c.troubled() {
		return
	}
	c.sent++
	c.write(v)
}

func (c *conn) write(v any) {
	data, _ := json.Marshal(v) // our own values
	kind := websocket.TextMessage
	if c.binary {
		kind = websocket.BinaryMessage
	}
	if c.ws.WriteMessage(kind, data) != nil {
		c.dead = true
	}
}

func (c *conn) troubled() bool {
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
		c.write(c.expel(map[Kind]int{Expelled: 401, Throttled: 429}[c.trouble.Kind]))
		c.close(websocket.ClosePolicyViolation)
	default:
		return false
	}
	return true
}

// say sends a text word by word with the sound of each, until it is cancelled.
func (c *conn) say(text string, canceled <-chan struct{}, word func(text string), sound func(pcm []int16)) bool {
	all := c.s.voice(text)
	words := strings.SplitAfter(text, " ")
	at, letters, total := 0, 0, max(1, len(text))
	if c.s.WordsFirst {
		word(text)
	}
	for _, w := range words {
		letters += len(w)
		end := len(all) * letters / total
		if !c.s.WordsFirst {
			word(w)
		}
		for from := at; from < end; from += 4800 {
			piece := all[from:min(end, from+4800)]
			sound(piece)
			if c.s.Speed <= 0 {
				continue
			}
			t := time.NewTimer(time.Duration(float64(len(piece)) / 24000 / c.s.Speed * float64(time.Second)))
			select {
			case <-t.C:
			case <-canceled:
				t.Stop()
				return false
			case <-c.gone:
				t.Stop()
				return false
			}
		}
		at = end
		select {
		case <-canceled:
			return false
		default:
		}
	}
	return true
}

func samples(b []byte) []int16 {
	out := make([]int16, len(b)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return out
}

func bytesOf(pcm []int16) []byte {
	var out []byte
	for _, v := range pcm {
		out = binary.LittleEndian.AppendUint16(out, uint16(v))
	}
	return out
}

type obj map[string]any
