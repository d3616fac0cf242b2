package voicescript

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flametree/engine/fault"
	"flametree/engine/scenario"
	"flametree/media/caller"
)

// player plays the caller's part of one call. It belongs to one goroutine.
type player struct {
	studio   *Studio
	scenario *scenario.Scenario
	call     *caller.Call
	sounds   sounds
	zero     time.Time // the answer

	since time.Time // the end of our last sound
	done  []scenario.Done
	fault string
	ended time.Time
}

const (
	patience = 25 * time.Second // for the agent to speak, or to be silent
	linger   = 2 * time.Second  // for the agent to hang up after its last answer
	packet   = 20 * time.Millisecond
)

func (p *player) offset(at time.Time) time.Duration { return at.Sub(p.zero) }

func (p *player) tell(format string, args ...any) {
	if p.studio.Tell != nil {
		p.studio.Tell(p.scenario.Name, time.Since(p.zero), fmt.Sprintf(format, args...))
	}
}

// play goes through the steps and ends the call.
func (p *player) play(ctx context.Context) {
	limited, cancel := context.WithTimeoutCause(ctx, p.scenario.Timeout,
		fmt.Errorf("the call was not over after its timeout of %v: %w", p.scenario.Timeout, fault.Exhausted))
	defer cancel()
	p.since = p.zero.Add(-time.Second)
	p.call.Background(p.sounds.noise)
	for i, s := range p.scenario.Steps {
		if err := p.step(limited, i, s); err != nil {
			p.fault = fmt.Sprintf("step %d (line %d): %v", i+1, s.Place.Line, plainly(limited, err))
			p.tell("%s", p.fault)
			break
		}
	}
	if p.fault == "" {
		p.last(limited)
		if err := context.Cause(limited); err != nil {
			p.fault = err.Error()
		}
	}
	if p.call.Reason() == "" {
		p.call.Hangup()
	}
	p.ended = time.Now()
	p.tell("the call is over: %s", p.call.Reason())
}

// plainly says why a step did not come about.
func plainly(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// last waits for the answer to the last step, and a little for the agent to
// hang up, which is then the end it chose.
func (p *player) last(ctx context.Context) {
	switch p.scenario.Steps[len(p.scenario.Steps)-1].Act {
	case scenario.HangUp, scenario.Await:
		return
	default:
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_ = p.call.WaitQuiet(waiting, p.since, p.scenario.Quiet) // no answer is judged, not reported
	p.gone(ctx, linger)
}

// gone waits until the agent has hung up.
func (p *player) gone(ctx context.Context, most time.Duration) bool {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-p.call.Gone():
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

func (p *player) step(ctx context.Context, i int, s scenario.Step) error {
	if err := p.wait(ctx, s.When); err != nil {
		return err
	}
	d := scenario.Done{First: time.Since(p.zero)}
	d.Last = d.First
	p.done = append(p.done, d)
	done := &p.done[len(p.done)-1]
	switch s.Act {
	case scenario.Say, scenario.Play, scenario.Sound:
		p.tell("caller: %s", scenario.Label(s))
		said, err := p.call.Say(ctx, p.sounds.steps[i])
		if err != nil {
			return err
		}
		p.took(done, said)
	case scenario.Press:
		p.tell("caller: %s", scenario.Label(s))
		said, err := p.call.Press(ctx, s.Text)
		if err != nil {
			return err
		}
		p.took(done, said)
	case scenario.Wait:
		p.gone(ctx, s.For)
	case scenario.Await:
		if !p.gone(ctx, patience) {
			return errors.Join(context.Cause(ctx), fmt.Errorf("the agent did not hang up within %v: %w", patience, fault.Exhausted))
		}
	case scenario.HangUp:
		p.tell("caller: hangs up")
		p.call.Hangup()
	case scenario.Listen:
	}
	return nil
}

func (p *player) took(d *scenario.Done, said caller.Said) {
	d.First, d.Last = p.offset(said.First), p.offset(said.Last)+packet
	p.since = said.Last
}

// wait waits for the moment of a step.
func (p *player) wait(ctx context.Context, w scenario.When) error {
	waiting, cancel := context.WithTimeout(ctx, max(patience, w.Of+patience))
	defer cancel()
	var err error
	what := ""
	switch w.Trigger {
	case scenario.AfterAnswer:
		err, what = p.call.WaitQuiet(waiting, p.since, p.scenario.Quiet), "the agent to speak and be quiet again"
	case scenario.WhileSpeaks:
		err, what = p.call.WaitSpeaking(waiting, p.since, w.Of, p.scenario.Quiet), fmt.Sprintf("the agent to have spoken for %v", w.Of)
	case scenario.AfterSilence:
		since := p.since
		if since.Before(p.zero) {
			since = p.zero
		}
		err, what = p.call.WaitSilence(waiting, since, w.Of), fmt.Sprintf("silence of %v", w.Of)
	case scenario.At:
		if p.gone(waiting, time.Until(p.zero.Add(w.Of))) {
			err = fmt.Errorf("the call has ended (%s) before %v: %w", p.call.Reason(), w.Of, fault.Unavailable)
		}
	case scenario.AtOnce:
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("waited %v in vain for %s: %w", patience, what, fault.Exhausted)
	}
	return err
}

// begun is when the first sample of the agent's sound was heard.
func (p *player) begun() time.Time {
	if all := p.call.Heard(time.Time{}); len(all) > 0 {
		return all[0].At
	}
	return p.zero
}

// observed is what the caller's socket saw.
func (p *player) observed(facts *scenario.Facts) *scenario.Observed {
	o := &scenario.Observed{Steps: p.done, Ended: p.offset(p.ended), By: p.call.Reason(), Fault: p.fault, Facts: facts}
	const same = 60 * time.Millisecond // packets that follow each other, one or two missing
	for _, h := range p.call.Heard(time.Time{}) {
		if h.Level < caller.Voiced {
			continue
		}
		from := p.offset(h.At)
		if n := len(o.Voice); n > 0 && from-o.Voice[n-1].To < same {
			o.Voice[n-1].To = from + packet
			continue
		}
		o.Voice = append(o.Voice, scenario.Span{From: from, To: from + packet})
	}
	return o
}
