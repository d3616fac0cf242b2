package builtin

import (
	"regexp"
	"strings"

	"flametree/engine/knowledge/lexis"
)

var (
	secondPerson = regexp.MustCompile(`(?i)\b(you are|you're|you have|you|yourself|yours|your)\b`)
	aboutSelf    = regexp.MustCompile(`(?i)^(you are|you're|your name|your role|you (help|work|answer|support|represent|assist|advise)|my name|i am)\b`)
	ownName      = regexp.MustCompile(`(?:[Yy]our name is|[Yy]ou are(?: called)?|[Nn]amed|[Nn]ame:) (\p{Lu}[\p{L}]+)\b`)
)

// firstPerson turns what an identity says to the agent into what the agent says
// of itself.
func firstPerson(s string) string {
	first := true
	out := secondPerson.ReplaceAllStringFunc(s, func(m string) string {
		r := ""
		switch strings.ToLower(m) {
		case "you are", "you're":
			r = "I am"
		case "you have":
			r = "I have"
		case "you":
			r = "I"
		case "your":
			r = "my"
		case "yours":
			r = "mine"
		case "yourself":
			r = "myself"
		}
		if first && strings.HasPrefix(s, m) {
			r = strings.ToUpper(r[:1]) + r[1:]
		}
		first = false
		return r
	})
	return out
}

// self are up to n sentences in which the agent says who it is.
func (t *turn) self(n int) string {
	var out []string
	for _, s := range lexis.Sentences(strings.ReplaceAll(t.identity, "\n", " ")) {
		if aboutSelf.MatchString(s) && len(out) < n && len(strings.Fields(s)) <= 40 {
			out = append(out, point(firstPerson(s)))
		}
	}
	return strings.Join(out, " ")
}

// agentName is the agent's name, if the identity gives one.
func (t *turn) agentName() string {
	if m := ownName.FindStringSubmatch(t.identity); m != nil {
		return m[1]
	}
	return ""
}

// introduction says who speaks in a few words.
func (t *turn) introduction() string {
	if s := t.self(1); s != "" && len(strings.Fields(s)) <= 25 {
		return s
	}
	if n := t.agentName(); n != "" {
		return "I am " + n + "."
	}
	return "I am a virtual assistant."
}
