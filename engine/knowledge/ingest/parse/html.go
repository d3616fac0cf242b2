package parse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	readability "codeberg.org/readeck/go-readability"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"

	"flametree/engine/fault"
)

// wholePage is up to which size a page is looked at as a whole, to find the
// article in it. Of a longer one all text is taken, which needs no memory.
const wholePage = 4 << 20

// readHTML reads a page: its article, or all its text where the article is
// less than half of that, as on pages of questions and of contacts.
func readHTML(ctx context.Context, in Input, sink Sink) error {
	var all Document
	source := func() (io.Reader, error) { return charset.NewReader(in.reader(), "") }
	if in.Size > wholePage {
		r, err := source()
		if err != nil {
			return fmt.Errorf("the page's charset is not known: %w: %w", err, fault.Invalid)
		}
		sink.Warn("the page is long: all its text was taken, menus may be among it")
		return stripped(ctx, r, sink)
	}
	r, err := source()
	if err != nil {
		return fmt.Errorf("the page's charset is not known: %w: %w", err, fault.Invalid)
	}
	if err := stripped(ctx, r, Collect(&all)); err != nil {
		return err
	}
	best := all
	if article, err := articleOf(ctx, source); err == nil && 2*letters(article) >= letters(all) {
		best = article
	}
	if title := all.Title; title != "" {
		sink.Title(title)
	}
	for _, s := range best.Sections {
		if err := sink.Section(s); err != nil {
			return err
		}
	}
	return nil
}

func letters(d Document) int {
	n := 0
	for _, s := range d.Sections {
		n += len(s.Heading) + len(s.Text)
	}
	return n
}

// articleOf finds the article of a page. The library may give up in any way.
func articleOf(ctx context.Context, source func() (io.Reader, error)) (d Document, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("readability gave up: %w", fault.Invalid)
		}
	}()
	r, err := source()
	if err != nil {
		return d, err
	}
	const elements = 50_000
	p := readability.NewParser()
	p.MaxElemsToParse = elements
	article, err := p.Parse(r, &url.URL{Scheme: "http", Host: "page.invalid"})
	if err != nil {
		return d, err
	}
	if article.Node == nil {
		return d, fault.NotFound
	}
	var b bytes.Buffer
	if err := html.Render(&b, article.Node); err != nil {
		return d, err
	}
	return d, stripped(ctx, &b, Collect(&d))
}

// stripped takes the text out of a page without building it.
func stripped(ctx context.Context, r io.Reader, sink Sink) error {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(wholePage)
	p := page{builder: builder{sink: sink}}
	for n := 0; ; n++ {
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		switch z.Next() {
		case html.ErrorToken:
			return p.close(z.Err())
		case html.TextToken:
			p.words(z.Text())
		case html.StartTagToken:
			name, _ := z.TagName()
			err = p.open(atom.Lookup(name))
		case html.EndTagToken:
			name, _ := z.TagName()
			err = p.shut(atom.Lookup(name))
		case html.SelfClosingTagToken:
			if name, _ := z.TagName(); atom.Lookup(name) == atom.Br {
				p.text.WriteByte('\n')
			}
		case html.CommentToken, html.DoctypeToken:
		}
		if err != nil {
			return err
		}
	}
}

// page is where in a page we are.
type page struct {
	builder
	text    strings.Builder // of the block
	skip    atom.Atom       // the element that is left out, with what is in it
	depth   int             // of elements of that name
	title   bool
	heading bool
	item    bool
	cells   []string
	row     bool
	bar     bool // a row was just told
}

func (p *page) words(text []byte) {
	if p.skip != 0 || p.text.Len() > maxCell {
		return
	}
	// Line breaks in the source are spaces; those we wrote are breaks.
	for i, c := range text {
		if c == '\n' || c == '\r' {
			text[i] = ' '
		}
	}
	p.text.Write(text)
}

func (p *page) open(tag atom.Atom) error {
	if p.skip != 0 {
		if tag == p.skip {
			p.depth++
		}
		return nil
	}
	switch tag {
	case atom.Script, atom.Style, atom.Noscript, atom.Template, atom.Svg, atom.Nav, atom.Footer, atom.Iframe, atom.Button, atom.Select:
		err := p.block()
		p.skip, p.depth = tag, 1
		return err
	case atom.Title:
		p.title = true
	case atom.Br:
		p.text.WriteByte('\n')
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Summary, atom.Dt:
		err := p.block()
		p.heading = true
		return err
	case atom.Li:
		err := p.block()
		p.item = true
		return err
	case atom.Tr:
		err := p.block()
		p.row, p.cells = true, p.cells[:0]
		return err
	default:
		if blocks(tag) && !p.row && !p.heading {
			return p.block()
		}
		if blocks(tag) {
			p.text.WriteByte(' ')
		}
	}
	return nil
}

func (p *page) shut(tag atom.Atom) error {
	if p.skip != 0 {
		if tag == p.skip {
			p.depth--
		}
		if p.depth == 0 {
			p.skip = 0
		}
		return nil
	}
	switch tag {
	case atom.Title:
		if p.title {
			p.title = false
			p.sink.Title(clip(oneLine(p.text.String()), 255))
			p.text.Reset()
		}
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Summary, atom.Dt:
		if p.heading {
			p.heading = false
			text := p.text.String()
			p.text.Reset()
			if strings.TrimSpace(text) == "" {
				return nil
			}
			p.bar = false
			return p.head(text)
		}
	case atom.Td, atom.Th:
		if p.row && len(p.cells) < maxColumns {
			p.cells = append(p.cells, p.text.String())
			p.text.Reset()
		}
	case atom.Tr, atom.Table:
		return p.rowEnds()
	default:
		if blocks(tag) && !p.row && !p.heading {
			return p.block()
		}
	}
	return nil
}

func (p *page) rowEnds() error {
	if !p.row {
		return nil
	}
	p.row = false
	text := strings.Trim(joined(p.cells), " |")
	if text == "" {
		return nil
	}
	follows := p.bar
	p.bar = true
	if follows {
		return p.line(text)
	}
	return p.para(text)
}

// block ends a paragraph.
func (p *page) block() error {
	if p.title {
		return nil
	}
	text := p.text.String()
	p.text.Reset()
	item := p.item
	p.item = false
	if strings.TrimSpace(text) == "" {
		return nil
	}
	p.heading, p.bar = false, false
	if item {
		return p.line("- " + strings.TrimSpace(text))
	}
	return p.para(text)
}

func (p *page) close(err error) error {
	if errors.Is(err, html.ErrBufferExceeded) {
		return fmt.Errorf("one tag or text of the page is longer than %d MB: this is no page for people: %w", wholePage>>20, fault.Invalid)
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the page: %w", err)
	}
	p.title = false
	if err := p.rowEnds(); err != nil {
		return err
	}
	if err := p.block(); err != nil {
		return err
	}
	return p.flush()
}

// blocks reports whether an element stands by itself in a page.
func blocks(tag atom.Atom) bool {
	switch tag {
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Main, atom.Header, atom.Aside, atom.Ul, atom.Ol, atom.Li, atom.Dl, atom.Dd,
		atom.Table, atom.Tr, atom.Td, atom.Th, atom.Blockquote, atom.Pre, atom.Form, atom.Fieldset, atom.Address, atom.Details, atom.Hr, atom.Figure, atom.Figcaption, atom.Body:
		return true
	default:
		return false
	}
}
