package wav

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"flametree/engine/fault"
	"flametree/media/g711"
)

// Formats, as the fmt chunk numbers them.
const (
	formatPCM        = 1
	formatALaw       = 6
	formatMuLaw      = 7
	formatExtensible = 0xFFFE
)

const (
	minHz       = 1000
	maxHz       = 384000
	unknownSize = 0xFFFFFFFF // a writer that could not go back says this, or 0
	chunkHead   = 8
)

// Limits bound what Read takes. The zero value suits a short upload.
type Limits struct {
	Bytes int64 // of the file; default 64 MB
}

// Read reads a whole file. It fails with fault.Invalid and the place where the
// file is wrong, with fault.Exhausted when it is larger than the limit, or with
// the reader's own error.
func Read(r io.Reader, limits Limits) (Audio, error) {
	most := cmp.Or(limits.Bytes, 64<<20)
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return Audio{}, fmt.Errorf("wav: read: %w", err)
	}
	if int64(len(b)) > most {
		return Audio{}, fmt.Errorf("wav: over %d bytes: %w", most, fault.Exhausted)
	}
	return Decode(b)
}

// format is what the fmt chunk says.
type format struct {
	code, channels, block, bits int
	rateHz                      int
}

// Decode reads a whole file from memory, with the errors of Read.
func Decode(b []byte) (Audio, error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return Audio{}, at(0, "this is no RIFF WAVE file")
	}
	var f *format
	for pos := 12; pos+chunkHead <= len(b); {
		name, size := string(b[pos:pos+4]), int64(binary.LittleEndian.Uint32(b[pos+4:]))
		body := b[pos+chunkHead:]
		if name == "data" {
			if f == nil {
				return Audio{}, at(pos, "samples come before their format")
			}
			data, err := samples(body, size, pos)
			if err != nil {
				return Audio{}, err
			}
			return f.decode(data), nil
		}
		if size > int64(len(body)) {
			return Audio{}, at(pos, "chunk %q has %d bytes, %d are left", name, size, len(body))
		}
		if name == "fmt " {
			var err error
			if f, err = parseFormat(body[:size], pos); err != nil {
				return Audio{}, err
			}
		}
		pos += chunkHead + int(size+size%2) // chunks are padded to even lengths
	}
	return Audio{}, at(len(b), "the file ends without samples")
}

// samples is the body of the data chunk. A size of nothing or of everything
// comes from writers to a pipe, and means the rest of the file.
func samples(body []byte, size int64, pos int) ([]byte, error) {
	if size >= unknownSize-HeaderSize || size == 0 || size == 0x7FFFFFFF {
		return body, nil
	}
	if size > int64(len(body)) {
		return nil, at(pos, "%d bytes of samples are announced, %d are there", size, len(body))
	}
	return body[:size], nil
}

func parseFormat(b []byte, pos int) (*format, error) {
	if len(b) < 16 {
		return nil, at(pos, "the format has %d bytes, want 16", len(b))
	}
	f := &format{
		code:     int(binary.LittleEndian.Uint16(b)),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rateHz:   int(binary.LittleEndian.Uint32(b[4:])),
		block:    int(binary.LittleEndian.Uint16(b[12:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.code == formatExtensible {
		if len(b) < 40 {
			return nil, at(pos, "the extensible format has %d bytes, want 40", len(b))
		}
		f.code = int(binary.LittleEndian.Uint16(b[24:])) // the GUID's first bytes
	}
	return f, f.check(pos)
}

func (f *format) check(pos int) error {
	var errs []error
	switch {
	case f.code == formatPCM && (f.bits == 8 || f.bits == 16 || f.bits == 24 || f.bits == 32):
	case (f.code == formatALaw || f.code == formatMuLaw) && f.bits == 8:
	default:
		errs = append(errs, fmt.Errorf("format %d with %d bits is not read: want PCM of 8, 16, 24, 32 bits, µ-law or A-law", f.code, f.bits))
	}
	if f.channels < 1 || f.channels > 2 {
		errs = append(errs, fmt.Errorf("%d channels: want 1 or 2", f.channels))
	} else if f.block != f.channels*f.bits/8 {
		errs = append(errs, fmt.Errorf("blocks of %d bytes for %d channels of %d bits", f.block, f.channels, f.bits))
	}
	if f.rateHz < minHz || f.rateHz > maxHz {
		errs = append(errs, fmt.Errorf("%d Hz: want %d to %d", f.rateHz, minHz, maxHz))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", at(pos, "format"), err)
	}
	return nil
}

// decode turns the samples into 16 bits. A last block that is not whole is
// left out: a recorder that was killed leaves one.
func (f *format) decode(data []byte) Audio {
	if len(data) < f.block {
		data = nil
	}
	data = data[:len(data)-len(data)%f.block]
	out := Audio{RateHz: f.rateHz, Channels: f.channels, PCM: make([]int16, len(data)*8/f.bits)}
	switch {
	case f.code == formatALaw:
		g711.ALaw.Decode(out.PCM, data)
	case f.code == formatMuLaw:
		g711.MuLaw.Decode(out.PCM, data)
	case f.bits == 8: // the only unsigned one
		for i, v := range data {
			out.PCM[i] = int16(int(v)-128) << 8
		}
	default: // the top two bytes are the sample
		width := f.bits / 8
		for i := range out.PCM {
			out.PCM[i] = int16(binary.LittleEndian.Uint16(data[i*width+width-2:]))
		}
	}
	return out
}

// at is a fault.Invalid that says where.
func at(pos int, say string, args ...any) error {
	return fmt.Errorf("wav: byte %d: %s: %w", pos, fmt.Sprintf(say, args...), fault.Invalid)
}
