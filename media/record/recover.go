package record

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/pcm"
)

// Recover closes a recording that a process left behind when it died, and
// describes it: what was written of it by half is cut off. One that is closed
// already stays as it is. In a recording that is not closed the last piece
// proves nothing: whoever can change it can cut it off as well, so it is cut
// off when it does not open. A piece before it that does not open is
// fault.Invalid, and the file stays as it is. fault.NotFound says that there is
// no file, or nothing in it yet.
func Recover(path, name string, unlock Unlock) (actors.Recording, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		kind := fault.Unavailable
		if errors.Is(err, os.ErrNotExist) {
			kind = fault.NotFound
		}
		return actors.Recording{}, fmt.Errorf("recover recording: %w: %w", kind, err)
	}
	out, err := mend(path, f, name, unlock)
	if err = errors.Join(err, f.Close()); err != nil {
		return actors.Recording{}, fmt.Errorf("recover recording %s: %w", path, err)
	}
	return out, nil
}

func mend(path string, f *os.File, name string, unlock Unlock) (actors.Recording, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return actors.Recording{}, fmt.Errorf("%w: %w", fault.Unavailable, err)
	}
	t, err := readTable(f, size)
	if err != nil {
		return actors.Recording{}, err
	}
	s, err := open(f, t, name, unlock)
	if err != nil {
		return actors.Recording{}, err
	}
	found, err := s.survey()
	if err != nil {
		return actors.Recording{}, err
	}
	cut := !t.whole || t.pieces[len(t.pieces)-1].kind == kindCut
	if !t.whole {
		if err := s.end(f, found.data); err != nil {
			return actors.Recording{}, err
		}
	}
	out := describe(path, t.rateHz, found.data)
	out.Cut, out.Dropped, out.Peaks = cut, int(found.lost), found.outline.finish()
	out.Paused = time.Duration(found.paused) * pcm.FrameTime
	sum := sha256.New()
	if _, err = f.Seek(0, io.SeekStart); err == nil {
		_, err = io.Copy(sum, f)
	}
	if err != nil {
		return actors.Recording{}, fmt.Errorf("read back: %w: %w", fault.Unavailable, err)
	}
	sum.Sum(out.SHA256[:0])
	return out, nil
}

// surveyed is what a recording turns out to hold.
type surveyed struct {
	data    int64
	lost    int64 // frames
	paused  int64 // frames
	outline meter
}

// survey opens every piece. A last one that does not open is left out.
func (s *Sound) survey() (surveyed, error) {
	var out surveyed
	t := s.table
	frame := pcm.Samples(pcm.FrameTime, t.rateHz) * channels * 2
	for i, p := range t.pieces {
		err := s.unseal(i)
		if err != nil && i == len(t.pieces)-1 && !t.whole && errors.Is(err, fault.Invalid) {
			t.pieces, t.torn = t.pieces[:i], p.off
			break
		}
		if err != nil {
			return out, err
		}
		gap := (p.at - out.data) / int64(frame)
		out.lost += gap
		out.paused += int64(p.paused)
		out.outline.silence(gap)
		for b := s.plain; len(b) >= frame; b = b[frame:] {
			out.outline.frame(b[:frame])
		}
		out.data = p.end()
	}
	return out, nil
}

// end cuts off what is torn and closes the recording, durably. A process that
// dies meanwhile leaves what the next one closes with the same bytes.
func (s *Sound) end(f *os.File, data int64) error {
	last := s.seal.seal(nil, uint64(len(s.table.pieces)), piece{kind: kindCut, at: data}, nil)
	err := f.Truncate(s.table.torn)
	if err == nil {
		_, err = f.WriteAt(last, s.table.torn)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", fault.Unavailable, err)
	}
	return nil
}
