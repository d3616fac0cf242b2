package speech

import (
	"strings"
	"unicode"

	"flametree/engine/provider"
)

// Terms picks from hints what a recogniser would not expect by itself: the
// options of results, and words that are written as names within a sentence. At
// most most of them, each once, in their order.
func Terms(h provider.Hints, most int) []string {
	var out []string
	seen := map[string]bool{}
	add := func(term string) {
		key := strings.ToLower(term)
		if n := len([]rune(term)); n >= 3 && n <= 40 && !seen[key] && len(out) < most {
			seen[key] = true
			out = append(out, term)
		}
	}
	for _, f := range h.Fields {
		for _, o := range f.Options {
			add(strings.TrimSpace(o))
		}
	}
	for _, text := range h.Texts {
		begins := true
		for w := range strings.FieldsSeq(text) {
			name := strings.TrimFunc(w, unicode.IsPunct)
			if !begins && named(name) {
				add(name)
			}
			begins = strings.ContainsAny(w[len(w)-1:], ".?!:")
		}
	}
	return out
}

func named(w string) bool {
	for i, r := range w {
		if i == 0 && !unicode.IsUpper(r) || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '\'' {
			return false
		}
	}
	return w != ""
}

// Short is a language without its region: "en" of "en-US".
func Short(language string) string {
	s, _, _ := strings.Cut(language, "-")
	return strings.ToLower(s)
}
