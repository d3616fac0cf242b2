package leg

import (
	"math"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"flametree/actors"
	"flametree/media/g711"
	"flametree/media/pacer"
	wire "flametree/media/rtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddr("127.0.0.1")

const patience = 5 * time.Second

func loopbackPort(port uint16) netip.AddrPort { return netip.AddrPortFrom(loopback, port) }

// house is what legs share.
type house struct {
	t     testing.TB
	wheel *pacer.Wheel
	pool  *wire.Pool
}

func newHouse(t testing.TB) *house {
	t.Helper()
	pool, err := wire.NewPool(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t, pacer.New(pacer.Options{}), pool}
	t.Cleanup(func() { _ = h.wheel.Close() })
	return h
}

// side is a leg, its address and the facts it told.
type side struct {
	*Leg
	conn  *wire.Conn
	facts chan actors.Fact
}

func (h *house) leg(change func(*Options)) *side {
	h.t.Helper()
	conn, err := h.pool.Open(loopback)
	if err != nil {
		h.t.Fatal(err)
	}
	opt := Options{Conn: conn, Pacer: h.wheel, Terms: Terms{DTMFType: 101}}
	if change != nil {
		change(&opt)
	}
	l, err := New(opt)
	if err != nil {
		h.t.Fatal(err)
	}
	s := &side{l, conn, make(chan actors.Fact, 1000)}
	h.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return s
}

func (s *side) start() { s.Start(func(f actors.Fact) { s.facts <- f }) }

// wait gives the next fact of a kind; others are passed over.
func (s *side) wait(t testing.TB, kind actors.FactKind) actors.Fact {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case f := <-s.facts:
			if f.Kind == kind {
				return f
			}
		case <-deadline:
			t.Fatalf("fact %d did not come", kind)
		}
	}
}

// call joins two legs.
func (h *house) call(change func(*Options)) (a, b *side) {
	a, b = h.leg(change), h.leg(change)
	a.conn.SetRemote(b.conn.Local())
	b.conn.SetRemote(a.conn.Local())
	a.start()
	b.start()
	return a, b
}

// ear collects frames of 16 kHz.
type ear struct {
	mu      sync.Mutex
	samples []int16
	frames  int
	grown   chan struct{}
}

func newEar() *ear { return &ear{grown: make(chan struct{}, 1)} }

func (e *ear) hear(frame []int16) {
	e.mu.Lock()
	e.samples = append(e.samples, frame...)
	e.frames++
	e.mu.Unlock()
	select {
	case e.grown <- struct{}{}:
	default:
	}
}

// await waits until so many frames came and gives their samples.
func (e *ear) await(t testing.TB, frames int) []int16 {
	t.Helper()
	deadline := time.After(patience)
	for {
		e.mu.Lock()
		n, samples := e.frames, e.samples
		e.mu.Unlock()
		if n >= frames {
			return samples
		}
		select {
		case <-e.grown:
		case <-deadline:
			t.Fatalf("%d of %d frames came", n, frames)
		}
	}
}

func tone(length time.Duration, hz float64, rateHz int, amplitude float64) []int16 {
	out := make([]int16, int(length.Seconds()*float64(rateHz)))
	for i := range out {
		out[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rateHz)))
	}
	return out
}

// strength is the amplitude of one frequency in s.
func strength(s []int16, hz, rateHz float64) float64 {
	var re, im float64
	for i, v := range s {
		a := 2 * math.Pi * hz * float64(i) / rateHz
		re += float64(v) * math.Cos(a)
		im += float64(v) * math.Sin(a)
	}
	return 2 * math.Hypot(re, im) / float64(len(s))
}

// packet is what a phone received.
type packet struct {
	rtp.Header
	payload []byte
	at      time.Time
}

func (p packet) silent() bool {
	for _, b := range p.payload {
		if b != g711.MuLaw.Idle() {
			return false
		}
	}
	return true
}

// phone is the other end as a bare socket, to see packets as they are.
type phone struct {
	t       testing.TB
	c       *net.UDPConn
	to      *net.UDPAddr
	packets chan packet
	seq     uint16
	stamp   uint32
}

func newPhone(t testing.TB, s *side) *phone {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{t: t, c: c, to: net.UDPAddrFromAddrPort(s.conn.Local()), packets: make(chan packet, 5000)}
	s.conn.SetRemote(c.LocalAddr().(*net.UDPAddr).AddrPort())
	var reader sync.WaitGroup
	reader.Go(func() { readAll(c, p.packets) })
	t.Cleanup(func() { _ = c.Close(); reader.Wait() })
	return p
}

func readAll(c *net.UDPConn, out chan<- packet) {
	buf := make([]byte, 2000)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		var p rtp.Packet
		if p.Unmarshal(append([]byte(nil), buf[:n]...)) == nil {
			out <- packet{p.Header, p.Payload, time.Now()}
		}
	}
}

func (p *phone) next() packet {
	p.t.Helper()
	select {
	case got := <-p.packets:
		return got
	case <-time.After(patience):
		p.t.Fatal("no packet came")
		return packet{}
	}
}

// sound gives the next packet that is not silence.
func (p *phone) sound() packet {
	p.t.Helper()
	for range 500 {
		if got := p.next(); !got.silent() {
			return got
		}
	}
	p.t.Fatal("500 packets of silence")
	return packet{}
}

// say sends one frame in µ-law.
func (p *phone) say(samples []int16) {
	p.t.Helper()
	payload := make([]byte, len(samples))
	g711.MuLaw.Encode(payload, samples)
	b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: p.seq, Timestamp: p.stamp, SSRC: 99}, Payload: payload}).Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.c.WriteToUDP(b, p.to); err != nil {
		p.t.Fatal(err)
	}
	p.seq++
	p.stamp += uint32(len(samples))
}

// pace calls f every 20 ms, n times.
func pace(n int, f func(i int)) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range n {
		f(i)
		<-tick.C
	}
}
