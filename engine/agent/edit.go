package agent

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// texts are the top-level keys whose value is a text, or a single word.
func texts() []string {
	return []string{"name", "alias", "type", "identity", "speech_style", "task", "welcome_message", "show_rag_sources", "require_publish"}
}

// sections are the top-level keys whose value is YAML.
func sections() []string {
	return []string{
		"handoff", "workflow", "conversation_result", "knowledge", "catalogs", "guardrails", "tool_groups", "mcp", "openapi",
		"verification", "models", "env", "limits", "default_operators", "copilot_hours", "push",
	}
}

// Edit puts new values in the place of top-level keys of an agent file and
// leaves all else as it is written. The value of a text key is a plain text,
// that of another is YAML; "" removes the key. The file must hold its keys at
// the beginning of lines. What comes out is valid, or the error is that of
// Parse.
func Edit(file string, changes []event.Pair) (string, error) {
	for _, c := range changes {
		var err error
		if file, err = put(file, c); err != nil {
			return "", err
		}
	}
	if _, _, err := Parse([]byte(file)); err != nil {
		return "", err
	}
	return file, nil
}

func put(file string, c event.Pair) (string, error) {
	var entry string
	switch value := strings.TrimSpace(c.Value); {
	case slices.Contains(texts(), c.Key):
		entry = c.Key + ": " + Scalar(value, 2) + "\n"
	case slices.Contains(sections(), c.Key):
		entry = c.Key + ":\n" + indent(strings.Trim(c.Value, "\n"), 2) + "\n"
	default:
		return "", fmt.Errorf("change %q: an agent file has no such key: %w", c.Key, fault.Invalid)
	}
	if strings.TrimSpace(c.Value) == "" {
		entry = ""
	}
	lines := strings.SplitAfter(file, "\n")
	from := slices.IndexFunc(lines, func(l string) bool { k, ok := topKey(l); return ok && k == c.Key })
	if from < 0 {
		if trimmed := strings.TrimSpace(file); strings.HasPrefix(trimmed, "{") {
			return "", fmt.Errorf("change %q: the file must have its keys at the beginning of lines: %w", c.Key, fault.Invalid)
		}
		if file != "" && !strings.HasSuffix(file, "\n") {
			file += "\n"
		}
		return file + entry, nil
	}
	to := from + 1
	for to < len(lines) && inside(lines[to]) {
		to++
	}
	for to > from+1 && (strings.TrimSpace(lines[to-1]) == "" || lines[to-1][0] == '#') { // they belong to what follows
		to--
	}
	return strings.Join(lines[:from], "") + entry + strings.Join(lines[to:], ""), nil
}

// inside reports whether a line still belongs to the key above it. A list may
// stand as far left as its key.
func inside(line string) bool {
	return strings.TrimSpace(line) == "" || strings.ContainsAny(line[:1], " \t#-")
}

func indent(text string, by int) string {
	blanks := strings.Repeat(" ", by)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.TrimSpace(l) != "" {
			lines[i] = blanks + l
		}
	}
	return strings.Join(lines, "\n")
}

// Scalar writes s as the value of a YAML key: bare where that is safe, as a block
// of lines indented by blanks where s has several, in quotes otherwise. Blanks
// around s are lost.
func Scalar(s string, blanks int) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\r\n", "\n")
	switch {
	case plain(s):
		return s
	case !strings.Contains(s, "\n") || !blocky(s):
		return quote(s)
	}
	return "|\n" + indent(s, blanks)
}

// plain reports whether s needs no quotes: words that YAML takes for nothing
// else.
func plain(s string) bool {
	if s == "" || len(s) > 120 || !letter(s[0]) {
		return false
	}
	for i := range len(s) {
		if !letter(s[i]) && (s[i] < '0' || s[i] > '9') && strings.IndexByte(" _-.,()/", s[i]) < 0 {
			return false
		}
	}
	return !slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}, strings.ToLower(s))
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// blocky reports whether s can stand in a block scalar as it is.
func blocky(s string) bool {
	for l := range strings.SplitSeq(s, "\n") {
		if l != strings.TrimRight(l, " \t") {
			return false
		}
	}
	bad := func(r rune) bool {
		return r < ' ' && r != '\n' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == utf8.RuneError
	}
	return !strings.ContainsFunc(s, bad)
}

// quote writes a text in double quotes.
func quote(s string) string {
	var b bytes.Buffer
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			b.WriteString(`\u` + strconv.FormatInt(0x10000+int64(r), 16)[1:])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
