package webrtc

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDatagramsComeThroughTogetherAndWhole: in order, each with its sender, short
// ones behind long ones, also when more come than are read at once.
func TestDatagramsComeThroughTogetherAndWhole(t *testing.T) {
	for network, address := range map[string]string{"udp4": "127.0.0.1", "udp": "::1"} {
		t.Run(address, func(t *testing.T) { together(t, network, netip.MustParseAddr(address)) })
	}
}

func together(t *testing.T, network string, loopback netip.Addr) {
	t.Helper()
	open := func() *net.UDPConn {
		c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	port := open()
	g := gathered(port)
	to := port.LocalAddr().(*net.UDPAddr).AddrPort()
	phones := []*net.UDPConn{open(), open()}
	const each = 3 * batch
	for n := range each {
		for i, p := range phones {
			_, err := p.WriteToUDPAddrPort(append(binary.BigEndian.AppendUint16(nil, uint16(n)), make([]byte, n*(1+i))...), to)
			require.NoError(t, err)
		}
	}
	seen := map[netip.AddrPort]int{}
	b := make([]byte, mtu)
	for range each * len(phones) {
		n, from, err := g.ReadFromAddrPort(b)
		require.NoError(t, err)
		require.EqualValues(t, seen[from], binary.BigEndian.Uint16(b))
		i := 0
		if from == phones[1].LocalAddr().(*net.UDPAddr).AddrPort() {
			i = 1
		}
		require.Equal(t, 2+seen[from]*(1+i), n)
		seen[from]++
	}
	_, err := g.WriteToAddrPort([]byte("back"), phones[0].LocalAddr().(*net.UDPAddr).AddrPort())
	require.NoError(t, err)
	n, from, err := phones[0].ReadFromUDPAddrPort(b)
	require.NoError(t, err)
	require.Equal(t, "back", string(b[:n]))
	require.Equal(t, to, from)
	require.NoError(t, port.Close())
	_, _, err = g.ReadFromAddrPort(b)
	require.ErrorIs(t, err, net.ErrClosed)
}

// One port is that of all calls: the end of one costs the others nothing.
func TestACallThatEndsStopsNobodysWriting(t *testing.T) {
	local := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	port, err := net.ListenUDP("udp4", local)
	require.NoError(t, err)
	g := gathered(port)
	phone, err := net.ListenUDP("udp4", local)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, phone.Close()); require.NoError(t, port.Close()) })
	require.NoError(t, g.SetWriteDeadline(time.Now().Add(-time.Second))) // as pion does then
	for range 3 {
		_, err = g.WriteToAddrPort([]byte("sound"), phone.LocalAddr().(*net.UDPAddr).AddrPort())
		require.NoError(t, err)
	}
	b := make([]byte, mtu)
	for range 3 {
		n, _, err := phone.ReadFromUDPAddrPort(b)
		require.NoError(t, err)
		require.Equal(t, "sound", string(b[:n]))
	}
	require.NoError(t, g.SetDeadline(time.Now().Add(-time.Second)))
	_, _, err = g.ReadFromAddrPort(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "who waits for a datagram can be stopped")
}
