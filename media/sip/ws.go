package sip

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"

	"flametree/engine/fault"
	"flametree/media/sip/guard"
)

const (
	wsHandshakeMost = 16 << 10         // bytes of an upgrade request
	wsPingEvery     = 30 * time.Second // an idle peer that is alive answers (RFC 7118 6)
	wsSilence       = 75 * time.Second // two pings without an answer
)

// handshake is one upgrade request on its own connection, as gorilla wants it.
// An HTTP server would bring goroutines and limits of its own.
type handshake struct {
	conn   net.Conn
	rw     *bufio.ReadWriter
	header http.Header
	wrote  bool
}

func (h *handshake) Header() http.Header { return h.header }

func (h *handshake) WriteHeader(status int) {
	h.wrote = true
	_, _ = fmt.Fprintf(h.rw, "HTTP/1.1 %d %s\r\nConnection: close\r\n", status, http.StatusText(status))
	_ = h.header.Write(h.rw)
	_, _ = h.rw.WriteString("\r\n")
}

func (h *handshake) Write(b []byte) (int, error) {
	if !h.wrote {
		h.WriteHeader(http.StatusOK)
	}
	return h.rw.Write(b)
}

// Hijack implements http.Hijacker.
func (h *handshake) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h.conn, h.rw, nil }

// upgrade answers the HTTP request of a WebSocket client (RFC 7118 4). Any path
// and origin will do: callers are known by digest, never by a cookie.
func upgrade(conn net.Conn) (*websocket.Conn, error) {
	in := bufio.NewReader(io.LimitReader(conn, wsHandshakeMost))
	req, err := http.ReadRequest(in)
	if err != nil {
		return nil, fmt.Errorf("read upgrade: %w: %w", err, fault.Invalid)
	}
	h := &handshake{conn: conn, rw: bufio.NewReadWriter(in, bufio.NewWriter(conn)), header: make(http.Header)}
	defer func() { _ = h.rw.Flush() }()
	if !offersSIP(req) {
		http.Error(h, "websocket subprotocol sip is required (RFC 7118)", http.StatusBadRequest)
		return nil, fmt.Errorf("websocket without subprotocol sip: %w", fault.Invalid)
	}
	up := websocket.Upgrader{
		ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10, Subprotocols: []string{"sip"},
		CheckOrigin: func(*http.Request) bool { return true },
	}
	ws, err := up.Upgrade(h, req, nil)
	if err != nil {
		return nil, fmt.Errorf("upgrade: %w: %w", err, fault.Invalid)
	}
	return ws, nil
}

func offersSIP(req *http.Request) bool {
	return slices.Contains(websocket.Subprotocols(req), "sip")
}

// dialWS connects to a SIP server over WebSocket, over conn when TLS was spoken
// on it already.
func dialWS(ctx context.Context, conn net.Conn, host string) (*websocket.Conn, error) {
	d := websocket.Dialer{
		NetDialContext:   func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		HandshakeTimeout: tcpDialWait, Subprotocols: []string{"sip"}, ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10,
	}
	ws, res, err := d.DialContext(ctx, "ws://"+host+"/", nil)
	if res != nil && res.Body != nil {
		_ = res.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	if ws.Subprotocol() != "sip" {
		return nil, fmt.Errorf("peer does not speak subprotocol sip: %w", fault.Unavailable)
	}
	return ws, nil
}

// pingWS asks the peer for a sign of life until over is closed.
func pingWS(ws *websocket.Conn, over <-chan struct{}) {
	pings := time.NewTicker(wsPingEvery)
	defer pings.Stop()
	for {
		select {
		case <-pings.C:
			_ = ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(tcpWriteWait))
		case <-over:
			return
		}
	}
}

// readWS dispatches the messages of one WebSocket, each a SIP message of its own
// (RFC 7118 5), until it ends. Pings tell a peer that is gone from one that is
// silent.
func (e *Endpoint) readWS(ctx context.Context, t *stream) {
	ws := t.ws
	ws.SetReadLimit(guard.MaxMessage)
	extend := func() { t.heard(); _ = ws.SetReadDeadline(time.Now().Add(wsSilence)) }
	ws.SetPongHandler(func(string) error { extend(); return nil })
	over := make(chan struct{})
	defer close(over)
	if !e.start(func() { pingWS(ws, over) }) {
		return
	}
	extend()
	for {
		kind, text, err := ws.ReadMessage()
		if err != nil {
			var closed *websocket.CloseError
			if !errors.As(err, &closed) && errors.Is(err, websocket.ErrReadLimit) {
				e.stats.dropped.Add(1)
			}
			return
		}
		extend()
		switch {
		case kind != websocket.TextMessage && kind != websocket.BinaryMessage:
		case len(bytes.Trim(text, "\r\n\x00")) == 0:
			if bytes.Equal(text, []byte("\r\n\r\n")) && t.raw([]byte("\r\n"), t.remote) != nil {
				return
			}
		default:
			if !e.let(t, text) {
				continue
			}
			e.receive(ctx, t, text)
		}
	}
}
