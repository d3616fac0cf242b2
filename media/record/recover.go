package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/pcm"
	"flametree/media/wav"
)

// Recover closes a recording that a process left behind when it died: samples
// after the last flush are counted in, half a sample at the end is cut off.
// The file must be one of ours, or the beginning of one; fault.Invalid says
// that it is not, and leaves it as it is.
func Recover(path string) (actors.Recording, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		kind := fault.Unavailable
		if errors.Is(err, os.ErrNotExist) {
			kind = fault.NotFound
		}
		return actors.Recording{}, fmt.Errorf("recover recording: %w: %w", kind, err)
	}
	out, err := mend(path, f)
	return out, errors.Join(err, f.Close())
}

func mend(path string, f *os.File) (actors.Recording, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return actors.Recording{}, fmt.Errorf("recover %s: %w: %w", path, fault.Unavailable, err)
	}
	var head [wav.HeaderSize]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return actors.Recording{}, fmt.Errorf("recover %s: %w: %w", path, fault.Unavailable, err)
	}
	rateHz, err := recognise(head[:n])
	if err != nil {
		return actors.Recording{}, fmt.Errorf("recover %s: %w", path, err)
	}
	data := max(end-wav.HeaderSize, 0)
	data -= data % (2 * channels)
	head = wav.Header(rateHz, channels, data)
	if _, err = f.WriteAt(head[:], 0); err == nil {
		err = f.Truncate(wav.HeaderSize + data)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return actors.Recording{}, fmt.Errorf("recover %s: %w: %w", path, fault.Unavailable, err)
	}
	out, err := describe(path, f, rateHz, data)
	out.Cut = true
	return out, err
}

// recognise gives the rate of a header of ours. Less than a header, a crash in
// the first moment, must at least begin like one.
func recognise(head []byte) (int, error) {
	rateHz := pcm.WireHz
	if len(head) >= 28 {
		rateHz = int(binary.LittleEndian.Uint32(head[24:]))
	}
	if rateHz < pcm.WireHz || rateHz > 48000 {
		return 0, fmt.Errorf("byte 24: %d Hz is no rate of ours: %w", rateHz, fault.Invalid)
	}
	want := wav.Header(rateHz, channels, 0)
	for i, b := range head {
		size := i >= 4 && i < 8 || i >= 40 && i < 44
		if b != want[i] && !size {
			return 0, fmt.Errorf("byte %d: this is no recording of ours: %w", i, fault.Invalid)
		}
	}
	return rateHz, nil
}
