// Package vad says whether a frame of telephone audio is speech, by its energy
// over an adaptive noise floor. It decides about sound only: whether a sound
// may take the floor is the turn machine's business, which waits for words.
//
// The floor follows quiet at once, creeps up under noise, and jumps to the
// least level of the last three seconds when even that lies above it: speech
// has gaps shorter than that, an engine or a fan has none. What a stream opens
// with is noise after a third of a second when it has been even so long: a
// greeting is not cut off by a street, and who already speaks then does not hum.
// Music and other people's talk pass for speech.
package vad

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"flametree/engine/fault"
	"flametree/media/pcm"
)

// Options shape a Detector. The zero value suits a telephone.
type Options struct {
	RateHz   int           // of the frames; default 8000
	Start    time.Duration // speech before On; default 120 ms
	Stop     time.Duration // silence before Off; default 200 ms
	MarginDB float64       // above the floor to count as speech; default 9
	FloorDB  float64       // the floor never falls below this; default 27, which is -63 dB of full scale
}

// Result is what one frame changed and where things stand after it.
type Result struct {
	Voiced bool // this frame is speech, undebounced
	RawOn  bool // it is the first voiced frame after an unvoiced one
	RawOff bool // it is the first unvoiced frame after a voiced one
	On     bool // speech has now lasted Start
	Off    bool // silence has now lasted Stop
}

const (
	fall    = 0.2   // share of the way down per 20 ms
	rise    = 0.015 // dB up per 20 ms, at most
	forgive = 2     // an unvoiced frame in a starting word costs this many voiced ones
	buckets = 6     // of half a second each: what the least level is remembered for
	bucket  = 500 * time.Millisecond
	fade    = 40 * time.Millisecond  // in which coders begin
	opening = 340 * time.Millisecond // of a stream
)

// Detector is the state for one stream. It is not safe for concurrent use.
type Detector struct {
	opt      Options
	floor    float64
	raw, on  bool
	run, gap time.Duration // speech while off, silence while on
	least    [buckets]float64
	filled   int // buckets with a value
	slot     int
	inSlot   time.Duration
	opened   time.Duration // what was heard of the opening
	lo, hi   float64       // its levels after the fade
}

// New returns a Detector, or fault.Invalid naming every option that is wrong.
func New(opt Options) (*Detector, error) {
	opt.RateHz = cmp.Or(opt.RateHz, pcm.WireHz)
	opt.Start = cmp.Or(opt.Start, 120*time.Millisecond)
	opt.Stop = cmp.Or(opt.Stop, 200*time.Millisecond)
	opt.MarginDB = cmp.Or(opt.MarginDB, 9)
	opt.FloorDB = cmp.Or(opt.FloorDB, 27)
	var errs []error
	if opt.RateHz < 0 {
		errs = append(errs, fmt.Errorf("rate %d Hz is negative", opt.RateHz))
	}
	if opt.Start < 0 || opt.Stop < 0 {
		errs = append(errs, fmt.Errorf("start %v and stop %v must not be negative", opt.Start, opt.Stop))
	}
	if opt.MarginDB < 0 || math.IsNaN(opt.MarginDB) || math.IsNaN(opt.FloorDB) {
		errs = append(errs, fmt.Errorf("margin %v dB over a floor of %v dB hears everything", opt.MarginDB, opt.FloorDB))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("vad: %w: %w", fault.Invalid, err)
	}
	d := &Detector{opt: opt}
	d.Reset()
	return d, nil
}

// Reset forgets speech and the noise floor, as for a new stream.
func (d *Detector) Reset() {
	*d = Detector{opt: d.opt, floor: d.opt.FloorDB, lo: math.Inf(1), hi: math.Inf(-1)}
	d.least[0] = math.Inf(1)
}

// Tune changes Start and Stop; 0 or less keeps what is set.
func (d *Detector) Tune(start, stop time.Duration) {
	if start > 0 {
		d.opt.Start = start
	}
	if stop > 0 {
		d.opt.Stop = stop
	}
}

// On reports whether debounced speech is under way.
func (d *Detector) On() bool { return d.on }

// Raw reports whether the last frame was voiced.
func (d *Detector) Raw() bool { return d.raw }

// Drop ends whatever speech is under way, because the stream stopped. The
// noise floor is kept.
func (d *Detector) Drop() Result {
	r := Result{RawOff: d.raw, Off: d.on}
	d.raw, d.on, d.run, d.gap = false, false, 0, 0
	return r
}

// Push judges the next frame, of any length. An empty frame changes nothing.
func (d *Detector) Push(frame []int16) Result {
	if len(frame) == 0 {
		return Result{Voiced: d.raw}
	}
	length := pcm.Length(int64(len(frame)), d.opt.RateHz)
	level := pcm.LevelDB(frame)
	// Judged against the floor as it was, so that a shout cannot lift it first.
	voiced := level > d.floor+d.opt.MarginDB
	d.track(level, length)
	r := Result{Voiced: voiced, RawOn: voiced && !d.raw, RawOff: !voiced && d.raw}
	d.raw = voiced
	if d.on {
		d.leave(&r, length)
	} else {
		d.enter(&r, length)
	}
	return r
}

// Skip takes n samples of which the owner knows that they are nobody's speech,
// such as our own voice that came back. They tell nothing of the floor.
func (d *Detector) Skip(n int) Result {
	if n <= 0 {
		return Result{Voiced: d.raw}
	}
	r := Result{RawOff: d.raw}
	d.raw = false
	if length := pcm.Length(int64(n), d.opt.RateHz); d.on {
		d.leave(&r, length)
	} else {
		d.enter(&r, length)
	}
	return r
}

// enter counts speech up while off. A short dip, as inside "sport", does not
// start the count afresh.
func (d *Detector) enter(r *Result, length time.Duration) {
	if !r.Voiced {
		d.run = max(0, d.run-forgive*length)
		return
	}
	d.run += length
	if d.run >= d.opt.Start {
		d.on, d.gap, r.On = true, 0, true
	}
}

// leave counts silence while on; any speech starts the count afresh.
func (d *Detector) leave(r *Result, length time.Duration) {
	if r.Voiced {
		d.gap = 0
		return
	}
	d.gap += length
	if d.gap >= d.opt.Stop {
		d.on, d.run, r.Off = false, 0, true
	}
}

// track moves the floor. It starts at its least, because the first frame of a
// call may already be speech; steady noise shows itself within three seconds, and
// when the stream opens with it, at once.
func (d *Detector) track(level float64, length time.Duration) {
	share := float64(length) / float64(pcm.FrameTime)
	if level < d.floor {
		d.floor += (level - d.floor) * min(1, fall*share)
	} else {
		d.floor += min(level-d.floor, rise*share)
	}
	if d.opened < opening {
		d.open(level, length)
	}
	d.remember(level, length)
	d.floor = max(d.floor, d.opt.FloorDB)
}

// open looks at the opening: when none of it stands out, all of it is noise.
func (d *Detector) open(level float64, length time.Duration) {
	if d.opened >= fade {
		d.lo, d.hi = min(d.lo, level), max(d.hi, level)
	}
	d.opened += length
	if d.opened >= opening && d.hi-d.lo <= d.opt.MarginDB {
		d.floor = max(d.floor, d.lo)
	}
}

// remember keeps the least level of each half second. When six of them are
// full and the least of all is over the floor, that much is noise.
func (d *Detector) remember(level float64, length time.Duration) {
	d.least[d.slot] = min(d.least[d.slot], level)
	d.inSlot += length
	if d.inSlot < bucket {
		return
	}
	d.inSlot = 0
	d.filled = min(d.filled+1, buckets)
	if d.filled == buckets {
		lowest := d.least[0]
		for _, l := range d.least[1:] {
			lowest = min(lowest, l)
		}
		d.floor = max(d.floor, lowest)
	}
	d.slot = (d.slot + 1) % buckets
	d.least[d.slot] = math.Inf(1)
}
