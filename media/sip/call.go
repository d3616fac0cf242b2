package sip

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/actors"
	"flametree/media/sip/sdp"
)

// Call is one call, incoming or outgoing. It implements actors.Line. Its methods
// may be called from any goroutine; its state belongs to one goroutine, which
// ends with the call.
type Call struct {
	e        *Endpoint
	id       string                   // Call-ID
	tag      string                   // ours
	parties  atomic.Pointer[[]string] // tags of the other side: several while calls fork
	peer     atomic.Pointer[peer]     // where the other side was seen last
	view     atomic.Pointer[dialog]   // a copy of dlg, for requests sent by others
	stage    atomic.Int32             // how far the call is
	why      atomic.Pointer[string]   // why it ended
	media    Media
	trace    *trace
	facts    teller
	hang     chan struct{} // closed by the first Hangup
	hangOnce sync.Once
	gone     chan struct{} // closed when the call has ended and its media is closed
	refers   referrals     // our REFERs that await their outcome
	from     origin        // who called, zero for a call of ours; it does not change
	owner    atomic.Value  // see Belong

	referring atomic.Bool // a REFER of the peer awaits its outcome

	boxMu sync.Mutex // guards sending to inbox against its end
	full  bool       // the call takes no more
	inbox chan input

	// What follows belongs to the goroutine of the call.
	dlg       dialog
	authorize func(method, uri string, challenge *sip.Response) (sip.Header, error)
	local     sdp.Local   // as we described ourselves last
	shape     sdp.Session // the streams of the call
	choice    sdp.Choice
	keys      keyring // ours, of sealed packets
	unacked   *unacked
	reliable  *reliable
	timer     *time.Timer   // repeats the unacked 2xx or the reliable response
	byeDone   chan struct{} // closed when our BYE was answered or given up
	outs      chan func()   // outcomes of what runs beside the call
	offering  bool          // our offer awaits its answer
	agreed    bool          // an offer was answered in a way that cannot get lost
	canUpdate bool          // the peer takes UPDATE
	expiry    expiry
	referred  int  // REFERs of the peer so far
	called    bool // we are who was called
	up        bool // the dialog is confirmed
	held      bool // the peer does not listen
	leaving   bool // we are about to send BYE, or did
	over      bool
	closed    bool // the media was closed
}

// How far a call is, for those who ask from outside of its goroutine.
const (
	stageOut  int32 = iota // we call, and it is not answered
	stageIn                // we are called, and have not answered
	stageUp                // answered
	stageOver              // ending
)

// input is one thing a call has to deal with.
type input struct {
	in       *inbound     // a request within the dialog
	ack      *sip.Request // the ACK of a 2xx of ours
	cancel   bool         // the caller gave up
	change   *change      // Hold, Resume, Renegotiate
	early    *earlyAsk    // Early
	replaced bool         // another call takes the place of this one
}

// inboxSize bounds what may wait for a call: a peer has one INVITE and a few
// other transactions in flight.
const inboxSize = 32

func newCall(e *Endpoint, id, tag string) *Call {
	c := &Call{
		e: e, id: id, tag: tag, trace: e.traces.open(id),
		hang: make(chan struct{}), gone: make(chan struct{}), inbox: make(chan input, inboxSize),
		timer: time.NewTimer(time.Hour), outs: make(chan func()),
		expiry: expiry{timer: time.NewTimer(time.Hour)},
	}
	c.timer.Stop()
	c.expiry.timer.Stop()
	return c
}

// post hands m to the call's goroutine; false when the call is ending or has too
// much to do.
func (c *Call) post(m input) bool {
	c.boxMu.Lock()
	defer c.boxMu.Unlock()
	if c.full {
		return false
	}
	select {
	case c.inbox <- m:
		return true
	default:
		return false
	}
}

// seen notes where the peer sends from.
func (c *Call) seen(p peer) {
	c.dlg.peer = p
	c.peer.Store(&p)
	c.publish()
}

// publish shows the dialog as it is now to those who send requests from outside
// of the call's goroutine.
func (c *Call) publish() {
	d := c.dlg
	c.view.Store(&d)
}

// speaksTo reports whether a tag is one of the other side.
func (c *Call) speaksTo(tag string) bool {
	tags := c.parties.Load()
	return tags != nil && slices.Contains(*tags, tag)
}

// partners says who the other side is: those of the early dialogs, or the one.
func (c *Call) partners(tags ...string) { c.parties.Store(&tags) }

// beside runs work as a goroutine of the endpoint; what it returns is then run
// by the call's goroutine, unless the call has ended by then.
func (c *Call) beside(work func() func()) bool {
	return c.e.start(func() {
		done := work()
		if done == nil {
			return
		}
		select {
		case c.outs <- done:
		case <-c.gone:
		}
	})
}

// Why says in words why the call ended when nobody hung up, "" otherwise.
func (c *Call) Why() string {
	if why := c.why.Load(); why != nil {
		return *why
	}
	return ""
}

// CallID is the Call-ID, the same at both ends.
func (c *Call) CallID() string { return c.id }

// Belong notes whose call it is, for Owner. Each time it takes the same type.
func (c *Call) Belong(to any) { c.owner.Store(to) }

// Owner is what Belong was given last, nil when it never was: so that who is
// asked about Referral.Call or Invite.Replaces knows whose it is.
func (c *Call) Owner() any { return c.owner.Load() }

// Leg is the media of the call.
func (c *Call) Leg() actors.Leg { return c.media.Leg() }

// Gone is closed when the call has ended and its media is closed.
func (c *Call) Gone() <-chan struct{} { return c.gone }

// Start implements actors.Line. What happened before is told first.
func (c *Call) Start(sink func(actors.Fact)) { c.facts.start(sink) }

// Hangup implements actors.Line: BYE for a call that was answered, 480 for one
// that was not. After a 200 that awaits its ACK, BYE follows the ACK
// (RFC 3261 15). No FactLineEnded follows a Hangup.
func (c *Call) Hangup(reason string) {
	c.hangOnce.Do(func() {
		c.e.log.Debug("sip hangup", "call", c.id, "kind", reason)
		c.facts.hush()
		close(c.hang)
	})
}

// teller hands facts on in order, and keeps them until somebody listens.
type teller struct {
	mu    sync.Mutex // guards what follows and orders the calls of sink
	sink  func(actors.Fact)
	queue []actors.Fact
	ended bool // FactLineEnded was told or is not wanted any more
}

func (t *teller) start(sink func(actors.Fact)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sink = sink
	for _, f := range t.queue {
		sink(f)
	}
	t.queue = nil
}

func (t *teller) tell(f actors.Fact) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = f.Kind == actors.FactLineEnded
	f.At = time.Now()
	if t.sink == nil {
		t.queue = append(t.queue, f)
		return
	}
	t.sink(f)
}

func (t *teller) hush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}

// unacked is a 2xx whose ACK has not come (RFC 3261 13.3.1.4).
type unacked struct {
	seq   uint32
	res   *sip.Response
	link  link
	wait  time.Duration // until the next repetition
	until time.Time
	offer bool // the 2xx held our offer: the ACK must answer it
}

// run is the life of an answered call.
func (c *Call) run(ctx context.Context) {
	closing := c.e.closing
	for !c.over {
		select {
		case m := <-c.inbox:
			c.safely(func() { c.take(ctx, m) })
		case f := <-c.outs:
			c.safely(f)
		case <-c.timer.C:
			c.safely(func() { c.repeat(ctx) })
		case <-c.expiry.timer.C:
			c.safely(func() { c.onExpiry(ctx) })
		case <-c.hangAsked():
			c.safely(func() { c.leave(ctx) })
		case <-closing:
			closing = nil
			c.safely(func() { c.fail(ctx, "the endpoint closes") })
		case <-c.byeDone:
			c.over = true
		case <-c.e.cut:
			c.over = true
		}
	}
}

// hangAsked is the channel of Hangup until it was heard.
func (c *Call) hangAsked() <-chan struct{} {
	if c.leaving {
		return nil
	}
	return c.hang
}

// safely contains a panic: the call ends, the others go on.
func (c *Call) safely(f func()) {
	defer func() {
		if r := recover(); r != nil {
			c.e.bug("call", r)
			c.facts.tell(actors.Fact{Kind: actors.FactLineEnded, Reason: "failed"})
			c.over = true
		}
	}()
	f()
}

// take deals with one input of an answered call.
func (c *Call) take(ctx context.Context, m input) {
	switch {
	case m.in != nil:
		c.within(ctx, m.in)
	case m.ack != nil:
		c.onAck(ctx, m.ack)
	case m.change != nil:
		c.onChange(ctx, m.change)
	case m.early != nil:
		m.early.done <- nil // the answer has overtaken it
	case m.replaced:
		c.giveWay()
		c.leave(ctx)
	}
}

// giveWay tells that another call takes the place of this one.
func (c *Call) giveWay() {
	why := "replaced by another call"
	c.why.Store(&why)
	c.facts.tell(actors.Fact{Kind: actors.FactLineReplaced})
	c.facts.tell(actors.Fact{Kind: actors.FactLineEnded, Reason: "hangup"})
}

// fail ends the call for a reason that is neither ours nor the peer's wish.
func (c *Call) fail(ctx context.Context, why string) {
	c.why.Store(&why)
	c.e.log.Warn("sip call failed", "call", c.id, "err", why)
	c.facts.tell(actors.Fact{Kind: actors.FactLineEnded, Reason: "failed"})
	c.leave(ctx)
}

// leave sends BYE, or remembers to when the ACK came.
func (c *Call) leave(ctx context.Context) {
	if c.leaving && c.byeDone != nil {
		return
	}
	c.leaving = true
	c.stage.Store(stageOver)
	if c.unacked != nil && !c.up {
		return
	}
	c.sendBye(ctx)
}

// sendBye ends the session: media stops when BYE is passed on, not when it is
// answered (RFC 3261 15.1.1).
func (c *Call) sendBye(ctx context.Context) {
	c.leaving = true
	c.stage.Store(stageOver)
	c.timer.Stop()
	c.expiry.timer.Stop()
	c.unacked = nil
	c.closeMedia()
	c.byeDone = make(chan struct{})
	d, done, why := c.dlg, c.byeDone, c.Why()
	started := c.e.start(func() {
		defer close(done)
		_, err := c.exchange(ctx, d, sip.BYE, func(req *sip.Request) {
			if why != "" { // RFC 3326
				req.AppendHeader(sip.NewHeader("Reason", "SIP;cause=200;text=\""+why+"\""))
			}
		})
		if err != nil {
			c.e.log.Debug("sip bye not answered", "call", c.id, "err", err)
		}
	})
	if !started {
		c.over = true
	}
}

// closeMedia closes the media once.
func (c *Call) closeMedia() {
	if c.closed || c.media == nil {
		return
	}
	c.closed = true
	defer c.e.contain("media close")
	if err := c.media.Close(); err != nil {
		c.e.log.Warn("sip media not closed", "call", c.id, "err", err)
	}
}

// end is the last thing a call does: nothing is left unanswered.
func (c *Call) end() {
	c.stage.Store(stageOver)
	c.timer.Stop()
	c.expiry.timer.Stop()
	c.facts.tell(actors.Fact{Kind: actors.FactLineEnded, Reason: "failed"})
	c.closeMedia()
	c.e.mu.Lock()
	delete(c.e.calls, c.tag)
	c.e.mu.Unlock()
	c.e.traces.close(c.id, c.trace)
	c.boxMu.Lock()
	c.full = true
	c.boxMu.Unlock()
	for {
		select {
		case m := <-c.inbox:
			c.turnAway(m)
			continue
		default:
		}
		break
	}
	close(c.gone)
	c.e.log.Info("sip call ended", "call", c.id)
}

// turnAway answers what came too late.
func (c *Call) turnAway(m input) {
	switch {
	case m.in != nil && m.in.req.Method == sip.BYE:
		m.in.respond(200, "OK")
	case m.in != nil:
		m.in.respond(481, "Call/Transaction Does Not Exist")
	case m.change != nil:
		m.change.done <- errCallOver()
	case m.early != nil:
		m.early.done <- errCallOver()
	}
}
