package gemini

import (
	"encoding/json"
	"slices"
	"strings"

	"flametree/engine/provider/wire"
)

// What ends schemas that refer to themselves, once or in many places.
const (
	maxDepth = 12
	maxNodes = 2000
)

// subset is a JSON Schema as the API's Schema: types, enums of strings, objects,
// lists and anyOf; null becomes nullable. What it cannot say is left out.
func subset(raw json.RawMessage) (map[string]any, error) {
	whole, err := wire.Schema(raw)
	if err != nil {
		return nil, err
	}
	var root map[string]any
	if err := json.Unmarshal(whole, &root); err != nil {
		return nil, err // wire.Schema has read it already
	}
	s := &narrower{root: root}
	return s.schema(root, 0), nil
}

type narrower struct {
	root  map[string]any
	nodes int
}

func (n *narrower) schema(in map[string]any, depth int) map[string]any {
	if ref, ok := in["$ref"].(string); ok {
		in = n.resolve(ref)
	}
	if n.nodes++; depth > maxDepth || n.nodes > maxNodes {
		return map[string]any{"type": "string"}
	}
	out := map[string]any{}
	for _, k := range []string{"title", "description", "minItems", "maxItems", "minimum", "maximum", "minLength", "maxLength", "nullable"} {
		if v, ok := in[k]; ok {
			out[k] = v
		}
	}
	n.kind(in, out)
	n.choice(in, out)
	n.properties(in, out, depth)
	if out["type"] == "array" {
		items, _ := in["items"].(map[string]any)
		if items == nil {
			items = map[string]any{"type": "string"}
		}
		out["items"] = n.schema(items, depth+1)
	}
	for _, k := range []string{"anyOf", "oneOf"} {
		if list, ok := in[k].([]any); ok {
			n.any(list, out, depth)
		}
	}
	if out["type"] == nil && out["anyOf"] == nil {
		out["type"] = "string"
		if out["properties"] != nil {
			out["type"] = "object"
		}
	}
	return out
}

// properties writes those of an object, and which of them are required.
func (n *narrower) properties(in, out map[string]any, depth int) {
	props, ok := in["properties"].(map[string]any)
	if !ok || len(props) == 0 {
		return
	}
	kept := map[string]any{}
	needed, _ := in["required"].([]any)
	for name, p := range props {
		if p, ok := p.(map[string]any); ok {
			if free(p) && !slices.Contains(needed, any(name)) {
				continue // the API refuses objects without properties, and nothing needs this one
			}
			kept[name] = n.schema(p, depth+1)
		} else {
			kept[name] = map[string]any{"type": "string"} // true: anything goes
		}
	}
	out["properties"] = kept
	if req := required(in["required"], kept); len(req) > 0 {
		out["required"] = req
	}
}

// free reports whether a schema allows any object: it names no property.
func free(in map[string]any) bool {
	props, _ := in["properties"].(map[string]any)
	return in["type"] == "object" && len(props) == 0 && in["$ref"] == nil && in["anyOf"] == nil && in["oneOf"] == nil && in["allOf"] == nil
}

// kind writes the one type; a second one, null, makes it nullable.
func (n *narrower) kind(in, out map[string]any) {
	switch t := in["type"].(type) {
	case string:
		out["type"] = t
	case []any:
		for _, x := range t {
			if x == "null" {
				out["nullable"] = true
			} else if s, ok := x.(string); ok && out["type"] == nil {
				out["type"] = s
			}
		}
	}
	if f, _ := in["format"].(string); out["type"] == "string" && f == "date-time" {
		out["format"] = f
	}
}

// choice writes an enum, which may hold strings only.
func (n *narrower) choice(in, out map[string]any) {
	list, _ := in["enum"].([]any)
	if c, ok := in["const"]; ok {
		list = []any{c}
	}
	var texts []string
	for _, x := range list {
		switch x := x.(type) {
		case string:
			texts = append(texts, x)
		case nil:
			out["nullable"] = true
		default:
			return
		}
	}
	if len(texts) > 0 {
		out["type"], out["enum"] = "string", texts
	}
}

func (n *narrower) any(list []any, out map[string]any, depth int) {
	var kept []any
	for _, x := range list {
		s, ok := x.(map[string]any)
		switch {
		case !ok:
		case s["type"] == "null":
			out["nullable"] = true
		default:
			kept = append(kept, n.schema(s, depth+1))
		}
	}
	if len(kept) == 1 {
		for k, v := range kept[0].(map[string]any) { // schema gives nothing else
			if out[k] == nil {
				out[k] = v
			}
		}
	} else if len(kept) > 1 {
		out["anyOf"] = kept
	}
}

// resolve follows a reference inside the schema, such as #/$defs/address.
func (n *narrower) resolve(ref string) map[string]any {
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return map[string]any{}
	}
	at := n.root
	for step := range strings.SplitSeq(path, "/") {
		at, _ = at[step].(map[string]any)
	}
	if _, again := at["$ref"]; again || at == nil {
		return map[string]any{}
	}
	return at
}

func required(in any, props map[string]any) []string {
	list, _ := in.([]any)
	var out []string
	for _, x := range list {
		if s, ok := x.(string); ok && props[s] != nil {
			out = append(out, s)
		}
	}
	return out
}
