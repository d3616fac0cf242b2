package actors

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/turn"
)

type (
	// Offer gives a new call to its actor → *Accepted, or why not. The call
	// owns Leg and Line from then on and closes them, also when it refuses.
	Offer struct {
		Leg       Leg
		Line      Line
		Born      event.SessionCreated // of the session to be made; Call is set
		Session   string
		From, To  string
		SIPCallID string
		Transport string
	}
	// HangUp ends a call from our side.
	HangUp struct{ Status event.Status }
)

// Accepted says that the call may be answered: its session is in the journal.
type Accepted struct{ Session string }

// CallDeps is what calls are given besides Deps.
type CallDeps struct {
	Deps
	Recorders Recorders              // nil: nothing is recorded
	Dialler   Dialler                // nil: no calls are placed, and none are passed on by dialling
	Studio    Studio                 // nil: no music, and nobody is joined
	Screen    Screening              // nil: whoever answers is taken for a person
	Archive   Archive                // nil: the signalling of a call is forgotten with it
	Judge     func(LegStats) float64 // estimates the mean opinion score; nil: nobody does
}

// Call is one telephone or browser call. It owns the turn machine and the
// speech streams; what is said is decided by its session. It never waits for
// the journal, and no audio passes through it.
type Call struct {
	CallDeps
	id   ID
	stay Stay

	self *actor.PID
	root *actor.RootContext
	life context.Context
	end  context.CancelFunc

	offer   *Offer
	session ID
	cast    *Cast
	leg     Leg
	line    Line
	log     *appender
	born    time.Time // offset 0
	last    time.Duration
	cfg     turn.Config
	seed    uint64
	machine *turn.Machine
	inputs  []event.TurnInput // not yet in the journal
	timer   *time.Timer
	due     time.Duration // of timer
	timers  uint64        // how often it was set
	beat    *time.Timer

	ears     ears
	mouth    mouth
	language string // the conversation's now (BCP 47)
	reply    *reply // the one that has or will have the voice
	dead     uint64 // generations up to this one have yielded
	up       bool   // the line is: the caller hears what is sent
	early    []any  // what the session said before that
	clock    stopwatch
	taken    bool // the offer was accepted: call.answered is written
	over     bool
	rec      Recorder
	masked   masks  // why nothing is recorded now; 0 = it is
	talked   uint64 // generation that was last begun to be sent

	dial    *dial      // nil for a call that came in
	screen  *screening // not nil while it is found out who answered
	pass    *passing   // not nil from the wish for a transfer on
	watch   watch      // those who see the call from outside
	hands   hands      // who comes in place of whom
	offerer func(any)  // of the call, until he is told that it was taken
	refer   *referred  // not nil while somebody is called because the other end asked for him

	captions captions
	duplex   duplexed // the model that the call is held with, if it hears and speaks
}

type ears struct {
	n      uint64 // how often opened
	gen    uint64 // the machine's name for the stream
	replay time.Duration
	since  time.Time // when it was asked for: what comes in meanwhile is replayed, too
	stream provider.Transcription
	gate   gate
	cancel context.CancelFunc
	tries  int
	vendor vendor
}

type mouth struct {
	n       uint64
	speech  provider.Speech
	cancel  context.CancelFunc
	waiting []utter // until the voice is open
	tries   int
	stale   bool // it speaks another language than the conversation
	vendor  vendor
}

type utter struct {
	text    string
	gen, id uint64
}

type (
	ticked  struct{ timer uint64 }
	beaten  struct{}
	resaid  struct{ mouth uint64 } // it is time to open another voice
	written struct{ err error }
	// lasting says that the journal has all that was appended before it was asked.
	lasting struct{}
	begun   struct {
		answer any
	}
	// facted is what line and leg of a wire noticed, see hands.
	facted struct {
		Fact
		wire uint64
	}
)

// NewCall makes the actor. A call that is not given an Offer has nothing to do.
func NewCall(d CallDeps, id ID, stay Stay) *Call {
	return &Call{CallDeps: d, id: id, stay: stay}
}

// Receive handles the life cycle; everything else is a message to act on.
func (c *Call) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.life, c.end = context.WithCancel(context.Background())
		c.self, c.root = ctx.Self(), ctx.ActorSystem().Root
	case *actor.Stopping:
		c.finish(event.Failed, "stopped", "system")
		c.end()
	case *actor.Stopped:
		c.stay.Gone(c.id, ctx.Self())
	case actor.SystemMessage, actor.AutoReceiveMessage: // not ours
	case *Asked:
		c.handle(m.Msg, m.Reply)
	default:
		c.handle(m, func(any) {})
	}
}

func (c *Call) handle(m any, reply func(any)) {
	if c.begins(m, reply) {
		return
	}
	if c.offer == nil || c.over {
		reply(fmt.Errorf("call %q: %w", c.id.Name, fault.NotFound))
		if c.offer == nil {
			c.stay.Leave(c.id, c.self)
		}
		return
	}
	if !c.lives(m, reply) && !c.phones(m) && !c.changesHands(m, reply) {
		reply(fmt.Errorf("call got %T: %w", m, fault.Bug))
	}
}

// begins handles what begins a call, and what comes back from other calls,
// which somebody has to hang up also when this one is over.
func (c *Call) begins(m any, reply func(any)) bool {
	switch m := m.(type) {
	case *Offer:
		c.take(m, reply)
	case *Place:
		c.callOut(m, reply)
	case *begun:
		c.accepted(m)
	case *lasting:
		c.known()
	case *dialled:
		c.reached(m)
	case *passed:
		c.passedOn(m)
	case *summoned:
		c.came(m)
	case *brought:
		c.broughtTo(m)
	default:
		return false
	}
	return true
}

// lives handles what a conversation is made of.
func (c *Call) lives(m any, reply func(any)) bool {
	switch m := m.(type) {
	case *facted:
		c.noticed(m)
	case *hearing, *earsOpen, *earsGone:
		c.heard(m)
	case *rendered, *placed, *mouthOpen, *mouthGone, *resaid:
		c.spoken(m)
	case *Opened, *Say, *Said, *Filled, *Over:
		c.told(m)
	case *Tongue:
		c.tongue(m)
	case *ticked:
		if m.timer == c.timers { // another one was set since, or none is wanted
			c.timer = nil
			c.step(c.now(time.Now()), turn.Input{Kind: turn.Tick})
		}
	case *beaten:
		c.flush()
		c.beatOn()
	case *Listen, *ListenIn, *Unlisten, *Barge, *Capture, *LookCall, *onlookerGone:
		c.watched(m, reply)
	case *HangUp:
		if c.leg == nil { // nobody has answered yet: it is taken back
			m = &HangUp{Status: event.Canceled}
		}
		c.finish(m.Status, string(m.Status), "agent")
		reply(nil)
	case *written:
		c.Log.Error("call's journal failed", "err", m.err, "call", c.id.Name)
		c.finish(event.Failed, journalFailed, "system")
	default:
		return false
	}
	return true
}

// phones handles what a telephone does besides: calls placed, machines that
// answer, transfers, keys, recordings.
func (c *Call) phones(m any) bool {
	switch m := m.(type) {
	case *progressed:
		c.progress(m.DialProgress)
	case *screened:
		c.judged(m.Screened)
	case *recited:
		c.messageLeft(m)
	case *outwaited:
		if c.screen != nil {
			c.finish(event.NoAnswer, "machine", "agent")
		}
	case *Transfer:
		c.passOn(m)
	case *durable:
		c.transfer(m)
	case *picked: // the person is told now: the time to ring no longer counts
		if c.pass == m.of {
			c.step(c.now(time.Now()), turn.Input{Kind: turn.LineTransferring})
		}
	case *secondGone:
		c.left(m)
	case *Press:
		c.press(m)
	case *Sensitive:
		c.sensitive(m)
	default:
		return false
	}
	return true
}

// take starts a call: its session is made first, and when that is durable the
// call may be answered.
func (c *Call) take(o *Offer, reply func(any)) {
	if c.offer != nil {
		reply(fmt.Errorf("call exists: %w", fault.Conflict))
		return
	}
	c.offer, c.leg, c.line = o, o.Leg, o.Line
	c.begin("inbound", reply)
}

// begin makes the session of a call.
func (c *Call) begin(direction string, reply func(any)) {
	o := c.offer
	c.session = ID{Kind: event.SessionStream, Tenant: c.id.Tenant, Name: o.Session}
	cast, err := c.Casting.Cast(c.life, c.id.Tenant, o.Born.Agent, o.Born.Revision)
	if err == nil {
		c.cast = cast
		c.cfg, err = Floor(cast)
		c.language = cast.Revision.Settings.Language
		if own := o.Born.Language; own != "" {
			c.language, c.cfg.Language = own, own
		}
	}
	if err != nil {
		c.refuse(err, reply)
		return
	}
	c.beginDuplex()
	// The session may speak before its answer to Begin is read here.
	c.seed = rand.Uint64()
	c.machine = turn.New(c.cfg, c.seed)
	c.born = time.Now()
	tell := teller(c.root, c.self)
	c.log = newAppender(context.WithoutCancel(c.life), c.Journal, c.id.Stream(), o.Session, func(err error) { tell(&written{err: err}) })
	c.log.append(event.CallOffered{
		Session: o.Session, Agent: o.Born.Agent, Direction: direction, From: event.P(o.From), To: event.P(o.To),
		SIPCallID: o.SIPCallID, Transport: o.Transport,
	})
	c.offerer = reply
	begin := &Asked{Msg: &Begin{Born: o.Born}, Reply: func(a any) { tell(&begun{answer: a}) }}
	if err := c.Dir.Send(c.session, begin); err != nil {
		c.offerer = nil
		c.refuse(err, reply)
	}
}

// Floor is the turn machine's configuration for calls with a cast.
func Floor(cast *Cast) (turn.Config, error) {
	cfg := turn.Default()
	set := cast.Revision.Settings
	cfg.Fillers, cfg.LLMFirstToken, cfg.LLMTimeout = set.Fillers, set.FirstToken, set.ModelTimeout
	cfg.Language = set.Language
	awaits(&cfg, cast)
	for _, p := range set.Voice {
		if err := cfg.Set(p.Key, p.Value); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

// answer begins the conversation on a leg.
func (c *Call) answer() error {
	c.taken = true
	if own, ok := c.leg.(Conversing); ok {
		c.endDuplex()
		cast := *c.cast // what is shared does not change
		cast.Hears, cast.Speaks = own.Hears(), own.Speaks()
		c.cast = &cast
	}
	stats := c.leg.Stats()
	c.log.append(event.CallAnswered{
		Codec: stats.Codec, BandHz: uint32(stats.RateHz), Machine: c.cfg.Pairs(), Seed: c.seed, Began: c.born.UnixNano(),
	})
	if o, ok := c.line.(Owned); ok {
		o.Own(c.id)
	}
	c.openEars(c.machine.Stream(), 0)
	c.openMouth()
	c.watch.tee = new(tee)
	c.captions.to, _ = c.leg.(Captioned)
	c.watch.veil(c.masked&secret != 0)
	if err := c.record(stats.RateHz); err != nil {
		return err
	}
	sink := c.sink(c.hands.wire)
	c.leg.Tune(c.cfg.VADStart, c.cfg.VADStop)
	c.screens()
	c.line.Start(sink)
	c.leg.Hear(c.ears.gate.frame, 0)
	c.leg.Start(sink)
	c.beatOn()
	c.arm()
	return nil
}

// refuse ends a call that was not answered; the line tells the caller why.
func (c *Call) refuse(err error, reply func(any)) {
	c.over = true
	c.endDuplex()
	reply(err)
	if c.log != nil {
		c.log.append(event.CallEnded{Reason: "refused", By: "system"})
		c.log.close()
	}
	if c.leg != nil {
		_ = c.leg.Close()
	}
	c.stay.Leave(c.id, c.self)
}

// now is the offset of an instant, never before the one of the last input.
func (c *Call) now(t time.Time) time.Duration {
	at := max(t.Sub(c.born), c.last)
	c.last = at
	return at
}

// step feeds one input, keeps it for the journal and does what comes back.
func (c *Call) step(at time.Duration, in turn.Input) {
	if c.over || c.machine == nil {
		return
	}
	outs := c.machine.Step(at, in)
	c.inputs = append(c.inputs, turn.Record(at, in, outs))
	if len(outs) > 0 {
		outs = append([]turn.Output(nil), outs...) // doing may lead to another step
		for _, o := range outs {
			c.do(o)
		}
	}
	c.arm()
}

// arm sets the one timer to the machine's deadline.
func (c *Call) arm() {
	if c.over {
		return
	}
	due, ok := c.machine.Deadline()
	if !ok {
		c.disarm()
		return
	}
	if c.timer != nil && c.due == due {
		return
	}
	c.disarm()
	c.due = due
	c.timers++
	root, self, n := c.root, c.self, c.timers
	c.timer = time.AfterFunc(time.Until(c.born.Add(due)), func() { root.Send(self, &ticked{timer: n}) })
}

func (c *Call) disarm() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// beatOn writes the inputs of the last second.
func (c *Call) beatOn() {
	root, self := c.root, c.self
	c.beat = time.AfterFunc(time.Second, func() { root.Send(self, &beaten{}) })
}

func (c *Call) flush() {
	if len(c.inputs) == 0 {
		return
	}
	c.write(event.CallInputs{Inputs: c.inputs})
	c.inputs = nil
}

func (c *Call) write(events ...event.Event) {
	if !c.log.append(events...) {
		c.Log.Error("call's journal is stuck", "call", c.id.Name)
	}
}

func (c *Call) toSession(m any) {
	if err := c.Dir.Send(c.session, m); err != nil {
		c.Log.Error("session not reached", "err", err, "call", c.id.Name)
	}
}
