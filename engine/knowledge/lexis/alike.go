package lexis

import (
	"math"
	"strings"
)

// Likeness is the cosine of the character trigrams of two words, hashed into
// 64 cells: 1 for the same word, near 0 for strangers.
func Likeness(a, b string) float64 {
	ga, gb := Trigrams(a), Trigrams(b)
	var dot, na, nb float64
	for i := range ga {
		x, y := float64(ga[i]), float64(gb[i])
		dot += x * y
		na += x * x
		nb += y * y
	}
	if na == 0 || nb == 0 {
		return 0
	}
	return dot / math.Sqrt(na*nb)
}

// Trigrams counts a word's character trigrams, its ends marked, in 64 cells.
func Trigrams(w string) (cells [64]uint8) {
	if w == "" {
		return cells
	}
	padded := make([]byte, 0, 66)
	padded = append(padded, '^')
	padded = append(padded, w[:min(len(w), 64)]...)
	padded = append(padded, '$')
	for i := 0; i+3 <= len(padded); i++ {
		cells[cell(padded[i], padded[i+1], padded[i+2])]++
	}
	return cells
}

func cell(a, b, c byte) uint32 {
	h := (uint32(a)<<16 | uint32(b)<<8 | uint32(c)) * 2654435761
	return h >> 26
}

// Alike reports whether two stems are one word misspelled or differently
// formed: one edit from five letters on, two from eight on, or a long common
// beginning.
func Alike(a, b string) bool {
	if len(a) < 5 || len(b) < 5 || HasDigit(a) || HasDigit(b) {
		return false
	}
	short, long := len(a), len(b)
	if short > long {
		short, long = long, short
	}
	if long-short > 4 {
		return false
	}
	if a == "re"+b || b == "re"+a {
		return true // refuel, resend
	}
	p := prefix(a, b)
	if p >= 5 && p*4 >= long*3 {
		return true
	}
	limit := 1
	if short >= 8 {
		limit = 2
	}
	// A first letter is seldom misspelled; without it short words collide.
	if p == 0 || long-short > limit {
		return false
	}
	return edits(a, b, limit) <= limit
}

func prefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// edits is the distance of Damerau and Levenshtein (neighbours may swap), given
// up above limit. Words are short, so two rows on the stack are enough.
func edits(a, b string, limit int) int {
	if len(a) > 40 || len(b) > 40 {
		return limit + 1
	}
	var rows [3][41]int
	two, one, cur := &rows[0], &rows[1], &rows[2]
	for j := 0; j <= len(b); j++ {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		low := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(one[j]+1, cur[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], two[j-2]+1)
			}
			low = min(low, cur[j])
		}
		if low > limit {
			return limit + 1
		}
		two, one, cur = one, cur, two
	}
	return one[len(b)]
}

// Slip reports whether a word that is unknown may be a stem mistyped: one edit,
// two from seven letters on, an ending aside that the slip kept the stemmer from
// taking off. Four letters with another one among them are another word. It is
// looser than Alike, for words that are few.
func Slip(word, stem string) bool {
	if len(word) < 4 || len(stem) < 4 || word[0] != stem[0] || HasDigit(word) || HasDigit(stem) {
		return false
	}
	over := len(word) - len(stem)
	if over < -2 || over > 5 {
		return false
	}
	if slipped(word, stem) {
		return true
	}
	if over < 2 || len(stem) < 5 {
		return false
	}
	if prefix(word, stem) >= 5 {
		return true // the stem and a broken ending: delivverd
	}
	for cut := len(stem) - 1; cut <= len(stem)+1; cut++ {
		if inflects(word[cut:]) && edits(word[:cut], stem, 1) <= 1 {
			return true // a broken stem and its ending: cncellation
		}
	}
	return false
}

// slipped reports whether one word is the other mistyped.
func slipped(a, b string) bool {
	short := min(len(a), len(b))
	limit := 1
	if short >= 7 {
		limit = 2
	}
	return edits(a, b, limit) <= limit && (short > 4 || len(a) != len(b) || swapped(a, b))
}

// swapped reports whether two words of one length have the same letters.
func swapped(a, b string) bool {
	var count [256]int
	for i := range len(a) {
		count[a[i]]++
		count[b[i]]--
	}
	return count == [256]int{}
}

// inflects reports whether a word may end like this.
func inflects(end string) bool {
	for _, e := range []string{"s", "ed", "er", "ing", "ion", "ly", "ment"} {
		if strings.HasSuffix(end, e) {
			return true
		}
	}
	return false
}

// Mumbled reports whether an unknown word looks like a slip of one that says
// little or nothing: muh for much, tere for there.
func (l *Lexicon) Mumbled(word string) bool {
	if len(word) < 3 || len(word) > 4 { // longer ones are words of their own: drone is not done
		return false
	}
	for w, weight := range l.weight {
		if weight < Content && len(w) >= 3 && w[0] == word[0] && slipped(word, w) {
			return true
		}
	}
	return false
}
