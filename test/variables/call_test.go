package variables

import (
	"context"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/provider"
	"flametree/engine/turn"
	"flametree/persist/journal/journaltest"
)

// ring plays a call with an agent that has some variables, in virtual time. The
// actors are the real ones; line, ears and voice are not.
func ring(t *testing.T, env []string, before func(*actorstest.House), story func(*actorstest.House, *actorstest.Phone)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Second) // the actor system counts dead letters a little longer
		h := actorstest.On(t, journaltest.NewMemory(), time.Hour)
		h.Agent(t, actorstest.VoiceFile(append([]string{"VOICE_SPECULATE: False"}, env...)...))
		if before != nil {
			before(h)
		}
		p := h.Ring(t, "s")
		p.Line.Up()
		time.Sleep(3 * time.Second)
		if story != nil {
			story(h, p)
		}
		p.Line.End("hangup")
		time.Sleep(time.Second)
		synctest.Wait()
	})
}

// spoken are the lines of the agent in a call.
func spoken(t *testing.T, h *actorstest.House) string {
	var out []string
	for _, e := range h.Events(t, "s") {
		if b, ok := e.Body.(event.ReplySpoken); ok {
			out = append(out, b.Full.Text)
		}
	}
	return strings.Join(out, " | ")
}

// machine is the configuration that call.answered records.
func machine(t *testing.T, h *actorstest.House, key string) string {
	for _, e := range h.CallEvents(t, "s") {
		b, ok := e.Body.(event.CallAnswered)
		if !ok {
			continue
		}
		for _, p := range b.Machine {
			if p.Key == key {
				return p.Value
			}
		}
	}
	t.Fatalf("no %s in call.answered", key)
	return ""
}

// configured is one value of the machine in a call.
func configured(key string) func(*testing.T, []string) string {
	return func(t *testing.T, env []string) (out string) {
		ring(t, env, nil, func(h *actorstest.House, _ *actorstest.Phone) { out = machine(t, h, key) })
		return out
	}
}

func greeted(t *testing.T, env []string) (out string) {
	ring(t, env, nil, func(h *actorstest.House, _ *actorstest.Phone) { out = spoken(t, h) })
	return out
}

// silence is what the agent says to a caller who says nothing.
func silence(t *testing.T, env []string) (out string) {
	ring(t, env, nil, func(h *actorstest.House, _ *actorstest.Phone) {
		time.Sleep(20 * time.Second)
		out = strings.TrimPrefix(spoken(t, h), "Hello, this is Echo. | ")
	})
	return out
}

// waiting is the reply of a model that takes long.
func waiting(t *testing.T, env []string) (out string) {
	ring(t, env, func(h *actorstest.House) { h.Model.Wait = make(chan struct{}) }, func(h *actorstest.House, p *actorstest.Phone) {
		p.Say("what is the fee")
		time.Sleep(4 * time.Second)
		h.Model.Wait <- struct{}{}
		time.Sleep(6 * time.Second)
		_, reply, _ := strings.Cut(spoken(t, h), " | ")
		if out = "at once"; reply != "You said: what is the fee" {
			out = "after a phrase"
		}
		require.True(t, strings.HasSuffix(reply, "You said: what is the fee"), reply)
	})
	return out
}

// bridger is a model that makes phrases to bridge its late replies with.
type bridger struct{ provider.Completer }

// Complete implements provider.Completer.
func (b bridger) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	if r.Schema != nil || len(r.Tools) > 0 {
		return b.Completer.Complete(ctx, r)
	}
	return func(yield func(provider.Delta, error) bool) {
		_ = yield(provider.Delta{Text: "I look into the fees."}, nil) && yield(provider.Delta{Finish: provider.FinishStop}, nil)
	}
}

// bridged is who thought of the phrase before a reply that takes long.
func bridged(t *testing.T, env []string) (out string) {
	ring(t, env, func(h *actorstest.House) {
		h.Model.Wait = make(chan struct{})
		h.Cast.Thinks = bridger{h.Model}
	}, func(h *actorstest.House, p *actorstest.Phone) {
		p.Say("what is the fee")
		time.Sleep(4 * time.Second)
		h.Model.Wait <- struct{}{}
		time.Sleep(6 * time.Second)
		_, reply, _ := strings.Cut(spoken(t, h), " | ")
		phrase, whole := strings.CutSuffix(reply, " You said: what is the fee")
		require.True(t, whole, reply)
		if out = "of the list"; phrase == "I look into the fees." {
			out = "of the model"
		}
	})
	return out
}

// patience is how long a call waits for a model that says nothing.
func patience(t *testing.T, env []string) (out string) {
	ring(t, env, func(h *actorstest.House) { h.Model.Wait = make(chan struct{}) }, func(h *actorstest.House, p *actorstest.Phone) {
		p.Say("what is the fee")
		time.Sleep(10 * time.Second)
		out = "waits"
		if strings.Contains(spoken(t, h), "Please say that again.") {
			out = "gave up"
		}
	})
	return out
}

// tapes is how many recordings a call leaves.
func taped(t *testing.T, env []string) (out string) {
	out = "no recording"
	ring(t, env, nil, func(h *actorstest.House, p *actorstest.Phone) {
		p.Line.End("hangup")
		time.Sleep(2 * time.Second)
		if len(h.Tapes.Kept()) > 0 {
			out = "a recording"
		}
	})
	return out
}

// voices remembers which voice was asked for.
type voices struct {
	*actorstest.Voice
	mu    sync.Mutex
	asked provider.Voice
}

// Open implements provider.Synthesizer.
func (v *voices) Open(ctx context.Context, as provider.Voice) (provider.Speech, error) {
	v.mu.Lock()
	v.asked = as
	v.mu.Unlock()
	return v.Voice.Open(ctx, as)
}

func voiced(t *testing.T, env []string) (out string) {
	var v *voices
	ring(t, env, func(h *actorstest.House) {
		v = &voices{Voice: h.Voice}
		h.Cast.Speaks = v
	}, func(*actorstest.House, *actorstest.Phone) {
		v.mu.Lock()
		defer v.mu.Unlock()
		out = strings.TrimSpace("voice " + v.asked.Name)
	})
	return out
}

// other finds a value for a setting that is not its default.
func other(t *testing.T, s turn.Timer) (written, canonical string) {
	t.Helper()
	for _, v := range []string{"False", "True", "7", "2", "1200", "*", "-6", "de", "70", "none"} {
		c := turn.Default()
		if c.Set(s.Env, v) != nil {
			continue
		}
		for _, p := range c.Pairs() {
			if p.Key == s.Key && p.Value != s.Default {
				return v, p.Value
			}
		}
	}
	t.Fatalf("no other value for %s", s.Env)
	return "", ""
}

// Every timer that callers' turns go by is an agent's variable, and is in the
// machine of the call: the record of the call says with which values it ran.
func TestEveryTimerIsInTheMachineOfTheCall(t *testing.T) {
	var env []string
	want := map[string]string{}
	for _, s := range turn.Timers() {
		v, canonical := other(t, s)
		if s.Env == "VOICE_SPECULATE" { // ring sets it
			canonical = "False"
		} else {
			env = append(env, s.Env+`: "`+v+`"`)
		}
		want[s.Key] = canonical
	}
	got, byDefault := map[string]string{}, map[string]string{}
	ring(t, env, nil, func(h *actorstest.House, _ *actorstest.Phone) {
		for key := range want {
			got[key] = machine(t, h, key)
		}
	})
	require.Equal(t, want, got)
	ring(t, nil, nil, func(h *actorstest.House, _ *actorstest.Phone) {
		for key := range want {
			byDefault[key] = machine(t, h, key)
		}
	})
	for _, s := range turn.Timers() {
		if s.Env != "VOICE_SPECULATE" {
			require.Equal(t, s.Default, byDefault[s.Key], s.Env)
		}
	}
	t.Logf("figure: timers in call.answered: %d, each with its default and with another value", len(want))
}
