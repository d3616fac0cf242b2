package guard

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"flametree/engine/knowledge/lexis"
	"flametree/engine/workflow/located"
)

// Part is one of the texts that tell an agent what to be: identity, speech style,
// task, or the description of a state.
type Part struct {
	Name string       // as the writer knows it: "task", "state Contact"
	Node located.Node // its text and place
}

// demand is something that one sentence wants, so that two can be held against
// each other.
type demand struct {
	part     int
	sentence string
	about    string // what it is about: language, address, length, asking
	value    string // demands of one subject with two values contradict
	says     string // what it wants, for people
}

// Contradictions are warnings about demands that cannot both be met: two
// languages, asking and never asking for one thing, formal and informal address,
// short and long answers. It reads English, and only sentences without a
// condition: a warning that is wrong costs more than one that is missing.
func Contradictions(parts []Part) []located.Note {
	r := finder{lexicon: lexis.New()}
	for i, p := range parts {
		for line := range strings.SplitSeq(p.Node.Text, "\n- ") {
			for _, sentence := range lexis.Sentences(strings.Join(strings.Fields(line), " ")) {
				r.read(i, sentence)
			}
		}
	}
	var out []located.Note
	for i, a := range r.demands {
		for _, b := range r.demands[:i] {
			if a.about != b.about || a.value == b.value {
				continue
			}
			at := parts[a.part].Node
			n := located.Note{Line: max(1, at.Line), Col: max(1, at.Col), Text: fmt.Sprintf("%s wants %s (%q), %s wants %s (%q): an agent cannot do both",
				parts[a.part].Name, a.says, short(a.sentence), parts[b.part].Name, b.says, short(b.sentence))}
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

func short(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// finder gathers demands.
type finder struct {
	lexicon *lexis.Lexicon
	demands []demand
}

const languageNames = `english|german|spanish|french|russian|arabic|hindi|italian|portuguese|dutch|turkish|polish|chinese|japanese|kazakh|ukrainian`

func (r *finder) read(part int, sentence string) {
	lower := strings.ToLower(strings.Trim(sentence, " -•*#."))
	add := func(about, value, says string) {
		r.demands = append(r.demands, demand{part, sentence, about, value, says})
	}
	r.asking(lower, add)
	if conditional(lower) {
		return
	}
	speaks := regexp.MustCompile(`^(you )?(must |should |always |only |please )*(speak|reply|answer|respond|write|communicate|talk)s? (only |always |exclusively |to the \w+ |the \w+ )*(in )?(` + languageNames + `)( only| always| exclusively)?\b`)
	if m := speaks.FindStringSubmatch(lower); m != nil && !strings.Contains(lower, " or ") && !strings.Contains(lower, " and ") {
		add("language", m[6], "the language "+strings.ToUpper(m[6][:1])+m[6][1:])
	}
	if regexp.MustCompile(`\b(not|never|don't|nor|neither|without|avoid|too)\b`).MatchString(lower) {
		return
	}
	formal := regexp.MustCompile(`\b(formal|formally)\b|\buse (the )?sie\b|\bsiezen\b|\bby (their )?(last name|surname)\b|\buse (usted|vous)\b`).MatchString(lower)
	informal := regexp.MustCompile(`\b(informal|informally|casual|casually|slang)\b|\buse (the )?du\b|\bduzen\b|\bby (their )?first name\b|\buse (tú|tu)\b`).MatchString(lower)
	switch {
	case formal && !informal:
		add("address", "formal", "formal speech")
	case informal && !formal:
		add("address", "informal", "informal speech")
	}
	replies := regexp.MustCompile(`\b(answers?|repl(y|ies)|responses?|messages?)\b|^(be|stay|answer|reply|respond|explain)\b`).MatchString(lower)
	brief := regexp.MustCompile(`\b(short|brief|briefly|concise|concisely|terse|one sentence|one or two sentences)\b`).MatchString(lower)
	long := regexp.MustCompile(`\b(long|lengthy|detailed|exhaustive|comprehensive|in-depth|at length|in (great |full )?detail|thorough|thoroughly|elaborate)\b`).MatchString(lower)
	switch {
	case !replies || brief && long:
	case brief:
		add("length", "short", "short answers")
	case long:
		add("length", "long", "long answers")
	}
}

// conditional reports whether a sentence holds in some situations only.
func conditional(lower string) bool {
	return regexp.MustCompile(`\b(if|unless|when|whenever|except|where|other than|otherwise|until|prefers?|depending|language of the)\b`).MatchString(lower)
}

// asking finds what is to be asked for and what is never to be asked for.
func (r *finder) asking(lower string, add func(about, value, says string)) {
	asks := regexp.MustCompile(`\b((?:never|do not|don't|must not|not to) (?:ever )?)?ask(?:s|ing)? (?:the (?:human|customer|client|caller|guest|user|subscriber) |them |him |her )?(?:for|about) ([^.;:!?]+)`)
	for _, m := range asks.FindAllStringSubmatch(lower, -1) {
		never := m[1] != ""
		if conditional(lower) && !never || !never && regexp.MustCompile(`\b(never|not|don't|without|avoid)\b`).MatchString(lower) {
			continue
		}
		list := regexp.MustCompile(`,| or | and | so that | in order | because | to `).Split(m[2], -1)
		for _, thing := range list {
			stems := r.thing(thing)
			if stems == "" {
				continue
			}
			value, says := "ask", "to ask for "+strings.TrimSpace(thing)
			if never {
				value, says = "never", "never to ask for "+strings.TrimSpace(thing)
			}
			add("asking for "+stems, value, says)
			if strings.Contains(m[2], " to ") && !never {
				break // what follows is a purpose
			}
		}
	}
}

// thing is what is asked for, as it can be compared.
func (r *finder) thing(text string) string {
	text = regexp.MustCompile(`\b(the|human|customer|client|caller|guest|user)('s)?\b|\b(their|his|her|its|your|full|complete|current|any|a|an|of|again)\b`).ReplaceAllString(text, " ")
	var stems []string
	for _, w := range lexis.Words(text) {
		stems = append(stems, r.lexicon.Stem(w.Text))
	}
	if len(stems) == 0 || len(stems) > 4 {
		return ""
	}
	slices.Sort(stems)
	return strings.Join(stems, " ")
}
