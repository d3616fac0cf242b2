package line

import (
	"net"
	"net/netip"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/stretchr/testify/require"

	"flametree/actors"
	ours "flametree/media/srtp"
)

// identified is a phone whose packets carry an identifier of their key.
type identified struct {
	*net.UDPConn
	out, in *srtp.Context
	seq     uint16
}

func newIdentified(t *testing.T, key, theirs []byte, mki []byte) *identified {
	t.Helper()
	context := func(key []byte, o ...srtp.ContextOption) *srtp.Context {
		c, err := srtp.CreateContext(key[:16], key[16:], srtp.ProtectionProfileAes128CmHmacSha1_80, o...)
		require.NoError(t, err)
		return c
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &identified{UDPConn: conn, out: context(key, srtp.MasterKeyIndicator(mki)), in: context(theirs)}
}

func (p *identified) send(t *testing.T, to netip.AddrPort) {
	t.Helper()
	p.seq++
	plain, err := (&pionrtp.Packet{
		Header:  pionrtp.Header{Version: 2, SequenceNumber: p.seq, Timestamp: 160 * uint32(p.seq), SSRC: 7},
		Payload: make([]byte, 160),
	}).Marshal()
	require.NoError(t, err)
	sealed, err := p.out.EncryptRTP(nil, plain, nil)
	require.NoError(t, err)
	_, err = p.WriteToUDPAddrPort(sealed, to)
	require.NoError(t, err)
}

// What a peer's key is called stands in each of its packets and in none of ours.
// Packets under another name are not the peer's.
func TestAPeersKeyMayHaveAnIdentifier(t *testing.T) {
	s := sdesOf(ours.AES128CM80, 'a', 'b')
	s.PeerMKI = []byte{0, 0, 0, 9}
	p := call(s)
	phone := newIdentified(t, s.PeerKey, s.OurKey, s.PeerMKI)
	stranger := newIdentified(t, s.PeerKey, s.OurKey, []byte{0, 0, 0, 8})
	p.Remote = phone.LocalAddr().(*net.UDPAddr).AddrPort()
	m := opened(t, maker(t), p)
	m.Leg().Start(func(actors.Fact) {})
	to := netip.AddrPortFrom(p.Local, uint16(m.Port()))
	stranger.send(t, to)
	for range 200 {
		phone.send(t, to)
		if m.conn.Stats().Received > 3 {
			break
		}
		require.NoError(t, phone.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		_, _, _ = phone.ReadFromUDPAddrPort(make([]byte, 2000)) // the way to wait for ours
	}
	stats := m.conn.Stats()
	require.Greater(t, stats.Received, uint64(3))
	require.EqualValues(t, 1, stats.Refused, "the stranger's")

	require.NoError(t, phone.SetReadDeadline(time.Now().Add(5*time.Second)))
	b := make([]byte, 2000)
	for {
		n, err := phone.Read(b)
		require.NoError(t, err)
		if b[1]&0x7f >= 64 { // a report
			continue
		}
		_, err = phone.in.DecryptRTP(nil, b[:n], nil)
		require.NoError(t, err, "ours carry no identifier")
		return
	}
}
