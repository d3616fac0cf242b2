package crash_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/caller"
	"flametree/media/sip"
	"flametree/test/house"
)

const (
	customers = 40
	leastChat = 16
	leastCall = 2
	ready     = 10 * time.Second
	patience  = 10 * time.Second // of a test with a machine that others use too
)

// rounds is how often the process is killed: by night at each of the instants, by
// day at every second of them, and as often again when chance wills.
func rounds() int {
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		return 20
	}
	return 10
}

// instants are the events after which the process is ended, in every second
// round: between a reply's start and its answer, between the answer and its way
// out, between a call's session and its 200. In the other rounds chance decides.
func instants() []string {
	return []string{
		"reply.started.v1", "results.extracted.v1", "model.answered.v1", "session.created.v1", "call.offered.v1",
		"reply.sent.v1", "session.ended.v1", "call.answered.v1", "message.received.v1", "call.ended.v1",
	}
}

// scene is a folder that outlives its servers, and all who talk to them.
type scene struct {
	data      string
	ledger    *ledger
	customers []*customer
	phone     *caller.Phone
	chance    *rand.Rand
	hanging   sync.WaitGroup
	answered  []string // callers who were told 200
	mu        sync.Mutex
	slowest   time.Duration
}

// Twenty times, by day ten: with at least 16 chat requests and 2 calls unanswered the
// process is killed. After each start nothing that was acknowledged is missing,
// doubled or out of order, and all that was cut off is closed as such.
func TestKilledTwentyTimes(t *testing.T) {
	begun := time.Now()
	c := &scene{data: filepath.Join(t.TempDir(), "data"), ledger: newLedger(), chance: chance(t)}
	var err error
	c.phone, err = caller.New(t.Context(), caller.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.phone.Close()); c.hanging.Wait() }()
	var sent atomic.Int64
	for i := range customers {
		c.customers = append(c.customers, &customer{name: fmt.Sprintf("customer-%02d", i), sent: &sent})
	}
	for i := range rounds() {
		c.round(t, i)
	}
	s := c.serve(t)
	c.settle(t, s)
	require.Zero(t, s.Stop(t), "a server that is asked to end does so")
	c.closing(t)
	t.Logf("figure: %d kills, %d requests, %d events, slowest readyz %v, %v in all",
		rounds(), sent.Load(), len(c.ledger.lines), c.slowest.Round(time.Millisecond), time.Since(begun).Round(time.Second))
}

// serve starts a server on the folder; it must answer /readyz with 200 in time.
func (c *scene) serve(t *testing.T) *house.Server {
	t.Helper()
	begun := time.Now()
	s := house.Serve(t, house.Options{Data: c.data, Agents: []string{agentFile(t, "ferry"), agentFile(t, "night")}})
	for {
		code, text := s.Readyz(t.Context())
		took := time.Since(begun)
		require.Less(t, took, ready, "/readyz says %d %s", code, text)
		if code == http.StatusOK {
			c.slowest = max(c.slowest, took)
			break
		}
	}
	for _, x := range c.customers {
		x.agent = s.Agent(t, "Ferry")
	}
	return s
}

// round starts, compares, lets everybody talk and ends the process.
func (c *scene) round(t *testing.T, n int) {
	t.Helper()
	s := c.serve(t)
	c.settle(t, s)
	calls := c.dial(t, s, n)
	instant, dead := c.arm(s, n)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var work sync.WaitGroup
	work.Go(func() { _ = s.Follow(ctx, c.ledger.next(), func(e house.Event) bool { c.ledger.take(e); return true }) })
	c.hanging.Go(func() { c.redial(ctx, s, n) }) // a call to nobody takes its time to fail
	var caught atomic.Int64
	failures := make(chan error, len(c.customers))
	for _, x := range c.customers {
		work.Go(func() {
			was, err := x.run(ctx, s)
			if was {
				caught.Add(1)
			}
			failures <- err
		})
	}
	<-dead
	stop()
	work.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	for _, call := range calls {
		c.hanging.Go(call.Hangup)
	}
	speaking := c.ledger.speaking()
	t.Logf("round %2d: %d chat requests and %d calls unanswered, killed %s", n, caught.Load(), speaking, instant)
	require.GreaterOrEqual(t, caught.Load(), int64(leastChat), "a round with little in flight proves nothing")
	require.GreaterOrEqual(t, speaking, leastCall, "a round with no call in flight proves nothing")
}

// arm chooses the instant of the end. dead is closed when the process is.
func (c *scene) arm(s *house.Server, n int) (instant string, dead <-chan struct{}) {
	gone := make(chan struct{})
	var once sync.Once
	kill := func() { once.Do(func() { s.Kill(); close(gone) }) }
	late := 150*time.Millisecond + time.Duration(c.chance.Int64N(int64(450*time.Millisecond)))
	time.AfterFunc(10*time.Second, kill)
	if n%2 == 0 {
		c.ledger.begin(func(string, int) {
			if c.ledger.busy() {
				time.AfterFunc(late, kill)
			}
		})
		return fmt.Sprintf("after %v", late.Round(time.Millisecond)), gone
	}
	all := instants()
	kind := all[n/2*2*len(all)/rounds()]
	count := 1 + c.chance.IntN(60)
	if strings.HasPrefix(kind, "call") || strings.HasPrefix(kind, "session") {
		count = 1 + c.chance.IntN(3)
	}
	c.ledger.begin(func(k string, seen int) {
		// Everybody has to be at work before the first instant counts.
		if k == kind && seen >= count && c.ledger.busy() {
			go kill()
		}
	})
	return fmt.Sprintf("after %s number %d or later", kind, count), gone
}

// busy reports whether the round is under way: everybody has written, and the
// calls that will be cut off are being talked to.
func (l *ledger) busy() bool {
	l.mu.Lock()
	written := l.counts["message.received.v1"]
	l.mu.Unlock()
	return written >= customers && l.speaking() >= leastCall
}

// dial places the calls that will be cut off: their greeting takes long.
func (c *scene) dial(t *testing.T, s *house.Server, n int) []*caller.Call {
	t.Helper()
	var out []*caller.Call
	for _, agent := range []string{"Ferry", "Night"} {
		from := fmt.Sprintf("caller-%d-%s", n, strings.ToLower(agent))
		call, err := c.phone.Call(t.Context(), s.Agent(t, agent).SIP, sip.DialOptions{From: from})
		for until := time.Now().Add(patience); err != nil && full(err) && time.Now().Before(until); {
			call, err = c.phone.Call(t.Context(), s.Agent(t, agent).SIP, sip.DialOptions{From: from})
		}
		require.NoError(t, err)
		c.tell(from)
		out = append(out, call)
	}
	return out
}

// full reports whether a call was refused because the server was out of breath,
// as it may be for a moment after its start on a machine that others use too.
func full(err error) bool {
	r, ok := errors.AsType[*sip.Refused](err)
	return ok && r.Code == http.StatusServiceUnavailable
}

// redial keeps calls beginning and ending.
func (c *scene) redial(ctx context.Context, s *house.Server, n int) {
	target := s.Agents[n%len(s.Agents)].SIP
	for i := 0; ctx.Err() == nil; i++ {
		from := fmt.Sprintf("restless-%d-%d", n, i)
		call, err := c.phone.Call(ctx, target, sip.DialOptions{From: from})
		if err != nil {
			return // the server is gone
		}
		c.tell(from)
		c.hanging.Go(call.Hangup)
		select {
		case <-time.After(30 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (c *scene) tell(from string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered = append(c.answered, from)
}

// settle reads the journal of a server that has just started, waits until it
// has closed what was left open, and compares it with what everybody was told.
func (c *scene) settle(t *testing.T, s *house.Server) {
	t.Helper()
	c.ledger.begin(nil)
	until := time.Now().Add(patience)
	for {
		// A part that is known is read again: it must not have changed.
		events, err := s.Events(t.Context(), max(1, c.ledger.next()-min(c.ledger.next(), 300)))
		require.NoError(t, err)
		for _, e := range events {
			c.ledger.take(e)
		}
		open := c.ledger.unsettled()
		if len(open) == 0 {
			break
		}
		require.True(t, time.Now().Before(until), "left open after a crash: %v", open)
	}
	c.compare(t)
}

// compare checks the journal against itself and against what was acknowledged.
func (c *scene) compare(t *testing.T) {
	t.Helper()
	l := c.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(t, l.wrong)
	for _, x := range c.customers {
		x.check(t, l)
	}
	callers := map[string]*session{}
	for _, s := range l.sessions {
		if s.call != "" {
			user, _, _ := strings.Cut(strings.TrimPrefix(s.user, "sip:"), "@")
			require.Nil(t, callers[user], "%s has two sessions", user)
			callers[user] = s
		}
	}
	for _, from := range c.answered {
		s := callers[from]
		require.NotNil(t, s, "%s was answered and has no session", from)
		if !strings.HasPrefix(from, "caller") {
			continue
		}
		k := l.calls[s.call]
		require.NotNil(t, k, "the call of %s was answered and is missing", from)
		require.Equal(t, "failed", s.ended, "%s was cut off", from)
		require.Equal(t, "crash", k.ended, "%s was cut off", from)
		if strings.HasSuffix(from, "ferry") {
			require.True(t, k.cut, "the recording of %s was cut off", from)
			path := filepath.Join(c.data, "blob", "sha256", k.blob[:2], k.blob)
			require.FileExists(t, path)
		}
	}
}

// closing looks at the folder once more when nobody runs on it.
func (c *scene) closing(t *testing.T) {
	t.Helper()
	r := house.Command(t, "--data", c.data, "journal", "verify")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, "the journal is whole")
	all := house.Journal(t, c.data)
	require.GreaterOrEqual(t, len(all), len(c.ledger.lines))
	for _, e := range all {
		c.ledger.take(e)
	}
	require.Empty(t, c.ledger.wrong)
	spools, err := os.ReadDir(filepath.Join(c.data, "spool"))
	require.NoError(t, err)
	require.Empty(t, spools, "recordings that a crash cut off are kept and moved")
	c.replays(t)
}

// replays decides some of the conversations again that went through crashes.
func (c *scene) replays(t *testing.T) {
	t.Helper()
	crashed := 0
	for id, s := range c.ledger.sessions {
		if s.lost == 0 || crashed == 4 {
			continue
		}
		crashed++
		r := house.Command(t, "--data", c.data, "replay", id, "--json")
		require.Zero(t, r.Code, "session %s: %s%s", id, r.Out, r.Err)
		require.Contains(t, r.Out, `"differences":[]`)
	}
	require.NotZero(t, crashed, "no reply was lost in %d crashes", rounds())
}
