package guard

import (
	"strings"
	"unicode"

	"flametree/engine/knowledge/lexis"
)

// tongue is the language of a tag: "de" of "de-AT".
func tongue(tag string) string {
	tag = strings.ToLower(strings.TrimSpace(tag))
	if i := strings.IndexAny(tag, "-_"); i > 0 {
		tag = tag[:i]
	}
	return tag
}

// tongues is a rule of kind Language: the languages allowed; none = that of the
// scene.
type tongues []string

func (t tongues) find(v *view) []span {
	allowed := []string(t)
	if len(allowed) == 0 && v.scene.Language != "" {
		allowed = []string{v.scene.Language}
	}
	if len(allowed) == 0 {
		return nil
	}
	var out []span
	all, _ := clauses(v.text)
next:
	for _, c := range all {
		is := languageOf(v.text[c.start:c.end])
		if is == "" {
			continue
		}
		for _, a := range allowed {
			if tongue(a) == is {
				continue next
			}
		}
		out = append(out, c)
	}
	return out
}

func (tongues) open(v *view) int { return openClause(v.text) }

// everyday are words that stand in every text of a language and hardly in one of
// another.
//
//nolint:misspell // words of several languages
const everyday = `
en the and you your is are of to can with for that have this will please our what it
de der die das und ist nicht sie ihr ihre ich wir mit für auf ein eine den dem kann können bitte haben werden
es el los las una que es usted su para con puede por está tiene como más pero del qué cuánto nuestro
fr le les des une est vous votre pour avec dans pas que sur nous pouvez être ce cette et du
it il gli che è per con una non sono può suo della dei questo nostro come di più
pt o os uma que é para com não você sua pode está do da como mais nosso em
nl de het een en is u uw niet met voor van kunt wij zijn dat op onze
ru и в не на что вы ваш мы с по для это как можно у от карта пожалуйста
`

// languageOf guesses the language of a sentence, "" when it is too short or too
// mixed to be sure.
func languageOf(text string) string {
	words := lexis.Words(text)
	if s := script(text); s != "" && s != "latin" && s != "cyrillic" {
		return s
	}
	if len(words) < 4 {
		return ""
	}
	best, second, name := 0, 0, ""
	for line := range strings.Lines(everyday[1:]) {
		list := " " + strings.TrimSpace(line[2:]) + " "
		n := 0
		for _, w := range words {
			if strings.Contains(list, " "+strings.ToLower(text[w.Start:w.End])+" ") {
				n++
			}
		}
		switch {
		case n > best:
			best, second, name = n, best, line[:2]
		case n > second:
			second = n
		}
	}
	if best < 2 || best < second*2 {
		return ""
	}
	return name
}

// script names the language of a script that one of them uses most, "latin" or
// "cyrillic" where words must decide.
func script(text string) string {
	var counts [8]int
	names := [...]string{"latin", "cyrillic", "ar", "hi", "zh", "ja", "ko", "he"}
	tables := [...]*unicode.RangeTable{unicode.Latin, unicode.Cyrillic, unicode.Arabic, unicode.Devanagari, unicode.Han, unicode.Hiragana, unicode.Hangul, unicode.Hebrew}
	total := 0
	for _, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		total++
		if r < 0x80 {
			counts[0]++
			continue
		}
		for i, t := range tables {
			if unicode.Is(t, r) {
				counts[i]++
				break
			}
		}
	}
	if counts[5] > 0 { // kanji among kana
		counts[5] += counts[4]
	}
	for i, n := range counts {
		if total >= 4 && n*10 >= total*7 {
			return names[i]
		}
	}
	return ""
}
