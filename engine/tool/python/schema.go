package python

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"flametree/engine/tool"
	"flametree/engine/workflow/located"
)

// maxDepth is how deep parameters may stand in parameters.
const maxDepth = 5

// argument is a name that Python takes as a keyword.
var argument = regexp.MustCompile(`^[A-Za-z_]\w{0,63}$`)

// parameter is one argument of a tool, as the plugin describes it.
type parameter struct {
	name, kind, format, description string
	required                        bool
	enum                            []any
	items                           *parameter
	properties                      parameters
}

type parameters []parameter

// kinds are the names of types that are understood, with the JSON type and
// format (JSON Schema draft 2020-12, validation, section 7.3) of each.
func kinds() map[string][2]string {
	return map[string][2]string{
		"string": {"string"}, "str": {"string"}, "text": {"string"},
		"int": {"integer"}, "integer": {"integer"}, "long": {"integer"},
		"number": {"number"}, "float": {"number"}, "double": {"number"}, "decimal": {"number"},
		"bool": {"boolean"}, "boolean": {"boolean"},
		"array": {"array"}, "list": {"array"},
		"object": {"object"}, "dict": {"object"}, "map": {"object"},
		"date": {"string", "date"}, "datetime": {"string", "date-time"}, "time": {"string", "time"},
		"email": {"string", "email"}, "url": {"string", "uri"},
	}
}

func (p *plugin) parameters(n located.Node, depth int) (out parameters) {
	if len(n.Items) > maxParameters {
		p.Fault(n, "a tool has at most %d parameters, this one has %d", maxParameters, len(n.Items))
		return nil
	}
	p.Each("parameters", func(v located.Node) {
		if v.Kind != located.Map {
			p.Fault(v, "a parameter must be a mapping, this is %s", located.Describe(v))
			return
		}
		q := p.parameter(v, depth)
		switch {
		case q.name == "":
			p.Fault(v, "a parameter needs a name")
		case !argument.MatchString(q.name) || q.name == "ctx":
			p.Fault(v.Get("name"), "%q cannot be the name of a parameter: letters, digits and _ are allowed, and not ctx", shorten(q.name))
		case slices.ContainsFunc(out, func(o parameter) bool { return o.name == q.name }):
			p.Fault(v.Get("name"), "parameter %q is there twice", q.name)
		default:
			out = append(out, q)
		}
	})(n)
	return out
}

// parameter reads one parameter; items of arrays are parameters without a name.
func (p *plugin) parameter(n located.Node, depth int) parameter {
	q := parameter{required: true, kind: "string"}
	if depth > maxDepth {
		p.Fault(n, "parameters stand more than %d deep in parameters", maxDepth)
		return q
	}
	if n.Kind == located.Text {
		p.kind(n, &q)
		return q
	}
	p.Map(n, "a parameter",
		located.Key{Name: "name", Read: p.String("name", maxText, &q.name)},
		located.Key{Name: "type", Read: func(v located.Node) { p.kind(v, &q) }},
		located.Key{Name: "description", Read: p.String("description", maxDescription, &q.description)},
		located.Key{Name: "required", Read: p.Bool("required", &q.required)},
		located.Key{Name: "enum", Read: func(located.Node) {}},
		located.Key{Name: "items", Read: func(v located.Node) { i := p.parameter(v, depth+1); q.items = &i }},
		located.Key{Name: "properties", Read: func(v located.Node) { q.properties = p.parameters(v, depth+1) }},
	)
	p.enum(n.Get("enum"), &q)
	if q.items != nil && q.kind != "array" {
		p.Fault(n.Get("items"), "items belong to a parameter of type array, this one is %s", q.kind)
	}
	if q.properties != nil && q.kind != "object" {
		p.Fault(n.Get("properties"), "properties belong to a parameter of type object, this one is %s", q.kind)
	}
	return q
}

func (p *plugin) kind(n located.Node, q *parameter) {
	known := kinds()
	k, ok := known[strings.ToLower(n.Text)]
	if !ok || n.Kind != located.Text {
		names := make([]string, 0, len(known))
		for name := range known {
			names = append(names, name)
		}
		slices.Sort(names)
		p.Fault(n, "type must be string, integer, number, boolean, array, object or date, this is %s%s", located.Describe(n), located.Suggest(n.Text, names))
		return
	}
	q.kind, q.format = k[0], k[1]
}

// enum reads the values allowed, in the parameter's own type.
func (p *plugin) enum(n located.Node, q *parameter) {
	p.Each("enum", func(v located.Node) {
		var value any = v.Text
		ok := v.Kind == located.Text
		if ok && q.kind != "string" {
			ok = json.Unmarshal([]byte(strings.ToLower(v.Text)), &value) == nil
			switch value.(type) {
			case float64:
				ok = ok && (q.kind == "number" || q.kind == "integer")
			case bool:
				ok = ok && q.kind == "boolean"
			default:
				ok = false
			}
		}
		if !ok {
			p.Fault(v, "a value of enum must be a %s, this is %s", q.kind, located.Describe(v))
			return
		}
		q.enum = append(q.enum, value)
	})(n)
}

// schema is the JSON Schema of an object with the parameters, without those
// that are bound. Equal parameters give equal bytes.
func (ps parameters) schema(bound []tool.Binding) json.RawMessage {
	ps = slices.DeleteFunc(slices.Clone(ps), func(q parameter) bool {
		return slices.ContainsFunc(bound, func(b tool.Binding) bool { return b.Arg == q.name })
	})
	b, err := json.Marshal(ps.object())
	if err != nil {
		panic("python: a schema of texts and numbers cannot be written: " + err.Error())
	}
	return b
}

func (ps parameters) object() map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, q := range ps {
		properties[q.name] = q.value()
		if q.required {
			required = append(required, q.name)
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func (q parameter) value() map[string]any {
	s := map[string]any{"type": q.kind}
	if q.properties != nil {
		s = q.properties.object()
	}
	if q.format != "" {
		s["format"] = q.format
	}
	if q.description != "" {
		s["description"] = q.description
	}
	if q.enum != nil {
		s["enum"] = q.enum
	}
	if q.items != nil {
		s["items"] = q.items.value()
	}
	return s
}
