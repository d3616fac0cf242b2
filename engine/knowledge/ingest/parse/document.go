package parse

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Section is a stretch of a document. No section's Text is longer than
// MaxSection bytes: longer ones are cut at paragraphs and repeat the heading.
type Section struct {
	Heading string `json:"heading,omitempty"`
	Text    string `json:"text,omitempty"`
	Page    int    `json:"page,omitempty"` // from 1 on; 0 where the format has no pages
}

// Document is what was read from one file, page or video.
type Document struct {
	Title    string    `json:"title,omitempty"`
	Source   string    `json:"source"` // the file's name or the address
	Sections []Section `json:"sections,omitempty"`
	Warnings []string  `json:"warnings,omitempty"` // for the user: what is missing and what to do
}

// Sink takes what is read while it is read. Its methods are called from one
// goroutine; an error of Section ends the reading.
type Sink interface {
	Title(title string)
	Section(s Section) error
	Warn(text string)
}

// Collect is the Sink that keeps everything in a Document.
func Collect(d *Document) Sink { return collector{d} }

type collector struct{ doc *Document }

func (c collector) Title(title string)      { c.doc.Title = title }
func (c collector) Section(s Section) error { c.doc.Sections = append(c.doc.Sections, s); return nil }
func (c collector) Warn(text string)        { c.doc.Warnings = append(c.doc.Warnings, text) }

// MaxSection is the greatest length of a section's text in bytes. It is below
// the 50,000 characters that the index takes as one text.
const MaxSection = 32 << 10

// Input is one file. At is read at any place; Path names the same file on disk
// and is needed for PDF only.
type Input struct {
	At   io.ReaderAt
	Size int64
	Path string
	Name string // as the user named it; only a hint
	Dir  string // for temporary files; "" = the system's
}

// reader reads the input from its beginning.
func (in Input) reader() io.Reader { return io.NewSectionReader(in.At, 0, in.Size) }

// builder makes sections of headings and paragraphs.
type builder struct {
	sink    Sink
	heading string
	page    int
	pending bool // the heading has not been told yet
	text    strings.Builder
}

// head begins a section.
func (b *builder) head(heading string) error {
	if err := b.flush(); err != nil {
		return err
	}
	b.heading = clip(oneLine(heading), 300)
	b.pending = b.heading != ""
	return nil
}

// turn begins a page.
func (b *builder) turn(page int) error {
	err := b.flush()
	b.page = page
	return err
}

// para adds a paragraph; its lines stay lines.
func (b *builder) para(text string) error {
	text = tidy(text)
	for text != "" {
		if b.text.Len() > 0 && b.text.Len()+len(text)+2 > MaxSection {
			if err := b.flush(); err != nil {
				return err
			}
		}
		var piece string
		piece, text = cut(text, MaxSection)
		if piece == "" {
			continue
		}
		if b.text.Len() > 0 {
			b.text.WriteString("\n\n")
		}
		b.text.WriteString(piece)
	}
	return nil
}

// line adds a line to the paragraph before it, such as an item of a list.
func (b *builder) line(text string) error {
	text = tidy(text)
	if text == "" {
		return nil
	}
	if b.text.Len() == 0 || b.text.Len()+len(text)+1 > MaxSection {
		return b.para(text)
	}
	b.text.WriteByte('\n')
	b.text.WriteString(text)
	return nil
}

// flush tells the section that was begun.
func (b *builder) flush() error {
	if b.text.Len() == 0 && !b.pending {
		return nil
	}
	s := Section{Heading: b.heading, Text: b.text.String(), Page: b.page}
	b.text.Reset()
	b.pending = false
	return b.sink.Section(s)
}

// cut takes at most limit bytes from the front, at a line or a word where one ends.
func cut(text string, limit int) (piece, rest string) {
	if len(text) <= limit {
		return text, ""
	}
	end := limit
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	for _, sep := range []string{"\n", ". ", " "} {
		if i := strings.LastIndex(text[:end], sep); i > limit/2 {
			end = i + len(sep)
			break
		}
	}
	return strings.TrimSpace(text[:end]), strings.TrimSpace(text[end:])
}

// tidy makes a text valid, drops what is not seen, and runs of spaces and of
// empty lines.
func tidy(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	space, lines := false, 0
	for _, r := range text {
		switch {
		case r == '\n' || r == '\u2028' || r == '\u2029' || r == '\f' || r == '\v':
			lines++
			space = false
		case unicode.IsSpace(r):
			space = true
		case unseen(r):
		default:
			if lines > 0 && b.Len() > 0 {
				b.WriteString("\n\n"[:min(lines, 2)])
			} else if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space, lines = false, 0
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unseen reports whether a rune says nothing: a control, a soft hyphen, a mark
// of order, or what stands for a byte that could not be read.
func unseen(r rune) bool {
	switch r {
	case '\u00ad', '\u200b', '\u200e', '\u200f', '\ufeff', utf8.RuneError:
		return true
	}
	return unicode.IsControl(r)
}

func oneLine(text string) string { return strings.Join(strings.Fields(tidy(text)), " ") }

// clip shortens a text to at most so many bytes, at a rune.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
