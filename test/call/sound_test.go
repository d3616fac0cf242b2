package call_test

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rateHz is of all sound here.
const rateHz = 8000

// frameSize is 20 ms.
const frameSize = rateHz / 50

// voiced is the level in dB, of 16-bit samples, from which a frame is speech.
const voiced = 38

// utter renders a sentence with a foreign program: flite's voices by name, or espeak.
func utter(t *testing.T, voice, text string) []int16 {
	t.Helper()
	dir := t.TempDir()
	loud, raw := filepath.Join(dir, "a.wav"), filepath.Join(dir, "a.raw")
	if voice == "espeak" {
		execute(t, "espeak-ng", "-v", "en-us", "-w", loud, text)
	} else {
		execute(t, "flite", "-voice", voice, "-t", text, "-o", loud)
	}
	execute(t, "sox", loud, "-t", "raw", "-r", "8000", "-e", "signed", "-b", "16", "-c", "1", raw, "gain", "-n", "-6")
	b, err := os.ReadFile(raw)
	require.NoError(t, err)
	out := make([]int16, len(b)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return trim(out)
}

func execute(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}

// pause is silence.
func pause(d time.Duration) []int16 { return make([]int16, int(d*rateHz/time.Second)) }

// lasts is how long sound is.
func lasts(pcm []int16) time.Duration { return time.Duration(len(pcm)) * time.Second / rateHz }

// join puts sounds one after the other.
func join(parts ...[]int16) []int16 {
	var out []int16
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// level is the power of a frame in dB.
func level(pcm []int16) float64 {
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	if sum == 0 || len(pcm) == 0 {
		return 0
	}
	return 10 * math.Log10(sum/float64(len(pcm)))
}

// trim cuts silence off both ends.
func trim(pcm []int16) []int16 {
	first, last := -1, 0
	for i := 0; i+frameSize <= len(pcm); i += frameSize {
		if level(pcm[i:i+frameSize]) >= voiced {
			if first < 0 {
				first = i
			}
			last = i + frameSize
		}
	}
	if first < 0 {
		return nil
	}
	return pcm[first:last]
}

// law is a G.711 table of our own (ITU-T G.711), so that a fault of the
// program's does not hide.
type law struct {
	name    string
	payload uint8
	decoded [256]int16
	once    sync.Once
	codes   []byte // by sample
}

func muLaw() *law {
	l := &law{name: "PCMU", payload: 0}
	for i := range l.decoded {
		u := ^uint8(i)
		v := (int(u&0x0f)<<3+0x84)<<(u>>4&7) - 0x84
		if u&0x80 != 0 {
			v = -v
		}
		l.decoded[i] = int16(v)
	}
	return l
}

func aLaw() *law {
	l := &law{name: "PCMA", payload: 8}
	for i := range l.decoded {
		a := uint8(i) ^ 0x55
		v := int(a&0x0f)<<4 + 8
		if seg := a >> 4 & 7; seg > 0 {
			v = (v + 0x100) << (seg - 1)
		}
		if a&0x80 == 0 {
			v = -v
		}
		l.decoded[i] = int16(v)
	}
	return l
}

func (l *law) decode(b []byte) []int16 {
	out := make([]int16, len(b))
	for i, v := range b {
		out[i] = l.decoded[v]
	}
	return out
}

// encode finds the nearest code of each sample.
func (l *law) encode(pcm []int16) []byte {
	l.once.Do(l.invert)
	out := make([]byte, len(pcm))
	for i, v := range pcm {
		out[i] = l.codes[int(v)+1<<15]
	}
	return out
}

func (l *law) invert() {
	l.codes = make([]byte, 1<<16)
	for v := range l.codes {
		best := math.MaxInt
		for code, d := range l.decoded {
			if off := abs(int(d) - (v - 1<<15)); off < best {
				best, l.codes[v] = off, byte(code)
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }
