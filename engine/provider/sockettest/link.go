package sockettest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Link is one open socket with its trouble. One goroutine reads; the other
// methods may be called from any.
type Link struct {
	Trouble Trouble
	Binary  bool                 // JSON goes out in binary messages
	Expel   func(status int) any // the vendor's own refusal

	room *Room
	ws   *websocket.Conn

	mu     sync.Mutex
	sent   int
	dead   bool
	closed bool // by a close frame
}

// Open makes a socket of a request; false = it is none, and that was answered.
// Whoever opens it gives it back with End.
func (r *Room) Open(w http.ResponseWriter, q *http.Request, l *Link) bool {
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := u.Upgrade(w, q, nil)
	if err != nil {
		return false
	}
	l.room, l.ws = r, ws
	r.serving.Add(1)
	r.Note(func() { r.sockets[ws] = true })
	return true
}

// End closes the socket.
func (l *Link) End() {
	l.room.Note(func() { delete(l.room.sockets, l.ws) })
	_ = l.ws.Close()
	l.room.serving.Done()
}

// Read waits for the next message; false = the peer is gone.
func (l *Link) Read() (data []byte, binary, ok bool) {
	kind, data, err := l.ws.ReadMessage()
	return data, kind == websocket.BinaryMessage, err == nil
}

// Linger bounds how long the peer is read from now on.
func (l *Link) Linger(most time.Duration) { _ = l.ws.SetReadDeadline(time.Now().Add(most)) }

// Refuse ends a socket on which something wrong was said.
func (l *Link) Refuse(format string, args ...any) {
	l.room.Refuse(format, args...)
	l.Close(websocket.ClosePolicyViolation)
}

// Close says that the socket ends; nothing is sent any more.
func (l *Link) Close(code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close(code)
}

// close is Close with the mutex held.
func (l *Link) close(code int) {
	_ = l.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, "said "+l.room.key), time.Now().Add(time.Second))
	l.dead, l.closed = true, true
}

// Leave has nothing sent any more.
func (l *Link) Leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
}

// Dead reports whether nothing is sent any more.
func (l *Link) Dead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// Closed reports whether the socket was ended by a close frame of ours.
func (l *Link) Closed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Send sends v as JSON, a []byte as it is in a binary message, a string as text,
// or the trouble that is due.
func (l *Link) Send(v any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead || l.troubled() {
		return
	}
	l.sent++
	l.write(v)
}

func (l *Link) write(v any) {
	kind, data := websocket.TextMessage, []byte(nil)
	switch v := v.(type) {
	case []byte:
		kind, data = websocket.BinaryMessage, v
	case string:
		data = []byte(v)
	default:
		data, _ = json.Marshal(v) // our own values
		if l.Binary {
			kind = websocket.BinaryMessage
		}
	}
	if l.ws.WriteMessage(kind, data) != nil {
		l.dead = true
	}
}

// troubled makes the trouble that is due before the next message.
func (l *Link) troubled() bool {
	if l.Trouble.Kind == Drips {
		time.Sleep(2 * time.Millisecond) // the vendor is slow, not the test
		return false
	}
	if l.sent < l.Trouble.Seed {
		return false
	}
	switch l.Trouble.Kind {
	case Dies:
		_ = l.ws.UnderlyingConn().Close()
		l.dead = true
	case HangsUp:
		l.close(websocket.CloseNormalClosure)
	case Silent:
	case BadJSON:
		_ = l.ws.WriteMessage(websocket.TextMessage, []byte(`{"type": "`+l.room.key))
	case Huge:
		_ = l.ws.WriteMessage(websocket.TextMessage, bytes.Repeat([]byte(" "), 6<<20))
	case Expelled, Throttled:
		l.write(l.Expel(map[Kind]int{Expelled: 401, Throttled: 429}[l.Trouble.Kind]))
		l.close(websocket.ClosePolicyViolation)
	default:
		return false
	}
	return true
}
