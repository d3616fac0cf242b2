package builtin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"flametree/engine/knowledge"
	"flametree/engine/provider"
)

// calledNow reports whether a tool was called since the customer spoke.
func (t *turn) calledNow(name string) bool {
	return slices.ContainsFunc(t.after, func(m provider.Message) bool {
		return slices.ContainsFunc(m.Calls, func(c provider.ToolCall) bool { return c.Name == name })
	})
}

// returned goes on after tools that end the matter: a person was called, the
// conversation was closed.
func (t *turn) returned() (reply, bool) {
	switch {
	case t.calledNow(toolFinish):
		return reply{text: "Goodbye!"}, true
	case t.calledNow(toolHuman):
		if out := t.toolText(toolHuman); out != "" && failed(out) {
			return reply{text: "I am sorry, nobody can take your call at the moment. Can I help you with something else?"}, true
		}
		return reply{text: "One moment please, I am passing you on to a colleague."}, true
	}
	return reply{}, false
}

func failed(s string) bool {
	n := normal(s)
	for _, w := range []string{"error", "fail", "unavailable", "no operator", "not available"} {
		if strings.Contains(n, w) {
			return true
		}
	}
	return false
}

// toolText is what a tool answered since the customer spoke.
func (t *turn) toolText(name string) string {
	ids := make(map[string]bool)
	var out []string
	for _, m := range t.after {
		for _, c := range m.Calls {
			if c.Name == name {
				ids[c.ID] = true
			}
		}
		if m.Role == provider.RoleTool && ids[m.CallID] {
			out = append(out, m.Text)
		}
	}
	return strings.Join(out, "\n")
}

// fromTools answers a question from what a knowledge search brought back.
func (t *turn) fromTools(q ask) string {
	found := t.toolText(toolSearchKB)
	if found == "" {
		return ""
	}
	x := knowledge.BuildWith(t.lex, []knowledge.Source{{Kind: knowledge.Text, Text: textOf(cut(found, maxPart))}})
	query := knowledge.Query{Text: q.text, Before: q.before, Familiar: t.familiar, K: 1}
	hits := x.Find(query)
	if len(hits) == 0 || hits[0].Score < answerLine {
		return ""
	}
	var out []string
	for _, s := range x.Pick(query, hits[0], voiceWords) {
		out = append(out, point(plain(s.Text)))
	}
	return strings.Join(out, " ")
}

// textOf makes lines of JSON, and leaves everything else as it is.
func textOf(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	var out []string
	flatten(v, 0, &out)
	return strings.Join(out, "\n")
}

// flatten collects the strings and numbers of a JSON value, eight levels deep.
func flatten(v any, depth int, out *[]string) {
	if depth > 8 || len(*out) > 500 {
		return
	}
	switch v := v.(type) {
	case string:
		*out = append(*out, v)
	case float64, bool:
		*out = append(*out, fmt.Sprint(v))
	case []any:
		for _, x := range v {
			flatten(x, depth+1, out)
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			flatten(v[k], depth+1, out)
		}
	}
}
