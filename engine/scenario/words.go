package scenario

import (
	"strings"
	"unicode"

	"flametree/engine/spoken"
)

// Plain is a text as words that can be heard and compared: figures and amounts
// as they are spoken, small letters, no punctuation.
func Plain(text string) string { return strings.Join(words(text), " ") }

func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(spoken.Words(text, "")), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.Mn, r) && r != '\''
	})
}

// heard is the share of a phrase's words that stand in what was recognised, in
// their order: 1 less the fewest words that must be changed, put in or left out
// (edit distance of the best stretch), per word of the phrase.
func heard(phrase string, said []string) float64 {
	want := words(phrase)
	if len(want) == 0 {
		return 0
	}
	// A stretch may begin and end anywhere: the first row is 0, and the least of
	// the last row counts.
	row := make([]int, len(said)+1)
	for i, w := range want {
		last := row[0]
		row[0] = i + 1
		for j, s := range said {
			cost := last
			if w != s {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	best := len(want)
	for _, d := range row {
		best = min(best, d)
	}
	return 1 - float64(best)/float64(len(want))
}
