// Package echo tells our own voice, coming back from the other end, from the
// voice of whoever is there. It cancels nothing: it says of a frame whose it
// is, so that an agent on a speaker-phone does not interrupt itself. Where both
// speak at once the frame is the caller's.
//
// # How
//
// An echo is what was sent up to 420 ms ago, weaker, through a room and a
// telephone's filters. Two things give it away. It is never louder than what was
// sent by more than the line returns, which is learned from every stretch that
// was loud enough to come back: on most lines nothing does, and the caller is
// let through at once. And its waveform follows ours: the signs of both, at 4 kHz
// and with their spectrum flattened, agree at one delay far more often than
// chance allows. Signs care for neither level nor the companding of a codec, and
// 64 of them are compared in one instruction.
//
// Both sides are numbered by their samples, so that what was lost on the way, or
// never sent, must be told: an echo would seem to move. The delay at which an
// echo was proven is kept: in the quiet of a stretch something else fits better by
// chance, and where the echo comes back it is looked for there first.
//
// Only frames that come while, or just after, something was sent are judged at
// all: silence blocks nobody.
package echo

import (
	"math"
	"sync"

	"flametree/media/pcm"
)

// Verdict says whose a frame is.
type Verdict uint8

// The verdicts.
const (
	Clear Verdict = iota // not our own; so is every frame held before it
	Held                 // it cannot be told yet: at most MaxHeld in a row
	Echo                 // our own; so is every frame held before it
)

// MaxHeld is how many frames in a row are Held at most: 100 ms.
const MaxHeld = 5

const (
	rate       = 4  // signs a millisecond
	reach      = 21 // frames: 420 ms, the most that an echo is late
	tail       = 4  // frames for which a room goes on
	perFrame   = 20 * rate
	history    = 64 // words of signs that are kept: 1 s
	loud       = 36 // dB over a step: quieter frames are never speech to the VAD
	worthwhile = 50 // dB: what is sent this loudly shows what the line returns
	sloppy     = 10 // dB by which rooms and filters spread around the mean return
	sure       = 12 // echoes after which their level is known
	shown      = 10 // frames that show it before it is relied on
	nearby     = 25 * rate
	beside     = 2 * rate
	slight     = 0.2 // agreement at the best of all delays, when it is the known one
	stays      = 10  // frames for which the caller keeps what was found to be his
	spread     = 8   // dB by which an echo at a known delay differs from the mean
	fade       = 4   // dB a frame by which a room dies away
)

// Guard compares both sides of one call. It is safe for concurrent use. The
// zero value is ready.
type Guard struct {
	mu        sync.Mutex
	sent, got signs
	ours      [32]float64 // levels of the newest frames sent, by number
	theirs    [32]float64 // of those received
	frames    int64       // sent
	heard     int64       // received

	returns float64 // most that comes back over what was sent, dB
	proofs  int
	enough  bool

	place
	locked bool  // offset is meaningful
	echoes int   // frames found at about that offset
	known  place // that was proven last; a stretch that is like something else by chance does not make it forgotten
	proven bool

	run   int // loud frames in a row, short dips included
	dip   int
	held  int
	near  int // frames for which the caller still has it
	again int // frames like an echo meanwhile
	mute  bool
}

// place is where an echo is found.
type place struct {
	offset   int64 // sign of ours less sign of theirs
	strength float64
	back     float64 // level of the echo over what was sent, dB
}

// Sent takes 20 ms of what goes out, at 8 kHz.
func (g *Guard) Sent(frame []int16) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ours[g.frames%int64(len(g.ours))] = pcm.LevelDB(frame)
	g.frames++
	g.sent.push(frame)
}

// SentNone tells that n frames of 20 ms went by in which nothing was sent.
func (g *Guard) SentNone(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frames = pass(g.frames, n, &g.ours, &g.sent, 0xaaaa_aaaa_aaaa_aaaa)
}

// Missed tells that n frames of 20 ms from the other end did not come.
func (g *Guard) Missed(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard = pass(g.heard, n, &g.theirs, &g.got, 0xcccc_cccc_cccc_cccc)
}

// pass lets n frames go by of which nobody knows anything, and gives the number
// of the next one. The filling of ours and that of theirs are alike by half,
// wherever they meet: that is chance.
func pass(next int64, n int, levels *[32]float64, s *signs, filling uint64) int64 {
	const all = history * 64 / perFrame // frames that are remembered, and one
	for range min(n, all+1) {
		levels[next%int64(len(levels))] = 0
		next++
		s.skip(perFrame, filling)
	}
	if more := n - all - 1; more > 0 { // what is kept is filling everywhere, and fits at every place
		s.count += int64(more) * perFrame
		next += int64(more)
	}
	return next
}

// Judge says whose the next 20 ms from the other end are, at 8 kHz.
func (g *Guard) Judge(frame []int16) Verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	level := pcm.LevelDB(frame)
	g.theirs[g.heard%int64(len(g.theirs))] = level
	g.heard++
	g.got.push(frame)
	env := g.envelope()
	if env < loud { // nothing that could come back
		g.settle(Clear)
		g.run, g.near, g.mute = 0, 0, false
		return Clear
	}
	g.prove()
	v := g.decide(level, env)
	g.settle(v)
	return v
}

// Mute reports whether what comes in now is our own voice and nothing else, so
// that nobody need listen to it.
func (g *Guard) Mute() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mute
}

// settle counts what is held.
func (g *Guard) settle(v Verdict) {
	if v == Held {
		g.held++
		return
	}
	g.held = 0
}

func (g *Guard) decide(level, env float64) Verdict {
	if level < loud {
		return g.quiet()
	}
	g.run, g.dip = g.run+1, 0
	if g.enough && level > env+g.returns+sloppy {
		return g.callers()
	}
	over := level - g.expected()
	above := over - g.back
	if g.echoes < sure {
		above = 0
	}
	before := g.offset
	agree, alike := g.likeness(above > spread/2)
	if alike && (g.echoes == 0 || away(before, g.offset)) { // what was expected at another delay says nothing
		above = 0
	}
	louder := above > spread && agree < 0.75*g.strength
	switch {
	case alike && !louder && (g.near == 0 || g.lapsed(agree)):
		g.learn(agree, over)
		g.near, g.again, g.mute = 0, 0, true
		if above > spread/2 { // perhaps somebody speaks besides: his words are not to be lost
			g.mute = false
		}
		return Echo
	case g.near > 0:
		g.near--
		return Clear
	case g.held < MaxHeld && !(louder && g.held > 1):
		g.mute = g.mute && above <= spread/2
		return Held
	}
	return g.callers()
}

// lapsed reports whether a stretch that was the caller's has become an echo:
// where both speak one frame proves little.
func (g *Guard) lapsed(agree float64) bool {
	g.again++
	return g.again > 3 || g.again > 1 && agree >= 0.85*g.strength
}

// learn takes a frame that was an echo and nothing else.
func (g *Guard) learn(agree, over float64) {
	g.echoes++
	share := 1 / float64(min(g.echoes, 16))
	g.strength += (agree - g.strength) * share
	g.back += (over - g.back) * share
	if g.echoes >= sure {
		g.known, g.proven = g.place, true
	}
}

// away reports whether two delays are more than a millisecond apart.
func away(a, b int64) bool { return max(a-b, b-a) > rate }

// returned goes back to the place that was proven, when the echo is found there
// again.
func (g *Guard) returned(words int) (agree float64, is bool) {
	if !g.proven || !away(g.known.offset, g.offset) {
		return 0, false
	}
	at, agree := g.search(g.known.offset-rate, g.known.offset+rate, words)
	if agree < max(0.3, 0.6*g.known.strength) {
		return agree, false
	}
	g.comeBack(at)
	return agree, true
}

func (g *Guard) comeBack(at int64) {
	g.place, g.echoes = g.known, sure
	g.offset = at
}

// expected is the level that the frames behind an echo of now were sent at; a
// room goes on for some time.
func (g *Guard) expected() float64 {
	if !g.locked {
		return 0
	}
	first := g.heard - 1 + int64(math.Floor(float64(g.offset)/perFrame))
	most := 0.0
	for n := range int64(tail) {
		at := first + 1 - n
		if at < 0 || at >= g.frames || at < g.frames-int64(len(g.ours)) {
			continue
		}
		most = max(most, g.ours[at%int64(len(g.ours))]-fade*float64(max(n-1, 0)))
	}
	return most
}

func (g *Guard) callers() Verdict {
	g.near, g.again, g.mute = stays, 0, false
	return Clear
}

// quiet is a frame too soft to be anybody's.
func (g *Guard) quiet() Verdict {
	if g.dip++; g.dip > 2 {
		g.run = 0
		g.near = max(g.near-1, 0)
	}
	switch {
	case g.held == 0:
		return Clear
	case g.run > 0 && g.held < MaxHeld: // within a word perhaps
		return Held
	case g.run >= MaxHeld-1 && !g.locked: // long enough to have been proven by now
		return g.callers()
	}
	return Echo // too short for anything
}

// envelope is the level of the loudest frame that could come back now.
func (g *Guard) envelope() float64 {
	most := 0.0
	for n := range int64(reach + tail) {
		if at := g.frames - 1 - n; at >= 0 {
			most = max(most, g.ours[at%int64(len(g.ours))])
		}
	}
	return most
}

// prove learns what the line returns: what was sent 420 ms ago has come back by
// now if it ever does, and was no louder than the loudest that came.
func (g *Guard) prove() {
	if g.frames <= reach || g.near > 0 {
		return
	}
	out := g.ours[(g.frames-1-reach)%int64(len(g.ours))]
	if out < worthwhile {
		return
	}
	back := 0.0
	for n := range int64(reach) {
		if at := g.heard - 1 - n; at >= 0 {
			back = max(back, g.theirs[at%int64(len(g.theirs))])
		}
	}
	back -= out
	g.proofs = min(g.proofs+1, 50)
	g.returns += (back - g.returns) / float64(g.proofs)
	g.enough = g.proofs >= shown
}

// likeness is how far both sides agree at the best delay, from 0 to 1, and
// whether that proves an echo. The longer the stretch the less chance agrees,
// and the fewer delays are tried. One that is louder than an echo was so far has
// to be all the more like it.
func (g *Guard) likeness(louder bool) (agree float64, alike bool) {
	if g.locked {
		var done bool
		if agree, alike, done = g.there(louder); done {
			return agree, alike
		}
	}
	if g.run < 3 {
		return 0, false
	}
	words, need := 4, 0.45
	if g.run >= 5 {
		words, need = 6, 0.36
	}
	if louder { // a line whose delay has changed sounds like a caller: it must be plain
		need += 0.1
	}
	latest := g.sent.count - g.got.count
	at, agree := g.search(latest-reach*perFrame, latest, words)
	if g.proven && at >= g.known.offset-beside && at <= g.known.offset+beside && agree >= slight && g.run >= 5 {
		g.comeBack(at) // of all delays the best is the known one: one in a hundred is, by chance
		return agree, true
	}
	if agree < need {
		return agree, false
	}
	g.offset, g.locked, g.echoes = at, true, 0
	return agree, true
}

// there looks for the echo where it was, where it was proven, and nearby. Done
// says that it need not be looked for anywhere else.
func (g *Guard) there(louder bool) (agree float64, alike, done bool) {
	words, need := 4, max(0.3, 0.6*g.strength)
	if g.run < 4 {
		words, need = 2, max(0.34, 0.6*g.strength)
	}
	if louder {
		need = max(need, 0.85*g.strength)
	}
	at, agree := g.search(g.offset-4, g.offset+4, words)
	if agree >= need {
		g.offset = at
		return agree, true, true
	}
	if agree, is := g.returned(words); is {
		return agree, true, true
	}
	if g.near > 0 {
		return agree, false, true
	}
	if g.run >= 4 && !louder {
		if at, agree := g.search(g.offset-nearby, g.offset+nearby, words); agree >= 0.45 {
			g.offset = at
			return agree, true, true
		}
	}
	return 0, false, false
}

// search compares the newest signs received with those sent, at each offset
// from first to last, and gives the best.
func (g *Guard) search(first, last int64, words int) (at int64, agree float64) {
	begin := g.got.count - int64(64*words)
	last = min(last, g.sent.count-g.got.count)
	first = max(first, g.sent.count-history*64+64-begin)
	if begin < 0 || first > last {
		return 0, 0
	}
	var theirs [6]uint64
	for i := range words {
		theirs[i] = g.got.at(begin + int64(64*i))
	}
	total, best := 64*words, -1
	for o := first; o <= last; o++ {
		if d := g.sent.differ(begin+o, theirs[:words]); max(d, total-d) > best {
			at, best = o, max(d, total-d)
		}
	}
	return at, 2*float64(best)/float64(total) - 1
}
