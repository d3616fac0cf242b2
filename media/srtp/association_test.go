package srtp

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flametree/engine/fault"
)

func identity(t testing.TB) *Identity {
	t.Helper()
	i, err := NewIdentity(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// ended is how one side's handshake ended.
type ended struct {
	our, peer Key
	err       error
}

// shake runs a handshake between two associations; carry decides what becomes
// of each datagram.
func shake(a, b *Association, atA, atB Terms) (ended, ended) {
	var x, y ended
	var both sync.WaitGroup
	both.Go(func() { x.our, x.peer, x.err = a.Run(context.Background(), atA) })
	both.Go(func() { y.our, y.peer, y.err = b.Run(context.Background(), atB) })
	both.Wait()
	return x, y
}

// couple joins two associations by a road that loses and swaps by a seed.
func couple(loss float64, seed uint64) (a, b *Association, seen func() [][]byte) {
	var mu sync.Mutex
	var all [][]byte
	rnd := rand.New(rand.NewPCG(seed, 1))
	held := map[**Association][]byte{}
	carry := func(to **Association) func([]byte) {
		return func(datagram []byte) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, bytes.Clone(datagram))
			switch {
			case rnd.Float64() < loss:
			case loss > 0 && held[to] == nil && rnd.IntN(10) == 0:
				held[to] = bytes.Clone(datagram)
			default:
				(*to).Deliver(datagram)
				if h := held[to]; h != nil {
					held[to] = nil
					(*to).Deliver(h)
				}
			}
		}
	}
	a = NewAssociation(carry(&b))
	b = NewAssociation(carry(&a))
	return a, b, func() [][]byte {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func TestTwoSidesAgreeOnKeys(t *testing.T) {
	ours, theirs := identity(t), identity(t)
	a, b, seen := couple(0, 1)
	x, y := shake(a, b, Terms{ours, theirs.Fingerprint(), true}, Terms{theirs, ours.Fingerprint(), false})
	defer a.Close(false)
	defer b.Close(false)
	if x.err != nil || y.err != nil {
		t.Fatal(x.err, y.err)
	}
	if !x.our.Equal(y.peer) || !x.peer.Equal(y.our) || x.our.Equal(x.peer) || x.our.Suite() != AES256GCM {
		t.Errorf("keys of %s and %s do not cross", x.our.Suite(), y.our.Suite())
	}
	for _, datagram := range seen() {
		if !IsDTLS(datagram) || len(datagram) > 1400 {
			t.Errorf("a datagram of %d bytes that begins with %d", len(datagram), datagram[0])
		}
		if bytes.Contains(datagram, x.our.Reveal()[:8]) {
			t.Error("a key went over the road")
		}
	}
}

func TestAHandshakeSurvivesARoughRoad(t *testing.T) {
	ours, theirs := identity(t), identity(t)
	var longest time.Duration
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			a, b, _ := couple(0.1, seed)
			start := time.Now()
			x, y := shake(a, b, Terms{ours, theirs.Fingerprint(), seed%2 == 0}, Terms{theirs, ours.Fingerprint(), seed%2 != 0})
			if x.err != nil || y.err != nil {
				t.Errorf("seed %d: %v, %v", seed, x.err, y.err)
			} else if !x.our.Equal(y.peer) {
				t.Errorf("seed %d: keys do not cross", seed)
			}
			longest = max(longest, time.Since(start))
			a.Close(false)
			b.Close(false)
		})
	}
	t.Logf("figure: 20 handshakes with every tenth datagram lost and every tenth swapped, the longest took %v", longest)
}

func TestAClientHelloThatOvertakesItsSDPWaits(t *testing.T) {
	ours, theirs := identity(t), identity(t)
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := couple(0, 1)
		done := make(chan ended, 1)
		go func() {
			var x ended
			x.our, x.peer, x.err = a.Run(context.Background(), Terms{ours, theirs.Fingerprint(), true})
			done <- x
		}()
		synctest.Wait() // the hello is there
		start := time.Now()
		_, _, err := b.Run(context.Background(), Terms{theirs, ours.Fingerprint(), false})
		if x := <-done; err != nil || x.err != nil {
			t.Fatal(err, x.err)
		}
		if wait := time.Since(start); wait >= firstRepeat {
			t.Errorf("the handshake waited %v for a repetition", wait)
		}
		a.Close(false)
		b.Close(false)
	})
}

func TestAnotherCertificateIsRefused(t *testing.T) {
	ours, theirs, other := identity(t), identity(t), identity(t)
	for name, active := range map[string]bool{"of a server": true, "of a client": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, _ := couple(0, 1)
				x, y := shake(a, b, Terms{ours, other.Fingerprint(), active}, Terms{theirs, ours.Fingerprint(), !active})
				if !errors.Is(x.err, fault.Denied) || x.our.Valid() || x.peer.Valid() {
					t.Errorf("%v, want fault.Denied and no keys", x.err)
				}
				_ = y // it may have finished its half before it was told
				a.Close(false)
				b.Close(false)
			})
		})
	}
}

func TestLongerDigestsAreCheckedToo(t *testing.T) {
	ours, theirs := identity(t), identity(t)
	for _, hash := range []crypto.Hash{crypto.SHA384, crypto.SHA512} {
		sum, err := digest(hash, theirs.certificate.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseFingerprint(Fingerprint{hash: hash, sum: sum}.String())
		if err != nil {
			t.Fatal(err)
		}
		a, b, _ := couple(0, 1)
		x, y := shake(a, b, Terms{ours, f, true}, Terms{theirs, ours.Fingerprint(), false})
		if x.err != nil || y.err != nil {
			t.Errorf("%v: %v, %v", hash, x.err, y.err)
		}
		a.Close(false)
		b.Close(false)
	}
}

func TestASilentPeerIsGivenUp(t *testing.T) {
	ours := identity(t)
	for _, active := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			sent := 0
			a := NewAssociation(func([]byte) { sent++ })
			start := time.Now()
			_, _, err := a.Run(context.Background(), Terms{ours, ours.Fingerprint(), active})
			if took := time.Since(start); !errors.Is(err, fault.Unavailable) || took != Patience {
				t.Errorf("%v after %v, want fault.Unavailable after %v", err, took, Patience)
			}
			if active && (sent < 4 || sent > 10) {
				t.Errorf("%d hellos in %v", sent, Patience)
			}
			if !active && sent != 0 {
				t.Errorf("%d datagrams to nobody", sent)
			}
			a.Close(false)
		})
	}
}

func TestClosingEndsAHandshake(t *testing.T) {
	ours := identity(t)
	synctest.Test(t, func(t *testing.T) {
		a := NewAssociation(func([]byte) {})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() {
			_, _, err := a.Run(ctx, Terms{ours, ours.Fingerprint(), true})
			done <- err
		}()
		synctest.Wait()
		stop()
		if err := <-done; !errors.Is(err, fault.Cancelled) {
			t.Errorf("%v, want fault.Cancelled", err)
		}
		a.Close(true)
		if _, _, err := a.Run(context.Background(), Terms{ours, ours.Fingerprint(), true}); err == nil {
			t.Error("a closed association shakes hands")
		}
	})
}

func TestTermsMustBeWhole(t *testing.T) {
	for name, terms := range map[string]Terms{"no certificate": {Peer: identity(t).Fingerprint()}, "no fingerprint": {Identity: identity(t)}} {
		if _, _, err := NewAssociation(func([]byte) {}).Run(context.Background(), terms); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want fault.Invalid", name, err)
		}
	}
}

// FuzzBeforeTheHandshake delivers a stranger's bytes before and between the
// peer's own. There may be no handshake then, but never keys that differ.
func FuzzBeforeTheHandshake(f *testing.F) {
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true)
	f.Add([]byte{21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40}, false)
	f.Add([]byte{20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1}, true)
	f.Add([]byte{23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 255, 255}, false)
	ours, theirs := identity(f), identity(f)
	f.Fuzz(func(t *testing.T, in []byte, active bool) {
		if len(in) > 1500 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			var a, b *Association
			a = NewAssociation(func(p []byte) { b.Deliver(in); b.Deliver(p) })
			b = NewAssociation(func(p []byte) { a.Deliver(p); a.Deliver(in) })
			a.Deliver(in)
			x, y := shake(a, b, Terms{ours, theirs.Fingerprint(), active}, Terms{theirs, ours.Fingerprint(), !active})
			if x.err == nil && y.err == nil && (!x.our.Equal(y.peer) || !y.our.Equal(x.peer)) {
				t.Error("keys do not cross")
			}
			if (x.err != nil) == x.our.Valid() || (y.err != nil) == y.our.Valid() {
				t.Errorf("keys without a handshake or the other way round: %v, %v", x.err, y.err)
			}
			a.Close(false)
			b.Close(false)
		})
	})
}

func BenchmarkHandshake(b *testing.B) {
	ours, theirs := identity(b), identity(b)
	b.ReportAllocs()
	for b.Loop() {
		x, y, _ := couple(0, 1)
		if p, q := shake(x, y, Terms{ours, theirs.Fingerprint(), true}, Terms{theirs, ours.Fingerprint(), false}); p.err != nil || q.err != nil {
			b.Fatal(p.err, q.err)
		}
		x.Close(true)
		y.Close(true)
	}
}
