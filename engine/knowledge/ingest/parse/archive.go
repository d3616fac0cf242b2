package parse

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"flametree/engine/fault"
)

// The limits of an archive. An honest DOCX or XLSX of 100 MB unpacks to about
// 1 GB; a part that shrinks two hundred times is no writing of people.
const (
	maxParts    = 10_000
	maxUnpacked = 2 << 30
	maxRatio    = 200
	ratioFrom   = 16 << 20 // smaller parts may be as dense as they like
	maxDepth    = 256      // of XML
)

// archive is a ZIP that is not trusted. What it says about its sizes is checked
// when it is opened, and again while a part is read.
type archive struct {
	zip  *zip.Reader
	left int64 // bytes that may still be unpacked
}

func openArchive(in Input) (*archive, error) {
	z, err := zip.NewReader(in.At, in.Size)
	if err != nil {
		return nil, fmt.Errorf("the archive is damaged or cut off (%w): save the file again and upload it anew: %w", err, fault.Invalid)
	}
	if len(z.File) > maxParts {
		return nil, fmt.Errorf("the archive has %d parts, a document has fewer than %d: %w", len(z.File), maxParts, fault.Invalid)
	}
	var sum uint64
	for _, f := range z.File {
		sum += f.UncompressedSize64
		if f.Flags&1 != 0 {
			return nil, fmt.Errorf("the archive is protected by a password: save it without one and upload it anew: %w", fault.Invalid)
		}
		if dense(f.UncompressedSize64, f.CompressedSize64) || sum > maxUnpacked {
			return nil, bomb(f.Name)
		}
	}
	return &archive{zip: z, left: maxUnpacked}, nil
}

func dense(unpacked, packed uint64) bool {
	return unpacked > ratioFrom && unpacked/max(packed, 1) > maxRatio
}

func bomb(part string) error {
	return fmt.Errorf("part %q unpacks to far more than a document holds: the file is not read: %w", clip(oneLine(part), 100), fault.Invalid)
}

// part opens a part; nil without an error when there is none.
func (a *archive) part(name string) (io.ReadCloser, error) {
	for _, f := range a.zip.File {
		if !strings.EqualFold(strings.TrimPrefix(f.Name, "/"), name) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("part %q cannot be unpacked (%w): save the file again and upload it anew: %w", name, err, fault.Invalid)
		}
		return &unpacking{ReadCloser: r, archive: a, part: f}, nil
	}
	return nil, nil //nolint:nilnil // no part is an answer
}

// unpacking counts what comes out, because a header may lie.
type unpacking struct {
	io.ReadCloser
	archive *archive
	part    *zip.File
	n       uint64
}

func (u *unpacking) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	u.n += uint64(n)
	u.archive.left -= int64(n)
	if u.archive.left < 0 || dense(u.n, u.part.CompressedSize64) {
		return 0, bomb(u.part.Name)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("part %q is damaged (%w): save the file again and upload it anew: %w", u.part.Name, err, fault.Invalid)
	}
	return n, err
}

// elements walks through a part of XML without keeping it. A document type, in
// which entities are declared that unfold without end, is refused, and so is
// nesting that no document has.
func elements(r io.Reader, name string, each func(xml.Token) error) error {
	d := xml.NewDecoder(r)
	depth := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if fault.KindOf(err) == fault.Invalid {
				return err
			}
			return fmt.Errorf("part %q is damaged in line %s (%w): save the file again and upload it anew: %w", name, line(d), err, fault.Invalid)
		}
		switch tok.(type) {
		case xml.Directive:
			return fmt.Errorf("part %q declares a document type, which no office program writes: the file is not read: %w", name, fault.Invalid)
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
		if depth > maxDepth {
			return fmt.Errorf("part %q nests deeper than %d elements: the file is not read: %w", name, maxDepth, fault.Invalid)
		}
		if err := each(tok); err != nil {
			return err
		}
	}
}

func line(d *xml.Decoder) string {
	l, c := d.InputPos()
	return fmt.Sprintf("%d, column %d", l, c)
}

// attr is an attribute by its local name.
func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
