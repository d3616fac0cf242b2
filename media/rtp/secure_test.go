package rtp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"flametree/engine/fault"
	"flametree/media/srtp"
)

// sealKey draws a key and gives as many copies as there are owners.
func sealKey(t testing.TB, s srtp.Suite) (mine, theirs srtp.Key) {
	t.Helper()
	mine, err := srtp.Generate(s)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = srtp.NewKey(s, mine.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return mine, theirs
}

// sealed joins two Conns with SDES keys.
func sealed(t testing.TB, s srtp.Suite) (a, b *Conn) {
	t.Helper()
	a, b = open(t), open(t)
	seal(t, a, b, s)
	for _, c := range []*Conn{a, b} {
		c.Expect(0, 101)
	}
	a.SetRemote(b.Local())
	b.SetRemote(a.Local())
	return a, b
}

func seal(t testing.TB, a, b *Conn, s srtp.Suite) {
	t.Helper()
	out, outThere := sealKey(t, s)
	in, inThere := sealKey(t, s)
	if err := errors.Join(a.Seal(out, in), b.Seal(inThere, outThere)); err != nil {
		t.Fatal(err)
	}
}

// wiretap keeps what a Conn sends.
type wiretap struct {
	mu  sync.Mutex
	out [][]byte
}

func tapOn(c *Conn) *wiretap {
	w := new(wiretap)
	c.Tap(func(way Way, _ time.Time, _ netip.AddrPort, raw []byte) {
		if way == Out {
			w.mu.Lock()
			w.out = append(w.out, bytes.Clone(raw))
			w.mu.Unlock()
		}
	})
	return w
}

func (w *wiretap) sent() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out
}

func TestASealedCallTalks(t *testing.T) {
	for _, suite := range srtp.Suites() {
		t.Run(string(suite), func(t *testing.T) {
			a, b := sealed(t, suite)
			wire := tapOn(a)
			heard, back := listenTo(b), listenTo(a)
			payload := bytes.Repeat([]byte("caller"), 20)
			for n := range 5 {
				if !a.Write(time.Now(), Head{Marker: n == 0, Timestamp: uint32(n) * 160}, payload) {
					t.Fatal("not sent")
				}
				p := wait(t, heard)
				if !bytes.Equal(p.payload, payload) || p.Marker != (n == 0) {
					t.Errorf("packet %d: marker %v and %d bytes", n, p.Marker, len(p.payload))
				}
			}
			b.Write(time.Now(), Head{}, payload)
			wait(t, back)
			for _, raw := range wire.sent() {
				if bytes.Contains(raw, []byte("caller")) {
					t.Error("the payload went out in clear")
				}
			}
			if s := b.Stats(); s.Received != 5 || s.Lost != 0 || s.Refused != 0 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// phone is a peer on a bare socket that can do wrong.
type phone struct {
	*net.UDPConn
	session *srtp.Session
	seq     uint16
}

func phoneFor(t testing.TB, c *Conn, our, peer srtp.Key) *phone {
	t.Helper()
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(c.Local()))
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{UDPConn: conn, session: new(srtp.Session), seq: 100}
	if err := p.session.Rekey(our, peer, time.Now()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return p
}

func (p *phone) addr() netip.AddrPort { return p.LocalAddr().(*net.UDPAddr).AddrPort() }

func (p *phone) plain(t testing.TB, words string) []byte {
	p.seq++
	return packet(t, rtp.Header{SSRC: 77, SequenceNumber: p.seq, Timestamp: uint32(p.seq) * 160}, []byte(words))
}

func (p *phone) send(t testing.TB, b []byte) {
	t.Helper()
	if _, err := p.Write(b); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyAuthenticPacketsReachAnybody(t *testing.T) {
	c := open(t)
	c.Expect(0, 101)
	mine, theirs := sealKey(t, srtp.AES128CM80)
	back, backThere := sealKey(t, srtp.AES128CM80)
	if err := c.Seal(mine, back); err != nil {
		t.Fatal(err)
	}
	peer := phoneFor(t, c, backThere, theirs)
	other, _ := sealKey(t, srtp.AES128CM80)
	wrong, _ := sealKey(t, srtp.AES128CM80)
	stranger := phoneFor(t, c, other, wrong)
	c.SetRemote(peer.addr())
	heard := listenTo(c)

	refused := uint64(0)
	bad := func(p *phone, b []byte) {
		t.Helper()
		refused++
		p.send(t, b)
		until(t, "a refusal", func() bool { return c.Stats().Refused == refused })
		if c.Remote() != peer.addr() {
			t.Fatal("the call was latched onto a forger")
		}
	}
	good := func(b []byte) {
		t.Helper()
		peer.send(t, b)
		if p := wait(t, heard); string(p.payload) != "caller" {
			t.Errorf("%q was heard", p.payload)
		}
	}
	// Before the peer's first packet, while the latch is open to everybody.
	bad(stranger, stranger.plain(t, "forged"))
	bad(stranger, stranger.session.Seal(stranger.plain(t, "forged")))
	bad(stranger, make([]byte, 40))
	bad(peer, peer.plain(t, "forged"))
	first := bytes.Clone(peer.session.Seal(peer.plain(t, "caller")))
	bad(stranger, first[:len(first)-1])
	cut := bytes.Clone(first)
	cut[len(cut)-1] ^= 1
	bad(peer, cut)
	good(first)
	// And afterwards, from the very address of the peer.
	bad(peer, first)
	bad(peer, peer.plain(t, "forged"))
	bad(stranger, first)
	for range 20 {
		good(peer.session.Seal(peer.plain(t, "caller")))
	}
	if s := c.Stats(); s.Received != 21 {
		t.Errorf("%d packets were counted, want 21", s.Received)
	}
}

func TestAReplayFromElsewhereDoesNotTakeTheCallOver(t *testing.T) {
	c := open(t)
	c.Expect(0, 0)
	mine, theirs := sealKey(t, srtp.AES256GCM)
	back, backThere := sealKey(t, srtp.AES256GCM)
	if err := c.Seal(mine, back); err != nil {
		t.Fatal(err)
	}
	peer := phoneFor(t, c, backThere, theirs)
	k1, _ := sealKey(t, srtp.AES256GCM)
	k2, _ := sealKey(t, srtp.AES256GCM)
	stranger := phoneFor(t, c, k1, k2)
	c.SetRemote(peer.addr())
	heard := listenTo(c)
	old := bytes.Clone(peer.session.Seal(peer.plain(t, "caller")))
	peer.send(t, old)
	wait(t, heard)
	c.SetRemote(peer.addr()) // a re-INVITE arms the latch again
	stranger.send(t, old)
	until(t, "the refusal", func() bool { return c.Stats().Refused == 1 })
	if c.Remote() != peer.addr() {
		t.Error("a replay latched")
	}
}

func TestKeysChangeInACallAndNoPacketIsLost(t *testing.T) {
	a, b := sealed(t, srtp.AES128CM80)
	b.Start(func(*Packet) {})
	sound, sent := make([]byte, 160), uint64(0)
	write := func(n int) {
		for range n {
			sent++
			a.Write(time.Now(), Head{Timestamp: uint32(sent) * 160}, sound)
		}
	}
	r := road(t, a, b, 0, 3)
	for n := range 25 {
		write(7)
		suite := srtp.Suites()[n%5]
		out, outThere := sealKey(t, suite)
		in, inThere := sealKey(t, suite)
		if err := b.Seal(inThere, outThere); err != nil { // signalling reaches it first
			t.Fatal(err)
		}
		write(3)
		if err := a.Seal(out, in); err != nil {
			t.Fatal(err)
		}
		write(6)
		r.flush()
		until(t, "every packet", func() bool { return b.Stats().Received == sent })
	}
	if s := b.Stats(); s.Refused != 0 || s.Lost != 0 {
		t.Errorf("stats %+v", s)
	}
}

// A call of a quarter of an hour is handed on to another phone.
func TestACallThatHasRolledOverIsHeardByAnotherPhone(t *testing.T) {
	a := open(t)
	our, theirs := sealKey(t, srtp.AES128CM80)
	peer, _ := sealKey(t, srtp.AES128CM80)
	if err := a.Seal(our, peer); err != nil {
		t.Fatal(err)
	}
	a.SetRemote(netip.MustParseAddrPort("127.0.0.1:9"))
	wire := tapOn(a)
	a.header.SequenceNumber = 65535
	first := new(srtp.Session)
	mine, _ := sealKey(t, srtp.AES128CM80)
	if err := first.Rekey(mine, theirs, time.Now()); err != nil {
		t.Fatal(err)
	}
	say := func(s *srtp.Session, who string) uint32 {
		t.Helper()
		a.Write(time.Now(), Head{}, []byte("words"))
		raw := wire.sent()[len(wire.sent())-1]
		plain := s.Open(make([]byte, 0, mtu), raw, time.Now())
		if !bytes.HasSuffix(plain, []byte("words")) {
			t.Errorf("%s hears nothing", who)
		}
		return binary.BigEndian.Uint32(raw[8:])
	}
	before := say(first, "the first phone")
	say(first, "the first phone after the roll-over")
	our, theirs = sealKey(t, srtp.AES128CM80)
	if err := a.Seal(our, srtp.Key{}); err != nil {
		t.Fatal(err)
	}
	second := new(srtp.Session)
	mine, _ = sealKey(t, srtp.AES128CM80)
	if err := second.Rekey(mine, theirs, time.Now()); err != nil {
		t.Fatal(err)
	}
	source := say(second, "the second phone")
	if source == before {
		t.Error("the source is the same, its count is not")
	}
	our, theirs = sealKey(t, srtp.AES128CM80)
	if err := errors.Join(a.Seal(our, srtp.Key{}), second.Rekey(srtp.Key{}, theirs, time.Now())); err != nil {
		t.Fatal(err)
	}
	if say(second, "the second phone under another key") != source {
		t.Error("the source changed for nothing")
	}
}

func TestASealedCallGoesOverARoughRoad(t *testing.T) {
	a, b := sealed(t, srtp.AES128CM32)
	heard := listenTo(b)
	r := road(t, a, b, 0.01, 9)
	const packets = 2000
	for n := range packets {
		a.Write(time.Now(), Head{Timestamp: uint32(n) * 160}, binary.BigEndian.AppendUint16(nil, uint16(n)))
		if n%32 == 31 {
			r.flush()
		}
		for len(heard) > 50 {
			<-heard
		}
	}
	r.flush()
	carried := r.carried()
	until(t, "all that was carried", func() bool {
		for len(heard) > 0 {
			<-heard
		}
		return b.Stats().Received == carried
	})
	if s := b.Stats(); s.Refused != 0 || carried == packets {
		t.Errorf("stats %+v of %d carried", s, carried)
	}
	t.Logf("figure: %d of %d packets carried and swapped by the road, all of them opened", carried, packets)
}

func TestReportsOfASealedCallAreSealed(t *testing.T) {
	for name, mux := range map[string]bool{"on ports of their own": false, "on the ports of RTP": true} {
		t.Run(name, func(t *testing.T) {
			a, b := sealed(t, srtp.AES128GCM)
			a.Mux(mux)
			b.Mux(mux)
			wire := tapOn(a)
			heard := listenTo(b)
			listenTo(a)
			now := time.Now()
			a.Tick(now) // the first only sets the time of the next
			for n := range 4 {
				a.Write(now, Head{Timestamp: uint32(n) * 160}, make([]byte, 160))
				wait(t, heard)
			}
			a.Tick(now.Add(10 * time.Second))
			until(t, "the sender report", func() bool {
				b.mu.Lock()
				defer b.mu.Unlock()
				return b.reception.lastSR != 0
			})
			last := wire.sent()[len(wire.sent())-1]
			if bytes.Contains(last, []byte("@127")) {
				t.Error("our name went out in clear")
			}
			plain, err := compound(now, &a.sending, &a.reception, "x@y", true)
			if err != nil {
				t.Fatal(err)
			}
			before := b.Stats().Refused
			to, from := b.control, a.control
			if mux {
				to, from = b.media, a.media
			}
			if _, err := from.WriteToUDPAddrPort(plain, to.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
				t.Fatal(err)
			}
			until(t, "the refusal of a plain report", func() bool { return b.Stats().Refused == before+1 })
		})
	}
}

// pooled is what may be allocated: nothing, but with the race detector pools
// drop what they are given at random.
func pooled() float64 {
	info, _ := debug.ReadBuildInfo()
	for _, setting := range info.Settings {
		if setting.Key == "-race" && setting.Value == "true" {
			return 4
		}
	}
	return 0
}

func TestSealedPacketsCostNoMemory(t *testing.T) {
	for _, suite := range srtp.Suites() {
		a, b := sealed(t, suite)
		arrived := make(chan struct{}, 1)
		b.Start(func(*Packet) { arrived <- struct{}{} })
		payload, stamp := make([]byte, 160), uint32(0)
		once := func() {
			stamp += 160
			a.Write(time.Now(), Head{Timestamp: stamp}, payload)
			<-arrived
		}
		once() // the first one makes room for its source
		if n := testing.AllocsPerRun(200, once); n > pooled() {
			t.Errorf("%s: %v allocations for a packet sent and received", suite, n)
		}
	}
}

func TestEqualKeysAreRefusedAndNothingIsSent(t *testing.T) {
	a, b := open(t), open(t)
	a.SetRemote(b.Local())
	mine, theirs := sealKey(t, srtp.AES128CM80)
	if err := a.Seal(mine, theirs); !errors.Is(err, fault.Invalid) {
		t.Errorf("%v, want fault.Invalid", err)
	}
	if a.Write(time.Now(), Head{}, []byte("words")) || !a.Sealed() {
		t.Error("the call is plain after all")
	}
}

func TestAnEndedCallHasNoKeys(t *testing.T) {
	a, b := sealed(t, srtp.AES128CM80)
	listenTo(a)
	mine, theirs := sealKey(t, srtp.AES128CM80)
	if err := a.Seal(mine, srtp.Key{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(mine.Reveal(), make([]byte, 30)) || bytes.Equal(theirs.Reveal(), make([]byte, 30)) {
		t.Error("the key is still in memory")
	}
	_ = b
}

// FuzzSort is what the network may send to a plain call, to one that awaits its
// keys and to one that has them. Nothing gets into the sealed ones.
func FuzzSort(f *testing.F) {
	f.Add(packet(f, rtp.Header{PayloadType: 0, SSRC: 5}, make([]byte, 20)))
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42}) // STUN
	f.Add([]byte{0x80, 200, 0, 1, 0, 0, 0, 7})
	f.Add([]byte{0xB0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xBE, 0xDE, 0, 1, 0x10, 9, 0, 0, 1, 2, 3})
	from := netip.MustParseAddrPort("127.0.0.1:9")
	plain, bare := open(f), open(f)
	keyed, _ := sealed(f, srtp.AES128GCM)
	waiting := open(f)
	if err := waiting.Shake(Shake{Terms: srtp.Terms{Identity: certificate(f)}}); err != nil {
		f.Fatal(err)
	}
	bare.secure()
	heard := 0
	all := []*Conn{plain, bare, keyed, waiting}
	for _, c := range all {
		c.Expect(0, 101)
		c.Mux(true)
		c.handler = func(*Packet) { heard++ }
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, c := range all {
			c.latch.arm(time.Now(), from)
			var i intake
			raw := append([]byte(nil), in[:min(len(in), mtu)]...)
			before := heard
			c.sort(&i, raw, time.Now(), from)
			if c != plain && heard != before {
				t.Fatal("a forgery was heard")
			}
			c.takeControl(time.Now(), raw, from)
			if c != plain && c.reception.begun {
				t.Fatal("a forgery was counted")
			}
		}
	})
}

func BenchmarkSealedSendReceive(b *testing.B) {
	for _, suite := range srtp.Suites() {
		b.Run(string(suite), func(b *testing.B) {
			x, y := sealed(b, suite)
			arrived := make(chan struct{}, 1)
			y.Start(func(*Packet) { arrived <- struct{}{} })
			payload, stamp := make([]byte, 160), uint32(0)
			b.ReportAllocs()
			for b.Loop() {
				stamp += 160
				x.Write(time.Now(), Head{Timestamp: stamp}, payload)
				<-arrived
			}
		})
	}
}
