package actors

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/spoken"
	"flametree/engine/turn"
)

// The modes of a transfer.
const (
	passBlind    = "blind"    // the other end is asked to dial
	passAttended = "attended" // we dial, then the other end takes our place
	passWarm     = "warm"     // we dial, tell the person what it is about, and stay in between
)

// passing is a transfer under way.
type passing struct {
	Transfer
	begun  bool
	joined bool
	cancel context.CancelFunc
	hush   func() // ends the music
	second second
	part   func()
}

// second is the call to whoever is to take the caller.
type second struct {
	leg  Leg
	line Line
}

// fetched is who was called for a call that is up, or why nobody was reached.
type fetched struct {
	second second
	err    error
	taken  *atomic.Bool // whoever sets it has the second
}

// fetch calls somebody outside of the actor, which bring tells of him. Whom the
// actor has not taken when it ends is hung up on.
func (c *Call) fetch(ctx context.Context, d Dialling, progress func(DialProgress), bring func(fetched)) {
	life, dialler := c.life, c.Dialler
	go func() {
		leg, line, err := dialler.Dial(ctx, d, progress)
		m := fetched{second{leg, line}, err, new(atomic.Bool)}
		bring(m)
		if err != nil {
			return
		}
		<-life.Done() // by then the actor has taken the call, or it never will
		if m.taken.CompareAndSwap(false, true) {
			abandon(leg, line)
		}
	}()
}

type (
	// durable says that a transfer is in the journal.
	durable struct{ of *passing }
	// ringing says that the person has answered and is being told.
	picked struct{ of *passing }
	// passed brings what became of a transfer.
	passed struct {
		of     *passing
		joined bool
		second second
		err    error
		taken  *sync.Once
	}
	// secondGone says that the person hung up.
	secondGone struct{ of *passing }
)

// pass takes the session's wish; it waits until the caller has heard what the
// agent said.
func (c *Call) passOn(m *Transfer) {
	if c.pass != nil || c.changing() || c.screen != nil || c.watch.barged != nil {
		return
	}
	c.pass = &passing{Transfer: *m}
	c.maybePass()
}

// maybePass begins a transfer once nothing is left to be heard.
func (c *Call) maybePass() {
	p := c.pass
	if p == nil || p.begun || c.reply != nil && !c.reply.done {
		return
	}
	p.begun = true
	c.step(c.now(time.Now()), turn.Input{Kind: turn.LineTransferring})
	if c.over {
		return
	}
	if c.Studio != nil {
		p.hush = c.Studio.Music(c.leg)
	}
	tell := teller(c.root, c.self)
	c.log.after(func() { tell(&durable{of: p}) }, event.TransferBegun{
		Mode: p.Mode, Name: p.Name, Target: event.P(p.Target), Summary: event.P(p.Summary), Offset: c.now(time.Now()),
	})
}

// transfer runs a transfer that is in the journal.
func (c *Call) transfer(m *durable) {
	p := c.pass
	if p == nil || p != m.of {
		return
	}
	ctx, cancel := context.WithCancel(c.life)
	p.cancel = cancel
	tell, life := teller(c.root, c.self), c.life
	t := transferring{
		passing: p.Transfer, of: p, line: c.line, cast: c.duplex.ordinary(c.cast), dialler: c.Dialler, bridges: c.Studio != nil, tell: tell,
		dial: Dialling{
			Tenant: c.id.Tenant, Agent: c.offer.Born.Agent, To: p.Target, From: c.offer.From, Ring: c.cfg.TransferTimeout,
		},
	}
	go func() {
		out := t.run(ctx)
		out.of, out.taken = p, new(sync.Once)
		tell(out)
		if out.second.line == nil {
			return
		}
		<-life.Done() // by then the actor has taken the second call, or it never will
		out.taken.Do(func() { abandon(out.second.leg, out.second.line) })
	}()
}

// transferring is a transfer as it runs, outside of the actor.
type transferring struct {
	passing Transfer
	of      *passing
	line    Line
	cast    *Cast
	dialler Dialler
	bridges bool
	dial    Dialling
	tell    func(any)
}

// ErrNoTransfer says that the other end does no transfers at all (no REFER).
var errNoTransfer = errors.New("the other end does not transfer calls")

func (t *transferring) run(ctx context.Context) *passed {
	refers, able := t.line.(Referrer)
	if t.passing.Mode == passBlind && able {
		err := refers.Refer(ctx, t.passing.Target, nil)
		if err == nil || !unable(err) {
			return &passed{err: err}
		}
	}
	// The other end cannot: we call ourselves.
	s, err := t.reach(ctx)
	if err != nil {
		return &passed{err: err}
	}
	if t.passing.Mode == passAttended && able {
		err := refers.ReferTo(ctx, s.line, nil)
		if err == nil || !unable(err) {
			if err != nil {
				abandon(s.leg, s.line)
				s = second{}
			}
			return &passed{second: s, err: err}
		}
	}
	if t.passing.Mode == passWarm {
		t.tell(&picked{of: t.of})
		if err := t.brief(ctx, s); err != nil {
			abandon(s.leg, s.line)
			return &passed{err: err}
		}
	}
	return &passed{joined: true, second: s}
}

// unable reports whether the other end refused because it knows no transfers.
func unable(err error) bool {
	if errors.Is(err, errNoTransfer) {
		return true
	}
	n, ok := errors.AsType[*NotReached](err)
	return ok && (n.Code == 405 || n.Code == 420 || n.Code == 501 || n.Reason == "unsupported")
}

// reach calls whoever is to take the caller.
func (t *transferring) reach(ctx context.Context) (second, error) {
	if t.dialler == nil || !t.bridges {
		return second{}, errNoTransfer
	}
	leg, line, err := t.dialler.Dial(ctx, t.dial, func(DialProgress) {})
	if err != nil {
		return second{}, err
	}
	return second{leg: leg, line: line}, nil
}

// brief tells the person what the call is about.
func (t *transferring) brief(ctx context.Context, s second) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lang := t.cast.Revision.Settings.Language
	text := strings.Join([]string{spoken.CallFor.Of(lang), t.passing.Summary, spoken.PressToAccept.Of(lang)}, " ")
	over := make(chan error, 1)
	r := recite(ctx, s.leg, t.cast, utter{gen: 1, text: text}, func(err error) { over <- err })
	r.begin()
	s.line.Start(func(f Fact) {
		if f.Kind == FactLineEnded {
			cancel(errHungUp)
			t.tell(&secondGone{of: t.of})
		}
	})
	s.leg.Start(func(f Fact) {
		if f.Kind == FactDrained {
			r.drained(f.Gen)
		}
	})
	select {
	case err := <-over:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errHungUp = &NotReached{Status: event.Canceled, Reason: "hung_up"}

// passedOn takes in what became of a transfer.
func (c *Call) passedOn(m *passed) {
	p := c.pass
	mine := false
	c.watch.lost = append(c.watch.lost, signalled(m.err)...)
	if m.second.line != nil {
		c.watch.lines = append(c.watch.lines, m.second.line)
		m.taken.Do(func() { mine = true })
	}
	switch {
	case p == nil || p != m.of || c.over:
		if mine {
			abandon(m.second.leg, m.second.line)
		}
	case m.err != nil:
		c.Log.Info("transfer failed", "err", m.err, "call", c.id.Name)
		c.step(c.now(time.Now()), turn.Input{Kind: turn.LineTransferFailed, Reason: whyNot(m.err).Reason})
	case m.joined && mine:
		c.join(m.second)
	default:
		c.write(event.TransferCompleted{Mode: p.Mode, Name: p.Name, Offset: c.now(time.Now())})
		p.second = m.second
		c.finish(event.Transferred, "transferred", "agent")
	}
}

func whyNot(err error) *NotReached {
	switch {
	case errors.Is(err, errNoTransfer):
		return &NotReached{Status: event.Failed, Reason: "unsupported"}
	case errors.Is(err, context.DeadlineExceeded):
		return &NotReached{Status: event.NoAnswer, Reason: "timeout"}
	case fault.KindOf(err) == fault.Unavailable:
		if _, ok := errors.AsType[*NotReached](err); !ok {
			return &NotReached{Status: event.Failed, Reason: "failed"}
		}
	}
	return notReached(err)
}

// join lets the caller and the person hear each other through us. The session
// is over; the call and its recording go on until one of them hangs up.
func (c *Call) join(s second) {
	p := c.pass
	p.second, p.joined = s, true
	tell := teller(c.root, c.self)
	if p.Mode != passWarm { // a warm one is listened to already
		s.line.Start(func(f Fact) {
			if f.Kind == FactLineEnded {
				tell(&secondGone{of: p})
			}
		})
		s.leg.Start(func(Fact) {})
	}
	if p.hush != nil {
		p.hush()
	}
	p.part = c.Studio.Join(c.leg, s.leg)
	c.tap()
	for _, cancel := range []context.CancelFunc{c.ears.cancel, c.mouth.cancel} {
		if cancel != nil {
			cancel()
		}
	}
	c.ears.gate.shut()
	c.step(c.now(time.Now()), turn.Input{Kind: turn.LineEnded, Reason: "transferred"})
	c.write(event.TransferCompleted{Mode: p.Mode, Name: p.Name, Joined: true, Offset: c.now(time.Now())})
	c.flush()
	c.toSession(&LegGone{Status: event.Transferred})
}

// left handles the person hanging up: after the join the call is over, before
// it the transfer failed.
func (c *Call) left(m *secondGone) {
	if p := c.pass; p != nil && p == m.of && p.joined {
		c.finish(event.Transferred, "hangup", "operator")
	}
}

// giveBack is the machine's word that the agent goes on with the caller.
func (c *Call) giveBack(o turn.Output) {
	if p := c.pass; p != nil {
		c.dropPass()
		c.pass = nil
		c.write(event.TransferFailed{Reason: o.Why, Offset: c.now(time.Now())})
	}
	c.clock = stopwatch{} // it answers nothing
	c.toSession(&PassFailed{Gen: o.Gen, Reason: o.Why})
}

// dropPass ends what a transfer has begun.
func (c *Call) dropPass() {
	p := c.pass
	if p == nil {
		return
	}
	if p.cancel != nil {
		p.cancel()
	}
	if p.hush != nil {
		p.hush()
	}
	if p.part != nil {
		p.part()
	}
	abandon(p.second.leg, p.second.line)
	p.second = second{}
}
