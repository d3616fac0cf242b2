package parse

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"

	"flametree/engine/fault"
)

// readDOCX reads the main text of a WordprocessingML document (ECMA-376 part 1,
// 17): headings, paragraphs, lists and tables. Headers, footers, comments and
// what was deleted under review are left out.
func readDOCX(ctx context.Context, in Input, sink Sink) error {
	a, err := openArchive(in)
	if err != nil {
		return err
	}
	if err := a.title(sink); err != nil {
		return err
	}
	levels, err := a.headings()
	if err != nil {
		return err
	}
	part, err := a.part("word/document.xml")
	if err != nil {
		return err
	}
	if part == nil {
		return fmt.Errorf("the document has no text part: save it again and upload it anew: %w", fault.Invalid)
	}
	defer func() { _ = part.Close() }()
	d := docx{ctx: ctx, levels: levels, builder: builder{sink: sink}}
	if err := elements(part, "word/document.xml", d.token); err != nil {
		return err
	}
	return d.flush()
}

// title tells the title in the properties of the package (ECMA-376 part 2, 11).
func (a *archive) title(sink Sink) error {
	part, err := a.part("docProps/core.xml")
	if err != nil || part == nil {
		return err
	}
	defer func() { _ = part.Close() }()
	var title strings.Builder
	in := false
	err = elements(part, "docProps/core.xml", func(tok xml.Token) error {
		switch e := tok.(type) {
		case xml.StartElement:
			in = e.Name.Local == "title"
		case xml.EndElement:
			in = false
		case xml.CharData:
			if in && title.Len() < 1000 {
				title.Write(e)
			}
		}
		return nil
	})
	if t := oneLine(title.String()); t != "" {
		sink.Title(clip(t, 255))
	}
	return err
}

// headings finds the styles that make headings: by their name, which is English
// in every language's Word, by their outline level, or because they are based
// on one that does.
func (a *archive) headings() (map[string]int, error) {
	levels, based := map[string]int{}, map[string]string{}
	part, err := a.part("word/styles.xml")
	if err != nil || part == nil {
		return levels, err
	}
	defer func() { _ = part.Close() }()
	id := ""
	err = elements(part, "word/styles.xml", func(tok xml.Token) error {
		e, ok := tok.(xml.StartElement)
		if !ok {
			return nil
		}
		switch e.Name.Local {
		case "style":
			id = attr(e, "styleId")
		case "name":
			if n := strings.ToLower(attr(e, "val")); strings.HasPrefix(n, "heading ") || n == "title" {
				levels[id] = 1
			}
		case "outlineLvl":
			if v := attr(e, "val"); len(v) == 1 && v < "9" {
				levels[id] = 1
			}
		case "basedOn":
			based[id] = attr(e, "val")
		}
		return nil
	})
	for id := range based {
		for at, steps := based[id], 0; at != "" && steps < 10; at, steps = based[at], steps+1 {
			levels[id] = max(levels[id], levels[at])
		}
	}
	return levels, err
}

// docx is where in the document we are.
type docx struct {
	builder
	ctx      context.Context
	levels   map[string]int
	text     strings.Builder // of the paragraph
	style    string
	item     bool // of a list
	inText   bool
	fallback int // inside a second version of what was there already
	tables   int
	cell     strings.Builder
	cells    []string
	bare     bool // the paragraph before was an item as well
}

func (d *docx) token(tok xml.Token) error {
	switch e := tok.(type) {
	case xml.StartElement:
		return d.start(e)
	case xml.EndElement:
		return d.endOf(e.Name.Local)
	case xml.CharData:
		if d.inText && d.fallback == 0 && d.text.Len() < 4*maxCell {
			d.text.Write(e)
		}
	}
	return nil
}

func (d *docx) start(e xml.StartElement) error {
	switch e.Name.Local {
	case "Fallback":
		d.fallback++
	case "p":
		d.style, d.item = "", false
		return d.ctx.Err()
	case "pStyle":
		d.style = attr(e, "val")
	case "outlineLvl":
		if v := attr(e, "val"); len(v) == 1 && v < "9" {
			d.style = "outline"
			d.levels["outline"] = 1
		}
	case "numPr":
		d.item = true
	case "t":
		d.inText = true
	case "tab":
		d.text.WriteByte(' ')
	case "br", "cr":
		d.text.WriteByte('\n')
	case "tbl":
		d.tables++
	case "tr":
		if d.tables == 1 {
			d.cells = d.cells[:0]
		}
	}
	return nil
}

func (d *docx) endOf(name string) error {
	switch name {
	case "Fallback":
		d.fallback--
	case "t":
		d.inText = false
	case "p":
		return d.paragraph()
	case "tc":
		// The cells of a table in a cell are text of that cell.
		if d.tables == 1 && len(d.cells) < maxColumns {
			d.cells = append(d.cells, d.cell.String())
			d.cell.Reset()
		}
	case "tr":
		if d.tables == 1 {
			return d.line(strings.Trim(joined(d.cells), " |"))
		}
	case "tbl":
		d.tables--
	}
	return nil
}

// paragraph puts a paragraph where it belongs.
func (d *docx) paragraph() error {
	text := d.text.String()
	d.text.Reset()
	if strings.TrimSpace(text) == "" {
		return nil
	}
	wasItem := d.bare
	d.bare = d.item
	switch {
	case d.tables > 0:
		if d.cell.Len() > 0 {
			d.cell.WriteByte(' ')
		}
		if d.cell.Len() < maxCell {
			d.cell.WriteString(text)
		}
		return nil
	case d.levels[d.style] > 0:
		return d.head(text)
	case d.item && wasItem:
		return d.line("- " + text)
	case d.item:
		return d.para("- " + text)
	}
	return d.para(text)
}
