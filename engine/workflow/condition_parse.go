package workflow

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flametree/engine/workflow/located"
)

type tokKind uint8

const (
	tokEnd    tokKind = iota
	tokWord           // names and keywords, with "-" inside
	tokNumber         // as written
	tokText           // the text without its quotes
	tokSign           // == != < <= > >= ( ) [ ] , .
)

type token struct {
	kind tokKind
	text string
	at   int // byte where it begins
	end  int // byte behind it
}

// condParser reads a condition by recursive descent. After the first fault it
// only runs to the end.
type condParser struct {
	text  string
	pos   int
	tok   token
	refs  []path
	fault string
	at    int // byte of the fault
}

func (p *condParser) fail(at int, format string, args ...any) {
	if p.fault == "" {
		p.fault, p.at = fmt.Sprintf(format, args...), at
		p.pos, p.tok = len(p.text), token{at: len(p.text), end: len(p.text)}
	}
}

// next reads a token into p.tok.
func (p *condParser) next() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
	rest, at := p.text[p.pos:], p.pos
	if rest == "" {
		p.tok = token{at: at, end: at}
		return
	}
	r, _ := utf8.DecodeRuneInString(rest)
	n := 0
	switch {
	case r == '"' || r == '\'':
		p.quoted(at, byte(r))
		return
	case r == '_' || unicode.IsLetter(r):
		n = prefix(rest, func(r rune) bool { return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) })
		p.take(tokWord, n)
		return
	case r >= '0' && r <= '9' || r == '-' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		n = 1 + prefix(rest[1:], func(r rune) bool { return r == '.' || r >= '0' && r <= '9' })
		p.take(tokNumber, n)
		return
	}
	for _, sign := range []string{"==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", "."} {
		if strings.HasPrefix(rest, sign) {
			p.take(tokSign, len(sign))
			return
		}
	}
	for _, wrong := range []struct{ sign, say string }{{"=", "=="}, {"&&", "and"}, {"||", "or"}, {"!", "not"}} {
		if strings.HasPrefix(rest, wrong.sign) {
			p.fail(at, "write %q in place of %q", wrong.say, wrong.sign)
			return
		}
	}
	p.fail(at, "%q means nothing here", string(r))
}

func (p *condParser) take(kind tokKind, n int) {
	p.tok = token{kind: kind, text: p.text[p.pos : p.pos+n], at: p.pos, end: p.pos + n}
	p.pos += n
}

func prefix(s string, in func(rune) bool) int {
	for i, r := range s {
		if !in(r) {
			return i
		}
	}
	return len(s)
}

// quoted reads a text in quotes; \ takes the next character as it is.
func (p *condParser) quoted(at int, quote byte) {
	var b strings.Builder
	for i := at + 1; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == quote:
			p.pos = i + 1
			p.tok = token{kind: tokText, text: b.String(), at: at, end: p.pos}
			return
		case c == '\\' && i+1 < len(p.text):
			i++
			b.WriteByte(p.text[i])
		default:
			b.WriteByte(c)
		}
	}
	p.fail(at, "the quotation mark %c is not closed", quote)
}

// sign reports whether the token is one of the signs.
func (p *condParser) sign(s ...string) bool {
	return p.tok.kind == tokSign && slices.Contains(s, p.tok.text)
}

// word reports whether the token is one of the words, however capitalised.
func (p *condParser) word(s ...string) bool {
	return p.tok.kind == tokWord && slices.Contains(s, strings.ToLower(p.tok.text))
}

func (p *condParser) or() expr {
	x := p.and()
	for p.word("or") {
		p.next()
		x = either{x, p.and()}
	}
	return x
}

func (p *condParser) and() expr {
	x := p.not()
	for p.word("and") {
		p.next()
		x = both{x, p.not()}
	}
	return x
}

func (p *condParser) not() expr {
	if p.word("not") {
		p.next()
		return not{p.not()}
	}
	return p.compare()
}

func (p *condParser) compare() expr {
	x := p.operand()
	switch {
	case p.word("is"):
		return p.isSet(x)
	case p.word("not"):
		p.next()
		if !p.word("in", "contains") {
			p.unexpected()
			return x
		}
		return not{p.binary(x)}
	case p.word("in", "contains"), p.sign("==", "!=", "<", "<=", ">", ">="):
		return p.binary(x)
	}
	return x
}

func (p *condParser) binary(a expr) expr {
	op := strings.ToLower(p.tok.text)
	p.next()
	x := compare{op: op, a: a, b: p.operand()}
	if p.word("in", "contains", "is") || p.sign("==", "!=", "<", "<=", ">", ">=") {
		p.fail(p.tok.at, "two comparisons in a row: join them with and")
	}
	return x
}

func (p *condParser) isSet(x expr) expr {
	p.next()
	negated := p.word("not")
	if negated {
		p.next()
	}
	if !p.word("set") {
		p.fail(p.tok.at, `after "is" comes "set" or "not set"`)
		return x
	}
	p.next()
	if negated {
		return not{set{x}}
	}
	return set{x}
}

func (p *condParser) operand() expr {
	t := p.tok
	switch {
	case t.kind == tokText:
		p.next()
		return literal{value{kind: isText, text: t.text}}
	case t.kind == tokNumber:
		return p.number()
	case p.word("true", "false"):
		p.next()
		return literal{value{kind: isBool, yes: strings.EqualFold(t.text, "true")}}
	case t.kind == tokWord && !p.keyword():
		return p.path()
	case p.sign("("):
		p.next()
		x := p.or()
		p.expect(")", t.at)
		return x
	case p.sign("["):
		return p.list()
	}
	p.unexpected()
	return literal{}
}

func (p *condParser) keyword() bool {
	return p.word("and", "or", "not", "in", "contains", "is", "set")
}

func (p *condParser) number() expr {
	v := numeral(p.tok.text)
	if v.kind != isNumber || strings.HasSuffix(p.tok.text, ".") {
		p.fail(p.tok.at, "%q is no number", p.tok.text)
		return literal{}
	}
	p.next()
	return literal{v}
}

func (p *condParser) expect(close string, open int) {
	if p.fault == "" && !p.sign(close) {
		if p.tok.kind == tokEnd {
			p.fail(open, "the bracket is not closed")
			return
		}
		p.unexpected()
		return
	}
	p.next()
}

func (p *condParser) list() expr {
	open := p.tok.at
	p.next()
	var out list
	for !p.sign("]") && p.tok.kind != tokEnd {
		out.items = append(out.items, p.operand())
		if !p.sign(",") {
			break
		}
		p.next()
	}
	p.expect("]", open)
	return out
}

// roots are the names a condition knows; the first three have names below them.
func roots() []string {
	return []string{"results", "observations", "params", "channel", "mode", "turns", "digits", "now"}
}

func (p *condParser) path() expr {
	t := p.tok
	x := path{root: t.text}
	i := slices.Index(roots(), t.text)
	if i < 0 {
		p.unknown(t)
		return x
	}
	p.next()
	for p.sign(".", "[") {
		if i > 2 {
			p.fail(p.tok.at, "%s has nothing below it", t.text)
			return x
		}
		p.key(&x)
	}
	switch {
	case p.sign("("):
		p.fail(p.tok.at, "a condition calls no functions")
	case i <= 2 && len(x.keys) == 0:
		p.fail(t.at, "%s needs a name, such as %s.Name", t.text, t.text)
	case i == 0 && len(x.keys) > 1:
		p.fail(t.at, "a conversation result has nothing below it: results.%s", x.keys[0])
	}
	p.refs = append(p.refs, x)
	return x
}

// key reads .name, .0, [0] or ["any name"].
func (p *condParser) key(x *path) {
	bracket, open := p.sign("["), p.tok.at
	p.next()
	switch {
	case p.tok.kind == tokWord && !bracket, p.tok.kind == tokText && bracket:
		x.keys = append(x.keys, p.tok.text)
	case p.tok.kind == tokNumber && bracket && strings.Trim(p.tok.text, "0123456789") == "":
		x.keys = append(x.keys, p.tok.text)
	case p.tok.kind == tokNumber && !bracket && strings.Trim(p.tok.text, "0123456789.") == "": // .0.1 is read as a number
		x.keys = append(x.keys, strings.Split(strings.TrimSuffix(p.tok.text, "."), ".")...)
		if strings.HasSuffix(p.tok.text, ".") {
			p.pos--
		}
	default:
		p.unexpected()
		return
	}
	p.next()
	if bracket {
		p.expect("]", open)
	}
}

func (p *condParser) unknown(t token) {
	if strings.HasPrefix(strings.TrimLeft(p.text[t.end:], " "), "(") {
		p.fail(t.at, "a condition calls no functions")
		return
	}
	switch strings.ToLower(t.text) {
	case "null", "none", "nil":
		p.fail(t.at, `write "is set" or "is not set"`)
		return
	}
	hint := located.Suggest(t.text, roots())
	if hint == "" {
		hint = fmt.Sprintf(": a text stands in quotes, a result is results.%s", t.text)
	}
	p.fail(t.at, "unknown name %q%s", t.text, hint)
}

func (p *condParser) unexpected() {
	if p.tok.kind == tokEnd {
		p.fail(p.tok.at, "something is missing at the end")
		return
	}
	p.fail(p.tok.at, "%q is not expected here", p.text[p.tok.at:p.tok.end])
}
