package phrases

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"flametree/engine/provider"
	"flametree/engine/provider/phrases"
	"flametree/engine/tenant"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

func made(t testing.TB, opt Options) *Store {
	t.Helper()
	s, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shut(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func key(tn, n byte) phrases.Key {
	return phrases.Key{Tenant: tenant.ID{tn}, Sum: [32]byte{n}}
}

func hello(n int) phrases.Phrase {
	p := phrases.Phrase{RateHz: 16000, PCM: make([]int16, n), Words: []provider.Word{{Text: "Hello,", Start: 0, End: 400 * time.Millisecond}}}
	for i := range p.PCM {
		p.PCM[i] = int16(i * 7)
	}
	return p
}

func TestAPhraseIsThereWithItsWords(t *testing.T) {
	s := made(t, Options{})
	defer shut(t, s)
	if _, ok := s.Get(key(1, 1)); ok {
		t.Fatal("an empty cache has a phrase")
	}
	s.Put(key(1, 1), hello(32000))
	if got, ok := s.Get(key(1, 1)); !ok || !reflect.DeepEqual(got, hello(32000)) {
		t.Errorf("there: %v, %d samples at %d Hz, %v", ok, len(got.PCM), got.RateHz, got.Words)
	}
	if _, ok := s.Get(key(2, 1)); ok {
		t.Error("another tenant has it too")
	}
	s.Put(key(1, 1), hello(100))
	if got, ok := s.Get(key(1, 1)); !ok || !reflect.DeepEqual(got, hello(100)) {
		t.Errorf("put anew: %v, %d samples", ok, len(got.PCM))
	}
}

func TestFewAreKeptAsTheyAreSaid(t *testing.T) {
	s := made(t, Options{})
	defer shut(t, s)
	for n := range byte(40) {
		s.Put(key(1, n), hello(200_000)) // 400 kB
		for range 2 {
			if _, ok := s.Get(key(1, n)); !ok {
				t.Fatal("not there")
			}
		}
		size := 0
		for _, l := range s.recent.kept {
			size += 2 * len(l.phrase.PCM)
		}
		if size != s.recent.bytes || size == 0 || size > mostRecent {
			t.Fatalf("%d bytes, and %d are counted", size, s.recent.bytes)
		}
	}
	s.Put(key(1, 39), hello(1))
	if len(s.recent.kept) == 0 || s.recent.bytes != 400_000*len(s.recent.kept) {
		t.Errorf("%d phrases of %d bytes", len(s.recent.kept), s.recent.bytes)
	}
	now := time.Now()
	s.recent.put(key(2, 1), hello(1), now)
	for wait, want := range map[time.Duration]bool{0: true, 1: false} {
		s.recent.put(key(2, 1), hello(1), now)
		if _, ok := s.recent.get(key(2, 1), now.Add(wait)); ok != want {
			t.Errorf("%v after its time it is there: %v", wait, ok)
		}
	}
}

func TestWhatIsOldIsGone(t *testing.T) {
	s := made(t, Options{TTL: time.Second})
	defer shut(t, s)
	s.Put(key(1, 1), hello(100))
	gone := func() bool { _, ok := s.Get(key(1, 1)); return !ok }
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		if <-tick.C; gone() {
			return
		}
	}
	t.Error("five seconds later it is still there")
}

func TestTheCacheStaysWithinItsBounds(t *testing.T) {
	s := made(t, Options{Most: 1 << 20})
	defer shut(t, s)
	for n := range byte(20) {
		s.Put(key(1, n), hello(50_000)) // 100 kB
		s.Get(key(1, n))
	}
	there := 0
	for n := range byte(20) {
		if _, ok := s.Get(key(1, n)); ok {
			there++
		}
	}
	if _, newest := s.Get(key(1, 19)); !newest || there > 10 {
		t.Errorf("%d of 20 phrases of 100 kB are in 1 MB; the newest: %v", there, newest)
	}
	s.Put(key(1, 99), hello(1<<20))
	if _, ok := s.Get(key(1, 99)); ok {
		t.Error("a phrase of 2 MB is kept")
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := phrases.Phrase{RateHz: rapid.IntRange(1, 192_000).Draw(rt, "rate")}
		p.PCM = rapid.SliceOf(rapid.Int16()).Draw(rt, "samples")
		for range rapid.IntRange(0, 5).Draw(rt, "words") {
			p.Words = append(p.Words, provider.Word{
				Text: rapid.String().Draw(rt, "word"), Start: time.Duration(rapid.Int64().Draw(rt, "start")), End: time.Duration(rapid.Int64().Draw(rt, "end")),
			})
		}
		got, err := decode(encode(p))
		if err != nil || got.RateHz != p.RateHz || !slices.Equal(got.PCM, p.PCM) || !slices.Equal(got.Words, p.Words) {
			rt.Fatalf("%v: got %+v, want %+v", err, got, p)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(encode(hello(4)))
	f.Add([]byte{version, 1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{version, 0x80, 0x7d, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decode(b)
		if err != nil {
			return
		}
		if again, err := decode(encode(p)); err != nil || !slices.Equal(again.PCM, p.PCM) || len(again.Words) != len(p.Words) {
			t.Fatalf("%v: %+v and %+v", err, p, again)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	s := made(b, Options{})
	defer shut(b, s)
	s.Put(key(1, 1), hello(3*16000))
	for b.Loop() {
		if _, ok := s.Get(key(1, 1)); !ok {
			b.Fatal("not there")
		}
	}
}
