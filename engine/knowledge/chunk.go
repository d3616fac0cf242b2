package knowledge

import (
	"strings"
	"unicode/utf8"

	"flametree/engine/knowledge/lexis"
)

// The sizes of passages and texts.
const (
	MaxTextRunes = 50_000 // what lies beyond is not indexed; the portal refuses longer texts
	chunkWords   = 80     // a passage is closed at the first boundary after this many words
	chunkMax     = 120    // and before this many; a sentence that is longer is cut
)

// Chunk cuts a text into passages of about 80 to 120 words at sections,
// paragraphs and sentences. A section that goes on in the next passage has its
// heading repeated there. Lines are kept, so that lists stay lists.
func Chunk(text string) []string {
	c := chunker{}
	for _, s := range lexis.Sections(clip(text)) {
		c.section(s)
	}
	c.flush()
	return c.out
}

// clip cuts a text at its limit.
func clip(text string) string {
	if len(text) <= MaxTextRunes {
		return text
	}
	n := 0
	for i := range text {
		if n == MaxTextRunes {
			return text[:i]
		}
		n++
	}
	return text
}

type chunker struct {
	out   []string
	cur   strings.Builder
	words int
}

func (c *chunker) section(s lexis.Section) {
	size := len(strings.Fields(s.Heading))
	for _, t := range s.Sentences {
		size += len(strings.Fields(t))
	}
	if c.words >= chunkWords || c.words > 0 && c.words+size > chunkMax {
		c.flush()
	}
	if s.Heading != "" {
		c.add(s.Heading, true)
	}
	line := -1
	for i, t := range s.Sentences {
		n := len(strings.Fields(t))
		fresh := s.Lines[i] != line
		if n > chunkMax {
			c.long(strings.Fields(t))
			line = s.Lines[i]
			continue
		}
		if c.words+n > chunkMax || c.words >= chunkWords && fresh {
			c.flush()
			if s.Heading != "" {
				c.add(s.Heading, true)
			}
			fresh = true
		}
		c.add(t, fresh)
		line = s.Lines[i]
	}
}

// long cuts a sentence without end at its words.
func (c *chunker) long(words []string) {
	c.flush()
	for len(words) > 0 {
		n := min(chunkMax, len(words))
		c.add(strings.Join(words[:n], " "), true)
		words = words[n:]
		if len(words) > 0 {
			c.flush()
		}
	}
}

func (c *chunker) add(t string, fresh bool) {
	switch {
	case c.cur.Len() == 0:
	case fresh:
		c.cur.WriteByte('\n')
	default:
		c.cur.WriteByte(' ')
	}
	c.cur.WriteString(t)
	c.words += len(strings.Fields(t))
}

func (c *chunker) flush() {
	if s := strings.TrimSpace(c.cur.String()); s != "" && utf8.RuneCountInString(s) > 0 {
		c.out = append(c.out, s)
	}
	c.cur.Reset()
	c.words = 0
}
