package realtime

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// reply is one reply of the vendor. All is guarded by the Call's mu.
type reply struct {
	item   string
	text   string
	pcm    []int16
	calls  []string // ids
	deltas []provider.Delta
	asked  time.Time
	last   time.Time // something came
	done   bool      // nothing more comes
	err    error

	taken     int // letters that became clauses
	at        int // samples that were given away
	truncated bool
	nothing   bool // truncated before its first sound was heard
}

func (r *reply) fail(err error) {
	if !r.done {
		r.done, r.err = true, err
	}
}

// maxReplies is how many replies are remembered: those of one turn.
const maxReplies = 16

// Thinks is the call as a model: the vendor's replies, and, where it fails before
// its first word, those of next. What is not to be spoken is asked of next.
func (c *Call) Thinks(next provider.Completer) provider.Completer { return thinker{c, next} }

type thinker struct {
	c    *Call
	next provider.Completer
}

// Complete implements provider.Completer.
func (t thinker) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	if !r.Voice || len(r.Schema) > 0 {
		return t.next.Complete(ctx, r)
	}
	return func(yield func(provider.Delta, error) bool) {
		c := t.c
		rep := c.ask(r)
		if rep != nil {
			err, again := c.follow(ctx, rep, yield)
			if !again {
				return
			}
			c.o.Told(err)
			if !yield(c.tried(rep, err), nil) {
				return
			}
		}
		for d, err := range t.next.Complete(ctx, r) {
			if !yield(d, err) {
				return
			}
		}
	}
}

// ask begins a reply; nil = the vendor is not asked any more.
func (c *Call) ask(r provider.Request) *reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost != nil || c.life.Err() != nil {
		return nil
	}
	c.stop()
	c.turn = nil
	c.align(r)
	_, volatile := briefOf(r)
	if plain := timeless(volatile); plain == c.volatile && !c.o.Model.Can().Update {
		volatile = "" // it stands in the vendor's memory already
	} else {
		c.volatile = plain
	}
	rep := &reply{asked: time.Now()}
	c.now, c.own = rep, append(c.own, rep)
	if c.replies = append(c.replies, rep); len(c.replies) > maxReplies {
		c.replies = slices.Delete(c.replies, 0, 1)
	}
	c.send(Respond{Knowledge: volatile})
	return rep
}

// stop ends the reply that is being made; mu is held.
func (c *Call) stop() {
	if r := c.now; r != nil {
		c.now = nil
		r.fail(fmt.Errorf("the reply was given up: %w", fault.Cancelled))
		c.send(Cancel{})
		c.changed()
	}
}

// follow passes a reply on. again = nothing of it was passed on, and somebody
// else is to be asked.
func (c *Call) follow(ctx context.Context, rep *reply, yield func(provider.Delta, error) bool) (err error, again bool) {
	begun := false
	for {
		deltas, wake, left, err := c.progress(rep)
		if len(deltas) > 0 && !begun {
			begun = true
			deltas = append([]provider.Delta{c.tried(rep, nil)}, deltas...)
		}
		for _, d := range deltas {
			if !yield(d, nil) {
				c.giveUp(rep)
				return nil, false
			}
			if d.Finish != "" {
				return nil, false
			}
		}
		switch {
		case err != nil && !begun && !canceled(err):
			return err, true
		case err != nil:
			yield(provider.Delta{}, err)
			return nil, false
		case len(deltas) > 0:
		case !wait(ctx, wake, left):
			c.giveUp(rep)
			yield(provider.Delta{}, fmt.Errorf("the reply is not wanted any more: %w: %w", fault.Cancelled, ctx.Err()))
			return nil, false
		}
	}
}

// progress is what has come of a reply and how long to wait for more.
func (c *Call) progress(rep *reply) (deltas []provider.Delta, wake <-chan struct{}, left time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := rep.asked.Add(c.o.First)
	if !rep.last.IsZero() && (rep.text != "" || len(rep.calls) > 0) {
		due = rep.last.Add(c.o.Silent)
	}
	if left = time.Until(due); left <= 0 && !rep.done {
		err = c.silence("the reply does not come")
		if c.now == rep {
			c.fail(err)
		}
	}
	deltas, rep.deltas = rep.deltas, nil
	if len(deltas) > 0 {
		return deltas, c.wake, left, nil
	}
	return nil, c.wake, left, rep.err
}

// giveUp ends a reply that is being made.
func (c *Call) giveUp(rep *reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == rep {
		c.stop()
	}
}

// tried is the record of what the vendor made of a request.
func (c *Call) tried(rep *reply, err error) provider.Delta {
	vendor, model := c.o.Model.About()
	t := &provider.Try{Provider: vendor, Model: model, Took: time.Since(rep.asked)}
	if err != nil {
		t.Fault = string(fault.KindOf(err)) + ": " + err.Error()
	}
	return provider.Delta{Try: t}
}

// Heard says that the caller heard played of generation gen and nothing more.
// The vendor's reply is ended and cut there.
func (c *Call) Heard(gen uint64, played time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := map[*reply]int{}
	for _, s := range c.mouth.of(gen) {
		n := min(s.length(), played)
		played -= n
		if s.reply != nil {
			until[s.reply] = s.from + int(n*SoundHz/time.Second)
		}
	}
	if running := c.now; running != nil {
		c.stop()
		if _, begun := until[running]; !begun {
			until[running] = 0
		}
	}
	for _, r := range c.replies {
		if at, ok := until[r]; ok {
			c.truncate(r, at)
		}
	}
	for _, r := range c.own { // made and never begun to be said
		if _, ok := until[r]; !ok && r.at == 0 && len(r.pcm) > 0 {
			c.truncate(r, 0)
		}
	}
}

// truncate cuts a reply at a sample unless all of it was heard.
func (c *Call) truncate(r *reply, at int) {
	if r.truncated || at >= len(r.pcm) && r.err == nil {
		return
	}
	if !c.o.Model.Can().Truncate {
		return
	}
	r.truncated, r.nothing = true, at == 0
	if r.item != "" {
		c.send(Truncate{Item: r.item, At: time.Duration(min(at, len(r.pcm))) * time.Second / SoundHz})
	}
}
