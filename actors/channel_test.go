package actors_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/connection"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/journal"
	"flametree/persist/journal/journaltest"
)

// uplink notes what is up, and reports what the test wants.
type uplink struct {
	mu     sync.Mutex
	up     []string // passwords of what was brought up
	downs  int
	report func(event.ConnectionReported)
}

func (u *uplink) Up(_ actors.ID, s connection.State, report func(event.ConnectionReported)) func() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.up = append(u.up, s.Secret("password"))
	u.report = report
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.downs++
	}
}

func (u *uplink) tell(r event.ConnectionReported) {
	u.mu.Lock()
	report := u.report
	u.mu.Unlock()
	report(r)
}

func (u *uplink) counts() (ups, downs int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.up), u.downs
}

// line is a directory with connections only.
func line(t *testing.T, j journal.Journal, u actors.Uplink) (actors.Directory, func()) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	sys := actor.NewActorSystemWithConfig(actor.Configure(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet })))
	kinds := actors.WithChannels(map[event.StreamKind]actors.Maker{}, actors.Deps{Journal: j, Log: quiet}, u)
	return actors.NewLocal(sys, kinds, quiet), func() { sys.Shutdown() }
}

var headOffice = actors.ID{Kind: event.ConnectionStream, Tenant: tenant.ID{1}, Name: "c1"}

func TestAConnectionIsUpWhileItIsToBe(t *testing.T) {
	j, u := journaltest.NewMemory(), new(uplink)
	dir, stop := line(t, j, u)
	do := func(m any) *actors.ChannelView {
		t.Helper()
		v, err := dir.Ask(t.Context(), headOffice, m)
		require.NoError(t, err)
		return v.(*actors.ChannelView)
	}
	settings := event.ConnectionSaved{
		Name: "Office", Settings: []event.Pair{{Key: "domain", Value: "pbx.example.org"}, {Key: "user", Value: "100"}},
		Secrets: []event.PrivatePair{{Key: "password", Value: event.P("wonder")}},
	}
	v := do(&actors.CreateChannel{Born: event.ConnectionCreated{Type: "sip", Name: "Office"}, Saved: settings})
	require.Empty(t, v.State.Secrets, "a password is never shown")
	require.Equal(t, connection.Down, v.State.Report.State)
	require.Equal(t, connection.Connecting, do(&actors.StartChannel{}).State.Report.State)
	u.tell(event.ConnectionReported{State: connection.Failed, Detail: "the registrar refuses the password", Code: 403})
	require.Eventually(t, func() bool { return do(&actors.LookChannel{}).State.Report.Code == 403 }, 5*time.Second, time.Millisecond)
	settings.Secrets[0].Value = event.P("better")
	do(&actors.SaveChannel{Saved: settings})
	require.Equal(t, []string{"wonder", "better"}, u.up, "new settings come up at once")
	ups, downs := u.counts()
	require.Equal(t, []int{2, 1}, []int{ups, downs})
	stop()

	// After a restart it comes up when it is woken.
	again := new(uplink)
	dir, stop = line(t, j, again)
	defer stop()
	require.NoError(t, dir.Send(headOffice, &actors.Recover{}))
	require.Eventually(t, func() bool { ups, _ := again.counts(); return ups == 1 }, 5*time.Second, time.Millisecond)
	do(&actors.StopChannel{Reason: "maintenance"})
	ups, downs = again.counts()
	require.Equal(t, []int{1, 1}, []int{ups, downs})
	again.tell(event.ConnectionReported{State: connection.Registered})
	require.Equal(t, connection.Down, do(&actors.LookChannel{}).State.Report.State, "what is down reports nothing")
	_, err := dir.Ask(t.Context(), actors.ID{Kind: event.ConnectionStream, Tenant: tenant.ID{2}, Name: "c1"}, &actors.LookChannel{})
	require.ErrorIs(t, err, fault.NotFound, "of another tenant")
}
