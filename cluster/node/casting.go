package node

import (
	"context"
	"fmt"
	"sync"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/provider"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

// Providers are those that agents can name in their file.
type Providers struct {
	Completers   map[string]provider.Completer
	Transcribers map[string]provider.Transcriber
	Synthesizers map[string]provider.Synthesizer
}

// casting compiles revisions of agents once each and keeps them. A revision
// never changes, so neither does its cast.
type casting struct {
	journal   journal.Journal
	providers Providers

	mu    sync.Mutex
	casts map[castKey]*castEntry
}

type castKey struct {
	tenant   tenant.ID
	agent    string
	revision uint64
}

type castEntry struct {
	once sync.Once
	cast *actors.Cast
	err  error
}

// Cast implements actors.Casting.
func (c *casting) Cast(ctx context.Context, t tenant.ID, id string, revision uint64) (*actors.Cast, error) {
	var state agent.State
	if revision == 0 {
		var err error
		if state, err = c.read(ctx, t, id); err != nil {
			return nil, err
		}
		revision = state.Live
	}
	k := castKey{tenant: t, agent: id, revision: revision}
	c.mu.Lock()
	if c.casts == nil {
		c.casts = make(map[castKey]*castEntry)
	}
	e := c.casts[k]
	if e == nil {
		e = &castEntry{}
		c.casts[k] = e
	}
	c.mu.Unlock()
	e.once.Do(func() {
		if state.Seq == 0 {
			state, e.err = c.read(ctx, t, id)
		}
		if e.err == nil {
			e.cast, e.err = c.compile(state, id, revision)
		}
	})
	if e.err != nil { // let the next one try again
		c.mu.Lock()
		if c.casts[k] == e {
			delete(c.casts, k)
		}
		c.mu.Unlock()
	}
	return e.cast, e.err
}

func (c *casting) read(ctx context.Context, t tenant.ID, id string) (agent.State, error) {
	var s agent.State
	for e, err := range c.journal.Read(ctx, event.Stream{Tenant: t, Kind: event.AgentStream, ID: id}, 1) {
		if err != nil {
			return agent.State{}, fmt.Errorf("read agent %q: %w", id, err)
		}
		s.Apply(e)
	}
	if s.Seq == 0 {
		return agent.State{}, fmt.Errorf("agent %q: %w", id, fault.NotFound)
	}
	return s, nil
}

func (c *casting) compile(s agent.State, id string, revision uint64) (*actors.Cast, error) {
	file, ok := s.File(revision)
	if !ok {
		return nil, fmt.Errorf("agent %q has no revision %d: %w", id, revision, fault.NotFound)
	}
	rev, _, err := agent.Compile(id, revision, []byte(file))
	if err != nil {
		return nil, fmt.Errorf("agent %q revision %d: %w", id, revision, err)
	}
	spec := rev.Spec
	cast := &actors.Cast{Revision: rev, Knowledge: knowledge.Build(rev.Spec.Sources()), Hints: rev.Hints()}
	if cast.Thinks, err = named(c.providers.Completers, "llm", spec.LLM.Provider); err != nil {
		return nil, err
	}
	if cast.Hears, err = named(c.providers.Transcribers, "stt", spec.STT.Provider); err != nil {
		return nil, err
	}
	if cast.Speaks, err = named(c.providers.Synthesizers, "tts", spec.TTS.Provider); err != nil {
		return nil, err
	}
	return cast, nil
}

// named finds a provider; the empty name is the built-in one.
func named[P any](all map[string]P, role, name string) (P, error) {
	if name == "" {
		name = "builtin"
	}
	p, ok := all[name]
	if !ok {
		return p, fmt.Errorf("models.%s.provider %q is not known to this build: %w", role, name, fault.Invalid)
	}
	return p, nil
}
