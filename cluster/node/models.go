package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/anthropic"
	"flametree/engine/provider/gemini"
	"flametree/engine/provider/openai"
	"flametree/engine/provider/policy"
	"flametree/engine/provider/realtime"
	"flametree/engine/provider/wire"
)

// textFirstToken is how long a written reply waits for the first word of a
// model before the next one is asked, where the agent's file does not set
// LLM_FIRST_TOKEN_TIMEOUT_MS itself.
const textFirstToken = 10 * time.Second

// connectors make the models that agents name. All agents that use one model
// with one key share its breaker, its budget of retries and its health.
type connectors struct {
	known  Providers
	out    *http.Client
	secret func(string) string
	watch  func(*policy.Health) // probes a model while the node lives
	dial   wire.Dialer          // for the sockets of speech, as out is for requests
	rest   time.Duration        // how long a vendor of speech that failed comes last; 0 = policy's
	fell   func(kind, from, to string)

	mu     sync.Mutex
	lines  map[[32]byte]*connector
	voices map[[32]byte]*speaker
	calls  realtime.Calls // that are held with models that hear and speak
}

// connector is one model with its policies.
type connector struct {
	name   string
	asks   string // the model's own name
	model  provider.Completer
	health *policy.Health // nil for what runs inside the program
}

// model makes the completer of an agent: its model, then its fallbacks.
func (c *connectors) model(s *agent.Spec) (provider.Completer, error) {
	var list []policy.Candidate
	for i, m := range append([]agent.Model{s.LLM}, s.LLM.Fallback...) {
		l, err := c.line(s, m)
		if err != nil {
			where := "models.llm"
			if i > 0 {
				where = fmt.Sprintf("models.llm.fallback %d", i)
			}
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		list = append(list, policy.Candidate{Name: l.name, Completer: l.model, Model: m.Model})
	}
	if len(list) == 1 && (s.LLM.Provider == "" || c.known.Completers[s.LLM.Provider] != nil) {
		return list[0].Completer, nil
	}
	out := chain{list: list, voice: s.Settings.FirstToken, text: textFirstToken}
	if slices.ContainsFunc(s.Env, func(p event.Pair) bool { return p.Key == "LLM_FIRST_TOKEN_TIMEOUT_MS" && p.Value != "" }) {
		out.text = s.Settings.FirstToken
	}
	return out, nil
}

// key finds the value of the variable that a file names: the agent's own, else
// the process's.
func (c *connectors) key(s *agent.Spec, name string) string {
	if name == "" {
		return ""
	}
	for _, p := range s.Env {
		if p.Key == name {
			return p.Value
		}
	}
	if c.secret == nil {
		return ""
	}
	return c.secret(name)
}

func (c *connectors) line(s *agent.Spec, m agent.Model) (*connector, error) {
	name := m.Provider
	if name == "" {
		name = "builtin"
	}
	if inside, ok := c.known.Completers[name]; ok {
		return &connector{name: name, model: inside}, nil
	}
	key := c.key(s, m.KeyEnv)
	id := sha256.Sum256([]byte(strings.Join([]string{name, m.BaseURL, m.Model, key}, "\x00")))
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.lines[id]; l != nil {
		return l, nil
	}
	bare, err := c.vendor(name, m, key)
	if err != nil {
		return nil, err
	}
	l := &connector{name: name, asks: m.Model, health: policy.NewHealth(policy.HealthOptions{Probe: policy.Ping(bare)})}
	budget := policy.NewBudget(policy.BudgetOptions{})
	guarded := policy.NewBreaker(policy.BreakerOptions{}).Completer(l.health.Completer(bare))
	hedged := policy.Hedge(guarded, policy.HedgeOptions{Budget: budget})
	l.model = policy.Retry(hedged, policy.RetryOptions{Budget: budget, Chance: rand.Float64})
	if c.lines == nil {
		c.lines = make(map[[32]byte]*connector)
	}
	c.lines[id] = l
	if c.watch != nil {
		c.watch(l.health)
	}
	return l, nil
}

// vendor makes a model that is reached over the network.
func (c *connectors) vendor(name string, m agent.Model, key string) (provider.Completer, error) {
	if m.KeyEnv != "" && key == "" {
		return nil, fmt.Errorf("the variable %s, which holds the key, is not set: %w", m.KeyEnv, fault.Invalid)
	}
	switch strings.ToLower(name) {
	case "openai", "openai_compatible", "vllm", "ollama", "llama.cpp", "llamacpp":
		if m.BaseURL == "" && !strings.EqualFold(name, "openai") {
			return nil, fmt.Errorf("%s needs a base_url: %w", name, fault.Invalid)
		}
		return openai.New(openai.Options{BaseURL: m.BaseURL, Key: key, Model: m.Model, HTTP: c.out})
	case "anthropic":
		return anthropic.New(anthropic.Options{BaseURL: m.BaseURL, Key: key, Model: m.Model, HTTP: c.out})
	case "gemini", "google":
		return gemini.New(gemini.Options{BaseURL: m.BaseURL, Key: key, Model: m.Model, HTTP: c.out})
	}
	return nil, fmt.Errorf("provider %q is not known; there are builtin, openai, openai_compatible, vllm, ollama, anthropic, gemini: %w", name, fault.Invalid)
}

// chain asks an agent's models in their order, and tells who was asked.
type chain struct {
	list        []policy.Candidate
	voice, text time.Duration // to the first word
}

// Complete implements provider.Completer.
func (c chain) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		log := &tries{}
		list := make([]policy.Candidate, len(c.list))
		for i, k := range c.list {
			model := k.Model
			if model == "" {
				model = r.Model
			}
			list[i] = policy.Candidate{Name: k.Name, Model: k.Model, Completer: recorded{inner: k.Completer, name: k.Name, model: model, log: log}}
		}
		first := c.text
		if r.Voice {
			first = c.voice
		}
		for d, err := range policy.Fallback(list, policy.FallbackOptions{FirstToken: first}).Complete(ctx, r) {
			for _, t := range log.take() {
				if !yield(provider.Delta{Try: &t}, nil) {
					return
				}
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// tries are written where a candidate runs and read where the reply is.
type tries struct {
	mu  sync.Mutex
	all []provider.Try
}

func (t *tries) add(one provider.Try) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, one)
}

func (t *tries) take() []provider.Try {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.all
	t.all = nil
	return out
}

// recorded notes how one candidate did.
type recorded struct {
	inner       provider.Completer
	name, model string
	log         *tries
}

// Complete implements provider.Completer.
func (c recorded) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		begun, told := time.Now(), false
		note := func(trouble string) {
			if !told {
				told = true
				c.log.add(provider.Try{Provider: c.name, Model: c.model, Took: time.Since(begun), Fault: trouble})
			}
		}
		for d, err := range c.inner.Complete(ctx, r) {
			if err != nil {
				note(reason(err))
			} else {
				note("")
			}
			if !yield(d, err) {
				return
			}
		}
		note("no answer")
	}
}

// reason is what a failed try is recorded as: its kind and its text, which
// holds neither keys nor prompts.
func reason(err error) string {
	if errors.Is(err, context.Canceled) {
		return "given up"
	}
	return string(fault.KindOf(err)) + ": " + err.Error()
}

// ModelHealth is how a model that was named by an agent does.
type ModelHealth struct {
	Kind     string    `json:"kind"` // llm stt tts
	Provider string    `json:"provider"`
	Model    string    `json:"model"`
	State    string    `json:"state"` // ok degraded failed
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since"`
}

// health reports how the models do that agents name.
func (c *connectors) health() []ModelHealth {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []ModelHealth{}
	for _, l := range c.lines {
		r := l.health.Report()
		out = append(out, ModelHealth{Kind: "llm", Provider: l.name, Model: l.asks, State: string(r.State), Reason: r.Reason, Since: r.Since})
	}
	for _, x := range c.voices {
		r := x.health.Report()
		out = append(out, ModelHealth{Kind: x.kind, Provider: x.name, Model: x.asks, State: string(r.State), Reason: r.Reason, Since: r.Since})
	}
	slices.SortFunc(out, func(a, b ModelHealth) int {
		return strings.Compare(a.Kind+" "+a.Provider+" "+a.Model, b.Kind+" "+b.Provider+" "+b.Model)
	})
	return out
}
