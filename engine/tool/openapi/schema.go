package openapi

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

// The bounds of one operation's schema.
const (
	maxSchema = tool.MaxResult
	maxNodes  = 5000
	maxDepth  = 40
)

var errLarge = errors.New("its schema is too large or too deep")

// writer copies schemas out of a document, references written out, circles cut
// to what allows anything, and the words of OpenAPI left out or translated.
type writer struct {
	root map[string]any
	v30  bool
	path []string
	left int
}

// generic is a part of a document as plain JSON.
func generic(part any) (any, error) {
	raw, err := json.Marshal(part)
	if err != nil {
		return nil, err
	}
	var v any
	return v, json.Unmarshal(raw, &v)
}

func isOne(k string) bool {
	return slices.Contains([]string{
		"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then",
		"unevaluatedItems", "unevaluatedProperties",
	}, k)
}

func isList(k string) bool {
	return slices.Contains([]string{"allOf", "anyOf", "oneOf", "prefixItems"}, k)
}

func isMap(k string) bool {
	return slices.Contains([]string{"dependentSchemas", "patternProperties", "properties"}, k)
}

// left out: places that nothing refers to any more, and what says nothing about
// a request's values.
func isOther(k string) bool {
	return strings.HasPrefix(k, "x-") || slices.Contains([]string{
		"$anchor", "$comment", "$defs", "$dynamicAnchor", "$id", "$ref", "$schema", "$vocabulary", "definitions",
		"discriminator", "example", "externalDocs", "nullable", "readOnly", "writeOnly", "xml",
	}, k)
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
		return nil, errors.New("a part of its schema is neither an object nor true or false")
	}
	if _, ok := m["$dynamicRef"]; ok {
		return nil, errors.New("its schema has dynamic references")
	}
	ref, refers := m["$ref"].(string)
	if refers && w.v30 { // what stands beside a reference means nothing (3.0.3, Reference Object)
		m = nil
	}
	out := make(map[string]any, len(m))
	for k, v := range m {
		if isOther(k) {
			continue
		}
		held, err := w.keyword(k, v, depth)
		if err != nil {
			return nil, err
		}
		out[k] = held
	}
	if w.v30 {
		translate(m, out)
	}
	keepGiven(m, out)
	if !refers {
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
		s, err := w.schema(one, depth+1)
		if err != nil {
			return nil, err
		}
		out[name] = s
	}
	return out, nil
}

// translate makes JSON Schema 2020-12 of what 3.0 says otherwise.
func translate(from, to map[string]any) {
	for bound, exclusive := range map[string]string{"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"} {
		if is, ok := from[exclusive].(bool); ok {
			delete(to, exclusive)
			if limit, has := from[bound]; is && has {
				delete(to, bound)
				to[exclusive] = limit
			}
		}
	}
	if null, _ := from["nullable"].(bool); !null {
		return
	}
	if kind, ok := to["type"].(string); ok {
		to["type"] = []any{kind, "null"}
	}
	if values, ok := to["enum"].([]any); ok && !slices.Contains(values, nil) {
		to["enum"] = append(slices.Clone(values), nil)
	}
}

// keepGiven drops properties that only a server writes.
func keepGiven(from, to map[string]any) {
	declared, _ := from["properties"].(map[string]any)
	kept, _ := to["properties"].(map[string]any)
	for name, p := range declared {
		if m, ok := p.(map[string]any); ok && m["readOnly"] == true {
			delete(kept, name)
			if must, ok := to["required"].([]any); ok {
				to["required"] = slices.DeleteFunc(slices.Clone(must), func(v any) bool { return v == any(name) })
			}
		}
	}
}

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

// constrains reports whether a keyword is more than a remark.
func constrains(k string) bool {
	return !slices.Contains([]string{"default", "deprecated", "description", "examples", "title"}, k)
}

// lookup follows a JSON pointer in a fragment (RFC 6901, section 6).
func lookup(root map[string]any, ref string) (any, error) {
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil, fmt.Errorf("the reference %q leads out of the document", printable(ref, 100))
	}
	at := any(root)
	for token := range strings.SplitSeq(pointer, "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("the reference %q leads nowhere", printable(ref, 100))
		}
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		if at, ok = m[token]; !ok {
			return nil, fmt.Errorf("the reference %q leads nowhere", printable(ref, 100))
		}
	}
	return at, nil
}

// compile makes a validator of an operation's schema of arguments.
func compile(schema map[string]any) (json.RawMessage, *jsonschema.Resolved, error) {
	raw, err := json.Marshal(schema)
	if err != nil {
		return nil, nil, err
	}
	if len(raw) > maxSchema {
		return nil, nil, errLarge
	}
	s := &jsonschema.Schema{}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, nil, fmt.Errorf("its schema is broken: %w", err)
	}
	check, err := s.Resolve(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("its schema is broken: %w", err)
	}
	return raw, check, nil
}

// fits says where arguments break a schema: places and rules, never a value,
// which may be a person's.
func fits(check *jsonschema.Resolved, value any) error {
	err := check.Validate(value)
	if err == nil {
		return nil
	}
	at, rule := "/", err.Error()
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
		return fmt.Errorf("%s: it wants %s", at, printable(rule[strings.LastIndex(rule, ", want ")+len(", want "):], 100))
	case strings.Trim(keyword, alphanumeric) != "":
		keyword = "the schema"
	}
	return fmt.Errorf("%s: it breaks %s", at, printable(keyword, 60))
}
