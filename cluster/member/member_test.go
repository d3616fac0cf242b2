package member

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/cluster"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/tenant"
)

func TestMain(m *testing.M) {
	// protoactor's gossip throttle outlives a shutdown by up to a minute.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/cluster.(*Gossiper).StartGossiping.NewThrottle.func3.1"))
}

type (
	ping  struct{ n int }
	sleep struct{}
)

// napper answers and sleeps when it is told to.
type napper struct {
	id   actors.ID
	stay actors.Stay
	born *atomic.Int64
}

func (a *napper) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.born.Add(1)
	case *actor.Stopped:
		a.stay.Gone(a.id, ctx.Self())
	case *actors.Asked:
		m.Reply(m.Msg)
	case *ping:
		ctx.Respond(m)
	case *sleep:
		a.stay.Leave(a.id, ctx.Self())
	}
}

func start(t *testing.T) (*Member, *atomic.Int64) {
	var born atomic.Int64
	m := Start(Options{Log: slog.New(slog.DiscardHandler), Kinds: map[event.StreamKind]actors.Maker{
		event.SessionStream: func(id actors.ID, s actors.Stay) actor.Actor { return &napper{id: id, stay: s, born: &born} },
	}})
	t.Cleanup(func() { m.Shutdown(false) })
	return m, &born
}

// Nobody waits for members that there are not: actors are reached while
// protoactor's own start still sleeps, and its end is waited for.
func TestActorsAreReachedAtOnce(t *testing.T) {
	var m *Member
	t.Cleanup(func() { // behind the end of the member
		select {
		case <-m.started:
		default:
			t.Error("protoactor was stopped while it started")
		}
	})
	m, born := start(t)
	select {
	case <-m.started:
		t.Fatal("protoactor's second was waited for")
	default:
	}
	got, err := m.Ask(t.Context(), actors.ID{Kind: event.SessionStream, Tenant: tenant.ID{1}, Name: "first"}, &ping{1})
	require.NoError(t, err)
	require.Equal(t, &ping{1}, got)
	require.EqualValues(t, 1, born.Load())
}

func TestARequestThatRacesAPassivationIsAnswered(t *testing.T) {
	m, born := start(t)
	for i := range 300 {
		id := actors.ID{Kind: event.SessionStream, Tenant: tenant.ID{1}, Name: fmt.Sprint(i)}
		_, err := m.Ask(t.Context(), id, &ping{1})
		require.NoError(t, err)
		require.NoError(t, m.Send(id, &sleep{}))
		got, err := m.Ask(t.Context(), id, &ping{2})
		require.NoError(t, err)
		require.Equal(t, &ping{2}, got)
		// protoactor's own way to a grain remembers pids; it must forget those that sleep.
		require.NoError(t, m.Send(id, &sleep{}))
		_, err = m.Ask(t.Context(), id, &ping{0}) // behind the sleep, so it woke a new one
		require.NoError(t, err)
		got, err = m.Cluster().Request(id.Identity(), string(id.Kind), &ping{3}, cluster.WithTimeout(5*time.Second))
		require.NoError(t, err)
		require.Equal(t, &ping{3}, got)
	}
	require.Greater(t, born.Load(), int64(300), "they did sleep in between")
}

func TestOneActorLivesForAnID(t *testing.T) {
	m, born := start(t)
	id := actors.ID{Kind: event.SessionStream, Tenant: tenant.ID{1}, Name: "one"}
	done := make(chan error, 64)
	for i := range 64 {
		go func() { _, err := m.Ask(t.Context(), id, &ping{i}); done <- err }()
	}
	for range 64 {
		require.NoError(t, <-done)
	}
	require.Equal(t, int64(1), born.Load())
	require.Equal(t, 1, m.Live())
}

func TestAnIdentityThatIsNotOursHasNoPlace(t *testing.T) {
	m, _ := start(t)
	require.Nil(t, m.Cluster().Get("nonsense", "session"))
	require.Nil(t, m.Cluster().Get(tenant.ID{}.String()+"/x", "nokind"))
}
