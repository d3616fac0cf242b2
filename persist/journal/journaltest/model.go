package journaltest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

// reference is what a journal of one tenant does, as simply as it can be said.
type reference struct {
	tenant  tenant.ID
	streams [3]struct {
		epoch uint64
		texts []string
		who   []string
	}
	seen   map[string]bool
	held   map[string]int
	due    map[journal.DueID]time.Time
	forgot map[string]int // how many texts of the person are gone: all up to now
	told   map[string]int // texts of the person so far
}

// model compares j with the reference over random histories. All run on one
// journal, each in a tenant of its own.
func model(t *testing.T, j journal.Journal) {
	tenants := 0
	position := uint64(0)
	rapid.Check(t, func(t *rapid.T) {
		tenants++
		r := &reference{
			tenant: tenant.ID{0: 9, 14: byte(tenants >> 8), 15: byte(tenants)}, seen: map[string]bool{}, held: map[string]int{},
			due: map[journal.DueID]time.Time{}, forgot: map[string]int{}, told: map[string]int{},
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) { r.append(t, j, &position) },
			"claim":  func(t *rapid.T) { r.claim(t, j) },
			"forget": func(t *rapid.T) {
				who := rapid.SampledFrom([]string{"anna", "bert"}).Draw(t, "who")
				require.NoError(t, j.Forget(t.Context(), r.tenant, who))
				r.forgot[who] = r.told[who]
			},
			"": func(t *rapid.T) { r.compare(t, j) },
		})
	})
}

func (r *reference) stream(n int) event.Stream {
	return event.Stream{Tenant: r.tenant, Kind: event.SessionStream, ID: fmt.Sprint("stream ", n)}
}

func (r *reference) claim(t *rapid.T, j journal.Journal) {
	n := rapid.IntRange(0, 2).Draw(t, "stream")
	head, err := j.Claim(t.Context(), r.stream(n))
	require.NoError(t, err)
	r.streams[n].epoch++
	require.Equal(t, r.streams[n].epoch, head.Epoch)
	require.Equal(t, uint64(len(r.streams[n].texts)), head.Version)
}

func (r *reference) append(t *rapid.T, j journal.Journal, position *uint64) {
	n := rapid.IntRange(0, 2).Draw(t, "stream")
	st := &r.streams[n]
	some := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2, rapid.ID)
	b := journal.Batch{
		Stream: r.stream(n), At: start, Subject: rapid.SampledFrom([]string{"anna", "bert"}).Draw(t, "who"),
		// Mostly right, sometimes one off.
		Expected: uint64(max(len(st.texts)+rapid.SampledFrom([]int{0, 0, 0, 0, 1, -1}).Draw(t, "off"), 0)),
		Epoch:    st.epoch - min(st.epoch, rapid.SampledFrom([]uint64{0, 0, 0, 0, 1}).Draw(t, "behind")),
		Seen:     keys(some.Draw(t, "seen")), Claim: keys(some.Draw(t, "claim")), Free: keys(some.Draw(t, "free")),
	}
	// Ids are used up soon: mostly none.
	if rapid.IntRange(0, 3).Draw(t, "with seen") > 0 {
		b.Seen = nil
	}
	if rapid.IntRange(0, 3).Draw(t, "with free") > 0 {
		b.Free = nil
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "events") {
		b.Events = append(b.Events, said(fmt.Sprint("text ", r.told[b.Subject]+i)))
	}
	for _, id := range some.Draw(t, "due") {
		b.Due = append(b.Due, journal.Due{
			ID: journal.DueID(id), Stream: b.Stream, At: start.Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "at")) * time.Second),
		})
	}
	for _, id := range some.Draw(t, "done") {
		b.Done = append(b.Done, journal.DueID(id))
	}
	want := r.conflict(n, b)
	envs, err := j.Append(t.Context(), b)
	if want != "" {
		require.ErrorIs(t, err, fault.Conflict)
		var c *journal.Conflict
		require.True(t, errors.As(err, &c))
		require.Equal(t, want, c.Condition)
		return
	}
	require.NoError(t, err)
	for _, env := range envs {
		*position++
		require.Equal(t, *position, env.Position)
	}
	r.take(n, b)
}

func keys(names []string) (ks []journal.Key) {
	for _, name := range names {
		ks = append(ks, journal.Key{Space: "model", Name: name})
	}
	return ks
}

func (r *reference) conflict(n int, b journal.Batch) string {
	if b.Epoch < r.streams[n].epoch {
		return "epoch"
	}
	if b.Expected != uint64(len(r.streams[n].texts)) {
		return "version"
	}
	for _, k := range b.Seen {
		if r.seen[k.Name] {
			return "seen"
		}
	}
	for _, k := range b.Free {
		if r.held[k.Name] != n+1 {
			return "free"
		}
	}
	for _, k := range b.Claim {
		if h := r.held[k.Name]; h != 0 && h != n+1 {
			return "claim"
		}
	}
	return ""
}

func (r *reference) take(n int, b journal.Batch) {
	for range b.Events {
		r.streams[n].texts = append(r.streams[n].texts, fmt.Sprint("text ", r.told[b.Subject]))
		r.streams[n].who = append(r.streams[n].who, b.Subject)
		r.told[b.Subject]++
	}
	for _, k := range b.Seen {
		r.seen[k.Name] = true
	}
	for _, k := range b.Free {
		delete(r.held, k.Name)
	}
	for _, k := range b.Claim {
		r.held[k.Name] = n + 1
	}
	for _, id := range b.Done {
		delete(r.due, id)
	}
	for _, d := range b.Due {
		r.due[d.ID] = d.At
	}
}

// compare reads everything of the tenant.
func (r *reference) compare(t *rapid.T, j journal.Journal) {
	for n := range r.streams {
		i := 0
		for env, err := range j.Read(t.Context(), r.stream(n), 1) {
			require.NoError(t, err)
			who, text := r.streams[n].who[i], r.streams[n].texts[i]
			want := event.P(text)
			var number int
			_, err := fmt.Sscanf(text, "text %d", &number)
			require.NoError(t, err)
			if number < r.forgot[who] {
				want = event.Private{Erased: true}
			}
			require.Equal(t, want, env.Body.(event.MessageReceived).Text)
			require.Equal(t, uint64(i+1), env.Seq)
			i++
		}
		require.Equal(t, len(r.streams[n].texts), i)
	}
	for _, name := range []string{"a", "b", "c"} {
		s, ok, err := j.Holder(t.Context(), r.tenant, journal.Key{Space: "model", Name: name})
		require.NoError(t, err)
		require.Equal(t, r.held[name] != 0, ok)
		if ok {
			require.Equal(t, r.stream(r.held[name]-1), s)
		}
	}
	rows, err := j.Due(t.Context(), start.Add(time.Hour), 10_000)
	require.NoError(t, err)
	got := map[journal.DueID]time.Time{}
	for _, d := range rows {
		if d.Stream.Tenant == r.tenant {
			got[d.ID] = d.At
		}
	}
	require.Equal(t, r.due, got)
}
