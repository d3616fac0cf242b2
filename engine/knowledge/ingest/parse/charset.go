package parse

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"flametree/engine/fault"
)

// writing is how bytes are written as text.
type writing struct {
	name   string
	enc    encoding.Encoding // nil: UTF-8
	binary bool              // it is no text at all
}

// reader decodes.
func (c writing) reader(r io.Reader) io.Reader {
	if c.enc == nil {
		return transform.NewReader(r, unicode.UTF8BOM.NewDecoder())
	}
	return transform.NewReader(r, c.enc.NewDecoder())
}

// text decodes a beginning, the last character of which may be cut.
func (c writing) text(head []byte) (string, error) {
	b, err := io.ReadAll(c.reader(bytes.NewReader(head)))
	if err != nil {
		return "", fmt.Errorf("the text is not %s (%w): %w", c.name, err, fault.Invalid)
	}
	return string(b), nil
}

// guessCharset tells how a text is written: by its byte order mark, by being
// valid UTF-8, by the zeros of UTF-16, or by which of the one-byte sets makes
// words of it.
func guessCharset(head []byte) writing {
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return writing{name: "utf-8"}
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return writing{name: "utf-16", enc: unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)}
	}
	if zeros := bytes.Count(head, []byte{0}); zeros > 0 {
		return wide(head, zeros)
	}
	if validPrefix(head) {
		return writing{name: "utf-8", binary: controls(head)*20 > len(head)}
	}
	c := narrow(head)
	c.binary = controls(head)*50 > len(head)
	return c
}

// wide tells UTF-16 without a mark by which halves of its units are zero, or
// else that this is no text.
func wide(head []byte, zeros int) writing {
	var even int
	for i := 0; i < len(head); i += 2 {
		if head[i] == 0 {
			even++
		}
	}
	odd, pairs := zeros-even, len(head)/2
	switch {
	case odd*4 > pairs && even*20 < odd:
		return writing{name: "utf-16le", enc: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)}
	case even*4 > pairs && odd*20 < even:
		return writing{name: "utf-16be", enc: unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)}
	}
	return writing{name: "binary", binary: true}
}

// validPrefix reports whether the bytes are UTF-8 up to a last, cut rune.
func validPrefix(b []byte) bool {
	for cut := 0; cut < utf8.UTFMax && cut <= len(b); cut++ {
		if utf8.Valid(b[:len(b)-cut]) {
			return true
		}
	}
	return false
}

// controls counts the bytes that no text has.
func controls(b []byte) int {
	n := 0
	for _, c := range b {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' || c == 0x7f {
			n++
		}
	}
	return n
}

// narrow chooses a one-byte set. Words of Cyrillic are runs of high bytes, in
// Western texts high bytes stand alone among Latin letters. Small letters,
// which are the most, are the upper half of the high bytes in cp1251 and the
// lower half in KOI8-R.
func narrow(head []byte) writing {
	var runs, alone, upper, lower int
	high := func(i int) bool { return i >= 0 && i < len(head) && head[i] >= 0xc0 }
	for i, c := range head {
		if c < 0xc0 {
			continue
		}
		if high(i-1) || high(i+1) {
			runs++
		} else {
			alone++
		}
		if c >= 0xe0 {
			upper++
		} else {
			lower++
		}
	}
	switch {
	case runs <= alone:
		return writing{name: "windows-1252", enc: charmap.Windows1252}
	case lower > upper:
		return writing{name: "koi8-r", enc: charmap.KOI8R}
	}
	return writing{name: "windows-1251", enc: charmap.Windows1251}
}
