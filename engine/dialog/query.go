package dialog

import (
	"slices"
	"strings"
	"unicode"

	"flametree/engine/agent"
	"flametree/engine/knowledge"
	"flametree/engine/session"
)

// A line that leans on the one before it is short.
const leaningWords = 8

// Ask is the search for what the customer said last. Before holds what it may
// lean on: the line before it and, when it only agrees, the question it agrees
// to. An empty Text means that there is nothing to search for.
func Ask(s *session.State, r *agent.Revision) knowledge.Query {
	last, before := lines(s)
	return knowledge.Query{
		Text: last, Before: before,
		Familiar: strings.TrimSpace(r.Spec.Identity + "\n" + r.Spec.Task),
		K:        r.Settings.TopK, Min: r.Settings.MinScore,
	}
}

// Query is what to search knowledge with, as one text: the last line of the
// customer, and for a follow-up ("and for the other card?") the line before it
// first. "" if the last line has no words.
func Query(s *session.State) string {
	last, before := lines(s)
	if last == "" || !leans(last) {
		return last
	}
	return strings.TrimSpace(before + " " + last)
}

// lines finds the customer's last line and what was talked about before it.
func lines(s *session.State) (last, before string) {
	var asked string
	for _, l := range slices.Backward(s.Lines) {
		switch {
		case l.Role == session.RoleAI && l.Text != "" && len(l.Calls) == 0 && last != "" && asked == "" && before == "":
			asked = question(l.Text)
		case l.Role != session.RoleHuman:
		case last == "":
			if l.Digits || l.Text == "" {
				return "", ""
			}
			last = l.Text
		case !l.Digits && l.Text != "":
			before = l.Text
		}
		if before != "" {
			break
		}
	}
	if agrees(last) && asked != "" {
		before = asked
	}
	return last, before
}

// question is the last question in a line of the agent, "" if there is none.
func question(text string) string {
	end := strings.LastIndexByte(text, '?')
	if end < 0 {
		return ""
	}
	start := strings.LastIndexAny(text[:end], ".!?\n") + 1
	return strings.TrimSpace(text[start : end+1])
}

func plainWords(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\''
	})
}

// agrees reports whether a line says yes and nothing else.
func agrees(text string) bool {
	words := plainWords(text)
	if len(words) == 0 || len(words) > 4 {
		return false
	}
	return !slices.ContainsFunc(words, func(w string) bool {
		return !slices.Contains([]string{
			"yes", "yeah", "yep", "sure", "please", "ok", "okay", "of", "course", "that", "would", "be", "great",
			"do", "go", "ahead", "tell", "me", "right", "exactly", "both",
		}, w)
	})
}

// leans reports whether a line cannot be understood without the one before it.
func leans(text string) bool {
	words := plainWords(text)
	if len(words) <= 2 || agrees(text) {
		return true
	}
	if len(words) > leaningWords {
		return false
	}
	switch {
	case slices.Contains([]string{"and", "but", "or", "also", "then", "so", "which", "why", "really"}, words[0]):
		return true
	case (words[0] == "what" || words[0] == "how") && words[1] == "about":
		return true
	}
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{
			"it", "its", "it's", "that", "that's", "this", "these", "those", "them", "they", "their", "one", "ones",
			"there", "other", "else", "instead", "same",
		}, w)
	})
}
