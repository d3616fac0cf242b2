// Package sockettest is what the local servers of vendors share that are spoken
// to over sockets: the door with its key, the troubles, the notes of what was
// refused, and a socket that has its trouble. It knows no vendor's messages;
// those are in package speechtest and package duplextest.
package sockettest

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

	"github.com/gorilla/websocket"
)

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
	Silent         // nothing comes any more after Seed messages
	BadJSON        // a message is no JSON after Seed ones
	Huge           // a message is larger than anybody should take
	Expelled       // the vendor's own 401 in the middle
	Throttled      // the vendor's own 429 in the middle
	Own            // the first that a package of vendors makes itself
)

// Trouble is what happens; Seed chooses where.
type Trouble struct {
	Kind Kind
	Seed int
}

// Room is one vendor's place: its door and what was noted there. Its methods may
// be called from any goroutine.
type Room struct {
	// Mux is where the vendor's addresses are.
	Mux *http.ServeMux

	key string

	mu       sync.Mutex
	troubles []Trouble
	refused  []string
	opened   int
	asked    []url.Values
	sockets  map[*websocket.Conn]bool
	serving  sync.WaitGroup
}

// NewRoom makes a room whose complaints quote a key, as vendors' do; it must not
// come out of a connector.
func NewRoom(key string) *Room {
	return &Room{Mux: http.NewServeMux(), key: key, sockets: map[*websocket.Conn]bool{}}
}

// Handler serves the room where the test has a server of its own.
func (r *Room) Handler() http.Handler { return r.Mux }

// Local serves the room on loopback until the test ends, and fails the test if
// anything was refused that the test did not ask for.
func (r *Room) Local(t testing.TB) string {
	t.Helper()
	h := httptest.NewServer(r.Mux)
	t.Cleanup(func() {
		r.Drop()
		h.CloseClientConnections()
		h.Close()
		r.serving.Wait()
		for _, text := range r.Refused() {
			t.Errorf("the vendor refused: %s", text)
		}
	})
	return h.URL
}

// Drop cuts every socket that is open.
func (r *Room) Drop() {
	r.Note(func() {
		for c := range r.sockets {
			_ = c.UnderlyingConn().Close()
		}
	})
}

// Trouble adds troubles for the next sockets or requests; after them all is well.
func (r *Room) Trouble(t ...Trouble) { r.Note(func() { r.troubles = append(r.troubles, t...) }) }

// Opened is how many sockets and requests there were, refused ones too.
func (r *Room) Opened() (n int) {
	r.Note(func() { n = r.opened })
	return n
}

// Query are the parameters of the last socket or request.
func (r *Room) Query() (q url.Values) {
	r.Note(func() {
		if n := len(r.asked); n > 0 {
			q = r.asked[n-1]
		}
	})
	return q
}

// Refused tells what was wrong with requests and messages.
func (r *Room) Refused() (all []string) {
	r.Note(func() { all = slices.Clone(r.refused) })
	return all
}

// Refuse notes what a vendor would not take, and gives it back as text.
func (r *Room) Refuse(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	r.Note(func() { r.refused = append(r.refused, text) })
	return text
}

// Note runs f while nobody else notes anything. f calls no method of the room.
func (r *Room) Note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// Enter takes the trouble of a request and checks what every vendor checks: its
// key, in a header, and its parameters, of which those that are true must be
// there. It reports false after it has answered.
func (r *Room) Enter(w http.ResponseWriter, q *http.Request, header, value string, params map[string]bool) (Trouble, bool) {
	var t Trouble
	r.Note(func() {
		r.opened++
		r.asked = append(r.asked, q.URL.Query())
		if len(r.troubles) > 0 {
			t, r.troubles = r.troubles[0], r.troubles[1:]
		}
	})
	status := 0
	switch {
	case t.Kind == Refuse || q.Header.Get(header) != value:
		status = http.StatusUnauthorized
	case t.Kind == TooMany:
		w.Header().Set("Retry-After", "7")
		status = http.StatusTooManyRequests
	case t.Kind == Down:
		status = http.StatusServiceUnavailable
	}
	if status != 0 {
		http.Error(w, `{"error":{"message":"no, `+r.key+`","code":"`+r.key+`"}}`, status)
		return t, false
	}
	if text := wrongParams(q.URL.Query(), params); text != "" {
		http.Error(w, r.Refuse("%s", text), http.StatusBadRequest)
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

// Strict reads JSON and wants to know every field.
func Strict(data []byte, into any) error {
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
