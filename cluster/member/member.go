// Package member makes this process a member of a protoactor cluster, with our
// own provider (who is there) and our own identity lookup (who lives where).
// Alone it is the only member and asks nobody. It places actors; whether a
// placement is right is decided by the journal alone.
package member

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/eventstream"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
)

// Options of a Member. Kinds is required.
type Options struct {
	Name  string // of the cluster; default flametree
	Host  string // where other members reach this one; default 127.0.0.1
	Port  int    // 0: any
	Kinds map[event.StreamKind]actors.Maker
	Log   *slog.Logger
}

// Member is this process in the cluster. It implements actors.Directory.
type Member struct {
	sys     *actor.ActorSystem
	cluster *cluster.Cluster
	lookup  *lookup
	gate    *actor.PID
	asked   questions                 // of this node to others
	gone    *eventstream.Subscription // to nodes that cannot be reached
	started chan struct{}             // closed when protoactor's own start has returned
}

var _ actors.Directory = (*Member)(nil)

// Start joins the cluster and returns when actors can be reached.
func Start(opt Options) *Member {
	if opt.Name == "" {
		opt.Name = "flametree"
	}
	if opt.Host == "" {
		opt.Host = "127.0.0.1"
	}
	sys := actor.NewActorSystemWithConfig(actor.Configure(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet(opt.Log) }),
		actor.WithDeadLetterThrottleInterval(time.Millisecond),
	))
	m := &Member{sys: sys, lookup: &lookup{kinds: opt.Kinds, log: opt.Log, crew: newCrew()}, started: make(chan struct{})}
	var kinds []*cluster.Kind
	for k := range opt.Kinds {
		// The lookup makes actors itself, each knowing its id; a kind's own props are never spawned.
		kinds = append(kinds, cluster.NewKind(string(k), actor.PropsFromProducer(func() actor.Actor { return unplaced{} })))
	}
	joined := make(chan struct{})
	m.cluster = cluster.New(sys, cluster.Configure(opt.Name, alone{joined}, m.lookup,
		remoting(opt), cluster.WithKinds(kinds...)))
	m.join(joined)
	m.openGate(opt)
	return m
}

// join starts protoactor. When it has joined, it sleeps for a second to hear of
// other members: nobody waits for that, because there are none.
func (m *Member) join(joined <-chan struct{}) {
	failed := make(chan any, 1)
	go func() {
		defer close(m.started)
		defer func() {
			why := recover()
			if why == nil {
				return
			}
			select {
			case <-joined:
				panic(why) // nobody waits any more
			default:
				failed <- why
			}
		}()
		m.cluster.StartMember()
	}()
	select {
	case <-joined:
	case why := <-failed:
		panic(why) // as protoactor does, where it can be seen
	}
}

// quiet keeps protoactor's own info lines out of our log.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(levelled{Handler: log.Handler(), least: slog.LevelWarn})
}

type levelled struct {
	slog.Handler
	least slog.Level
}

// Enabled implements slog.Handler.
func (l levelled) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= l.least && l.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (l levelled) WithAttrs(a []slog.Attr) slog.Handler {
	return levelled{Handler: l.Handler.WithAttrs(a), least: l.least}
}

// WithGroup implements slog.Handler.
func (l levelled) WithGroup(name string) slog.Handler {
	return levelled{Handler: l.Handler.WithGroup(name), least: l.least}
}

// Send implements actors.Directory.
func (m *Member) Send(to actors.ID, msg any) error { return m.lookup.registry.Send(to, msg) }

// Ask implements actors.Directory.
func (m *Member) Ask(ctx context.Context, to actors.ID, msg any) (any, error) {
	return m.lookup.registry.Ask(ctx, to, msg)
}

// Live reports how many actors live in this process.
func (m *Member) Live() int { return m.lookup.registry.Live() }

// Cluster is protoactor's own handle, for what only it can do.
func (m *Member) Cluster() *cluster.Cluster { return m.cluster }

// Shutdown leaves the cluster and stops its actors. It takes two seconds when
// graceful, which are protoactor's.
func (m *Member) Shutdown(graceful bool) {
	<-m.started
	m.closeGate()
	m.cluster.Shutdown(graceful)
	m.lookup.crew.end()
}

// alone is the provider of a cluster of one: it opens no socket and asks nobody.
type alone struct{ joined chan<- struct{} }

// StartMember implements cluster.ClusterProvider.
func (a alone) StartMember(c *cluster.Cluster) error {
	host, port, err := c.ActorSystem.GetHostPort()
	if err != nil {
		return fmt.Errorf("own address: %w: %w", fault.Bug, err)
	}
	c.MemberList.UpdateClusterTopology(cluster.Members{{
		Host: host, Port: int32(port), Id: c.ActorSystem.ID, Kinds: c.GetClusterKinds(),
	}})
	close(a.joined)
	return nil
}

// StartClient implements cluster.ClusterProvider.
func (alone) StartClient(*cluster.Cluster) error { return nil }

// Shutdown implements cluster.ClusterProvider.
func (alone) Shutdown(bool) error { return nil }

// lookup is our cluster.IdentityLookup: one registry, the same as on a bare
// actor system.
type lookup struct {
	kinds    map[event.StreamKind]actors.Maker
	log      *slog.Logger
	crew     *crew
	cluster  *cluster.Cluster
	registry *actors.Registry
}

var _ cluster.IdentityLookup = (*lookup)(nil)

// Setup implements cluster.IdentityLookup.
func (l *lookup) Setup(c *cluster.Cluster, _ []string, _ bool) {
	l.cluster = c
	l.registry = &actors.Registry{Root: c.ActorSystem.Root, Spawn: l.spawn}
}

func (l *lookup) spawn(id actors.ID) *actor.PID {
	ci := cluster.NewClusterIdentity(id.Identity(), string(id.Kind))
	props := cluster.WithClusterIdentity(actors.Props(func() actor.Actor {
		return l.kinds[id.Kind](id, stay{l})
	}, l.log).Configure(actor.WithDispatcher(l.crew)), ci)
	return l.cluster.ActorSystem.Root.SpawnPrefix(props, string(id.Kind))
}

// Get implements cluster.IdentityLookup; nil for an identity that is not ours.
func (l *lookup) Get(ci *cluster.ClusterIdentity) *actor.PID {
	id, err := actors.ParseIdentity(ci.Kind, ci.Identity)
	if err != nil || l.kinds[id.Kind] == nil {
		return nil
	}
	return l.registry.Get(id)
}

// RemovePid implements cluster.IdentityLookup.
func (l *lookup) RemovePid(ci *cluster.ClusterIdentity, pid *actor.PID) {
	if id, err := actors.ParseIdentity(ci.Kind, ci.Identity); err == nil {
		l.registry.Gone(id, pid)
	}
}

// Shutdown implements cluster.IdentityLookup.
func (*lookup) Shutdown() {}

// stay is a place in the registry that also clears protoactor's cache of pids:
// a request that found a dead pid there would be lost.
type stay struct{ l *lookup }

// Leave implements actors.Stay.
func (s stay) Leave(id actors.ID, pid *actor.PID) {
	s.l.cluster.PidCache.Remove(id.Identity(), string(id.Kind))
	s.l.registry.Leave(id, pid)
}

// Gone implements actors.Stay.
func (s stay) Gone(id actors.ID, pid *actor.PID) {
	s.l.cluster.PidCache.Remove(id.Identity(), string(id.Kind))
	s.l.registry.Gone(id, pid)
}

type unplaced struct{}

// Receive implements actor.Actor.
func (unplaced) Receive(actor.Context) {}
