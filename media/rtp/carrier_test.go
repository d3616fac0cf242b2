package rtp

import (
	"bytes"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"flametree/engine/fault"
)

// path is a Carrier that keeps what it is given.
type path struct {
	mu             sync.Mutex
	media, control func(time.Time, []byte)
	sent           []rtp.Packet
	reports        [][]byte
	open, fails    bool
	closed         int
}

var (
	hereAt  = netip.MustParseAddrPort("192.0.2.1:8443")
	thereAt = netip.MustParseAddrPort("198.51.100.7:40000")
)

func (p *path) Begin(media, control func(time.Time, []byte)) { p.media, p.control = media, control }

func (p *path) Carry(h *rtp.Header, payload []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails {
		return fault.Unavailable
	}
	p.sent = append(p.sent, rtp.Packet{Header: *h, Payload: bytes.Clone(payload)})
	return nil
}

func (p *path) Report(raw []byte) error {
	p.reports = append(p.reports, bytes.Clone(raw))
	return nil
}

func (p *path) Way() (here, there netip.AddrPort, open bool) { return hereAt, thereAt, p.open }

func (p *path) Close() error {
	p.closed++
	return nil
}

func over(t *testing.T) (*Conn, *path) {
	t.Helper()
	p := &path{open: true}
	c, err := Over(p, 77)
	if err != nil {
		t.Fatal(err)
	}
	c.Expect(111, 110)
	c.SetClock(48000)
	return c, p
}

// raw is a packet as a carrier gives it.
func raw(t *testing.T, kind uint8, seq uint16, payload string) []byte {
	t.Helper()
	b, err := (&rtp.Packet{
		Header: rtp.Header{Version: 2, PayloadType: kind, SequenceNumber: seq, Timestamp: uint32(seq) * 960, SSRC: 5}, Payload: []byte(payload),
	}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatACarrierBringsIsCheckedAndCounted(t *testing.T) {
	c, p := over(t)
	var heard []string
	c.Start(func(k *Packet) { heard = append(heard, string(k.Payload)) })
	now := time.Now()
	p.media(now, raw(t, 111, 10, "a"))
	p.media(now, raw(t, 110, 11, "key"))
	p.media(now, raw(t, 96, 12, "of no agreed type"))
	p.media(now, []byte("junk"))
	p.media(now, raw(t, 111, 14, "b"))
	if len(heard) != 3 || heard[0] != "a" || heard[1] != "key" || heard[2] != "b" {
		t.Errorf("heard %q", heard)
	}
	s := c.Stats()
	if s.Received != 3 || s.Lost != 2 || s.Refused != 2 {
		t.Errorf("stats %+v", s)
	}
	if err := c.Close(); err != nil || p.closed != 1 {
		t.Errorf("closed %d times: %v", p.closed, err)
	}
}

func TestACarrierSendsUnderItsSourceOnceItHasAWay(t *testing.T) {
	c, p := over(t)
	c.Start(func(*Packet) {})
	defer func() { _ = c.Close() }()
	p.open = false
	if c.Ready() || c.Write(time.Now(), Head{PayloadType: 111}, []byte("early")) {
		t.Error("nothing can be sent without a way")
	}
	p.open = true
	if !c.Ready() {
		t.Error("there is a way now")
	}
	for n := range uint32(2) {
		if !c.Write(time.Now(), Head{PayloadType: 111, Timestamp: 960 * n, Marker: n == 0}, []byte("x")) {
			t.Error("not sent")
		}
	}
	if len(p.sent) != 2 {
		t.Fatalf("%d packets left", len(p.sent))
	}
	a, b := p.sent[0], p.sent[1]
	if a.SSRC != 77 || a.PayloadType != 111 || !a.Marker || b.Marker || b.SequenceNumber != a.SequenceNumber+1 || b.Timestamp != a.Timestamp+960 {
		t.Errorf("%+v %+v", a.Header, b.Header)
	}
	if c.Local() != hereAt || c.Remote() != thereAt {
		t.Errorf("from %v to %v", c.Local(), c.Remote())
	}
	p.fails = true
	c.Write(time.Now(), Head{PayloadType: 111}, []byte("lost"))
	if s := c.Stats(); s.Sent != 2 {
		t.Errorf("sent %d", s.Sent)
	}
}

func TestReportsGoByTheCarrierAndTellTheRoundTrip(t *testing.T) {
	c, p := over(t)
	c.Start(func(*Packet) {})
	now := time.Now()
	p.media(now, raw(t, 111, 1, "a"))
	c.Write(now, Head{PayloadType: 111}, []byte("x"))
	c.Tick(now) // draws the time of the first
	c.Tick(now.Add(2 * reportEvery))
	if len(p.reports) != 1 {
		t.Fatalf("%d reports", len(p.reports))
	}
	packets, err := rtcp.Unmarshal(p.reports[0])
	if err != nil {
		t.Fatal(err)
	}
	sender, ok := packets[0].(*rtcp.SenderReport)
	if !ok || sender.SSRC != 77 || sender.PacketCount != 1 || len(sender.Reports) != 1 || sender.Reports[0].SSRC != 5 {
		t.Fatalf("%+v", packets[0])
	}
	later := now.Add(2*reportEvery + 40*time.Millisecond)
	back, err := (&rtcp.ReceiverReport{SSRC: 5, Reports: []rtcp.ReceptionReport{{
		SSRC: 77, FractionLost: 64, LastSenderReport: uint32(sender.NTPTime >> 16),
	}}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	p.control(later, back)
	if s := c.Stats(); s.RoundTrip < 35*time.Millisecond || s.RoundTrip > 45*time.Millisecond || s.LossThere != 0.25 {
		t.Errorf("round trip %v, loss %v", s.RoundTrip, s.LossThere)
	}
	if err := c.Close(); err != nil || len(p.reports) != 2 {
		t.Errorf("a goodbye is the last report: %d, %v", len(p.reports), err)
	}
}

func TestATapSeesWhatACarrierMoves(t *testing.T) {
	c, p := over(t)
	c.Start(func(*Packet) {})
	defer func() { _ = c.Close() }()
	var in, out int
	c.Tap(func(way Way, _ time.Time, peer netip.AddrPort, b []byte) {
		var k rtp.Packet
		if err := k.Unmarshal(b); err != nil || peer != thereAt {
			t.Errorf("%v from %v", err, peer)
		}
		if way == In {
			in++
		} else {
			out++
		}
	})
	p.media(time.Now(), raw(t, 111, 1, "a"))
	c.Write(time.Now(), Head{PayloadType: 111}, []byte("x"))
	c.Tap(nil)
	p.media(time.Now(), raw(t, 111, 2, "b"))
	if in != 1 || out != 1 {
		t.Errorf("saw %d in and %d out", in, out)
	}
}
