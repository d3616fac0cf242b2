package amd

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"

	"flametree/media/pcm"
)

const (
	window   = 512 // samples: 32 ms
	lowHz    = 280
	highHz   = 3450
	lowBin   = lowHz * window / pcm.EarHz
	highBin  = highHz * window / pcm.EarHz
	bins     = highBin - lowBin + 1
	lobe     = 2         // bins to each side of a peak that belong to it
	pure     = 0.94      // share of a frame's energy in one or two peaks
	loud     = 150 * 150 // mean square under which nothing is a beep
	least    = 6         // frames a beep stands still: 120 ms
	most     = 6 * 50    // frames; what is longer is a fax or a dead line
	wander   = 1         // bins a peak may move
	goneness = 0.25      // of the beep's energy: under it the tone is over
)

// tones finds beeps in frames of 16 kHz.
type tones struct {
	past   [window]int16 // the newest samples, oldest first
	filled int
	table  *table
	fft    *fourier.FFT
	shaped [window]float64
	// coefficients is kept so that nothing is allocated.
	coefficients []complex128
	peaks        [2]int // bins of the tone that stands
	stood        int    // frames it has stood
	energy       float64
	over         bool // it ended with this frame
}

// table is the window; it does not change and is shared by all machines of a
// process.
type table struct{ hann [window]float64 }

func newTable() *table {
	t := new(table)
	for i := range window {
		t.hann[i] = 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/window)
	}
	return t
}

// push takes the next frame.
func (t *tones) push(in []int16) {
	t.over = false
	n := min(len(in), window)
	copy(t.past[:], t.past[n:])
	copy(t.past[window-n:], in[len(in)-n:])
	if t.filled = min(window, t.filled+n); t.filled < window {
		return
	}
	var sum float64
	for _, v := range in {
		sum += float64(v) * float64(v)
	}
	level := sum / float64(max(1, len(in)))
	if level < loud || t.stood > 0 && level < goneness*t.energy {
		t.end()
		return
	}
	peaks, share := t.spectrum()
	switch {
	case share < pure:
		t.end()
	case t.stood > 0 && near(peaks, t.peaks):
		t.stood++
		t.energy = max(t.energy, level)
	default:
		t.end()
		t.peaks, t.stood, t.energy = peaks, 1, level
	}
}

// end closes the tone that stood; it was a beep if it stood long enough.
func (t *tones) end() {
	t.over = t.stood >= least && t.stood <= most
	t.stood = 0
}

// sounding reports whether a tone stands that may be a beep.
func (t *tones) sounding() bool { return t.stood >= 3 }

// ended reports whether a beep ended with the last frame.
func (t *tones) ended() bool { return t.over }

func near(a, b [2]int) bool {
	far := func(x, y int) bool { return x-y > wander || y-x > wander }
	return !far(a[0], b[0]) && (a[1] < 0 || b[1] < 0 || !far(a[1], b[1]))
}

// spectrum finds the two strongest peaks and the share of all energy in them; the
// second is -1 where the first is enough.
func (t *tones) spectrum() (peaks [2]int, share float64) {
	if t.table == nil {
		t.table = newTable()
	}
	if t.fft == nil {
		t.fft = fourier.NewFFT(window)
	}
	var total float64
	for i, v := range t.past {
		x := float64(v) * t.table.hann[i]
		t.shaped[i] = x
		total += x * x
	}
	t.coefficients = t.fft.Coefficients(t.coefficients, t.shaped[:])
	var power [bins]float64
	for b := range bins {
		c := t.coefficients[b+lowBin]
		power[b] = real(c)*real(c) + imag(c)*imag(c)
	}
	// A bin's power to the windowed signal's energy, by Parseval: twice over N,
	// for the negative frequencies.
	scale := 2 / (float64(window) * max(total, 1))
	first, got := take(&power)
	share = got * scale
	if share >= pure {
		return [2]int{first, -1}, share
	}
	second, more := take(&power)
	if first > second {
		first, second = second, first
	}
	return [2]int{first, second}, share + more*scale
}

// take removes the strongest peak and gives its bin and power.
func take(power *[bins]float64) (bin int, sum float64) {
	for b := range power {
		if power[b] > power[bin] {
			bin = b
		}
	}
	for b := max(0, bin-lobe); b <= min(bins-1, bin+lobe); b++ {
		sum += power[b]
		power[b] = 0
	}
	return bin, sum
}
