package rtp

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"flametree/engine/fault"
	"flametree/media/g711"
	"flametree/media/srtp"
)

func certificate(t testing.TB) *srtp.Identity {
	t.Helper()
	i, err := srtp.NewIdentity(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func tick() { <-time.After(2 * time.Millisecond) }

// told is where a handshake's end is told.
type told chan error

func (e told) wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-e:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the handshake never ended")
		return nil
	}
}

func shakeWith(t testing.TB, c *Conn, terms srtp.Terms) told {
	t.Helper()
	end := make(told, 1)
	if err := c.Shake(Shake{Terms: terms, Done: func(err error) { end <- err }}); err != nil {
		t.Fatal(err)
	}
	return end
}

func TestNothingPlainIsSentBeforeTheHandshakeIsOver(t *testing.T) {
	for name, loss := range map[string]float64{"on a good road": 0, "with one in ten lost": 0.1} {
		t.Run(name, func(t *testing.T) {
			a, b := open(t), open(t)
			ours, theirs := certificate(t), certificate(t)
			r := road(t, a, b, loss, 21)
			for _, c := range []*Conn{a, b} {
				c.Expect(0, 101)
				c.Mux(true)
			}
			wires := []*wiretap{tapOn(a), tapOn(b)}
			// b was told no fingerprint as yet: its peer's hello comes first.
			if err := b.Shake(Shake{Terms: srtp.Terms{Identity: theirs}}); err != nil {
				t.Fatal(err)
			}
			atA := shakeWith(t, a, srtp.Terms{Identity: ours, Peer: theirs.Fingerprint(), Active: true})
			words := bytes.Repeat([]byte("words"), 30)
			try := func() bool {
				for _, c := range []*Conn{a, b} {
					c.Write(time.Now(), Head{}, words)
					c.Tick(time.Now().Add(time.Hour))
					c.report(time.Now(), false)
				}
				return a.Ready() && b.Ready()
			}
			if try() {
				t.Fatal("ready before anything was read")
			}
			heard, back := listenTo(b), listenTo(a)
			for range 20 {
				try()
			}
			for _, wire := range wires {
				for _, raw := range wire.sent() {
					if !srtp.IsDTLS(raw) {
						t.Fatalf("a datagram that begins with %d went out before there was a key", raw[0])
					}
				}
			}
			atB := shakeWith(t, b, srtp.Terms{Identity: theirs, Peer: ours.Fingerprint()})
			until(t, "both sides", func() bool { r.flush(); return try() })
			if err := errors.Join(atA.wait(t), atB.wait(t)); err != nil {
				t.Fatal(err)
			}
			until(t, "sound both ways", func() bool {
				try()
				r.flush()
				return len(heard) > 0 && len(back) > 0
			})
			if p := wait(t, heard); !bytes.Equal(p.payload, words) && len(p.payload) != 0 {
				t.Errorf("%q was heard", p.payload)
			}
			for _, wire := range wires {
				for _, raw := range wire.sent() {
					if bytes.Contains(raw, []byte("words")) {
						t.Fatal("words went out in clear")
					}
				}
			}
		})
	}
}

func TestAManInTheMiddleGetsNoWord(t *testing.T) {
	a, b := open(t), open(t)
	ours, theirs, his := certificate(t), certificate(t), certificate(t)
	a.SetRemote(b.Local())
	b.SetRemote(a.Local())
	wire := tapOn(a)
	listenTo(b)
	listenTo(a)
	atA := shakeWith(t, a, srtp.Terms{Identity: ours, Peer: theirs.Fingerprint(), Active: true})
	atB := shakeWith(t, b, srtp.Terms{Identity: his, Peer: ours.Fingerprint()})
	if err := atA.wait(t); !errors.Is(err, fault.Denied) {
		t.Errorf("%v, want fault.Denied", err)
	}
	if err := atB.wait(t); err == nil {
		t.Error("the other side thinks all is well")
	}
	if a.Ready() || a.Write(time.Now(), Head{}, []byte("words")) {
		t.Error("and spoken to all the same")
	}
	for _, raw := range wire.sent() {
		if !srtp.IsDTLS(raw) {
			t.Errorf("a datagram that begins with %d went out", raw[0])
		}
	}
}

func TestAReinviteWithTheSameCertificateKeepsTheKeys(t *testing.T) {
	a, b, ours, theirs := shaken(t)
	same := shakeWith(t, a, srtp.Terms{Identity: ours, Peer: theirs.Fingerprint(), Active: true})
	if len(same) != 0 || !a.Ready() {
		t.Error("a new handshake was begun")
	}
	_ = b
}

func TestAReinviteWithAnotherCertificateShakesHandsAgain(t *testing.T) {
	a, b, ours, _ := shaken(t)
	next := certificate(t)
	atA := shakeWith(t, a, srtp.Terms{Identity: ours, Peer: next.Fingerprint(), Active: true})
	if !a.Write(time.Now(), Head{}, []byte("meanwhile")) {
		t.Error("the sound was cut")
	}
	atB := shakeWith(t, b, srtp.Terms{Identity: next, Peer: ours.Fingerprint()})
	if err := errors.Join(atA.wait(t), atB.wait(t)); err != nil {
		t.Fatal(err)
	}
	before := b.Stats().Received
	if !a.Write(time.Now(), Head{}, []byte("words")) {
		t.Fatal("not sent")
	}
	until(t, "sound under the new keys", func() bool { return b.Stats().Received > before })
}

// shaken is two Conns after their handshake.
func shaken(t testing.TB) (a, b *Conn, ours, theirs *srtp.Identity) {
	t.Helper()
	a, b = open(t), open(t)
	ours, theirs = certificate(t), certificate(t)
	a.Expect(0, 101)
	b.Expect(0, 101)
	a.SetRemote(b.Local())
	b.SetRemote(a.Local())
	a.Start(func(*Packet) {})
	b.Start(func(*Packet) {})
	atA := shakeWith(t, a, srtp.Terms{Identity: ours, Peer: theirs.Fingerprint(), Active: true})
	atB := shakeWith(t, b, srtp.Terms{Identity: theirs, Peer: ours.Fingerprint()})
	if err := errors.Join(atA.wait(t), atB.wait(t)); err != nil {
		t.Fatal(err)
	}
	return a, b, ours, theirs
}

func TestSealedByDTLSThenBySDESAndBack(t *testing.T) {
	a, b, ours, theirs := shaken(t)
	speak := func(what string) {
		t.Helper()
		before := b.Stats().Received
		a.Write(time.Now(), Head{}, []byte("words"))
		until(t, what, func() bool { return b.Stats().Received > before })
	}
	speak("sound by DTLS")
	seal(t, a, b, srtp.AES128CM80)
	speak("sound by SDES")
	// The passive side listens first: a ClientHello that comes before is refused,
	// and sent again.
	atB := shakeWith(t, b, srtp.Terms{Identity: theirs, Peer: ours.Fingerprint()})
	atA := shakeWith(t, a, srtp.Terms{Identity: ours, Peer: theirs.Fingerprint(), Active: true})
	if err := errors.Join(atA.wait(t), atB.wait(t)); err != nil {
		t.Fatal(err)
	}
	speak("sound by DTLS again")
	if s := b.Stats(); s.Refused != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestACallMayEndInItsHandshake(t *testing.T) {
	for n := range 10 {
		a, b := open(t), open(t)
		ours, theirs := certificate(t), certificate(t)
		a.SetRemote(b.Local())
		b.SetRemote(a.Local())
		listenTo(a)
		listenTo(b)
		atA := shakeWith(t, a, srtp.Terms{Identity: ours, Peer: theirs.Fingerprint(), Active: true})
		atB := shakeWith(t, b, srtp.Terms{Identity: theirs, Peer: ours.Fingerprint()})
		for range n {
			tick()
		}
		if err := errors.Join(a.Close(), b.Close()); err != nil {
			t.Fatal(err)
		}
		if len(atA) != 1 || len(atB) != 1 {
			t.Error("Close did not wait for the handshake")
		}
	}
}

// tone is a second of 400 Hz, as samples and as PCMU.
func tone() (samples []int16, coded []byte) {
	samples = make([]int16, 8000)
	for i := range samples {
		samples[i] = int16(8000 * math.Sin(2*math.Pi*400*float64(i)/8000))
	}
	coded = make([]byte, len(samples))
	g711.MuLaw.Encode(coded, samples)
	return samples, coded
}

// likeness is the correlation of two sounds, 1 for the same one.
func likeness(a, b []int16) float64 {
	var xy, xx, yy float64
	for i := range min(len(a), len(b)) {
		x, y := float64(a[i]), float64(b[i])
		xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

func TestACapturedCallIsNoise(t *testing.T) {
	samples, coded := tone()
	captured := func(c *Conn) float64 {
		wire := tapOn(c)
		for n := range 50 {
			c.Write(time.Now(), Head{Timestamp: uint32(n) * 160}, coded[n*160:(n+1)*160])
		}
		var sound []byte
		for _, raw := range wire.sent() {
			sound = append(sound, raw[headerSize:headerSize+160]...)
		}
		decoded := make([]int16, len(sound))
		g711.MuLaw.Decode(decoded, sound)
		if len(decoded) != len(samples) {
			t.Fatalf("%d samples were captured", len(decoded))
		}
		return likeness(samples, decoded)
	}
	a, b := open(t), open(t)
	a.SetRemote(b.Local())
	if plain := captured(a); plain < 0.99 {
		t.Errorf("a plain call is captured with a likeness of %.3f: the measure is wrong", plain)
	}
	for _, suite := range srtp.Suites() {
		a, _ := sealed(t, suite)
		noise := captured(a)
		if math.Abs(noise) > 0.1 {
			t.Errorf("%s: the likeness of what was captured is %.3f", suite, noise)
		}
		t.Logf("figure: %s: captured as PCMU, likeness %.4f to what was said", suite, noise)
	}
}

func TestATapSeesEverythingAndCostsNothingWhenOff(t *testing.T) {
	a, b := open(t), open(t)
	a.Expect(0, 0)
	b.Expect(0, 0)
	a.SetRemote(b.Local())
	b.SetRemote(a.Local())
	heard := listenTo(b)
	type seen struct {
		way  Way
		peer netip.AddrPort
		raw  []byte
	}
	all := make(chan seen, 10)
	tap := func(way Way, at time.Time, peer netip.AddrPort, raw []byte) {
		if at.IsZero() {
			t.Error("a packet without a time")
		}
		all <- seen{way, peer, bytes.Clone(raw)}
	}
	a.Tap(tap)
	b.Tap(tap)
	a.Write(time.Now(), Head{}, []byte("one"))
	wait(t, heard)
	a.Write(time.Now(), Head{PayloadType: 99}, []byte("refused"))
	until(t, "the refusal", func() bool { return b.Stats().Refused == 1 })
	a.Tap(nil)
	b.Tap(nil)
	a.Write(time.Now(), Head{}, []byte("unseen"))
	wait(t, heard)
	close(all)
	var ways []Way
	for s := range all {
		ways = append(ways, s.way)
		if want := map[Way]netip.AddrPort{Out: b.Local(), In: a.Local()}[s.way]; s.peer != want || len(s.raw) < headerSize+3 {
			t.Errorf("%d bytes with %v", len(s.raw), s.peer)
		}
	}
	if len(ways) != 4 {
		t.Errorf("%v was seen, want two out and two in", ways)
	}
}

func TestASilentCallKeepsItsNATOpen(t *testing.T) {
	for name, mux := range map[string]bool{"by an empty packet": false, "by a report where RTCP shares the port": true} {
		t.Run(name, func(t *testing.T) {
			a, b := sealed(t, srtp.AES128GCM)
			a.Mux(mux)
			wire := tapOn(a)
			now := time.Now()
			a.Tick(now)
			a.nextReport = now.Add(time.Hour)
			a.Tick(now.Add(keepAliveEvery - time.Millisecond))
			if n := len(wire.sent()); n != 0 {
				t.Errorf("%d datagrams before it was time", n)
			}
			for n := range 3 {
				a.Tick(now.Add(keepAliveEvery * time.Duration(n+1)))
				a.Tick(now.Add(keepAliveEvery*time.Duration(n+1) + time.Second))
			}
			sent := wire.sent()
			if len(sent) != 3 {
				t.Fatalf("%d datagrams in three times 15 s", len(sent))
			}
			for _, raw := range sent {
				if mux && raw[1] != 201 || !mux && (raw[1] != keepAliveType || len(raw) != headerSize+16) {
					t.Errorf("%d bytes of type %d", len(raw), raw[1])
				}
			}
			a.Write(now.Add(100*time.Second), Head{}, make([]byte, 160))
			a.Tick(now.Add(110 * time.Second))
			if len(wire.sent()) != 4 {
				t.Error("a call that speaks needs no help")
			}
			_ = b
		})
	}
}

func TestAKeepAliveOfNoBytesIsNotHeldAgainstThePeer(t *testing.T) {
	a, b := open(t), open(t)
	b.Expect(0, 0)
	a.Expect(0, 0)
	a.SetRemote(b.Local())
	heard := listenTo(b)
	if _, err := a.media.WriteToUDPAddrPort(nil, b.Local()); err != nil {
		t.Fatal(err)
	}
	a.Write(time.Now(), Head{}, []byte("caller"))
	wait(t, heard)
	if s := b.Stats(); s.Refused != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestIPv6(t *testing.T) {
	ports, err := pool(t, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends []*Conn
	for range 2 {
		c, err := ports.Open(netip.IPv6Loopback())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		c.Expect(0, 0)
		ends = append(ends, c)
	}
	a, b := ends[0], ends[1]
	a.SetRemote(b.Local())
	b.SetRemote(netip.MustParseAddrPort("192.0.2.1:4000")) // of the other family
	if b.Remote().IsValid() {
		t.Error("an address of the other family is sent to")
	}
	heard := listenTo(b)
	back := listenTo(a)
	ours, theirs := certificate(t), certificate(t)
	atB := shakeWith(t, b, srtp.Terms{Identity: theirs, Peer: ours.Fingerprint()})
	atA := shakeWith(t, a, srtp.Terms{Identity: ours, Peer: theirs.Fingerprint(), Active: true})
	if err := errors.Join(atA.wait(t), atB.wait(t)); err != nil {
		t.Fatal(err)
	}
	// The handshake has shown where the peer is, before any sound of it.
	if !b.Write(time.Now(), Head{}, []byte("answer")) {
		t.Fatal("b does not know where to send")
	}
	wait(t, back)
	a.Write(time.Now(), Head{}, []byte("caller"))
	wait(t, heard)
	if b.Remote() != a.Local() {
		t.Errorf("latched onto %v, want %v", b.Remote(), a.Local())
	}
}
