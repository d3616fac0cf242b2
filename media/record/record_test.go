package record

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/media/wav"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errFull = errors.New("no space left on device")

func writeFile(path string, b []byte) error { return os.WriteFile(path, b, 0o600) }

// disk is a file in memory that can be full or slow.
type disk struct {
	mu     sync.Mutex
	b      []byte
	full   bool
	slow   time.Duration
	writes int
	closed bool
}

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	slow := d.slow
	d.mu.Unlock()
	if slow > 0 {
		<-time.After(slow)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full {
		return 0, errFull
	}
	if end := int(off) + len(p); end > len(d.b) {
		d.b = append(d.b, make([]byte, end-len(d.b))...)
	}
	d.writes++
	return copy(d.b[off:], p), nil
}

func (d *disk) Close() error { d.closed = true; return nil }

func (d *disk) set(full bool, slow time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.slow = full, slow
}

// read opens what the disk holds now, closed or not.
func (d *disk) read(t testing.TB) wav.Audio {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	return opened(t, d.b)
}

func opened(t testing.TB, b []byte) wav.Audio {
	t.Helper()
	table, err := readTable(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(bytes.NewReader(b), table, "call", unlock)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(table.pieces); n > 0 {
		s.data = table.pieces[n-1].end()
	}
	s.header = wav.Header(table.rateHz, channels, s.data)
	a, err := wav.Read(s, wav.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// unlock gives the key of the tests, which is known to everybody.
func unlock([]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func sealOf(t testing.TB) Seal {
	t.Helper()
	key, err := unlock(nil)
	if err != nil {
		t.Fatal(err)
	}
	return Seal{AEAD: key, Head: []byte("a head"), Name: "call"}
}

func frame(v int16) []int16 { return slices.Repeat([]int16{v}, 160) }

func begin(t testing.TB, d *disk) (*Spool, *Tape) {
	t.Helper()
	s := New()
	tape, err := s.Use("spool/x", d, 0, sealOf(t))
	if err != nil {
		t.Fatal(err)
	}
	return s, tape
}

func TestBothSidesInTheirPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		s, tape := begin(t, d)
		defer s.Close()
		tape.Frame(frame(100), frame(-200))
		tape.Frame(nil, frame(7))
		tape.Frame(frame(8)[:10], nil)
		got, err := tape.Close()
		if err != nil {
			t.Fatal(err)
		}
		a := d.read(t)
		left := slices.Concat(frame(100), frame(0), frame(8)[:10], frame(0)[10:])
		right := slices.Concat(frame(-200), frame(7), frame(0))
		if a.RateHz != 8000 || a.Channels != 2 || !slices.Equal(a.Channel(0), left) || !slices.Equal(a.Channel(1), right) {
			t.Error("the samples are not where they were put")
		}
		if got.Path != "spool/x" || got.Length != 60*time.Millisecond || got.Bytes != int64(wav.HeaderSize+4*len(left)) || got.SHA256 != sha256.Sum256(d.b) || got.Cut || got.Dropped != 0 || got.RateHz != 8000 {
			t.Errorf("described as %+v", got)
		}
		again, err := tape.Close()
		if err != nil || again != got || !d.closed {
			t.Errorf("closed twice: %+v, %v", again, err)
		}
		tape.Frame(frame(1), frame(1))
	})
}

func TestTheFileIsValidAfterEachFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		s, tape := begin(t, d)
		defer s.Close()
		if a := d.read(t); len(a.PCM) != 0 {
			t.Errorf("%d samples before the first frame", len(a.PCM))
		}
		for n := range 100 {
			tape.Frame(frame(int16(n)), nil)
			<-time.After(20 * time.Millisecond)
			synctest.Wait()
			a := d.read(t)
			if frames := len(a.PCM) / 320; frames < n+1-26 {
				t.Fatalf("after frame %d the file holds %d: more than half a second is in memory", n+1, frames)
			}
		}
		if _, err := tape.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestASlowDiskCostsFramesNotTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		s, tape := begin(t, d)
		defer s.Close()
		d.set(false, 4*time.Second)
		for n := range 400 {
			before := time.Now()
			tape.Frame(frame(int16(n+1)), frame(int16(n+1)))
			if passed := time.Since(before); passed > 0 {
				t.Fatalf("Frame blocked for %v", passed)
			}
			<-time.After(20 * time.Millisecond)
		}
		d.set(false, 0)
		<-time.After(10 * time.Second)
		tape.Frame(frame(999), frame(999))
		got, err := tape.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got.Dropped == 0 || got.Length != 401*20*time.Millisecond {
			t.Errorf("%+v: want frames dropped and yet the whole length", got)
		}
		// Every frame that was kept stands at its own time.
		left, silent := d.read(t).Channel(0), 0
		for n := range 401 {
			switch v := left[n*160]; {
			case v == 0:
				silent++
			case n < 400 && v != int16(n+1), n == 400 && v != 999:
				t.Fatalf("frame %d holds %d", n, v)
			}
		}
		if silent != got.Dropped {
			t.Errorf("%d silent frames, %d dropped", silent, got.Dropped)
		}
	})
}

func TestAFullDiskIsToldAndWhatIsThereStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		s, tape := begin(t, d)
		defer s.Close()
		for n := range 50 {
			tape.Frame(frame(int16(n)), nil)
			<-time.After(20 * time.Millisecond)
		}
		synctest.Wait()
		d.set(true, 0)
		for range 200 {
			tape.Frame(frame(1), nil)
			<-time.After(20 * time.Millisecond)
		}
		got, err := tape.Close()
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("%v, want fault.Unavailable", err)
		}
		if frames := len(d.read(t).PCM) / 320; frames < 25 || frames+got.Dropped != 250 {
			t.Errorf("%d frames in the file, %d dropped, want 250 in all", frames, got.Dropped)
		}
	})
}

func TestADiskThatRecoversGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		s, tape := begin(t, d)
		defer s.Close()
		d.set(true, 0)
		for n := range 60 {
			tape.Frame(frame(int16(n+1)), nil)
			<-time.After(20 * time.Millisecond)
		}
		d.set(false, 0)
		got, err := tape.Close()
		if err != nil || got.Dropped != 0 || got.Length != 1200*time.Millisecond {
			t.Errorf("%+v, %v: want all 60 frames", got, err)
		}
	})
}

func TestFramesCostNoMemory(t *testing.T) {
	d := &disk{}
	s, tape := begin(t, d)
	defer s.Close()
	defer tape.Close()
	f := frame(3)
	if n := testing.AllocsPerRun(50, func() { tape.Frame(f, f) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestOnDisk(t *testing.T) {
	s := New()
	defer s.Close()
	path := filepath.Join(t.TempDir(), "call.wav")
	tape, err := s.Create(path, 0, sealOf(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		tape.Frame(frame(5), frame(6))
	}
	if _, err := s.Create(path, 0, sealOf(t)); !errors.Is(err, fault.Conflict) {
		t.Errorf("the same file again: %v, want fault.Conflict", err)
	}
	got, err := tape.Close()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || sha256.Sum256(b) != got.SHA256 || opened(t, b).Length() != got.Length {
		t.Errorf("the file does not match %+v: %v", got, err)
	}
	if _, err := s.Create(filepath.Join(path, "below", "a", "file"), 0, sealOf(t)); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a place that is none: %v, want fault.Unavailable", err)
	}
}

func BenchmarkFrame(b *testing.B) {
	s := New()
	defer s.Close()
	tape, err := s.Use("x", &disk{}, 0, sealOf(b))
	if err != nil {
		b.Fatal(err)
	}
	f := frame(3)
	b.ReportAllocs()
	for b.Loop() {
		tape.Frame(f, f)
		tape.tail = tape.head
	}
}

// A wide recording holds less time in its ring, and its flushes still come in
// time.
func TestAWideRecordingIsWholeAndTakesNoMoreMemory(t *testing.T) {
	s := New()
	defer s.Close()
	path := filepath.Join(t.TempDir(), "wide.wav")
	tape, err := s.Create(path, 16000, sealOf(t))
	if err != nil {
		t.Fatal(err)
	}
	if r := tape.ring; len(r.chunks)*chunkBytes > 80_000 || time.Duration(r.frames())*20*time.Millisecond < 2*every {
		t.Errorf("the ring has up to %d bytes for %d frames", len(r.chunks)*chunkBytes, r.frames())
	}
	frame := make([]int16, 320)
	for n := range 40 {
		frame[0] = int16(n + 1)
		tape.Frame(frame, nil)
	}
	got, err := tape.Close()
	if err != nil {
		t.Fatal(err)
	}
	if got.RateHz != 16000 || got.Length != 800*time.Millisecond || got.Dropped != 0 {
		t.Errorf("recording %+v", got)
	}
}
