package webrtc_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/media/webrtc/page"
	"flametree/test/telephony"
)

// A caller hears the agent, the agent hears the caller, whichever way the
// packets take.
func TestBothHearEachOther(t *testing.T) {
	for name, set := range map[string]func(*page.Options){
		"by UDP":             nil,
		"by TCP alone":       func(o *page.Options) { o.TCP = true },
		"by the relay alone": func(o *page.Options) { o.Relay = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, telephony.Plan{Set: map[string]string{"turn": "127.0.0.1:0"}})
			_, c := h.call(t, set)
			t.Logf("figure: answer %v, set-up %v", c.Answer, c.Setup)
			greeted(t, c)
			require.Greater(t, telephony.Loudest(c.Audio(), telephony.AgentHz, 8000), -12.0, "the agent's tone is in what the caller heard")
			_, err := c.Say(within(t, patience), tone(600, time.Second))
			require.NoError(t, err)
			require.Eventually(t, func() bool { return h.Brain.Heard(600) > -12 }, patience, 20*time.Millisecond, "the caller's tone is in what the agent heard")
			require.NoError(t, c.Hangup(within(t, patience)))
			end, session := over(t, h, c)
			require.Equal(t, "hangup", end.Reason)
			require.Equal(t, "peer", end.By)
			require.Equal(t, event.Completed, session.Status)
			require.NotZero(t, end.Received)
			require.NotZero(t, end.Sent)
		})
	}
}

// A call has a session of its own in the conversation of the page's, and stands
// in the journal like every other call; its page reads along.
func TestACallStandsInTheJournalLikeEveryOther(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{Agents: []string{telephony.Agent("desk", "inbound_voice", "VOICE_RECORD", "True")}})
	p, c := h.call(t, nil)
	require.NotEqual(t, p.Session(), c.Session)
	born := telephony.Of[event.SessionCreated](t, h.Office, c.Session, nil)
	require.Equal(t, "webrtc", born.Channel)
	require.Equal(t, p.Session(), born.Conversation)
	require.Equal(t, "page", born.UserID.Text)
	require.Equal(t, c.ID, born.Call)
	offered := telephony.Of[event.CallOffered](t, h.Office, c.ID, nil)
	require.Equal(t, "webrtc", offered.Transport)
	require.Equal(t, "opus", telephony.Of[event.CallAnswered](t, h.Office, c.ID, nil).Codec)

	said := frame(t, p, func(f page.Frame) bool { return f.Type == "call.caption" && f.Role == "AI" && f.Final })
	require.Equal(t, "Hello and good day.", said.Text[max(0, len(said.Text)-len("Hello and good day.")):])
	require.Equal(t, c.ID, said.Call)

	require.NoError(t, c.Digit("7"))
	heard := frame(t, p, func(f page.Frame) bool { return f.Type == "call.caption" && f.Role == "USER" && f.Final })
	require.Equal(t, "7", heard.Text)
	require.Equal(t, said.Turn+1, heard.Turn)
	answer := frame(t, p, func(f page.Frame) bool {
		return f.Type == "call.caption" && f.Role == "AI" && f.Final && f.Turn > said.Turn
	})
	require.Equal(t, heard.Turn, answer.Turn)
	require.Equal(t, "Very well, that is done.", answer.Text)

	require.NoError(t, c.Hangup(within(t, patience)))
	over(t, h, c)
	require.NotZero(t, telephony.Of[event.RecordingClosed](t, h.Office, c.ID, nil).Length)
}

// What ends a call ends it once, and the journal says truthfully how.
func TestEveryEndIsTruthful(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(*testing.T, *house, *page.Page, *page.Call)
		reason string
		by     string
		status event.Status
	}{
		"the page hangs up": {func(t *testing.T, _ *house, _ *page.Page, c *page.Call) {
			require.NoError(t, c.Hangup(within(t, patience)))
		}, "hangup", "peer", event.Completed},
		"the page is left": {func(t *testing.T, _ *house, p *page.Page, _ *page.Call) {
			require.NoError(t, p.Leave())
		}, "hangup", "peer", event.Completed},
		"the socket dies and nobody comes back": {func(_ *testing.T, _ *house, p *page.Page, _ *page.Call) {
			p.Drop()
		}, "failed", "peer", event.Failed},
		"the browser ends the connection": {func(t *testing.T, _ *house, _ *page.Page, c *page.Call) {
			require.NoError(t, c.Close())
		}, "hangup", "peer", event.Completed},
		"the microphone falls silent": {func(_ *testing.T, _ *house, _ *page.Page, c *page.Call) {
			c.Still(true)
		}, "media_lost", "", event.Failed},
		"somebody ends it from outside": {func(t *testing.T, h *house, _ *page.Page, c *page.Call) {
			require.NoError(t, h.EndCall(within(t, patience), c.ID))
		}, "completed", "agent", event.Completed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, telephony.Plan{
				Agents: []string{telephony.Agent("desk", "inbound_voice", "VOICE_MEDIA_LOST_SECONDS", "4")}, Lost: 3 * time.Second,
			})
			p, call := h.call(t, nil)
			greeted(t, call)
			c.do(t, h, p, call)
			end, session := over(t, h, call)
			require.Equal(t, c.reason, end.Reason)
			if c.by != "" {
				require.Equal(t, c.by, end.By)
			}
			require.Equal(t, c.status, session.Status)
			n := 0
			for _, e := range h.Events() {
				if _, ended := e.Body.(event.CallEnded); ended && e.Stream.ID == call.ID {
					n++
				}
			}
			require.Equal(t, 1, n, "a call ends once")
		})
	}
}

// Who said to be silent is not taken for lost, and is once the microphone should
// be on again.
func TestAMutedCallIsNotLost(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{Agents: []string{telephony.Agent("desk", "inbound_voice", "VOICE_MEDIA_LOST_SECONDS", "1")}})
	_, c := h.call(t, nil)
	greeted(t, c)
	require.NoError(t, c.Mute(true))
	require.NoError(t, c.Digit("4")) // in order behind it
	telephony.Of[event.CallDigit](t, h.Office, c.ID, nil)
	c.Still(true)
	select {
	case <-c.Ended():
		t.Fatal("a muted call was taken for lost")
	case <-time.After(2500 * time.Millisecond):
	}
	require.NoError(t, c.Mute(false))
	end, _ := over(t, h, c)
	require.Equal(t, "media_lost", end.Reason)
}

// A page that has lost its network opens another socket of its session and goes
// on with the same call by an ICE restart.
func TestACallGoesOnByAnotherSocket(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{Lost: 10 * time.Second})
	first, c := h.call(t, nil)
	greeted(t, c)
	first.Drop()
	second := h.page(t, func(o *page.Options) { o.Session = first.Session() })
	require.NoError(t, c.Restart(within(t, patience), second))
	f := frame(t, second, func(f page.Frame) bool { return f.Type == "call.answer" })
	require.Equal(t, c.ID, f.Call)
	require.Equal(t, c.Session, f.Session)
	since := time.Now()
	require.NoError(t, c.Digit("3")) // on the new socket, and answered by voice
	require.NoError(t, c.WaitVoice(within(t, patience), since, 200*time.Millisecond))
	require.NoError(t, c.Hangup(within(t, patience)))
	end, _ := over(t, h, c)
	require.Equal(t, "hangup", end.Reason)
	require.Equal(t, "ended", frame(t, second, func(f page.Frame) bool { return f.State == "ended" }).State, "the new socket is told")
}

// A page that is loaded anew may call at once; the call it left is hung up.
func TestAPageThatIsLoadedAnewCallsAgain(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{})
	first, c := h.call(t, nil)
	greeted(t, c)
	first.Drop()
	var again *page.Call
	second := h.page(t, func(o *page.Options) { o.Session = first.Session() })
	require.Eventually(t, func() bool { // the server may not have missed the first socket yet
		var err error
		again, err = second.Call(within(t, patience))
		return err == nil
	}, patience, 100*time.Millisecond)
	end, _ := over(t, h, c)
	require.Equal(t, "hangup", end.Reason)
	greeted(t, again)
	require.NoError(t, again.Hangup(within(t, patience)))
}
