package actors

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/persist/journal"
)

type (
	// Admit asks an agent for a place for a new session → *Admitted, or
	// fault.Unavailable (stopped), *Full (at a limit).
	Admit struct {
		Session string
		With    string // an open session whose place it shares: they are one conversation; "" = none
	}
	// Release gives a place back.
	Release struct{ Session string }
	// Configure changes an agent → *agent.State. A new file makes a revision and
	// publishes it unless the file wants that done apart; Run starts or stops it.
	Configure struct {
		Create  *event.AgentCreated // first of all, for a new agent
		File    string              // "" = keep
		Pins    []event.Pair        // blobs that the file's revision keeps
		Fault   string              // why File cannot be used: it is kept as a draft and nothing else changes
		Restore uint64              // makes a new revision of an old one
		Publish uint64              // makes a revision live
		Run     *bool
		Reason  string // for stopping
	}
	// LookAgent asks for an agent as it is → *agent.State.
	LookAgent struct{}
)

// Admitted is a place for a session.
type Admitted struct{ Revision uint64 }

// Full says that an agent has as many sessions as it may have.
type Full struct {
	Limit int
	Daily bool
	After time.Duration // when to try again
}

// Error implements error.
func (f *Full) Error() string {
	if f.Daily {
		return fmt.Sprintf("the agent's daily limit of %d sessions is reached", f.Limit)
	}
	return fmt.Sprintf("the agent has its %d open sessions", f.Limit)
}

// RetryAfter is when it is worth trying again.
func (f *Full) RetryAfter() time.Duration { return f.After }

// Unwrap makes Full a fault.Exhausted.
func (*Full) Unwrap() error { return fault.Exhausted }

// Agent is one configured agent: its revisions, and how many sessions it may have.
type Agent struct {
	Deps
	id   ID
	stay Stay

	self   *actor.PID
	state  agent.State
	limits struct{ open, daily int }
	epoch  uint64
	broken error
	life   context.Context
	end    context.CancelFunc
	open   map[string]string // session → whose place it has
	places map[string]int    // → sessions that share it
	begun  int
	day    time.Time
}

// NewAgent makes the actor; its state comes from the journal when it starts.
func NewAgent(d Deps, id ID, stay Stay) *Agent { return &Agent{Deps: d, id: id, stay: stay} }

// Receive handles the life cycle; everything else is a message to act on.
func (a *Agent) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.start(ctx)
	case *actor.Stopping:
		a.end()
	case *actor.Stopped:
		a.stay.Gone(a.id, ctx.Self())
	case actor.SystemMessage, actor.AutoReceiveMessage: // not ours
	case *Asked:
		m.Reply(a.handle(m.Msg))
	default:
		a.handle(m)
	}
}

func (a *Agent) start(ctx actor.Context) {
	a.life, a.end = context.WithCancel(context.Background())
	a.self = ctx.Self()
	a.open, a.places = make(map[string]string), make(map[string]int)
	for e, err := range a.Journal.Read(a.life, a.id.Stream(), 1) {
		if err != nil {
			_ = a.fail(fmt.Errorf("read agent: %w", err))
			return
		}
		a.state.Apply(e)
	}
	for _, id := range a.Census.Open(a.id.Tenant, a.id.Name) { // who shared a place does not any more
		a.seat(id, id)
	}
	a.day = today(time.Now())
	a.begun = a.Census.Begun(a.id.Tenant, a.id.Name, a.day)
	if err := a.relimit(); err != nil {
		a.Log.Warn("agent has an unreadable file", "err", err, "agent", a.id.Name)
	}
}

func today(now time.Time) time.Time { return now.UTC().Truncate(24 * time.Hour) }

func (a *Agent) handle(m any) any {
	if a.broken != nil {
		return a.broken
	}
	switch m := m.(type) {
	case *Admit:
		return a.admit(m, time.Now())
	case *Release:
		a.leave(m.Session)
		return nil
	case *Configure:
		return a.configure(m)
	case *LookAgent:
		return a.look()
	}
	return fmt.Errorf("agent got %T: %w", m, fault.Bug)
}

func (a *Agent) look() any {
	if a.state.Seq == 0 {
		return fmt.Errorf("agent %q: %w", a.id.Name, fault.NotFound)
	}
	state := a.state
	return &state
}

func (a *Agent) admit(m *Admit, now time.Time) any {
	if a.state.Seq == 0 {
		return fmt.Errorf("agent %q: %w", a.id.Name, fault.NotFound)
	}
	if !a.state.Running {
		return fmt.Errorf("agent %q is stopped: %w", a.id.Name, fault.Unavailable)
	}
	if d := today(now); d.After(a.day) {
		a.day, a.begun = d, 0
	}
	place := m.Session
	if shared, ok := a.open[m.With]; ok {
		place = shared
	}
	switch {
	case a.open[m.Session] != "": // asked twice
	case a.limits.open > 0 && a.places[place] == 0 && len(a.places) >= a.limits.open:
		return &Full{Limit: a.limits.open, After: 30 * time.Second}
	case a.limits.daily > 0 && a.begun >= a.limits.daily:
		return &Full{Limit: a.limits.daily, Daily: true, After: a.day.Add(24 * time.Hour).Sub(now)}
	default:
		a.seat(m.Session, place)
		a.begun++
	}
	return &Admitted{Revision: a.state.Live}
}

func (a *Agent) seat(session, place string) {
	a.open[session] = place
	a.places[place]++
}

// leave gives back what a session has; the place is free when nobody shares it.
func (a *Agent) leave(session string) {
	place, ok := a.open[session]
	if !ok {
		return
	}
	delete(a.open, session)
	if a.places[place]--; a.places[place] == 0 {
		delete(a.places, place)
	}
}

func (a *Agent) configure(m *Configure) any {
	if m.Create != nil && a.state.Seq == 0 {
		if err := a.commit(a.state.Create(*m.Create)); err != nil {
			return err
		}
	}
	if err := a.revise(m); err != nil {
		return err
	}
	if m.Run != nil {
		events, err := a.state.Start()
		if !*m.Run {
			events, err = a.state.Stop(m.Reason)
		}
		if err := a.commit(events, err); err != nil {
			return err
		}
	}
	return a.look()
}

// revise changes the agent's file. One that cannot be used is kept as a draft,
// and its fault is the answer; the live revision stays as it is.
func (a *Agent) revise(m *Configure) error {
	var events []event.Event
	var warnings []agent.Warning
	var err error
	switch {
	case m.File != "" && m.Fault != "":
		err = a.commit([]event.Event{event.AgentDrafted{File: event.P(m.File), Fault: m.Fault}}, nil)
		if err == nil {
			err = fmt.Errorf("%s: %w", m.Fault, fault.Invalid)
		}
		return err
	case m.File != "":
		events, warnings, err = a.state.KeepLive(m.File, m.Pins)
	case m.Restore > 0:
		if events, warnings, err = a.state.Restore(m.Restore); err == nil && len(events) > 0 {
			events = append(events, event.AgentPublished{Revision: a.state.Latest() + 1})
		}
	}
	if err != nil {
		if draft, no := a.state.Drafted(m.File); no == nil && m.File != "" && a.state.Seq > 0 {
			if lost := a.commit(draft, nil); lost != nil {
				return fmt.Errorf("%w; its text could not be kept either: %w", err, lost)
			}
		}
		return err
	}
	if err := a.commit(events, nil); err != nil {
		return err
	}
	if m.Publish > 0 {
		if err := a.commit(a.state.Publish(m.Publish)); err != nil {
			return err
		}
	}
	for _, w := range warnings {
		a.Log.Warn("agent file", "err", w.String(), "agent", a.id.Name)
	}
	return a.relimit()
}

// relimit takes the limits of the published revision.
func (a *Agent) relimit() error {
	file, ok := a.state.File(a.state.Live)
	if !ok {
		return nil
	}
	spec, _, err := agent.Parse([]byte(file))
	if err != nil {
		return err
	}
	a.limits.open, a.limits.daily = spec.Limits.OpenSessions, spec.Limits.Daily
	return nil
}

func (a *Agent) commit(events []event.Event, err error) error {
	if err != nil || len(events) == 0 {
		return err
	}
	if a.epoch == 0 {
		head, err := a.Journal.Claim(a.life, a.id.Stream())
		if err != nil {
			return a.fail(fmt.Errorf("claim agent: %w", err))
		}
		a.epoch = head.Epoch
	}
	written, err := a.Journal.Append(a.life, journal.Batch{
		Stream: a.id.Stream(), Expected: a.state.Seq, Epoch: a.epoch, At: time.Now(), Events: events, Subject: a.id.Name,
	})
	if err != nil {
		return a.fail(fmt.Errorf("append to agent: %w", err))
	}
	for _, e := range written {
		a.state.Apply(e)
	}
	return nil
}

func (a *Agent) fail(err error) error {
	a.Log.Error("agent stopped", "err", err, "agent", a.id.Name)
	a.broken = fmt.Errorf("agent is not available: %w: %w", fault.Unavailable, err)
	a.stay.Leave(a.id, a.self)
	return a.broken
}
