package sip_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// handset is a phone on a real UDP socket, driven by the test.
type handset struct {
	t    *testing.T
	conn *net.UDPConn
}

func newPhone(t *testing.T, at netip.AddrPort) *handset {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &handset{t: t, conn: conn}
}

func (h *handset) addr() string { return h.conn.LocalAddr().String() }

func (h *handset) send(text string) {
	h.t.Helper()
	_, err := h.conn.Write([]byte(text))
	require.NoError(h.t, err)
}

// hear gives the next message.
func (h *handset) hear() string {
	h.t.Helper()
	require.NoError(h.t, h.conn.SetReadDeadline(time.Now().Add(3*time.Second)))
	buf := make([]byte, 64<<10)
	n, err := h.conn.Read(buf)
	require.NoError(h.t, err)
	return string(buf[:n])
}

func (h *handset) ask(text string) string {
	h.t.Helper()
	h.send(text)
	return h.hear()
}

// listen opens a TCP listener of a proxy or phone.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}
