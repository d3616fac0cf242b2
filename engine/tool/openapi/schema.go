package openapi

import (
	"encoding/json"
	"slices"
	"strings"

	"flametree/engine/tool/remote"
)

// dialect is how schemas in a document differ from plain ones.
func dialect(v30 bool) remote.Dialect {
	return remote.Dialect{Drop: silent, Alone: v30, Part: true, Finish: func(from, to map[string]any) {
		if v30 {
			translate(from, to)
		}
		keepGiven(from, to)
	}}
}

// silent are keywords that say nothing about a request's values.
func silent(k string) bool {
	return strings.HasPrefix(k, "x-") || slices.Contains([]string{
		"$schema", "discriminator", "example", "externalDocs", "nullable", "readOnly", "writeOnly", "xml",
	}, k)
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
