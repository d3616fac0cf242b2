package actors_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/persist/journal"
	"flametree/persist/journal/journaltest"
)

const mailedFile = actorstest.File + `env:
  RESULTS_EMAIL_TO: desk@mail.example, ann@mail.example
  VOICE_LANGUAGE: de
`

// office plays a story with a session whose results are mailed, in virtual time.
func office(t *testing.T, file string, story func(t *testing.T, h *actorstest.House, j journal.Journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Second) // the actor system counts dead letters a little longer
		j := journaltest.NewMemory()
		open(t, j, 250*time.Millisecond, file, func(h *actorstest.House) { story(t, h, j) })
	})
}

// open is one life of a process: a house and the clerk who wakes it.
func open(t *testing.T, j journal.Journal, every time.Duration, file string, story func(h *actorstest.House)) {
	t.Helper()
	h := actorstest.On(t, j, time.Hour)
	h.Agent(t, file)
	h.Model.Read = func(context.Context, provider.Request) string { return `{"HumanFullName":"Aigul Bek"}` }
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		actors.Clerk{Journal: j, Dir: h.Dir, Every: every, Log: slog.New(slog.DiscardHandler)}.Run(ctx)
	}()
	story(h)
	stop()
	<-done
}

// talk is a conversation that leaves a result and is closed.
func talk(t *testing.T, h *actorstest.House, name string) {
	t.Helper()
	h.Begin(t, name)
	_, err := write(t, h, name, actors.Write{Text: "I am Aigul Bek"})
	require.NoError(t, err)
	hangUp(t, h, name)
}

func hangUp(t *testing.T, h *actorstest.House, name string) {
	t.Helper()
	_, err := h.Dir.Ask(t.Context(), h.Session(name), &actors.End{Status: event.Completed})
	require.NoError(t, err)
}

func mailed(t *testing.T, h *actorstest.House, name string) (out []event.ResultsMailed) {
	t.Helper()
	for _, e := range h.Events(t, name) {
		if b, ok := e.Body.(event.ResultsMailed); ok {
			out = append(out, b)
		}
	}
	return out
}

func rows(t *testing.T, j journal.Journal) int {
	t.Helper()
	due, err := j.Due(t.Context(), time.Now().Add(1000*time.Hour), 100)
	require.NoError(t, err)
	return len(due)
}

func TestResultsAreMailedOnceAtTheClose(t *testing.T) {
	office(t, mailedFile, func(t *testing.T, h *actorstest.House, j journal.Journal) {
		talk(t, h, "s")
		time.Sleep(time.Second)
		require.Len(t, h.Office.Sent(), 1)
		l := h.Office.Sent()[0]
		require.Equal(t, []string{"desk@mail.example", "ann@mail.example"}, l.To)
		require.Equal(t, "results.s", l.ID)
		require.Equal(t, "Echo", l.Agent)
		require.Equal(t, "de", l.Language)
		require.Equal(t, event.Completed, l.Status)
		require.Equal(t, []actors.LetterLine{{Title: "Full name", Value: "Aigul Bek"}}, l.Results)
		require.Equal(t, []event.ResultsMailed{{MessageID: "results.s", Taken: 2, Attempts: 1}}, mailed(t, h, "s"))
		time.Sleep(3 * time.Hour)
		require.Len(t, h.Office.Sent(), 1, "never again")
		require.Zero(t, rows(t, j))
	})
}

// What nobody wants, and what there is nothing of, is not mailed.
func TestWhatIsNotMailed(t *testing.T) {
	for name, c := range map[string]struct{ file, read string }{
		"no address": {actorstest.File, `{"HumanFullName":"Aigul Bek"}`},
		"no results": {mailedFile, "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			office(t, c.file, func(t *testing.T, h *actorstest.House, j journal.Journal) {
				h.Model.Read = func(context.Context, provider.Request) string { return c.read }
				talk(t, h, "s")
				time.Sleep(time.Minute)
				require.Empty(t, h.Office.Sent())
				require.Empty(t, mailed(t, h, "s"))
				require.Zero(t, rows(t, j))
			})
		})
	}
}

// A person who asked to be forgotten is in no letter that waits.
func TestAForgottenPersonIsInNoLetter(t *testing.T) {
	office(t, mailedFile, func(t *testing.T, h *actorstest.House, j journal.Journal) {
		h.Office.Answer = func(context.Context, actors.Letter) []error {
			return []error{fault.Unavailable, fault.Unavailable}
		}
		talk(t, h, "s")
		time.Sleep(time.Second)
		require.NoError(t, j.Forget(t.Context(), h.Tenant, "s"))
		time.Sleep(10 * time.Minute)
		require.Len(t, h.Office.Sent(), 1)
		require.Zero(t, rows(t, j))
		require.Equal(t, "Aigul Bek", look(t, h, "s").State.Value("HumanFullName"), "the session was awake all the time")
	})
}

// One address is refused, one asks to wait: the first is given up, the second is
// tried again, alone, after a minute and after twice as long each time.
func TestWhatWaitsIsTriedAgain(t *testing.T) {
	office(t, mailedFile, func(t *testing.T, h *actorstest.House, j journal.Journal) {
		var mu sync.Mutex
		var at []time.Time
		h.Office.Answer = func(_ context.Context, l actors.Letter) []error {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now())
			switch len(at) {
			case 1:
				return []error{fmt.Errorf("it answers 550: %w", fault.Denied), fmt.Errorf("it answers 451: %w", fault.Unavailable)}
			case 2, 3:
				return []error{fmt.Errorf("it answers 451: %w", fault.Unavailable)}
			}
			return []error{nil}
		}
		talk(t, h, "s")
		time.Sleep(10 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		sent := h.Office.Sent()
		require.Len(t, sent, 4)
		for _, l := range sent[1:] {
			require.Equal(t, []string{"ann@mail.example"}, l.To, "who has it does not get it twice")
			require.Equal(t, sent[0].ID, l.ID)
		}
		for i, wait := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
			require.InDelta(t, wait.Seconds(), at[i+1].Sub(at[i]).Seconds(), 1)
		}
		require.Equal(t, []event.ResultsMailed{{MessageID: "results.s", Taken: 1, Given: 1, Attempts: 4, Fault: "it answers 550: denied"}}, mailed(t, h, "s"))
		require.Zero(t, rows(t, j))
	})
}

func TestAfterFourDaysItIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Second)
		j := journaltest.NewMemory()
		open(t, j, time.Minute, mailedFile, func(h *actorstest.House) {
			h.Office.Answer = func(_ context.Context, l actors.Letter) (out []error) {
				for range l.To {
					out = append(out, fmt.Errorf("the mail server is not reached: %w", fault.Unavailable))
				}
				return out
			}
			talk(t, h, "s")
			time.Sleep(95 * time.Hour)
			require.Empty(t, mailed(t, h, "s"))
			require.Equal(t, 1, rows(t, j))
			time.Sleep(3 * time.Hour)
			got := mailed(t, h, "s")
			require.Len(t, got, 1)
			require.Equal(t, uint32(2), got[0].Given)
			require.Greater(t, got[0].Attempts, uint32(50))
			require.Less(t, got[0].Attempts, uint32(200))
			require.True(t, strings.HasPrefix(got[0].Fault, "given up after "), got[0].Fault)
			require.Contains(t, got[0].Fault, "is not reached")
			require.Zero(t, rows(t, j))
		})
	})
}

// A slow mail server holds nobody: the session answers while it waits, and is
// not told twice to send.
func TestAMailHoldsNobody(t *testing.T) {
	office(t, mailedFile, func(t *testing.T, h *actorstest.House, _ journal.Journal) {
		let := make(chan struct{})
		h.Office.Answer = func(_ context.Context, l actors.Letter) []error {
			<-let
			return make([]error, len(l.To))
		}
		talk(t, h, "s")
		time.Sleep(80 * time.Second)
		require.True(t, look(t, h, "s").State.Ended)
		require.Len(t, h.Office.Sent(), 1)
		close(let)
		time.Sleep(10 * time.Second)
		require.Len(t, mailed(t, h, "s"), 1)
		time.Sleep(10 * time.Minute)
		require.Len(t, h.Office.Sent(), 1)
	})
}

// What is read out of the last turn after the close is in the letter.
func TestLateResultsAreInTheLetter(t *testing.T) {
	office(t, mailedFile, func(t *testing.T, h *actorstest.House, _ journal.Journal) {
		let := make(chan struct{})
		h.Model.Read = func(context.Context, provider.Request) string {
			<-let
			return `{"HumanFullName":"Aigul Bek"}`
		}
		h.Begin(t, "s")
		_, err := write(t, h, "s", actors.Write{Text: "I am Aigul Bek", Early: true})
		require.NoError(t, err)
		time.Sleep(time.Second)
		hangUp(t, h, "s")
		time.Sleep(3 * time.Second)
		require.Empty(t, h.Office.Sent())
		close(let)
		time.Sleep(10 * time.Second)
		require.Len(t, h.Office.Sent(), 1)
		require.Equal(t, "Aigul Bek", h.Office.Sent()[0].Results[0].Value)
	})
}

// The process ends after the server took the letter and before that is written
// down: the next one sends it again, as the same letter.
func TestACrashBeforeTheRecordRepeatsTheLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Second)
		j := journaltest.NewMemory()
		let := make(chan struct{})
		var first []actors.Letter
		open(t, j, 250*time.Millisecond, mailedFile, func(h *actorstest.House) {
			h.Office.Answer = func(ctx context.Context, l actors.Letter) []error {
				<-let // it has it, and we never hear so
				return make([]error, len(l.To))
			}
			talk(t, h, "s")
			time.Sleep(time.Second)
			first = h.Office.Sent()
			require.Len(t, first, 1)
		})
		open(t, j, 250*time.Millisecond, mailedFile, func(h *actorstest.House) {
			time.Sleep(10 * time.Minute)
			require.Len(t, h.Office.Sent(), 1)
			require.Equal(t, first[0].ID, h.Office.Sent()[0].ID)
			require.Equal(t, []event.ResultsMailed{{MessageID: "results.s", Taken: 2, Attempts: 2}}, mailed(t, h, "s"))
			require.Zero(t, rows(t, j))
		})
		close(let)
	})
}
