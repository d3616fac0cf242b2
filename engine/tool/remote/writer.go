package remote

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The bounds of what one Writer writes.
const (
	maxNodes = 5000
	maxDepth = 40
)

// Dialect is in what the schemas of a kind of document differ from JSON Schema
// 2020-12 and draft 7. The zero value is those two.
type Dialect struct {
	// Drop names further keywords that are left out; nil = none.
	Drop func(keyword string) bool
	// Finish changes a written schema by the one it was made of; nil = nothing.
	Finish func(from, to map[string]any)
	// Alone: what stands beside a reference means nothing (OpenAPI 3.0.3,
	// Reference Object).
	Alone bool
	// Part: the document is more than a schema, "#" is no reference in it.
	Part bool
}

// Writer copies schemas out of a document, references written out and circles
// cut, where anything is allowed: a validator that follows a circle which
// consumes nothing never ends. All that one Writer writes shares one bound.
type Writer struct {
	dialect Dialect
	root    map[string]any
	path    []string // references being written out
	left    int      // nodes that may still be written
}

// NewWriter is for one tool; root is the document that references point into.
// It is read, never changed.
func NewWriter(root map[string]any, d Dialect) *Writer {
	return &Writer{dialect: d, root: root, left: maxNodes}
}

// Write copies a schema. The error says what no schema may have; it names no
// value.
func (w *Writer) Write(node any) (any, error) { return w.schema(node, 0) }

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

func (w *Writer) drops(k string, depth int) bool {
	return isPlace(k) || (k == "$schema" && depth > 0) || (w.dialect.Drop != nil && w.dialect.Drop(k))
}

func (w *Writer) schema(node any, depth int) (any, error) {
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
		return nil, errors.New("the schema has dynamic references")
	}
	ref, refers := m["$ref"].(string)
	if refers && w.dialect.Alone {
		m = nil
	}
	out := make(map[string]any, len(m))
	for k, v := range m {
		if w.drops(k, depth) {
			continue
		}
		held, err := w.keyword(k, v, depth)
		if err != nil {
			return nil, err
		}
		out[k] = held
	}
	if w.dialect.Finish != nil {
		w.dialect.Finish(m, out)
	}
	if !refers {
		return out, nil
	}
	return w.reference(ref, out, depth)
}

func (w *Writer) keyword(k string, v any, depth int) (any, error) {
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

func (w *Writer) each(list []any, depth int) (any, error) {
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

func (w *Writer) named(m map[string]any, depth int) (any, error) {
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
func (w *Writer) reference(ref string, beside map[string]any, depth int) (any, error) {
	if slices.Contains(w.path, ref) {
		return beside, nil
	}
	target, err := w.lookup(ref)
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
func (w *Writer) lookup(ref string) (any, error) {
	nowhere := fmt.Errorf("the reference %q leads outside itself or nowhere", Printable(ref, 100))
	at := any(w.root)
	if ref == "#" && !w.dialect.Part {
		return at, nil
	}
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil, nowhere
	}
	for token := range strings.SplitSeq(pointer, "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil, nowhere
		}
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		if at, ok = m[token]; !ok {
			return nil, nowhere
		}
	}
	return at, nil
}
