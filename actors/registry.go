package actors

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/asynkron/protoactor-go/actor"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
)

// ID names an actor: the stream it owns.
type ID struct {
	Kind   event.StreamKind
	Tenant tenant.ID
	Name   string
}

// Stream is the history the actor owns.
func (id ID) Stream() event.Stream {
	return event.Stream{Tenant: id.Tenant, Kind: id.Kind, ID: id.Name}
}

// Identity is the name within the kind, as a cluster knows it.
func (id ID) Identity() string { return id.Tenant.String() + "/" + id.Name }

// ParseIdentity is the inverse of Identity.
func ParseIdentity(kind, identity string) (ID, error) {
	if len(identity) < 38 || identity[36] != '/' {
		return ID{}, fmt.Errorf("actor identity %q: %w", identity, fault.Invalid)
	}
	t, err := tenant.Parse(identity[:36])
	if err != nil {
		return ID{}, err
	}
	return ID{Kind: event.StreamKind(kind), Tenant: t, Name: identity[37:]}, nil
}

// Directory reaches actors by id, wherever they live; one that sleeps is woken.
type Directory interface {
	// Send delivers msg and never waits for the actor. Messages of one sender
	// to one actor keep their order.
	Send(to ID, msg any) error
	// Ask sends msg and waits for the answer, which may be an error. It is for
	// goroutines outside of actors only.
	Ask(ctx context.Context, to ID, msg any) (any, error)
}

// Asked wraps a message whose sender waits. Reply never blocks and may be
// called once; later calls are ignored.
type Asked struct {
	Msg   any
	Reply func(answer any)
}

// Registry holds the actors that live on this node and implements Directory
// for them. At most one actor lives for an ID.
//
// Passivation is a handshake: Leave marks the id as leaving and sends the
// poison pill under the same lock under which messages are sent, so every
// message sent before is still worked off, and every later one waits for the
// old actor's end and wakes a new one. Nothing is lost in between.
type Registry struct {
	Spawn func(ID) *actor.PID // starts an actor; it must not call the registry
	Root  *actor.RootContext

	mu    sync.Mutex
	seats map[ID]*seat
}

// seat is the place of one live actor.
type seat struct {
	mu      sync.RWMutex // held for reading while sending, for writing while leaving
	pid     *actor.PID
	leaving bool
	gone    chan struct{} // closed when the actor has ended
}

var _ Directory = (*Registry)(nil)

// Get finds or starts the actor. It waits while an older one is leaving.
func (r *Registry) Get(id ID) *actor.PID {
	s := r.take(id)
	defer s.mu.RUnlock()
	return s.pid
}

// take returns the id's seat, occupied, not leaving and locked for reading.
func (r *Registry) take(id ID) *seat {
	for {
		s := r.sit(id)
		s.mu.RLock()
		if !s.leaving {
			return s
		}
		s.mu.RUnlock()
		<-s.gone
	}
}

func (r *Registry) sit(id ID) *seat {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.seats[id]; s != nil {
		return s
	}
	if r.seats == nil {
		r.seats = make(map[ID]*seat)
	}
	s := &seat{pid: r.Spawn(id), gone: make(chan struct{})}
	r.seats[id] = s
	return s
}

// Send implements Directory.
func (r *Registry) Send(to ID, msg any) error {
	s := r.take(to)
	defer s.mu.RUnlock()
	r.Root.Send(s.pid, msg)
	return nil
}

// Ask implements Directory.
func (r *Registry) Ask(ctx context.Context, to ID, msg any) (any, error) {
	ch := make(chan any, 1)
	err := r.Send(to, &Asked{Msg: msg, Reply: func(a any) {
		select {
		case ch <- a:
		default:
		}
	}})
	if err != nil {
		return nil, err
	}
	select {
	case a := <-ch:
		if err, ok := a.(error); ok {
			return nil, err
		}
		return a, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("ask %s: %w", to.Kind, context.Cause(ctx))
	}
}

// Leave begins the passivation of an actor: it is called by the actor itself
// and returns at once. The actor gets a poison pill behind all that was sent.
func (r *Registry) Leave(id ID, pid *actor.PID) {
	r.mu.Lock()
	s := r.seats[id]
	r.mu.Unlock()
	if s == nil {
		return
	}
	// The lock may be held by senders for a moment; an actor must not wait for
	// them while they wait for nothing of it, which is so: sending never blocks.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving || s.pid.Id != pid.Id {
		return
	}
	s.leaving = true
	r.Root.Poison(pid)
}

// Gone says that an actor has ended, for whatever reason.
func (r *Registry) Gone(id ID, pid *actor.PID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.seats[id]
	if s == nil || s.pid.Id != pid.Id {
		return
	}
	delete(r.seats, id)
	s.mu.Lock()
	s.leaving = true
	s.mu.Unlock()
	close(s.gone)
}

// Live reports how many actors live here.
func (r *Registry) Live() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seats)
}

// Maker makes the actor for an id. stay lets it leave and be gone.
type Maker func(id ID, stay Stay) actor.Actor

// Stay is an actor's hold on its place.
type Stay interface {
	Leave(id ID, pid *actor.PID)
	Gone(id ID, pid *actor.PID)
}

// NewLocal makes a Directory on a bare actor system: all actors live here.
func NewLocal(sys *actor.ActorSystem, kinds map[event.StreamKind]Maker, log *slog.Logger) *Registry {
	r := &Registry{Root: sys.Root}
	r.Spawn = func(id ID) *actor.PID {
		return sys.Root.SpawnPrefix(Props(func() actor.Actor { return kinds[id.Kind](id, r) }, log), string(id.Kind))
	}
	return r
}

// Props are those of every actor here: one that panics ends, is never
// restarted in place, and is made anew from its journal by the next message.
func Props(make func() actor.Actor, log *slog.Logger) *actor.Props {
	stop := actor.NewOneForOneStrategy(0, 0, func(reason any) actor.Directive {
		log.Error("actor panicked", "kind", fault.Bug, "err", fmt.Sprint(reason))
		return actor.StopDirective
	})
	return actor.PropsFromProducer(make, actor.WithGuardian(stop), actor.WithReceiverMiddleware(
		func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
				defer func() {
					if r := recover(); r != nil {
						log.Error("panic in actor", "kind", fault.Bug, "err", fmt.Sprint(r), "node", string(debug.Stack()))
						panic(r)
					}
				}()
				next(c, e)
			}
		}))
}
