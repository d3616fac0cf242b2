package bundle

import (
	"fmt"
	"slices"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/event"
)

// Copied is a copy of an agent before it is saved.
type Copied struct {
	File    string
	Reenter []string // secret variables: their values have to be entered again
	Notes   []string // for people
}

// Copy makes the file of another agent out of one. Secret values become
// agent.Masked; overrides are those of agent.Edit and come last, so that they
// can enter them again. Without an override the name gets a "(copy)". aliases
// are those of all agents, the original's among them: an inbound address that
// is taken is switched off in the copy and noted.
func Copy(file string, overrides []event.Pair, aliases []string) (Copied, error) {
	spec, _, err := agent.Parse([]byte(file))
	if err != nil {
		return Copied{}, fmt.Errorf("copy: %w", err)
	}
	text, _, err := agent.Mask(file, false)
	if err != nil {
		return Copied{}, fmt.Errorf("copy %q: %w", spec.Name, err)
	}
	has := func(key string) bool {
		return slices.ContainsFunc(overrides, func(p event.Pair) bool { return p.Key == key })
	}
	changes := slices.Clone(overrides)
	if !has("name") {
		const most = agent.MaxTitle - len(" (copy)")
		name := []rune(spec.Name)
		changes = append(changes, event.Pair{Key: "name", Value: string(name[:min(len(name), most)]) + " (copy)"})
	}
	if text, err = agent.Edit(text, changes); err != nil {
		return Copied{}, fmt.Errorf("copy %q: %w", spec.Name, err)
	}
	var out Copied
	if out.File, out.Notes, err = freeAlias(text, append(slices.Clone(aliases), spec.Alias), nil); err != nil {
		return Copied{}, fmt.Errorf("copy %q: %w", spec.Name, err)
	}
	if spec, _, err = agent.Parse([]byte(out.File)); err != nil {
		return Copied{}, fmt.Errorf("copy: %w", err)
	}
	if out.Reenter = spec.Masked(); len(out.Reenter) > 0 {
		out.Notes = append(out.Notes, "enter these values again before tools that use them can work: "+strings.Join(out.Reenter, ", "))
	}
	return out, nil
}

// freeAlias takes an alias out of a file that another agent has.
func freeAlias(file string, taken, notes []string) (string, []string, error) {
	spec, _, err := agent.Parse([]byte(file))
	if err != nil {
		return "", nil, err
	}
	if spec.Alias == "" || !slices.ContainsFunc(taken, func(a string) bool { return strings.EqualFold(a, spec.Alias) }) {
		return file, notes, nil
	}
	out, err := agent.Edit(file, []event.Pair{{Key: "alias"}})
	if err != nil {
		return "", nil, err
	}
	return out, append(notes, fmt.Sprintf("the inbound address %q belongs to another agent and is switched off here", spec.Alias)), nil
}
