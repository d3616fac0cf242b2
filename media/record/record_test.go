package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand"
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
		return 0, errors.New("no space left on device")
	}
	if end := int(off) + len(p); end > len(d.b) {
		d.b = append(d.b, make([]byte, end-len(d.b))...)
	}
	d.writes++
	return copy(d.b[off:], p), nil
}

func (d *disk) ReadAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.NewReader(d.b).ReadAt(p, off)
}

func (d *disk) Close() error { d.closed = true; return nil }

func (d *disk) set(full bool, slow time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.slow = full, slow
}

func (d *disk) read(t *testing.T) wav.Audio {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := wav.Decode(d.b)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func frame(v int16) []int16 { return slices.Repeat([]int16{v}, 160) }

func begin(t *testing.T, d *disk) (*Spool, *Tape) {
	t.Helper()
	s := New()
	tape, err := s.Use("spool/x.wav", d, 0)
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
		if got.Path != "spool/x.wav" || got.Length != 60*time.Millisecond || got.Bytes != int64(len(d.b)) || got.SHA256 != sha256.Sum256(d.b) || got.Cut || got.Dropped != 0 || got.RateHz != 8000 {
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
			if said := int(binary.LittleEndian.Uint32(d.b[40:])); said != len(d.b)-wav.HeaderSize {
				t.Fatalf("the header says %d bytes of samples, the file holds %d", said, len(d.b)-wav.HeaderSize)
			}
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
	tape, err := s.Create(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		tape.Frame(frame(5), frame(6))
	}
	if _, err := s.Create(path, 0); !errors.Is(err, fault.Conflict) {
		t.Errorf("the same file again: %v, want fault.Conflict", err)
	}
	got, err := tape.Close()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || sha256.Sum256(b) != got.SHA256 || int64(len(b)) != got.Bytes {
		t.Errorf("the file does not match %+v: %v", got, err)
	}
	if _, err := s.Create(filepath.Join(path, "below", "a", "file"), 0); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a place that is none: %v, want fault.Unavailable", err)
	}
}

func TestRecover(t *testing.T) {
	whole := func(frames, header int) []byte {
		h := wav.Header(8000, 2, int64(header*640))
		b := h[:]
		for n := range frames {
			b = append(b, bytes.Repeat([]byte{byte(n), 0}, 320)...)
		}
		return b
	}
	tests := map[string]struct {
		in     []byte
		frames int
		bad    bool
	}{
		"samples after the last flush":  {in: whole(30, 25), frames: 30},
		"closed properly":               {in: whole(30, 30), frames: 30},
		"half a sample at the end":      {in: append(whole(10, 5), 1, 2, 3), frames: 10},
		"killed in the first moment":    {in: nil},
		"killed inside the header":      {in: whole(0, 0)[:20]},
		"only a header":                 {in: whole(0, 0)},
		"somebody else's file":          {in: []byte("%PDF-1.7 and more than forty-four bytes of anything at all"), bad: true},
		"a mono file":                   {in: func() []byte { h := wav.Header(8000, 1, 0); return h[:] }(), bad: true},
		"somebody else's shorter still": {in: []byte("hello"), bad: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "spool.wav")
			if err := os.WriteFile(path, tc.in, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := Recover(path)
			after, readErr := os.ReadFile(path)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if tc.bad {
				if !errors.Is(err, fault.Invalid) || !bytes.Equal(after, tc.in) {
					t.Errorf("%v, changed %v; want fault.Invalid and the file as it was", err, !bytes.Equal(after, tc.in))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			a, err := wav.Decode(after)
			if err != nil || len(a.PCM) != tc.frames*320 {
				t.Fatalf("%d samples, %v", len(a.PCM), err)
			}
			if !got.Cut || got.Length != time.Duration(tc.frames)*20*time.Millisecond || got.SHA256 != sha256.Sum256(after) || got.Bytes != int64(len(after)) {
				t.Errorf("described as %+v", got)
			}
		})
	}
	if _, err := Recover(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fault.NotFound) {
		t.Errorf("no file: %v, want fault.NotFound", err)
	}
}

// A recording cut at any byte is recovered to whole samples.
func FuzzRecover(f *testing.F) {
	h := wav.Header(8000, 2, 640)
	f.Add(append(h[:], make([]byte, 700)...))
	f.Add(h[:30])
	f.Add([]byte("RIFF"))
	f.Add([]byte("RIFF0000WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00\x00\x00\x00\x00")) // a rate of zero
	rnd := rand.New(rand.NewSource(1))
	junk := make([]byte, 100)
	rnd.Read(junk)
	f.Add(junk)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, in []byte) {
		path := filepath.Join(dir, "x.wav")
		if err := os.WriteFile(path, in, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Recover(path); err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) < wav.HeaderSize || len(b)%4 != 0 {
			t.Fatalf("%d bytes are left", len(b))
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	s := New()
	defer s.Close()
	tape, err := s.Use("x", &disk{}, 0)
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
