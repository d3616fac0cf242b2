// Package ingesttest writes files of any length for tests and benches of
// ingest: PDF, DOCX, XLSX, CSV, HTML, Markdown and plain text, always the same
// bytes for the same length. It writes them piece by piece and needs no memory.
// It is no writer of documents: they hold plain words and nothing else.
package ingesttest

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Formats are the formats that Write knows.
func Formats() []string { return []string{"pdf", "docx", "xlsx", "csv", "html", "md", "txt"} }

// Write writes a file of about size bytes. pages is how many pages a PDF has, 0
// for the other formats.
func Write(w io.Writer, format string, size int64) (pages int, err error) {
	c := &counter{w: bufio.NewWriterSize(w, 1<<20)}
	g := &generator{seed: 1}
	switch format {
	case "pdf":
		pages = writePDF(c, g, size)
	case "docx":
		err = writeDOCX(c, g, size)
	case "xlsx":
		err = writeXLSX(c, g, size)
	case "csv":
		c.print("sku,title,price,description\n")
		for n := 0; c.n < size; n++ {
			c.print(fmt.Sprintf("S-%d,\"%s\",%d.50,\"%s\"\n", n, g.words(4), n%900, g.words(12)))
		}
	case "html":
		c.print("<!DOCTYPE html><html><head><meta charset=utf-8><title>Long page</title></head><body><h1>Long page</h1>\n")
		for c.n < size {
			c.print("<h2>" + g.words(4) + "</h2>\n<p>" + g.words(60) + ".</p>\n")
		}
		c.print("</body></html>")
	case "md":
		for c.n < size {
			c.print("## " + g.words(4) + "\n\n" + g.words(60) + ".\n\n")
		}
	case "txt":
		for c.n < size {
			c.print(g.words(60) + ".\n\n")
		}
	default:
		return 0, fmt.Errorf("ingesttest: no format %q", format)
	}
	if err == nil {
		err = c.err
	}
	if err == nil {
		err = c.w.Flush()
	}
	return pages, err
}

// counter counts what was written.
type counter struct {
	w   *bufio.Writer
	n   int64
	err error
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) print(s string) {
	if c.err == nil {
		_, c.err = io.WriteString(c, s)
	}
}

// generator makes words that never repeat for long, so that they pack like text.
type generator struct{ seed uint64 }

func (g *generator) next() uint64 {
	g.seed = g.seed*6364136223846793005 + 1442695040888963407
	return g.seed >> 33
}

func (g *generator) words(n int) string {
	const syllables = "ka ro ti men sal dor vi ne lo pra gu shi fe tan bor el"
	parts := strings.Fields(syllables)
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		for range 1 + g.next()%3 {
			b.WriteString(parts[g.next()%uint64(len(parts))])
		}
	}
	return b.String()
}

// writePDF writes pages of fifty lines (ISO 32000-1, 7.5) whose text is not packed.
func writePDF(c *counter, g *generator, size int64) (pages int) {
	var offsets []int64
	begin := func(n int) {
		for len(offsets) <= n {
			offsets = append(offsets, 0)
		}
		offsets[n] = c.n
		c.print(fmt.Sprintf("%d 0 obj\n", n))
	}
	c.print("%PDF-1.4\n")
	begin(1)
	c.print("<</Type/Catalog/Pages 2 0 R>>\nendobj\n")
	begin(3)
	c.print("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>\nendobj\n")
	for c.n < size && c.err == nil {
		var text strings.Builder
		text.WriteString("BT /F1 10 Tf 50 790 Td 14 TL\n")
		for range 50 {
			text.WriteString("(" + g.words(14) + ") Tj T*\n")
		}
		text.WriteString("ET")
		begin(4 + 2*pages)
		c.print(fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>\nendobj\n", 5+2*pages))
		begin(5 + 2*pages)
		c.print(fmt.Sprintf("<</Length %d>>\nstream\n%s\nendstream\nendobj\n", text.Len(), text.String()))
		pages++
	}
	begin(2)
	c.print(fmt.Sprintf("<</Type/Pages/Count %d/Kids[", pages))
	for i := range pages {
		c.print(fmt.Sprintf("%d 0 R ", 4+2*i))
	}
	c.print("]>>\nendobj\n")
	at := c.n
	c.print(fmt.Sprintf("xref\n0 %d\n0000000000 65535 f \n", len(offsets)))
	for _, o := range offsets[1:] {
		c.print(fmt.Sprintf("%010d 00000 n \n", o))
	}
	c.print(fmt.Sprintf("trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(offsets), at))
	return pages
}

// part writes one part of an archive.
type part struct {
	name string
	body func(w io.Writer, full func() bool) error
}

func text(s string) func(io.Writer, func() bool) error {
	return func(w io.Writer, _ func() bool) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func writeZIP(c *counter, size int64, parts []part) error {
	z := zip.NewWriter(c)
	for _, p := range parts {
		w, err := z.Create(p.name)
		if err != nil {
			return err
		}
		if err := p.body(w, func() bool { return c.n >= size }); err != nil {
			return err
		}
	}
	return z.Close()
}

func writeDOCX(c *counter, g *generator, size int64) error {
	return writeZIP(c, size, []part{
		{"word/styles.xml", text(`<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:style w:styleId="H"><w:name w:val="heading 1"/></w:style></w:styles>`)},
		{"word/document.xml", func(w io.Writer, full func() bool) error {
			if _, err := io.WriteString(w, `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>`); err != nil {
				return err
			}
			for !full() {
				_, err := fmt.Fprintf(w, `<w:p><w:pPr><w:pStyle w:val="H"/></w:pPr><w:r><w:t>%s</w:t></w:r></w:p><w:p><w:r><w:t>%s.</w:t></w:r></w:p>`, g.words(4), g.words(60))
				if err != nil {
					return err
				}
			}
			_, err := io.WriteString(w, `</w:body></w:document>`)
			return err
		}},
	})
}

func writeXLSX(c *counter, g *generator, size int64) error {
	return writeZIP(c, size, []part{
		{"[Content_Types].xml", text(`<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>`)},
		{"_rels/.rels", text(`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`)},
		{"xl/workbook.xml", text(`<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Goods" sheetId="1" r:id="rId1"/></sheets></workbook>`)},
		{"xl/_rels/workbook.xml.rels", text(`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`)},
		{"xl/worksheets/sheet1.xml", func(w io.Writer, full func() bool) error {
			if _, err := io.WriteString(w, `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>Name</t></is></c><c r="B1" t="inlineStr"><is><t>Price</t></is></c></row>`); err != nil {
				return err
			}
			for n := 2; !full(); n++ {
				_, err := fmt.Fprintf(w, `<row r="%d"><c r="A%d" t="inlineStr"><is><t>%s</t></is></c><c r="B%d"><v>%d</v></c></row>`, n, n, g.words(12), n, n)
				if err != nil {
					return err
				}
			}
			_, err := io.WriteString(w, `</sheetData></worksheet>`)
			return err
		}},
	})
}
