package node

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"flametree/engine/agent"
	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/persist/journal"
)

// EventLine is an event as `journal tail --json` prints it.
type EventLine struct {
	Pos     uint64          `json:"pos"`
	Stream  string          `json:"stream"`
	Version uint64          `json:"version"`
	Kind    event.Kind      `json:"kind"`
	Time    time.Time       `json:"time"`
	Tenant  string          `json:"tenant"`
	Session string          `json:"session,omitempty"`
	Turn    *uint64         `json:"turn,omitempty"`
	Role    string          `json:"role,omitempty"`
	Text    string          `json:"text,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// Lines makes EventLines. They show the texts of the conversation: they are for
// the owner of the data only, and even so not what is for code alone. It belongs
// to one goroutine.
type Lines struct {
	Journal journal.Journal // where a session's parameters are looked up
	hidden  map[string][]string
	pauses  map[string]*hushed // by call
	calls   map[string]string  // of sessions
}

// Of makes the line of an event. What a session's hidden parameters hold is
// masked in all that follows from them, and so is what callers pressed while
// nothing was to be recorded.
func (l *Lines) Of(ctx context.Context, e event.Envelope) EventLine {
	h := l.hush(ctx, e)
	if h != nil {
		e.Body = h.body(e.Body)
	}
	out := bare(e)
	if h != nil {
		out.Text, out.Body = h.text(out.Text), h.quoted(out.Body)
	}
	if e.Stream.Kind != event.SessionStream {
		return out
	}
	if _, changed := e.Body.(event.SessionUpdated); changed {
		delete(l.hidden, e.Stream.ID)
	}
	for _, v := range l.secrets(ctx, e.Stream) {
		out.Text = strings.ReplaceAll(out.Text, v, agent.Masked)
		quoted, err := json.Marshal(v)
		if err == nil {
			inner := quoted[1 : len(quoted)-1]
			again, _ := json.Marshal(string(inner)) // once more where JSON stands in a text
			for _, q := range [][]byte{inner, again[1 : len(again)-1]} {
				out.Body = bytes.ReplaceAll(out.Body, q, []byte(agent.Masked))
			}
		}
	}
	return out
}

// leastHidden is the length under which a value cannot be told from others.
const leastHidden = 4

// secrets are the values of a session's hidden parameters.
func (l *Lines) secrets(ctx context.Context, of event.Stream) []string {
	if known, ok := l.hidden[of.ID]; ok {
		return known
	}
	params := map[string]json.RawMessage{}
	for e, err := range l.Journal.Read(ctx, of, 1) {
		if err != nil {
			break
		}
		var pairs []event.PrivatePair
		switch b := e.Body.(type) {
		case event.SessionCreated:
			pairs = b.Kwargs
		case event.SessionUpdated:
			pairs = b.Kwargs
		default:
		}
		for i, p := range pairs {
			params[p.Key+"\x00"+strconv.FormatUint(e.Seq, 10)+"."+strconv.Itoa(i)] = json.RawMessage(p.Value.Text)
		}
	}
	found := slices.DeleteFunc(dialog.Hidden(params), func(v string) bool { return len(v) < leastHidden })
	if l.hidden == nil || len(l.hidden) > maxRemembered {
		l.hidden = make(map[string][]string)
	}
	l.hidden[of.ID] = found
	return found
}

// maxRemembered bounds the sessions whose parameters are kept at hand.
const maxRemembered = 1000

// bare is the line of an event, without regard to what its session hides.
func bare(e event.Envelope) EventLine {
	l := EventLine{
		Pos: e.Position, Stream: string(e.Stream.Kind) + "/" + e.Stream.ID, Version: e.Seq, Kind: e.Body.Kind(),
		Time: e.Time, Tenant: e.Stream.Tenant.String(),
	}
	if e.Stream.Kind == event.SessionStream {
		l.Session = e.Stream.ID
	}
	turn := func(n uint64, role string, text event.Private) { l.Turn, l.Role, l.Text = &n, role, text.Text }
	switch b := e.Body.(type) {
	case event.MessageReceived:
		turn(b.Turn, "HUMAN", b.Text)
	case event.UtteranceHeard:
		turn(b.Turn, "HUMAN", b.Text)
	case event.ReplySent:
		turn(b.Turn, b.Role, b.Text)
	case event.ReplySpoken:
		turn(b.Turn, "AI", b.Text)
	case event.ReplyStarted:
		turn(b.Turn, "AI", event.Private{})
	case event.ReplyLost:
		turn(b.Turn, "AI", event.Private{})
	case event.TurnTimed:
		turn(b.Turn, "", event.Private{})
	case event.ModelAnswered:
		turn(b.Turn, "AI", b.Text)
	case event.CallOffered:
		l.Session = b.Session
	case event.ResultSet:
		l.Text = b.Value.Text
	default:
	}
	if raw, err := json.Marshal(discreet(e.Body)); err == nil {
		l.Body = raw
	}
	return l
}

// discreet is an event without what not even the owner of the data is shown:
// secrets in an agent's file, and parameters that are for code only.
func discreet(e event.Event) event.Event {
	hide := func(in []event.PrivatePair) []event.PrivatePair {
		out := slices.Clone(in)
		for i := range out {
			if strings.HasPrefix(out[i].Key, "_") {
				out[i].Value = event.P(agent.Masked)
			}
		}
		return out
	}
	switch b := e.(type) {
	case event.AgentSaved:
		file, _, err := agent.Mask(b.File.Text, true)
		if err != nil {
			file = "[not shown: a secret cannot be taken out]"
		}
		b.File = event.P(file)
		return b
	case event.AgentDrafted:
		b.File = event.P("[not shown: a draft may hold secrets anywhere]")
		return b
	case event.SessionCreated:
		b.Kwargs = hide(b.Kwargs)
		return b
	case event.SessionUpdated:
		b.Kwargs = hide(b.Kwargs)
		return b
	default:
		return e
	}
}
