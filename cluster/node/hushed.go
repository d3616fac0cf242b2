package node

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/persist/journal"
)

// hushed knows what the caller pressed on one call while nothing was to be
// recorded, the number of a card perhaps. Who is shown the call is not shown
// that, wherever it comes up again. The zero value is ready.
type hushed struct {
	seq   uint64 // of the call's stream, the last that was taken in
	spans []span
}

// span is a stretch of a call, in offsets of the call, and the digits pressed in it.
type span struct {
	from, to time.Duration
	pressed  string
}

// take takes in an event of the call's stream. Those it knows already change nothing.
func (h *hushed) take(e event.Envelope) {
	if e.Seq <= h.seq {
		return
	}
	h.seq = e.Seq
	last := len(h.spans) - 1
	switch b := e.Body.(type) {
	case event.RecordingPaused:
		h.spans = append(h.spans, span{from: b.Offset, to: math.MaxInt64})
	case event.RecordingResumed:
		if last >= 0 {
			h.spans[last].to = b.Offset
		}
	case event.CallDigit:
		if last >= 0 && h.within(b.Offset) && isDigit(b.Digit.Text) {
			h.spans[last].pressed += b.Digit.Text
		}
	default:
	}
}

func isDigit(key string) bool { return len(key) == 1 && key[0] >= '0' && key[0] <= '9' }

// within reports whether an offset lies where nothing was to be recorded.
func (h *hushed) within(at time.Duration) bool {
	return slices.ContainsFunc(h.spans, func(s span) bool { return at >= s.from && at <= s.to })
}

// body is an event of the call or of its session without the keys.
func (h *hushed) body(e event.Event) event.Event {
	switch b := e.(type) {
	case event.CallDigit:
		if h.within(b.Offset) {
			b.Digit = event.P(agent.Masked)
		}
		return b
	case event.CallInputs:
		b.Inputs = slices.Clone(b.Inputs)
		for i, in := range b.Inputs {
			if in.Kind == "digit" && h.within(in.Offset) {
				b.Inputs[i].Text = event.P(agent.Masked)
			}
		}
		return b
	case event.UtteranceHeard:
		if h.within(b.Offset) {
			b.Text.Text = numbers(b.Text.Text, 1, func(string) bool { return true })
		}
		return b
	default:
		return e
	}
}

// leastPressed is how many digits are told from other numbers: those of the
// back of a card.
const leastPressed = 3

// text masks what was pressed wherever it stands in a text.
func (h *hushed) text(s string) string {
	if len(h.spans) == 0 {
		return s
	}
	return numbers(s, leastPressed, func(run string) bool {
		return slices.ContainsFunc(h.spans, func(p span) bool {
			return strings.Contains(p.pressed, run) || len(p.pressed) >= leastPressed && strings.Contains(run, p.pressed)
		})
	})
}

// quoted masks what was pressed in the texts of a JSON document and leaves its
// numbers alone.
func (h *hushed) quoted(doc []byte) []byte {
	if len(h.spans) == 0 {
		return doc
	}
	var out strings.Builder
	for rest := string(doc); rest != ""; {
		open := strings.IndexByte(rest, '"')
		if open < 0 {
			out.WriteString(rest)
			break
		}
		end := open + 1
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(rest))
		out.WriteString(rest[:open])
		out.WriteString(h.text(rest[open:end]))
		rest = rest[end:]
		if rest != "" { // the closing quote
			out.WriteByte('"')
			rest = rest[1:]
		}
	}
	return []byte(out.String())
}

// numbers masks the runs of at least so many digits that hide says. A run
// within a word is part of a name.
func numbers(s string, least int, hide func(run string) bool) string {
	word := func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
	var out strings.Builder
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] >= '0' && s[j] <= '9' {
			j++
		}
		switch {
		case j == i:
			out.WriteByte(s[i])
			j++
		case j-i >= least && (i == 0 || !word(s[i-1])) && (j == len(s) || !word(s[j])) && hide(s[i:j]):
			out.WriteString(agent.Masked)
		default:
			out.WriteString(s[i:j])
		}
		i = j
	}
	return out.String()
}

// hush finds what is hushed on the call of an event; nil when there is no call.
func (l *Lines) hush(ctx context.Context, e event.Envelope) *hushed {
	call := event.Stream{Tenant: e.Stream.Tenant, Kind: event.CallStream, ID: e.Stream.ID}
	if e.Stream.Kind == event.SessionStream {
		call.ID = l.callOf(ctx, e)
	} else if e.Stream.Kind != event.CallStream {
		return nil
	}
	if call.ID == "" {
		return nil
	}
	h := l.pauses[call.ID]
	if h == nil {
		if l.pauses == nil || len(l.pauses) > maxRemembered {
			l.pauses = make(map[string]*hushed)
		}
		h = hushedOn(ctx, l.Journal, call)
		l.pauses[call.ID] = h
	}
	if e.Stream.Kind == event.CallStream {
		h.take(e)
	}
	return h
}

// callOf is the call of a session's event, "" when it is a chat.
func (l *Lines) callOf(ctx context.Context, e event.Envelope) string {
	if call, ok := l.calls[e.Stream.ID]; ok {
		return call
	}
	if l.calls == nil || len(l.calls) > maxRemembered {
		l.calls = make(map[string]string)
	}
	call := ""
	for first, err := range l.Journal.Read(ctx, e.Stream, 1) {
		if b, ok := first.Body.(event.SessionCreated); err == nil && ok {
			call = b.Call
		}
		break
	}
	l.calls[e.Stream.ID] = call
	return call
}

// hushedOn reads what is hushed on a call so far.
func hushedOn(ctx context.Context, j journal.Journal, call event.Stream) *hushed {
	h := new(hushed)
	for e, err := range j.Read(ctx, call, 1) {
		if err != nil {
			break
		}
		h.take(e)
	}
	return h
}
