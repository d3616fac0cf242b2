package realtime

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"flametree/engine/provider"
	"flametree/engine/provider/wire"
)

// briefOf divides what a request tells besides the conversation into what lasts
// and what is true for one reply.
func briefOf(r provider.Request) (b Brief, volatile string) {
	var lasts, passes []provider.Part
	for _, p := range r.System {
		switch p.Kind {
		case provider.PartKnowledge, provider.PartResults, provider.PartSummary, provider.PartParameters:
			passes = append(passes, p)
		case provider.PartRules, provider.PartIdentity, provider.PartStyle, provider.PartTask, provider.PartState, provider.PartCore:
			lasts = append(lasts, p)
		default:
			lasts = append(lasts, p)
		}
	}
	return Brief{System: wire.System(lasts), Tools: r.Tools, MaxTokens: r.MaxTokens, Temperature: r.Temperature}, wire.System(passes)
}

// equal compares briefs.
func (b Brief) equal(o Brief) bool {
	return b.System == o.System && b.MaxTokens == o.MaxTokens && b.Temperature == o.Temperature &&
		slices.EqualFunc(b.Tools, o.Tools, func(x, y provider.Tool) bool {
			return x.Name == y.Name && x.Description == y.Description && sameJSON(x.Schema, y.Schema)
		})
}

func sameJSON(a, b json.RawMessage) bool { return bytes.Equal(a, b) }

// timeless is a text without the line that tells the time.
func timeless(text string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "now: ") }), "\n")
}

// letters counts what of a text is spoken.
func letters(s string) int { return len([]rune(spelt(s))) }

// spelt is a text without all that may be written in several ways.
func spelt(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// align brings the vendor's memory in line with a request; mu is held.
func (c *Call) align(r provider.Request) {
	b, _ := briefOf(r)
	can := c.o.Model.Can()
	anew := func() { c.connect(Seed{Brief: b, Messages: slices.Clone(r.Messages)}) }
	if c.link == nil || c.tidy && !c.voiced && c.commits == 0 {
		anew()
		return
	}
	update := !c.seed.Brief.equal(b)
	fresh, ok := since(c.told, r.Messages)
	if !ok || update && !can.Update {
		anew()
		return
	}
	m := memory{call: c, can: can, heard: c.heard, own: c.own}
	if !m.catchUp(fresh) {
		anew()
		return
	}
	if update {
		c.send(Update{Brief: b})
	}
	for _, cmd := range m.out {
		c.send(cmd)
	}
	c.heard, c.own, c.told = m.heard, m.own, slices.Clone(r.Messages)
	c.seed = &Seed{Brief: b, Messages: c.told}
}

// since finds what stands in now and not in before, of which the oldest may have
// gone. false = they have nothing in common.
func since(before, now []provider.Message) (fresh []provider.Message, ok bool) {
	for i := range before {
		rest := before[i:]
		if len(rest) <= len(now) && slices.EqualFunc(rest, now[:len(rest)], sameMessage) {
			return now[len(rest):], true
		}
	}
	return now, len(before) == 0
}

// sameMessage compares lines of a conversation. What was said beside a call moves
// to the line that closes the turn, so it does not count.
func sameMessage(a, b provider.Message) bool {
	switch {
	case a.Role != b.Role || len(a.Calls) != len(b.Calls) || a.CallID != b.CallID:
		return false
	case len(a.Calls) > 0:
		return slices.EqualFunc(a.Calls, b.Calls, func(x, y provider.ToolCall) bool { return x.ID == y.ID })
	case a.Role == provider.RoleTool:
		return true
	}
	return a.Text == b.Text && a.Interrupted == b.Interrupted
}

// memory works out what a vendor must be told.
type memory struct {
	call  *Call
	can   Abilities
	heard string
	own   []*reply
	out   []Command
}

// catchUp takes in what is new; false = only a new connection can be told.
func (m *memory) catchUp(fresh []provider.Message) bool {
	answered := false
	for _, f := range fresh {
		switch {
		case f.Role == provider.RoleUser:
			// Where nothing can be taken back the model would answer the tool, not the caller.
			if answered && !m.can.Forget || !m.forget() {
				return false
			}
			m.user(f)
		case f.Role == provider.RoleTool:
			answered = true
			m.tell(f)
		case len(f.Calls) > 0:
			if !m.wished(f) {
				m.tell(f)
			}
		case !m.assistant(f):
			return false
		}
	}
	return true
}

func (m *memory) tell(f provider.Message) { m.out = append(m.out, Tell{Message: f}) }

// user takes in what the caller said: the vendor knows it if it has heard it.
func (m *memory) user(f provider.Message) {
	heard, text := spelt(m.heard), spelt(f.Text)
	m.heard = ""
	if heard == "" || !strings.Contains(heard, text) {
		m.tell(f)
	}
}

// wished reports whether the vendor wished for these calls itself.
func (m *memory) wished(f provider.Message) bool {
	for _, r := range m.own {
		if slices.ContainsFunc(f.Calls, func(c provider.ToolCall) bool { return slices.Contains(r.calls, c.ID) }) {
			return true
		}
	}
	return false
}

// assistant takes in what the caller heard from us.
func (m *memory) assistant(f provider.Message) bool {
	said, cut := "", false
	for _, r := range m.own {
		said += spelt(r.text)
		cut = cut || r.truncated
	}
	text := spelt(f.Text)
	if said != "" && (said == text && !cut || f.Interrupted && cut && strings.HasPrefix(said, text)) {
		m.own = nil
		return true
	}
	if !m.forget() {
		return false
	}
	m.tell(f)
	return true
}

// forget takes out what the vendor believes to have said and nobody heard.
func (m *memory) forget() bool {
	own := m.own
	m.own = nil
	for _, r := range own {
		switch {
		case r.text == "" && len(r.pcm) == 0 || r.truncated && r.nothing:
		case !m.can.Forget:
			return false
		case r.item != "":
			m.out = append(m.out, Forget{Item: r.item})
		}
	}
	return true
}
