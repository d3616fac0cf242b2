// Package demo holds the agents of the demo as the files that anybody could
// have written: they are loaded by the same commands as any other agent, and
// nothing else in the program knows them.
package demo

import _ "embed"

//go:embed debit-card.yaml
var debitCard string

//go:embed eventhub.yaml
var eventHub string

// File is one agent file. Text is the caller's own copy.
type File struct {
	Name string // without its ending
	Text []byte
}

// Files are the demo agents, the bank's first.
func Files() []File {
	return []File{
		{Name: "debit-card", Text: []byte(debitCard)},
		{Name: "eventhub", Text: []byte(eventHub)},
	}
}
