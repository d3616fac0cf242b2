package hashed

// empty are words that stand in every text and say little. They count a little,
// for the sake of texts that have no others.
var empty = map[string]bool{ //nolint:gochecknoglobals // a table that never changes
	"a": true, "about": true, "am": true, "an": true, "and": true, "any": true, "are": true, "as": true, "at": true,
	"be": true, "been": true, "but": true, "by": true, "can": true, "could": true, "did": true, "do": true, "does": true,
	"for": true, "from": true, "get": true, "had": true, "has": true, "have": true, "he": true, "her": true, "his": true,
	"how": true, "i": true, "if": true, "im": true, "in": true, "is": true, "it": true, "its": true, "let": true,
	"may": true, "me": true, "my": true, "no": true, "not": true, "of": true, "on": true, "or": true, "our": true,
	"please": true, "she": true, "should": true, "so": true, "some": true, "that": true, "the": true, "their": true,
	"them": true, "then": true, "there": true, "they": true, "this": true, "to": true, "us": true, "was": true,
	"we": true, "were": true, "what": true, "when": true, "where": true, "which": true, "who": true, "why": true,
	"will": true, "with": true, "would": true, "you": true, "your": true,
}
