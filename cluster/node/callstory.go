package node

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/persist/readmodel"
)

// CallCard is a call as people are shown it.
type CallCard struct {
	Session   string     `json:"session"`
	Call      string     `json:"call"`
	Agent     string     `json:"agent"`
	Direction string     `json:"direction"`
	Status    string     `json:"status,omitempty"` // of the session, "" while it runs
	Over      bool       `json:"over"`             // nothing of the call follows
	Codec     string     `json:"codec,omitempty"`
	BandHz    uint32     `json:"band_hz,omitempty"`
	Quality   float64    `json:"quality,omitempty"` // estimated mean opinion score
	Lost      uint64     `json:"lost"`
	Received  uint64     `json:"received"`
	Story     []StoryRow `json:"story"`
	Turns     []TurnBar  `json:"turns"`
}

// StoryRow is one thing that happened on a call, At from when it was offered or
// placed.
type StoryRow struct {
	At   time.Duration `json:"at"`
	What string        `json:"what"`
}

// CallShow tells a call by the id of its session or its own.
func (n *Node) CallShow(ctx context.Context, id string) (CallCard, error) {
	if err := n.caughtUp(ctx); err != nil {
		return CallCard{}, err
	}
	all := n.model.Sessions(1<<30, func(s readmodel.Session) bool { return s.Call != "" && (s.ID == id || s.Call == id) })
	if len(all) == 0 {
		return CallCard{}, fmt.Errorf("no call %q: %w", id, fault.NotFound)
	}
	s := all[0]
	card := CallCard{Session: s.ID, Call: s.Call, Agent: n.agentName(s.Agent), Status: string(s.Status)}
	var first time.Time
	turns := bars{all: []TurnBar{}}
	var h hushed
	for _, of := range []event.Stream{
		{Tenant: s.Tenant, Kind: event.CallStream, ID: s.Call}, {Tenant: s.Tenant, Kind: event.SessionStream, ID: s.ID},
	} {
		for e, err := range n.journal.Read(ctx, of, 1) {
			if err != nil {
				return card, err
			}
			if first.IsZero() {
				first = e.Time
			}
			if of.Kind == event.CallStream {
				h.take(e)
			}
			e.Body = h.body(e.Body)
			card.take(e, e.Time.Sub(first))
			turns.take(e.Body, e.Time.Sub(first))
		}
	}
	for i := range card.Story {
		card.Story[i].What = h.text(card.Story[i].What)
	}
	card.Turns = turns.all
	for i := range card.Turns {
		card.Turns[i].Heard, card.Turns[i].Said = h.text(card.Turns[i].Heard), h.text(card.Turns[i].Said)
	}
	if !card.Over {
		n.liven(ctx, &card, s)
	}
	slices.SortStableFunc(card.Story, func(a, b StoryRow) int { return cmp.Compare(a.At, b.At) })
	return card, nil
}

// take adds what an event says.
func (c *CallCard) take(e event.Envelope, at time.Duration) {
	switch b := e.Body.(type) {
	case event.CallOffered:
		c.Direction = b.Direction
	case event.CallAnswered:
		c.Codec, c.BandHz = b.Codec, b.BandHz
	case event.CallEnded:
		c.Over, c.Quality, c.Lost, c.Received = true, b.Quality, b.Lost, b.Received
	default:
	}
	if what := told(e.Body); what != "" {
		c.Story = append(c.Story, StoryRow{At: max(0, at), What: what})
	}
}

// told is an event of a call in words, "" for those that are not for people.
func told(e event.Event) string {
	switch b := e.(type) {
	case event.CallOffered:
		if b.Direction == "outbound" {
			return "call placed"
		}
		return "call offered over " + b.Transport
	case event.CallProgressed:
		return trimmed("%s %d", b.Stage, b.Code)
	case event.CallAnswered:
		return fmt.Sprintf("answered, %s at %d Hz", b.Codec, b.BandHz)
	case event.CallScreened:
		return fmt.Sprintf("%s answered (%s after %.1f s)", b.Verdict, b.Why, b.Took.Seconds())
	case event.VoicemailLeft:
		return "message left on the answering machine"
	case event.CallSpeechChanged:
		return fmt.Sprintf("%s: %s in place of %s (%s)", b.Role, orElse(b.To, "nobody"), orElse(b.From, "builtin"), b.Fault)
	case event.CallReplaced:
		return fmt.Sprintf("somebody else is on the line now (%s), %s at %d Hz", b.How, b.Codec, b.BandHz)
	case event.CallHeld:
		return "put on hold"
	case event.CallResumed:
		return "taken off hold"
	case event.CallDigit:
		return "a key was pressed"
	case event.CallEnded:
		return fmt.Sprintf("call over: %s by %s", b.Reason, b.By)
	case event.UtteranceHeard:
		return "HUMAN: " + orElse(b.Text.Text, "(not understood)")
	case event.ReplySpoken:
		if b.Interrupted {
			return "AI: " + b.Text.Text + " [interrupted]"
		}
		return "AI: " + b.Text.Text
	case event.SessionEnded:
		return "session ended: " + string(b.Status)
	default:
		return toldOf(e)
	}
}

// toldOf are transfers, recordings and onlookers.
func toldOf(e event.Event) string {
	switch b := e.(type) {
	case event.TransferBegun:
		if b.Name == "" { // whom, is for the transcript of the signalling alone
			return b.Mode + " transfer begins"
		}
		return fmt.Sprintf("%s transfer to %s begins", b.Mode, b.Name)
	case event.TransferFailed:
		return trimmed("transfer failed: "+b.Reason+" %d", b.Code)
	case event.TransferCompleted:
		if b.Joined {
			return "transferred to " + b.Name + ", joined through this server"
		}
		return "transferred to " + b.Name
	case event.RecordingPaused:
		return "recording paused: " + b.Reason
	case event.RecordingResumed:
		return "recording goes on"
	case event.RecordingDeleted:
		return "recording deleted: " + b.Reason
	case event.RecordingClosed:
		return fmt.Sprintf("recording of %.1f s kept", b.Length.Seconds())
	case event.OperatorWhispered:
		return "whisper by " + b.By + ": " + b.Text.Text
	case event.CallObserved:
		if b.On {
			return b.What + " by " + b.By
		}
		return b.What + " by " + b.By + " ends"
	default:
		return ""
	}
}

// trimmed leaves a code of 0 out.
func trimmed(format string, args ...any) string {
	return strings.TrimSuffix(strings.TrimSpace(fmt.Sprintf(format, args...)), " 0")
}
