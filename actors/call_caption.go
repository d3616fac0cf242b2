package actors

import (
	"slices"
	"strings"
	"time"

	"flametree/engine/dialog"
	"flametree/engine/session"
)

// Caption is what is said in a call, for who reads along. Captions of one turn
// and role replace each other until one is final; what the caller says may be
// taken back by a final of another turn.
type Caption struct {
	Turn  uint64 // the session's; of words that are not yet a turn, the one they will probably be
	Role  string // CaptionUser or CaptionAgent
	Text  string // of the agent: what has been spoken so far
	Final bool
}

// The roles of a Caption.
const (
	CaptionUser  = "USER"
	CaptionAgent = session.RoleAI
)

// Captioned is a Leg whose party can read along. Caption is called by the call
// alone and must not block.
type Captioned interface{ Caption(Caption) }

// captions is what a call knows of them.
type captions struct {
	to    Captioned // nil: nobody reads
	turn  uint64    // the last that is known
	heard []string  // finals of the turn that is being said
}

func (c *captions) tell(turn uint64, role, text string, final bool) {
	if c.to != nil && text != "" {
		c.to.Caption(Caption{Turn: turn, Role: role, Text: text, Final: final})
	}
}

// understood shows words as they are recognised.
func (c *captions) understood(text string, final bool) {
	if c.to == nil || text == "" {
		return
	}
	all := append(slices.Clip(c.heard), text)
	if final {
		c.heard = all
	}
	c.tell(c.turn+1, CaptionUser, strings.Join(all, " "), false)
}

// closed shows what the caller said in a turn, as it is answered.
func (c *captions) closed(text string) {
	c.heard = nil
	c.tell(c.turn+1, CaptionUser, text, true)
}

// opened says which turn is answered.
func (c *captions) opened(turn uint64) {
	c.turn, c.heard = turn, nil
}

// captionPlayed shows how far a reply has come.
func (c *Call) captionPlayed(gen uint64, played time.Duration) {
	if r := c.reply; c.captions.to != nil && r != nil && r.gen == gen && !r.done {
		c.captions.tell(r.turn, CaptionAgent, dialog.Heard(r.upTo(played)), false)
	}
}

// upTo is a reply of which so much was played.
func (r *reply) upTo(played time.Duration) []dialog.Spoken {
	lines := make([]dialog.Spoken, len(r.clauses))
	for i, l := range r.clauses {
		lines[i] = dialog.Spoken{Text: l.text, Words: l.words}
		if l.known {
			lines[i].Length = l.length
		}
	}
	return dialog.Position(lines, max(0, played))
}
