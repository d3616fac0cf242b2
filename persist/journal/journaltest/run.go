package journaltest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

// suite is one check's journal and what it uses of it.
type suite struct {
	*testing.T
	j   journal.Journal
	ctx context.Context
}

// start is a time on a whole microsecond.
var start = time.Date(2026, 11, 22, 9, 0, 0, 123456000, time.UTC) //nolint:gochecknoglobals // A constant but for its type.

// Run checks that what open gives keeps the contract. Open is called once for
// each check and gives an empty journal each time; it cleans up through t.
func Run(t *testing.T, open func(t *testing.T) journal.Journal) {
	for _, c := range []struct {
		name  string
		check func(suite)
	}{
		{"events come back as they were stored", suite.comeBack},
		{"a version that is not expected conflicts", suite.versions},
		{"an older epoch is refused", suite.epochs},
		{"an external id is taken once", suite.seen},
		{"a name has one holder until it is freed", suite.names},
		{"what is due is listed until it is done", suite.due},
		{"due rows come soonest first over all tenants", suite.dueOrder},
		{"a refused batch leaves no trace", suite.whole},
		{"malformed batches are refused", suite.malformed},
		{"streams and tenants do not meet", suite.apart},
		{"reading starts anywhere and stops anywhere", suite.reading},
		{"hashes follow from each other", suite.hashes},
		{"a subscriber catches up and then follows", suite.follow},
		{"a slow subscriber delays nobody", suite.slow},
		{"a subscriber ends with its context", suite.cancel},
		{"snapshots replace each other", suite.snapshots},
		{"a snapshot goes with its people", suite.snapshotForgotten},
		{"a forgotten person reads as erased everywhere", suite.forget},
		{"a person who comes back has a new key", suite.comeBackAfterForget},
		{"of writers at one version one wins", suite.race},
		{"concurrent writers leave no gap in the positions", suite.positions},
		{"concurrent writers about one person share a key", suite.shareKey},
		{"an ended context is an error", suite.ended},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(suite{T: t, j: open(t), ctx: t.Context()}) })
	}
	t.Run("behaves like a simple model", func(t *testing.T) { model(t, open(t)) })
}

// session names the n-th session of tenant 1.
func session(n int) event.Stream {
	return event.Stream{Tenant: tenant.ID{15: 1}, Kind: event.SessionStream, ID: fmt.Sprintf("s%03d", n)}
}

func said(text string) event.Event {
	return event.MessageReceived{Turn: 1, Message: "m", Text: event.P(text)}
}

// batch is a batch of messages.
func batch(s event.Stream, expected uint64, texts ...string) journal.Batch {
	b := journal.Batch{Stream: s, Expected: expected, Subject: "person of " + s.ID, At: start}
	for _, text := range texts {
		b.Events = append(b.Events, said(text))
	}
	return b
}

func (s suite) append(b journal.Batch) []event.Envelope {
	s.Helper()
	envs, err := s.j.Append(s.ctx, b)
	require.NoError(s, err)
	require.Len(s, envs, len(b.Events))
	return envs
}

// conflicts appends what must conflict on a condition.
func (s suite) conflicts(b journal.Batch, condition string) *journal.Conflict {
	s.Helper()
	_, err := s.j.Append(s.ctx, b)
	require.ErrorIs(s, err, fault.Conflict)
	var c *journal.Conflict
	require.ErrorAs(s, err, &c)
	require.Equal(s, condition, c.Condition)
	return c
}

func (s suite) read(st event.Stream, from uint64) []event.Envelope {
	s.Helper()
	var envs []event.Envelope
	for env, err := range s.j.Read(s.ctx, st, from) {
		require.NoError(s, err)
		envs = append(envs, env)
	}
	return envs
}

// all reads count events from the first position on.
func (s suite) all(count int) []event.Envelope {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	var envs []event.Envelope
	for env, err := range s.j.Subscribe(ctx, 1) {
		require.NoError(s, err)
		if envs = append(envs, env); len(envs) == count {
			break
		}
	}
	require.Len(s, envs, count)
	return envs
}

func (s suite) comeBack() {
	st := session(1)
	b := journal.Batch{
		Stream: st, Subject: "anna", At: start.In(time.FixedZone("", 3600)).Add(999 * time.Nanosecond),
		Events: []event.Event{
			event.SessionCreated{Agent: "a", Name: event.P("Anna"), Args: []event.Private{event.P("x"), {}}, Timeout: time.Hour},
			event.StateEntered{State: "hello"},
			said("hi"),
		},
	}
	head, err := s.j.Claim(s.ctx, st)
	require.NoError(s, err)
	require.Equal(s, journal.Head{Epoch: 1}, head)
	b.Epoch = head.Epoch
	first := s.append(b)
	second := s.append(func() journal.Batch { b := batch(st, 3, "again"); b.Epoch = 1; return b }())
	ids := map[event.ID]bool{}
	for i, env := range append(first, second...) {
		require.Equal(s, uint64(i+1), env.Seq)
		require.Equal(s, uint64(i+1), env.Position)
		require.Equal(s, start, env.Time, "in UTC and microseconds")
		require.Equal(s, uint64(1), env.Epoch)
		require.Equal(s, start.Truncate(time.Millisecond), env.ID.Time())
		require.False(s, ids[env.ID], "an id is used once")
		ids[env.ID] = true
	}
	for _, env := range first {
		require.Equal(s, first[0].ID, env.Cause, "the first event of a batch causes the others")
		require.Equal(s, "anna", env.Subject)
	}
	require.Equal(s, b.Events[0], first[0].Body)
	require.Equal(s, append(first, second...), s.read(st, 1))
	require.Equal(s, append(first, second...), s.all(4))
}

func (s suite) versions() {
	st := session(1)
	s.conflicts(batch(st, 1, "too early"), "version")
	s.append(batch(st, 0, "one", "two"))
	for _, expected := range []uint64{0, 1, 3} {
		c := s.conflicts(batch(st, expected, "no"), "version")
		require.Equal(s, uint64(2), c.Version)
	}
	s.append(batch(st, 2, "three"))
	head, err := s.j.Claim(s.ctx, st)
	require.NoError(s, err)
	require.Equal(s, uint64(3), head.Version)
	require.Equal(s, s.read(st, 3)[0].Hash, head.Hash)
}

func (s suite) epochs() {
	st := session(1)
	for want := uint64(1); want <= 2; want++ {
		head, err := s.j.Claim(s.ctx, st)
		require.NoError(s, err)
		require.Equal(s, want, head.Epoch)
	}
	old := batch(st, 0, "from before")
	old.Epoch = 1
	c := s.conflicts(old, "epoch")
	require.Equal(s, uint64(2), c.Epoch)
	old.Epoch = 2
	s.append(old)
	head, err := s.j.Claim(s.ctx, st)
	require.NoError(s, err)
	require.Equal(s, uint64(3), head.Epoch)
	next := batch(st, 1, "after the claim")
	next.Epoch = 2
	s.conflicts(next, "epoch")
	require.Equal(s, []uint64{2}, epochsOf(s.read(st, 1)))
}

func epochsOf(envs []event.Envelope) (epochs []uint64) {
	for _, env := range envs {
		epochs = append(epochs, env.Epoch)
	}
	return epochs
}

func (s suite) seen() {
	b := batch(session(1), 0, "hi")
	b.Seen = []journal.Key{{Space: "telegram", Name: "55"}, {Space: "telegram", Name: "56"}}
	s.append(b)
	again := batch(session(2), 0, "hi")
	again.Seen = []journal.Key{{Space: "telegram", Name: "57"}, {Space: "telegram", Name: "56"}}
	c := s.conflicts(again, "seen")
	require.Equal(s, journal.Key{Space: "telegram", Name: "56"}, c.Key)
	require.NotContains(s, c.Error(), "56", "a name may be personal")
	again.Seen = again.Seen[:1]
	s.append(again)
	other := batch(session(3), 0, "hi")
	other.Seen = []journal.Key{{Space: "viber", Name: "56"}}
	s.append(other)
	other.Stream.Tenant = tenant.ID{15: 2}
	s.append(other)
}

func (s suite) names() {
	key := journal.Key{Space: "sip_user", Name: "cards"}
	holder := func() (event.Stream, bool) {
		st, ok, err := s.j.Holder(s.ctx, session(1).Tenant, key)
		require.NoError(s, err)
		return st, ok
	}
	_, ok := holder()
	require.False(s, ok)
	b := batch(session(1), 0, "mine")
	b.Claim = []journal.Key{key}
	s.append(b)
	st, ok := holder()
	require.True(s, ok)
	require.Equal(s, session(1), st)

	theirs := batch(session(2), 0, "mine too")
	theirs.Claim = []journal.Key{key}
	c := s.conflicts(theirs, "claim")
	require.Equal(s, session(1), c.Held)
	require.Equal(s, key, c.Key)
	theirs.Claim, theirs.Free = nil, []journal.Key{key}
	require.Equal(s, session(1), s.conflicts(theirs, "free").Held)

	b = batch(session(1), 1, "still mine")
	b.Claim = []journal.Key{key}
	s.append(b)
	b = batch(session(1), 2, "given back and taken")
	b.Free, b.Claim = []journal.Key{key}, []journal.Key{key}
	s.append(b)
	st, _ = holder()
	require.Equal(s, session(1), st)
	b = batch(session(1), 3, "given back")
	b.Free = []journal.Key{key}
	s.append(b)
	_, ok = holder()
	require.False(s, ok)
	b.Expected = 4
	s.conflicts(b, "free")
	theirs.Claim, theirs.Free = []journal.Key{key}, nil
	s.append(theirs)
	_, ok, err := s.j.Holder(s.ctx, tenant.ID{15: 2}, key)
	require.NoError(s, err)
	require.False(s, ok, "another tenant's names are its own")
}

// whole appends batches that fail at their last condition.
func (s suite) whole() {
	taken := journal.Key{Space: "x", Name: "taken"}
	b := batch(session(1), 0, "one")
	b.Claim = []journal.Key{taken}
	s.append(b)
	bad := batch(session(2), 0, "two", "three")
	bad.Seen = []journal.Key{{Space: "x", Name: "fresh"}}
	bad.Due = []journal.Due{{ID: "d", Stream: session(2), At: start}}
	bad.Claim = []journal.Key{{Space: "x", Name: "free"}, taken}
	s.conflicts(bad, "claim")
	require.Empty(s, s.read(session(2), 1))
	rows, err := s.j.Due(s.ctx, start.Add(time.Hour), 10)
	require.NoError(s, err)
	require.Empty(s, rows)
	_, ok, err := s.j.Holder(s.ctx, bad.Stream.Tenant, bad.Claim[0])
	require.NoError(s, err)
	require.False(s, ok)
	bad.Claim = bad.Claim[:1]
	envs := s.append(bad)
	require.Equal(s, uint64(2), envs[0].Position, "the refused events took no position")
}

func (s suite) malformed() {
	good := batch(session(1), 0, "x")
	for name, spoil := range map[string]func(*journal.Batch){
		"nothing in it":             func(b *journal.Batch) { b.Events = nil },
		"no stream kind":            func(b *journal.Batch) { b.Stream.Kind = "" },
		"no stream id":              func(b *journal.Batch) { b.Stream.ID = "" },
		"no time":                   func(b *journal.Batch) { b.At = time.Time{} },
		"no event where one stands": func(b *journal.Batch) { b.Events = []event.Event{nil} },
		"private text of nobody":    func(b *journal.Batch) { b.Subject = "" },
		"a name twice":              func(b *journal.Batch) { b.Seen = []journal.Key{{Space: "a", Name: "b"}, {Space: "a", Name: "b"}} },
		"a name that is empty":      func(b *journal.Batch) { b.Claim = []journal.Key{{Space: "a"}} },
		"a due row without an id":   func(b *journal.Batch) { b.Due = []journal.Due{{Stream: b.Stream, At: start}} },
		"a due row without a time":  func(b *journal.Batch) { b.Due = []journal.Due{{Stream: b.Stream, ID: "d"}} },
		"a due row of another tenant": func(b *journal.Batch) {
			b.Due = []journal.Due{{ID: "d", At: start, Stream: event.Stream{Kind: "session", ID: "x"}}}
		},
	} {
		b := good
		spoil(&b)
		_, err := s.j.Append(s.ctx, b)
		require.ErrorIs(s, err, fault.Invalid, name)
	}
	_, err := s.j.Claim(s.ctx, event.Stream{})
	require.ErrorIs(s, err, fault.Invalid)
	require.ErrorIs(s, s.j.Forget(s.ctx, tenant.ID{}, ""), fault.Invalid)
	s.append(good)
}

func (s suite) apart() {
	// Names chosen so that careless keys would run into each other.
	streams := []event.Stream{
		{Kind: "session", ID: "a"},
		{Kind: "session", ID: "a\x00"},
		{Kind: "session", ID: "a\x00\x01b"},
		{Kind: "session", ID: "aa"},
		{Kind: "sessiona", ID: "a"},
		{Kind: "call", ID: "a"},
		{Kind: "session", ID: "\xff"},
		{Tenant: tenant.ID{15: 1}, Kind: "session", ID: "a"},
		{Tenant: tenant.ID{0: 255}, Kind: "session", ID: "a"},
	}
	for i, st := range streams {
		s.append(batch(st, 0, fmt.Sprint(i), "second"))
	}
	for i, st := range streams {
		envs := s.read(st, 1)
		require.Len(s, envs, 2, "stream %d", i)
		require.Equal(s, said(fmt.Sprint(i)), envs[0].Body)
		require.Equal(s, st, envs[1].Stream)
	}
}

func (s suite) reading() {
	require.Empty(s, s.read(session(1), 1), "a stream that nobody opened is empty")
	var texts []string
	for i := range 700 {
		texts = append(texts, fmt.Sprint(i))
	}
	want := s.append(batch(session(1), 0, texts...))
	s.append(batch(session(2), 0, "neighbour"))
	require.Equal(s, want, s.read(session(1), 0))
	require.Equal(s, want[299:], s.read(session(1), 300))
	require.Empty(s, s.read(session(1), 701))
	n := 0
	for _, err := range s.j.Read(s.ctx, session(1), 1) {
		require.NoError(s, err)
		if n++; n == 5 {
			break
		}
	}
	require.Equal(s, 5, n)
}

func (s suite) hashes() {
	s.append(batch(session(1), 0, "one", "two"))
	s.append(batch(session(2), 0, "one"))
	s.append(batch(session(1), 2, "three"))
	seen := map[[32]byte]bool{{}: true, sha256.Sum256(nil): true}
	for _, env := range s.all(4) {
		require.False(s, seen[env.Hash])
		seen[env.Hash] = true
	}
}

func (s suite) ended() {
	ctx, cancel := context.WithCancel(s.ctx)
	s.append(batch(session(1), 0, "one", "two"))
	cancel()
	for name, err := range map[string]error{
		"append": second(s.j.Append(ctx, batch(session(2), 0, "x"))),
		"claim":  second(s.j.Claim(ctx, session(2))),
		"forget": s.j.Forget(ctx, tenant.ID{}, "x"),
		"due":    second(s.j.Due(ctx, start, 1)),
	} {
		// An implementation may be done before it looks.
		if err != nil {
			require.Equal(s, fault.Cancelled, fault.KindOf(err), name)
		}
	}
	var errs []error
	for _, err := range s.j.Read(ctx, session(1), 1) {
		errs = append(errs, err)
	}
	require.Len(s, errs, 1, "a part of a stream must not pass for the whole")
	require.True(s, errors.Is(errs[0], context.Canceled))
}

func second[T any](_ T, err error) error { return err }
