package builtin

import (
	"strconv"
	"strings"

	"flametree/engine/knowledge/lexis"
)

// figure is a number in a text.
type figure struct {
	value    int
	text     string // digits as written: 1,500 or 12.50
	from, to int    // words it spans, to exclusive
}

// small is the value of a number word below one hundred.
func small(w string) (int, bool) {
	switch w {
	case "zero", "null", "nil", "oh":
		return 0, true
	case "one":
		return 1, true
	case "two":
		return 2, true
	case "three":
		return 3, true
	case "four":
		return 4, true
	case "five":
		return 5, true
	case "six":
		return 6, true
	case "seven":
		return 7, true
	case "eight":
		return 8, true
	case "nine":
		return 9, true
	}
	return teen(w)
}

func teen(w string) (int, bool) {
	for i, s := range []string{"ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"} {
		if w == s {
			return 10 + i, true
		}
	}
	for i, s := range []string{"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"} {
		if w == s {
			return 20 + 10*i, true
		}
	}
	return 0, false
}

// numbers finds the whole numbers of a text, written or spoken.
func numbers(words []lexis.Word) []figure {
	var out []figure
	for i := 0; i < len(words); {
		f, ok := number(words, i)
		if !ok {
			i++
			continue
		}
		out = append(out, f)
		i = f.to
	}
	return out
}

// number reads the number that starts at word i.
func number(words []lexis.Word, i int) (figure, bool) {
	if lexis.HasDigit(words[i].Text) {
		return written(words, i)
	}
	total, part, j, any := 0, 0, i, false
	tens := false
	for ; j < len(words) && total < 1e9; j++ {
		w := words[j].Text
		n, ok := small(w)
		switch {
		case ok && w != "oh" && (!any || part%100 == 0 || tens && n < 10 && n > 0):
			part += n
			tens = n >= 20
			any = true
		case (w == "hundred" || w == "hundreds") && (any || j == i):
			part, any = max(part, 1)*100, true
			tens = false
		case w == "thousand" && (any || j == i):
			total, part, any = total+max(part, 1)*1000, 0, true
		case w == "million" && (any || j == i):
			total, part, any = total+max(part, 1)*1_000_000, 0, true
		case w == "and" && any && j+1 < len(words) && part%100 == 0 && part+total >= 100 && isSmall(words[j+1].Text):
		case w == "a" && !any && j+1 < len(words) && (words[j+1].Text == "hundred" || words[j+1].Text == "thousand" || words[j+1].Text == "million"):
		default:
			if !any {
				return figure{}, false
			}
			return figure{value: total + part, text: strconv.Itoa(total + part), from: i, to: j}, true
		}
	}
	return figure{value: total + part, text: strconv.Itoa(total + part), from: i, to: j}, any
}

func isSmall(w string) bool { _, ok := small(w); return ok }

// written reads digits; a decimal part is cut off the value and kept in text.
func written(words []lexis.Word, i int) (figure, bool) {
	w := words[i].Text
	whole := w
	if k := strings.IndexAny(w, ".,"); k >= 0 {
		whole = w[:k]
	}
	n, err := strconv.Atoi(whole)
	if err != nil || n > 1e12 {
		return figure{}, false
	}
	j := i + 1
	if j < len(words) && words[j].Text == "thousand" && n < 1e6 {
		n, w, j = n*1000, strconv.Itoa(n*1000), j+1
	}
	return figure{value: n, text: w, from: i, to: j}, true
}

// digits joins the digits of words from i on: written, spoken one by one, doubled
// (double five) or in pairs (twenty four). It returns them and the word behind.
func digits(words []lexis.Word, i int) (string, int) {
	var b strings.Builder
	times := 1
	for i < len(words) && b.Len() < 40 {
		w := words[i].Text
		n, ok := small(w)
		switch {
		case w == "double":
			times = 2
		case w == "triple":
			times = 3
		case lexis.HasDigit(w) && strings.Trim(w, "0123456789") == "":
			b.WriteString(strings.Repeat(w, times))
			times = 1
		case (w == "o" || w == "oh") && (b.Len() > 0 || i+1 < len(words) && isSmall(words[i+1].Text)):
			b.WriteString(strings.Repeat("0", times))
			times = 1
		case ok && w != "oh" && w != "null" && w != "nil":
			if n >= 20 && i+1 < len(words) {
				if u, unit := small(words[i+1].Text); unit && u > 0 && u < 10 {
					n, i = n+u, i+1
				}
			}
			b.WriteString(strings.Repeat(strconv.Itoa(n), times))
			times = 1
		default:
			return b.String(), i
		}
		i++
	}
	return b.String(), i
}

// figured is words with each spoken number in the place of its words.
func figured(words []lexis.Word) []lexis.Word {
	var out []lexis.Word
	at := 0
	for _, n := range numbers(words) {
		out = append(out, words[at:n.from]...)
		out = append(out, lexis.Word{Text: n.text, Start: words[n.from].Start, End: words[n.to-1].End})
		at = n.to
	}
	return append(out, words[at:]...)
}

func digit(w string) (string, bool) {
	if len(w) == 1 && w[0] >= '0' && w[0] <= '9' {
		return w, true
	}
	n, ok := small(w)
	if !ok || n > 9 || w == "oh" || w == "null" || w == "nil" {
		return "", false
	}
	return strconv.Itoa(n), true
}
