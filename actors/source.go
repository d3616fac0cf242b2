package actors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge/library"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

// The messages of a source of knowledge. Each is answered with a *SourceView as
// it is afterwards, or with an error that changed nothing.
type (
	// CreateSource opens a source. What else it holds becomes true in the same
	// step or not at all: content, agents that search it, a first run.
	CreateSource struct {
		Born    event.SourceCreated
		Saved   *event.SourceSaved // nil = no content yet
		Connect []Connection
		Index   bool
	}
	// SaveSource gives a source its content. With Index it is read at once
	// unless agents find that very content already; a run that is on is stopped
	// for it.
	SaveSource struct {
		Saved event.SourceSaved
		Index bool
	}
	// IndexSource begins a run of indexing.
	IndexSource struct{}
	// StopIndexing ends the run that is on, if any.
	StopIndexing struct{}
	// ConnectSource lets an agent search the source.
	ConnectSource Connection
	// DisconnectSource takes the source away from an agent.
	DisconnectSource struct{ Agent string }
	// RemoveSource takes the source away from all agents and ends it.
	RemoveSource struct{}
	// LookSource asks for a source as it is.
	LookSource struct{}
)

// Connection is an agent that is to search a source, with its last revision.
type Connection struct {
	Agent    string
	Revision uint64
}

// SourceView is a source as the outside sees it. It shares nothing that changes
// with the actor.
type SourceView struct {
	ID       string
	State    library.State
	Progress Progress // of the run that is on
}

// Progress is how far a run of indexing has come.
type Progress struct {
	Doing string // "reading", "embedding"
	Done  int    // pages, sections or videos that were read
	What  string // the last of them
}

// Run is one run of indexing, as it was when it began.
type Run struct {
	Tenant tenant.ID
	ID     string        // of the source
	Source library.State // of when the run began
	Told   func(Progress)
}

// Indexer reads and indexes what a source holds. It is safe for concurrent use
// and ends soon after ctx. Revision and Run of its result are of no account.
type Indexer interface {
	Index(ctx context.Context, r Run) (event.SourceIndexed, error)
}

// Source is one source of knowledge in a tenant's library. Indexing goes on
// beside it and comes back as a message that names its run: one that was
// stopped or overtaken changes nothing. A run that the end of the process broke
// off is begun anew when the source wakes.
type Source struct {
	Deps
	id      ID
	stay    Stay
	indexer Indexer

	self     *actor.PID
	root     *actor.RootContext
	state    library.State
	epoch    uint64
	broken   error
	life     context.Context
	end      context.CancelFunc
	run      uint64 // number of the run that is under way here, 0 = none
	reading  uint64 // revision that it reads
	stop     context.CancelFunc
	progress *atomic.Pointer[Progress]
	labour   sync.WaitGroup
}

// sourceRan says how a run ended.
type sourceRan struct {
	run   uint64
	found event.SourceIndexed
	err   error
}

// NewSource makes the actor; its state comes from the journal when it starts.
func NewSource(d Deps, x Indexer, id ID, stay Stay) *Source {
	return &Source{Deps: d, indexer: x, id: id, stay: stay, progress: new(atomic.Pointer[Progress])}
}

// Receive handles the life cycle; everything else is a message to act on.
func (s *Source) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.start(ctx)
	case *actor.Stopping:
		s.end()
		s.labour.Wait() // a run ends soon after its context
	case *actor.Stopped:
		s.stay.Gone(s.id, ctx.Self())
	case actor.SystemMessage, actor.AutoReceiveMessage: // not ours
	case *Asked:
		m.Reply(s.handle(m.Msg))
	default:
		s.handle(m)
	}
}

func (s *Source) start(ctx actor.Context) {
	s.life, s.end = context.WithCancel(context.Background())
	s.self, s.root = ctx.Self(), ctx.ActorSystem().Root
	for e, err := range s.Journal.Read(s.life, s.id.Stream(), 1) {
		if err != nil {
			_ = s.fail(fmt.Errorf("read source: %w", err))
			return
		}
		s.state.Apply(e)
	}
	if err := s.commit(s.state.Resume()); err == nil {
		s.settle()
	}
}

func (s *Source) handle(m any) any {
	if s.broken != nil {
		return s.broken
	}
	steps, err := s.steps(m)
	if err != nil {
		return err
	}
	events, err := s.plan(steps)
	if err == nil {
		err = s.commit(events)
	}
	if err != nil {
		return err
	}
	s.settle()
	if s.state.Seq == 0 {
		return fmt.Errorf("source %q: %w", s.id.Name, fault.NotFound)
	}
	view := &SourceView{ID: s.id.Name, State: s.state}
	if p := s.progress.Load(); p != nil && s.state.Running {
		view.Progress = *p
	}
	return view
}

// step is one thing that a message asks for.
type step func(*library.State) ([]event.Event, error)

// steps are what a message asks for, in order.
func (s *Source) steps(m any) ([]step, error) {
	switch m := m.(type) {
	case *CreateSource:
		return creating(m), nil
	case *SaveSource:
		return saving(m), nil
	case *IndexSource:
		return []step{(*library.State).Start}, nil
	case *StopIndexing:
		return []step{(*library.State).Stop}, nil
	case *ConnectSource:
		return []step{connecting(Connection(*m))}, nil
	case *DisconnectSource:
		return []step{func(t *library.State) ([]event.Event, error) { return t.Disconnect(m.Agent) }}, nil
	case *RemoveSource:
		return []step{(*library.State).Remove}, nil
	case *sourceRan:
		return []step{func(t *library.State) ([]event.Event, error) { return s.ended(t, m), nil }}, nil
	case *LookSource, *Recover, *TimerDue: // waking is all they want
		return nil, nil
	}
	return nil, fmt.Errorf("source got %T: %w", m, fault.Bug)
}

func creating(m *CreateSource) []step {
	out := []step{func(t *library.State) ([]event.Event, error) { return t.Create(m.Born) }}
	if m.Saved != nil {
		out = append(out, func(t *library.State) ([]event.Event, error) { return t.Save(*m.Saved) })
	}
	for _, c := range m.Connect {
		out = append(out, connecting(c))
	}
	if m.Index {
		out = append(out, (*library.State).Start)
	}
	return out
}

func connecting(c Connection) step {
	return func(t *library.State) ([]event.Event, error) { return t.Connect(c.Agent, c.Revision) }
}

func saving(m *SaveSource) []step {
	out := []step{func(t *library.State) ([]event.Event, error) { return t.Save(m.Saved) }}
	if !m.Index {
		return out
	}
	return append(out, func(t *library.State) ([]event.Event, error) {
		if t.Running { // of what was saved before
			return t.Stop()
		}
		return nil, nil
	}, func(t *library.State) ([]event.Event, error) {
		if t.Status() == library.Ready {
			return nil, nil
		}
		return t.Start()
	})
}

// plan puts the events of all steps together; each step sees what the ones
// before it came to. An error is that of the whole.
func (s *Source) plan(steps []step) ([]event.Event, error) {
	next := s.state
	var all []event.Event
	for _, do := range steps {
		events, err := do(&next)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			next.Apply(event.Envelope{Seq: next.Seq + 1, Time: time.Now(), Body: e})
		}
		all = append(all, events...)
	}
	return all, nil
}

// ended is what the end of a run comes to.
func (s *Source) ended(t *library.State, m *sourceRan) []event.Event {
	if m.err != nil {
		reason := strings.TrimSuffix(m.err.Error(), ": "+fault.KindOf(m.err).Error())
		return t.Fail(m.run, reason)
	}
	found := m.found
	found.Run, found.Revision = m.run, s.reading // Finish refuses the runs of other readings
	return t.Finish(found)
}

// settle makes what runs here what the state says.
func (s *Source) settle() {
	if s.state.Running && s.run == s.state.Run {
		return
	}
	if s.run != 0 {
		s.stop()
		s.run = 0
	}
	if s.state.Running {
		s.work()
	}
}

// work begins the run that the state names.
func (s *Source) work() {
	ctx, stop := context.WithCancel(s.life)
	progress := new(atomic.Pointer[Progress])
	run, root, self := s.state.Run, s.root, s.self
	s.run, s.stop, s.progress, s.reading = run, stop, progress, s.state.Content.Revision
	r := Run{Tenant: s.id.Tenant, ID: s.id.Name, Source: s.state, Told: func(p Progress) { progress.Store(&p) }}
	s.labour.Go(func() {
		defer stop()
		found, err := s.index(ctx, r)
		root.Send(self, &sourceRan{run: run, found: found, err: err})
	})
}

// index is the indexer, whose panics are faults of this run alone.
func (s *Source) index(ctx context.Context, r Run) (found event.SourceIndexed, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("panic while indexing", "kind", fault.Bug, "err", fmt.Sprint(p), "source", r.ID)
			err = fmt.Errorf("this source cannot be read because of a fault of the program: %w", fault.Bug)
		}
	}()
	if s.indexer == nil {
		return found, errors.New("nothing here can index")
	}
	return s.indexer.Index(ctx, r)
}

func (s *Source) commit(events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	if s.epoch == 0 {
		head, err := s.Journal.Claim(s.life, s.id.Stream())
		if err != nil {
			return s.fail(fmt.Errorf("claim source: %w", err))
		}
		s.epoch = head.Epoch
	}
	written, err := s.Journal.Append(s.life, journal.Batch{
		Stream: s.id.Stream(), Expected: s.state.Seq, Epoch: s.epoch, At: time.Now(), Events: events,
	})
	if err != nil {
		return s.fail(fmt.Errorf("append to source: %w", err))
	}
	for _, e := range written {
		s.state.Apply(e)
	}
	return nil
}

func (s *Source) fail(err error) error {
	s.Log.Error("source stopped", "err", err, "source", s.id.Name)
	s.broken = fmt.Errorf("the source is not available: %w: %w", fault.Unavailable, err)
	s.end()
	s.stay.Leave(s.id, s.self)
	return s.broken
}
