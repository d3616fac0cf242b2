// Package tooltest holds the suite that every tool.Runner passes, whatever it
// speaks to. It tests the contract of package tool and nothing of what a tool
// is good for.
package tooltest

import (
	"context"
	"encoding/json"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"flametree/engine/fault"
	"flametree/engine/tool"
)

// patience bounds every wait, so that a broken runner fails and does not hang.
const patience = 30 * time.Second

// grace is how much later than its timeout a call may end on a busy machine.
const grace = 2 * time.Second

// Subject is a Runner with calls that are known to do something. A call with an
// empty Name is one that the runner cannot be made to show; its test is left out.
type Subject struct {
	Runner tool.Runner
	Good   tool.Call // succeeds, also many times at once
	Slow   tool.Call // would run far longer than its timeout, which is under 2 s
	Bad    tool.Call // fails by itself
	Large  tool.Call // would give more than tool.MaxResult
}

// Run tests the contract of tool.Runner. open makes a new runner for each test.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	with := func(name string, test func(t *testing.T, s Subject)) {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			defer func() { _ = s.Runner.Close() }()
			test(t, s)
		})
	}
	with("names, timeouts and schemas are good", specs)
	with("the lists are the caller's to change", lists)
	with("a call gives JSON within the limits", good)
	with("calls run beside each other", together)
	with("a name that is not there is not found", unknown)
	with("a call ends with its timeout", slow)
	with("a call ends with its context", cancelled)
	with("a failure is an error with a kind, and the next call succeeds", bad)
	with("a result that is too large is an error", large)
	with("after Close nothing runs, and Close may come twice", closed)
}

var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func specs(t *testing.T, s Subject) {
	seen := map[string]bool{}
	check := func(n, group string, timeout time.Duration) {
		if !name.MatchString(n) || seen[n] {
			t.Errorf("name %q is there twice, or no vendor takes it", n)
		}
		if group == "" {
			t.Errorf("%s has no group", n)
		}
		if timeout < time.Millisecond || timeout > tool.MaxTimeout {
			t.Errorf("timeout of %s is %v", n, timeout)
		}
		seen[n] = true
	}
	for _, spec := range s.Runner.Tools() {
		check(spec.Name, spec.Group, spec.Timeout)
		schema(t, spec)
	}
	for _, skill := range s.Runner.Skills() {
		check(skill.Name, skill.Group, skill.Timeout)
	}
	if len(seen) == 0 {
		t.Error("there are neither tools nor skills")
	}
}

func schema(t *testing.T, spec tool.Spec) {
	var s jsonschema.Schema
	if err := json.Unmarshal(spec.Schema, &s); err != nil {
		t.Errorf("schema of %s: %v", spec.Name, err)
		return
	}
	if _, err := s.Resolve(nil); err != nil {
		t.Errorf("schema of %s: %v", spec.Name, err)
	}
	if s.Type != "object" {
		t.Errorf("schema of %s has type %q, want object", spec.Name, s.Type)
	}
	for _, b := range spec.Bind {
		if _, shown := s.Properties[b.Arg]; shown {
			t.Errorf("%s: the model is offered %s, which the server binds", spec.Name, b.Arg)
		}
	}
	if spec.Limit != 0 && spec.Amount == "" {
		t.Errorf("%s limits an amount that it does not name", spec.Name)
	}
}

func lists(t *testing.T, s Subject) {
	for i, spec := range s.Runner.Tools() {
		s.Runner.Tools()[i].Name = "changed"
		if got := s.Runner.Tools()[i].Name; got != spec.Name {
			t.Errorf("tool %s became %s", spec.Name, got)
		}
	}
}

// run runs a call and checks what is true of every outcome and every error.
func run(t *testing.T, ctx context.Context, r tool.Runner, c tool.Call) (tool.Outcome, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := r.Run(ctx, c)
	if len(out.Logs) > 100 {
		t.Errorf("%d lines of log", len(out.Logs))
	}
	for _, l := range out.Logs {
		if len([]rune(l)) > 1000 {
			t.Errorf("a line of log has %d characters", len([]rune(l)))
		}
	}
	switch {
	case err != nil && fault.KindOf(err) == fault.Bug:
		t.Errorf("error %v wraps no fault.Kind, or is a bug", err)
	case err == nil && (!json.Valid(out.Value) || len(out.Value) > tool.MaxResult):
		t.Errorf("value of %d bytes is no JSON or too large", len(out.Value))
	}
	return out, err
}

func good(t *testing.T, s Subject) {
	out, err := run(t, t.Context(), s.Runner, s.Good)
	if err != nil {
		t.Fatal(err)
	}
	if out.Took <= 0 {
		t.Errorf("it took %v", out.Took)
	}
}

func together(t *testing.T, s Subject) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 3 {
				if _, err := run(t, t.Context(), s.Runner, s.Good); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func unknown(t *testing.T, s Subject) {
	c := s.Good
	c.Name = "NobodyHasThisTool"
	if _, err := run(t, t.Context(), s.Runner, c); fault.KindOf(err) != fault.NotFound {
		t.Errorf("error is %v, want not found", err)
	}
}

func slow(t *testing.T, s Subject) {
	if s.Slow.Name == "" {
		return
	}
	var timeout time.Duration
	for _, spec := range s.Runner.Tools() {
		if spec.Name == s.Slow.Name {
			timeout = spec.Timeout
		}
	}
	start := time.Now()
	_, err := run(t, t.Context(), s.Runner, s.Slow)
	if took := time.Since(start); took > timeout+grace {
		t.Errorf("it took %v, its timeout is %v", took, timeout)
	}
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error is %v, want unavailable", err)
	}
	if _, err := run(t, t.Context(), s.Runner, s.Good); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func cancelled(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(t, ctx, s.Runner, s.Good); err == nil {
		t.Error("a call whose context has ended succeeds")
	}
}

func bad(t *testing.T, s Subject) {
	if s.Bad.Name == "" {
		return
	}
	if _, err := run(t, t.Context(), s.Runner, s.Bad); err == nil {
		t.Error("no error")
	}
	if _, err := run(t, t.Context(), s.Runner, s.Good); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func large(t *testing.T, s Subject) {
	if s.Large.Name == "" {
		return
	}
	if _, err := run(t, t.Context(), s.Runner, s.Large); err == nil {
		t.Error("no error")
	}
}

func closed(t *testing.T, s Subject) {
	if err := s.Runner.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, t.Context(), s.Runner, s.Good); err == nil {
		t.Error("a call after Close succeeds")
	}
	if err := s.Runner.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}
