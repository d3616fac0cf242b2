package actorstest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
)

// VoiceFile is an agent for calls with further variables, each "KEY: value".
func VoiceFile(env ...string) string {
	file := strings.Replace(File, "type: inbound_text", "type: inbound_voice", 1)
	return file + "env:\n  REPHRASING_IT_TEXT: Please say that again.\n  " + strings.Join(env, "\n  ") + "\n"
}

// Agent gives the house another agent. It is called before the first message.
func (h *House) Agent(t testing.TB, file string) {
	t.Helper()
	rev, _, err := agent.Compile("echo", 1, []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	h.Cast.Revision, h.Cast.Knowledge, h.Cast.Hints = rev, knowledge.Build(rev.Spec.Sources()), rev.Hints()
}

// Call is the id of the call of a session.
func (h *House) Call(name string) actors.ID {
	return actors.ID{Kind: event.CallStream, Tenant: h.Tenant, Name: "call-" + name}
}

// CallEvents reads the stream of a session's call.
func (h *House) CallEvents(t testing.TB, name string) []event.Envelope {
	t.Helper()
	return h.read(t, h.Call(name))
}

// Offer is a new call from p.
func (h *House) Offer(name string, p *Phone) *actors.Offer {
	return &actors.Offer{
		Leg: p, Line: p.Line, Session: name, From: "sip:ann@example.net", To: "sip:echo@example.org", Transport: "udp",
		Born: event.SessionCreated{
			Agent: "echo", Revision: 1, Conversation: name, Channel: "sip", Call: h.Call(name).Name,
			Greeting: h.Cast.Revision.SpokenGreeting(), Timeout: time.Hour,
		},
	}
}

// Ring places a call and fails the test unless it is accepted. The line is not up yet.
func (h *House) Ring(t testing.TB, name string) *Phone {
	t.Helper()
	p := NewPhone(h.Trace)
	if _, err := h.Dir.Ask(t.Context(), h.Call(name), h.Offer(name, p)); err != nil {
		t.Fatalf("call refused: %v", err)
	}
	return p
}

// Tapes keeps recordings in memory. It implements actors.Recorders.
type Tapes struct {
	Trace  *Trace
	Refuse error // of Open

	mu   sync.Mutex
	open int
	kept []string
	last *tape
}

// Open implements actors.Recorders.
func (t *Tapes) Open(_ context.Context, _ actors.ID, _ string, rateHz int) (actors.Recorder, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Refuse != nil {
		return nil, t.Refuse
	}
	t.open++
	t.last = &tape{t: t, rateHz: rateHz}
	return t.last, nil
}

// Paused reports whether the recording that was opened last is paused.
func (t *Tapes) Paused() bool {
	t.mu.Lock()
	r := t.last
	t.mu.Unlock()
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.paused
}

// Keep implements actors.Recorders.
func (t *Tapes) Keep(_ context.Context, _ actors.ID, subject string, r actors.Recording) (actors.Kept, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open > 0 {
		return actors.Kept{}, fmt.Errorf("kept before it was closed: %w", fault.Bug)
	}
	t.kept = append(t.kept, subject)
	return actors.Kept{Blob: fmt.Sprintf("%064x", len(t.kept))}, nil
}

// Kept are the subjects of the recordings that were kept.
func (t *Tapes) Kept() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.kept...)
}

type tape struct {
	t      *Tapes
	rateHz int
	mu     sync.Mutex
	frames int
	paused bool
	silent int // frames while it was
}

// Frame implements actors.Recorder.
func (r *tape) Frame(_, _ []int16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames++
	if r.paused {
		r.silent++
	}
}

// Pause implements actors.Recorder.
func (r *tape) Pause(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = on
}

// Close implements actors.Recorder.
func (r *tape) Close() (actors.Recording, error) {
	r.t.mu.Lock()
	r.t.open--
	r.t.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	return actors.Recording{
		Path: "memory", RateHz: r.rateHz, Length: time.Duration(r.frames) * FrameTime, Bytes: int64(r.frames) * frameSize * 4,
		Paused: time.Duration(r.silent) * FrameTime,
	}, nil
}
