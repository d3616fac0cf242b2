package builtin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flametree/engine/fault"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider"
)

// schema is as much of JSON Schema as results need.
type schema struct {
	Type        any               `json:"type"` // a name or a list of names
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Format      string            `json:"format"`
	Enum        []any             `json:"enum"`
	Properties  map[string]schema `json:"properties"`
	AnyOf       []schema          `json:"anyOf"`
}

// typ is the first type that is not null.
func (s schema) typ() string {
	switch v := s.Type.(type) {
	case string:
		return v
	case []any:
		for _, x := range v {
			if n, ok := x.(string); ok && n != "null" {
				return n
			}
		}
	}
	for _, a := range s.AnyOf {
		if n := a.typ(); n != "" && n != "null" {
			return n
		}
	}
	return ""
}

// results reads the schema's properties from the conversation.
func (m *Model) results(r provider.Request) (string, error) {
	var s schema
	if err := json.Unmarshal(r.Schema, &s); err != nil {
		return "", fmt.Errorf("read schema: %w: %w", fault.Invalid, err)
	}
	if typ := s.typ(); typ != "object" && (typ != "" || s.Properties == nil) {
		return "", fmt.Errorf("schema of type %q: %w: only objects can be filled", typ, fault.Invalid)
	}
	known := make(map[string]field)
	for _, p := range r.System {
		if p.Kind == provider.PartResults {
			for _, f := range readFields(p.Text) {
				known[f.Name] = f
			}
		}
	}
	fields := []field{}
	for name, p := range s.Properties {
		fields = append(fields, merge(name, p, known[name]))
	}
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	t := readWith(m.lex, r, fields)
	out := make(map[string]any, len(fields))
	for _, f := range fields {
		v := t.values[f.Name]
		if f.derived() {
			v = t.derive(f)
		}
		if v != "" && usable(f, v) == nil {
			if typed, ok := f.typed(v, s.Properties[f.Name].typ()); ok {
				out[f.Name] = typed
			}
		}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return "", fmt.Errorf("write results: %w: %w", fault.Bug, err)
	}
	return string(raw), nil
}

// merge makes a field of a property, with what PartResults knows of it.
func merge(name string, p schema, known field) field {
	f := provider.Field{Name: name, Title: p.Title, Description: p.Description, Type: p.typ()}
	for _, e := range p.Enum {
		f.Options = append(f.Options, fmt.Sprint(e))
	}
	switch p.Format {
	case "date":
		f.Type = "date"
	case "date-time":
		f.Type = "datetime"
	}
	if known.Name != "" {
		if f.Title == "" {
			f.Title = known.Title
		}
		if f.Description == "" {
			f.Description = known.Description
		}
		if f.Type == "" || f.Type == "string" {
			f.Type = known.Type
		}
		if len(f.Options) == 0 {
			f.Options = known.Options
		}
		f.Value = known.Value
	}
	return newField(f)
}

// typed writes a value as its schema wants it.
func (f field) typed(v, typ string) (any, bool) {
	switch typ {
	case "integer":
		n, err := strconv.Atoi(v)
		return n, err == nil
	case "number":
		n, err := strconv.ParseFloat(v, 64)
		return n, err == nil
	case "boolean":
		return v == "true", v == "true" || v == "false"
	case "array":
		return strings.Split(v, listSeparator), true
	case "string", "":
		if f.kind == kindBool {
			return map[string]string{"true": "yes", "false": "no"}[v], true
		}
		return v, true
	}
	return nil, false
}

// derive draws a field from the whole conversation.
func (t *turn) derive(f field) string {
	switch f.kind { //nolint:exhaustive // only these are derived
	case kindStage:
		return t.stateName
	case kindTopic:
		return t.topicOf()
	}
	return t.summary()
}

// topicOf is a short noun phrase of the first thing the customer asked.
func (t *turn) topicOf() string {
	first := ""
	for _, l := range t.lines {
		if !t.telling(l) {
			continue
		}
		for _, s := range parts(l.text) {
			if social(normal(s)) == "" || t.name(asLine(s), false) != "" && !asks(s) {
				continue
			}
			p := t.phrase(s)
			if len(t.content(p)) > 1 {
				return p
			}
			if first == "" {
				first = p
			}
		}
	}
	return first
}

// telling reports whether a line says what the conversation is about.
func (t *turn) telling(l line) bool {
	if l.asked != "" && !l.question || actRepeat.MatchString(l.norm) || actWho.MatchString(l.norm) || actHuman.MatchString(l.norm) {
		return false
	}
	return l.question || len(t.content(l.text)) > 1 && t.name(l, false) == ""
}

// phrase is the part of a sentence from its first word that tells something to
// its last, at most seven words.
func (t *turn) phrase(s string) string {
	words := lexis.Words(s)
	from, to := -1, -1
	for i, w := range words {
		if t.lex.Weight(w.Text) == lexis.Content && (from < 0 || i-from < 7) {
			if from < 0 {
				from = i
			}
			to = i
		}
	}
	if from < 0 {
		return ""
	}
	return strings.Trim(s[words[from].Start:words[to].End], " ,.?!")
}

// summary says in two sentences what was asked and what became of it.
func (t *turn) summary() string {
	var topics []string
	for _, l := range t.lines {
		if !t.telling(l) {
			continue
		}
		if p := t.phrase(l.text); p != "" && !slices.Contains(topics, p) && len(topics) < 3 {
			topics = append(topics, p)
		}
	}
	if len(topics) == 0 {
		return ""
	}
	out := "The customer spoke about " + listed(topics, "and") + "."
	missed := slices.ContainsFunc(t.said, func(s string) bool {
		return strings.Contains(s, "I do not have") || strings.Contains(s, "I do not know")
	})
	var noted []string
	for _, f := range t.fields {
		if v := t.values[f.Name]; v != "" && !f.derived() && f.kind != kindBool && len(noted) < 4 {
			noted = append(noted, f.label+" "+v)
		}
	}
	switch {
	case len(noted) > 0:
		out += " Noted: " + strings.Join(noted, ", ") + "."
	case missed:
		out += " Not everything could be answered."
	case len(t.said) > 0:
		out += " The agent answered."
	}
	return out
}
