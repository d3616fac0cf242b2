package policy_test

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/anthropic"
	"flametree/engine/provider/gemini"
	"flametree/engine/provider/openai"
	"flametree/engine/provider/policy"
	"flametree/engine/provider/providertest"
	"flametree/engine/provider/vendortest"
)

const sentence = "Five thousand dóllars, señor."

// stand is a vendor's server with its connector in front of it.
type stand struct {
	server func(key string) *vendortest.Server
	model  func(url string, h *http.Client) (provider.Completer, error)
}

func stands() map[string]stand {
	return map[string]stand{
		"openai": {vendortest.OpenAI, func(url string, h *http.Client) (provider.Completer, error) {
			return openai.New(openai.Options{BaseURL: url, Key: "k", Model: "m", HTTP: h})
		}},
		"anthropic": {vendortest.Anthropic, func(url string, h *http.Client) (provider.Completer, error) {
			return anthropic.New(anthropic.Options{BaseURL: url, Key: "k", Model: "m", HTTP: h})
		}},
		"gemini": {vendortest.Gemini, func(url string, h *http.Client) (provider.Completer, error) {
			return gemini.New(gemini.Options{BaseURL: url, Key: "k", Model: "m", HTTP: h})
		}},
	}
}

// TestTroubledVendors plays each trouble of a vendor against the whole stack,
// beside a second vendor that is well: how many requests each got, how long it
// took, what was said, and that no call came twice.
func TestTroubledVendors(t *testing.T) {
	kind := func(k vendortest.Kind, after time.Duration) vendortest.Trouble {
		return vendortest.Trouble{Kind: k, After: after, Seed: 1}
	}
	for name, x := range map[string]struct {
		troubles []vendortest.Trouble
		first    int // requests to the troubled vendor
		second   int // and to the other
		took     time.Duration
		middle   bool // the reply broke off after its first words
	}{
		"none":                          {nil, 1, 0, 0, false},
		"too many, come back in 1 s":    {[]vendortest.Trouble{kind(vendortest.TooMany, time.Second)}, 2, 0, time.Second, false},
		"down once":                     {[]vendortest.Trouble{kind(vendortest.Down, 0)}, 2, 0, 250 * time.Millisecond, false},
		"down for good":                 {[]vendortest.Trouble{kind(vendortest.Down, 0), kind(vendortest.Down, 0), kind(vendortest.Internal, 0)}, 3, 1, 750 * time.Millisecond, false},
		"too many, come back in 9 s":    {[]vendortest.Trouble{kind(vendortest.TooMany, 9*time.Second)}, 1, 1, 0, false},
		"no JSON":                       {[]vendortest.Trouble{kind(vendortest.BadJSON, 0)}, 2, 0, 250 * time.Millisecond, false},
		"a line without an end":         {[]vendortest.Trouble{kind(vendortest.LongLine, 0)}, 2, 0, 250 * time.Millisecond, false},
		"silence":                       {[]vendortest.Trouble{kind(vendortest.Silent, 0), kind(vendortest.Silent, 0)}, 2, 1, 2500 * time.Millisecond, false},
		"silence once: the hedge helps": {[]vendortest.Trouble{kind(vendortest.Silent, 0)}, 2, 0, 1500 * time.Millisecond, false},
		"cut inside a character":        {[]vendortest.Trouble{kind(vendortest.CutRune, 0)}, 1, 0, 0, true},
	} {
		for vendor, v := range stands() {
			t.Run(vendor+": "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					one, two := v.server("k").Trouble(x.troubles...), v.server("k")
					c, stop := stack(t, v, one, two)
					defer stop()
					r := providertest.Question()
					r.Deadline = 30 * time.Second
					a, took := ask(t, c, r)
					if n, m := len(one.Received()), len(two.Received()); n != x.first || m != x.second || took != x.took {
						t.Errorf("%d and %d requests in %v, want %d and %d in %v: %v", n, m, took, x.first, x.second, x.took, a.Err)
					}
					if x.middle {
						if fault.KindOf(a.Err) != fault.Unavailable || a.Text != "Five thousand " || a.Finish != "" {
							t.Errorf("%+v, %v", a, a.Err)
						}
						return
					}
					if a.Err != nil || a.Text != sentence {
						t.Errorf("%+v, %v", a, a.Err)
					}
				})
			})
		}
	}
}

// TestNoCallComesTwice shows that a reply that breaks between the fragments of
// a call is not asked again, and that one that was asked again gives each call once.
func TestNoCallComesTwice(t *testing.T) {
	reply := vendortest.Reply{Calls: []vendortest.Call{
		{ID: "call_a", Name: "GetBalance", Args: []string{`{"acc`, `ount":"1"}`}},
		{ID: "call_b", Name: "GetBalance", Args: []string{`{"account"`, `:"2"}`}},
	}}
	for vendor, v := range stands() {
		for seed := range uint64(8) {
			synctest.Test(t, func(t *testing.T) {
				one := v.server("k").Trouble(vendortest.Trouble{Kind: vendortest.CutCalls, Seed: seed}, vendortest.Trouble{Kind: vendortest.Down}).Then(reply, reply)
				two := v.server("k").Then(reply)
				c, stop := stack(t, v, one, two)
				defer stop()
				r := providertest.Question()
				r.Tools = vendortest.Tools()
				a, _ := ask(t, c, r)
				if a.Err == nil || len(one.Received()) != 1 || len(two.Received()) != 0 || a.Finish != "" {
					t.Errorf("%s, seed %d, cut: %+v, %v after %d and %d requests", vendor, seed, a, a.Err, len(one.Received()), len(two.Received()))
				}
				a, _ = ask(t, c, r)
				if a.Err != nil || len(a.Calls) != 2 || a.Calls[0].Args != `{"account":"1"}` || a.Calls[1].Args != `{"account":"2"}` {
					t.Errorf("%s, seed %d, asked again: %+v, %v", vendor, seed, a, a.Err)
				}
			})
		}
	}
}

// stack is what the package comment shows: the troubled vendor, then the other.
func stack(t *testing.T, v stand, one, two *vendortest.Server) (c provider.Completer, stop func()) {
	t.Helper()
	var list []policy.Candidate
	var stops []func()
	for i, s := range []*vendortest.Server{one, two} {
		url, h, stop := vendortest.Piped(s)
		stops = append(stops, stop)
		m, err := v.model(url, h)
		if err != nil {
			t.Fatal(err)
		}
		budget := policy.NewBudget(policy.BudgetOptions{})
		m = policy.NewBreaker(policy.BreakerOptions{}).Completer(m)
		m = policy.Hedge(m, policy.HedgeOptions{Budget: budget})
		m = policy.Retry(m, policy.RetryOptions{Budget: budget})
		list = append(list, policy.Candidate{Name: strconv.Itoa(i), Completer: m})
	}
	return policy.Fallback(list, policy.FallbackOptions{}), func() {
		for _, s := range stops {
			s()
		}
	}
}
