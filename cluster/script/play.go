package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flametree/engine/fault"
)

// Conversation is a session with an agent. Its methods are called one after
// the other. Errors wrap a fault.Kind.
type Conversation interface {
	// Begin opens the session. The turn holds the greeting, if there is one.
	Begin(ctx context.Context) (Turn, error)
	// Say hands over a line and waits for the whole answer.
	Say(ctx context.Context, text string) (Turn, error)
	// Close ends the session, unless it has ended. It may be called twice.
	Close() error
}

// Unmet is an expectation that was not met. It is fault.Conflict: what was
// recorded and what happened differ. Its text may quote the dialogue; it is
// meant for who wrote the script.
type Unmet struct {
	File string
	Step int // from 1
	Line int
	Key  string // says says_not calls state results
	Text string // what was expected and what there was instead
}

// Error writes one line: "file: step 3 (line 14): expected …".
func (u *Unmet) Error() string { return place(u.File, u.Step, u.Line) + ": " + u.Text }

// Unwrap gives the fault kind.
func (*Unmet) Unwrap() error { return fault.Conflict }

func place(file string, step, line int) string {
	if file == "" {
		file = "script"
	}
	return fmt.Sprintf("%s: step %d (line %d)", file, step, line)
}

// Play says the lines of a script and ends with the first expectation that is
// not met, as an *Unmet. Other errors name their step as well. show is given
// each turn before it is judged, the greeting first; it may be nil. The
// conversation is closed in any case.
func Play(ctx context.Context, c Conversation, s *Script, show func(Turn)) (err error) {
	defer func() { err = errors.Join(err, c.Close()) }()
	if show == nil {
		show = func(Turn) {}
	}
	if len(s.Steps) == 0 {
		return fmt.Errorf("the script has no steps: %w", fault.Invalid)
	}
	turn, err := c.Begin(ctx)
	if err != nil {
		return fmt.Errorf("%s: the conversation does not begin: %w", place(s.File, 1, s.Steps[0].Line), err)
	}
	show(turn)
	for i, step := range s.Steps {
		if step.Human != "" {
			if turn.Ended {
				return &Unmet{
					File: s.File, Step: i + 1, Line: step.Line, Key: "human",
					Text: fmt.Sprintf("nobody is there to hear %q: the conversation has ended before", clip(step.Human)),
				}
			}
			if turn, err = c.Say(ctx, step.Human); err != nil {
				return fmt.Errorf("%s: %w", place(s.File, i+1, step.Line), err)
			}
			show(turn)
		}
		if u := step.Expect.check(turn); u != nil {
			u.File, u.Step = s.File, i+1
			return u
		}
	}
	return nil
}

// check finds the first expectation that a turn does not meet, in the order in
// which the parts of a turn come about.
func (e Expect) check(t Turn) *Unmet {
	for _, check := range []func(Turn) *Unmet{e.calls, e.state, e.words, e.results} {
		if u := check(t); u != nil {
			return u
		}
	}
	return nil
}

func unmet(line int, key, format string, args ...any) *Unmet {
	return &Unmet{Line: line, Key: key, Text: fmt.Sprintf(format, args...)}
}

func (e Expect) words(t Turn) *Unmet {
	said := strings.Join(t.Says, "\n")
	for _, w := range e.Says {
		if !strings.Contains(plain(said), plain(w.Text)) {
			if plain(said) == "" {
				return unmet(w.Line, "says", "expected to hear %q, there was no word", clip(w.Text))
			}
			return unmet(w.Line, "says", "expected to hear %q, there was %q", clip(w.Text), clip(said))
		}
	}
	for _, w := range e.SaysNot {
		if strings.Contains(plain(said), plain(w.Text)) {
			return unmet(w.Line, "says_not", "expected not to hear %q, there was %q", clip(w.Text), clip(said))
		}
	}
	return nil
}

func (e Expect) state(t Turn) *Unmet {
	switch {
	case e.State.Text == "":
		return nil
	case t.Trace == nil:
		return unmet(e.State.Line, "state", "expected the state %s, the state is not known", e.State.Text)
	case t.State == "":
		return unmet(e.State.Line, "state", "expected the state %s, there are no states", e.State.Text)
	case t.State != e.State.Text:
		return unmet(e.State.Line, "state", "expected the state %s, it is %s", e.State.Text, t.State)
	}
	return nil
}

func (e Expect) calls(t Turn) *Unmet {
	if e.Calls == nil {
		return nil
	}
	if t.Trace == nil {
		return unmet(e.Calls.Line, "calls", "expected %s, the calls are not known", e.Calls)
	}
	var done, refused []Call
	for _, c := range t.Calls {
		switch {
		case c.Refused != "":
			refused = append(refused, c)
		case !c.quiet() || e.Calls.names(c.Name):
			done = append(done, c)
		}
	}
	at := 0
	for _, w := range e.Calls.List {
		if w.Refused {
			if u := w.among(refused); u != nil {
				return u
			}
			continue
		}
		if at == len(done) {
			return unmet(w.Line, "calls", "expected the call %s, there was %s", w.Name, missed(w.Name, t.Calls, done))
		}
		if u := w.matches(done[at]); u != nil {
			return u
		}
		at++
	}
	if at < len(done) {
		return unmet(e.Calls.Line, "calls", "expected %s, there was the call %s as well", e.Calls, done[at].Name)
	}
	return nil
}

// missed says what there was in place of a call that did not happen.
func missed(name string, all, done []Call) string {
	i := slices.IndexFunc(all, func(c Call) bool { return c.Name == name && c.Refused != "" })
	switch {
	case i >= 0:
		return fmt.Sprintf("one that was refused: %s", clip(all[i].Refused))
	case len(done) > 0:
		return fmt.Sprintf("no more after %s", done[len(done)-1].Name)
	}
	return "none"
}

// quiet calls only speak or move on.
func (c Call) quiet() bool {
	return c.Move || slices.Contains([]string{"SendChatMessage", "ForwardSpeech"}, c.Name)
}

func (c *Calls) names(name string) bool {
	return slices.ContainsFunc(c.List, func(w CallWanted) bool { return w.Name == name && !w.Refused })
}

// String tells the expectation: "no call", "the call A", "the calls A, B".
func (c *Calls) String() string {
	names := make([]string, len(c.List))
	for i, w := range c.List {
		names[i] = w.Name
		if w.Refused {
			names[i] += " (refused)"
		}
		if w.Failed {
			names[i] += " (failed)"
		}
	}
	switch len(names) {
	case 0:
		return "no call"
	case 1:
		return "the call " + names[0]
	}
	return "the calls " + strings.Join(names, ", ")
}

func (w CallWanted) among(refused []Call) *Unmet {
	last := unmet(w.Line, "calls", "expected the call %s to be refused, there was no such call", w.Name)
	for _, c := range refused {
		if c.Name != w.Name {
			continue
		}
		if last = w.matches(c); last == nil {
			return nil
		}
	}
	return last
}

func (w CallWanted) matches(c Call) *Unmet {
	if w.Name != c.Name {
		return unmet(w.Line, "calls", "expected the call %s, there was %s", w.Name, c.Name)
	}
	switch {
	case w.Refused || w.Failed == (c.Fault != ""):
	case w.Failed:
		return unmet(w.Line, "calls", "expected the call %s to fail, it did not", w.Name)
	default:
		return unmet(w.Line, "calls", "expected the call %s, it failed: %s", w.Name, clip(c.Fault))
	}
	if len(w.Args) == 0 {
		return nil
	}
	var args map[string]json.RawMessage
	if err := json.Unmarshal([]byte(c.Args), &args); err != nil {
		return unmet(w.Line, "calls", "expected arguments of %s, there was no JSON object", w.Name)
	}
	for _, a := range w.Args {
		if got := bare(args[a.Name]); !same(a.Value, got) {
			return unmet(a.Line, "calls", "expected %s of %s to be %s, it is %s", a.Name, w.Name, value(a.Value), value(got))
		}
	}
	return nil
}

func (e Expect) results(t Turn) *Unmet {
	for _, r := range e.Results {
		if t.Results == nil {
			return unmet(r.Line, "results", "expected %s to be %s, the results are not known", r.Name, value(r.Value))
		}
		if got := t.Results[r.Name]; !same(r.Value, got) {
			return unmet(r.Line, "results", "expected %s to be %s, it is %s", r.Name, value(r.Value), value(got))
		}
	}
	return nil
}

// same compares values; those that are JSON of lists without their spelling.
func same(want, got string) bool {
	if strings.TrimSpace(want) == strings.TrimSpace(got) {
		return true
	}
	var a, b []any
	if json.Unmarshal([]byte(want), &a) != nil || json.Unmarshal([]byte(got), &b) != nil {
		return false
	}
	return slices.EqualFunc(a, b, func(x, y any) bool { return fmt.Sprint(x) == fmt.Sprint(y) })
}

func value(s string) string {
	if s == "" {
		return "unset"
	}
	return fmt.Sprintf("%q", clip(s))
}

// bare is a JSON value as people write it: texts without quotes, null as nothing.
func bare(raw json.RawMessage) string {
	var s string
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return ""
	case json.Unmarshal(raw, &s) == nil:
		return s
	}
	return string(raw)
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("a text is always JSON: " + err.Error())
	}
	return string(b)
}
