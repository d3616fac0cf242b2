package twilio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/media/pcm"
)

// Relay is one call through ConversationRelay: a leg without sound. It is also
// the recogniser and the voice of its call: as a provider.Transcriber it yields
// what Twilio understood, as a provider.Synthesizer it has Twilio speak and gives
// silence of about the same length in place of sound. So the turn machine, the
// journal and what was heard work as in any call; but voice on and off are what
// Twilio's prompts and interrupts let us know. All methods may be called from
// any goroutine.
type Relay struct {
	log   *slog.Logger
	facts facts
	done  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup

	mu      sync.Mutex // guards what follows
	conn    Conn       // nil between two sockets
	script  script
	clauses []clause // spoken to us, still to be told to Twilio in their turn
	voice   bool     // the caller is taken to be speaking
	since   time.Time
	ears    map[*hearing]struct{}
	early   []provider.Hearing // before anybody listened
	outbox  [][]byte           // for a socket that is not there yet
	refused uint64
	started bool
	closed  bool
}

var (
	_ actors.Leg           = (*Relay)(nil)
	_ provider.Transcriber = hears{}
	_ provider.Synthesizer = speaks{}
)

// relayTick is how often the clock of a relay looks.
const relayTick = 2 * pcm.FrameTime

// hushAfter is how long the caller counts as speaking after the last sign of it.
const hushAfter = 2 * time.Second

// NewRelay returns a Relay without a socket.
func NewRelay(log *slog.Logger) *Relay {
	r := &Relay{log: cmp.Or(log, slog.New(slog.DiscardHandler)), done: make(chan struct{}), ears: make(map[*hearing]struct{})}
	r.script.facts = &r.facts
	return r
}

// GreetRelay reads the setup of a session; anything else first closes the socket.
func GreetRelay(c Conn) (Setup, error) {
	late := time.AfterFunc(greetWithin, func() { c.Close(closePolicy, "no setup of a session") })
	defer late.Stop()
	for {
		b, err := c.Read()
		if err != nil {
			return Setup{}, fmt.Errorf("relay: before its setup: %w", err)
		}
		m, err := parseRelay(b)
		switch {
		case err == nil && m.setup != nil:
			return *m.setup, nil
		case err == nil && m.other:
			continue
		case err == nil:
			err = fmt.Errorf("relay: frames before setup: %w", fault.Invalid)
		}
		c.Close(closePolicy, "want setup")
		return Setup{}, err
	}
}

// Serve runs the leg on a socket whose setup was read, until it ends: nil when
// the leg was closed, and why not otherwise. ConversationRelay says no goodbye:
// its closing the socket is how a call ends.
func (r *Relay) Serve(c Conn) error {
	r.mu.Lock()
	switch {
	case r.closed:
		r.mu.Unlock()
		c.Close(closePolicy, "no such call")
		return fmt.Errorf("relay: the call is over: %w", fault.NotFound)
	case r.conn != nil:
		r.mu.Unlock()
		c.Close(closePolicy, "no such call")
		return fmt.Errorf("relay: the call has its socket: %w", fault.Conflict)
	}
	r.conn = c
	waiting := r.outbox
	r.outbox = nil
	for _, b := range waiting {
		r.write(b)
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.conn == c {
			r.conn = nil
		}
	}()
	for junk := 0; ; {
		b, err := c.Read()
		if err != nil {
			return r.lost(err)
		}
		m, err := parseRelay(b)
		if err != nil || m.setup != nil {
			r.mu.Lock()
			r.refused++
			r.mu.Unlock()
			if junk++; junk >= mostJunk {
				c.Close(closePolicy, "frames that cannot be read")
				return fmt.Errorf("relay: %d frames in a row that cannot be read: %w", junk, fault.Invalid)
			}
			continue
		}
		junk = 0
		r.take(&m)
		r.facts.deliver()
	}
}

func (r *Relay) lost(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	return fmt.Errorf("relay: lost: %w", errors.Join(fault.Unavailable, err))
}

func (r *Relay) take(m *relayed) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case m.cut != nil:
		r.script.interrupt(m.cut)
		r.speaking(now)
	case m.prompt != nil:
		r.speaking(now)
		r.hear(provider.Hearing{Text: m.prompt.text, Final: m.prompt.last, EndOfTurn: m.prompt.last})
		if m.prompt.last {
			r.silent(now)
		}
	case m.digit != 0:
		r.facts.add(actors.Fact{Kind: actors.FactDigit, At: now, Digit: m.digit, Length: digitLength})
	case m.failed != "":
		r.refused++
		r.log.Warn("twilio reports an error of the relay", "err", m.failed)
	}
}

// speaking and silent tell the caller's voice. The mutex is held.
func (r *Relay) speaking(now time.Time) {
	r.since = now
	if !r.voice {
		r.voice = true
		r.facts.add(actors.Fact{Kind: actors.FactRawOn, At: now})
		r.facts.add(actors.Fact{Kind: actors.FactVoiceOn, At: now})
	}
}

func (r *Relay) silent(now time.Time) {
	if r.voice {
		r.voice = false
		r.facts.add(actors.Fact{Kind: actors.FactRawOff, At: now})
		r.facts.add(actors.Fact{Kind: actors.FactVoiceOff, At: now})
	}
}

// Start implements actors.Leg.
func (r *Relay) Start(sink func(actors.Fact)) {
	r.mu.Lock()
	first := !r.started && !r.closed
	if first {
		r.started = true
		r.wg.Go(r.clock)
	}
	r.mu.Unlock()
	if first {
		r.facts.add(actors.Fact{Kind: actors.FactPackets, At: time.Now()}) // words need none
		r.facts.open(sink)
	}
}

func (r *Relay) clock() {
	tick := time.NewTicker(relayTick)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-r.done:
			return
		case <-tick.C:
		}
		now := time.Now()
		r.mu.Lock()
		if r.conn != nil {
			r.script.tick(now, now.Sub(last))
		}
		if r.voice && now.Sub(r.since) >= hushAfter {
			r.silent(now)
		}
		r.mu.Unlock()
		last = now
		r.facts.deliver()
	}
}

// Play implements actors.Leg: the next clause of gen that was spoken is told to
// Twilio, and the samples are how long it is taken to last. It does not wait.
func (r *Relay) Play(ctx context.Context, gen uint64, samples []int16, rateHz int) error {
	if rateHz <= 0 {
		return fmt.Errorf("relay: play generation %d at %d Hz: %w", gen, rateHz, fault.Invalid)
	}
	if err := ctx.Err(); err != nil {
		return cancelled(gen, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.script.dead(gen) {
		return cancelled(gen, errDead)
	}
	var words []provider.Word
	for len(r.clauses) > 0 && r.clauses[0].gen <= gen {
		c := r.clauses[0]
		r.clauses = r.clauses[1:]
		if c.gen == gen {
			words = c.words
			if p := r.script.part(gen); p == nil || !p.broken { // else Resume tells it
				r.write(textFrame(c.text+" ", false))
			}
			break
		}
	}
	r.script.add(gen, words, pcm.Length(int64(len(samples)), rateHz))
	return nil
}

// write tells Twilio something; what it is told before its socket is there waits
// for that.
func (r *Relay) write(b []byte) {
	if r.conn == nil || r.conn.Write(b) != nil {
		r.conn = nil
		if len(r.outbox) < mostEarly {
			r.outbox = append(r.outbox, b)
		}
	}
}

// with runs do under the mutex and delivers what came of it.
func (r *Relay) with(do func(now time.Time)) {
	r.mu.Lock()
	do(time.Now())
	r.mu.Unlock()
	r.facts.deliver()
}

// Mark implements actors.Leg, by the clock.
func (r *Relay) Mark(gen, mark uint64) {
	r.with(func(now time.Time) {
		if gen < r.script.flushedBelow {
			return
		}
		if p := r.script.begin(gen); p != nil {
			p.marks = append(p.marks, timeMark{mark, p.length})
			return
		}
		r.facts.add(actors.Fact{Kind: actors.FactMark, At: now, Gen: gen, Mark: mark, Played: r.script.heard(gen)})
	})
}

// End implements actors.Leg: Twilio is told that the talk cycle is complete.
func (r *Relay) End(gen uint64) {
	r.with(func(time.Time) {
		if gen < r.script.flushedBelow {
			return
		}
		if p := r.script.begin(gen); p != nil && !p.ended {
			p.ended = true
			if !p.broken {
				r.write(textFrame("", true))
			}
		}
	})
}

// Duck implements actors.Leg: Twilio stops by itself, it is not made quieter.
func (r *Relay) Duck(float64) {}

// Pause implements actors.Leg. What Twilio was told it goes on speaking, unless
// it was interrupted; that is then where the pause is.
func (r *Relay) Pause(gen uint64) {
	r.with(func(time.Time) {
		if p := r.script.part(gen); p != nil {
			p.paused = true
		}
	})
}

// Resume implements actors.Leg: what Twilio dropped is told again, from the word
// at that place.
func (r *Relay) Resume(gen uint64, from time.Duration) {
	r.with(func(time.Time) {
		if text := r.script.again(gen, from); text != "" {
			p := r.script.part(gen)
			r.write(textFrame(text, p.ended))
		}
	})
}

// Flush implements actors.Leg. What of it is still being spoken gives way to
// the next reply.
func (r *Relay) Flush(gen uint64) (heard time.Duration) {
	r.with(func(time.Time) { heard = r.script.flush(gen) })
	return heard
}

// Played implements actors.Leg.
func (r *Relay) Played(gen uint64) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.script.heard(gen)
}

// Press presses a key for the agent.
func (r *Relay) Press(digit byte, _ time.Duration) error {
	if !isDigit(string(rune(digit))) {
		return fmt.Errorf("relay: key %q: want one of 0-9 * # A-D: %w", digit, fault.Invalid)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(digitsFrame(string(rune(digit))))
	return nil
}

// Tune implements actors.Leg; Twilio decides when somebody speaks.
func (r *Relay) Tune(_, _ time.Duration) {}

// Hear implements actors.Leg; there is no sound to be heard.
func (r *Relay) Hear(func([]int16), time.Duration) {}

// Record implements actors.Leg; a recording is Twilio's to make.
func (r *Relay) Record(actors.Recorder) {}

// Stats implements actors.Leg.
func (r *Relay) Stats() actors.LegStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return actors.LegStats{Codec: "text", RateHz: wireHz, Refused: r.refused}
}

// Close implements actors.Leg: the session is ended.
func (r *Relay) Close() error {
	r.once.Do(func() {
		r.mu.Lock()
		r.closed = true
		conn := r.conn
		if conn != nil {
			r.write(endFrame())
		}
		r.conn = nil
		for h := range r.ears {
			h.stop()
		}
		r.mu.Unlock()
		close(r.done)
		r.facts.close()
		r.wg.Wait()
		if conn != nil {
			conn.Close(closeNormal, "")
		}
	})
	return nil
}
