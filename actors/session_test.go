package actors_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/replay"
	"flametree/persist/journal"
	"flametree/persist/journal/journaltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t testing.TB, h *actorstest.House, name string, w actors.Write) (*actors.Answered, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := h.Dir.Ask(ctx, h.Session(name), &w)
	if err != nil {
		return nil, err
	}
	return got.(*actors.Answered), nil
}

func look(t testing.TB, h *actorstest.House, name string) *actors.View {
	t.Helper()
	got, err := h.Dir.Ask(t.Context(), h.Session(name), &actors.Look{})
	require.NoError(t, err)
	return got.(*actors.View)
}

func kinds(events []event.Envelope) []event.Kind {
	var out []event.Kind
	for _, e := range events {
		out = append(out, e.Body.Kind())
	}
	return out
}

func TestAMessageIsAnsweredAfterItsEvent(t *testing.T) {
	h := actorstest.New(t, time.Minute)
	h.Begin(t, "s")
	got, err := write(t, h, "s", actors.Write{Text: "good morning"})
	require.NoError(t, err)
	require.Equal(t, "You said: good morning", got.Text)
	require.Equal(t, []event.Kind{
		"session.created.v1", "reply.sent.v1", "message.received.v1", "reply.started.v1", "model.answered.v1", "reply.sent.v1",
		"results.extracted.v1",
	}, sortExtraction(kinds(h.Events(t, "s"))))
}

// sortExtraction moves the reading of results, which runs beside the reply, to the end.
func sortExtraction(in []event.Kind) []event.Kind {
	var out, last []event.Kind
	for _, k := range in {
		if k == "results.extracted.v1" {
			last = append(last, k)
			continue
		}
		out = append(out, k)
	}
	return append(out, last...)
}

// slow is a journal that answers when it is let, and says when it is asked.
type slow struct {
	journal.Journal
	asked chan []event.Event
	let   chan struct{}
}

func (s *slow) Append(ctx context.Context, b journal.Batch) ([]event.Envelope, error) {
	s.asked <- b.Events
	<-s.let
	return s.Journal.Append(ctx, b)
}

func TestNothingIsSentBeforeItIsDurable(t *testing.T) {
	j := &slow{Journal: journaltest.NewMemory(), asked: make(chan []event.Event, 16), let: make(chan struct{}, 16)}
	h := actorstest.On(t, j, time.Minute)
	j.let <- struct{}{}
	h.Begin(t, "s")
	<-j.asked
	frames := make(chan actors.Frame, 64)
	_, err := h.Dir.Ask(t.Context(), h.Session("s"), &actors.Watch{After: 100, Sink: func(f actors.Frame) bool { frames <- f; return true }})
	require.NoError(t, err)
	done := make(chan *actors.Answered, 1)
	go func() {
		got, err := write(t, h, "s", actors.Write{Text: "hello"})
		if err == nil {
			done <- got
		}
		close(done)
	}()
	<-j.asked // the message and the start of the reply
	require.Zero(t, h.Model.Requests(), "the model was asked before reply.started was durable")
	require.Empty(t, frames)
	for i := 0; ; i++ {
		j.let <- struct{}{}
		events := <-j.asked
		if has(events, "reply.sent.v1") {
			break
		}
		require.Less(t, i, 5)
	}
	for _, f := range drain(frames) {
		require.NotEqual(t, "AI", f.Role+f.Type, "final message before its event")
		if f.Type == "message" {
			require.Equal(t, "HUMAN", f.Role, "the final message went out before its event was durable")
		}
	}
	select {
	case <-done:
		t.Fatal("the caller was answered before the event was durable")
	default:
	}
	for range 4 {
		j.let <- struct{}{}
	}
	require.Equal(t, "You said: hello", (<-done).Text)
}

func has(events []event.Event, k event.Kind) bool {
	for _, e := range events {
		if e.Kind() == k {
			return true
		}
	}
	return false
}

func drain(ch chan actors.Frame) []actors.Frame {
	var out []actors.Frame
	for {
		select {
		case f := <-ch:
			out = append(out, f)
		default:
			return out
		}
	}
}

func TestTwoMessagesAtOnceAreBothAnsweredInOrder(t *testing.T) {
	h := actorstest.New(t, time.Minute)
	h.Begin(t, "s")
	const n = 10
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			text := fmt.Sprint("message ", i)
			got, err := write(t, h, "s", actors.Write{Text: text})
			if err != nil || got.Text != "You said: "+text {
				t.Errorf("message %d: got %v, %v", i, got, err)
			}
		})
	}
	wg.Wait()
	turn := uint64(0)
	for _, e := range h.Events(t, "s") {
		switch b := e.Body.(type) {
		case event.MessageReceived:
			require.Equal(t, turn+1, b.Turn)
			turn = b.Turn
		case event.ReplySent:
			require.Equal(t, turn, b.Turn, "a reply to another turn than the open one")
		}
	}
	require.Equal(t, uint64(n), turn)
}

func TestTooManyWaitingMessagesAreRefused(t *testing.T) {
	h := actorstest.New(t, time.Minute)
	h.Model.Wait = make(chan struct{})
	h.Begin(t, "s")
	refused := make(chan error, 64)
	for i := range 40 {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_, err := h.Dir.Ask(ctx, h.Session("s"), &actors.Write{Text: fmt.Sprint(i)})
			refused <- err
		}()
	}
	require.ErrorIs(t, <-refused, fault.Exhausted)
	close(h.Model.Wait)
	for range 39 {
		if err := <-refused; err != nil {
			require.ErrorIs(t, err, fault.Exhausted)
		}
	}
}

func TestTheSameClientIDIsTakenOnce(t *testing.T) {
	h := actorstest.New(t, time.Minute)
	h.Begin(t, "s")
	first, err := write(t, h, "s", actors.Write{ClientID: "c1", Text: "once"})
	require.NoError(t, err)
	again, err := write(t, h, "s", actors.Write{ClientID: "c1", Text: "once"})
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, 1, h.Model.Requests())
}

// TestLiveStateEqualsReplayedState plays sessions of many shapes live, folds
// their journals and compares; and decides them again and compares that.
func TestLiveStateEqualsReplayedState(t *testing.T) {
	scripts := map[string]func(t *testing.T, h *actorstest.House){
		"chat": func(t *testing.T, h *actorstest.House) { say(t, h, "one"); say(t, h, "two") },
		"amended": func(t *testing.T, h *actorstest.House) {
			name := event.P("Ann")
			_, err := h.Dir.Ask(t.Context(), h.Session("s"), &actors.Amend{Change: event.SessionUpdated{Name: &name}})
			require.NoError(t, err)
			say(t, h, "hello")
		},
		"tool that does not exist": func(t *testing.T, h *actorstest.House) {
			h.Model.Reply = func(r provider.Request) []provider.Delta {
				if r.Messages[len(r.Messages)-1].Role == provider.RoleTool {
					return []provider.Delta{{Text: "I cannot do that."}, {Finish: provider.FinishStop}}
				}
				return []provider.Delta{{Call: &provider.ToolCall{ID: "1", Name: "LaunchRocket", Args: "{}"}}, {Finish: provider.FinishTools}}
			}
			say(t, h, "launch")
		},
		"finished by the agent": func(t *testing.T, h *actorstest.House) {
			h.Model.Reply = func(provider.Request) []provider.Delta {
				return []provider.Delta{
					{Call: &provider.ToolCall{ID: "1", Name: "FinishSession", Args: `{"last_message":"Goodbye."}`}}, {Finish: provider.FinishTools},
				}
			}
			say(t, h, "bye")
		},
		"closed by the caller": func(t *testing.T, h *actorstest.House) {
			say(t, h, "hello")
			_, err := h.Dir.Ask(t.Context(), h.Session("s"), &actors.End{Status: event.Canceled})
			require.NoError(t, err)
		},
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			h := actorstest.New(t, time.Minute)
			h.Begin(t, "s")
			script(t, h)
			live := look(t, h, "s")
			events := h.Events(t, "s")
			require.Equal(t, live.State, replay.State(events))
			report := replay.Session(events, h.Cast.Revision)
			require.Empty(t, report.Differences)
			require.Positive(t, report.Inputs)
		})
	}
}

func say(t *testing.T, h *actorstest.House, text string) *actors.Answered {
	t.Helper()
	got, err := write(t, h, "s", actors.Write{Text: text})
	require.NoError(t, err)
	return got
}

// TestNothingIsLostToPassivation lets sessions sleep while messages race in.
func TestNothingIsLostToPassivation(t *testing.T) {
	h := actorstest.New(t, time.Millisecond)
	for i := range 300 {
		name := fmt.Sprint("s", i)
		h.Begin(t, name)
		for j := range 3 {
			got, err := write(t, h, name, actors.Write{Text: fmt.Sprint(j)})
			require.NoError(t, err, "session %d message %d", i, j)
			require.Equal(t, fmt.Sprint("You said: ", j), got.Text)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); h.Dir.Live() > 0; {
		require.True(t, time.Now().Before(deadline), "%d actors never slept", h.Dir.Live())
	}
	require.Len(t, look(t, h, "s7").State.Lines, 7)
}

func TestAReplyLeftOpenByACrashIsClosedAsLost(t *testing.T) {
	j := journaltest.NewMemory()
	h := actorstest.On(t, j, time.Minute)
	h.Model.Wait = make(chan struct{})
	h.Begin(t, "s")
	go func() {
		_, _ = h.Dir.Ask(context.Background(), h.Session("s"), &actors.Write{ClientID: "c", Text: "hello"})
	}()
	for h.Model.Requests() == 0 { // until the reply is being made
		_, _ = h.Dir.Ask(t.Context(), h.Session("s"), &actors.Look{})
	}
	// The process dies here: another one finds the journal as it is.
	close(h.Model.Wait)
	h2 := actorstest.On(t, snapshotOf(t, j, h), time.Minute)
	require.NoError(t, h2.Dir.Send(h2.Session("s"), &actors.Recover{}))
	v := look(t, h2, "s")
	require.Nil(t, v.State.Open)
	got, err := write(t, h2, "s", actors.Write{ClientID: "c", Text: "hello"})
	require.NoError(t, err)
	require.Equal(t, "You said: hello", got.Text, "the same message again gets its reply")
	received := 0
	for _, e := range h2.Events(t, "s") {
		if e.Body.Kind() == "message.received.v1" {
			received++
		}
	}
	require.Equal(t, 1, received, "the message is in the history once")
}

// snapshotOf copies a session up to the start of its last reply, as a crash
// there would leave it.
func snapshotOf(t *testing.T, _ journal.Journal, h *actorstest.House) journal.Journal {
	t.Helper()
	out := journaltest.NewMemory()
	head, err := out.Claim(t.Context(), h.Session("s").Stream())
	require.NoError(t, err)
	version := uint64(0)
	for _, e := range h.Events(t, "s") {
		if e.Body.Kind() == "model.answered.v1" || e.Body.Kind() == "results.extracted.v1" {
			break
		}
		_, err := out.Append(t.Context(), journal.Batch{
			Stream: e.Stream, Expected: version, Epoch: head.Epoch, Subject: "s", At: e.Time, Events: []event.Event{e.Body},
		})
		require.NoError(t, err)
		version++
	}
	return out
}

func TestASessionThatIsGone(t *testing.T) {
	h := actorstest.New(t, time.Minute)
	_, err := write(t, h, "never", actors.Write{Text: "hello"})
	require.ErrorIs(t, err, fault.NotFound)
	h.Begin(t, "s")
	_, err = h.Dir.Ask(t.Context(), h.Session("s"), &actors.End{Status: event.Completed})
	require.NoError(t, err)
	_, err = write(t, h, "s", actors.Write{Text: "hello"})
	require.ErrorIs(t, err, fault.NotFound)
}

func TestAStaleActivationIsRefused(t *testing.T) {
	h := actorstest.New(t, time.Minute)
	h.Begin(t, "s")
	// Somebody else takes the stream over.
	_, err := h.Journal.Claim(t.Context(), h.Session("s").Stream())
	require.NoError(t, err)
	_, err = write(t, h, "s", actors.Write{Text: "hello"})
	require.ErrorIs(t, err, fault.Unavailable)
	got, err := write(t, h, "s", actors.Write{Text: "hello again"})
	require.NoError(t, err, "the actor wakes anew from the journal")
	require.Equal(t, "You said: hello again", got.Text)
}

func TestATimeoutEndsTheSession(t *testing.T) {
	h := actorstest.New(t, time.Minute)
	_, err := h.Dir.Ask(t.Context(), h.Session("s"), &actors.Begin{Born: event.SessionCreated{
		Agent: "echo", Revision: 1, Conversation: "s", Channel: "web", Timeout: time.Nanosecond,
	}})
	require.NoError(t, err)
	rows, err := h.Journal.Due(t.Context(), time.Now().Add(time.Second), 10)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.NoError(t, h.Dir.Send(h.Session("s"), &actors.TimerDue{ID: string(rows[0].ID), Kind: rows[0].Kind}))
	v := look(t, h, "s")
	require.Equal(t, event.UserTimeout, v.State.Status)
	rows, err = h.Journal.Due(t.Context(), time.Now().Add(time.Second), 10)
	require.NoError(t, err)
	require.Empty(t, rows, "the timer is done in the batch that records its result")
}
