package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// Targets are where calls may be passed on: a name the agent knows, and a
// telephone number or SIP URI. They are in the order of their names.
type Targets []event.Pair

// maxTargets bounds what a model has to choose among.
const maxTargets = 50

// ParseTargets reads a JSON object of texts by name; "" is none. What cannot be
// dialled is fault.Invalid and named.
func ParseTargets(text string) (Targets, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var in map[string]string
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return nil, fmt.Errorf("must be JSON, an object of names to numbers or SIP addresses: %w", fault.Invalid)
	}
	if len(in) > maxTargets {
		return nil, fmt.Errorf("%d targets, most %d: %w", len(in), maxTargets, fault.Invalid)
	}
	out := make(Targets, 0, len(in))
	for name, to := range in {
		name, to = strings.TrimSpace(name), strings.TrimSpace(to)
		if name == "" || !dialable(to) {
			return nil, fmt.Errorf("target %q leads to %q, which is neither a number nor a SIP address: %w", name, to, fault.Invalid)
		}
		out = append(out, event.Pair{Key: name, Value: to})
	}
	slices.SortFunc(out, func(a, b event.Pair) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

// dialable accepts sip: and sips: URIs with a host, and numbers with the marks
// people write between digits.
func dialable(to string) bool {
	for _, scheme := range []string{"sip:", "sips:"} {
		if rest, ok := strings.CutPrefix(strings.ToLower(to), scheme); ok {
			_, host, found := strings.Cut(rest, "@")
			if !found {
				host = rest
			}
			return host != "" && !strings.ContainsAny(to, " <>\"\r\n\t\x00")
		}
	}
	digits := 0
	for _, r := range strings.TrimPrefix(to, "+") {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case !strings.ContainsRune(" -()./*#", r):
			return false
		}
	}
	return digits > 0 && digits <= 32
}

// Find is where a name leads, whatever its case.
func (t Targets) Find(name string) (event.Pair, bool) {
	for _, p := range t {
		if strings.EqualFold(p.Key, strings.TrimSpace(name)) {
			return p, true
		}
	}
	return event.Pair{}, false
}

// Names lists the names.
func (t Targets) Names() []string {
	out := make([]string, len(t))
	for i, p := range t {
		out[i] = p.Key
	}
	return out
}
