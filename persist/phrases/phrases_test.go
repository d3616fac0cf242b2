package phrases

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
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

func made(t testing.TB, dir string, opt Options) *Store {
	t.Helper()
	s, err := Open(dir, opt)
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

func TestAPhraseIsThereAfterARestartWithItsWords(t *testing.T) {
	dir := t.TempDir()
	s := made(t, dir, Options{})
	if _, ok := s.Get(key(1, 1)); ok {
		t.Fatal("an empty cache has a phrase")
	}
	s.Put(key(1, 1), hello(32000))
	shut(t, s)
	s = made(t, dir, Options{})
	defer shut(t, s)
	if got, ok := s.Get(key(1, 1)); !ok || !reflect.DeepEqual(got, hello(32000)) {
		t.Errorf("there: %v, %d samples at %d Hz, %v", ok, len(got.PCM), got.RateHz, got.Words)
	}
	if _, ok := s.Get(key(2, 1)); ok {
		t.Error("another tenant has it too")
	}
}

func TestATenantIsDroppedWithAllItsPhrases(t *testing.T) {
	s := made(t, t.TempDir(), Options{})
	defer shut(t, s)
	for n := range byte(5) {
		s.Put(key(1, n), hello(100))
		s.Put(key(2, n), hello(100))
	}
	if err := s.Drop(tenant.ID{1}); err != nil {
		t.Fatal(err)
	}
	for n := range byte(5) {
		if _, ok := s.Get(key(1, n)); ok {
			t.Errorf("phrase %d is still there", n)
		}
		if _, ok := s.Get(key(2, n)); !ok {
			t.Errorf("phrase %d of another tenant is gone", n)
		}
	}
}

func TestWhatIsOldIsGone(t *testing.T) {
	s := made(t, t.TempDir(), Options{TTL: time.Second})
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
	s := made(t, t.TempDir(), Options{Most: 1 << 20})
	defer shut(t, s)
	for n := range byte(20) {
		s.Put(key(1, n), hello(50_000)) // 100 kB
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

// No text, voice or sound can be read in the folder without the key.
func TestNothingIsReadableAtRest(t *testing.T) {
	dir := t.TempDir()
	s := made(t, dir, Options{})
	p := hello(4000)
	p.Words[0].Text = "Harbourhotel"
	s.Put(key(1, 1), p)
	shut(t, s)
	sound := encode(p)[200:400]
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if files++; bytes.Contains(b, []byte("Harbourhotel")) || bytes.Contains(b, sound) {
			t.Errorf("%s tells what was said", filepath.Base(path))
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("%v: %d files", err, files)
	}
}

func TestADamagedCacheIsThrownAwayAndNeverStopsAnything(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, dir string){
		"a manifest of rubbish": func(t *testing.T, dir string) { spoil(t, filepath.Join(dir, "db", "MANIFEST")) },
		"all files of rubbish": func(t *testing.T, dir string) {
			all, err := filepath.Glob(filepath.Join(dir, "db", "*"))
			if err != nil || len(all) == 0 {
				t.Fatal(err)
			}
			for _, f := range all {
				spoil(t, f)
			}
		},
		"a key of rubbish": func(t *testing.T, dir string) { spoil(t, filepath.Join(dir, "key")) },
		"another key":      func(t *testing.T, dir string) { write(t, filepath.Join(dir, "key"), make([]byte, keySize)) },
		"no key":           func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "key")) },
		"a file in its place": func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "db"))
			write(t, filepath.Join(dir, "db"), []byte("x"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tts")
			s := made(t, dir, Options{})
			s.Put(key(1, 1), hello(2000))
			shut(t, s)
			harm(t, dir)
			s = made(t, dir, Options{})
			defer shut(t, s)
			if p, ok := s.Get(key(1, 1)); ok && !slices.Equal(p.PCM, hello(2000).PCM) {
				t.Error("something else is said")
			}
			s.Put(key(1, 2), hello(300))
			if _, ok := s.Get(key(1, 2)); !ok {
				t.Error("nothing can be kept any more")
			}
		})
	}
}

func spoil(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("rubbish "), 100)) }

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// A phrase that was put in another's place is not said.
func TestAPhraseIsBoundToItsName(t *testing.T) {
	s := made(t, t.TempDir(), Options{})
	defer shut(t, s)
	nonce := make([]byte, s.seal.NonceSize())
	sealed := s.seal.Seal(nonce, nonce, encode(hello(100)), row(key(1, 1)))
	if _, err := s.open(row(key(1, 1)), sealed); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"cut": sealed[:20], "empty": nil} {
		if _, err := s.open(row(key(1, 1)), b); err == nil {
			t.Errorf("%s: it is opened", name)
		}
	}
	if _, err := s.open(row(key(1, 2)), sealed); err == nil {
		t.Error("it is opened under another name")
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
	s := made(b, b.TempDir(), Options{})
	defer shut(b, s)
	s.Put(key(1, 1), hello(3*16000))
	for b.Loop() {
		if _, ok := s.Get(key(1, 1)); !ok {
			b.Fatal("not there")
		}
	}
}
