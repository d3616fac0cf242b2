package turns

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/pcm"
	"flametree/media/sip"
)

// talk plays one dialogue against one agent.
type talk struct {
	dialogue
	line   *line
	slot   *slot
	studio *studio
	seen   seen
}

// seen is what a call was, on the wire.
type seen struct {
	id     string // SIP Call-ID
	turns  []uttered
	asides []made
	agent  []span
	lost   int

	frames, late int // packets of the caller, and those that left too late
	latest       time.Duration
}

// uttered is one turn of the caller as it was said.
type uttered struct {
	step
	span
}

// made is an aside as it was made.
type made struct {
	aside
	span
}

const (
	busyFor  = 5 * time.Minute // a server without room is tried again
	greeted  = 8 * time.Second
	answered = 5 * time.Second
	finished = 20 * time.Second
	quiet    = 400 * time.Millisecond
	// asideQuiet is how long a caller who has just made a noise waits for the
	// agent to go on; asideWait is what counts as just.
	asideQuiet = 1800 * time.Millisecond
	asideWait  = 2500 * time.Millisecond
)

// hold places the call, talks and hangs up.
func hold(ctx context.Context, phone *sip.Endpoint, target string, t *talk, n uint64) error {
	t.slot.begin()
	dialling, cancel := context.WithTimeout(ctx, busyFor)
	defer cancel()
	call, err := dial(dialling, phone, target, n)
	if err != nil {
		return err
	}
	call.Start(func(actors.Fact) {})
	t.line = call.Media().(*line)
	t.line.mu.Lock()
	t.line.noise, t.line.loss = hiss(n, t.caller.snrDB), t.caller.loss
	t.line.mu.Unlock()
	t.seen.id = call.CallID()
	err = t.run(ctx)
	t.seen.agent = t.line.spurts()
	call.Hangup("completed")
	<-call.Gone()
	t.line.mu.Lock()
	defer t.line.mu.Unlock()
	t.seen.lost, t.seen.frames, t.seen.late, t.seen.latest = t.line.lost, len(t.line.left), t.line.late, t.line.latest
	return err
}

// dial places the call, again while the server has no room for it.
func dial(ctx context.Context, phone *sip.Endpoint, target string, n uint64) (*sip.Call, error) {
	for {
		call, err := phone.Dial(ctx, target, sip.DialOptions{From: fmt.Sprintf("caller-%d", n), Codecs: []string{"PCMU"}})
		refused, busy := errors.AsType[*sip.Refused](err)
		if !busy || refused.Code != 503 || !wait(ctx, time.Second) {
			return call, err
		}
	}
}

// run talks, step by step.
func (t *talk) run(ctx context.Context) error {
	since := time.Now()
	if !t.silent(ctx, since, greeted) {
		return fmt.Errorf("no greeting: %w", fault.Unavailable)
	}
	for i, s := range t.steps {
		if err := t.say(ctx, s, since); err != nil {
			return err
		}
		since = t.seen.turns[i].to
		if i+1 < len(t.steps) && t.steps[i+1].begins == answers || i+1 == len(t.steps) {
			t.listen(ctx, s.asides, since)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// say waits for a step's beginning and says it.
func (t *talk) say(ctx context.Context, s step, since time.Time) error {
	if s.begins != answers {
		t.heard(ctx, since, answered) // one who is kept waiting speaks all the same
	}
	wait(ctx, s.after)
	reply := s.reply
	t.slot.reply.Store(&reply)
	var all []int16
	var words []mark
	for _, g := range s.says {
		sound, err := t.studio.say(ctx, t.caller, g.text)
		if err != nil {
			return err
		}
		for _, w := range sound.words {
			words = append(words, mark{w.text, len(all) + w.end})
		}
		all = append(append(all, sound.pcm...), make([]int16, pcm.Samples(g.pause, rateHz))...)
	}
	at := t.line.put(all, 0)
	told := make([]utterance, len(words))
	for i, w := range words {
		told[i] = utterance{w.text, t.line.when(at + w.end)}
	}
	t.slot.told(told)
	end := at + len(all)
	if !wait(ctx, time.Until(t.line.when(end))) {
		return context.Cause(ctx)
	}
	t.seen.turns = append(t.seen.turns, uttered{s, span{t.line.when(at), t.line.when(end)}})
	return nil
}

// listen hears the reply to its end and makes the asides meanwhile.
func (t *talk) listen(ctx context.Context, asides []aside, since time.Time) {
	onset, ok := t.heard(ctx, since, answered)
	if !ok {
		return
	}
	for _, a := range asides {
		wait(ctx, time.Until(onset.Add(a.at)))
		t.line.mu.Lock()
		over := t.line.quiet(since, quiet)
		t.line.mu.Unlock()
		if over {
			break
		}
		t.make(ctx, a)
	}
	t.silent(ctx, since, finished)
	if n := len(t.seen.asides); n > 0 && time.Since(t.seen.asides[n-1].to) < asideWait {
		// The agent may have fallen silent in the middle of the noise, and waits for
		// its end before it goes on.
		wait(ctx, max(asideQuiet-quiet, time.Until(t.seen.asides[n-1].to.Add(asideQuiet))))
		t.silent(ctx, since, finished)
	}
}

// make makes an aside.
func (t *talk) make(ctx context.Context, a aside) {
	noise := t.studio.coughs[int(a.at/time.Millisecond)%len(t.studio.coughs)]
	if a.text != "" {
		s, err := t.studio.say(ctx, t.caller, a.text)
		if err != nil {
			return // nothing was said, so nothing is judged
		}
		noise = s.pcm
	}
	at := t.line.put(noise, 0)
	if a.text != "" {
		t.slot.told([]utterance{{a.text, t.line.when(at + len(noise))}})
	}
	t.seen.asides = append(t.seen.asides, made{a, span{t.line.when(at), t.line.when(at + len(noise))}})
}

// heard waits for the agent's first sound since.
func (t *talk) heard(ctx context.Context, since time.Time, patience time.Duration) (at time.Time, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t.line.until(ctx, func() bool {
		at, ok = t.line.onset(since)
		return ok
	})
	return at, ok
}

// silent waits until the agent has spoken since and then been silent.
func (t *talk) silent(ctx context.Context, since time.Time, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return t.line.until(ctx, func() bool { return t.line.quiet(since, quiet) })
}
