package guard

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// bare is a text as a thief cannot disguise it: letters and digits only, small,
// without accents, look-alikes of other scripts in Latin.
type bare struct {
	text []byte
	at   []int // where the character of each byte begins in the original
	to   []int // and ends
}

func bareOf(text string) *bare {
	b := &bare{text: make([]byte, 0, len(text)), at: make([]int, 0, len(text)), to: make([]int, 0, len(text))}
	var buf [32]byte
	for i, r := range text {
		if r < utf8.RuneSelf {
			switch {
			case r >= 'A' && r <= 'Z':
				b.put(byte(r-'A'+'a'), i, i+1)
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
				b.put(byte(r), i, i+1)
			}
			continue
		}
		_, size := utf8.DecodeRuneInString(text[i:]) // an invalid byte counts as one
		for _, d := range string(norm.NFKD.AppendString(buf[:0], string(r))) {
			if !unicode.IsLetter(d) && !unicode.IsDigit(d) || r == utf8.RuneError {
				continue
			}
			for _, c := range []byte(string(lookalike(unicode.ToLower(d)))) {
				b.put(c, i, i+size)
			}
		}
	}
	return b
}

func (b *bare) put(c byte, at, to int) {
	b.text, b.at, b.to = append(b.text, c), append(b.at, at), append(b.to, to)
}

// lookalike writes a Cyrillic or Greek letter as the Latin one it looks like.
func lookalike(r rune) rune {
	const from, to = "аеорсухіјѕкмтнвӏԁһοαειρτυνκχ", "aeopcyxijskmthbldhoaeiptuvkx"
	if v, ok := digit(r); ok {
		return rune(v)
	}
	if r < 0x370 || r > 0x52f {
		return r
	}
	i := 0
	for _, c := range from {
		if c == r {
			return rune(to[i])
		}
		i++
	}
	return r
}

const (
	gram      = 6  // bytes by which a common piece is found
	maxPlaces = 32 // at which one gram is looked up
	minSecret = 6  // letters and digits of a value that is guarded
)

// shared finds long common pieces of a text and of what must not be said. It does
// not change once it is made.
type shared struct {
	hays   []hay
	places map[[gram]byte][]place
	seen   []uint64 // a bit for the hash of each gram: most grams of a text are nowhere
	label  string
}

type hay struct {
	text  string
	least int // so long must a common piece be
}

type place struct{ hay, pos int }

func newShared(label string) *shared {
	return &shared{label: label, places: map[[gram]byte][]place{}, seen: make([]uint64, 1<<16/64)}
}

func hash(k [gram]byte) uint16 {
	h := uint32(2166136261) // FNV-1a
	for _, c := range k {
		h = (h ^ uint32(c)) * 16777619
	}
	return uint16(h ^ h>>16)
}

// newSecrets guards values, also when they are written backwards, in base64, in
// hexadecimal or in rot13. A long value is hit by half of it. Values of fewer
// than six letters and digits are not guarded: they would stand in every text.
func newSecrets(values []string) *shared {
	s := newShared(labelKey)
	for _, v := range values {
		if len(bareOf(v).text) < minSecret || v == "" {
			continue
		}
		s.add(v, 12)
		s.add(backwards(v), 12)
		s.add(hex.EncodeToString([]byte(v)), 24)
		s.add(rot13(v), 12)
		for shift := range 3 { // base64 depends on how many bytes stand before
			code := base64.RawStdEncoding.EncodeToString([]byte("\x00\x00"[:shift] + v))
			code = code[(shift*8+5)/6:]
			if (shift+len(v))%3 != 0 && len(code) > 1 { // so does the last one
				code = code[:len(code)-1]
			}
			s.add(code, 16)
		}
	}
	if len(s.hays) == 0 {
		return nil
	}
	return s
}

// newPrivate guards texts written for the model against being recited: sixty
// letters in a row are no coincidence.
func newPrivate(texts []string) *shared {
	s := newShared("private")
	for _, t := range texts {
		b := bareOf(t)
		if len(b.text) >= recited {
			s.hay(string(b.text), recited)
		}
	}
	if len(s.hays) == 0 {
		return nil
	}
	return s
}

const recited = 60

func (s *shared) add(value string, half int) {
	text := string(bareOf(value).text)
	if len(text) >= minSecret {
		s.hay(text, min(len(text), max(half, len(text)/2)))
	}
}

func (s *shared) hay(text string, least int) {
	s.hays = append(s.hays, hay{text, least})
	for i := 0; i+gram <= len(text); i++ {
		k := [gram]byte([]byte(text[i : i+gram]))
		h := hash(k)
		s.seen[h>>6] |= 1 << (h & 63)
		if at := s.places[k]; len(at) < maxPlaces {
			s.places[k] = append(at, place{len(s.hays) - 1, i})
		}
	}
}

func (s *shared) find(b *bare) []span {
	if s == nil {
		return nil
	}
	var out []span
	for i := 0; i+gram <= len(b.text); i++ {
		k := [gram]byte(b.text[i : i+gram])
		if h := hash(k); s.seen[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		longest := 0
		for _, p := range s.places[k] {
			h := s.hays[p.hay]
			n := common(b.text[i:], h.text[p.pos:])
			if n >= h.least {
				longest = max(longest, n)
			}
		}
		if longest > 0 {
			out = append(out, span{start: b.at[i], end: b.to[i+longest-1], label: s.label})
			i += longest - 1
		}
	}
	return out
}

func common(a []byte, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// open is where the longest end of the text begins that stands somewhere in what
// is guarded; the next letters may complete it.
func (s *shared) open(b *bare, size int) int {
	if s == nil {
		return size
	}
	longest := 0
	for _, h := range s.hays {
		for n := longest + 1; n <= len(b.text) && n <= len(h.text); n++ {
			if !strings.Contains(h.text, string(b.text[len(b.text)-n:])) {
				break
			}
			longest = n
		}
	}
	if longest == 0 {
		return size
	}
	return b.at[len(b.at)-longest]
}

func backwards(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}

func rot13(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return 'a' + (r-'a'+13)%26
		case r >= 'A' && r <= 'Z':
			return 'A' + (r-'A'+13)%26
		}
		return r
	}, s)
}
