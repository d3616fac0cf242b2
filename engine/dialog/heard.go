package dialog

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"flametree/engine/provider"
)

// perRune is how long a character takes to say when nothing better is known.
const perRune = 65 * time.Millisecond

// maxAlign bounds the work of matching written and spoken words.
const maxAlign = 200

// Spoken is one clause as it was given to a voice.
type Spoken struct {
	Text   string          // as written
	Words  []provider.Word // as spoken, timed from the clause's first sample; may be missing
	Length time.Duration   // of its audio; 0 = not known
	Played time.Duration   // how much of it reached the ear
}

// Heard is the part of a reply that the caller heard, cut at a word: what the
// conversation remembers of a reply that was interrupted. A word counts once
// half of it was heard. An amount or a date of which only some words were heard
// is kept as those words ("one thousand two"), because its figures would say
// more.
func Heard(clauses []Spoken) string {
	var out []string
	for _, c := range clauses {
		text, whole := c.heard()
		if text != "" {
			out = append(out, text)
		}
		if !whole {
			break
		}
	}
	return Join(out)
}

// Position fills in Played for clauses that are rendered one after the other,
// of which played was heard in all.
func Position(clauses []Spoken, played time.Duration) []Spoken {
	out := make([]Spoken, len(clauses))
	for i, c := range clauses {
		c.Played = max(0, played)
		if c.Length > 0 {
			c.Played = min(c.Played, c.Length)
		}
		played -= c.length()
		out[i] = c
	}
	return out
}

// length is the clause's audio, as well as it is known.
func (c Spoken) length() time.Duration {
	switch {
	case c.Length > 0:
		return c.Length
	case len(c.Words) > 0:
		return c.Words[len(c.Words)-1].End
	}
	return time.Duration(utf8.RuneCountInString(c.Text)) * perRune
}

func (c Spoken) heard() (text string, whole bool) {
	switch {
	case c.Played <= 0:
		return "", false
	case c.Played >= c.length():
		return c.Text, true
	}
	written := strings.Fields(c.Text)
	if len(c.Words) == 0 || len(c.Words) > maxAlign || len(written) > maxAlign {
		return c.share(written), false
	}
	n := 0
	for n < len(c.Words) && (c.Words[n].Start+c.Words[n].End)/2 <= c.Played {
		n++
	}
	if n == len(c.Words) {
		return c.Text, true
	}
	var out []string
	next := 0
	said := 0 // written words up to the last one that is spoken at all
	for i, k := range align(written, c.Words) {
		if next+k > n {
			for _, w := range c.Words[next:n] {
				out = append(out[:said], w.Text)
				said++
			}
			break
		}
		out = append(out, written[i])
		next += k
		if k > 0 {
			said = len(out)
		}
	}
	return Join(out[:said]), false
}

// share cuts by proportion of characters.
func (c Spoken) share(written []string) string {
	total, at, n := len(written), 0, 0
	for _, w := range written {
		total += utf8.RuneCountInString(w)
	}
	for n < len(written) {
		size := utf8.RuneCountInString(written[n])
		if float64(at)+float64(size)/2 > float64(c.Played)/float64(c.length())*float64(total) {
			break
		}
		at += size + 1
		n++
	}
	return Join(written[:n])
}

// What a step of align is worth. A word that is spoken as it is written is the
// best sign; figures and addresses become any number of words.
const (
	same      = 30
	skipped   = -25 // a written word that is not spoken
	unwritten = -25 // a spoken word that is not written
	otherwise = -10 // each spoken word of a written word that sounds different
	uneven    = -1  // each word by which the guess of composed is missed
	maxRun    = 30  // spoken words of one written word
)

// align says how many spoken words each written word became, in order: the
// best way through the grid of both.
//
//nolint:gocognit // one table of cases
func align(written []string, spoken []provider.Word) []int {
	m, n := len(written), len(spoken)
	said := make([]string, n)
	for j, w := range spoken {
		said[j] = bare(w.Text)
	}
	best := make([][]int, m+1)
	took := make([][]int, m+1)
	for i := range best {
		best[i], took[i] = make([]int, n+1), make([]int, n+1)
	}
	for j := n - 1; j >= 0; j-- {
		best[m][j] = best[m][j+1] + unwritten
	}
	for i := m - 1; i >= 0; i-- {
		word := bare(written[i])
		free, parts := composed(written[i])
		for j := n; j >= 0; j-- {
			best[i][j], took[i][j] = best[i+1][j]+skipped, 0
			if word == "" {
				best[i][j] = best[i+1][j] // a dash is not spoken
			}
			for k := 1; k <= min(maxRun, n-j); k++ {
				v := best[i+1][j+k]
				switch {
				case k == 1 && word == said[j]:
					v += same
				case free:
					v += uneven * max(k-parts, parts-k)
				default:
					v += k * otherwise
				}
				if v > best[i][j] {
					best[i][j], took[i][j] = v, k
				}
			}
		}
	}
	runs := make([]int, m)
	for i, j := 0, 0; i < m; i++ {
		runs[i] = took[i][j]
		j += runs[i]
	}
	return runs
}

// bare is a word without case and punctuation.
func bare(w string) string {
	return strings.ToLower(strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }))
}

// composed reports whether a word is made of figures or signs, so that its
// spoken form is several words, and guesses how many: one a digit, a sign and a
// run of letters.
func composed(w string) (free bool, parts int) {
	letters := false
	for _, r := range strings.Trim(w, ".,;:!?()\"'“”") {
		switch {
		case unicode.IsLetter(r):
			if !letters {
				parts++
			}
			letters = true
			continue
		case unicode.IsDigit(r):
			free = true
			parts++
		case strings.ContainsRune("@/.&%+$€£:", r):
			free = true
			parts++
		}
		letters = false
	}
	return free, parts
}
