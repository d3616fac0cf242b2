package journaltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

func (s suite) rows(before time.Time, most int) []journal.Due {
	s.Helper()
	rows, err := s.j.Due(s.ctx, before, most)
	require.NoError(s, err)
	return rows
}

func (s suite) due() {
	at := start.Add(time.Minute)
	timer := journal.Due{ID: "timer", Stream: session(1), At: at, Kind: "session_timeout", Data: []byte{1, 2}}
	b := batch(session(1), 0, "hi")
	b.Due = []journal.Due{timer}
	s.append(b)
	require.Empty(s, s.rows(at, 10), "before means before")
	require.Equal(s, []journal.Due{timer}, s.rows(at.Add(time.Microsecond), 10))
	require.Empty(s, s.rows(at.Add(time.Hour), 0))

	moved := timer
	moved.At, moved.Data = at.Add(time.Hour), nil
	b = batch(session(1), 1, "again")
	b.Due = []journal.Due{moved}
	s.append(b)
	require.Empty(s, s.rows(at.Add(time.Minute), 10), "the same id replaces the row")
	require.Equal(s, []journal.Due{moved}, s.rows(at.Add(2*time.Hour), 10))

	b = batch(session(1), 2, "done and set anew")
	b.Done, b.Due = []journal.DueID{"timer", "nobody's"}, []journal.Due{timer}
	s.append(b)
	require.Equal(s, []journal.Due{timer}, s.rows(at.Add(2*time.Hour), 10))

	done := journal.Batch{Stream: session(1), Expected: 3, At: start, Done: []journal.DueID{"timer"}}
	envs, err := s.j.Append(s.ctx, done)
	require.NoError(s, err, "a batch may have no events")
	require.Empty(s, envs)
	require.Empty(s, s.rows(at.Add(2*time.Hour), 10))
	s.append(batch(session(1), 3, "the version has not moved"))
}

func (s suite) dueOrder() {
	var want []journal.Due
	for i := range 12 {
		st := event.Stream{Tenant: tenant.ID{0: byte(i % 3)}, Kind: event.SessionStream, ID: fmt.Sprint(i)}
		// 5 and 12 have no common divisor: every time comes once, in another order.
		d := journal.Due{ID: journal.DueID(fmt.Sprint("id", i/3)), Stream: st, At: start.Add(time.Duration(i*5%12) * time.Second), Kind: "send"}
		b := batch(st, 0, "x")
		b.Due = []journal.Due{d}
		s.append(b)
		want = append(want, d)
	}
	for i := range want {
		for k := range i {
			if want[i].At.Before(want[k].At) {
				want[i], want[k] = want[k], want[i]
			}
		}
	}
	later := start.Add(time.Hour)
	require.Equal(s, want, s.rows(later, 100))
	require.Equal(s, want[:5], s.rows(later, 5))
	require.Equal(s, want[:1], s.rows(later, 1))
	require.Equal(s, want[:4], s.rows(start.Add(4*time.Second), 100))
}

func (s suite) follow() {
	s.append(batch(session(1), 0, "one", "two", "three"))
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	got := make(chan event.Envelope)
	var work sync.WaitGroup
	work.Go(func() {
		for env, err := range s.j.Subscribe(ctx, 2) {
			if err != nil {
				return
			}
			got <- env
		}
	})
	for want := uint64(2); want <= 3; want++ {
		require.Equal(s, want, (<-got).Position)
	}
	for i := range 20 {
		want := s.append(batch(session(2), uint64(i), "live"))[0]
		require.Equal(s, want, <-got)
	}
	cancel()
	work.Wait()
}

func (s suite) slow() {
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	first, goOn := make(chan struct{}), make(chan struct{})
	var got []uint64
	var work sync.WaitGroup
	work.Go(func() {
		for env, err := range s.j.Subscribe(ctx, 1) {
			if err != nil {
				return
			}
			if got = append(got, env.Position); len(got) == 1 {
				close(first)
				<-goOn
			}
			if len(got) == 2001 {
				return
			}
		}
	})
	s.append(batch(session(1), 0, "first"))
	<-first
	for i := range 20 {
		texts := make([]string, 100)
		s.append(batch(session(2), uint64(100*i), texts...))
	}
	s.all(2001) // another subscriber is served meanwhile
	close(goOn)
	work.Wait()
	require.Len(s, got, 2001)
	for i, pos := range got {
		require.Equal(s, uint64(i+1), pos)
	}
}

func (s suite) cancel() {
	ctx, cancel := context.WithCancel(s.ctx)
	s.append(batch(session(1), 0, "one"))
	ended := make(chan []error)
	go func() {
		var errs []error
		for _, err := range s.j.Subscribe(ctx, 1) {
			errs = append(errs, err)
			cancel()
		}
		ended <- errs
	}()
	require.Equal(s, []error{nil}, <-ended)
	for range s.j.Subscribe(ctx, 1) {
		s.Fatal("a context that has ended gives nothing")
	}
}

func (s suite) snapshots() {
	st := session(1)
	restore := func() (journal.Snapshot, bool) {
		snap, ok, err := s.j.Restore(s.ctx, st)
		require.NoError(s, err)
		return snap, ok
	}
	_, ok := restore()
	require.False(s, ok)
	s.append(batch(st, 0, "one", "two"))
	for seq := uint64(1); seq <= 2; seq++ {
		want := journal.Snapshot{Seq: seq, Schema: 7, Data: fmt.Append(nil, "state ", seq)}
		require.NoError(s, s.j.Save(s.ctx, st, want))
		got, ok := restore()
		require.True(s, ok)
		require.Equal(s, want, got)
	}
	require.ErrorIs(s, s.j.Save(s.ctx, st, journal.Snapshot{Seq: 3}), fault.Invalid, "there is no third event")
	_, ok, err := s.j.Restore(s.ctx, session(2))
	require.NoError(s, err)
	require.False(s, ok)
}

func (s suite) snapshotForgotten() {
	st := session(1)
	for i, subject := range []string{"anna", "bert"} {
		b := batch(st, uint64(i), "x")
		b.Subject = subject
		s.append(b)
	}
	restored := func() bool {
		_, ok, err := s.j.Restore(s.ctx, st)
		require.NoError(s, err)
		return ok
	}
	require.NoError(s, s.j.Save(s.ctx, st, journal.Snapshot{Seq: 2, Data: []byte("anna and bert")}))
	require.True(s, restored())
	require.NoError(s, s.j.Forget(s.ctx, st.Tenant, "anna"))
	require.False(s, restored())
	b := batch(st, 2, "back")
	b.Subject = "anna"
	s.append(b)
	require.False(s, restored(), "not even when anna comes back")
}

func (s suite) forget() {
	st := session(1)
	b := batch(st, 0, "secret")
	b.Events = append(b.Events, event.StateEntered{State: "plain"})
	b.Subject = "anna"
	s.append(b)
	other := batch(session(2), 0, "kept")
	other.Subject = "bert"
	s.append(other)
	same := batch(event.Stream{Tenant: tenant.ID{15: 2}, Kind: event.SessionStream, ID: "x"}, 0, "another tenant's")
	same.Subject = "anna"
	s.append(same)
	require.Equal(s, said("secret"), s.read(st, 1)[0].Body)
	require.NoError(s, s.j.Forget(s.ctx, st.Tenant, "anna"))
	require.NoError(s, s.j.Forget(s.ctx, st.Tenant, "nobody we know"))

	erased := event.MessageReceived{Turn: 1, Message: "m", Text: event.Private{Erased: true}}
	for name, envs := range map[string][]event.Envelope{"read": s.read(st, 1), "subscribe": s.all(4)[:2]} {
		require.Equal(s, erased, envs[0].Body, name)
		require.Equal(s, event.StateEntered{State: "plain"}, envs[1].Body, name)
	}
	require.Equal(s, said("kept"), s.read(session(2), 1)[0].Body)
	require.Equal(s, said("another tenant's"), s.read(same.Stream, 1)[0].Body)
}

func (s suite) comeBackAfterForget() {
	b := batch(session(1), 0, "before")
	b.Subject = "anna"
	s.append(b)
	require.NoError(s, s.j.Forget(s.ctx, b.Stream.Tenant, "anna"))
	after := batch(session(2), 0, "after")
	after.Subject = "anna"
	s.append(after)
	require.Equal(s, said("after"), s.read(session(2), 1)[0].Body)
	require.True(s, s.read(session(1), 1)[0].Body.(event.MessageReceived).Text.Erased)
}

func (s suite) race() {
	const writers, rounds = 16, 20
	for round := range uint64(rounds) {
		var won, lost int
		var mu sync.Mutex
		var work sync.WaitGroup
		for range writers {
			work.Go(func() {
				_, err := s.j.Append(s.ctx, batch(session(1), round, "x"))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case errors.Is(err, fault.Conflict):
					lost++
				}
			})
		}
		work.Wait()
		require.Equal(s, 1, won)
		require.Equal(s, writers-1, lost)
	}
	require.Len(s, s.read(session(1), 1), rounds)
}

func (s suite) positions() {
	const writers, each = 16, 30
	var work sync.WaitGroup
	acked := make([][]event.Envelope, writers)
	for w := range writers {
		work.Go(func() {
			for i := range each {
				envs, err := s.j.Append(s.ctx, batch(session(w), uint64(2*i), "a", "b"))
				if err != nil {
					s.Error(err)
					return
				}
				acked[w] = append(acked[w], envs...)
			}
		})
	}
	work.Wait()
	byPosition := map[uint64]event.Envelope{}
	for w := range writers {
		require.Equal(s, acked[w], s.read(session(w), 1))
		for _, env := range acked[w] {
			byPosition[env.Position] = env
		}
	}
	for i, env := range s.all(2 * writers * each) {
		require.Equal(s, uint64(i+1), env.Position)
		require.Equal(s, byPosition[env.Position], env)
	}
}

func (s suite) shareKey() {
	for round := range 20 {
		subject := fmt.Sprint("person ", round)
		var work sync.WaitGroup
		for w := range 8 {
			work.Go(func() {
				st := event.Stream{Tenant: tenant.ID{0: byte(round)}, Kind: event.CallStream, ID: fmt.Sprint(w)}
				b := batch(st, 0, "text")
				b.Subject = subject
				if _, err := s.j.Append(s.ctx, b); err != nil {
					s.Error(err)
				}
			})
		}
		work.Wait()
	}
	for _, env := range s.all(160) {
		require.Equal(s, said("text"), env.Body)
	}
}
