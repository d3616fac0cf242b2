package actorstest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
)

// Phone is a caller with a telephone, and our side of the media: it implements
// actors.Leg on frames that it makes and takes by itself, every 20 ms of
// whatever time the test lives in. Line is the signalling beside it. Neither
// decides anything; the caller's deeds are the test's.
type Phone struct {
	Line *Line

	trace *Trace
	done  chan struct{}
	work  sync.WaitGroup
	once  sync.Once

	mu    sync.Mutex
	sink  func(actors.Fact)
	play  playout
	rec   actors.Recorder
	stats actors.LegStats

	tap       func(actors.Packet)
	overheard Overheard
	keys      []byte  // pressed by our side
	words     []sound // what the caller still says
	silent    chan struct{}
	ring      []sound // the last 6 s of what came in
	dst       func([]int16)
	cut       bool // no packets come
	gap       int  // ticks since the last packet
	flows     bool
	loud      int // voiced frames in a row
	quiet     int // unvoiced ones
	raw       bool
	voice     bool
	captions  []actors.Caption
	start     int // voiced frames that make a voice
	stop      int // unvoiced ones that end it
}

var _ actors.Leg = (*Phone)(nil)

// NewPhone is a phone that notes in trace, which may be nil, what it is told to do.
func NewPhone(trace *Trace) *Phone {
	return &Phone{
		Line: &Line{trace: trace}, trace: trace, done: make(chan struct{}),
		play: playout{high: map[uint64]int{}}, stats: actors.LegStats{Codec: "PCMU", RateHz: rateHz},
		start: 6, stop: 10,
	}
}

// Tune implements actors.Leg.
func (p *Phone) Tune(start, stop time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if start > 0 {
		p.start = int(start / FrameTime)
	}
	if stop > 0 {
		p.stop = int(stop / FrameTime)
	}
}

// Start implements actors.Leg.
func (p *Phone) Start(sink func(actors.Fact)) {
	p.mu.Lock()
	p.sink = sink
	p.mu.Unlock()
	tick := time.NewTicker(FrameTime)
	p.work.Go(func() {
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				p.tick(now)
			case <-p.done:
				return
			}
		}
	})
}

func (p *Phone) tick(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in := p.listen(now)
	p.tapped(now)
	out, facts := p.play.tick(now)
	p.tell(facts...)
	p.stats.Sent++
	if p.rec != nil {
		left, right := make([]int16, frameSize), make([]int16, frameSize)
		in.encode(left)
		out.encode(right)
		p.rec.Frame(left, right)
	}
}

// tell passes facts on in order; the sink does not block.
func (p *Phone) tell(facts ...actors.Fact) {
	for _, f := range facts {
		p.sink(f)
	}
}

// listen takes one packet in, if one comes.
func (p *Phone) listen(now time.Time) sound {
	if p.cut {
		if p.gap++; p.gap == int(400*time.Millisecond/FrameTime) {
			p.hush(now)
			p.flows = false
			p.tell(actors.Fact{Kind: actors.FactNoPackets, At: now})
		}
		return sound{}
	}
	p.gap = 0
	p.stats.Received++
	if !p.flows {
		p.flows = true
		p.tell(actors.Fact{Kind: actors.FactPackets, At: now})
	}
	var s sound
	if len(p.words) > 0 {
		s, p.words = p.words[0], p.words[1:]
	}
	p.judge(now, s.n > 0)
	p.ring = append(p.ring, s)
	p.ring = p.ring[max(0, len(p.ring)-300):]
	if p.dst != nil {
		p.dst(widened(s))
	}
	if len(p.words) == 0 && p.silent != nil {
		close(p.silent)
		p.silent = nil
	}
	return s
}

func widened(s sound) []int16 {
	frame := make([]int16, 2*frameSize)
	s.encode(frame)
	return frame
}

// judge is the VAD.
func (p *Phone) judge(now time.Time, on bool) {
	if !on {
		p.loud = 0
		if p.raw {
			p.raw, p.quiet = false, 0
			p.tell(actors.Fact{Kind: actors.FactRawOff, At: now})
		}
		if p.quiet++; p.voice && p.quiet == p.stop {
			p.voice = false
			p.tell(actors.Fact{Kind: actors.FactVoiceOff, At: now})
		}
		return
	}
	p.quiet = 0
	if !p.raw {
		p.raw = true
		p.tell(actors.Fact{Kind: actors.FactRawOn, At: now})
	}
	if p.loud++; !p.voice && p.loud == p.start {
		p.voice = true
		p.tell(actors.Fact{Kind: actors.FactVoiceOn, At: now})
	}
}

func (p *Phone) hush(now time.Time) {
	if p.raw {
		p.tell(actors.Fact{Kind: actors.FactRawOff, At: now})
	}
	if p.voice {
		p.tell(actors.Fact{Kind: actors.FactVoiceOff, At: now})
	}
	p.raw, p.voice, p.loud, p.quiet = false, false, 0, 0
}

// Hear implements actors.Leg.
func (p *Phone) Hear(dst func([]int16), replay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(int(replay/FrameTime), len(p.ring))
	p.trace.Add(fmt.Sprintf("hear %v", replay.Round(10*time.Millisecond)))
	if p.dst = dst; dst == nil {
		return
	}
	for _, s := range p.ring[len(p.ring)-n:] {
		dst(widened(s))
	}
}

// Play implements actors.Leg.
func (p *Phone) Play(ctx context.Context, gen uint64, pcm []int16, rate int) error {
	if rate != rateHz || len(pcm)%frameSize != 0 {
		return fmt.Errorf("phone: %d samples at %d Hz: %w", len(pcm), rate, fault.Invalid)
	}
	for ; len(pcm) > 0; pcm = pcm[frameSize:] {
		if err := p.append(ctx, gen, decode(pcm[:frameSize])); err != nil {
			return err
		}
	}
	return nil
}

func (p *Phone) append(ctx context.Context, gen uint64, s sound) error {
	for {
		p.mu.Lock()
		if p.play.refuses(gen) || ctx.Err() != nil || p.closed() {
			p.mu.Unlock()
			return fmt.Errorf("phone: generation %d is over: %w", gen, fault.Cancelled)
		}
		if p.play.pending() < hardLimit {
			seg := p.play.begin(gen)
			if seg.ready.IsZero() {
				seg.ready = time.Now()
			}
			seg.frames = append(seg.frames, s)
			p.mu.Unlock()
			return nil
		}
		if p.play.room == nil {
			p.play.room = make(chan struct{})
		}
		room := p.play.room
		p.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		case <-p.done:
		}
	}
}

func (p *Phone) closed() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Mark implements actors.Leg.
func (p *Phone) Mark(gen, mark uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.play.segment(gen); s != nil {
		s.marks = append(s.marks, markAt{id: mark, at: len(s.frames)})
		p.tell(p.play.settle(time.Now())...)
	}
}

// End implements actors.Leg.
func (p *Phone) End(gen uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trace.Add(fmt.Sprintf("end %d", gen))
	if gen <= p.play.dead {
		return
	}
	if s := p.play.begin(gen); s != nil {
		s.ended = true
	}
	p.tell(p.play.settle(time.Now())...)
}

// Duck implements actors.Leg.
func (p *Phone) Duck(db float64) { p.trace.Add(fmt.Sprintf("duck %g", db)) }

// Pause implements actors.Leg.
func (p *Phone) Pause(gen uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trace.Add(fmt.Sprintf("pause %d", gen))
	if gen > p.play.dead {
		p.play.hold = gen
	}
}

// Resume implements actors.Leg.
func (p *Phone) Resume(gen uint64, from time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trace.Add(fmt.Sprintf("resume %d from %v", gen, from))
	p.play.resume(gen, from)
}

// Flush implements actors.Leg.
func (p *Phone) Flush(gen uint64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trace.Add(fmt.Sprintf("flush %d", gen))
	return p.play.flush(gen)
}

// Played implements actors.Leg.
func (p *Phone) Played(gen uint64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.play.reached(gen)
}

// Record implements actors.Leg.
func (p *Phone) Record(r actors.Recorder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rec = r
}

// Stats implements actors.Leg.
func (p *Phone) Stats() actors.LegStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Close implements actors.Leg.
func (p *Phone) Close() error {
	p.once.Do(func() {
		p.trace.Add("close leg")
		close(p.done)
		p.work.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.rec, p.dst = nil, nil
		p.play.wake()
		if p.silent != nil {
			close(p.silent)
			p.silent = nil
		}
	})
	return nil
}

// Closed reports whether the leg was closed.
func (p *Phone) Closed() bool { return p.closed() }

// Press notes a key that our side presses on this phone's line.
func (p *Phone) Press(digit byte, _ time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, digit)
	return nil
}

// Pressed are the keys that our side pressed.
func (p *Phone) Pressed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.keys)
}

// Sent is all speech that went out.
func (p *Phone) Sent() []Sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Sent(nil), p.play.sent...)
}

// Heard are the words of a generation of which more than half went out, each
// once although a resumed one may have been sent twice.
func (p *Phone) Heard(gen uint64) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var words []string
	run, next := 0, 0
	for _, s := range p.play.sent {
		if s.Gen != gen || s.n == 0 || s.Pos < next {
			continue
		}
		next = s.Pos + 1
		if s.i == 0 {
			run = 0
		}
		if run++; run == s.n/2+1 {
			words = append(words, s.word)
		}
	}
	return strings.Join(words, " ")
}

// speak gives the caller something to say and a channel that is closed when it
// was said.
func (p *Phone) speak(what []sound) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.words = append(p.words, what...)
	if p.silent == nil {
		p.silent = make(chan struct{})
		if p.closed() {
			close(p.silent)
		}
	}
	return p.silent
}

// Say has the caller say words and returns when they were said.
func (p *Phone) Say(text string) { <-p.speak(uttered(text)) }

// Noise has the caller make a noise without words: a cough.
func (p *Phone) Noise(d time.Duration) { <-p.speak(noise(d)) }

// Keys has the caller press keys, a quarter of a second apart.
func (p *Phone) Keys(keys string) {
	for _, k := range []byte(keys) {
		p.mu.Lock()
		p.tell(actors.Fact{Kind: actors.FactDigit, At: time.Now(), Digit: k, Length: 100 * time.Millisecond})
		p.mu.Unlock()
		time.Sleep(250 * time.Millisecond)
	}
}

// Cut stops the caller's packets, or lets them come again.
func (p *Phone) Cut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
}
