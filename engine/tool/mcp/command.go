package mcp

import (
	"errors"
	"strings"
)

var (
	errNoCommand = errors.New("it is empty")
	errQuote     = errors.New("a quote is not closed")
)

// split parts a command into words. Single quotes keep everything, double
// quotes and words outside keep what follows a backslash. Nothing is expanded.
func split(command string) ([]string, error) {
	var (
		words []string
		word  strings.Builder
		open  bool // a word has begun, perhaps an empty one
		quote rune
		kept  bool // the rune before was a backslash
	)
	for _, r := range command {
		switch {
		case kept:
			word.WriteRune(r)
			kept = false
		case r == '\\' && quote != '\'':
			kept, open = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quote != 0 || kept {
		return nil, errQuote
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}
