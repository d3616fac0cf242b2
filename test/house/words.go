package house

import "strings"

// WordsRight compares what was heard with what was said: how many of the said
// words are right, and how many were said. Words that were invented count
// against it.
func WordsRight(said, heard string) (right, all int) {
	a, b := plain(said), plain(heard)
	// Edit distance over words.
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		last := row[0]
		row[0] = i + 1
		for j := range b {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return max(0, len(a)-row[len(b)]), len(a)
}

// plain is a text as words without punctuation and case.
func plain(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '\'' && r != '€'
	})
}
