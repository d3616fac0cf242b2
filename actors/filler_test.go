package actors_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/provider"
	"flametree/engine/replay"
	"flametree/engine/session"
)

// bridger is a model whose replies come late and whose fillers come when the
// test says: a filler is asked for without knowledge and without tools.
type bridger struct {
	provider.Completer
	phrase string
	takes  time.Duration

	mu    sync.Mutex
	asked []provider.Request
}

// Complete implements provider.Completer.
func (b *bridger) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	if r.Schema != nil || len(r.Tools) > 0 {
		return b.Completer.Complete(ctx, r)
	}
	return func(yield func(provider.Delta, error) bool) {
		b.mu.Lock()
		b.asked = append(b.asked, r)
		b.mu.Unlock()
		t := time.NewTimer(b.takes)
		defer t.Stop()
		select {
		case <-t.C:
			_ = yield(provider.Delta{Text: b.phrase}, nil) && yield(provider.Delta{Finish: provider.FinishStop}, nil)
		case <-ctx.Done():
			yield(provider.Delta{}, ctx.Err())
		}
	}
}

func (b *bridger) requests() []provider.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

var chained = []string{"ENABLE_FILLER_PHRASES: True", "FILLER_PHRASES_WITH_CHAIN: True"}

// listed are the phrases of the list.
func listed(line string) bool {
	for _, p := range []string{"One moment please.", "Let me look that up.", "Just a second.", "Let me check."} {
		if strings.Contains(line, p) {
			return true
		}
	}
	return false
}

func TestAFillerOfTheModelFitsWhatWasAsked(t *testing.T) {
	const reply = "You said: what is the fee"
	for name, tt := range map[string]struct {
		phrase string
		takes  time.Duration
		want   string // "" = one of the list
	}{
		"a phrase in time":             {"I am looking at the fee.", 300 * time.Millisecond, "AI: I am looking at the fee. " + reply},
		"a phrase that comes too late": {"I am looking at the fee.", 10 * time.Second, ""},
		"an answer":                    {"The fee is 5 euros.", 0, ""},
		"a question":                   {"Which fee do you mean?", 0, ""},
		"a speech":                     {strings.Repeat("I am still looking at it and ", 5), 0, ""},
		"nothing":                      {"", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inCall(t, chained, func(c *call) {
				b := &bridger{Completer: c.h.Model, phrase: tt.phrase, takes: tt.takes}
				c.h.Cast.Thinks = b
				c.h.Model.Wait = make(chan struct{})
				c.greeted()
				c.Say("what is the fee")
				time.Sleep(4 * time.Second)
				c.h.Model.Wait <- struct{}{}
				c.quiet()
				last := c.lines()[2]
				if tt.want != "" {
					require.Equal(c.t, tt.want, last)
				} else {
					require.True(c.t, listed(last), last)
				}
				require.True(c.t, strings.HasSuffix(last, reply), last)
				asked := b.requests()
				require.Len(c.t, asked, 1)
				require.Equal(c.t, "what is the fee", asked[0].Messages[0].Text)
				require.LessOrEqual(c.t, asked[0].Deadline, 1500*time.Millisecond)
				for _, p := range asked[0].System {
					require.NotContains(c.t, []provider.PartKind{provider.PartCore, provider.PartKnowledge, provider.PartResults}, p.Kind)
				}
				require.Empty(c.t, replay.Session(c.h.Events(c.t, "s"), c.h.Cast.Revision).Differences)
				again, err := replay.Call(c.h.CallEvents(c.t, "s"), nil)
				require.NoError(c.t, err)
				require.Empty(c.t, again.Differences)
			})
		})
	}
}

// A filler that is ready when the reply has begun already is not said.
func TestAFillerNeverComesAfterTheReply(t *testing.T) {
	inCall(t, chained, func(c *call) {
		b := &bridger{Completer: c.h.Model, phrase: "I am looking at the fee.", takes: time.Second}
		c.h.Cast.Thinks = b
		c.h.Model.Wait, c.h.Model.Pace = make(chan struct{}), 800*time.Millisecond
		c.h.Model.Reply = func(provider.Request) []provider.Delta {
			return []provider.Delta{{Text: "It is free of charge for you. And "}, {Text: "nothing else is due."}, {Finish: provider.FinishStop}}
		}
		c.greeted()
		c.Say("what is the fee")
		for range 1000 {
			if time.Sleep(10 * time.Millisecond); len(b.requests()) > 0 {
				break
			}
		}
		c.h.Model.Wait <- struct{}{}
		c.quiet()
		require.Equal(c.t, "AI: It is free of charge for you. And nothing else is due.", c.lines()[2])
	})
}

// lateChat plays a written turn whose reply takes a while.
func lateChat(t *testing.T, env []string, b *bridger, takes time.Duration) (*actorstest.House, *actors.Answered) {
	t.Helper()
	h := actorstest.New(t, time.Minute)
	h.Agent(t, actorstest.File+"env:\n  "+strings.Join(append([]string{"LLM_TEMPERATURE: 0.1"}, env...), "\n  ")+"\n")
	h.Model.Wait = make(chan struct{})
	b.Completer = h.Model
	h.Cast.Thinks = b
	h.Begin(t, "s")
	go func() {
		time.Sleep(takes)
		h.Model.Wait <- struct{}{}
	}()
	got, err := write(t, h, "s", actors.Write{Text: "what is the fee"})
	require.NoError(t, err)
	synctest.Wait()
	return h, got
}

// fillers are those of a chat, by when they came.
func fillers(t *testing.T, h *actorstest.House) (out []string) {
	t.Helper()
	for _, e := range h.Events(t, "s") {
		if b, ok := e.Body.(event.ReplySent); ok && session.IsFiller(b.Message) {
			out = append(out, b.Text.Text)
		}
	}
	return out
}

func TestALateWrittenReplyIsBridged(t *testing.T) {
	for name, tt := range map[string]struct {
		env   []string
		takes time.Duration
		want  func(t *testing.T, said []string)
	}{
		"fillers are off": {nil, 8 * time.Second, func(t *testing.T, said []string) { require.Empty(t, said) }},
		"a quick reply":   {chained, 500 * time.Millisecond, func(t *testing.T, said []string) { require.Empty(t, said) }},
		"of the list": {chained[:1], 8 * time.Second, func(t *testing.T, said []string) {
			require.Len(t, said, 2)
			require.True(t, listed(said[0]) && listed(said[1]), "%v", said)
		}},
		"of the model": {chained, 3 * time.Second, func(t *testing.T, said []string) {
			require.Equal(t, []string{"I am looking at the fee."}, said)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(time.Second)
				h, got := lateChat(t, tt.env, &bridger{phrase: "I am looking at the fee.", takes: 200 * time.Millisecond}, tt.takes)
				require.Equal(t, "You said: what is the fee", got.Text, "the answer is the reply")
				tt.want(t, fillers(t, h))

				h.Model.Set(func(m *actorstest.Model) { m.Wait = nil })
				_, err := write(t, h, "s", actors.Write{Text: "thanks"})
				require.NoError(t, err)
				last := h.Model.Asked[len(h.Model.Asked)-1]
				for _, m := range last.Messages {
					require.NotContains(t, m.Text, "looking at", "no model is shown a filler")
					require.False(t, listed(m.Text))
				}
				require.Empty(t, replay.Session(h.Events(t, "s"), h.Cast.Revision).Differences)
				require.Equal(t, replay.State(h.Events(t, "s")).Lines, look(t, h, "s").State.Lines)
			})
		})
	}
}
