package parse

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"strings"

	"flametree/engine/fault"
)

// Kind is a format of files.
type Kind string

// The formats that are read.
const (
	PDF      Kind = "pdf"
	DOCX     Kind = "docx"
	XLSX     Kind = "xlsx"
	CSV      Kind = "csv"
	HTML     Kind = "html"
	Markdown Kind = "md"
	Text     Kind = "txt"
)

// sniffed is how much of a file is looked at to tell its kind.
const sniffed = 64 << 10

// Read reads the file and gives the sink its title, sections and warnings. An
// error wraps fault.Invalid when the file is at fault and says what to do;
// fault.Unavailable when poppler is missing.
func Read(ctx context.Context, in Input, sink Sink) error {
	kind, err := Sniff(in)
	if err != nil {
		return err
	}
	if said := named(in.Name); said != "" && said != kind {
		sink.Warn(fmt.Sprintf("the name ends in .%s, but this is %s; it was read as what it is", said, kind))
	}
	switch kind {
	case PDF:
		return readPDF(ctx, in, sink)
	case DOCX:
		return readDOCX(ctx, in, sink)
	case XLSX:
		return readXLSX(ctx, in, sink)
	case CSV:
		return readCSV(ctx, in, sink)
	case HTML:
		return readHTML(ctx, in, sink)
	case Markdown:
		return readMarkdown(ctx, in, sink)
	case Text:
	}
	return readText(ctx, in, sink)
}

// Rows reads a table, CSV or the first sheet of an XLSX that has rows, row by
// row. The cells belong to the callee for the time of the call.
func Rows(ctx context.Context, in Input, row func(cells []string) error) error {
	kind, err := Sniff(in)
	if err != nil {
		return err
	}
	switch kind {
	case CSV, Text, Markdown:
		_, err := eachRecord(ctx, in, row)
		return err
	case XLSX:
		return firstSheet(ctx, in, row)
	case PDF, DOCX, HTML:
	}
	return fmt.Errorf("%s is not a table: give a CSV or XLSX file: %w", kind, fault.Invalid)
}

// Sniff tells a file's kind from its content. The name decides only between
// plain text, Markdown and CSV, which are all text.
func Sniff(in Input) (Kind, error) {
	head := make([]byte, min(sniffed, max(in.Size, 0)))
	n, err := in.At.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("read the beginning of the file: %w", err)
	}
	head = head[:n]
	switch {
	case len(bytes.TrimSpace(head)) == 0 && in.Size <= sniffed:
		return "", fmt.Errorf("the file is empty: %w", fault.Invalid)
	case bytes.Contains(head[:min(1024, n)], []byte("%PDF-")):
		return PDF, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return office(in)
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return "", compound(in)
	case bytes.HasPrefix(head, []byte(`{\rtf`)):
		return "", fmt.Errorf("this is RTF, which is not read: save it as .docx and upload that: %w", fault.Invalid)
	}
	return textual(head, in.Name)
}

// office tells what a ZIP archive is.
func office(in Input) (Kind, error) {
	z, err := zip.NewReader(in.At, in.Size)
	if err != nil {
		return "", fmt.Errorf("the archive is damaged or cut off (%w): save the file again and upload it anew: %w", err, fault.Invalid)
	}
	parts := map[string]bool{}
	for _, f := range z.File {
		parts[strings.ToLower(strings.TrimPrefix(f.Name, "/"))] = true
	}
	switch {
	case parts["word/document.xml"]:
		return DOCX, nil
	case parts["xl/workbook.xml"]:
		return XLSX, nil
	case parts["ppt/presentation.xml"]:
		return "", fmt.Errorf("presentations are not read: save it as PDF and upload that: %w", fault.Invalid)
	case parts["mimetype"], parts["meta-inf/manifest.xml"]:
		return "", fmt.Errorf("this is an OpenDocument or EPUB file: save it as .docx, .xlsx or PDF and upload that: %w", fault.Invalid)
	}
	return "", fmt.Errorf("this is a ZIP archive: unpack it and upload the files in it: %w", fault.Invalid)
}

// compound tells why a file in Microsoft's compound format [MS-CFB] is not
// read: it is encrypted ([MS-OFFCRYPTO] 2.3.4.4) or of the time before 2007.
func compound(in Input) error {
	mark := []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")
	found, err := contains(in.reader(), mark)
	if err != nil {
		return err
	}
	if found {
		return fmt.Errorf("the file is protected by a password: save it without one and upload it anew: %w", fault.Invalid)
	}
	return fmt.Errorf("this is an old Word or Excel format: save it as .docx or .xlsx and upload that: %w", fault.Invalid)
}

// contains looks for a mark without keeping the file.
func contains(r io.Reader, mark []byte) (bool, error) {
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if bytes.Contains(buf, mark) {
			return true, nil
		}
		if keep := len(mark) - 1; len(buf) > keep {
			buf = append(buf[:0], buf[len(buf)-keep:]...)
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read the file: %w", err)
		}
	}
}

var (
	htmlStart = regexp.MustCompile(`(?is)^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|title|meta|div|article|main|section|table|h1|p)[\s>]`)
	mdHeading = regexp.MustCompile(`(?m)^(#{1,6} +\S|={3,}\s*$|[-*] \[[ x]\] |` + "```)")
)

// textual tells what kind of text begins like this.
func textual(head []byte, name string) (Kind, error) {
	enc := guessCharset(head)
	text, err := enc.text(head)
	if err != nil {
		return "", err
	}
	if enc.binary {
		return "", fmt.Errorf("this looks like %s: give a pdf, docx, txt, md, xlsx, csv or html file: %w", http.DetectContentType(head), fault.Invalid)
	}
	if htmlStart.MatchString(text) {
		return HTML, nil
	}
	switch said := named(name); said {
	case CSV, Markdown, Text:
		return said, nil
	case PDF, DOCX, XLSX, HTML:
	}
	switch {
	case mdHeading.MatchString(text):
		return Markdown, nil
	case delimiter(text) != 0:
		return CSV, nil
	}
	return Text, nil
}

// named is the kind that a file's name claims, "" when it claims none.
func named(name string) Kind {
	switch ext := strings.ToLower(strings.TrimPrefix(path.Ext(name), ".")); ext {
	case "pdf", "docx", "xlsx", "csv", "html", "md", "txt":
		return Kind(ext)
	case "htm", "xhtml":
		return HTML
	case "markdown":
		return Markdown
	case "tsv":
		return CSV
	case "text", "log":
		return Text
	}
	return ""
}
