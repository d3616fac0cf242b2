package mcp

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"flametree/engine/tool"
)

// The bounds of a stranger's schema.
const (
	maxSchema = tool.MaxResult // bytes, after its references are written out
	maxNodes  = 5000
	maxDepth  = 40
)

var (
	errNoObject  = errors.New("the schema is no object of type object")
	errLarge     = errors.New("the schema is too large or too deep")
	errReference = errors.New("the schema refers to something outside itself")
)

// schema is a vetted schema without references.
type schema struct {
	raw   json.RawMessage
	check *jsonschema.Resolved
}

// compile makes a schema of what a server declared. References are written out
// and circles cut, where anything is allowed: a validator that follows a circle
// which consumes nothing never ends.
func compile(declared any) (*schema, error) {
	root, ok := declared.(map[string]any)
	if !ok {
		return nil, errNoObject
	}
	w := writer{root: root, left: maxNodes}
	flat, err := w.schema(root, 0)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(flat)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxSchema {
		return nil, errLarge
	}
	s := &jsonschema.Schema{}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("the schema is broken: %w", err)
	}
	check, err := s.Resolve(nil)
	if err != nil {
		return nil, fmt.Errorf("the schema is broken: %w", err)
	}
	return &schema{raw: raw, check: check}, nil
}

// object reports whether the schema is of type object, as arguments must be.
func (s *schema) object() bool { return s.check.Schema().Type == "object" }

// writer copies a schema with its references written out.
type writer struct {
	root map[string]any
	path []string // references being written out
	left int      // nodes that may still be written
}

// What a keyword of JSON Schema 2020-12 or draft 7 holds.
func isOne(k string) bool {
	return slices.Contains([]string{
		"additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
		"propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
	}, k)
}

func isList(k string) bool {
	return slices.Contains([]string{"allOf", "anyOf", "items", "oneOf", "prefixItems"}, k)
}

func isMap(k string) bool {
	return slices.Contains([]string{"dependencies", "dependentSchemas", "patternProperties", "properties"}, k)
}

// left out: they name places, and no reference is left to use them.
func isPlace(k string) bool {
	return slices.Contains([]string{"$anchor", "$comment", "$defs", "$dynamicAnchor", "$id", "$vocabulary", "definitions", "$ref"}, k)
}

// constrains reports whether a keyword is more than a remark. A remark beside a
// reference replaces the target's; a rule holds together with the target's.
func constrains(k string) bool {
	return !slices.Contains([]string{"$schema", "default", "deprecated", "description", "examples", "title"}, k)
}

func (w *writer) schema(node any, depth int) (any, error) {
	if w.left--; w.left < 0 || depth > maxDepth {
		return nil, errLarge
	}
	m, ok := node.(map[string]any)
	if !ok {
		if b, ok := node.(bool); ok {
			return b, nil
		}
		return nil, errors.New("the schema is broken: a part of it is neither an object nor true or false")
	}
	if _, ok := m["$dynamicRef"]; ok {
		return nil, errReference
	}
	out := make(map[string]any, len(m))
	for k, v := range m {
		if isPlace(k) || (k == "$schema" && depth > 0) {
			continue
		}
		held, err := w.keyword(k, v, depth)
		if err != nil {
			return nil, err
		}
		out[k] = held
	}
	ref, ok := m["$ref"].(string)
	if !ok {
		return out, nil
	}
	return w.reference(ref, out, depth)
}

func (w *writer) keyword(k string, v any, depth int) (any, error) {
	list, isAList := v.([]any)
	m, isAMap := v.(map[string]any)
	switch {
	case k == "pattern":
		return readable(v), nil
	case isAList && isList(k):
		return w.each(list, depth)
	case isAMap && isOne(k):
		return w.schema(m, depth+1)
	case isAMap && isMap(k):
		return w.named(m, depth)
	}
	return v, nil
}

// readable is a pattern, or one that fits anything in place of a pattern of
// another dialect, such as one that looks ahead: its owner checks that.
func readable(pattern any) any {
	if text, ok := pattern.(string); ok {
		if _, err := regexp.Compile(text); err != nil {
			return ".*"
		}
	}
	return pattern
}

func (w *writer) each(list []any, depth int) (any, error) {
	out := make([]any, len(list))
	for i, one := range list {
		s, err := w.schema(one, depth+1)
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}

func (w *writer) named(m map[string]any, depth int) (any, error) {
	out := make(map[string]any, len(m))
	for name, one := range m {
		if _, names := one.([]any); names { // of draft 7, dependencies
			out[name] = one
			continue
		}
		s, err := w.schema(one, depth+1)
		if err != nil {
			return nil, err
		}
		out[name] = s
	}
	return out, nil
}

// reference writes a target out, beside what stood next to the reference. A
// target that is being written out already is a circle.
func (w *writer) reference(ref string, beside map[string]any, depth int) (any, error) {
	if slices.Contains(w.path, ref) {
		return beside, nil
	}
	target, err := lookup(w.root, ref)
	if err != nil {
		return nil, err
	}
	w.path = append(w.path, ref)
	flat, err := w.schema(target, depth+1)
	w.path = w.path[:len(w.path)-1]
	if err != nil {
		return nil, err
	}
	if m, ok := flat.(map[string]any); ok && !slices.ContainsFunc(slices.Collect(maps.Keys(beside)), constrains) {
		out := maps.Clone(m)
		maps.Copy(out, beside)
		return out, nil
	}
	all, _ := beside["allOf"].([]any)
	beside["allOf"] = append(slices.Clone(all), flat)
	return beside, nil
}

// lookup follows a JSON pointer in a fragment (RFC 6901, section 6).
func lookup(root map[string]any, ref string) (any, error) {
	at := any(root)
	if ref == "#" {
		return at, nil
	}
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil, errReference
	}
	for token := range strings.SplitSeq(pointer, "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil, errReference
		}
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		if at, ok = m[token]; !ok {
			return nil, errReference
		}
	}
	return at, nil
}

// fits says where a value breaks a schema. The text names places and rules,
// never the value: it may be a person's.
func (s *schema) fits(value any) error {
	err := s.check.Validate(value)
	if err == nil {
		return nil
	}
	text := err.Error()
	at, rule := "/", text
	for {
		_, rest, ok := strings.Cut(rule, "validating ")
		where, inner, found := strings.Cut(rest, ": ")
		if !ok || !found || strings.ContainsAny(where, " \"") {
			break
		}
		at, rule = strings.ReplaceAll(where, "/properties/", "/"), inner
	}
	if at == "root" {
		at = "the whole"
	}
	keyword, _, _ := strings.Cut(rule, ":")
	switch {
	case strings.HasPrefix(rule, "required: "), strings.HasPrefix(rule, "unexpected additional properties"):
		return fmt.Errorf("%s: %s", at, printable(rule, 300))
	case strings.HasPrefix(rule, "type: ") && strings.Contains(rule, ", want "):
		return fmt.Errorf("%s: it wants %s", at, printable(rule[strings.LastIndex(rule, ", want ")+len(", want"):], 100))
	case strings.Trim(keyword, alphanumeric) != "":
		keyword = "the schema"
	}
	return fmt.Errorf("%s: it breaks %s", at, printable(keyword, 60))
}
