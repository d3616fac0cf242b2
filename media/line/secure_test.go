package line

import (
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/pacer"
	"flametree/media/rtp"
	"flametree/media/sip"
	"flametree/media/srtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// told is a log that tells when something is written.
type told chan string

func (w told) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}

func maker(t *testing.T) Maker {
	t.Helper()
	ports, err := rtp.NewPool(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	wheel := pacer.New(pacer.Options{})
	t.Cleanup(func() { _ = wheel.Close() })
	identity, err := srtp.NewIdentity(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return Maker{Ports: ports, Wheel: wheel, Identity: identity}
}

// call is what signalling agrees on for PCMU on the loopback.
func call(s sip.Security) sip.MediaParams {
	return sip.MediaParams{
		Codec: "PCMU", DTMFType: none, NoiseType: none, Direction: "sendrecv", PtimeMS: 20,
		Local: netip.MustParseAddr("127.0.0.1"), Security: s,
	}
}

func opened(t *testing.T, m Maker, p sip.MediaParams) *media {
	t.Helper()
	made, err := m.New(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Close() })
	return made.(*media)
}

// talk joins two media as their SDPs say, and waits until both hear.
func talk(t *testing.T, a, b *media, atA, atB sip.MediaParams) {
	t.Helper()
	atA.Remote = netip.AddrPortFrom(atA.Local, uint16(b.Port()))
	atB.Remote = netip.AddrPortFrom(atB.Local, uint16(a.Port()))
	for _, m := range []*media{a, b} {
		m.Leg().Start(func(actors.Fact) {})
	}
	if err := errors.Join(a.Renegotiate(atA), b.Renegotiate(atB)); err != nil {
		t.Fatal(err)
	}
	before := []uint64{a.conn.Stats().Received, b.conn.Stats().Received}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		if a.conn.Stats().Received > before[0]+3 && b.conn.Stats().Received > before[1]+3 {
			return
		}
		<-tick.C
	}
	t.Fatalf("nothing is heard: %+v, %+v", a.conn.Stats(), b.conn.Stats())
}

func sdesOf(suite srtp.Suite, our, peer byte) sip.Security {
	fill := func(b byte) []byte { return []byte(strings.Repeat(string(rune(b)), suite.Len())) }
	return sip.Security{Kind: "sdes", Suite: string(suite), OurKey: fill(our), PeerKey: fill(peer)}
}

func TestWhatSignallingAgreedOnIsDone(t *testing.T) {
	m := maker(t)
	half := sdesOf(srtp.AES128CM80, 'a', 'b')
	half.PeerKey = nil
	a, b := opened(t, m, call(half)), opened(t, m, call(sip.Security{Kind: "dtls"}))
	if !a.conn.Sealed() || !b.conn.Sealed() {
		t.Fatal("plain before the answer")
	}
	talk(t, a, b, call(sdesOf(srtp.AES128CM80, 'a', 'b')), call(sdesOf(srtp.AES128CM80, 'b', 'a')))
	talk(t, a, b, call(sdesOf(srtp.AES256GCM, 'c', 'd')), call(sdesOf(srtp.AES256GCM, 'd', 'c'))) // a re-INVITE
	print := m.Identity.Fingerprint().String()
	talk(t, a, b, call(sip.Security{Kind: "dtls", PeerFingerprint: print, Active: true}), call(sip.Security{Kind: "dtls", PeerFingerprint: print}))
	for _, end := range []*media{a, b} {
		// One side changes before the other: a packet may be on the way at each change.
		if s := end.conn.Stats(); s.Refused > 3 {
			t.Errorf("stats %+v", s)
		}
	}
}

func TestASealedCallDoesNotBecomePlain(t *testing.T) {
	m := maker(t)
	a := opened(t, m, call(sdesOf(srtp.AES128CM80, 'a', 'b')))
	if err := a.Renegotiate(call(sip.Security{})); !errors.Is(err, fault.Denied) {
		t.Errorf("%v, want fault.Denied", err)
	}
}

func TestAPlainCallMayBeSealed(t *testing.T) {
	m := maker(t)
	a, b := opened(t, m, call(sip.Security{})), opened(t, m, call(sip.Security{}))
	talk(t, a, b, call(sip.Security{}), call(sip.Security{}))
	talk(t, a, b, call(sdesOf(srtp.AES128GCM, 'a', 'b')), call(sdesOf(srtp.AES128GCM, 'b', 'a')))
}

func TestWhatCannotBeSealedIsRefused(t *testing.T) {
	short := sdesOf(srtp.AES128CM80, 'a', 'b')
	short.PeerKey = short.PeerKey[1:]
	mirrored := sdesOf(srtp.AES128CM80, 'a', 'a')
	for name, s := range map[string]sip.Security{
		"another kind": {Kind: "zrtp"}, "no suite": {Kind: "sdes", OurKey: make([]byte, 30)},
		"a short key": short, "our own key": mirrored,
		"a weak fingerprint": {Kind: "dtls", PeerFingerprint: "sha-1 AB:CD"},
	} {
		m := maker(t)
		made, err := m.New(call(s))
		if !errors.Is(err, fault.Invalid) || made != nil {
			t.Errorf("%s: %v, want fault.Invalid", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "aaaa") || strings.Contains(err.Error(), "97 97")) {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
	m := maker(t)
	m.Identity = nil
	if _, err := m.New(call(sip.Security{Kind: "dtls"})); !errors.Is(err, fault.Invalid) {
		t.Errorf("DTLS without a certificate: %v, want fault.Invalid", err)
	}
}

func TestAHandshakeWithSomebodyElseIsTold(t *testing.T) {
	warned := make(told, 10)
	m, other := maker(t), maker(t)
	m.Log = slog.New(slog.NewTextHandler(warned, nil))
	a, b := opened(t, m, call(sip.Security{Kind: "dtls"})), opened(t, other, call(sip.Security{Kind: "dtls"}))
	ended := make(chan actors.Fact, 10)
	a.Leg().Start(func(f actors.Fact) { ended <- f })
	b.Leg().Start(func(actors.Fact) {})
	print := m.Identity.Fingerprint().String() // not that of the other
	atA, atB := call(sip.Security{Kind: "dtls", PeerFingerprint: print, Active: true}), call(sip.Security{Kind: "dtls", PeerFingerprint: print})
	atA.Remote = netip.AddrPortFrom(atA.Local, uint16(b.Port()))
	atB.Remote = netip.AddrPortFrom(atB.Local, uint16(a.Port()))
	if err := errors.Join(a.Renegotiate(atA), b.Renegotiate(atB)); err != nil {
		t.Fatal(err)
	}
	select {
	case log := <-warned:
		if !strings.Contains(log, "level=WARN") || !strings.Contains(log, "certificate") {
			t.Errorf("the log says %q", log)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told")
	}
	select {
	case f := <-ended:
		if f.Kind != actors.FactLineEnded || f.Reason != "media_lost" {
			t.Errorf("the first that the call hears is %v, want that it ended", f)
		}
	case <-time.After(10 * time.Second):
		t.Error("the call goes on")
	}
	if err := errors.Join(b.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	if a.conn.Stats().Sent != 0 {
		t.Error("and something was sent to them")
	}
}

func TestAnAddressOutsideANATIsNotBoundTo(t *testing.T) {
	m := maker(t)
	p := call(sip.Security{})
	for _, outside := range []string{"203.0.113.9", "2001:db8::9"} {
		p.Local = netip.MustParseAddr(outside)
		a := opened(t, m, p)
		if a.Port() == 0 || a.conn.Local().Addr().Unmap().Is4() != p.Local.Is4() {
			t.Errorf("%s: bound to %v", outside, a.conn.Local())
		}
	}
}
