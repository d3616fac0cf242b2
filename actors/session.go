package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/session"
	"flametree/persist/journal"
)

// maxQueued bounds the messages that wait while a reply is being made.
const maxQueued = 16

// Deps is what every actor of conversations is given.
type Deps struct {
	Journal journal.Journal
	Casting Casting
	Census  Census
	Dir     Directory
	NewID   func(time.Time) event.ID
	Idle    time.Duration // after which a session with nothing to do sleeps; default 60 s
	Mail    Mailing
	Log     *slog.Logger
}

// Session is one conversation, whatever its channel. What it comes to know is
// in the journal before it is acted on.
type Session struct {
	Deps
	id   ID
	stay Stay

	self     *actor.PID
	root     *actor.RootContext
	state    session.State
	epoch    uint64
	broken   error // the actor may not act any more
	cast     *Cast
	lease    Lease              // of cast; nil where casts are not lent
	life     context.Context    // ends with the actor
	end      context.CancelFunc // ends life
	thought  thought
	gens     uint64 // of thoughts and guesses: no two have the same
	queue    []*pending
	asking   *pending // whose reply is being made
	guess    *guess
	labour   labour
	watch    map[uint64]func(Frame) bool
	watched  uint64
	callOn   bool      // a call holds the session awake
	attended bool      // an operator speaks with the caller
	preface  string    // is said before the next reply
	noticed  bool      // the call's greeting, and with it the notice that it is recorded, was begun to be heard
	last     time.Time // of the last message
	nap      *time.Timer
	leaving  bool // asleep but for what is in the mailbox

	mailing  bool  // an attempt to mail the results is under way
	ordering order // the newest that was kept
	late     []any // what came in between
}

// pending is a written message whose sender waits.
type pending struct {
	msg   *Write
	turn  uint64
	reply []func(any)
}

type (
	// idled is a session's own timer: perhaps nothing happened for a while.
	idled struct{}
)

// NewSession makes the actor; its state comes from the journal when it starts.
func NewSession(d Deps, id ID, stay Stay) *Session {
	if d.Idle == 0 {
		d.Idle = time.Minute
	}
	return &Session{Deps: d, id: id, stay: stay}
}

// Receive handles the life cycle; everything else is a message to act on.
func (s *Session) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.start(ctx)
	case *actor.Stopping:
		s.stop()
	case *actor.Stopped:
		s.dismiss()
		s.stay.Gone(s.id, ctx.Self())
		for _, m := range s.late { // for the next one that wakes here
			s.send(s.id, m)
		}
		if s.callOn && s.broken == nil && s.state.Open != nil { // it panicked: the caller is asked again
			s.toCall(&Said{Turn: s.state.Open.Turn, Failed: true})
		}
	case actor.SystemMessage, actor.AutoReceiveMessage: // not ours
	case *Asked:
		if s.leaving {
			s.late = append(s.late, m)
			return
		}
		s.handle(m.Msg, m.Reply)
	case *idled:
		if !s.leaving {
			s.maybeSleep()
		}
	default:
		if s.leaving {
			s.late = append(s.late, m)
			return
		}
		s.handle(m, func(any) {})
	}
}

func (s *Session) start(ctx actor.Context) {
	s.life, s.end = context.WithCancel(context.Background())
	s.self, s.root = ctx.Self(), ctx.ActorSystem().Root
	for e, err := range s.Journal.Read(s.life, s.id.Stream(), 1) {
		if err != nil {
			s.fail(fmt.Errorf("read session: %w", err))
			return
		}
		s.state.Apply(e)
	}
	s.rest()
}

func (s *Session) stop() {
	s.end()
	if s.nap != nil {
		s.nap.Stop()
	}
	for _, p := range append(s.queue, s.asking) {
		p.answer(fmt.Errorf("session is moving, send again: %w", fault.Unavailable))
	}
	s.queue, s.asking = nil, nil
	for _, sink := range s.watch {
		sink(Frame{Type: "error", Code: "gone"})
	}
}

func (s *Session) handle(m any, reply func(any)) {
	if s.broken != nil {
		reply(s.broken)
		return
	}
	switch m := m.(type) {
	case *Begin:
		reply(s.begin(m))
	case *Block:
		reply(s.block(m))
	case *Look:
		reply(s.look())
	case *Amend:
		reply(s.amend(m))
	case *End:
		reply(s.close(m.Status))
	case *Write:
		s.write(&pending{msg: m, reply: []func(any){reply}})
	case *Watch:
		reply(s.observe(m))
	case *Unwatch:
		delete(s.watch, m.ID)
	case *Whisper:
		reply(s.whisper(m))
	case *HandOver:
		s.handOver(m)
	case *TimerDue:
		s.timer(m)
	case *mailTried:
		s.mailWas(m)
	case *Recover:
		s.recover()
	default:
		if !s.think(m) && !s.call(m) {
			reply(fmt.Errorf("session got %T: %w", m, fault.Bug))
		}
	}
	s.rest()
}

// begin answers with a View or an error.
func (s *Session) begin(m *Begin) any {
	if s.state.Seq > 0 {
		if k := m.Born.IdempotencyKey; k != "" && k == s.state.Born.IdempotencyKey {
			return s.look()
		}
		return fmt.Errorf("session exists: %w", fault.Conflict)
	}
	if err := s.engage(m.Born.Agent, m.Born.Revision); err != nil {
		return err
	}
	cast := s.cast
	born := m.Born
	born.Revision = cast.Revision.Number
	var due []journal.Due
	future := session.State{Born: born, Started: time.Now(), Input: time.Now()}
	if at, _ := future.Expires(); !at.IsZero() {
		due = append(due, s.timeout(at))
	}
	if err := s.commit(s.state.Begin(born, cast.Revision.Flow.Start()), due, nil); err != nil {
		return err
	}
	if err := s.commit(dialog.Settled(&s.state, cast.Revision), nil, nil); err != nil {
		return err
	}
	if s.state.Voice() {
		s.callOn = true
		if s.state.Open != nil {
			s.greet()
		}
		s.prime()
	}
	return s.look()
}

func (s *Session) block(m *Block) any {
	if err := s.commit(s.state.Block(m.Born, m.Status), nil, nil); err != nil {
		return err
	}
	return s.look()
}

func (s *Session) timeout(at time.Time) journal.Due {
	return journal.Due{ID: s.timeoutID(), Stream: s.id.Stream(), At: at, Kind: "session_timeout"}
}

func (s *Session) timeoutID() journal.DueID { return journal.DueID("timeout/" + s.id.Name) }

func (s *Session) look() any {
	if s.state.Seq == 0 {
		return fmt.Errorf("session %q: %w", s.id.Name, fault.NotFound)
	}
	v := &View{ID: s.id.Name, Born: s.state.Born, State: s.state, Latest: s.state.Seq}
	v.State.Lines = append([]session.Line(nil), s.state.Lines...)
	v.State.Results = append([]session.Result(nil), s.state.Results...)
	if s.state.Open != nil {
		open := *s.state.Open
		v.State.Open = &open
	}
	return v
}

func (s *Session) amend(m *Amend) any {
	events, err := s.state.Amend(m.Change)
	if err == nil {
		err = s.commit(events, nil, nil)
	}
	if err != nil {
		return err
	}
	return s.look()
}

func (s *Session) close(status event.Status) any {
	events, err := s.state.End(status)
	if err != nil {
		return err
	}
	s.hushReply()
	if err := s.commit(events, nil, nil); err != nil {
		return err
	}
	return s.look()
}

func (s *Session) timer(m *TimerDue) {
	switch m.Kind {
	case "session_timeout":
	case "flow_timer":
		s.flowTimer()
		return
	case "handoff_resume":
		s.resumeAI()
		return
	case mailDue:
		s.mail(m)
		return
	default:
		return
	}
	if events := s.state.Expire(time.Now()); len(events) > 0 {
		s.hushReply()
		s.frame(Frame{Type: "timeout", Text: s.timeoutMessage(), Status: events[0].(event.SessionEnded).Status})
		_ = s.commit(events, nil, nil)
		return
	}
	at, _ := s.state.Expires()
	if s.state.Ended || s.state.Seq == 0 || at.IsZero() {
		_ = s.append(journal.Batch{Done: []journal.DueID{s.timeoutID()}})
		return
	}
	_ = s.append(journal.Batch{Due: []journal.Due{s.timeout(at)}})
}

func (s *Session) timeoutMessage() string {
	if err := s.casting(); err != nil {
		return ""
	}
	return s.cast.Revision.Settings.TimeoutMessage
}

// recover closes what a crash left open: nobody can say what of it arrived.
func (s *Session) recover() {
	if s.state.Seq == 0 || s.state.Ended || s.callOn || s.thought.busy() {
		return
	}
	events := s.state.Lose()
	if s.state.Voice() {
		events = append(events, event.SessionEnded{Status: event.Failed})
	}
	_ = s.commit(events, nil, nil)
}

// commit makes events true: first in the journal, then in the state, then for
// those who watch.
func (s *Session) commit(events []event.Event, due []journal.Due, seen []journal.Key) error {
	if len(events) == 0 {
		return nil
	}
	ended, from := s.state.Ended, s.state.Flow
	b := journal.Batch{Events: events, Due: due, Seen: seen}
	s.clocks(events, &b)
	if err := s.append(b); err != nil {
		return err
	}
	if s.cast != nil {
		s.exercise(dialog.Skills(s.cast.Revision, from, events))
		s.onCall(from, events)
	}
	if s.state.Ended && !ended {
		s.over()
	}
	return nil
}

func (s *Session) append(b journal.Batch) error {
	if s.epoch == 0 {
		head, err := s.Journal.Claim(s.life, s.id.Stream())
		if err != nil {
			return s.refused(fmt.Errorf("claim session: %w", err))
		}
		s.epoch = head.Epoch
	}
	b.Stream, b.Expected, b.Epoch, b.Subject, b.At = s.id.Stream(), s.state.Seq, s.epoch, s.id.Name, time.Now()
	written, err := s.Journal.Append(s.life, b)
	if err != nil {
		return s.refused(fmt.Errorf("append to session: %w", err))
	}
	for _, e := range written {
		s.state.Apply(e)
		s.show(e)
	}
	return nil
}

// refused decides what a failed append means: the journal being full is told
// to whoever asked; after anything else the actor no longer knows what is
// true, and ends, to be woken from the journal.
func (s *Session) refused(err error) error {
	if s.state.Seq == 0 && errors.Is(err, fault.Unavailable) {
		return err
	}
	s.fail(err)
	return s.broken
}

func (s *Session) fail(err error) {
	s.Log.Error("session stopped", "err", err, "session", s.id.Name)
	s.broken = fmt.Errorf("session is not available: %w: %w", fault.Unavailable, err)
	s.hush()
	if s.callOn { // nobody would answer the caller
		s.toCall(&Over{Status: event.Failed})
	}
	s.stay.Leave(s.id, s.self)
}

// over is what happens once, when the session has ended. Results that are
// being read out of its last turn are still taken in.
func (s *Session) over() {
	s.hushReply()
	s.frame(Frame{Seq: s.state.Seq, Type: "close", Status: s.state.Status, Mode: s.state.Mode})
	s.send(ID{Kind: event.AgentStream, Tenant: s.id.Tenant, Name: s.state.Born.Agent}, &Release{Session: s.id.Name})
	if s.callOn {
		s.toCall(&Over{Status: s.state.Status})
	}
	closed := fmt.Errorf("session is closed (%s): %w", s.state.Status, fault.NotFound)
	for _, p := range s.queue {
		p.answer(closed)
	}
	s.queue = nil
	if s.asking == nil {
		return
	}
	said, ok := s.state.Said(s.asking.turn)
	if !ok {
		s.asking.answer(closed)
		s.asking = nil
		return
	}
	s.thought.held = s.answered(said) // the farewell is an answer, too
	s.release()
}

func (p *pending) answer(a any) {
	if p == nil {
		return
	}
	for _, r := range p.reply {
		r(a)
	}
}

func (s *Session) send(to ID, m any) {
	if err := s.Dir.Send(to, m); err != nil {
		s.Log.Warn("message not sent", "err", err, "actor", string(to.Kind))
	}
}

// rest notes that something happened. There is one timer an actor; it is not
// set anew by every message but looks, when it fires, how long ago that was.
func (s *Session) rest() {
	s.last = time.Now()
	if s.nap == nil {
		root, self := s.root, s.self
		s.nap = time.AfterFunc(s.Idle, func() { root.Send(self, &idled{}) })
	}
}

func (s *Session) maybeSleep() {
	quiet := time.Since(s.last)
	busy := s.callOn && !s.state.Ended || s.thought.busy() || s.labour.busy() || len(s.queue) > 0 || s.asking != nil || len(s.watch) > 0 || s.mailing
	switch {
	case s.broken != nil:
	case busy || quiet < s.Idle:
		s.nap.Reset(max(s.Idle-quiet, s.Idle/4))
	default:
		s.leaving = true
		s.stay.Leave(s.id, s.self)
	}
}

func (s *Session) casting() error {
	if s.cast != nil {
		return nil
	}
	return s.engage(s.state.Born.Agent, s.state.Born.Revision)
}
