package event

// ResultsMailed says how the mail with a conversation's results ended: taken on
// by the mail server, or given up. The addresses stand in the agent's revision;
// that the mail is wanted stands in a Due row that came with the session's end.
type ResultsMailed struct {
	MessageID string
	Taken     uint32 // addresses that the server took the mail on for
	Given     uint32 // addresses that it was given up for
	Attempts  uint32
	Fault     string // of an address that was given up, "" = none; names no address
}

// Kind implements Event.
func (ResultsMailed) Kind() Kind { return "results.mailed.v1" }
