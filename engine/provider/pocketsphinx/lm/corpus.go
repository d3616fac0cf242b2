package lm

import (
	"slices"
	"strings"

	"flametree/engine/provider"
)

// What callers of any agent say, and its parts. The shares were set on the
// development sentences of the recogniser's test, none of which is a test
// sentence.
const (
	shareTalk    = 0.25
	shareNarrate = 0.37
	shareNumber  = 0.12
	shareDates   = 0.10
	shareNames   = 0.09
	shareMail    = 0.07
)

// What callers of this agent say.
const (
	shareTexts = 0.22
	shareNouns = 0.50
	shareVerbs = 0.28
)

// longestList bounds how many phrases an agent's texts give to the frames.
const longestList = 400

// general counts what callers of any agent say.
func general(c *counter, weight float64) {
	c.patterns(lines(talk), weight*shareTalk)
	c.patterns(lines(narrate), weight*shareNarrate)
	c.texts(numberTalk(), weight*shareNumber)
	c.texts(dateTalk(), weight*shareDates)
	c.texts(nameTalk(), weight*shareNames)
	c.texts(mailTalk(), weight*shareMail)
}

// subject is what one agent is about.
type subject struct {
	texts        []string
	nouns, verbs []string
	acronyms     map[string]bool
}

// subjectOf reads the phrases from an agent's texts.
func subjectOf(h provider.Hints) subject {
	s := subject{acronyms: make(map[string]bool)}
	var p phrases
	function, leads := wordSet(functionWords), wordSet(verbLeads)
	for _, t := range hintTexts(h) {
		for _, c := range clauses(t, s.acronyms) {
			p.collect(c, function, leads)
			s.texts = append(s.texts, strings.Join(c, " "))
			if mine := callersView(c); mine != "" {
				s.texts = append(s.texts, mine)
			}
		}
	}
	for _, n := range slices.Clip(p.nouns) {
		if !strings.Contains(n, " ") && !function[n] {
			p.add(&p.nouns, []string{plural(n)})
		}
	}
	s.nouns, s.verbs = head(p.nouns, longestList), head(p.verbs, longestList)
	return s
}

// count counts what callers say about the subject.
func (s subject) count(c *counter, f frames, weight float64) {
	c.texts(s.texts, weight*shareTexts)
	c.framed(f.nouns, s.nouns, weight*shareNouns)
	c.framed(f.verbs, s.verbs, weight*shareVerbs)
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
// says: your card, my card. It is "" where that changes nothing.
func callersView(c []string) string {
	out, changed := make([]string, len(c)), false
	for i, w := range c {
		out[i] = w
		switch w {
		case "your":
			out[i] = "my"
		case "you":
			out[i] = "i"
		case "we", "us":
			out[i] = "you"
		case "our":
			out[i] = "your"
		}
		changed = changed || w != out[i]
	}
	if !changed {
		return ""
	}
	return strings.Join(out, " ")
}

func head(list []string, n int) []string { return list[:min(n, len(list))] }

// Contains reports whether any sentence the model of these hints is built from
// is exactly this one. It is for tests that must not test what was taught.
func Contains(h provider.Hints, sentence string) bool {
	want := strings.Fields(sentence)
	s := subjectOf(h)
	for _, list := range [][]string{s.texts, numberTalk(), dateTalk(), nameTalk(), mailTalk()} {
		for _, t := range list {
			if strings.Join(strings.Fields(t), " ") == sentence {
				return true
			}
		}
	}
	for _, p := range append(lines(talk), lines(narrate)...) {
		if matches(p, want) {
			return true
		}
	}
	return fills(nounFrames, "{n}", s.nouns, sentence) || fills(verbFrames, "{v}", s.verbs, sentence)
}

// matches reports whether a pattern has the sentence.
func matches(p string, want []string) bool {
	v := newVocabulary()
	slots, _ := parsePattern(v, p)
	at := map[int]bool{0: true}
	for _, slot := range slots {
		next := map[int]bool{}
		for i := range at {
			for _, words := range slot {
				if n := prefix(v, words, want[i:]); n >= 0 {
					next[i+n] = true
				}
			}
		}
		at = next
	}
	return at[len(want)]
}

func prefix(v *vocabulary, words []uint32, want []string) int {
	if len(words) > len(want) {
		return -1
	}
	for i, w := range words {
		if v.words[w] != want[i] {
			return -1
		}
	}
	return len(words)
}

func fills(frames, hole string, list []string, sentence string) bool {
	for _, l := range lines(frames) {
		for _, f := range expandNested(l) {
			left, right, _ := strings.Cut(f, hole)
			middle, ok := strings.CutPrefix(sentence, left)
			if !ok {
				continue
			}
			middle, ok = strings.CutSuffix(middle, right)
			if !ok {
				continue
			}
			if slices.Contains(list, middle) {
				return true
			}
		}
	}
	return false
}

// Sentences writes out what callers of this agent say, at most perPattern
// sentences of a pattern: there are millions. It is for the curious; whether a
// sentence was taught, Contains says exactly.
func Sentences(h provider.Hints) []string {
	s := subjectOf(h)
	out := append([]string(nil), s.texts...)
	for _, list := range [][]string{numberTalk(), dateTalk(), nameTalk(), mailTalk()} {
		for _, t := range list {
			out = append(out, strings.Join(strings.Fields(t), " "))
		}
	}
	v := newVocabulary()
	for _, p := range append(lines(talk), lines(narrate)...) {
		slots, _ := parsePattern(v, p)
		out = append(out, v.written(slots, perPattern)...)
	}
	out = append(out, framed(nounFrames, "{n}", s.nouns)...)
	return append(out, framed(verbFrames, "{v}", s.verbs)...)
}

// perPattern bounds what Sentences writes out of one pattern.
const perPattern = 2000

func (v *vocabulary) written(slots [][][]uint32, most int) []string {
	out := []string{""}
	for _, slot := range slots {
		var next []string
		for _, s := range out {
			for _, words := range slot {
				var t strings.Builder
				t.WriteString(s)
				for _, w := range words {
					t.WriteString(" " + v.words[w])
				}
				if len(next) < most {
					next = append(next, t.String())
				}
			}
		}
		out = next
	}
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}

func framed(frames, hole string, list []string) []string {
	var out []string
	for _, l := range lines(frames) {
		for _, f := range expandNested(l) {
			for _, n := range list {
				out = append(out, strings.Replace(f, hole, n, 1))
			}
		}
	}
	return out
}
