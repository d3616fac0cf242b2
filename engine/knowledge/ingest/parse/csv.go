package parse

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"flametree/engine/fault"
)

// The limits of a table.
const (
	maxCell    = 1 << 20 // bytes
	maxColumns = 4096
)

// readCSV reads a table as text: each row is a paragraph.
func readCSV(ctx context.Context, in Input, sink Sink) error {
	t := tabler{b: &builder{sink: sink}}
	open, err := eachRecord(ctx, in, t.row)
	if err != nil {
		return err
	}
	if open > 0 {
		sink.Warn(fmt.Sprintf("a quotation mark opened in line %d is never closed: rows after it may have run together", open))
	}
	return t.b.flush()
}

// eachRecord gives the rows of a CSV file (RFC 4180, and what people make of
// it). open is the line of a quotation mark that is not closed, 0 for none.
func eachRecord(ctx context.Context, in Input, row func([]string) error) (open int, err error) {
	src, err := decoded(in)
	if err != nil {
		return 0, err
	}
	r := bufio.NewReaderSize(src, sniffed)
	head, err := r.Peek(sniffed / 2)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read the table: %w", err)
	}
	sep := delimiter(string(head))
	if sep == 0 {
		sep = ','
	}
	c := records{sep: sep, row: row, line: 1}
	for n := 0; ; n++ {
		ch, _, err := r.ReadRune()
		if errors.Is(err, io.EOF) {
			return c.end()
		}
		if err != nil {
			return 0, fmt.Errorf("read the table: %w", err)
		}
		if err := c.take(ch); err != nil {
			return 0, err
		}
		if n%sniffed == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
}

// records is a machine that takes characters and gives rows.
type records struct {
	sep    rune
	row    func([]string) error
	line   int
	opened int // the line in which the open quotation mark stands
	quoted bool
	after  bool // right after a quotation mark inside quotes
	cell   []byte
	cells  []string
}

func (c *records) take(ch rune) error {
	if ch == '\n' {
		c.line++
	}
	if c.after {
		c.after = false
		if ch == '"' {
			return c.put(ch)
		}
		c.quoted = false
	}
	switch {
	case c.quoted && ch == '"':
		c.after = true
		return nil
	case c.quoted:
		return c.put(ch)
	case ch == '"' && len(strings.TrimSpace(string(c.cell))) == 0:
		c.cell, c.quoted, c.opened = c.cell[:0], true, c.line
		return nil
	case ch == c.sep:
		return c.next()
	case ch == '\n':
		return c.finish()
	case ch == '\r':
		return nil
	}
	return c.put(ch)
}

func (c *records) put(ch rune) error {
	if len(c.cell) >= maxCell {
		if c.quoted {
			return fmt.Errorf("line %d: a quotation mark is opened and not closed within 1 MB: close it and upload the file anew: %w", c.opened, fault.Invalid)
		}
		return fmt.Errorf("line %d: a cell is longer than 1 MB: is this a table? %w", c.line, fault.Invalid)
	}
	c.cell = utf8.AppendRune(c.cell, ch)
	return nil
}

func (c *records) next() error {
	if len(c.cells) >= maxColumns {
		return fmt.Errorf("line %d: more than %d columns: is this a table? %w", c.line, maxColumns, fault.Invalid)
	}
	c.cells = append(c.cells, strings.TrimSpace(string(c.cell)))
	c.cell = c.cell[:0]
	return nil
}

func (c *records) finish() error {
	if err := c.next(); err != nil {
		return err
	}
	cells := c.cells
	c.cells = c.cells[:0]
	if len(cells) == 1 && cells[0] == "" {
		return nil
	}
	return c.row(cells)
}

func (c *records) end() (open int, err error) {
	if c.quoted && !c.after {
		open = c.opened
	}
	if len(c.cell) == 0 && len(c.cells) == 0 {
		return open, nil
	}
	return open, c.finish()
}

// delimiter guesses what parts the cells: of the usual characters the one that
// stands in the lines equally often, and at least once. 0 when none does.
func delimiter(head string) rune {
	lines := sample(head)
	best, most := rune(0), 0
	for _, sep := range []rune{'\t', ';', ',', '|'} {
		counts := map[int]int{}
		for _, l := range lines {
			counts[outside(l, sep)]++
		}
		for n, times := range counts {
			// A lone line counts for little, so that prose with a comma is no table.
			if n == 0 || len(lines) < 2 || times*10 < len(lines)*6 {
				continue
			}
			if score := times*100 + min(n, 50); score > most {
				best, most = sep, score
			}
		}
	}
	return best
}

// sample is the first lines of a table. A line break inside quotes does not end one.
func sample(head string) []string {
	const lines = 40
	var out []string
	quoted, from := false, 0
	for i := range len(head) {
		switch {
		case head[i] == '"':
			quoted = !quoted
		case head[i] == '\n' && !quoted:
			if l := strings.TrimSpace(head[from:i]); l != "" {
				out = append(out, l)
			}
			from = i + 1
			if len(out) == lines {
				return out
			}
		}
	}
	if l := strings.TrimSpace(head[from:]); l != "" {
		out = append(out, l)
	}
	return out
}

// outside counts a character where it is not quoted.
func outside(line string, sep rune) int {
	n, quoted := 0, false
	for _, ch := range line {
		switch ch {
		case '"':
			quoted = !quoted
		case sep:
			if !quoted {
				n++
			}
		}
	}
	return n
}
