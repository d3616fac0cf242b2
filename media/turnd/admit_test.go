package turnd

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A call may last longer than the credentials it began with.
func TestCredentialsThatRanOutServeWhatIsOpen(t *testing.T) {
	s, err := Listen(Options{Address: "127.0.0.1:0", Peers: []Peer{{Shown: netip.MustParseAddrPort("127.0.0.1:9")}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	now := time.Now()
	v := s.Credentials("s1", now)
	_, ok := s.admit(v.Username, true, now)
	assert.True(t, ok)
	later := now.Add(11 * time.Minute)
	_, ok = s.admit(v.Username, false, later)
	assert.False(t, ok, "there is nothing to go on with")
	c, _, err := s.AllocatePacketConn(turn.AllocateListenerConfig{Network: "udp4", UserID: "s1"})
	require.NoError(t, err)
	session, ok := s.admit(v.Username, false, later)
	assert.True(t, ok)
	assert.Equal(t, "s1", session)
	_, ok = s.admit(v.Username, true, later)
	assert.False(t, ok, "they open nothing more")
	require.NoError(t, c.Close())
	_, ok = s.admit(v.Username, false, later)
	assert.False(t, ok, "and end with it")
}

func TestAnAllocationEndsHoweverOftenItIsRefreshed(t *testing.T) {
	s, err := Listen(Options{Address: "127.0.0.1:0", Life: time.Millisecond, Peers: []Peer{{Shown: netip.MustParseAddrPort("127.0.0.1:9")}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	c, _, err := s.AllocatePacketConn(turn.AllocateListenerConfig{Network: "udp4", UserID: "s1"})
	require.NoError(t, err)
	_, _, err = c.ReadFrom(make([]byte, 10))
	require.Error(t, err, "its reader is told")
	_ = c.Close()
	assert.Zero(t, s.Counters().Allocations)
}

func TestTheBucketHoldsTwoSeconds(t *testing.T) {
	now := time.Unix(0, 0)
	b := bucket{rate: 1000}
	b.fill(now)
	assert.True(t, b.take(now, 2000))
	assert.False(t, b.take(now, 1))
	assert.True(t, b.take(now.Add(time.Second), 1000))
	assert.False(t, b.take(now.Add(time.Second), 1))
	assert.True(t, b.take(now.Add(time.Hour), 2000))
	assert.False(t, b.take(now.Add(time.Hour), 1), "an hour's silence saves up no more")
}

func FuzzFrameSize(f *testing.F) {
	f.Add([]byte{0, 1, 0xff, 0xec})
	f.Add([]byte{0x40, 0, 0xff, 0xff})
	f.Add([]byte{0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 {
			return
		}
		n, ok := frameSize(b[:4])
		if ok && (n < 4 || n >= mostFrame) {
			t.Fatalf("a frame of %d bytes", n)
		}
	})
}
