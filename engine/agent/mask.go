package agent

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flametree/engine/fault"
	"flametree/engine/workflow/located"
)

// Masked stands where a secret was taken out of a file. A variable with this
// value has to be entered again.
const Masked = "**********"

// Mask takes the values of all secret variables out of a valid agent file, and
// those of variables whose names say that they are secret, such as X_API_KEY,
// when strict. All else stays as it was written, byte for byte, but for other
// places that repeat such a value. keys are the variables, those of tool
// groups as GROUP/KEY. A file that Parse refuses is fault.Invalid.
func Mask(file string, strict bool) (masked string, keys []string, err error) {
	if _, _, err := Parse([]byte(file)); err != nil {
		return "", nil, err
	}
	r := located.NewReport("file")
	m := masker{file: strings.TrimPrefix(file, "\ufeff"), strict: strict}
	m.lines()
	root := located.Parse([]byte(file), r)
	m.env("", root.Get("env"))
	groups := root.Get("tool_groups")
	items := groups.Items
	if groups.Kind == located.Map {
		items = []located.Node{groups}
	}
	for _, g := range items {
		name := g.Get("name").Text
		if name == "" {
			name = g.Get("path").Text
		}
		m.env(name+"/", g.Get("env"))
	}
	out := m.write()
	return out, m.keys, m.leaks(out)
}

// masker gathers the places of secrets.
type masker struct {
	file   string
	strict bool
	starts []int // of lines
	spans  []span
	keys   []string
	values []string
}

type span struct{ from, to int }

func (m *masker) lines() {
	m.starts = []int{0}
	for i := range len(m.file) {
		if m.file[i] == '\n' {
			m.starts = append(m.starts, i+1)
		}
	}
}

func (m *masker) env(prefix string, n located.Node) {
	for _, p := range n.Pairs {
		v, secret := p.Value, false
		if v.Kind == located.Map {
			v = p.Value.Get("value")
			switch strings.ToLower(p.Value.Get("secret").Text) {
			case "true", "yes", "on":
				secret = true
			}
		}
		if !secret && (!m.strict || !soundsSecret(p.Key.Text)) || v.Kind != located.Text || strings.TrimSpace(v.Text) == "" {
			continue
		}
		if key := prefix + p.Key.Text; !slices.Contains(m.keys, key) {
			m.keys = append(m.keys, key)
		}
		if v.Text == Masked {
			continue
		}
		m.values = append(m.values, strings.TrimSpace(v.Text))
		if s, ok := m.find(v); ok && !slices.Contains(m.spans, s) {
			m.spans = append(m.spans, s)
		}
	}
}

// soundsSecret goes by the name alone.
func soundsSecret(key string) bool {
	if key == "VOICE_PREROLL_MS" {
		return false
	}
	for _, end := range []string{"KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIALS"} {
		if k := strings.ToUpper(key); k == end || strings.HasSuffix(k, "_"+end) || strings.HasSuffix(k, "API"+end) {
			return true
		}
	}
	return false
}

// find is where a scalar stands in the file, quotes and block header included.
func (m *masker) find(n located.Node) (span, bool) {
	if n.Line < 1 || n.Line > len(m.starts) {
		return span{}, false
	}
	line := m.file[m.starts[n.Line-1]:]
	at := m.starts[n.Line-1]
	for range n.Col - 1 { // columns count characters
		_, size := firstRune(line)
		if size == 0 || line[0] == '\n' {
			return span{}, false
		}
		line, at = line[size:], at+size
	}
	switch {
	case line == "":
		return span{}, false
	case line[0] == '"' || line[0] == '\'':
		end := quotedEnd(line)
		return span{at, at + end}, end > 0
	case line[0] == '|' || line[0] == '>':
		return span{at, m.blockEnd(n)}, true
	case strings.HasPrefix(line, strings.TrimSpace(n.Text)):
		return span{at, at + len(strings.TrimSpace(n.Text))}, true
	}
	return span{}, false
}

func firstRune(s string) (string, int) {
	for i := range s {
		if i > 0 {
			return s[:i], i
		}
	}
	return s, len(s)
}

func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[0] == '"' && s[i] == '\\', s[0] == '\'' && s[i] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return 0
}

// blockEnd is behind the last line of a block scalar, without its line break:
// lines that are blank or as far to the right as the first one with words.
func (m *masker) blockEnd(n located.Node) int {
	indent, end := 0, m.lineEnd(n.Line)
	for l := n.Line + 1; l <= len(m.starts); l++ {
		text := m.file[m.starts[l-1]:m.lineEnd(l)]
		words := strings.TrimLeft(text, " ")
		if strings.TrimSpace(words) == "" {
			continue
		}
		if indent == 0 {
			indent = max(1, len(text)-len(words))
		}
		if len(text)-len(words) < indent {
			break
		}
		end = m.lineEnd(l)
	}
	return end
}

func (m *masker) lineEnd(line int) int {
	if line >= len(m.starts) {
		return len(m.file)
	}
	return m.starts[line] - 1
}

func (m *masker) write() string {
	slices.SortFunc(m.spans, func(a, b span) int { return a.from - b.from })
	var b bytes.Buffer
	at := 0
	for _, s := range m.spans {
		if s.from < at {
			continue
		}
		b.WriteString(m.file[at:s.from])
		b.WriteString(`"` + Masked + `"`)
		at = s.to
	}
	b.WriteString(m.file[at:])
	out := b.String()
	const repeated = 6 // characters; a shorter value may stand anywhere by chance
	for _, v := range m.values {
		if len(v) >= repeated {
			out = strings.ReplaceAll(out, v, Masked)
		}
	}
	return out
}

// leaks makes sure of the outcome by reading it: the way YAML is written has
// too many forms to trust one's own reading of it.
func (m *masker) leaks(out string) error {
	spec, _, err := Parse([]byte(out))
	if err != nil {
		return fmt.Errorf("a secret stands where it cannot be taken out: %w", err)
	}
	left := func(key, value string) bool {
		return slices.Contains(m.keys, key) && value != Masked
	}
	for _, p := range spec.Env {
		if left(p.Key, p.Value) {
			return fmt.Errorf("file: the value of %s cannot be taken out: write it on one line: %w", p.Key, fault.Invalid)
		}
	}
	for _, g := range spec.ToolGroups {
		for _, p := range g.Env {
			if left(cmp.Or(g.Name, g.Path)+"/"+p.Key, p.Value) {
				return fmt.Errorf("file: the value of %s cannot be taken out: write it on one line: %w", p.Key, fault.Invalid)
			}
		}
	}
	return nil
}

// Masked lists the variables whose values were taken out and not entered again:
// tools that use them cannot work. Those of tool groups are GROUP/KEY.
func (s *Spec) Masked() []string {
	var out []string
	for _, p := range s.Env {
		if p.Value == Masked {
			out = append(out, p.Key)
		}
	}
	for _, g := range s.ToolGroups {
		for _, p := range g.Env {
			if p.Value == Masked {
				out = append(out, cmp.Or(g.Name, g.Path)+"/"+p.Key)
			}
		}
	}
	return out
}
