package speechtest

import (
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"flametree/engine/provider/sockettest"
)

// Key is the key that a server wants. It stands in every complaint, as vendors
// quote it, and must not come out of a connector.
const Key = "sk-0123456789-secret"

// Kind is a kind of trouble.
type Kind = sockettest.Kind

// The troubles. A trouble befalls one socket or one request.
const (
	None      = sockettest.None
	Refuse    = sockettest.Refuse
	TooMany   = sockettest.TooMany
	Down      = sockettest.Down
	Dies      = sockettest.Dies
	HangsUp   = sockettest.HangsUp
	Drips     = sockettest.Drips
	Silent    = sockettest.Silent
	BadJSON   = sockettest.BadJSON
	Huge      = sockettest.Huge
	Expelled  = sockettest.Expelled
	Throttled = sockettest.Throttled
	Repeats   = sockettest.Own     // finals come twice
	Mute      = sockettest.Own + 1 // a voice answers without any sound
	WrongRate = sockettest.Own + 2 // a voice renders at another rate than agreed
)

// Trouble is what happens; Seed chooses where.
type Trouble = sockettest.Trouble

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

	*sockettest.Room

	// Guarded by the room's notes.
	said    []string // texts that voices were given
	stopped int      // clauses that were stopped
}

func newServer() *Server { return &Server{Room: sockettest.NewRoom(Key)} }

// Trouble adds troubles for the next sockets or requests; after them all is well.
func (s *Server) Trouble(t ...Trouble) *Server {
	s.Room.Trouble(t...)
	return s
}

// Said are the texts that were to be spoken, in their order.
func (s *Server) Said() (all []string) {
	s.Note(func() { all = slices.Clone(s.said) })
	return all
}

// Stopped is how many clauses were stopped before their end.
func (s *Server) Stopped() (n int) {
	s.Note(func() { n = s.stopped })
	return n
}

// Asked are the parameters of the last socket or request.
func (s *Server) Asked() url.Values { return s.Query() }

// Local serves s on loopback until the test ends, and fails the test if
// anything was refused that the test did not ask for.
func Local(t testing.TB, s *Server) string {
	t.Helper()
	return s.Room.Local(t)
}

// conn is one socket with its trouble.
type conn struct {
	sockettest.Link
	s    *Server
	in   chan frame    // closed when the peer is gone
	gone chan struct{} // closed when the server is done
	kept []frame       // that came while something was rendered
}

type frame struct {
	binary bool
	data   []byte
}

// upgrade opens the socket and runs f until it returns.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, t Trouble, expel func(status int) any, f func(c *conn)) {
	c := &conn{Link: sockettest.Link{Trouble: t, Expel: expel}, s: s, in: make(chan frame, 4096), gone: make(chan struct{})}
	if !s.Open(w, r, &c.Link) {
		return
	}
	var wg sync.WaitGroup
	wg.Go(c.read)
	f(c)
	if c.Closed() { // what was said last must be read: a connection cut with data in it loses it
		c.Linger(2 * time.Second)
		for range c.in {
		}
	}
	close(c.gone)
	c.End()
	wg.Wait()
}

func (c *conn) read() {
	defer close(c.in)
	for {
		data, binary, ok := c.Read()
		if !ok {
			return
		}
		select {
		case c.in <- frame{binary: binary, data: data}:
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
		return f, !c.Dead()
	}
	f, ok := <-c.in
	return f, ok && !c.Dead()
}

// final sends what a vendor says once; in some trouble it says it twice.
func (c *conn) final(v any) {
	time.Sleep(c.s.FinalAfter)
	c.settled(v)
}

// settled is final without the time it takes.
func (c *conn) settled(v any) {
	c.Send(v)
	if c.Trouble.Kind == Repeats {
		c.Send(v)
	}
}
