package dialog

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// When a clause is long enough to be spoken. The first one is short, because
// the caller waits for it; the others are rendered while one is heard, and a
// voice speaks whole sentences better.
const (
	minClause = 12 // characters
	minSoft   = 40 // of a later clause that ends at a comma
	minWords  = 8  // before a cut without punctuation
	maxWords  = 25
	endless   = 60  // words after which anything may be torn apart
	maxLink   = 120 // bytes for which an open bracket may turn out to be a link
)

// Cutter cuts a reply into clauses that can be spoken while the rest is still
// being generated. It cuts at punctuation and line ends, never inside a word,
// number, amount, date, time, address or abbreviation; a stretch of 25 words
// without punctuation is cut at a conjunction. Markup is removed.
//
// Put together, the clauses are the text again, apart from white space and
// markup, and they do not depend on the pieces in which the text came. The zero
// Cutter is ready for one reply; Flush makes it ready for the next.
type Cutter struct {
	buf  string
	tail string // the first bytes of a character that is not complete
	some bool   // a clause was given
	mid  bool   // buf does not begin at the start of a line
	scan scan
}

// scan is how far the buffer was looked at.
type scan struct {
	pos   int    // where the token begins that is looked at
	inner int    // how far that token was searched for cuts inside
	prev  string // the token before it
	fresh bool   // it is the first of its line
	words int    // before it
	conj  int    // the last place before a conjunction, 0 = none
	safe  int    // the last place where a cut tears nothing apart
}

// Push takes the next piece of the reply and gives the clauses it completes.
func (c *Cutter) Push(text string) []string {
	text = c.tail + text
	n := whole(text)
	c.tail = text[n:]
	c.buf += strings.ToValidUTF8(text[:n], "")
	return c.take(false)
}

// Flush gives what is left at the end of the reply.
func (c *Cutter) Flush() []string {
	out := c.take(true)
	out = c.clause(out, len(c.buf))
	*c = Cutter{}
	return out
}

// whole is how much of text consists of complete characters.
func whole(text string) int {
	for i := len(text) - 1; i >= 0 && i >= len(text)-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRuneInString(text[i:]) {
				return i
			}
			break
		}
	}
	return len(text)
}

func (c *Cutter) take(final bool) []string {
	var out []string
	for {
		c.begin()
		at := c.find(final)
		if at == 0 {
			return out
		}
		out = c.clause(out, at)
	}
}

// begin drops white space before a clause, and minds whether a line began there.
func (c *Cutter) begin() {
	if c.scan != (scan{}) {
		return
	}
	words := strings.TrimLeftFunc(c.buf, unicode.IsSpace)
	if strings.Contains(c.buf[:len(c.buf)-len(words)], "\n") {
		c.mid = false
	}
	c.buf = words
}

// clause appends buf up to at to out, cleaned, unless nothing is left of it.
func (c *Cutter) clause(out []string, at int) []string {
	text := plainText(c.buf[:at], !c.mid)
	c.buf, c.mid, c.scan = c.buf[at:], true, scan{}
	if text == "" {
		return out
	}
	c.some = true
	return append(out, text)
}

// find is the end of the first clause in buf, 0 if more text must be seen.
func (c *Cutter) find(final bool) int {
	for {
		s := &c.scan
		rest := c.buf[s.pos:]
		end := len(rest)
		if i := strings.IndexFunc(rest[s.inner:], unicode.IsSpace); i >= 0 {
			end = s.inner + i
		}
		whole := end < len(rest) || final
		if at := c.inside(rest[:end]); at > 0 {
			return at
		}
		if !whole || end == 0 {
			return 0
		}
		if s.pos == 0 {
			s.fresh = !c.mid
		}
		token := rest[:end]
		if at := c.tooLong(token); at > 0 {
			return at
		}
		next := strings.TrimLeftFunc(rest[end:], unicode.IsSpace)
		space := rest[end : len(rest)-len(next)]
		switch c.judge(token, space, next, final) {
		case yes:
			return s.pos + end
		case unsure:
			return 0
		case no:
		}
		if next == "" {
			return 0
		}
		*s = scan{
			pos: s.pos + end + len(space), prev: token, fresh: strings.Contains(space, "\n"),
			words: s.words + 1, conj: s.conj, safe: s.safe,
		}
	}
}

// tooLong cuts a stretch without punctuation, at the last conjunction or else
// at the last place where nothing is torn apart.
func (c *Cutter) tooLong(token string) int {
	s := &c.scan
	if s.words >= minWords && apart(s.prev, token) {
		s.safe = s.pos
		if conjunction(token) {
			s.conj = s.pos
		}
	}
	switch {
	case s.words < maxWords:
		return 0
	case s.conj > 0:
		return s.conj
	case s.safe > 0 || s.words < endless:
		return s.safe
	}
	return s.pos
}

// verdict says whether a clause ends here.
type verdict uint8

const (
	no verdict = iota
	yes
	unsure // the next word must be known first
)

// judge looks at the end of a token, the white space after it and what follows.
func (c *Cutter) judge(token, space, next string, final bool) verdict {
	head := c.buf[:c.scan.pos+len(token)]
	size := utf8.RuneCountInString(head)
	if size < minClause || next == "" && final || openLink(head) {
		return no
	}
	word, whole := next, final
	if i := strings.IndexFunc(next, unicode.IsSpace); i >= 0 {
		word, whole = next[:i], true
	}
	b := boundary(c.scan.prev, token, word, c.scan.fresh)
	switch {
	case b.needs == nothingMore, b.needs == oneLetter && strings.TrimLeft(word, signs) != "", whole:
	default:
		return unsure
	}
	if b.kind == none && strings.Contains(space, "\n") {
		if next == "" {
			return unsure
		}
		// A line that goes on in small letters was only wrapped.
		if r, _ := utf8.DecodeRuneInString(next); strings.Count(space, "\n") > 1 || !unicode.IsLower(r) {
			b.kind = hard
		}
	}
	if b.kind == hard || b.kind == soft && (!c.some || size >= minSoft) {
		return yes
	}
	return no
}

// inside finds an end within a token: after a dash between words, or after the
// punctuation of scripts that write no blanks.
func (c *Cutter) inside(token string) int {
	s := &c.scan
	for s.inner < len(token) {
		r, n := utf8.DecodeRuneInString(token[s.inner:])
		after := s.inner + n
		k := inner(r)
		if k != none {
			if after == len(token) {
				return 0 // judged with what follows
			}
			next, _ := utf8.DecodeRuneInString(token[after:])
			before, _ := utf8.DecodeLastRuneInString(token[:s.inner])
			size := utf8.RuneCountInString(c.buf[:s.pos+after])
			long := size >= minClause && (k == hard || !c.some || size >= minSoft)
			address := strings.Contains(token[:s.inner], "://") || strings.Contains(token[:s.inner], "@")
			if long && !address && !closes(next) && inner(next) == none && !(unicode.IsDigit(before) && unicode.IsDigit(next)) {
				return s.pos + after
			}
		}
		s.inner = after
	}
	return 0
}

// openLink reports whether a bracket is open that may begin a link: its parts
// must stay together to be recognised.
func openLink(head string) bool {
	i := strings.LastIndexByte(head, '[')
	return i >= 0 && len(head)-i < maxLink && !strings.Contains(head[i:], "]")
}

// Join puts clauses together as one line of the conversation.
func Join(clauses []string) string { return strings.Join(clauses, " ") }
