package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"flametree/engine/tool"
)

// maxSchema is in bytes, after a schema's references are written out.
const maxSchema = tool.MaxResult

var errLarge = errors.New("the schema is too large or too deep")

// Schema is a vetted schema without references.
type Schema struct {
	Raw   json.RawMessage // JSON Schema 2020-12; must not be changed
	check *jsonschema.Resolved
}

// Compile makes a schema of one that a Writer wrote, at most tool.MaxResult
// bytes of JSON.
func Compile(flat any) (*Schema, error) {
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
	return &Schema{Raw: raw, check: check}, nil
}

// Object reports whether the schema is of type object, as arguments must be.
func (s *Schema) Object() bool { return s.check.Schema().Type == "object" }

// Fits says where a value, as encoding/json decodes it, breaks a schema. The
// text names places and rules, never the value: it may be a person's.
func (s *Schema) Fits(value any) error {
	err := s.check.Validate(value)
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
		return fmt.Errorf("%s: %s", at, Printable(rule, 300))
	case strings.HasPrefix(rule, "type: ") && strings.Contains(rule, ", want "):
		return fmt.Errorf("%s: it wants %s", at, Printable(rule[strings.LastIndex(rule, ", want ")+len(", want "):], 100))
	case strings.Trim(keyword, Alphanumeric) != "":
		keyword = "the schema"
	}
	return fmt.Errorf("%s: it breaks %s", at, Printable(keyword, 60))
}
