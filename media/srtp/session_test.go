package srtp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"flametree/engine/fault"
)

// rtpPacket is a PCMU packet with its sequence number in every byte pair.
func rtpPacket(ssrc uint32, seq uint16, stamp uint32) []byte {
	b := make([]byte, headerSize+160, headerSize+160+Overhead)
	b[0] = 0x80
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], stamp)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	for i := headerSize; i < len(b); i += 2 {
		binary.BigEndian.PutUint16(b[i:], seq)
	}
	return b
}

// pair is two sessions that share keys.
func pair(t testing.TB, s Suite) (a, b *Session) {
	t.Helper()
	a, b = new(Session), new(Session)
	rekey(t, a, b, s, time.Unix(1000, 0))
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	return a, b
}

func key(t testing.TB, s Suite) (mine, theirs Key) {
	t.Helper()
	mine, err := Generate(s)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = NewKey(s, mine.Reveal()) // each session wipes its own
	if err != nil {
		t.Fatal(err)
	}
	return mine, theirs
}

func rekey(t testing.TB, a, b *Session, s Suite, now time.Time) {
	t.Helper()
	out, outThere := key(t, s)
	in, inThere := key(t, s)
	if err := errors.Join(a.Rekey(out, in, now), b.Rekey(inThere, outThere, now)); err != nil {
		t.Fatal(err)
	}
}

var now = time.Unix(1001, 0)

func open(s *Session, sealed []byte) []byte { return s.Open(make([]byte, 0, 1500), sealed, now) }

func TestWhatIsSealedIsOpenedAndNothingElse(t *testing.T) {
	for _, suite := range Suites() {
		t.Run(string(suite), func(t *testing.T) {
			a, b := pair(t, suite)
			plain := rtpPacket(7, 1, 160)
			sealed := bytes.Clone(a.Seal(bytes.Clone(plain)))
			if bytes.Contains(sealed, plain[headerSize:headerSize+8]) {
				t.Fatal("the payload is in clear")
			}
			if open(b, plain) != nil {
				t.Error("a plain packet got in")
			}
			for i := range sealed {
				forged := bytes.Clone(sealed)
				forged[i] ^= 1
				if open(b, forged) != nil {
					t.Errorf("byte %d may be changed", i)
				}
			}
			for n := range sealed {
				if open(b, sealed[:n]) != nil {
					t.Errorf("%d bytes of %d are enough", n, len(sealed))
				}
			}
			if open(a, sealed) != nil {
				t.Error("we open our own packets: a mirror would speak to us")
			}
			if got := open(b, sealed); !bytes.Equal(got, plain) {
				t.Fatalf("opened: %x", got)
			}
			if open(b, sealed) != nil {
				t.Error("a packet was opened twice")
			}
		})
	}
}

func TestReportsAreSealedToo(t *testing.T) {
	report := []byte{0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 202, 0, 2, 0, 0, 0, 7, 1, 2, 'm', 'e'}
	for _, suite := range Suites() {
		t.Run(string(suite), func(t *testing.T) {
			a, b := pair(t, suite)
			sealed := a.SealControl(report)
			if len(sealed) > len(report)+Overhead || bytes.Contains(sealed, []byte("me")) {
				t.Fatalf("sealed: %x", sealed)
			}
			if b.OpenControl(report, now) != nil {
				t.Error("a plain report got in")
			}
			for i := range sealed {
				forged := bytes.Clone(sealed)
				forged[i] ^= 1
				if b.OpenControl(forged, now) != nil {
					t.Errorf("byte %d may be changed", i)
				}
			}
			if got := b.OpenControl(sealed, now); !bytes.Equal(got, report) {
				t.Fatalf("opened: %x", got)
			}
			if b.OpenControl(sealed, now) != nil {
				t.Error("a report was opened twice")
			}
			rekey(t, a, b, suite, now)
			if got := b.OpenControl(a.SealControl(report), now); !bytes.Equal(got, report) {
				t.Error("no report after a change of keys")
			}
		})
	}
}

// road drops one packet in a hundred and lets others come up to ten late.
type rough struct {
	rnd  *rand.Rand
	held [][]byte
}

func (r *rough) carry(b []byte) [][]byte {
	switch r.rnd.IntN(100) {
	case 0:
		return nil
	case 1, 2, 3:
		r.held = append(r.held, b)
		return nil
	}
	out := [][]byte{b}
	if len(r.held) > 0 && r.rnd.IntN(10) == 0 {
		out, r.held = append(out, r.held...), nil
	}
	return out
}

func TestTheRollOverCounterSurvivesLossAndReorder(t *testing.T) {
	for suite, packets := range map[Suite]int{AES128CM80: 10_000, AES128GCM: 75_000} {
		t.Run(string(suite), func(t *testing.T) {
			a, b := pair(t, suite)
			road := rough{rnd: rand.New(rand.NewPCG(11, 4))}
			carried, opened := 0, 0
			for n := range packets {
				for _, sealed := range road.carry(a.Seal(rtpPacket(7, uint16(60_000+n), uint32(n)*160))) {
					carried++
					if open(b, sealed) != nil {
						opened++
					}
				}
			}
			if opened != carried {
				t.Errorf("%d of %d packets were opened", opened, carried)
			}
			t.Logf("figure: %s: %d of %d packets opened over the end of the sequence numbers", suite, opened, carried)
		})
	}
}

func TestAPacketLaterThanTheWindowIsDropped(t *testing.T) {
	a, b := pair(t, AES128CM80)
	late, tooLate := a.Seal(rtpPacket(7, 50, 0)), a.Seal(rtpPacket(7, 40, 0))
	for n := range uint16(window) {
		if open(b, a.Seal(rtpPacket(7, 51+n, 0))) == nil {
			t.Fatalf("packet %d was not opened", n)
		}
	}
	if open(b, tooLate) != nil {
		t.Error("older than the window, and nobody knows whether it came before")
	}
	if open(b, a.Seal(rtpPacket(7, 51+window-100, 1))) != nil {
		t.Error("an index was taken twice")
	}
	_ = late
}

func TestNoPacketIsLostWhenKeysChange(t *testing.T) {
	for name, begin := range map[string]uint16{
		"in the first round of the counter": 1000, "after the counter rolled over": 65_000, "while it rolls over": 65_536 - 1002,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, AES128CM80)
			seq := begin
			send := func() []byte {
				seq++
				return a.Seal(rtpPacket(7, seq, 0))
			}
			for range 1000 {
				if open(b, send()) == nil {
					t.Fatal("lost before anything changed")
				}
			}
			under := [][]byte{send(), send(), send()} // under way
			rekey(t, a, b, AES256GCM, now)
			over := [][]byte{send(), send(), send(), send()}
			for i, sealed := range [][]byte{under[0], over[0], under[2], over[2], under[1], over[1], over[3]} {
				if b.Open(make([]byte, 0, 1500), sealed, now.Add(Grace/2)) == nil {
					t.Errorf("packet %d of the change was lost", i)
				}
			}
			for _, sealed := range append(under, over...) {
				if open(b, sealed) != nil {
					t.Error("a packet was opened twice")
				}
			}
		})
	}
}

func TestTheFormerKeyIsForgottenInTime(t *testing.T) {
	a, b := pair(t, AES128CM80)
	open(b, a.Seal(rtpPacket(7, 1, 0)))
	old := a.Seal(rtpPacket(7, 2, 0))
	former := b.in.key
	rekey(t, a, b, AES128CM80, now)
	if b.Open(make([]byte, 0, 1500), old, now.Add(Grace)) != nil {
		t.Error("the former key was used for too long")
	}
	if !bytes.Equal(former.Reveal(), make([]byte, AES128CM80.Len())) {
		t.Error("the former key is still in memory")
	}
}

func TestAPeerThatCountsAnewIsHeard(t *testing.T) {
	a, b := pair(t, AES128CM80)
	for n := range 10_000 {
		open(b, a.Seal(rtpPacket(7, uint16(60_000+n), 0)))
	}
	anew := new(Session) // with the same SSRC, but without what a knew
	rekey(t, anew, b, AES128CM80, now)
	for n := range uint16(10) {
		if open(b, anew.Seal(rtpPacket(7, 40_000+n, 0))) == nil {
			t.Errorf("packet %d was lost", n)
		}
	}
}

func TestTheSameKeysAgainChangeNothing(t *testing.T) {
	a, b := new(Session), new(Session)
	mine, theirs := key(t, AES128GCM)
	back, backThere := key(t, AES128GCM)
	again := func() {
		for s, k := range map[*Session][2]Key{a: {mine, back}, b: {backThere, theirs}} {
			first, _ := NewKey(AES128GCM, k[0].Reveal())
			second, _ := NewKey(AES128GCM, k[1].Reveal())
			if err := s.Rekey(first, second, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	again()
	first := bytes.Clone(a.Seal(rtpPacket(7, 500, 0)))
	for n := range 1 << 16 {
		open(b, a.Seal(rtpPacket(7, uint16(501+n), 0)))
	}
	recent := bytes.Clone(a.Seal(rtpPacket(7, 700, 0)))
	open(b, recent)
	again() // a re-INVITE that changes something else
	if open(b, recent) != nil {
		t.Error("the same keys again opened a packet twice")
	}
	second := a.Seal(rtpPacket(7, 701, 0))
	if open(b, second) == nil {
		t.Error("the same keys again cut the sound")
	}
	if open(b, first) != nil {
		t.Error("the same keys again forgot what had been seen")
	}
	anew := a.Seal(rtpPacket(7, 500, 0)) // same key, same number, one round later
	if bytes.Equal(anew[headerSize:50], first[headerSize:50]) {
		t.Error("two packets were sealed with the same key stream")
	}
}

func TestGoingBackToAKeyRemembersWhatWasSeen(t *testing.T) {
	a, b := pair(t, AES128CM80)
	out, in := a.out.key.Reveal(), a.in.key.Reveal()
	sealed := a.Seal(rtpPacket(7, 1, 0))
	open(b, sealed)
	rekey(t, a, b, AES128CM80, now)
	open(b, a.Seal(rtpPacket(7, 2, 0)))
	our, _ := NewKey(AES128CM80, in)
	peer, _ := NewKey(AES128CM80, out)
	if err := b.Rekey(our, peer, now); err != nil {
		t.Fatal(err)
	}
	if open(b, sealed) != nil {
		t.Error("a packet was opened twice")
	}
}

func TestAPeerMayChangeItsSource(t *testing.T) {
	a, b := pair(t, AES128CM80)
	for n := range uint32(5) {
		for seq := range uint16(20) {
			if open(b, a.Seal(rtpPacket(100+n, n16(n)+seq, 0))) == nil {
				t.Errorf("source %d, packet %d was lost", n, seq)
			}
		}
	}
}

func n16(n uint32) uint16 { return uint16(n * 13_000) }

func TestSourcesWithoutEndHoldNoMemory(t *testing.T) {
	a, b := pair(t, AES128GCM)
	if open(b, a.Seal(rtpPacket(1, 1, 0))) == nil {
		t.Fatal("the first packet was lost")
	}
	for n := range uint32(5000) {
		open(b, a.Seal(rtpPacket(1000+n, 1, 0)))
		b.OpenControl(a.SealControl([]byte{0x80, 201, 0, 1, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), now)
	}
	if len(b.in.sources) > maxSources {
		t.Errorf("%d replay windows are held, at most %d should be", len(b.in.sources), maxSources)
	}
	if open(b, a.Seal(rtpPacket(1, 2, 0))) == nil {
		t.Error("the call itself is not heard any more")
	}
}

func TestOneKeyForBothWaysIsRefused(t *testing.T) {
	mine, theirs := key(t, AES128CM80)
	s := new(Session)
	if err := s.Rekey(mine, theirs, now); !errors.Is(err, fault.Invalid) {
		t.Errorf("%v, want fault.Invalid", err)
	}
	if s.CanSeal() {
		t.Error("and used all the same")
	}
}

func TestWithoutAKeyNothingPasses(t *testing.T) {
	s := new(Session)
	if s.CanSeal() || s.Seal(rtpPacket(1, 1, 0)) != nil || s.SealControl([]byte{0x80, 201, 0, 1, 0, 0, 0, 7}) != nil {
		t.Error("something was sealed")
	}
	if open(s, rtpPacket(1, 1, 0)) != nil || s.OpenControl([]byte{0x80, 201, 0, 1, 0, 0, 0, 7}, now) != nil {
		t.Error("something was opened")
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

func TestSealingCostsNoMemory(t *testing.T) {
	for _, suite := range Suites() {
		a, b := pair(t, suite)
		packet, dst := rtpPacket(7, 0, 0), make([]byte, 0, 1500)
		seq, lost := uint16(0), 0
		if n := testing.AllocsPerRun(500, func() {
			seq++
			binary.BigEndian.PutUint16(packet[2:], seq)
			if b.Open(dst, a.Seal(packet[:headerSize+160]), now) == nil {
				lost++
			}
		}); n > pooled() || lost != 0 {
			t.Errorf("%s: %v allocations for a packet sealed and opened, %d lost", suite, n, lost)
		}
	}
}

func TestASealedCallHoldsLittleMemory(t *testing.T) {
	const calls = 200
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for _, suite := range []Suite{AES128CM80, AES256GCM} {
		held := make([]*Session, 0, calls)
		before := heap()
		for range calls / 2 {
			a, b := pair(t, suite)
			open(b, a.Seal(rtpPacket(7, 1, 0)))
			open(a, b.Seal(rtpPacket(8, 1, 0)))
			held = append(held, a, b)
		}
		each := (heap() - before) / calls
		if each > 24<<10 {
			t.Errorf("%s: %d bytes a call", suite, each)
		}
		t.Logf("figure: %s: %d bytes a sealed call", suite, each)
		runtime.KeepAlive(held)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte{0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4})
	f.Add([]byte{0x9F, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0xBE, 0xDE, 0xFF, 0xFF})
	f.Add(bytes.Repeat([]byte{0x80, 201}, 60))
	sessions := map[Suite]*Session{}
	for _, suite := range Suites() {
		_, b := pair(f, suite)
		sessions[suite] = b
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		for suite, s := range sessions {
			if open(s, in) != nil || s.OpenControl(in, now) != nil {
				t.Fatalf("%s: a forgery got in", suite)
			}
			if len(s.in.sources) > 0 {
				t.Fatal("a forgery left something behind")
			}
		}
		if !bytes.Equal(in, before) {
			t.Fatal("the packet was changed")
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	for _, suite := range Suites() {
		b.Run(string(suite), func(b *testing.B) {
			x, y := pair(b, suite)
			packet, dst, seq := rtpPacket(7, 0, 0), make([]byte, 0, 1500), uint16(0)
			b.ReportAllocs()
			for b.Loop() {
				seq++
				binary.BigEndian.PutUint16(packet[2:], seq)
				y.Open(dst, x.Seal(packet[:headerSize+160]), now)
			}
		})
	}
}
