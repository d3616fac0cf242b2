package ws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"flametree/engine/fault"
)

// Close codes of our own (contracts.md 6) and those of RFC 6455 we use.
const (
	CloseNormal      = websocket.CloseNormalClosure
	CloseUnsupported = websocket.CloseUnsupportedData
	CloseRestart     = websocket.CloseServiceRestart
	CloseSlow        = websocket.CloseTryAgainLater
	CloseBug         = websocket.CloseInternalServerErr
	CloseDenied      = 4401
	CloseNotFound    = 4404
	CloseExhausted   = 4429
	CloseUnavailable = 4503
)

// goodbye is how long a peer may take to take our close and answer it.
const goodbye = 2 * time.Second

// lingering is how many bytes of a refused peer are thrown away to let it hear why.
const lingering = 1 << 20

// Conn is a text connection. Read is for one goroutine; Write and Close may be
// called from any.
type Conn struct {
	sock   *websocket.Conn
	limits Limits
	queue  chan outgoing
	gone   chan struct{} // closed when the connection is lost: nothing more can be read or written
	lost   sync.Once

	left    bool // the peer closed it, as one does that goes; for who reads
	once    sync.Once
	closing chan struct{} // closed when Close was called
	code    int           // set before closing is closed
	reason  string
	flush   bool // write what is queued before the close
}

// outgoing is a frame that waits to be written.
type outgoing struct {
	kind int // of websocket
	b    []byte
}

func newConn(sock *websocket.Conn, l Limits) *Conn {
	c := &Conn{
		sock: sock, limits: l, queue: make(chan outgoing, l.Queue),
		gone: make(chan struct{}), closing: make(chan struct{}),
	}
	sock.SetReadLimit(l.Message)
	c.alive()
	sock.SetPongHandler(func(string) error { c.alive(); return nil })
	ping := sock.PingHandler()
	sock.SetPingHandler(func(s string) error { c.alive(); return ping(s) })
	return c
}

// alive moves the read deadline: two beats without a sign are the end.
func (c *Conn) alive() {
	select {
	case <-c.closing: // the deadline of the goodbye stands
	default:
		_ = c.sock.SetReadDeadline(time.Now().Add(2*c.limits.Beat + c.limits.Beat/2))
	}
}

// Read waits for the next text frame. It fails with fault.Cancelled once the
// connection is closed by either side or lost.
func (c *Conn) Read() ([]byte, error) {
	for {
		kind, b, err := c.sock.ReadMessage()
		if err != nil {
			c.left = !c.isClosing() && websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived)
			c.lose()
			return nil, fmt.Errorf("read socket: %w: %w", fault.Cancelled, err)
		}
		c.alive()
		select {
		case <-c.closing: // said goodbye: what comes now is not taken
			continue
		default:
		}
		if kind == websocket.TextMessage {
			return b, nil
		}
		c.Close(CloseUnsupported, "text frames only")
	}
}

// parted reports whether the peer closed the connection of its own accord. It is
// for the goroutine that reads.
func (c *Conn) parted() bool { return c.left }

func (c *Conn) isClosing() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

// Write queues a text frame, which must not change afterwards. When the peer
// does not take what it is sent and the queue is full, the connection is closed
// with 1013 and the error is fault.Exhausted: what is missed can be resumed.
func (c *Conn) Write(text []byte) error { return c.put(outgoing{websocket.TextMessage, text}, 0) }

// WriteBinary is Write for a frame that is no text.
func (c *Conn) WriteBinary(b []byte) error { return c.put(outgoing{websocket.BinaryMessage, b}, 0) }

// Push is Write for a source that can wait, such as a history being replayed:
// it gives the peer the time of Limits.Patience to make room.
func (c *Conn) Push(text []byte) error {
	return c.put(outgoing{websocket.TextMessage, text}, c.limits.Patience)
}

func (c *Conn) put(text outgoing, patience time.Duration) error {
	select {
	case <-c.closing:
		return fmt.Errorf("write socket: closed: %w", fault.Cancelled)
	case <-c.gone:
		return fmt.Errorf("write socket: lost: %w", fault.Cancelled)
	default:
	}
	select {
	case c.queue <- text:
		return nil
	default:
	}
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case c.queue <- text:
			return nil
		case <-c.closing:
		case <-c.gone:
		case <-timer.C:
		}
	}
	c.close(CloseSlow, "too slow", false)
	return fmt.Errorf("write socket: the peer is too slow: %w", fault.Exhausted)
}

// Close ends the connection with a code and a reason of at most 123 bytes,
// after what is queued. Only the first call counts. It does not wait.
func (c *Conn) Close(code int, reason string) { c.close(code, reason, true) }

func (c *Conn) close(code int, reason string, flush bool) {
	c.once.Do(func() {
		c.code, c.reason, c.flush = code, reason[:min(len(reason), 123)], flush
		close(c.closing)
	})
}

// Gone is closed when the connection is lost or has been closed to its end.
func (c *Conn) Gone() <-chan struct{} { return c.gone }

func (c *Conn) lose() { c.lost.Do(func() { close(c.gone) }) }

// write is the one writer. It ends when the connection is closed or lost.
func (c *Conn) write() {
	tick := time.NewTicker(c.limits.Beat)
	defer tick.Stop()
	for {
		var err error
		select {
		case o := <-c.queue:
			err = c.send(o)
		case <-tick.C:
			err = c.sock.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.limits.Beat))
		case <-c.closing:
			c.sayGoodbye()
			return
		case <-c.gone:
			return
		}
		if err != nil {
			c.lose()
			_ = c.sock.Close() // wakes the reader
			return
		}
	}
}

func (c *Conn) send(o outgoing) error {
	// A peer that takes nothing for a beat is lost; until then the queue waits.
	if err := c.sock.SetWriteDeadline(time.Now().Add(c.limits.Beat)); err != nil {
		return err
	}
	return c.sock.WriteMessage(o.kind, o.b)
}

func (c *Conn) sayGoodbye() {
	until := time.Now().Add(goodbye)
	_ = c.sock.SetWriteDeadline(until)
	for c.flush {
		select {
		case o := <-c.queue:
			if c.sock.WriteMessage(o.kind, o.b) != nil {
				c.flush = false
			}
		default:
			c.flush = false
		}
	}
	_ = c.sock.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(c.code, c.reason), until)
	_ = c.sock.SetReadDeadline(until) // the reader waits for the answer no longer than that
}

// finish ends the connection after its server returned: it says goodbye, waits
// for the peer's, and leaves nothing running.
func (c *Conn) finish(writer *sync.WaitGroup) {
	c.Close(CloseNormal, "")
	writer.Wait()
	_ = c.sock.SetReadDeadline(time.Now().Add(goodbye))
	for {
		_, _, err := c.sock.NextReader()
		if err == nil {
			continue
		}
		if _, ok := errors.AsType[*websocket.CloseError](err); !ok {
			// What is left unread, such as the rest of a frame too large, would turn
			// our close into a reset.
			_, _ = io.CopyN(io.Discard, c.sock.NetConn(), lingering)
		}
		break
	}
	c.lose()
	_ = c.sock.Close()
}

// follow ends a context with the connection.
func (c *Conn) follow(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-c.gone:
		case <-c.closing:
		case <-stop:
		}
		cancel()
	})
	return ctx, func() {
		close(stop)
		wg.Wait()
	}
}

// cut ends the connection at once.
func (c *Conn) cut() {
	c.lose()
	_ = c.sock.Close()
}
