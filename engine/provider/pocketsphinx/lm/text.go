package lm

import (
	"strings"
	"unicode"

	"flametree/engine/spoken"
)

// longestClause bounds how many words of an unpunctuated text are one clause.
const longestClause = 40

// clauses cuts text where a speaker would pause and returns the words of each
// piece in lower case. acronyms collects words that were written in capitals.
func clauses(text string, acronyms map[string]bool) [][]string {
	var out [][]string
	var cur []string
	flush := func() {
		if len(cur) > 0 {
			out = append(out, cur)
			cur = nil
		}
	}
	for f := range strings.FieldsSeq(spoken.Words(text, "en")) {
		stop := strings.ContainsAny(f[len(f)-1:], ".,;:!?)")
		for _, part := range strings.FieldsFunc(f, func(r rune) bool { return r != '\'' && !unicode.IsLetter(r) }) {
			w := strings.Trim(part, "'")
			if w == "" || !latin(w) {
				continue
			}
			if len(w) >= 2 && len(w) <= 5 && strings.ToUpper(w) == w {
				acronyms[strings.ToLower(w)] = true
			}
			cur = append(cur, strings.ToLower(w))
		}
		if stop || len(cur) >= longestClause {
			flush()
		}
	}
	flush()
	return out
}

func latin(w string) bool {
	for _, r := range w {
		if r != '\'' && (r > unicode.MaxASCII || !unicode.IsLetter(r)) {
			return false
		}
	}
	return true
}

// functionWords end a noun phrase. They are also never inflected.
const functionWords = `a an the of is are am was were be been being has have had having in on to and or nor per from by
if we need needs your you our it its at that was us use used using can could will would shall should may might must for with as no
not keep do does did done when where what which who whom whose why how this these those there here then than so but
because while after before within without until up down out over under again any all each every both more most
other such only own same too very just i me my mine he him his she her they them their about into through during
please also get gets got let makes make made yes it's don't i'm you're that's isn't can't won't doesn't`

// verbLeads are the words behind which a verb phrase begins.
const verbLeads = `to please can may should could must cannot can't`

func wordSet(s string) map[string]bool {
	m := make(map[string]bool)
	for w := range strings.FieldsSeq(s) {
		m[w] = true
	}
	return m
}

// phrases are what an agent's texts talk about, each as words joined by a
// space, in order of first appearance.
type phrases struct {
	nouns []string // "daily spending limit", and its tails: "spending limit", "limit"
	verbs []string // "block my card", said by the caller
	seen  map[string]bool
}

func (p *phrases) add(list *[]string, words []string) {
	s := strings.Join(words, " ")
	if p.seen == nil {
		p.seen = make(map[string]bool)
	}
	if len(words) > 0 && !p.seen[s] {
		p.seen[s] = true
		*list = append(*list, s)
	}
}

// collect takes the phrases of one clause.
func (p *phrases) collect(clause []string, function, leads map[string]bool) {
	var run []string
	end := func() {
		for n := min(len(run), 4); n > 0; n-- {
			p.add(&p.nouns, run[len(run)-n:])
		}
		if len(run) > 1 {
			p.add(&p.nouns, run[:1])
			p.add(&p.nouns, run[:2])
		}
		run = nil
	}
	for i, w := range clause {
		if function[w] || numberWord(w) {
			end()
		} else {
			run = append(run, w)
		}
		if (leads[w] || leads[prevWord(clause, i)] && pronoun(w)) && i+1 < len(clause) && !function[clause[i+1]] && !numberWord(clause[i+1]) {
			p.verbPhrase(clause[i+1:])
		}
	}
	end()
}

func prevWord(clause []string, i int) string {
	if i == 0 {
		return ""
	}
	return clause[i-1]
}

func pronoun(w string) bool { return w == "i" || w == "you" || w == "we" }

// verbPhrase takes "block your card" with its shorter beginnings, as the caller
// would say it.
func (p *phrases) verbPhrase(rest []string) {
	var words []string
	for _, w := range rest[:min(len(rest), 6)] {
		switch w {
		case "your", "our":
			w = "my"
		case "you", "us":
			w = "me"
		case "we", "i", "if", "when", "and", "or", "because", "so":
			w = ""
		}
		if w == "" {
			break
		}
		words = append(words, w)
	}
	for n := len(words); n > 0; n-- {
		switch last := words[n-1]; last {
		case "my", "the", "a", "an", "to", "in", "on", "at", "by", "for", "from", "with", "of", "me", "this", "your":
			continue
		}
		p.add(&p.verbs, words[:n])
	}
}

func numberWord(w string) bool { return spoken.Digits(w) != "" }

// inflections are forms of a word an agent uses that a caller may say instead.
// Only those known to the dictionary are of use, so nonsense does no harm.
func inflections(w string) []string {
	if len(w) < 3 {
		return nil
	}
	out := []string{plural(w), w + "ing", w + "ed", w + "er"}
	if s, ok := strings.CutSuffix(w, "ies"); ok {
		out = append(out, s+"y")
	}
	if s, ok := strings.CutSuffix(w, "es"); ok {
		out = append(out, s, s+"e")
	} else if s, ok := strings.CutSuffix(w, "s"); ok && !strings.HasSuffix(s, "s") {
		out = append(out, s)
	}
	for _, end := range [...]string{"ed", "ing", "er"} {
		if s, ok := strings.CutSuffix(w, end); ok && len(s) > 2 {
			out = append(out, s, s+"e", s+"ed", s+"ing", plural(s))
			if n := len(s); s[n-1] == s[n-2] {
				out = append(out, s[:n-1])
			}
		}
	}
	if s, ok := strings.CutSuffix(w, "e"); ok {
		out = append(out, s+"ing", s+"ed", s+"er")
	}
	if s, ok := strings.CutSuffix(w, "y"); ok {
		out = append(out, s+"ied")
	}
	for _, end := range [...]string{"ment", "ation", "al", "ly", "able"} {
		if s, ok := strings.CutSuffix(w, end); ok && len(s) > 2 {
			out = append(out, s, s+"e")
		}
	}
	if n := len(w); !strings.ContainsRune("aeiouwxy", rune(w[n-1])) && strings.ContainsRune("aeiou", rune(w[n-2])) {
		out = append(out, w+w[n-1:]+"ing", w+w[n-1:]+"ed")
	}
	return out
}

func plural(w string) string {
	switch {
	case strings.HasSuffix(w, "y") && len(w) > 2 && !strings.ContainsRune("aeiou", rune(w[len(w)-2])):
		return w[:len(w)-1] + "ies"
	case strings.HasSuffix(w, "s"), strings.HasSuffix(w, "x"), strings.HasSuffix(w, "ch"), strings.HasSuffix(w, "sh"):
		return w + "es"
	}
	return w + "s"
}
