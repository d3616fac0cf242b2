package sip_test

import (
	"bufio"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// streamOffice is a registrar over TCP that takes every REGISTER and answers
// keep-alives.
type streamOffice struct {
	listener         net.Listener
	registers, pings atomic.Int32
	work             sync.WaitGroup

	mu    sync.Mutex // guards conns
	conns []net.Conn
}

func newStreamOffice(t *testing.T) *streamOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o := &streamOffice{listener: l}
	o.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.conns = append(o.conns, conn)
			o.mu.Unlock()
			o.work.Go(func() { o.serve(conn) })
		}
	})
	t.Cleanup(func() { o.end(); o.work.Wait() })
	return o
}

func (o *streamOffice) port() uint16 {
	return netip.MustParseAddrPort(o.listener.Addr().String()).Port()
}

// end closes the listener and every connection.
func (o *streamOffice) end() {
	_ = o.listener.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.conns {
		_ = c.Close()
	}
}

func (o *streamOffice) serve(conn net.Conn) {
	lines := bufio.NewReader(conn)
	var text strings.Builder
	empty := 0
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if line != "\r\n" {
			text.WriteString(line)
			continue
		}
		if text.Len() == 0 {
			if empty++; empty == 2 {
				empty = 0
				o.pings.Add(1)
				_, _ = conn.Write([]byte("\r\n"))
			}
			continue
		}
		req := text.String()
		text.Reset()
		o.registers.Add(1)
		answer := "SIP/2.0 200 OK\r\n"
		for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq", "Expires"} {
			answer += name + ": " + value(req, name) + "\r\n"
		}
		_, _ = conn.Write([]byte(answer + "Contact: " + value(req, "Contact") + "\r\nContent-Length: 0\r\n\r\n"))
	}
}
