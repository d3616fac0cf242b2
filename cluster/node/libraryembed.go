package node

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"flametree/engine/agent"
	"flametree/engine/fault"
	"flametree/engine/knowledge/index"
	"flametree/engine/provider"
	"flametree/engine/provider/openai"
	"flametree/engine/provider/policy"
)

// How long the maker of vectors leaves an embedder alone that failed.
const (
	firstPause   = 2 * time.Second
	longestPause = time.Minute
)

// trusted is how much a likeness proves that a model found and no word supports
// (index.Options.Trust).
const trusted = 0.6

// embedders makes the embedders that agents name. All agents that use one model
// at one address with one key share its breaker, its health and its vectors;
// those with another key share the vectors.
type embedders struct {
	models   *connectors
	dir      string // a folder of vectors for each address and model
	life     context.Context
	spawn    func(func())  // starts what ends with life and is awaited
	pause    time.Duration // after the first failure; 0 = firstPause
	patience time.Duration // for a question's vector; 0 = questionPatience
	log      *slog.Logger

	mu     sync.Mutex
	lines  map[[sha256.Size]byte]*embedder
	spaces map[string]*space // by address and model
}

// newEmbedders makes those of a node.
func newEmbedders(n *Node) *embedders {
	s := &embedders{
		dir: filepath.Join(n.cfg.Data, "vectors"), life: n.life, spawn: n.done.Go, log: n.log,
		lines: make(map[[sha256.Size]byte]*embedder), spaces: make(map[string]*space),
	}
	if n.casting != nil {
		s.models = n.casting.models
	}
	if s.life == nil {
		s.life = context.Background()
	}
	return s
}

// embedder is one embedder with its policies, the vectors it made and those it
// owes.
type embedder struct {
	name   string // for people: provider and model
	asks   provider.Embedder
	health *policy.Health
	space  *space
	asked  *questions

	owing sync.Mutex
	owes  map[string]owed // by shelf
	fault string          // why nothing is made at the moment, for people
	wake  chan struct{}

	employed bool // somebody makes what is owed
}

// owed is how far the vectors of one shelf are made.
type owed struct{ done, of int }

// of is the embedder that an agent's file names, nil for the built-in one. It
// asks nothing yet.
func (s *embedders) of(spec *agent.Spec) (*embedder, error) {
	m := spec.Embedder
	if len(m.Fallback) > 0 {
		return nil, fmt.Errorf("an embedder has no fallback, for vectors of two models cannot be compared; while it does not answer, knowledge is found by its words: %w", fault.Invalid)
	}
	if builtinEmbedder(m) {
		return nil, nil
	}
	provided := strings.ToLower(m.Provider)
	switch provided {
	case "openai", "openai_compatible", "vllm", "ollama", "llama.cpp", "llamacpp":
	default:
		return nil, fmt.Errorf("provider %q is not known; there are builtin, openai, openai_compatible, vllm, ollama, llama.cpp: %w", m.Provider, fault.Invalid)
	}
	if m.BaseURL == "" && provided != "openai" {
		return nil, fmt.Errorf("%s needs a base_url: %w", m.Provider, fault.Invalid)
	}
	key := s.models.key(spec, m.KeyEnv)
	if m.KeyEnv != "" && key == "" {
		return nil, fmt.Errorf("the variable %s, which holds the key, is not set: %w", m.KeyEnv, fault.Invalid)
	}
	return s.line(m, key)
}

// builtinEmbedder reports whether a file means the embedder inside the program.
func builtinEmbedder(m agent.Model) bool {
	switch strings.ToLower(m.Provider) {
	case "", "builtin", "hashed":
		return true
	}
	return false
}

func (s *embedders) line(m agent.Model, key string) (*embedder, error) {
	if m.BaseURL == "" {
		m.BaseURL = openai.DefaultURL
	}
	m.BaseURL = strings.TrimRight(m.BaseURL, "/")
	id := sha256.Sum256([]byte(strings.Join([]string{"embedder", m.BaseURL, m.Model, key}, "\x00")))
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.lines[id]; e != nil {
		return e, nil
	}
	bare, err := openai.NewEmbedder(openai.EmbedderOptions{Options: openai.Options{BaseURL: m.BaseURL, Key: key, Model: m.Model, HTTP: s.models.out}})
	if err != nil {
		return nil, err
	}
	place := m.BaseURL + " " + m.Model
	if s.spaces[place] == nil {
		s.spaces[place] = openSpace(s.dir, m.BaseURL, m.Model, s.log)
	}
	e := &embedder{
		name: m.Provider + " " + m.Model, space: s.spaces[place], owes: make(map[string]owed), wake: make(chan struct{}, 1),
		health: policy.NewHealth(policy.HealthOptions{Probe: policy.PingEmbedder(bare)}),
	}
	guarded := policy.NewBreaker(policy.BreakerOptions{}).Embedder(e.health.Embedder(bare))
	e.asks = policy.RetryEmbedder(guarded, policy.RetryOptions{Budget: policy.NewBudget(policy.BudgetOptions{}), Chance: rand.Float64})
	// A question is asked once: who waits for it has no time for a second try.
	e.asked = newQuestions(s, guarded)
	s.lines[id] = e
	s.models.show(id, &connector{name: m.Provider, asks: m.Model, health: e.health})
	return e, nil
}

// show lists a connector among the models whose health is reported.
func (c *connectors) show(id [sha256.Size]byte, l *connector) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lines == nil {
		c.lines = make(map[[sha256.Size]byte]*connector)
	}
	c.lines[id] = l
	if c.watch != nil {
		c.watch(l.health)
	}
}

// owe notes that a shelf lacks vectors, and has them made.
func (e *embedder) owe(name string, s *index.Shelf) {
	e.owing.Lock()
	e.owes[name] = owed{done: s.Len() - s.Missing(), of: s.Len()}
	e.owing.Unlock()
	select {
	case e.wake <- struct{}{}:
	default: // it is at work
	}
}

// made notes how far a shelf is.
func (e *embedder) made(name string, s *index.Shelf) {
	e.owing.Lock()
	defer e.owing.Unlock()
	if s.Missing() == 0 {
		delete(e.owes, name)
		return
	}
	e.owes[name] = owed{done: s.Len() - s.Missing(), of: s.Len()}
}

// only forgets what nobody searches any more.
func (e *embedder) only(jobs map[string]*index.Shelf) {
	e.owing.Lock()
	defer e.owing.Unlock()
	for name := range e.owes {
		if jobs[name] == nil {
			delete(e.owes, name)
		}
	}
}

// failed notes why nothing can be made, nil when something can.
func (e *embedder) failed(err error) {
	text := ""
	if err != nil {
		text = plainly(err)
		if r := e.health.Report(); r.State != policy.OK && r.Reason != "" && fault.KindOf(err) == fault.Unavailable {
			text = r.Reason // an open breaker says only that it is open
		}
	}
	e.owing.Lock()
	defer e.owing.Unlock()
	e.fault = text
}

// owed is what a shelf lacks, and why it lacks it for now.
func (e *embedder) owed(name string) (o owed, why string, ok bool) {
	e.owing.Lock()
	defer e.owing.Unlock()
	o, ok = e.owes[name]
	return o, e.fault, ok
}

// busy reports whether vectors are being made.
func (s *embedders) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.lines {
		e.owing.Lock()
		busy := len(e.owes) > 0 && e.fault == ""
		e.owing.Unlock()
		if busy {
			return true
		}
	}
	return false
}
