package duplextest

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flametree/engine/provider/sockettest"
	"flametree/engine/provider/speechtest"
)

// Key is the key that a server wants. It stands in every complaint, as vendors
// quote it, and must not come out of a connector.
const Key = "sk-9876543210-duplex"

// Kind is a kind of trouble.
type Kind = sockettest.Kind

// The troubles. A trouble befalls one connection.
const (
	None      = sockettest.None
	Refuse    = sockettest.Refuse
	TooMany   = sockettest.TooMany
	Down      = sockettest.Down
	Dies      = sockettest.Dies
	HangsUp   = sockettest.HangsUp
	Silent    = sockettest.Silent
	BadJSON   = sockettest.BadJSON
	Huge      = sockettest.Huge
	Expelled  = sockettest.Expelled
	Throttled = sockettest.Throttled
	LateWords = sockettest.Own // what was heard is told only after the activity has ended
)

// Trouble is what happens; Seed chooses where.
type Trouble = sockettest.Trouble

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

	*sockettest.Room

	// Guarded by the room's notes.
	log    []string
	asked  []Asked
	memory []string
	heard  int
	leave  func() // has every connection say that it will end
}

func newServer() *Server { return &Server{Room: sockettest.NewRoom(Key)} }

// Local serves s on loopback until the test ends, and fails the test if
// anything was refused.
func Local(t testing.TB, s *Server) string {
	t.Helper()
	return s.Room.Local(t)
}

// Trouble adds troubles for the next connections; after them all is well.
func (s *Server) Trouble(t ...Trouble) *Server {
	s.Room.Trouble(t...)
	return s
}

// Log is what was asked for, one line a message without sound.
func (s *Server) Log() (all []string) {
	s.Note(func() { all = slices.Clone(s.log) })
	return all
}

// Logged reports whether a line of the log begins so.
func (s *Server) Logged(begins string) bool {
	return slices.ContainsFunc(s.Log(), func(l string) bool { return strings.HasPrefix(l, begins) })
}

// Asked are all replies that were asked for.
func (s *Server) Asked() (all []Asked) {
	s.Note(func() { all = slices.Clone(s.asked) })
	return all
}

// Memory is the conversation as the newest connection has it.
func (s *Server) Memory() (all []string) {
	s.Note(func() { all = slices.Clone(s.memory) })
	return all
}

func (s *Server) logf(format string, args ...any) {
	s.Note(func() { s.log = append(s.log, fmt.Sprintf(format, args...)) })
}

func (s *Server) listen(pcm []int16, rateHz int) string {
	n := 0
	s.Note(func() { n = s.heard; s.heard++ })
	if s.Listen != nil {
		return s.Listen(n, pcm, rateHz)
	}
	l := speechtest.NewListener(rateHz, speechtest.Letter)
	l.Hear(pcm)
	return l.Text()
}

func (s *Server) answer(a Asked) Reply {
	s.Note(func() { s.asked = append(s.asked, a) })
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

// conn is one connection. Messages are read by one goroutine; replies are sent by
// others, which end with it.
type conn struct {
	sockettest.Link
	s    *Server
	work sync.WaitGroup
	gone chan struct{}
}

// serve opens the socket and gives every message to f until it returns false.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, c *conn, f func(data []byte) bool) {
	if !s.Open(w, r, &c.Link) {
		return
	}
	c.s, c.gone = s, make(chan struct{})
	s.Note(func() { s.memory = nil })
	for {
		data, _, ok := c.Read()
		if !ok || !f(data) {
			break
		}
	}
	close(c.gone)
	c.End()
	c.work.Wait()
}

// refuse notes what a vendor would not take, and ends the connection.
func (c *conn) refuse(format string, args ...any) bool {
	c.Refuse(format, args...)
	return false
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
