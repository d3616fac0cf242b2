package knowledge

import (
	"strings"

	"flametree/engine/knowledge/lexis"
)

// The defaults of RAG_TOP_K and RAG_MIN_SCORE (spec D2).
const (
	DefaultK   = 6
	DefaultMin = 0.25
)

// Asked makes the Query of a conversation: users are the customer's messages in
// order, agent is what the agent said last. A question that leans on the one
// before it is found with it; a mere yes is found by what the agent offered.
func Asked(users []string, agent string) Query {
	q := Query{K: DefaultK, Min: DefaultMin}
	if len(users) == 0 {
		return q
	}
	q.Text = users[len(users)-1]
	if len(users) > 1 {
		q.Before = users[len(users)-2]
	}
	if agrees(q.Text) {
		if ss := lexis.Sentences(agent); len(ss) > 0 && strings.HasSuffix(ss[len(ss)-1], "?") {
			q.Text, q.Before = ss[len(ss)-1], ""
		}
	}
	return q
}

// agrees reports whether a message is nothing but a yes.
func agrees(s string) bool {
	words := lexis.Words(s)
	for _, w := range words {
		switch w.Text {
		case "yes", "yeah", "yep", "yup", "sure", "ok", "okay", "please", "of", "course", "certainly", "go", "ahead",
			"absolutely", "right", "i", "would", "like", "that", "do", "love", "to", "definitely", "alright", "fine", "thanks", "thank", "you":
		default:
			return false
		}
	}
	return len(words) > 0 && len(words) <= 6
}

// Leans reports whether a question needs the one before it to be understood:
// it begins with and or what about, speaks of it or that, or has hardly a word
// of its own.
func Leans(lex *lexis.Lexicon, question string) bool {
	words := lexis.Words(question)
	own, pronoun := 0, false
	for i, w := range words {
		switch w.Text {
		case "it", "its", "that", "they", "them", "their", "those", "these", "this", "ones", "same", "both":
			pronoun = true
		case "and", "but", "what":
			if i == 0 && len(words) > 1 && (w.Text != "what" || words[1].Text == "about" || words[1].Text == "if") {
				pronoun = true
			}
		}
		if lex.Weight(w.Text) == lexis.Content {
			own++
		}
	}
	return own <= 1 || pronoun && own <= 4
}
