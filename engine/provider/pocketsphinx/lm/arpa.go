package lm

import (
	"bufio"
	"io"
	"math"
	"strconv"
)

// WriteARPA writes the model in ARPA format: logarithms to the base of ten.
func (m *Model) WriteARPA(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	line := make([]byte, 0, 128)
	section := func(n int) {
		line = append(line[:0], "\n\\"...)
		line = append(strconv.AppendInt(line, int64(n), 10), "-grams:\n"...)
		_, _ = b.Write(line)
	}
	count := func(n, grams int) {
		line = append(strconv.AppendInt(append(line[:0], "ngram "...), int64(n), 10), '=')
		line = append(strconv.AppendInt(line, int64(grams), 10), '\n')
		_, _ = b.Write(line)
	}
	_, _ = b.WriteString("\\data\\\n")
	count(1, len(m.prob)-start)
	count(2, len(m.bi))
	count(3, len(m.tri))
	section(1)
	for i := start; i < len(m.prob); i++ {
		line = m.number(line[:0], m.prob[i])
		line = append(append(line, ' '), m.vocab.words[i]...)
		line = m.number(append(line, ' '), m.backoff[i])
		_, _ = b.Write(append(line, '\n'))
	}
	section(2)
	for _, e := range m.bi {
		line = m.ngram(line[:0], e, false)
		line = m.number(append(line, ' '), e.backoff)
		_, _ = b.Write(append(line, '\n'))
	}
	section(3)
	for _, e := range m.tri {
		_, _ = b.Write(append(m.ngram(line[:0], e, true), '\n'))
	}
	_, _ = b.WriteString("\n\\end\\\n")
	return b.Flush() // a bufio.Writer remembers the first error
}

func (m *Model) ngram(line []byte, e entry, three bool) []byte {
	x, y, z := e.words()
	line = append(m.number(line, e.prob), ' ')
	if three {
		line = append(append(line, m.vocab.words[x]...), ' ')
	}
	line = append(append(line, m.vocab.words[y]...), ' ')
	return append(line, m.vocab.words[z]...)
}

// number writes log10 of p; 0 is the format's customary -99.
func (m *Model) number(line []byte, p float64) []byte {
	if p <= 0 {
		return append(line, "-99"...)
	}
	return strconv.AppendFloat(line, math.Log10(p), 'f', 4, 64)
}
