package variables

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/provider"
	"flametree/persist/journal/journaltest"
)

// mailbox is a Screener that has a machine on the line, which beeps after 5 s.
type mailbox struct{ frames int }

func (m *mailbox) Frame([]int16) actors.Screened {
	m.frames++
	switch {
	case m.frames < 100:
		return actors.Screened{}
	case m.frames < 250:
		return actors.Screened{Verdict: "machine", Why: "greeting", Took: 2 * time.Second}
	}
	return actors.Screened{Verdict: "machine", Why: "greeting", Took: 2 * time.Second, Beep: 5 * time.Second, Speak: true}
}

func (m *mailbox) Words(string) actors.Screened { return actors.Screened{} }

// placed is what is said on a call that the agent places to a mailbox.
func placed(t *testing.T, env []string) (out string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Second)
		h := actorstest.On(t, journaltest.NewMemory(), time.Hour)
		h.Agent(t, actorstest.VoiceFile(env...))
		h.Screen = func(time.Duration, time.Duration, string) actors.Screener { return new(mailbox) }
		h.Placed(t, "s", "sip:ann@127.0.0.1")
		time.Sleep(100 * time.Millisecond)
		p := h.Exchange.Phone(0)
		require.NotNil(t, p)
		p.Line.Up()
		time.Sleep(15 * time.Second)
		if out = p.Heard(1); out == "" {
			out = "nothing"
		}
		p.Line.End("hangup")
		time.Sleep(2 * time.Second)
		synctest.Wait()
	})
	return out
}

// throughTo is how a caller who asks for the desk is put through.
func throughTo(t *testing.T, env []string) (out string) {
	t.Helper()
	ring(t, env, func(h *actorstest.House) {
		h.Model.Reply = func(provider.Request) []provider.Delta {
			return []provider.Delta{
				{Text: "One moment."},
				{Call: &provider.ToolCall{ID: "1", Name: "TransferCall", Args: `{"target":"desk"}`}},
				{Finish: provider.FinishTools},
			}
		}
	}, func(h *actorstest.House, p *actorstest.Phone) {
		p.Line.Refers(actorstest.Referral{Takes: time.Second})
		p.Say("the desk please")
		time.Sleep(8 * time.Second)
		var deeds []string
		for _, l := range h.Trace.Lines() {
			if strings.HasPrefix(l, "refer") || strings.HasPrefix(l, "dial") || l == "join" {
				deeds = append(deeds, l)
			}
		}
		if out = strings.Join(deeds, ", "); out == "" {
			out = "nobody"
		}
	})
	return out
}
