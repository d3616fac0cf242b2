package agent

import (
	"slices"
	"strings"
	"unicode"

	"flametree/engine/workflow/located"
)

// standard are the fields of Standard Information (spec D30), for what a file
// leaves out of them.
func standard() []Field {
	return []Field{
		{Name: "HumanFullName", Title: "Full name", Description: "The full name of the human"},
		{Name: "HumanEmail", Title: "Email", Description: "The e-mail address of the human"},
		{Name: "HumanPhoneNumber", Title: "Phone", Description: "The telephone number of the human"},
		{Name: "Topic", Title: "Topic", Description: "The main subject of the conversation, in a few words"},
		{Name: "ConversationSummary", Title: "Summary", Description: "What was said and agreed so far, in one or two sentences"},
	}
}

// results reads conversation_result: a list, or a block scalar that holds one.
func (p *parser) results(n located.Node) {
	n = located.Unfold(n, p.Report)
	p.Each("conversation_result", p.result)(n)
	if len(p.spec.Results) > MaxResults {
		p.Fault(n, "at most %d conversation results are allowed, this file has %d", MaxResults, len(p.spec.Results))
	}
}

func (p *parser) result(n located.Node) {
	f := Field{Type: Str}
	var kind string
	p.Map(n, "a conversation result",
		located.Key{Name: "field_name", Read: p.String("field_name", MaxTitle, &f.Name)},
		located.Key{Name: "field_description", Read: p.String("field_description", maxValue, &f.Description)},
		located.Key{Name: "field_title", Read: p.String("field_title", MaxTitle, &f.Title)},
		located.Key{Name: "field_type", Read: func(v located.Node) { p.fieldType(v, &f) }},
		located.Key{Name: "kind", Read: p.String("kind", MaxTitle, &kind)},
	)
	if n.Kind != located.Map {
		return
	}
	if kind != "" && kind != "FormInfoField" {
		p.Fault(n.Get("kind"), "kind must be FormInfoField, this is %q", kind)
	}
	name := n.Get("field_name")
	if f.Name == "" {
		p.Fault(n, "a conversation result needs a field_name")
		return
	}
	if !isIdentifier(f.Name) {
		p.Warn(name, "field_name %q is no plain identifier: conditions cannot refer to it", f.Name)
	}
	if slices.ContainsFunc(p.spec.Results, func(g Field) bool { return g.Name == f.Name }) {
		p.Fault(name, "conversation result %q exists already", f.Name)
		return
	}
	for _, s := range standard() {
		if s.Name == f.Name {
			f.Title, f.Description = or(f.Title, s.Title), or(f.Description, s.Description)
		}
	}
	if f.Description == "" {
		p.Warn(n, "without a field_description the model can only guess what %s is", f.Name)
	}
	p.spec.Results = append(p.spec.Results, f)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func isIdentifier(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func (p *parser) fieldType(n located.Node, f *Field) {
	var s string
	if p.String("field_type", MaxText, &s)(n); s == "" {
		return
	}
	names := map[string]FieldType{
		"str": Str, "string": Str, "int": Int, "integer": Int, "bool": Bool, "boolean": Bool,
		"date": Date, "datetime": Datetime, "list[str]": StrList, "list[string]": StrList,
	}
	if t, ok := names[strings.ToLower(s)]; ok {
		f.Type = t
		return
	}
	inside, ok := strings.CutPrefix(s, "Literal[")
	inside, closed := strings.CutSuffix(inside, "]")
	if !ok || !closed {
		known := []string{"str", "int", "bool", "date", "datetime", "list[str]", "Literal['a', 'b']"}
		p.Fault(n, "field_type must be one of %s, this is %s%s", strings.Join(known, ", "), located.Describe(n), located.Suggest(s, known))
		return
	}
	f.Type = Literal
	if f.Options, ok = literal(inside); !ok {
		p.Fault(n, "Literal needs different options in quotes between commas, like Literal['a', 'b']; this is %s", located.Describe(n))
	}
}

// literal reads the inside of Literal[…]: options in single or double quotes
// with \ before a quote, or bare numbers and words.
func literal(s string) ([]string, bool) {
	var out []string
	for {
		s = strings.TrimSpace(s)
		if s == "" {
			break
		}
		item, rest, ok := literalItem(s)
		if item = strings.TrimSpace(item); !ok || item == "" || slices.Contains(out, item) {
			return nil, false
		}
		out = append(out, item)
		rest = strings.TrimSpace(rest)
		if rest == "" {
			break
		}
		if s, ok = strings.CutPrefix(rest, ","); !ok {
			return nil, false
		}
	}
	return out, len(out) > 0 && len(out) <= maxItems
}

func literalItem(s string) (item, rest string, ok bool) {
	quote := s[0]
	if quote != '\'' && quote != '"' {
		i := strings.IndexByte(s, ',')
		if i < 0 {
			i = len(s)
		}
		return s[:i], s[i:], !strings.ContainsAny(s[:i], "'\"[]")
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
