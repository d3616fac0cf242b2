package actors

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// Those who see a call from outside: they listen, speak into it or capture its
// packets. All of it stands in the call's journal. What is not to be recorded
// (a sensitive state, a paused recording) nobody hears or captures either.

type (
	// Listen gives the sound of a call to Sink, 20 ms of both sides at a time, the
	// customer left and the agent right, nil for silence → *Listening. Sink is
	// called by the pacer: it must not block nor keep the slices, and may be
	// called once more after Gone, which is called once, when it is over.
	Listen struct {
		By   string
		Sink func(left, right []int16)
		Gone func()
	}
	// ListenIn calls an operator, who hears both sides and is not heard
	// → *Listening when he has answered, or why not.
	ListenIn struct {
		By   string
		Dial Dialling
	}
	// Unlisten ends what Listen or ListenIn began.
	Unlisten struct{ ID uint64 }
	// Barge calls an operator, who then speaks with the customer in place of the
	// agent until he hangs up → *Barged when he has answered, or why not. With
	// Keep the agent does not come back: the call ends with the operator's.
	Barge struct {
		By   string
		Dial Dialling
		Keep bool
	}
	// Capture gives the packets of a call to Take for some time → *Capturing. Done
	// is called once, when nothing follows, with the call's signalling so far.
	// Neither may block; Take comes from several goroutines.
	Capture struct {
		By        string
		For, Kept time.Duration
		Take      func(Packet)
		Done      func([]Signal)
	}
	// LookCall asks how a call stands → *CallView.
	LookCall struct{}
)

type (
	// Listening says that sound comes, and at which rate.
	Listening struct {
		ID     uint64
		RateHz int
	}
	// Barged says that operator and customer hear each other.
	Barged struct{}
	// Capturing says that packets come.
	Capturing struct{}
	// CallView is a running call. It shares nothing with the actor.
	CallView struct {
		Stats     LegStats
		Quality   float64 // estimated mean opinion score; 0 = nothing to judge by
		Up        bool
		Sensitive bool // nothing is recorded now
		Onlookers []Onlooker
		Signals   []Signal
	}
	// Onlooker is somebody who sees a call from outside.
	Onlooker struct {
		ID       uint64
		By, What string
	}
)

// Packet is one datagram of a call as it is on the wire. Raw is valid until the
// one it is given to returns.
type Packet struct {
	At       time.Time
	From, To netip.AddrPort
	Raw      []byte
}

// Tapped is a Leg whose packets can be seen: RTP, RTCP and DTLS, sealed if the
// call is, but no telephone events, which may be the digits of a card. nil ends it.
type Tapped interface{ Tap(take func(Packet)) }

// Monitoring is a Studio in which a leg can listen to a call: sink takes what a
// Recorder is given, at rateHz.
type Monitoring interface {
	Monitor(to Leg, rateHz int) (sink func(left, right []int16), stop func())
}

// The things onlookers do, as event.CallObserved names them.
const (
	onListen  = "listen"
	onBarge   = "barge_in"
	onCapture = "capture"
)

// mostOnlookers bounds those of one call: each costs the pacer time.
const mostOnlookers = 16

// watch is what a call knows of its onlookers.
type watch struct {
	tee    *tee
	last   uint64
	all    []*onlooker
	barged *onlooker // who speaks with the customer now
	lines  []Line    // of operators
	lost   []Signal  // of calls to operators that came to nothing
}

// veil hides what is said from all onlookers, or shows it again.
func (w *watch) veil(on bool) {
	if w.tee != nil {
		w.tee.secret.Store(on)
	}
}

type onlooker struct {
	id       uint64
	by, what string
	on       bool // it is in the journal
	kept     time.Duration
	keep     bool // barge: the agent does not come back
	held     bool // barge: the customer held the line
	second   second
	sink     func(left, right []int16)
	cancel   func() // of dialling
	stop     func()
	gone     func()
	reply    func(any)
	capture  *Capture
}

type (
	// summoned brings what became of calling an operator.
	summoned struct {
		of uint64
		fetched
	}
	// onlookerGone says that an operator hung up, or that a capture's time is over.
	onlookerGone struct{ of uint64 }
)

// watched handles what onlookers ask for.
func (c *Call) watched(m any, reply func(any)) {
	switch m := m.(type) {
	case *Listen:
		c.listen(m, reply)
	case *ListenIn:
		if _, able := c.Studio.(Monitoring); !able || c.Dialler == nil {
			reply(fmt.Errorf("no operator can be called from here: %w", fault.Unavailable))
			return
		}
		if o := c.onlook(onListen, m.By, reply); o != nil {
			c.summon(o, m.Dial)
		}
	case *Barge:
		c.barge(m, reply)
	case *Capture:
		c.capture(m, reply)
	case *Unlisten:
		reply(nil)
		if o := c.onlooker(m.ID); o != nil && o.what == onListen {
			c.leaves(o)
		}
	case *onlookerGone:
		if o := c.onlooker(m.of); o != nil {
			c.leaves(o)
		}
	case *LookCall:
		reply(c.view())
	}
}

// Retaping is a Leg that can go on with a Recorder that another leg began to
// feed at rateHz; 0 is its own rate.
type Retaping interface{ RecordAt(r Recorder, rateHz int) }

// onlook admits somebody, or says why not.
func (c *Call) onlook(what, by string, reply func(any)) *onlooker {
	w := &c.watch
	switch {
	case by == "":
		reply(fmt.Errorf("%s: say who it is: %w", what, fault.Invalid))
	case c.leg == nil || w.tee == nil:
		reply(fmt.Errorf("the call is not answered yet: %w", fault.Conflict))
	case len(w.all) >= mostOnlookers:
		reply(fmt.Errorf("%d onlookers see this call already: %w", mostOnlookers, fault.Exhausted))
	default:
		w.last++
		o := &onlooker{id: w.last, by: by, what: what, reply: reply}
		w.all = append(w.all, o)
		return o
	}
	return nil
}

func (c *Call) onlooker(id uint64) *onlooker {
	for _, o := range c.watch.all {
		if o.id == id {
			return o
		}
	}
	return nil
}

// observed writes down that somebody begins or ends.
func (c *Call) observed(o *onlooker, on bool) {
	o.on = on
	c.write(event.CallObserved{By: o.by, What: o.what, On: on, Offset: c.now(time.Now()), Kept: o.kept})
}

// answers tells who asked, once.
func (o *onlooker) answers(a any) {
	if o.reply != nil {
		o.reply(a)
		o.reply = nil
	}
}

// leaves ends whatever an onlooker does.
func (c *Call) leaves(o *onlooker) {
	c.forget(o)
	if o.cancel != nil {
		o.cancel()
	}
	if o.sink != nil {
		c.watch.tee.drop(o.id)
		c.retape()
	}
	if o.stop != nil {
		o.stop()
	}
	if o.capture != nil {
		c.tap()
	}
	abandon(o.second.leg, o.second.line)
	o.answers(fmt.Errorf("the call is over: %w", fault.Cancelled))
	if o.on {
		c.observed(o, false)
	}
	if o.gone != nil {
		o.gone()
	}
	if o.capture != nil {
		o.capture.Done(c.signalling().all())
	}
	if c.watch.barged == o {
		c.watch.barged = nil
		c.takeBack(o)
	}
}

func (c *Call) forget(o *onlooker) {
	kept := c.watch.all[:0:0]
	for _, other := range c.watch.all {
		if other != o {
			kept = append(kept, other)
		}
	}
	c.watch.all = kept
}

// unwatched sends everybody away: the call is over. Captures end when the last
// of the signalling is known.
func (c *Call) unwatched() (captures []*Capture) {
	for _, o := range c.watch.all {
		if o.capture != nil {
			captures = append(captures, o.capture)
			o.capture = nil
		}
		c.leaves(o)
	}
	if t, ok := c.leg.(Tapped); ok && len(captures) > 0 {
		t.Tap(nil)
	}
	return captures
}

// listen lets somebody hear both sides.
func (c *Call) listen(m *Listen, reply func(any)) {
	if m.Sink == nil {
		reply(fmt.Errorf("listen: nobody to give the sound to: %w", fault.Bug))
		return
	}
	o := c.onlook(onListen, m.By, reply)
	if o == nil {
		return
	}
	o.gone = m.Gone
	rate := c.hears(o, m.Sink)
	c.observed(o, true)
	o.answers(&Listening{ID: o.id, RateHz: rate})
}

// hears adds a sink to the tee and gives the rate at which it is fed.
func (c *Call) hears(o *onlooker, sink func(left, right []int16)) (rateHz int) {
	t := c.watch.tee
	if t.idle() && t.rec == nil {
		t.rateHz = c.leg.Stats().RateHz
	}
	o.sink = sink
	t.add(o.id, sink)
	c.retape()
	return t.rateHz
}

// retape gives the leg the tee as long as anybody wants it.
func (c *Call) retape() {
	t := c.watch.tee
	switch wanted := t.rec != nil || !t.idle(); {
	case wanted && !t.fed:
		t.fed = true
		if again, ok := c.leg.(Retaping); ok && t.rateHz > 0 {
			again.RecordAt(t, t.rateHz)
		} else {
			c.leg.Record(t)
		}
	case !wanted && t.fed:
		t.fed = false
		c.leg.Record(nil)
	}
}

// summon calls an operator. The customer hears nothing of it.
func (c *Call) summon(o *onlooker, d Dialling) {
	ctx, cancel := context.WithCancel(c.life)
	o.cancel = cancel
	if d.Ring == 0 {
		d.Ring = c.cfg.TransferTimeout
	}
	tell, of := teller(c.root, c.self), o.id
	c.fetch(ctx, d, func(DialProgress) {}, func(f fetched) { tell(&summoned{of, f}) })
}

// came takes in an operator who has answered, or why he did not.
func (c *Call) came(m *summoned) {
	o := c.onlooker(m.of)
	if m.err != nil {
		c.watch.lost = append(c.watch.lost, signalled(m.err)...)
		if o != nil && !c.over {
			c.forget(o)
			o.answers(fmt.Errorf("the operator was not reached: %w", m.err))
		}
		return
	}
	if !m.taken.CompareAndSwap(false, true) {
		return
	}
	c.watch.lines = append(c.watch.lines, m.second.line)
	if o == nil || c.over {
		abandon(m.second.leg, m.second.line)
		return
	}
	o.second = m.second
	if err := c.mayBarge(o); o.what == onBarge && err != nil {
		o.answers(err)
		c.leaves(o)
		return
	}
	tell, of := teller(c.root, c.self), o.id
	o.second.line.Start(func(f Fact) {
		if f.Kind == FactLineEnded {
			tell(&onlookerGone{of: of})
		}
	})
	o.second.leg.Start(func(Fact) {})
	if o.what == onBarge {
		c.bargeIn(o)
	} else {
		c.monitor(o)
	}
	c.tap()
}

// monitor lets an operator hear the call on his telephone.
func (c *Call) monitor(o *onlooker) {
	t := c.watch.tee
	rate := t.rateHz
	if t.idle() && t.rec == nil {
		rate = c.leg.Stats().RateHz
	}
	sink, stop := c.Studio.(Monitoring).Monitor(o.second.leg, rate)
	o.stop = stop
	rate = c.hears(o, sink)
	c.observed(o, true)
	o.answers(&Listening{ID: o.id, RateHz: rate})
}

func (c *Call) view() *CallView {
	v := &CallView{Up: c.up, Signals: c.signalling().all()}
	if c.leg != nil {
		v.Stats = c.hands.past.plus(c.leg.Stats())
		v.Quality = c.judge(v.Stats)
	}
	if t := c.watch.tee; t != nil {
		v.Sensitive = t.secret.Load()
	}
	for _, o := range c.watch.all {
		v.Onlookers = append(v.Onlookers, Onlooker{ID: o.id, By: o.by, What: o.what})
	}
	return v
}

// judge estimates how the call sounds.
func (c *Call) judge(s LegStats) float64 {
	if c.Judge == nil || s.Received == 0 {
		return 0
	}
	return c.Judge(s)
}
