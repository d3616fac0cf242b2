package record

import (
	"bytes"
	"math"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"flametree/media/pcm"
)

func TestAPausedStretchIsSilentAndAsLongAsItWas(t *testing.T) {
	for name, rateHz := range map[string]int{"narrow": 8000, "wide": 16000, "full band": 48000} {
		t.Run(name, func(t *testing.T) {
			d := &disk{}
			s := New()
			defer func() { _ = s.Close() }()
			tape, err := s.Use("x", d, rateHz, sealOf(t))
			if err != nil {
				t.Fatal(err)
			}
			size := rateHz / 50
			loud := slices.Repeat([]int16{9000}, size)
			for n := range 30 {
				switch n {
				case 10:
					tape.Pause(true)
				case 22:
					tape.Pause(false)
				}
				tape.Frame(loud, loud)
			}
			got, err := tape.Close()
			if err != nil || got.Paused != 240*time.Millisecond || got.Length != 600*time.Millisecond || got.RateHz != rateHz {
				t.Fatalf("%+v, %v", got, err)
			}
			a := d.read(t)
			for side := range 2 {
				for n, v := range a.Channel(side) {
					silent := n/size >= 10 && n/size < 22
					if silent != (v == 0) {
						t.Fatalf("side %d, frame %d: sample %d", side, n/size, v)
					}
				}
			}
		})
	}
}

func TestWhatIsLostInAPauseCountsAsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		s, tape := begin(t, d)
		defer func() { _ = s.Close() }()
		d.set(true, 0)
		tape.Pause(true)
		for range 150 { // the ring holds 100
			tape.Frame(frame(5), frame(5))
		}
		d.set(false, 0)
		got, err := tape.Close()
		if err != nil || got.Dropped != 50 || got.Paused != 3*time.Second || got.Length != 3*time.Second {
			t.Errorf("%+v, %v", got, err)
		}
		path := t.TempDir() + "/x"
		if err := writeFile(path, d.b); err != nil {
			t.Fatal(err)
		}
		again, err := Recover(path, "call", unlock)
		if err != nil || again.Paused != got.Paused || again.Dropped != got.Dropped || again.Length != got.Length || again.Cut {
			t.Errorf("recovered as %+v, %v", again, err)
		}
	})
}

// While the disk is full the piece that could not be written is sealed again as
// it was: bytes that a disk has seen once are never followed by others under
// the same nonce.
func TestANonceIsNeverUsedForTwoPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &torn{}
		s := New()
		defer func() { _ = s.Close() }()
		tape, err := s.Use("x", d, 0, sealOf(t))
		if err != nil {
			t.Fatal(err)
		}
		for n := range 200 {
			d.full = n%60 > 20
			tape.Frame(frame(int16(n+1)), frame(int16(n+1)))
			<-time.After(20 * time.Millisecond)
			synctest.Wait()
		}
		d.full = false
		if got, err := tape.Close(); err != nil || got.Dropped != 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		if d.tries < 5 {
			t.Fatalf("only %d writes failed: the test proves nothing", d.tries)
		}
		if d.changed {
			t.Error("other bytes were sealed for the same place")
		}
	})
}

// torn is a disk that takes one half of what it has no room for.
type torn struct {
	disk
	tries   int
	changed bool
}

func (d *torn) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	if int(off) < len(d.b) {
		old := d.b[off:]
		n := min(len(old), len(p))
		d.changed = d.changed || !bytes.Equal(old[:n], p[:n])
	}
	full := d.full
	d.mu.Unlock()
	if !full {
		return d.disk.WriteAt(p, off)
	}
	d.tries++
	d.set(false, 0)
	n, _ := d.disk.WriteAt(p[:len(p)/2], off)
	d.set(true, 0)
	return n, errFull
}

// Marker bytes of both sides are nowhere on the disk, at no moment.
func TestNoPlainSoundReachesTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		s, tape := begin(t, d)
		defer func() { _ = s.Close() }()
		marker := []byte{0x5a, 0x3c, 0x5a, 0x3c, 0x5a, 0x3c, 0x5a, 0x3c}
		for range 60 {
			tape.Frame(frame(0x3c5a), frame(0x3c5a))
			<-time.After(20 * time.Millisecond)
			synctest.Wait()
			d.mu.Lock()
			if bytes.Contains(d.b, marker) || bytes.Contains(d.b, []byte("RIFF")) {
				t.Fatal("plain sound")
			}
			d.mu.Unlock()
		}
		if _, err := tape.Close(); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(d.b, marker) {
			t.Error("plain sound after the end")
		}
		if a := d.read(t); a.PCM[0] != 0x3c5a {
			t.Error("the marker is not in the recording at all: the test proves nothing")
		}
	})
}

func TestTheOutlineShowsEachSide(t *testing.T) {
	d := &disk{}
	s, tape := begin(t, d)
	defer func() { _ = s.Close() }()
	for n := range 50 {
		left, right := frame(0), frame(-32768)
		if n >= 10 {
			left[n] = 16384
		}
		if n >= 20 {
			right = nil
		}
		tape.Frame(left, right)
	}
	got, err := tape.Close()
	if err != nil {
		t.Fatal(err)
	}
	p := got.Peaks
	if p.Step != 40*time.Millisecond || len(p.Left) != 25 || len(p.Right) != 25 {
		t.Fatalf("%d and %d points of %v", len(p.Left), len(p.Right), p.Step)
	}
	if p.Left[4] != 0 || p.Left[5] != 128 || p.Right[9] != 255 || p.Right[10] != 0 {
		t.Errorf("left %v, right %v", p.Left, p.Right)
	}
}

func TestTheOutlineOfALongCallStaysSmall(t *testing.T) {
	var m meter
	f := make([]byte, 640)
	for n := range 2 * 3600 * 50 { // two hours
		f[1] = byte(n / 36000 * 8)
		m.frame(f)
	}
	p := m.finish()
	if len(p.Left) > mostPoints || cap(p.Left) > 2*mostPoints || p.Step*time.Duration(len(p.Left)) < 2*time.Hour {
		t.Fatalf("%d points of %v", len(p.Left), p.Step)
	}
	if i := len(p.Left) * 9 / 10; p.Left[0] != 0 || p.Left[i] < p.Left[len(p.Left)/2] || p.Left[i] == 0 {
		t.Error("it does not rise as the call did")
	}
	t.Logf("figure: outline of two hours: %d points of %v a side", len(p.Left), p.Step)
}

// What a recorded call costs: the pacer's copy, the sealing, the outline.
func TestCostOfARecordedSecond(t *testing.T) {
	for _, rateHz := range []int{8000, 16000} {
		d := &nowhere{}
		s := New()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		const calls = 20
		tapes := make([]*Tape, calls)
		for i := range tapes {
			var err error
			if tapes[i], err = s.Use("x", d, rateHz, sealOf(t)); err != nil {
				t.Fatal(err)
			}
		}
		tone := make([]int16, pcm.Samples(pcm.FrameTime, rateHz))
		for i := range tone {
			tone[i] = int16(8000 * math.Sin(float64(i)/7))
		}
		const seconds = 60
		from := processor(t)
		for n := range seconds * 50 {
			for _, tape := range tapes {
				tape.Frame(tone, tone)
				if n%25 == 24 {
					if err := tape.flush(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		spent := processor(t) - from
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := spent / (calls * seconds)
		memory := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / calls
		t.Logf("figure: recording at %d Hz: %v of CPU a call-second (%.3f %% of a core), %d kB a call", rateHz, each, each.Seconds()*100, memory>>10)
		if each > 3*time.Millisecond {
			t.Errorf("%v of CPU for one second of one call", each)
		}
		if memory > 150<<10 {
			t.Errorf("%d bytes of memory for one call", memory)
		}
		for _, tape := range tapes {
			if _, err := tape.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// processor is the time that this process has used of its processors.
func processor(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// nowhere is a disk that keeps nothing.
type nowhere struct{}

func (*nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (*nowhere) Close() error                           { return nil }
