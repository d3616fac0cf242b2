package python

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/engine/fault"
	"flametree/engine/tenant"
)

// The limits of an expression (spec D5).
const (
	MaxExpression     = 1000 // characters
	ExpressionTimeout = 50 * time.Millisecond
)

// Eval gives the value of a Python expression, as JSON. It sees names, which
// are values of JSON whose keys are also attributes, and datetime, date, time,
// timedelta, timezone, now() and today(). The clock stands at now and is in
// now's zone. A date or time comes back as ISO 8601 text. An expression that is
// wrong, or that takes more than ExpressionTimeout once an interpreter has it,
// is fault.Invalid.
func (p *Pool) Eval(ctx context.Context, t tenant.ID, expr string, names map[string]json.RawMessage, now time.Time) (json.RawMessage, error) {
	if n := utf8.RuneCountInString(expr); n > MaxExpression {
		return nil, fmt.Errorf("the expression has %d characters, %d are allowed: %w", n, MaxExpression, fault.Invalid)
	}
	if err := p.Ready(); err != nil {
		return nil, err
	}
	if names == nil {
		names = map[string]json.RawMessage{}
	}
	h := home{identity: identity{tenant: t, group: "expressions"}}
	w, err := p.take(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("expression: %w", err)
	}
	defer p.put(h, w)
	if w.calls == 0 { // the first of an interpreter imports the calendar
		if _, err := w.talk(ctx, evaluation("None", nil, now), nil); err != nil {
			return nil, w.explain(err, "expression")
		}
	}
	limited, cancel := context.WithTimeout(ctx, ExpressionTimeout)
	defer cancel()
	f, err := w.talk(limited, evaluation(expr, names, now), nil)
	switch {
	case err != nil && ctx.Err() == nil && limited.Err() != nil:
		return nil, fmt.Errorf("the expression took longer than %v: %w", ExpressionTimeout, fault.Invalid)
	case err != nil:
		return nil, w.explain(err, "expression")
	case f.Error != nil:
		f.Error.Text = clip(f.Error.Text, maxError)
		return nil, fmt.Errorf("expression: %w", f.Error.err())
	case len(f.Value) == 0:
		return nil, fmt.Errorf("the expression has no value: %w", fault.Invalid)
	}
	return f.Value, nil
}

func evaluation(expr string, names map[string]json.RawMessage, now time.Time) request {
	if names == nil {
		names = map[string]json.RawMessage{}
	}
	return request{Op: "eval", body: map[string]any{"source": expr, "names": names, "now": now.Format(stamp)}}
}

// requirement is one package with its version (PEP 508), without an address:
// where packages come from is not the group's to say.
var requirement = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\s*\[[A-Za-z0-9._, -]*\])?\s*(\(?\s*((===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+\s*,?\s*)*\)?)\s*(;[^@\\]*)?$`)

// requirements reads requirements.txt.
func requirements(text []byte) (wanted []string, err error) {
	for i, line := range strings.Split(string(text), "\n") {
		if at := strings.Index(line, "#"); at == 0 || at > 0 && (line[at-1] == ' ' || line[at-1] == '\t') {
			line = line[:at]
		}
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if !requirement.MatchString(line) || len(line) > maxText {
			return nil, fmt.Errorf("%s %d:1: %q must be the name of a package and its versions, such as requests==2.31.0; options and addresses are not taken: %w",
				requirementsFile, i+1, shorten(line), fault.Invalid)
		}
		wanted = append(wanted, line)
	}
	slices.Sort(wanted)
	return slices.Compact(wanted), nil
}
