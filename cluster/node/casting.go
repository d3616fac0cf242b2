package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/guard"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider"
	"flametree/engine/tenant"
	"flametree/engine/workflow/located"
	"flametree/persist/journal"
	"flametree/persist/readmodel"
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
	models    *connectors
	tools     *toolbox
	library   *librarian
	merchant  *merchant
	phrases   *phraseBook
	sessions  *readmodel.Model // which are open, and what new ones take

	lexicon func() *lexis.Lexicon // one for all agents

	mu    sync.Mutex
	casts map[castKey]*castEntry
	open  map[*castEntry]bool // casts with what they hold open, also those that casts has no more
	spent []*kit              // to be closed
	pokes chan struct{}       // holds one
}

type castKey struct {
	tenant   tenant.ID
	agent    string
	revision uint64
}

type castEntry struct {
	key   castKey
	once  sync.Once
	kit   *kit // what cast works with; this and all below but err are guarded by casting.mu
	users int  // on loan
	cast  *actors.Cast
	sells bool     // was connected to a catalogue; guarded as casts are
	lacks []string // servers that were missing, and why
	err   error
}

// Cast implements actors.Casting.
func (c *casting) Cast(ctx context.Context, t tenant.ID, id string, revision uint64) (*actors.Cast, error) {
	l, err := c.Lend(ctx, t, id, revision)
	if err != nil {
		return nil, err
	}
	cast, e := l.Cast(), l.(*lease).e
	c.mu.Lock()
	e.users-- // nothing to tidy up for a look
	c.mu.Unlock()
	return cast, nil
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

func (c *casting) compile(ctx context.Context, of castKey, s agent.State, e *castEntry) error {
	saved, ok := s.Revision(of.revision)
	if !ok {
		return fmt.Errorf("agent %q has no revision %d: %w", of.agent, of.revision, fault.NotFound)
	}
	sells := len(c.merchant.connected(seller{of.tenant, of.agent})) > 0
	c.mu.Lock()
	e.sells = sells
	c.mu.Unlock()
	cast, k, err := c.make(ctx, of, saved.File, saved.Pins)
	if err != nil {
		return fmt.Errorf("agent %q revision %d: %w", of.agent, of.revision, err)
	}
	if len(k.missing) > 0 {
		c.tools.log.Warn("an agent goes without some of its tools", "agent", of.agent, "err", k.outlines())
	}
	c.took(e, cast, k)
	c.phrases.warm(cast)
	return nil
}

// lacks tells which servers an agent goes without for now, and why.
func (c *casting) lacks(t tenant.ID, id string, revision uint64) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.casts[castKey{tenant: t, agent: id, revision: revision}]; e != nil {
		return e.lacks
	}
	return nil
}

// make puts together all that plays a part in conversations with a file.
func (c *casting) make(ctx context.Context, of castKey, file string, pins []event.Pair) (_ *actors.Cast, k *kit, err error) {
	rev, _, err := agent.Compile(of.agent, of.revision, []byte(file))
	if err != nil {
		return nil, nil, err
	}
	spec := rev.Spec
	if k, err = c.tools.open(ctx, of.tenant, spec, pins); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
		}
	}()
	rev = rev.With(k.tools, k.skills)
	if rev, err = c.guarded(rev); err != nil {
		return nil, k, err
	}
	sells := seller{of.tenant, of.agent}
	cast := &actors.Cast{Revision: c.merchant.selling(c.library.prompted(rev, of), sells), Hints: rev.Hints(), Hands: k.hands}
	if cast.Goods, err = c.merchant.goodsOf(ctx, sells, spec, pins); err != nil {
		return nil, k, err
	}
	if cast.Knowledge, err = c.library.retriever(ctx, of, spec); err != nil {
		return nil, k, err
	}
	if cast.Thinks, err = c.models.model(spec); err != nil {
		return nil, k, err
	}
	if cast.Hears, err = c.models.ears(spec); err != nil {
		return nil, k, err
	}
	if cast.Speaks, err = c.models.mouths(spec, c.phrases.keeping(of, cast.Revision)); err != nil {
		return nil, k, err
	}
	if err = c.models.duplex(spec, cast); err != nil {
		return nil, k, err
	}
	return cast, k, nil
}

// secretsOf are the values of the secret variables of an agent and its groups.
func secretsOf(s *agent.Spec) []string {
	var out []string
	for _, p := range s.Env {
		if s.Secret(p.Key) {
			out = append(out, p.Value)
		}
	}
	for _, g := range s.ToolGroups {
		for _, p := range g.Env {
			if slices.Contains(g.Secrets, p.Key) {
				out = append(out, p.Value)
			}
		}
	}
	return out
}

// guarded gives a revision its guardrails and what is always on.
func (c *casting) guarded(rev *agent.Revision) (*agent.Revision, error) {
	report := located.NewReport("file")
	rules := guard.Read(rev.Spec.Guardrails, report)
	if err := report.Err(); err != nil {
		return nil, err
	}
	secrets := secretsOf(rev.Spec)
	for _, m := range slices.Concat(
		[]agent.Model{rev.Spec.LLM, rev.Spec.STT, rev.Spec.TTS, rev.Spec.Embedder, rev.Spec.Realtime},
		rev.Spec.LLM.Fallback, rev.Spec.STT.Fallback, rev.Spec.TTS.Fallback,
	) {
		if key := c.models.key(rev.Spec, m.KeyEnv); key != "" {
			secrets = append(secrets, key)
		}
	}
	set, err := guard.New(rules, guard.Options{Lexicon: c.lexicon(), Secrets: secrets, Private: dialog.Private(rev)})
	if err != nil {
		return nil, err
	}
	return rev.Guarded(set), nil
}

// examine says what is wrong with a file beyond its own text: a workflow that
// names tools or skills which nothing offers, a group that cannot be read, a
// model without its key. A fault.Invalid tells the place.
func (c *casting) examine(ctx context.Context, t tenant.ID, file string, pins []event.Pair) error {
	cast, k, err := c.make(ctx, castKey{tenant: t, revision: 1}, file, pins)
	if err != nil {
		return err
	}
	if len(k.missing) > 0 {
		c.later(k)
		return nil // what a missing server offers cannot be known
	}
	tools, skills := k.names()
	flow := cast.Revision.Flow
	notes := slices.Concat(flow.Check(tools), flow.CheckSkills(append(skills, tools...)))
	if len(notes) == 0 {
		c.later(k)
		return nil
	}
	defer func() { _ = k.close() }()
	lines := make([]string, len(notes))
	for i, n := range notes {
		lines[i] = "file " + n.String()
	}
	return fmt.Errorf("%s: %w", strings.Join(lines, "\n"), fault.Invalid)
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
