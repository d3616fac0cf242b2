package speech

import (
	"encoding/binary"
	"strings"
	"time"
	"unicode"

	"flametree/engine/provider"
)

// Plain writes what a vendor heard as the contract wants it: lower case, single
// spaces, no punctuation around words. What stands inside a word, as in 3.5 or
// o'clock, stays, and so does a sign that carries meaning.
func Plain(s string) string {
	words := strings.Fields(strings.ToLower(s))
	kept := words[:0]
	for _, w := range words {
		if w = bare(w); w != "" {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}

func bare(w string) string {
	trimmed := strings.TrimFunc(w, mark)
	if i := strings.Index(w, trimmed); i > 0 && w[i-1] == '-' && trimmed != "" && trimmed[0] >= '0' && trimmed[0] <= '9' {
		return "-" + trimmed
	}
	return trimmed
}

func mark(r rune) bool {
	return unicode.IsPunct(r) && !strings.ContainsRune("%@#&", r) || r == '¡' || r == '¿'
}

// Spoken makes words of what a vendor timed. Those without a sound are left out,
// and times that run backwards are put in order.
func Spoken(words []provider.Word) []provider.Word {
	out := make([]provider.Word, 0, len(words))
	at := time.Duration(0)
	for _, w := range words {
		w.Text = Plain(w.Text)
		if w.Text == "" {
			continue
		}
		w.Start = max(w.Start, at)
		w.End = max(w.End, w.Start)
		at = w.Start
		out = append(out, w)
	}
	return out
}

// Seconds is a vendor's time in seconds.
func Seconds(s float64) time.Duration {
	if !(s > 0) { // NaN too
		return 0
	}
	return time.Duration(min(s, 1e6) * float64(time.Second))
}

// Bytes writes samples as 16-bit little-endian.
func Bytes(pcm []int16) []byte {
	out := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		out = binary.LittleEndian.AppendUint16(out, uint16(v))
	}
	return out
}

// Samples reads 16-bit little-endian; an odd byte at the end is left over.
func Samples(b []byte) (pcm []int16, rest []byte) {
	pcm = make([]int16, len(b)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return pcm, b[2*len(pcm):]
}

// WAV is the 44 bytes before n bytes of mono 16-bit samples (RIFF, WAVE_FORMAT_PCM).
func WAV(rateHz, n int) []byte {
	le := binary.LittleEndian
	b := append([]byte("RIFF"), 0, 0, 0, 0)
	le.PutUint32(b[4:], uint32(36+n))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, uint32(rateHz))
	b = le.AppendUint32(b, uint32(2*rateHz))
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	return le.AppendUint32(b, uint32(n))
}
