package record

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/media/wav"
)

// spooled is a recording in memory of so many frames in each flush; frame n
// holds n+1 on the left. Closed or as a killed process leaves it.
func spooled(t testing.TB, closed bool, flushes ...int) []byte {
	t.Helper()
	d := &disk{}
	s, tape := begin(t, d)
	defer func() { _ = s.Close() }()
	n := 0
	for _, frames := range flushes {
		for range frames {
			n++
			tape.Frame(frame(int16(n)), frame(-7))
		}
		if err := tape.flush(); err != nil {
			t.Fatal(err)
		}
	}
	left := bytes.Clone(d.b)
	if _, err := tape.Close(); err != nil {
		t.Fatal(err)
	}
	if closed {
		return d.b
	}
	return left
}

// recovered puts bytes into a file, recovers it and gives back what is in it.
func recovered(t testing.TB, in []byte) (frames int, cut bool, after []byte, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spool")
	if err := os.WriteFile(path, in, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Recover(path, "call", unlock)
	after, readErr := os.ReadFile(path)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if err != nil {
		return 0, false, after, err
	}
	a := opened(t, after)
	if got.SHA256 != sha256.Sum256(after) || got.Length != a.Length() || got.Peaks == nil {
		t.Errorf("described as %+v, it lasts %v", got, a.Length())
	}
	if _, err := Open(bytes.NewReader(after), int64(len(after)), "call", unlock); err != nil {
		t.Errorf("what was recovered does not open: %v", err)
	}
	for n := range len(a.PCM) / 320 {
		if a.PCM[n*320] != int16(n+1) || a.PCM[n*320+1] != -7 {
			t.Fatalf("frame %d holds %d and %d", n, a.PCM[n*320], a.PCM[n*320+1])
		}
	}
	return len(a.PCM) / 320, got.Cut, after, nil
}

func TestWhatAKilledProcessLeavesIsRecovered(t *testing.T) {
	left := spooled(t, false, 25, 25)
	whole := spooled(t, true, 25, 25)
	one := spooled(t, false, 25)
	changed := bytes.Clone(left)
	changed[len(changed)-40] ^= 1
	first := bytes.Clone(left)
	first[len(one)-40] ^= 1
	tests := map[string]struct {
		in     []byte
		frames int
		cut    bool
		want   error
	}{
		"killed between two flushes":           {in: left, frames: 50, cut: true},
		"killed inside a flush":                {in: left[:len(left)-100], frames: 25, cut: true},
		"killed inside the header of a piece":  {in: left[:len(one)+5], frames: 25, cut: true},
		"room was made and never filled":       {in: append(bytes.Clone(left), make([]byte, 5000)...), frames: 50, cut: true},
		"the last flush is garbage":            {in: changed, frames: 25, cut: true},
		"closed before it was kept":            {in: whole, frames: 50},
		"killed while it was closed":           {in: whole[:len(whole)-3], frames: 50, cut: true},
		"killed before the first flush":        {in: spooled(t, false), frames: 0, cut: true},
		"killed in the first moment":           {want: fault.NotFound},
		"killed inside the preamble":           {in: left[:14], want: fault.NotFound},
		"an earlier piece was changed":         {in: first, want: fault.Invalid},
		"a piece was taken out":                {in: slices.Concat(left[:len(spooled(t, false))], spooled(t, false, 25, 25, 25)[len(one):]), want: fault.Invalid},
		"something was put behind the end":     {in: append(bytes.Clone(whole), 1), want: fault.Invalid},
		"somebody else's file":                 {in: []byte("%PDF-1.7 and more than that of anything at all"), want: fault.Invalid},
		"a plain file of sound":                {in: make([]byte, 100), want: fault.Invalid},
		"another's file that is shorter still": {in: []byte("hello"), want: fault.Invalid},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			frames, cut, after, err := recovered(t, tc.in)
			if tc.want != nil {
				if !errors.Is(err, tc.want) || !bytes.Equal(after, tc.in) {
					t.Errorf("%v, changed %v; want %v and the file as it was", err, !bytes.Equal(after, tc.in), tc.want)
				}
				return
			}
			if err != nil || frames != tc.frames || cut != tc.cut {
				t.Fatalf("%d frames, cut %v, %v; want %d, %v", frames, cut, err, tc.frames, tc.cut)
			}
			if again, _, twice, err := recovered(t, after); err != nil || again != frames || !bytes.Equal(twice, after) {
				t.Errorf("recovered again: %d frames, %v, changed %v", again, err, !bytes.Equal(twice, after))
			}
		})
	}
	if _, err := Recover(filepath.Join(t.TempDir(), "none"), "call", unlock); !errors.Is(err, fault.NotFound) {
		t.Errorf("no file: %v, want fault.NotFound", err)
	}
}

// Wherever the process died, what was flushed before is there.
func TestARecordingCutAnywhereIsRecoveredUpToItsLastFlush(t *testing.T) {
	in := spooled(t, true, 5, 9, 25)
	ends := []int{len(spooled(t, false)), len(spooled(t, false, 5)), len(spooled(t, false, 5, 9)), len(spooled(t, false, 5, 9, 25))}
	frames := []int{0, 5, 14, 39}
	rapid.Check(t, func(r *rapid.T) {
		at := rapid.IntRange(ends[0], len(in)-1).Draw(r, "bytes")
		want := 0
		for i, e := range ends {
			if at >= e {
				want = frames[i]
			}
		}
		got, cut, _, err := recovered(t, in[:at])
		if err != nil || got != want || !cut {
			r.Fatalf("%d frames of %d, cut %v, %v", got, want, cut, err)
		}
	})
}

func TestOfAFinishedRecordingNoBitCanBeChanged(t *testing.T) {
	in := spooled(t, true, 5, 9, 25)
	read := func(b []byte) error {
		s, err := Open(bytes.NewReader(b), int64(len(b)), "call", unlock)
		if err == nil {
			_, err = io.Copy(io.Discard, s)
		}
		return err
	}
	if err := read(in); err != nil {
		t.Fatal(err)
	}
	start := fixedHead + len("a head")
	rapid.Check(t, func(r *rapid.T) {
		b := bytes.Clone(in)
		at := rapid.IntRange(start, len(b)-1).Draw(r, "byte")
		if rapid.Bool().Draw(r, "cut") {
			b = b[:at]
		} else {
			b[at] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
		}
		if err := read(b); !errors.Is(err, fault.Invalid) {
			r.Fatalf("%v, want fault.Invalid", err)
		}
	})
	if _, err := Open(bytes.NewReader(in), int64(len(in)), "another call", unlock); !errors.Is(err, fault.Invalid) {
		t.Errorf("under another name: %v, want fault.Invalid", err)
	}
	other := func([]byte) (cipher.AEAD, error) {
		block, err := aes.NewCipher(bytes.Repeat([]byte{1}, 32))
		if err != nil {
			return nil, err
		}
		return cipher.NewGCM(block)
	}
	if _, err := Open(bytes.NewReader(in), int64(len(in)), "call", other); !errors.Is(err, fault.Invalid) {
		t.Errorf("with another key: %v, want fault.Invalid", err)
	}
}

// Players read in ranges; every range is what the whole file has there.
func TestAnyRangeIsReadAsItStandsInTheWhole(t *testing.T) {
	in := spooled(t, true, 5, 9, 25)
	s, err := Open(bytes.NewReader(in), int64(len(in)), "call", unlock)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(s)
	if err != nil || int64(len(all)) != s.Size() || len(all) != wav.HeaderSize+39*640 {
		t.Fatalf("%d bytes of %d, %v", len(all), s.Size(), err)
	}
	rapid.Check(t, func(r *rapid.T) {
		from := rapid.IntRange(0, len(all)).Draw(r, "from")
		n := rapid.IntRange(0, len(all)-from).Draw(r, "length")
		if _, err := s.Seek(int64(from), io.SeekStart); err != nil {
			r.Fatal(err)
		}
		got := make([]byte, n)
		if _, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, all[from:from+n]) {
			r.Fatalf("not the same, %v", err)
		}
	})
	if _, err := s.Seek(-1, io.SeekStart); !errors.Is(err, fault.Invalid) {
		t.Errorf("before the beginning: %v", err)
	}
	if s.RateHz() != 8000 || s.Length() != 780*time.Millisecond {
		t.Errorf("%d Hz, %v", s.RateHz(), s.Length())
	}
}

// Whatever lies in the spool, it is recovered to whole samples or left alone.
func FuzzRecover(f *testing.F) {
	whole := spooled(f, true, 3, 4)
	f.Add(whole)
	f.Add(whole[:len(whole)-30])
	f.Add([]byte(magic))
	f.Add([]byte(magic + "\x00\x00\x1f\x40\x00\x00\x00\x00"))
	f.Add([]byte(magic + "\x00\x00\x1f\x40\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00 and then some more"))
	path := filepath.Join(f.TempDir(), "x")
	f.Fuzz(func(t *testing.T, in []byte) {
		if err := os.WriteFile(path, in, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Recover(path, "call", unlock)
		if err != nil {
			if !errors.Is(err, fault.Invalid) && !errors.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
			return
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(bytes.NewReader(b), int64(len(b)), "call", unlock)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, s); err != nil || n != got.Bytes || n%4 != 0 {
			t.Fatalf("%d bytes of %d, %v", n, got.Bytes, err)
		}
	})
}
