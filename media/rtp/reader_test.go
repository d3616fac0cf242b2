package rtp

import (
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pool is NewPool; below TestWatchedSocketsDoTheSame a Reader reads its sockets.
func pool(t testing.TB, low, high int) (*Pool, error) {
	t.Helper()
	p, err := NewPool(low, high)
	if err == nil && strings.HasPrefix(t.Name(), "TestWatchedSocketsDoTheSame/") {
		p.Use(reader(t, ReaderOptions{Threads: 2, Hold: strings.Contains(t.Name(), "/hold/")}))
	}
	return p, err
}

func reader(t testing.TB, o ReaderOptions) *Reader {
	t.Helper()
	r, err := NewReader(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// watchedPool has its sockets read by a Reader.
func watchedPool(t *testing.T, o ReaderOptions) *Pool {
	t.Helper()
	p, err := NewPool(0, 0)
	require.NoError(t, err)
	p.Use(reader(t, o))
	return p
}

// farEnd is a socket at the other end.
func farEnd(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestWatchedSocketsDoTheSame: whatever holds for sockets with goroutines of
// their own holds for those of a Reader.
func TestWatchedSocketsDoTheSame(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + 2)
	defer runtime.GOMAXPROCS(before)
	tests := map[string]func(*testing.T){
		"talk": TestTwoConnsTalk, "strangers": TestStrangersAndNonsenseAreRefusedAndCounted,
		"reports": TestReportsCross, "range": TestPortsComeInPairsFromTheRange, "no address": TestNoAddressNoPacket,
		"first packet": TestThePeersFirstPacketShowsWhereItIs, "memory": TestPacketsCostNoMemory,
		"sealed":    TestASealedCallTalks,
		"authentic": TestOnlyAuthenticPacketsReachAnybody, "rough road": TestASealedCallGoesOverARoughRoad,
		"sealed memory": TestSealedPacketsCostNoMemory, "handshake": TestNothingPlainIsSentBeforeTheHandshakeIsOver,
		"end in the handshake": TestACallMayEndInItsHandshake, "keep-alive": TestASilentCallKeepsItsNATOpen,
		"tap": TestATapSeesEverythingAndCostsNothingWhenOff, "no bytes": TestAKeepAliveOfNoBytesIsNotHeldAgainstThePeer,
		"IPv6": TestIPv6,
	}
	for _, mode := range []string{"hold", "yield"} {
		t.Run(mode, func(t *testing.T) {
			for name, test := range tests {
				// Allocations are counted with one processor, which would be held.
				if mode == "hold" && !slices.Contains([]string{"talk", "strangers", "sealed", "first packet", "tap"}, name) {
					continue
				}
				t.Run(name, test)
			}
		})
	}
}

// TestManyCallsAreReadByOneThread: nothing is lost, nothing is mixed up, and no
// goroutine is made for a call.
func TestManyCallsAreReadByOneThread(t *testing.T) {
	const calls, packets = 50, 100
	ports := watchedPool(t, ReaderOptions{})
	before := runtime.NumGoroutine()
	var heard [calls]atomic.Int64
	var all []*Conn
	for i := range calls {
		c, err := ports.Open(loopback)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		c.Expect(0, 0)
		c.Start(func(p *Packet) {
			if int(p.Payload[0]) == i {
				heard[i].Add(1)
			}
		})
		all = append(all, c)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before+calls/10, "as many as before, about")
	phone := farEnd(t)
	for n := range packets {
		for i, c := range all {
			_, err := phone.WriteToUDPAddrPort(raw(t, 0, uint16(n), string([]byte{byte(i)})), c.Local())
			require.NoError(t, err)
		}
		time.Sleep(200 * time.Microsecond) // or the sockets overflow, which is no fault of the reader
	}
	for i := range heard {
		require.Eventually(t, func() bool { return heard[i].Load() == packets }, 5*time.Second, time.Millisecond, "call %d: %d", i, heard[i].Load())
	}
}

// TestAFloodOfOneDoesNotHoldUpTheOthers: who gets more than there is room for
// waits for its next turn.
func TestAFloodOfOneDoesNotHoldUpTheOthers(t *testing.T) {
	ports := watchedPool(t, ReaderOptions{})
	var mu sync.Mutex
	var order []byte
	begin := make(chan struct{})
	conn := func(name byte) *Conn {
		c, err := ports.Open(loopback)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		c.Expect(0, 0)
		c.Start(func(*Packet) {
			<-begin // until everything is there
			mu.Lock()
			defer mu.Unlock()
			order = append(order, name)
		})
		return c
	}
	phone := farEnd(t)
	flooded, calm := conn('f'), conn('c')
	const flood = 10 * most
	for n := range flood {
		_, err := phone.WriteToUDPAddrPort(raw(t, 0, uint16(n), "x"), flooded.Local())
		require.NoError(t, err)
	}
	_, err := phone.WriteToUDPAddrPort(raw(t, 0, 0, "x"), calm.Local())
	require.NoError(t, err)
	close(begin)
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(order) == flood+1 }, 5*time.Second, time.Millisecond)
	require.LessOrEqual(t, slices.Index(order, 'c'), 2*most, "the calm call waits for two turns at most")
}

// TestACallCanEndWhileItIsRead: packets on their way hold no end up.
func TestACallCanEndWhileItIsRead(t *testing.T) {
	ports := watchedPool(t, ReaderOptions{})
	phone := farEnd(t)
	for n := range 200 {
		c, err := ports.Open(loopback)
		require.NoError(t, err)
		c.Expect(0, 0)
		c.Start(func(*Packet) {})
		for range n % 5 {
			_, err := phone.WriteToUDPAddrPort(raw(t, 0, uint16(n), "x"), c.Local())
			require.NoError(t, err)
		}
		require.NoError(t, c.Close())
	}
}

// TestAHeldProcessorDoesNotHoldTheCollectorUp: a thread that sleeps in the kernel
// with its processor is woken when the world is to be stopped.
func TestAHeldProcessorDoesNotHoldTheCollectorUp(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + 1)
	defer runtime.GOMAXPROCS(before)
	ports := watchedPool(t, ReaderOptions{Hold: true})
	c, err := ports.Open(loopback)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	c.Start(func(*Packet) {}) // nothing comes: it sleeps for idle at a time
	begun := time.Now()
	for range 20 {
		runtime.GC()
	}
	took := time.Since(begun) / 20
	t.Logf("figure: a collection beside a held processor takes %v", took)
	require.Less(t, took, idle, "it waits for the end of the thread's sleep")
}

// TestAnEndWaitsForTheHandler: who closes a Conn may free what the handler uses.
func TestAnEndWaitsForTheHandler(t *testing.T) {
	ports := watchedPool(t, ReaderOptions{})
	c, err := ports.Open(loopback)
	require.NoError(t, err)
	c.Expect(0, 0)
	entered, leave, closed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	c.Start(func(*Packet) { close(entered); <-leave })
	phone := farEnd(t)
	_, err = phone.WriteToUDPAddrPort(raw(t, 0, 1, "x"), c.Local())
	require.NoError(t, err)
	<-entered
	go func() { closed <- c.Close() }()
	select {
	case <-closed:
		t.Error("closed while the handler runs")
		closed <- nil
	case <-time.After(50 * time.Millisecond):
	}
	close(leave)
	require.NoError(t, <-closed)
}

// TestAClosedSocketSendsNothing: its number may be somebody else's by now.
func TestAClosedSocketSendsNothing(t *testing.T) {
	ports := watchedPool(t, ReaderOptions{})
	phone := farEnd(t)
	c, err := ports.Open(loopback)
	require.NoError(t, err)
	c.SetRemote(phone.LocalAddr().(*net.UDPAddr).AddrPort())
	c.Start(func(*Packet) {})
	require.NoError(t, c.Close())
	others := make([]*net.UDPConn, 20)
	for i := range others {
		others[i], err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
		require.NoError(t, err)
		defer func() { _ = others[i].Close() }()
	}
	before := c.Stats().Sent
	c.Write(time.Now(), Head{}, []byte("x"))
	require.Equal(t, before, c.Stats().Sent)
}
