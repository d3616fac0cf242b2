// Package actorstest makes actors that live without a cluster, on a journal in
// memory, with a model that says what the test tells it to. The actors are the
// real ones.
package actorstest

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/provider"
	"flametree/engine/tenant"
	"flametree/persist/journal"
	"flametree/persist/journal/journaltest"
)

// House is a set of live actors. Its exported fields may be changed before the
// first message.
type House struct {
	Dir      *actors.Registry
	Journal  journal.Journal
	Cast     *actors.Cast
	Model    *Model
	Ears     *Ears
	Voice    *Voice
	Tapes    *Tapes
	Exchange *Exchange        // what dials, plays music and joins
	Screen   actors.Screening // nil: nobody is screened
	Office   *Office
	Archive  *Archive
	Trace    *Trace
	Tenant   tenant.ID
	sys      *actor.ActorSystem
	deps     actors.Deps
}

// Model is a scripted completer. Reply is asked for each request; the zero
// Model repeats what the human said. Readings of results are answered at once,
// by Read.
type Model struct {
	mu    sync.Mutex
	Reply func(r provider.Request) []provider.Delta
	Read  func(ctx context.Context, r provider.Request) string // default {}
	Wait  chan struct{}                                        // when set, each reply waits for one value
	Pace  time.Duration                                        // before each delta
	Fail  error                                                // instead of the reply's end
	Trace *Trace
	Asked []provider.Request
}

// Complete implements provider.Completer.
func (m *Model) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		m.mu.Lock()
		m.Asked = append(m.Asked, r)
		reply, read, wait, pace, fail := m.Reply, m.Read, m.Wait, m.Pace, m.Fail
		m.mu.Unlock()
		if r.Schema != nil {
			text := "{}"
			if read != nil {
				text = read(ctx, r)
			}
			_ = yield(provider.Delta{Text: text}, nil) && yield(provider.Delta{Finish: provider.FinishStop}, nil)
			return
		}
		m.Trace.Add("ask model")
		if wait != nil {
			select {
			case <-wait:
			case <-ctx.Done():
			}
		}
		for _, d := range answer(r, reply) {
			if pace > 0 {
				pause(ctx, pace)
			}
			if ctx.Err() != nil {
				m.Trace.Add("cancel model")
				yield(provider.Delta{}, fmt.Errorf("model: %w", fault.Cancelled))
				return
			}
			if fail != nil && d.Finish != "" {
				yield(provider.Delta{}, fail)
				return
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

func answer(r provider.Request, reply func(provider.Request) []provider.Delta) []provider.Delta {
	if reply != nil {
		return reply(r)
	}
	last := ""
	for _, m := range r.Messages {
		if m.Role == provider.RoleUser {
			last = m.Text
		}
	}
	return []provider.Delta{{Text: "You said: "}, {Text: last}, {Finish: provider.FinishStop}}
}

// Says is a reply of plain text, a word a delta.
func Says(text string) []provider.Delta {
	var out []provider.Delta
	for w := range strings.SplitAfterSeq(text, " ") {
		out = append(out, provider.Delta{Text: w})
	}
	return append(out, provider.Delta{Finish: provider.FinishStop})
}

// Set changes the model while it is at work.
func (m *Model) Set(change func(*Model)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// Requests is how often the model was asked for a reply.
func (m *Model) Requests() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, r := range m.Asked {
		if r.Schema == nil {
			n++
		}
	}
	return n
}

// File is the agent of a House.
const File = `
name: Echo
type: inbound_text
identity: You repeat what the human says.
speech_style: Plain English.
task: Repeat.
welcome_message: Hello, this is Echo.
conversation_result:
  - field_name: HumanFullName
    field_description: full name of the human
    kind: FormInfoField
knowledge:
  core: Echo repeats.
`

// New makes a House whose sessions sleep after idle.
func New(t testing.TB, idle time.Duration) *House {
	t.Helper()
	return On(t, journaltest.NewMemory(), idle)
}

// On makes a House on a journal that may know something already.
func On(t testing.TB, j journal.Journal, idle time.Duration) *House {
	t.Helper()
	rev, _, err := agent.Compile("echo", 1, []byte(File))
	if err != nil {
		t.Fatal(err)
	}
	trace := &Trace{}
	h := &House{
		Journal: j, Trace: trace, Model: &Model{Trace: trace}, Ears: &Ears{Trace: trace},
		Voice: &Voice{Trace: trace, Chunk: 200 * time.Millisecond}, Tapes: &Tapes{Trace: trace}, Exchange: &Exchange{Trace: trace}, Tenant: tenant.ID{1},
		Office: new(Office), Archive: new(Archive),
	}
	h.Cast = &actors.Cast{
		Revision: rev, Knowledge: knowledge.Build(rev.Spec.Sources()), Thinks: h.Model, Hears: h.Ears, Speaks: h.Voice,
	}
	quiet := slog.New(slog.DiscardHandler)
	h.sys = actor.NewActorSystemWithConfig(actor.Configure(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }),
		actor.WithDeadLetterThrottleInterval(time.Millisecond),
	))
	h.deps = actors.Deps{
		Journal: j, Casting: stage{h}, Census: nobody{}, NewID: newID, Idle: idle, Mail: actors.Mailing{Post: h.Office}, Log: quiet,
	}
	late := &later{}
	h.Dir = actors.NewLocal(h.sys, h.Kinds(late), quiet)
	late.Directory = h.Dir
	t.Cleanup(func() { h.sys.Shutdown() })
	return h
}

// Kinds makes the actors of this house for another actor system, whose
// directory is dir.
func (h *House) Kinds(dir actors.Directory) map[event.StreamKind]actors.Maker {
	deps := h.deps
	deps.Dir = dir
	return actors.Kinds(deps, actors.CallDeps{
		Deps: deps, Recorders: h.Tapes, Dialler: h.Exchange, Studio: h.Exchange, Screen: h.screener,
		Archive: h.Archive, Judge: func(actors.LegStats) float64 { return 4.2 },
	})
}

type later struct{ actors.Directory }

type nobody struct{}

// Open implements actors.Census.
func (nobody) Open(tenant.ID, string) []string { return nil }

// Begun implements actors.Census.
func (nobody) Begun(tenant.ID, string, time.Time) int { return 0 }

type stage struct{ h *House }

// Cast implements actors.Casting.
func (s stage) Cast(context.Context, tenant.ID, string, uint64) (*actors.Cast, error) {
	return s.h.Cast, nil
}

func newID(now time.Time) event.ID {
	var chance [10]byte
	_, _ = rand.Read(chance[:])
	return event.NewID(now, chance)
}

// Session is the id of a session.
func (h *House) Session(name string) actors.ID {
	return actors.ID{Kind: event.SessionStream, Tenant: h.Tenant, Name: name}
}

// Begin makes a text session.
func (h *House) Begin(t testing.TB, name string) *actors.View {
	t.Helper()
	got, err := h.Dir.Ask(t.Context(), h.Session(name), &actors.Begin{Born: event.SessionCreated{
		Agent: "echo", Revision: 1, Conversation: name, Channel: "web", UserID: event.P("u1"),
		Greeting: h.Cast.Revision.Greeting(), Timeout: 72 * time.Hour,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return got.(*actors.View)
}

// Events reads a session's stream.
func (h *House) Events(t testing.TB, name string) []event.Envelope {
	t.Helper()
	return h.read(t, h.Session(name))
}

func (h *House) read(t testing.TB, of actors.ID) []event.Envelope {
	t.Helper()
	var out []event.Envelope
	for e, err := range h.Journal.Read(context.Background(), of.Stream(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// screener asks Screen at the time of the call: tests set it after the house is made.
func (h *House) screener(human, limit time.Duration, language string) actors.Screener {
	if h.Screen == nil {
		return nil
	}
	return h.Screen(human, limit, language)
}
