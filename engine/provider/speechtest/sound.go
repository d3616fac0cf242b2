package speechtest

import (
	"encoding/binary"
	"strings"
	"time"
)

// Letter is how long a letter lasts on the way to a recogniser, Voiced from a voice.
const (
	Letter = 20 * time.Millisecond
	Voiced = 60 * time.Millisecond
	step   = 1000 // between the levels of two letters
	space  = 27
)

func code(r rune) int16 {
	switch {
	case r >= 'a' && r <= 'z':
		return int16(r-'a') + 1
	case r == ' ':
		return space
	}
	return space + 1 // any other
}

// Sound is text as sound, each letter for the time given.
func Sound(text string, rateHz int, each time.Duration) []int16 {
	n := int(each * time.Duration(rateHz) / time.Second)
	out := make([]int16, 0, n*len(text))
	for _, r := range strings.ToLower(text) {
		for range n {
			out = append(out, code(r)*step)
		}
	}
	return out
}

// timedWord is a word and the letters it stands on.
type timedWord struct {
	text       string
	start, end int
}

// Listener reads sound. It is not safe for concurrent use.
type Listener struct {
	block int // samples of a letter
	each  time.Duration
	rest  []int16
	text  []byte // ' ' for silence too
	total int
	tones *tones // nil: levels
	knows []string
}

// NewListener reads sound of letters that last each.
func NewListener(rateHz int, each time.Duration) *Listener {
	return &Listener{block: int(each * time.Duration(rateHz) / time.Second), each: each}
}

// Hear takes samples.
func (l *Listener) Hear(pcm []int16) {
	l.total += len(pcm)
	if l.tones != nil {
		l.tones.hear(l, pcm)
		return
	}
	l.rest = append(l.rest, pcm...)
	for len(l.rest) >= l.block {
		l.text = append(l.text, letter(l.rest[:l.block]))
		l.rest = l.rest[l.block:]
	}
}

// letter is read in the middle, where a filter has settled.
func letter(block []int16) byte {
	sum, n := 0, 0
	for _, v := range block[len(block)/3 : max(len(block)*2/3, len(block)/3+1)] {
		sum, n = sum+int(v), n+1
	}
	switch c := (sum/n + step/2) / step; {
	case c >= 1 && c <= 26:
		return 'a' + byte(c-1)
	case c == space+1:
		return '\''
	}
	return ' '
}

// Text is everything that was heard, in single spaces.
func (l *Listener) Text() string {
	l.settle()
	return strings.Join(strings.Fields(string(l.text)), " ")
}

// words are those that begin at letter from or later; one that may go on is left
// out unless all.
func (l *Listener) words(from int, all bool) []timedWord {
	if all {
		l.settle()
	}
	if all && len(l.knows) > 0 {
		return expected(l.raw(from, all), l.knows)
	}
	return l.raw(from, all)
}

func (l *Listener) raw(from int, all bool) []timedWord {
	var out []timedWord
	start := -1
	for i := from; i <= len(l.text); i++ {
		if i < len(l.text) && l.text[i] != ' ' {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 && (i < len(l.text) || all) {
			out = append(out, timedWord{text: string(l.text[start:i]), start: start, end: i})
		}
		start = -1
	}
	return out
}

func (l *Listener) seconds(letters int) float64 {
	return (time.Duration(letters) * l.each).Seconds()
}

func joined(words []timedWord) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return b.String()
}

func samples(b []byte) []int16 {
	out := make([]int16, len(b)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return out
}

func bytesOf(pcm []int16) []byte {
	var out []byte
	for _, v := range pcm {
		out = binary.LittleEndian.AppendUint16(out, uint16(v))
	}
	return out
}

// pieces cuts sound as networks do: in odd places.
func pieces(b []byte) [][]byte {
	const most = 9601
	var out [][]byte
	for len(b) > most {
		out, b = append(out, b[:most]), b[most:]
	}
	return append(out, b)
}

// wavOf is sound as a WAV with a chunk that nobody asked for before the samples.
func wavOf(rate int, pcm []byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("RIFF"), uint32(48+len(pcm)))
	b = le.AppendUint32(append(b, "WAVEfmt "...), 16)
	b = le.AppendUint16(le.AppendUint16(b, 1), 1)
	b = le.AppendUint32(le.AppendUint32(b, uint32(rate)), uint32(2*rate))
	b = le.AppendUint16(le.AppendUint16(b, 2), 16)
	b = append(le.AppendUint32(append(b, "LIST"...), 4), "INFO"...)
	return append(le.AppendUint32(append(b, "data"...), uint32(len(pcm))), pcm...)
}
