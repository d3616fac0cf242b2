package rtp

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"flametree/engine/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddr("127.0.0.1")

func open(t testing.TB) *Conn {
	t.Helper()
	ports, err := pool(t, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ports.Open(loopback)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

type got struct {
	Packet
	payload []byte
}

// listenTo starts a Conn and hands its packets on.
func listenTo(c *Conn) <-chan got {
	out := make(chan got, 100)
	c.Start(func(p *Packet) { out <- got{*p, bytes.Clone(p.Payload)} })
	return out
}

func wait(t testing.TB, from <-chan got) got {
	t.Helper()
	select {
	case p := <-from:
		return p
	case <-time.After(2 * time.Second):
		t.Fatal("no packet came")
		return got{}
	}
}

// until polls a condition that another goroutine brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		if ok() {
			return
		}
		<-tick.C
	}
	t.Fatalf("waited in vain for %s", what)
}

func TestTwoConnsTalk(t *testing.T) {
	a, b := open(t), open(t)
	a.Expect(0, 101)
	b.Expect(0, 101)
	a.SetRemote(b.Local())
	b.SetRemote(a.Local())
	heard := listenTo(b)
	listenTo(a)
	before := time.Now()
	for n := range 5 {
		if !a.Write(time.Now(), Head{Marker: n == 0, Timestamp: uint32(n) * 160}, bytes.Repeat([]byte{byte(n)}, 160)) {
			t.Fatal("no address to send to")
		}
	}
	first := wait(t, heard)
	for n := 1; n < 5; n++ {
		p := wait(t, heard)
		if p.Sequence != first.Sequence+uint16(n) || p.Timestamp != first.Timestamp+uint32(n)*160 || p.SSRC != first.SSRC || p.Marker {
			t.Errorf("packet %d: %+v after %+v", n, p.Packet, first.Packet)
		}
		if len(p.payload) != 160 || p.payload[0] != byte(n) {
			t.Errorf("packet %d carries %d bytes of %d", n, len(p.payload), p.payload[0])
		}
		if p.At.Before(before.Add(-time.Millisecond)) || p.At.After(time.Now()) {
			t.Errorf("packet %d arrived %v after the test began", n, p.At.Sub(before))
		}
	}
	if !first.Marker {
		t.Error("the marker was lost")
	}
	if s := b.Stats(); s.Received != 5 || s.Lost != 0 || s.Refused != 0 {
		t.Errorf("stats %+v", s)
	}
	if s := a.Stats(); s.Sent != 5 {
		t.Errorf("stats %+v, want 5 sent", s)
	}
}

func TestStrangersAndNonsenseAreRefusedAndCounted(t *testing.T) {
	a, b := open(t), open(t)
	a.Expect(0, 101)
	b.Expect(0, 101)
	a.SetRemote(b.Local())
	b.SetRemote(a.Local())
	heard := listenTo(b)
	a.Write(time.Now(), Head{}, []byte("caller"))
	wait(t, heard)

	stranger, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(b.Local()))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	good, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 666}, Payload: []byte("stranger")}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{good, []byte("GET / HTTP/1.1"), good[:5]} {
		if _, err := stranger.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	a.Write(time.Now(), Head{PayloadType: 96}, []byte("not negotiated"))
	until(t, "four refusals", func() bool { return b.Stats().Refused == 4 })
	a.Write(time.Now(), Head{}, []byte("caller"))
	if p := wait(t, heard); string(p.payload) != "caller" {
		t.Errorf("%q got in", p.payload)
	}
}

func TestReportsCross(t *testing.T) {
	a, b := open(t), open(t)
	for _, c := range []*Conn{a, b} {
		c.Expect(8, 0)
	}
	a.SetRemote(b.Local())
	b.SetRemote(a.Local())
	heard := listenTo(b)
	listenTo(a)
	now := time.Now()
	a.Tick(now) // the first only sets the time of the next
	b.Tick(now)
	for n := range 4 {
		a.Write(now, Head{PayloadType: 8, Timestamp: uint32(n) * 160}, make([]byte, 160))
		wait(t, heard)
	}
	a.Tick(now.Add(10 * time.Second))
	until(t, "the sender report", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.reception.lastSR != 0
	})
	b.Tick(now.Add(10 * time.Second))
	until(t, "the receiver report", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.controlTo.IsValid()
	})
}

func TestPortsComeInPairsFromTheRange(t *testing.T) {
	// Below a port the kernel has just given, most are free.
	low := int(open(t).Local().Port()) - 8
	ports, err := pool(t, low, low+5)
	if err != nil {
		t.Fatal(err)
	}
	if ports.Calls() != 3 {
		t.Errorf("%d calls in six ports, want 3", ports.Calls())
	}
	seen := map[uint16]bool{}
	for range 3 {
		c, err := ports.Open(loopback)
		if errors.Is(err, fault.Exhausted) {
			break // somebody else on this machine has one of them
		}
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		port := c.Local().Port()
		if port%2 != 0 || int(port) < low || int(port) > low+5 || seen[port] {
			t.Errorf("port %d from %d-%d after %v", port, low, low+5, seen)
		}
		seen[port] = true
	}
	if _, err := ports.Open(loopback); !errors.Is(err, fault.Exhausted) {
		t.Errorf("one call too many: %v, want fault.Exhausted", err)
	}
}

func TestRangesAreChecked(t *testing.T) {
	for name, r := range map[string][2]int{
		"upside down": {20000, 10000}, "too high": {60000, 70000}, "negative": {-1, 5},
		"one odd port": {4001, 4001}, "one even port": {4000, 4000}, "only low": {4000, 0},
	} {
		if _, err := NewPool(r[0], r[1]); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s %v: %v, want fault.Invalid", name, r, err)
		}
	}
}

func TestNoAddressNoPacket(t *testing.T) {
	c := open(t)
	for name, addr := range map[string]string{"put on hold the old way": "0.0.0.0:4000", "port 0": "127.0.0.1:0"} {
		c.SetRemote(netip.MustParseAddrPort(addr))
		if c.Write(time.Now(), Head{}, nil) || c.Remote().IsValid() {
			t.Errorf("%s: a packet was sent to %v", name, c.Remote())
		}
	}
}

// An offer with an address of another family names none we can use.
func TestThePeersFirstPacketShowsWhereItIs(t *testing.T) {
	a, b := open(t), open(t)
	a.Expect(0, 0)
	b.Expect(0, 0)
	a.SetRemote(b.Local())
	heard := listenTo(b)
	a.Write(time.Now(), Head{}, []byte("here"))
	wait(t, heard)
	if b.Remote() != a.Local() {
		t.Errorf("b sends to %v, want %v", b.Remote(), a.Local())
	}
}

func TestPacketsCostNoMemory(t *testing.T) {
	a, b := open(t), open(t)
	a.Expect(0, 0)
	b.Expect(0, 0)
	a.SetRemote(b.Local())
	b.SetRemote(a.Local())
	arrived := make(chan struct{}, 1)
	b.Start(func(*Packet) { arrived <- struct{}{} })
	payload, stamp := make([]byte, 160), uint32(0)
	if n := testing.AllocsPerRun(200, func() {
		stamp += 160
		a.Write(time.Now(), Head{Timestamp: stamp}, payload)
		<-arrived
	}); n != 0 {
		t.Errorf("%v allocations for a packet sent and received", n)
	}
}

func BenchmarkSendReceive(b *testing.B) {
	x, y := open(b), open(b)
	x.Expect(0, 0)
	y.Expect(0, 0)
	x.SetRemote(y.Local())
	y.SetRemote(x.Local())
	arrived := make(chan struct{}, 1)
	y.Start(func(*Packet) { arrived <- struct{}{} })
	payload, stamp := make([]byte, 160), uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		stamp += 160
		x.Write(time.Now(), Head{Timestamp: stamp}, payload)
		<-arrived
	}
}
