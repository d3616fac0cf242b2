package sip

import (
	"context"
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
	e         *Endpoint
	id        string // Call-ID
	tag       string // ours
	remoteTag atomic.Pointer[string]
	peer      atomic.Pointer[peer]
	media     Media
	facts     teller
	hang      chan struct{} // closed by the first Hangup
	hangOnce  sync.Once
	gone      chan struct{} // closed when the call has ended and its media is closed

	boxMu sync.Mutex // guards sending to inbox against its end
	full  bool       // the call takes no more
	inbox chan input

	// What follows belongs to the goroutine of the call.
	dlg     dialog
	local   sdp.Local   // as we described ourselves last
	shape   sdp.Session // the streams of the call
	choice  sdp.Choice
	unacked *unacked
	timer   *time.Timer   // repeats the unacked 2xx
	byeDone chan struct{} // closed when our BYE was answered or given up
	asked   chan asked    // the outcome of our re-INVITE, nil when none is under way
	up      bool          // the dialog is confirmed
	held    bool          // the peer does not listen
	leaving bool          // we are about to send BYE, or did
	over    bool
	closed  bool // the media was closed
}

// input is one thing a call has to deal with.
type input struct {
	in     *inbound     // a request within the dialog
	ack    *sip.Request // the ACK of a 2xx of ours
	cancel bool         // the caller gave up
	hold   *holdAsk     // Hold or Resume
}

// inboxSize bounds what may wait for a call: a peer has one INVITE and a few
// other transactions in flight.
const inboxSize = 32

func newCall(e *Endpoint, id, tag string) *Call {
	c := &Call{
		e: e, id: id, tag: tag,
		hang: make(chan struct{}), gone: make(chan struct{}), inbox: make(chan input, inboxSize),
		timer: time.NewTimer(time.Hour),
	}
	c.timer.Stop()
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
}

// CallID is the Call-ID, the same at both ends.
func (c *Call) CallID() string { return c.id }

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
		case <-c.timer.C:
			c.safely(func() { c.repeat(ctx) })
		case <-c.hangAsked():
			c.safely(func() { c.leave(ctx) })
		case <-closing:
			closing = nil
			c.safely(func() { c.fail(ctx) })
		case a := <-c.asked:
			c.asked = nil
			c.safely(func() { c.onAsked(ctx, a) })
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
	case m.hold != nil:
		c.onHold(ctx, m.hold)
	}
}

// fail ends the call for a reason that is neither ours nor the peer's wish.
func (c *Call) fail(ctx context.Context) {
	c.facts.tell(actors.Fact{Kind: actors.FactLineEnded, Reason: "failed"})
	c.leave(ctx)
}

// leave sends BYE, or remembers to when the ACK came.
func (c *Call) leave(ctx context.Context) {
	if c.leaving && c.byeDone != nil {
		return
	}
	c.leaving = true
	if c.unacked != nil && !c.up {
		return
	}
	c.sendBye(ctx)
}

// sendBye ends the session: media stops when BYE is passed on, not when it is
// answered (RFC 3261 15.1.1).
func (c *Call) sendBye(ctx context.Context) {
	c.leaving = true
	c.timer.Stop()
	c.unacked = nil
	c.closeMedia()
	c.byeDone = make(chan struct{})
	d, done := c.dlg, c.byeDone
	started := c.e.start(func() {
		defer close(done)
		l, err := d.wayOut(ctx, c.e)
		if err != nil {
			c.e.log.Debug("sip bye not sent", "call", c.id, "err", err)
			return
		}
		if _, err := c.e.ask(l, d.request(c.e, l, sip.BYE)); err != nil {
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
	c.timer.Stop()
	c.facts.tell(actors.Fact{Kind: actors.FactLineEnded, Reason: "failed"})
	c.closeMedia()
	c.e.mu.Lock()
	delete(c.e.calls, c.tag)
	c.e.mu.Unlock()
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
	if c.asked != nil {
		<-c.asked // its transaction ends by itself, at the latest with the endpoint
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
	case m.hold != nil:
		m.hold.done <- errCallOver()
	}
}
