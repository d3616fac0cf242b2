package guard

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"flametree/engine/fault"
)

// maxProgram bounds an expression once its counted repetitions are written out,
// so that x{1000}{1000} is refused before it costs memory.
const maxProgram = 3000

// pattern is a user's expression with what tells how it may still grow.
type pattern struct {
	whole *regexp.Regexp
	grow  *regexp.Regexp // matches, up to the end, whatever may become a hit
	first bool           // it looks for the beginning of the text
}

// compile reads an expression in RE2 syntax, as package regexp does.
func compile(expr string) (*pattern, error) {
	if n := utf8.RuneCountInString(expr); n > MaxValue {
		return nil, fmt.Errorf("an expression has at most %d characters, this one has %d: %w", MaxValue, n, fault.Invalid)
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %s: %w", expr, strings.TrimPrefix(err.Error(), "error parsing regexp: "), fault.Invalid)
	}
	if matchesNothing(tree) {
		return nil, fmt.Errorf("expression %q matches an empty text and so everything: %w", expr, fault.Invalid)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil || len(prog.Inst) > maxProgram {
		return nil, fmt.Errorf("expression %q is too large once its repetitions are written out: %w", expr, fault.Invalid)
	}
	whole, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", expr, fault.Invalid)
	}
	grow, err := regexp.Compile("(?:" + beginnings(tree) + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("expression %q is too large to be watched in a stream: %w", expr, fault.Invalid)
	}
	return &pattern{whole: whole, grow: grow, first: looksBack(tree)}, nil
}

func matchesNothing(tree *syntax.Regexp) bool {
	re, err := regexp.Compile(tree.String())
	return err == nil && re.MatchString("")
}

func looksBack(tree *syntax.Regexp) bool {
	return tree.Op == syntax.OpBeginText || tree.Op == syntax.OpBeginLine || slices.ContainsFunc(tree.Sub, looksBack)
}

// beginnings writes an expression for every beginning of what tree matches, the
// empty one and the whole included. It may allow more, never less: conditions
// that depend on text to come are left out.
func beginnings(tree *syntax.Regexp) string {
	switch tree.Op {
	case syntax.OpLiteral:
		out := ""
		for _, r := range slices.Backward(tree.Rune) {
			one := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune{r}, Flags: tree.Flags}
			out = "(?:" + one.String() + out + ")?"
		}
		return out
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "(?:" + tree.String() + ")?"
	case syntax.OpCapture, syntax.OpQuest:
		return beginnings(tree.Sub[0])
	case syntax.OpStar, syntax.OpPlus:
		return "(?:" + tree.Sub[0].String() + ")*(?:" + beginnings(tree.Sub[0]) + ")"
	case syntax.OpRepeat:
		times := "*"
		if tree.Max > 0 {
			times = fmt.Sprintf("{0,%d}", tree.Max-1)
		}
		return "(?:" + tree.Sub[0].String() + ")" + times + "(?:" + beginnings(tree.Sub[0]) + ")"
	case syntax.OpConcat:
		out := ""
		for i, s := range slices.Backward(tree.Sub) {
			if i == len(tree.Sub)-1 {
				out = "(?:" + beginnings(s) + ")"
				continue
			}
			out = "(?:(?:" + s.String() + ")" + out + "|" + beginnings(s) + ")"
		}
		return out
	case syntax.OpAlternate:
		parts := make([]string, len(tree.Sub))
		for i, s := range tree.Sub {
			parts[i] = "(?:" + beginnings(s) + ")"
		}
		return strings.Join(parts, "|")
	default: // places, not characters
		return ""
	}
}

// expressions is a rule of kind Regex.
type expressions []*pattern

func newExpressions(values []string) (expressions, error) {
	out := make(expressions, 0, len(values))
	for _, v := range values {
		p, err := compile(v)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (e expressions) find(v *view) []span {
	var out []span
	for _, p := range e {
		for _, m := range p.whole.FindAllStringIndex(v.text, -1) {
			if m[0] == m[1] || p.first && m[0] == 0 && v.cut {
				continue
			}
			out = append(out, span{start: m[0], end: m[1]})
		}
	}
	return out
}

// open holds what may become a hit. A hit of an expression without bounds is
// held for half of maxHold only, or replies would wait for their end.
func (e expressions) open(v *view) int {
	at := len(v.text)
	for _, p := range e {
		if m := p.grow.FindStringIndex(v.text); m != nil {
			at = min(at, m[0])
		}
	}
	return max(at, runeStart(v.text, len(v.text)-maxHold/2))
}

// runeStart is the beginning of the character that i stands in.
func runeStart(s string, i int) int {
	if i <= 0 {
		return 0
	}
	for i < len(s) && i > 0 && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}
