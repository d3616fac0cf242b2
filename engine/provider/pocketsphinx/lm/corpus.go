package lm

import (
	"strings"

	"flametree/engine/provider"
)

// A source is one kind of sentences and its share of what callers say.
type source struct {
	name  string
	share float64
	fixed []string // whole sentences
	// frames are sentences with one hole, which each of fill can fill.
	frames, fill []string
	hole         string
}

// The shares add up to one. They were set on the development sentences of the
// recogniser's test, none of which is a test sentence.
const (
	shareTexts   = 0.10
	shareNouns   = 0.24
	shareVerbs   = 0.14
	shareTalk    = 0.12
	shareNarrate = 0.20
	shareNumber  = 0.06
	shareDates   = 0.05
	shareNames   = 0.05
	shareMail    = 0.04
)

// longestList bounds how many phrases an agent's texts give to the frames.
const longestList = 400

// sources puts together everything a caller of this agent may say.
func sources(h provider.Hints, acronyms map[string]bool) []source {
	var texts []string
	var p phrases
	function, leads := wordSet(functionWords), wordSet(verbLeads)
	for _, t := range hintTexts(h) {
		for _, c := range clauses(t, acronyms) {
			p.collect(c, function, leads)
			texts = append(texts, strings.Join(c, " "))
			if s := callersView(c); s != "" {
				texts = append(texts, s)
			}
		}
	}
	for _, n := range p.nouns[:len(p.nouns):len(p.nouns)] {
		if !strings.Contains(n, " ") && !function[n] {
			p.add(&p.nouns, []string{plural(n)})
		}
	}
	return []source{
		{name: "texts", share: shareTexts, fixed: texts},
		{name: "nouns", share: shareNouns, frames: patterns(nounFrames), fill: head(p.nouns, longestList), hole: "{n}"},
		{name: "verbs", share: shareVerbs, frames: patterns(verbFrames), fill: head(p.verbs, longestList), hole: "{v}"},
		{name: "talk", share: shareTalk, fixed: patterns(talk)},
		{name: "narrate", share: shareNarrate, fixed: patterns(narrate)},
		{name: "numbers", share: shareNumber, fixed: numberTalk()},
		{name: "dates", share: shareDates, fixed: dateTalk()},
		{name: "names", share: shareNames, fixed: nameTalk()},
		{name: "mail", share: shareMail, fixed: mailTalk()},
	}
}

func hintTexts(h provider.Hints) []string {
	out := append([]string(nil), h.Texts...)
	for _, f := range h.Fields {
		out = append(out, f.Title, f.Description)
		out = append(out, f.Options...)
	}
	return out
}

// callersView turns what the agent says to the caller into what the caller
// says: your card, my card.
func callersView(c []string) string {
	out, changed := make([]string, len(c)), false
	for i, w := range c {
		switch w {
		case "your":
			w = "my"
		case "you":
			w = "i"
		case "we", "our", "us":
			w = map[string]string{"we": "you", "our": "your", "us": "you"}[w]
		}
		out[i] = w
		changed = changed || w != c[i]
	}
	if !changed {
		return ""
	}
	return strings.Join(out, " ")
}

func patterns(s string) []string {
	var out []string
	for _, l := range lines(s) {
		out = append(out, expandNested(l)...)
	}
	return out
}

func head(list []string, n int) []string { return list[:min(n, len(list))] }

// Sentences writes out all sentences the model of these hints is built from,
// sorted by source. It is for tests and for the curious: the builder never
// writes out the product of frames and phrases.
func Sentences(h provider.Hints) []string {
	var out []string
	for _, s := range sources(h, make(map[string]bool)) {
		for _, f := range s.fixed {
			out = append(out, strings.Join(strings.Fields(f), " "))
		}
		for _, f := range s.frames {
			for _, w := range s.fill {
				out = append(out, strings.Replace(f, s.hole, w, 1))
			}
		}
	}
	return out
}
