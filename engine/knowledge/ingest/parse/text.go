package parse

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// decoded reads the input as UTF-8, whatever it is written in.
func decoded(in Input) (io.Reader, error) {
	head := make([]byte, min(sniffed, in.Size))
	n, err := in.At.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the beginning of the file: %w", err)
	}
	return guessCharset(head[:n]).reader(in.reader()), nil
}

// eachLine gives the lines of a text without their ends. A line longer than a
// section is given in pieces, cut between words.
func eachLine(ctx context.Context, in Input, each func(line string) error) error {
	src, err := decoded(in)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(src, MaxSection/2)
	begun := "" // the beginning of a word that was cut
	for {
		part, err := r.ReadSlice('\n')
		ended, full := errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !ended && !full {
			return fmt.Errorf("read the text: %w", err)
		}
		line := begun + string(part)
		begun = ""
		if full {
			line, begun = beforeLastWord(line)
		}
		if line != "" {
			if err := each(strings.TrimRight(line, "\r\n")); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// beforeLastWord parts a piece of a line before the word at its end, or, where
// there are no words, before its last rune, both of which may go on.
func beforeLastWord(s string) (before, last string) {
	if i := strings.LastIndexAny(s, " \t"); i > 0 {
		return s[:i], s[i+1:]
	}
	i := len(s) - 1
	for i > 0 && !utf8.RuneStart(s[i]) {
		i--
	}
	return s[:i], s[i:]
}

// readText reads plain text: paragraphs are what empty lines part.
func readText(ctx context.Context, in Input, sink Sink) error {
	p := paragraphs{builder: builder{sink: sink}}
	if err := eachLine(ctx, in, p.add); err != nil {
		return err
	}
	return p.end()
}

// paragraphs gathers lines until a paragraph is whole.
type paragraphs struct {
	builder
	cur strings.Builder
}

func (p *paragraphs) add(line string) error {
	if strings.TrimSpace(line) == "" || p.cur.Len()+len(line) > MaxSection {
		if err := p.close(); err != nil {
			return err
		}
	}
	p.cur.WriteString(line)
	p.cur.WriteByte('\n')
	return nil
}

func (p *paragraphs) close() error {
	text := p.cur.String()
	p.cur.Reset()
	return p.para(text)
}

func (p *paragraphs) end() error {
	if err := p.close(); err != nil {
		return err
	}
	return p.flush()
}

var (
	atxHeading = regexp.MustCompile(`^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$`)
	setext     = regexp.MustCompile(`^ {0,3}(={2,}|-{2,})[ \t]*$`)
	tableRule  = regexp.MustCompile(`^\s*\|?(\s*:?-{3,}:?\s*\|)+\s*:?-*:?\s*\|?\s*$`)
	mdLink     = regexp.MustCompile(`!?\[([^\[\]]*)\]\((<[^<>]*>|[^()\s]*)(\s+"[^"]*")?\)`)
	mdStrong   = regexp.MustCompile(`(\*\*|__)([^*_\n]+)(\*\*|__)`)
)

// readMarkdown reads CommonMark with the tables of GitHub (spec.commonmark.org
// 0.31, 4.2, 4.3 and 4.5): headings make sections, fenced code is kept as it
// is, a link is its text.
func readMarkdown(ctx context.Context, in Input, sink Sink) error {
	m := markdown{paragraphs: paragraphs{builder: builder{sink: sink}}}
	if err := eachLine(ctx, in, m.line); err != nil {
		return err
	}
	if err := m.held(); err != nil {
		return err
	}
	return m.end()
}

type markdown struct {
	paragraphs
	fence  string // what closes the code we are in
	front  bool   // in the settings before the text
	begun  bool
	titled bool
	last   string // a line that may turn out to be a heading
}

func (m *markdown) line(line string) error {
	if !m.begun {
		m.begun = true
		if line == "---" {
			m.front = true
			return nil
		}
	}
	if m.front {
		return m.setting(line)
	}
	if m.fence != "" {
		return m.code(line)
	}
	trimmed := strings.TrimSpace(line)
	var h []string
	if strings.HasPrefix(trimmed, "#") {
		h = atxHeading.FindStringSubmatch(line)
	}
	switch {
	case strings.HasPrefix(trimmed, "```"), strings.HasPrefix(trimmed, "~~~"):
		m.fence = trimmed[:3]
		return m.held()
	case h != nil:
		if err := m.held(); err != nil {
			return err
		}
		return m.heading(len(h[1]), h[2])
	case setext.MatchString(line) && m.last != "":
		text, level := m.last, 2
		if strings.Contains(line, "=") {
			level = 1
		}
		m.last = ""
		return m.heading(level, text)
	case tableRule.MatchString(line):
		return nil
	}
	if err := m.held(); err != nil {
		return err
	}
	m.last = line
	if trimmed == "" {
		return m.held()
	}
	return nil
}

// held takes the line that turned out to be no heading.
func (m *markdown) held() error {
	line := m.last
	m.last = ""
	return m.add(plain(line))
}

func (m *markdown) heading(level int, text string) error {
	if err := m.close(); err != nil {
		return err
	}
	text = plain(text)
	if level == 1 && !m.titled {
		m.titled = true
		m.sink.Title(oneLine(text))
	}
	return m.head(text)
}

// setting reads the block of settings that static sites begin with.
func (m *markdown) setting(line string) error {
	if line == "---" || line == "..." {
		m.front = false
		return nil
	}
	if v, ok := strings.CutPrefix(line, "title:"); ok {
		m.titled = true
		m.sink.Title(strings.Trim(oneLine(v), `"'`))
	}
	return nil
}

func (m *markdown) code(line string) error {
	if strings.HasPrefix(strings.TrimSpace(line), m.fence) {
		m.fence = ""
		return nil
	}
	return m.add(line)
}

// plain takes the marks out of a line of Markdown. A row of a table keeps its
// bars between the cells.
func plain(line string) string {
	if strings.Contains(line, "](") {
		line = mdLink.ReplaceAllString(line, "$1")
	}
	if strings.Contains(line, "**") || strings.Contains(line, "__") {
		line = mdStrong.ReplaceAllString(line, "$2")
	}
	if t := strings.TrimSpace(line); len(t) > 2 && t[0] == '|' && t[len(t)-1] == '|' {
		cells := strings.Split(t[1:len(t)-1], "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		return strings.Join(cells, " | ")
	}
	return strings.TrimPrefix(line, "> ")
}
