package policy_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/policy"
	"flametree/engine/provider/providertest"
	"flametree/engine/provider/vendortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// act is one reply of a scripted model.
type act struct {
	after time.Duration // to the first delta or the error
	words []string
	gap   time.Duration // between words
	err   error         // at the end
}

// actor plays its acts in order; the last one again and again.
type actor struct {
	acts []act

	mu      sync.Mutex
	asked   []time.Time
	models  []string
	running int
	ended   []time.Time // when requests ended because their context did
}

func plays(acts ...act) *actor { return &actor{acts: acts} }

func (a *actor) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.asked)
}

// turns to other acts.
func (a *actor) turns(acts ...act) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acts = acts
}

func (a *actor) begin(q provider.Request) act {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, time.Now())
	a.models = append(a.models, q.Model)
	a.running++
	return a.acts[min(len(a.asked), len(a.acts))-1]
}

func (a *actor) end(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	if ctx.Err() != nil {
		a.ended = append(a.ended, time.Now())
	}
}

func (a *actor) Complete(ctx context.Context, q provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		x := a.begin(q)
		defer a.end(ctx)
		pause := func(d time.Duration) bool {
			select {
			case <-time.After(d):
				return true
			case <-ctx.Done():
				yield(provider.Delta{}, fmt.Errorf("%w: %w", fault.Cancelled, ctx.Err()))
				return false
			}
		}
		if !pause(x.after) {
			return
		}
		for i, w := range x.words {
			if i > 0 && !pause(x.gap) {
				return
			}
			if !yield(provider.Delta{Text: w}, nil) {
				return
			}
		}
		if x.err != nil {
			yield(provider.Delta{}, x.err)
			return
		}
		yield(provider.Delta{Finish: provider.FinishStop}, nil)
	}
}

func says(words ...string) act { return act{words: words} }

func fails(err error) act { return act{err: err} }

// later is a refusal with a time.
type later struct{ d time.Duration }

func (l later) Error() string             { return "later" }
func (l later) Unwrap() error             { return fault.Exhausted }
func (l later) RetryAfter() time.Duration { return l.d }

var errAway = fmt.Errorf("away: %w", fault.Unavailable)

func ask(t *testing.T, c provider.Completer, q provider.Request) (vendortest.Answer, time.Duration) {
	t.Helper()
	begun := time.Now()
	a := vendortest.Ask(t.Context(), c, q)
	return a, time.Since(begun)
}

// TestRetry shows what is asked again, how often and after what time.
func TestRetry(t *testing.T) {
	for name, x := range map[string]struct {
		acts     []act
		q        provider.Request
		o        policy.RetryOptions
		requests int
		took     time.Duration
		text     string
		kind     fault.Kind
	}{
		"all is well":                        {[]act{says("a", "b")}, provider.Request{}, policy.RetryOptions{}, 1, 0, "ab", ""},
		"errAway, then there":                {[]act{fails(errAway), says("a")}, provider.Request{}, policy.RetryOptions{}, 2, 250 * time.Millisecond, "a", ""},
		"away twice":                         {[]act{fails(errAway), fails(errAway), says("a")}, provider.Request{}, policy.RetryOptions{}, 3, 750 * time.Millisecond, "a", ""},
		"away for good":                      {[]act{fails(errAway)}, provider.Request{}, policy.RetryOptions{}, 3, 750 * time.Millisecond, "", fault.Unavailable},
		"the wait has an end":                {[]act{fails(errAway)}, provider.Request{}, policy.RetryOptions{Attempts: 30, Base: time.Second}, 30, (1 + 2 + 27*4) * time.Second, "", fault.Unavailable},
		"half the chance, half the wait":     {[]act{fails(errAway), says("a")}, provider.Request{}, policy.RetryOptions{Chance: func() float64 { return 0.5 }}, 2, 125 * time.Millisecond, "a", ""},
		"the vendor's time is waited for":    {[]act{fails(later{7 * time.Second}), says("a")}, provider.Request{}, policy.RetryOptions{}, 2, 7 * time.Second, "a", ""},
		"but not past the deadline":          {[]act{fails(later{7 * time.Second}), says("a")}, provider.Request{Deadline: 5 * time.Second}, policy.RetryOptions{}, 1, 0, "", fault.Exhausted},
		"after the first delta, never":       {[]act{{words: []string{"a"}, err: errAway}, says("b")}, provider.Request{}, policy.RetryOptions{}, 1, 0, "a", fault.Unavailable},
		"a wrong request, never":             {[]act{fails(fault.Invalid), says("b")}, provider.Request{}, policy.RetryOptions{}, 1, 0, "", fault.Invalid},
		"a wrong key, never":                 {[]act{fails(fault.Denied), says("b")}, provider.Request{}, policy.RetryOptions{}, 1, 0, "", fault.Denied},
		"an open breaker, never":             {[]act{fails(policy.ErrOpen), says("b")}, provider.Request{}, policy.RetryOptions{}, 1, 0, "", fault.Unavailable},
		"all tries share one deadline":       {[]act{{after: 3 * time.Second, err: errAway}}, provider.Request{Deadline: 5 * time.Second}, policy.RetryOptions{}, 2, 5 * time.Second, "", fault.Cancelled},
		"an empty budget is not overdrawn":   {[]act{fails(errAway), says("a")}, provider.Request{}, policy.RetryOptions{Budget: policy.NewBudget(policy.BudgetOptions{Most: 0.5})}, 1, 0, "", fault.Unavailable},
		"a budget of one lets one through":   {[]act{fails(errAway)}, provider.Request{}, policy.RetryOptions{Budget: policy.NewBudget(policy.BudgetOptions{Most: 1})}, 2, 250 * time.Millisecond, "", fault.Unavailable},
		"one try means that none is added":   {[]act{fails(errAway)}, provider.Request{}, policy.RetryOptions{Attempts: 1}, 1, 0, "", fault.Unavailable},
		"a bug is not hidden by asking anew": {[]act{fails(errors.New("strange"))}, provider.Request{}, policy.RetryOptions{}, 1, 0, "", fault.Bug},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := plays(x.acts...)
				a, took := ask(t, policy.Retry(m, x.o), x.q)
				if a.Text != x.text || fault.KindOf(a.Err) != x.kind || m.count() != x.requests || took != x.took {
					t.Errorf("%q, %v: %d requests in %v\nwant %q, %q: %d in %v", a.Text, a.Err, m.count(), took, x.text, x.kind, x.requests, x.took)
				}
			})
		})
	}
}

// TestTheBudgetBoundsAnOutage shows that a provider that is away gets a tenth
// more requests, not three times as many.
func TestTheBudgetBoundsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := policy.NewBudget(policy.BudgetOptions{})
		m := plays(fails(errAway))
		c := policy.Retry(m, policy.RetryOptions{Budget: b})
		for range 1000 {
			ask(t, c, provider.Request{})
		}
		s := b.Stats()
		t.Logf("figure: %d requests for 1000 replies in an outage; %+v", m.count(), s)
		if m.count() > 1111 || s.Requests != 1000 || int(s.Extra) != m.count()-1000 || s.Refused == 0 {
			t.Errorf("%d requests, %+v", m.count(), s)
		}
	})
}

// TestHedge shows when a second request is made, who wins, and that the loser
// is ended before the reply is over.
func TestHedge(t *testing.T) {
	slow := act{after: 10 * time.Second, words: []string{"slow"}}
	for name, x := range map[string]struct {
		acts     []act
		q        provider.Request
		b        *policy.Budget
		requests int
		took     time.Duration
		text     string
		kind     fault.Kind
	}{
		"a fast one needs no second":      {[]act{says("a", "b")}, provider.Request{}, nil, 1, 0, "ab", ""},
		"the second wins":                 {[]act{slow, says("fast", "er")}, provider.Request{}, nil, 2, time.Second, "faster", ""},
		"the first wins after all":        {[]act{{after: 1500 * time.Millisecond, words: []string{"a", "b"}, gap: time.Second}, slow}, provider.Request{}, nil, 2, 2500 * time.Millisecond, "ab", ""},
		"no budget, no second":            {[]act{slow, says("fast")}, provider.Request{}, policy.NewBudget(policy.BudgetOptions{Most: 0.5}), 1, 10 * time.Second, "slow", ""},
		"an early error is told at once":  {[]act{fails(errAway), says("b")}, provider.Request{}, nil, 1, 0, "", fault.Unavailable},
		"the second fails, the first not": {[]act{slow, fails(errAway)}, provider.Request{}, nil, 2, 10 * time.Second, "slow", ""},
		"the first fails, the second not": {[]act{{after: 2 * time.Second, err: errAway}, {after: 3 * time.Second, words: []string{"b"}}}, provider.Request{}, nil, 2, 4 * time.Second, "b", ""},
		"both fail":                       {[]act{{after: 2 * time.Second, err: fault.Exhausted}, {after: 3 * time.Second, err: errAway}}, provider.Request{}, nil, 2, 4 * time.Second, "", fault.Exhausted},
		"an error in the middle is final": {[]act{{words: []string{"a"}, err: errAway}, says("b")}, provider.Request{}, nil, 1, 0, "a", fault.Unavailable},
		"the deadline ends both":          {[]act{slow, slow}, provider.Request{Deadline: 3 * time.Second}, nil, 2, 3 * time.Second, "", fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := plays(x.acts...)
				a, took := ask(t, policy.Hedge(m, policy.HedgeOptions{After: time.Second, Budget: x.b}), x.q)
				if a.Text != x.text || m.count() != x.requests || took != x.took {
					t.Errorf("%q, %v: %d requests in %v\nwant %q, %q: %d in %v", a.Text, a.Err, m.count(), took, x.text, x.kind, x.requests, x.took)
				}
				if k := fault.KindOf(a.Err); k != x.kind && !(x.q.Deadline > 0 && k == fault.Cancelled) {
					t.Errorf("%v, want %q", a.Err, x.kind)
				}
				if m.running != 0 {
					t.Errorf("%d requests run on", m.running)
				}
			})
		})
	}
	t.Run("the loser is ended when the other wins", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := plays(slow, act{words: []string{"a", "b"}, gap: 5 * time.Second})
			begun := time.Now()
			a, took := ask(t, policy.Hedge(m, policy.HedgeOptions{After: time.Second}), provider.Request{})
			if a.Text != "ab" || took != 6*time.Second || len(m.ended) == 0 || m.ended[0].Sub(begun) != time.Second {
				t.Errorf("%q in %v, ended %v after %v", a.Text, took, m.ended, begun)
			}
		})
	})
	t.Run("two that answer in the same moment are not mixed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for range 40 { // which of the two wins is left to the scheduler
				m := plays(act{after: 2 * time.Second, words: []string{"a", "a"}}, act{after: time.Second, words: []string{"b", "b"}})
				if a, _ := ask(t, policy.Hedge(m, policy.HedgeOptions{After: time.Second}), provider.Request{}); a.Err != nil || a.Text != "aa" && a.Text != "bb" {
					t.Fatalf("%q, %v", a.Text, a.Err)
				}
			}
		})
	})
	t.Run("the wait is learnt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			acts := make([]act, 0, 31)
			for i := range 30 {
				acts = append(acts, act{after: time.Duration(690-10*i) * time.Millisecond, words: []string{"a"}})
			}
			m := plays(append(acts, slow, says("b"))...)
			c := policy.Hedge(m, policy.HedgeOptions{After: time.Second})
			for range 30 {
				ask(t, c, provider.Request{})
			}
			if a, took := ask(t, c, provider.Request{}); a.Text != "b" || took != 680*time.Millisecond || m.count() != 32 {
				t.Errorf("%q after %v, %d requests", a.Text, took, m.count())
			}
		})
	})
}

// TestBreaker follows one through its states.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := policy.NewBreaker(policy.BreakerOptions{})
		m := plays(fails(errAway))
		c := b.Completer(m)
		state := func(want policy.BreakerState, requests int) {
			t.Helper()
			if got, _ := b.State(); got != want || m.count() != requests {
				t.Fatalf("%s after %d requests, want %s after %d", got, m.count(), want, requests)
			}
		}
		for range 6 {
			state(policy.Closed, m.count())
			ask(t, c, provider.Request{})
		}
		state(policy.Open, 6)
		if a, took := ask(t, c, provider.Request{}); !errors.Is(a.Err, policy.ErrOpen) || fault.KindOf(a.Err) != fault.Unavailable || took != 0 {
			t.Errorf("%v after %v", a.Err, took)
		}
		state(policy.Open, 6)
		time.Sleep(10 * time.Second)
		state(policy.HalfOpen, 6)
		ask(t, c, provider.Request{}) // fails: open for 20 s
		state(policy.Open, 7)
		time.Sleep(19 * time.Second)
		state(policy.Open, 7)
		time.Sleep(time.Second)
		m.turns(act{after: time.Second, words: []string{"a"}})
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { vendortest.Ask(t.Context(), c, provider.Request{}) })
		}
		wg.Wait() // one may try, the others are refused
		state(policy.Closed, 8)
		if _, opened := b.State(); opened != 2 {
			t.Errorf("it opened %d times", opened)
		}
		ask(t, c, provider.Request{})
		state(policy.Closed, 9)
	})
}

// TestBreakerCountsTheProvidersFaultsOnly shows what opens a breaker.
func TestBreakerCountsTheProvidersFaultsOnly(t *testing.T) {
	for name, x := range map[string]struct {
		act  act
		want policy.BreakerState
	}{
		"away":                  {fails(errAway), policy.Open},
		"too many":              {fails(fault.Exhausted), policy.Open},
		"broken in the middle":  {act{words: []string{"a"}, err: errAway}, policy.Open},
		"a wrong request":       {fails(fault.Invalid), policy.Closed},
		"nobody waits":          {fails(fault.Cancelled), policy.Closed},
		"a third of failures":   {says("a"), policy.Closed},
		"too slow for the turn": {act{after: time.Minute, words: []string{"a"}}, policy.Open},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := policy.NewBreaker(policy.BreakerOptions{})
				m := plays(x.act)
				if name == "a third of failures" {
					m = plays(says("a"), says("a"), fails(errAway), says("a"), says("a"), fails(errAway), says("a"), says("a"), fails(errAway), says("a"))
				}
				c := policy.Fallback([]policy.Candidate{{Name: "one", Completer: b.Completer(m)}, {Name: "two", Completer: plays(says("b"))}}, policy.FallbackOptions{})
				for range 10 {
					ask(t, c, provider.Request{})
				}
				if got, _ := b.State(); got != x.want {
					t.Errorf("%s after %d requests", got, m.count())
				}
			})
		})
	}
}

// TestFallback shows who answers, and after what time.
func TestFallback(t *testing.T) {
	quiet := act{after: time.Hour, words: []string{"late"}}
	for name, x := range map[string]struct {
		one, two act
		q        provider.Request
		chosen   string
		took     time.Duration
		text     string
		kind     fault.Kind
	}{
		"the first answers":                  {says("a"), says("b"), provider.Request{}, "one", 0, "a", ""},
		"the first fails":                    {fails(errAway), says("b"), provider.Request{}, "two", 0, "b", ""},
		"the first is silent":                {quiet, says("b"), provider.Request{}, "two", 2500 * time.Millisecond, "b", ""},
		"the first refuses the key":          {fails(fault.Denied), says("b"), provider.Request{}, "two", 0, "b", ""},
		"the first breaks off in the middle": {act{words: []string{"a"}, err: errAway}, says("b"), provider.Request{}, "one", 0, "a", fault.Unavailable},
		"slow words are no silence":          {act{words: []string{"a", "b"}, gap: time.Minute}, says("x"), provider.Request{}, "one", time.Minute, "ab", ""},
		"the last may take its time":         {fails(errAway), act{after: 20 * time.Second, words: []string{"b"}}, provider.Request{}, "two", 20 * time.Second, "b", ""},
		"all fail":                           {fails(fault.Exhausted), fails(errAway), provider.Request{}, "", 0, "", fault.Exhausted},
		"the deadline ends all":              {quiet, quiet, provider.Request{Deadline: 20 * time.Second}, "", 20 * time.Second, "", fault.Unavailable},
		"nothing is answered":                {act{}, says("b"), provider.Request{}, "one", 0, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chosen := ""
				one, two := plays(x.one), plays(x.two)
				c := policy.Fallback(
					[]policy.Candidate{{Name: "one", Completer: one}, {Name: "two", Completer: two, Model: "small"}},
					policy.FallbackOptions{Chosen: func(name string) { chosen += name }},
				)
				a, took := ask(t, c, x.q)
				if a.Text != x.text || fault.KindOf(a.Err) != x.kind || took != x.took || chosen != x.chosen {
					t.Errorf("%q, %v: %q in %v\nwant %q, %q: %q in %v", a.Text, a.Err, chosen, took, x.text, x.kind, x.chosen, x.took)
				}
				if one.count() != 1 || one.running+two.running != 0 {
					t.Errorf("%d requests, %d run on", one.count(), one.running+two.running)
				}
				if two.count() == 1 && two.models[0] != "small" {
					t.Errorf("the second was asked for %q", two.models[0])
				}
				if a.Err != nil && x.chosen == "" && (!strings.Contains(a.Err.Error(), "one: ") || !strings.Contains(a.Err.Error(), "two: ")) {
					t.Errorf("%v does not name both", a.Err)
				}
			})
		})
	}
	t.Run("nobody is asked", func(t *testing.T) {
		a, _ := ask(t, policy.Fallback(nil, policy.FallbackOptions{}), provider.Request{})
		if fault.KindOf(a.Err) != fault.NotFound {
			t.Error(a.Err)
		}
	})
}

// TestDecoratedModelsKeepTheContract runs the suite through all of them.
func TestDecoratedModelsKeepTheContract(t *testing.T) {
	budget := policy.NewBudget(policy.BudgetOptions{})
	h := policy.NewHealth(policy.HealthOptions{})
	c := policy.NewBreaker(policy.BreakerOptions{}).Completer(h.Completer(parrot{}))
	c = policy.Retry(policy.Hedge(c, policy.HedgeOptions{Budget: budget}), policy.RetryOptions{Budget: budget})
	providertest.RunCompleter(t, policy.Fallback([]policy.Candidate{{Name: "a", Completer: c}, {Name: "b", Completer: c}}, policy.FallbackOptions{}))
}

// parrot says what a schema or a question asks for.
type parrot struct{}

func (parrot) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	words := []string{"Five ", "thousand."}
	if r.Schema != nil {
		words = []string{`{"a":`, `1}`}
	}
	return plays(says(words...)).Complete(ctx, r)
}
