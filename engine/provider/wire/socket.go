package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"flametree/engine/fault"
)

// The bounds of a Socket.
const (
	handshakeIn = 5 * time.Second
	sendIn      = 5 * time.Second
)

// Dialer opens a connection as net.Dialer.DialContext does.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Frame is one message of a socket (RFC 6455, 5.6). Whoever it was given to
// owns Data.
type Frame struct {
	Binary bool
	Data   []byte
}

// Socket is an open WebSocket. One goroutine may Send while another Reads;
// Close may be called by anybody, at any time and more than once.
type Socket struct {
	client *Client
	secret string
	conn   *websocket.Conn
}

// Connect opens a socket at the Client's address. Redirects are not followed.
// ctx bounds the opening only. What the server answers instead of a socket is a
// *Refusal.
func (c *Client) Connect(ctx context.Context, o Outgoing) (*Socket, error) {
	d, err := c.dialer()
	if err != nil {
		return nil, err
	}
	h := make(http.Header, len(c.header)+len(o.Header))
	maps.Copy(h, c.header)
	maps.Copy(h, o.Header)
	in, stop := context.WithTimeout(ctx, handshakeIn)
	defer stop()
	conn, resp, err := d.DialContext(in, "ws"+strings.TrimPrefix(c.base, "http")+o.Path, h)
	if resp != nil && resp.Body != nil {
		defer func() { _ = resp.Body.Close() }() // read only
	}
	switch {
	case errors.Is(err, websocket.ErrBadHandshake) && resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
		r := refusal(c.vendor, o.secret(c), resp, text)
		if r.Status < 300 { // it answers, but knows no socket here
			r.Kind = fault.Unavailable
		}
		return nil, r
	case err != nil:
		return nil, c.broken(in, err)
	}
	conn.SetReadLimit(MaxEvent)
	return &Socket{client: c, secret: o.secret(c), conn: conn}, nil
}

// dialer takes the way out that was given for requests, so that a guard of it
// holds for sockets too. A way out that cannot be taken is refused.
func (c *Client) dialer() (*websocket.Dialer, error) {
	d := &websocket.Dialer{HandshakeTimeout: handshakeIn, ReadBufferSize: 16 << 10, WriteBufferSize: 4 << 10}
	t, ok := c.http.Transport.(*http.Transport)
	switch {
	case c.dial != nil:
		d.NetDialContext = c.dial
		if ok {
			d.TLSClientConfig = t.TLSClientConfig
		}
	case ok:
		d.NetDialContext, d.NetDialTLSContext, d.TLSClientConfig, d.Proxy = t.DialContext, t.DialTLSContext, t.TLSClientConfig, t.Proxy
	default:
		return nil, fmt.Errorf("%s: the HTTP client given has no dialer for sockets; give Dial as well: %w", c.vendor, fault.Invalid)
	}
	if d.TLSClientConfig != nil { // HTTP/2 knows no upgrade
		d.TLSClientConfig = d.TLSClientConfig.Clone()
		d.TLSClientConfig.NextProtos = []string{"http/1.1"}
	}
	return d, nil
}

// Send sends one frame. A peer that takes nothing for 5 s is gone.
func (s *Socket) Send(f Frame) error {
	kind := websocket.TextMessage
	if f.Binary {
		kind = websocket.BinaryMessage
	}
	err := s.conn.SetWriteDeadline(time.Now().Add(sendIn))
	if err == nil {
		err = s.conn.WriteMessage(kind, f.Data)
	}
	if err != nil {
		return fmt.Errorf("%s: the socket takes nothing: %w", s.client.vendor, fault.Unavailable)
	}
	return nil
}

// Read waits for the next frame. A regular end is io.EOF, any other has a kind.
func (s *Socket) Read() (Frame, error) {
	kind, data, err := s.conn.ReadMessage()
	if err == nil {
		return Frame{Binary: kind == websocket.BinaryMessage, Data: data}, nil
	}
	closed := (*websocket.CloseError)(nil)
	switch {
	case errors.As(err, &closed) && closed.Code == websocket.CloseNormalClosure:
		return Frame{}, io.EOF
	case errors.As(err, &closed):
		return Frame{}, s.closed(closed)
	case errors.Is(err, websocket.ErrReadLimit):
		return Frame{}, fmt.Errorf("%s: a message is longer than %d bytes: %w", s.client.vendor, MaxEvent, fault.Unavailable)
	}
	return Frame{}, fmt.Errorf("%s: the socket broke: %w", s.client.vendor, fault.Unavailable)
}

// closed classifies a close code (RFC 6455, 7.4; 3000 and up are the vendors').
// The reason is left out unless it is a plain code: it may quote what was said.
func (s *Socket) closed(e *websocket.CloseError) error {
	k := fault.Unavailable
	switch e.Code {
	case websocket.CloseTryAgainLater, 4429:
		k = fault.Exhausted
	case 3000, 3003, 4001, 4003, 4401, 4403: // IANA: unauthorized, forbidden; and what vendors make of HTTP's
		k = fault.Denied
	}
	if code := identifier(e.Text, s.secret); code != "" {
		return fmt.Errorf("%s: the socket was closed with %d, code %s: %w", s.client.vendor, e.Code, code, k)
	}
	return fmt.Errorf("%s: the socket was closed with %d: %w", s.client.vendor, e.Code, k)
}

// Refused is the error for a message in which the vendor refuses something.
// status is what HTTP would have said, 0 = unknown; kind, if known, is the
// connector's own reading of the code.
func (s *Socket) Refused(status int, code string, known fault.Kind) *Refusal {
	r := &Refusal{Vendor: s.client.vendor, Status: status, Code: identifier(code, s.secret), Kind: known}
	if known == "" {
		r.Kind = kind(status, code)
	}
	return r
}

// Unreadable is the error for a message that is not what the vendor publishes.
func (s *Socket) Unreadable() error { return s.client.Unreadable() }

// Close ends the connection at once. A Read that waits returns.
func (s *Socket) Close() {
	// Best effort: it may be closed already.
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(100*time.Millisecond))
	_ = s.conn.Close()
}
