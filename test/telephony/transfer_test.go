package telephony_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/test/telephony"
)

// The tones of the people; the agent has telephony.AgentHz, and the music stays
// below all of them.
const (
	callerHz    = 1700
	personHz    = 2300
	bystanderHz = 2900
)

// down is how much quieter than what is heard everything else has to be.
const down = 40

// notes are those of the music on hold.
func notes() []float64 {
	return []float64{
		174.61, 196.00, 220.00, 246.94, 261.63, 293.66, 329.63, 349.23, 392.00, 440.00, 523.25,
	}
}

func music(pcm []int16) float64 {
	most := -120.0
	for _, hz := range notes() {
		most = max(most, telephony.Level(pcm, hz, telephony.LineHz))
	}
	return most
}

// hears requires that somebody hears one tone and none of the others.
func hears(t *testing.T, who string, pcm []int16, rateHz int, one float64, others ...float64) {
	t.Helper()
	loud := telephony.Level(pcm, one, rateHz)
	require.Greater(t, loud, -6.0, "%s hears %v Hz", who, one)
	text := fmt.Sprintf("%s hears %.0f Hz at %.1f dB", who, one, loud)
	for _, hz := range others {
		quiet := telephony.Level(pcm, hz, rateHz)
		text += fmt.Sprintf(", %.0f Hz at %.1f", hz, quiet)
		require.Less(t, quiet, loud-down, "%s is not to hear %v Hz", who, hz)
	}
	t.Logf("figure: %s", text)
}

// board is an agent that can put its callers through to one person.
type board struct {
	*telephony.Office
	caller, person *telephony.Phone
	call, session  string
}

// exchange makes a board whose caller has asked to be put through.
func exchange(t *testing.T, mode string, prepare func(caller, person *telephony.Phone)) *board {
	t.Helper()
	b := &board{caller: telephony.NewPhone(t, "anna", "127.0.0.1"), person: telephony.NewPhone(t, "desk", "127.0.0.1")}
	b.Office = telephony.Open(t, telephony.Plan{
		Agents: []string{telephony.Agent("board", "inbound_voice", "VOICE_TRANSFER_MODE", mode,
			"VOICE_TRANSFER_TARGETS", fmt.Sprintf(`{"desk":"sip:desk@%s"}`, b.person.Addr()))},
		Set: map[string]string{"egress.allow": b.person.Addr()},
	})
	if prepare != nil {
		prepare(b.caller, b.person)
	}
	require.Equal(t, 200, b.caller.Dial(b.SIP, "board"))
	b.call, b.session = b.CallOf(t, "anna")
	telephony.Of[event.ReplySpoken](t, b.Office, b.session, nil) // the greeting
	return b
}

// Three people and an agent on tones of their own: while caller and agent speak
// they hear each other; while the person is told what it is about the caller
// hears music; once they are joined they hear each other alone. Somebody on
// another call is heard by none of them at any time.
func TestWarmTransferLetsEachHearWhomItShould(t *testing.T) {
	t.Parallel()
	b := exchange(t, "warm", nil)
	bystander := telephony.NewPhone(t, "carl", "127.0.0.1")
	require.Equal(t, 200, bystander.Dial(b.SIP, "board"))
	bystander.Sing(bystanderHz)

	hears(t, "the caller, before,", loudest(b.caller.Sound(), telephony.AgentHz, telephony.LineHz, telephony.LineHz/8), telephony.LineHz, telephony.AgentHz, callerHz, personHz, bystanderHz)
	b.caller.Sing(callerHz)
	b.caller.Listen(75)
	b.caller.Sing(0)
	ear := b.Brain.Ears()[0].PCM()
	hears(t, "the agent", loudest(ear, callerHz, 16000, 16000), 16000, callerHz, personHz, bystanderHz)

	b.caller.Press("1#", telephony.Pressing{})
	telephony.Of[event.TransferBegun](t, b.Office, b.call, nil)
	b.caller.Sing(callerHz)
	b.person.Sing(personHz)
	require.Eventually(t, b.person.Up, 5*time.Second, 10*time.Millisecond)
	b.person.Listen(25) // the briefing begins
	told := b.person.Listen(50)
	waits := b.caller.Sound()
	waits = waits[len(waits)-telephony.LineHz:]
	hears(t, "the person, while told,", told, telephony.LineHz, telephony.AgentHz, callerHz, bystanderHz)
	require.Greater(t, music(waits), -30.0, "music for who waits")
	for _, hz := range []float64{telephony.AgentHz, personHz, bystanderHz} {
		require.Less(t, telephony.Level(waits, hz, telephony.LineHz), music(waits)-down, "the waiting caller is not to hear %v Hz", hz)
	}
	t.Logf("figure: the caller, waiting, hears music at %.1f dB, the agent at %.1f", music(waits), telephony.Level(waits, telephony.AgentHz, telephony.LineHz))

	done := telephony.Of[event.TransferCompleted](t, b.Office, b.call, nil)
	require.True(t, done.Joined)
	b.caller.Listen(25)
	both := b.caller.Listen(75)
	hears(t, "the caller, joined,", both, telephony.LineHz, personHz, telephony.AgentHz, bystanderHz, callerHz)
	require.Less(t, music(both), -down*1.0, "the music is over")
	other := b.person.Sound()
	hears(t, "the person, joined,", other[len(other)-telephony.LineHz:], telephony.LineHz, callerHz, telephony.AgentHz, bystanderHz, personHz)

	b.caller.Bye()
	b.person.Gone(3 * time.Second)
	_, session := b.Ended(t, b.call, b.session)
	require.Equal(t, event.Transferred, session.Status)
	bystander.Bye()
	b.Quiet(t, 5*time.Second)
}

// loudest is so many samples of pcm in which a tone is loudest.
func loudest(pcm []int16, hz float64, rate, n int) []int16 {
	var best []int16
	most := -121.0
	for at := 0; at+n <= len(pcm); at += n / 10 {
		if l := telephony.Level(pcm[at:at+n], hz, rate); l > most {
			best, most = pcm[at:at+n], l
		}
	}
	return best
}

// Whatever keeps a transfer from happening, the agent says so within 2 s of its
// being known, the call goes on, and the session is not called transferred.
func TestFailedTransferIsToldWithinTwoSeconds(t *testing.T) {
	for name, test := range map[string]struct {
		mode, reason string
		prepare      func(caller, person *telephony.Phone)
	}{
		"blind, the person is busy": {"blind", "busy", func(caller, _ *telephony.Phone) {
			caller.Refers(func(string) []int { return []int{100, 486} })
		}},
		"blind, the person declines": {"blind", "declined", func(caller, _ *telephony.Phone) {
			caller.Refers(func(string) []int { return []int{603} })
		}},
		"attended, the person is busy":  {"attended", "busy", func(_, person *telephony.Phone) { person.Refuse(486) }},
		"warm, the person declines":     {"warm", "declined", func(_, person *telephony.Phone) { person.Refuse(603) }},
		"warm, the person is not there": {"warm", "failed", func(_, person *telephony.Phone) { person.Refuse(404) }},
		"attended, the caller refuses it": {"attended", "no_answer", func(caller, _ *telephony.Phone) {
			caller.Refers(func(string) []int { return []int{408} })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := exchange(t, test.mode, test.prepare)
			b.caller.Press("1#", telephony.Pressing{})
			telephony.Of[event.TransferBegun](t, b.Office, b.call, nil)
			failed := b.Until(t, "the transfer fails", 10*time.Second, func(e event.Envelope) bool {
				f, ok := e.Body.(event.TransferFailed)
				require.True(t, !ok || f.Reason == test.reason, "%+v", e.Body)
				return ok
			})
			from := len(b.caller.Sound()) // what was said before does not count
			require.Eventually(t, func() bool {
				return telephony.Loudest(b.caller.Sound()[from:], telephony.AgentHz, telephony.LineHz) > -6
			}, 10*time.Second, 10*time.Millisecond, "the agent says that nobody took the call")
			took := time.Since(failed.Time)
			t.Logf("figure: told %v after the failure, the quarter of a second it takes to be sure included", took.Round(time.Millisecond))
			require.Less(t, took, 2*time.Second)
			b.caller.Press("7#", telephony.Pressing{})
			b.Until(t, "the call goes on", 10*time.Second, func(e event.Envelope) bool {
				u, ok := e.Body.(event.UtteranceHeard)
				return ok && u.Text.Text == "7"
			})
			b.caller.Bye()
			_, session := b.Ended(t, b.call, b.session)
			require.Equal(t, event.Completed, session.Status)
			b.Quiet(t, 5*time.Second)
		})
	}
}

// A transfer that the caller's telephone carries out ends our part as
// transferred, and only once the person has answered.
func TestReferredTransfers(t *testing.T) {
	for _, mode := range []string{"blind", "attended"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			var asked string
			b := exchange(t, mode, func(caller, _ *telephony.Phone) {
				caller.Refers(func(head string) []int {
					asked = telephony.Header(head, "Refer-To")
					return []int{100, 180, 200}
				})
			})
			b.caller.Press("1#", telephony.Pressing{})
			done := telephony.Of[event.TransferCompleted](t, b.Office, b.call, nil)
			require.Equal(t, mode, done.Mode)
			require.False(t, done.Joined)
			b.caller.Gone(5 * time.Second)
			if mode == "attended" {
				require.Contains(t, asked, "Replaces=")
				b.person.Gone(5 * time.Second)
			} else {
				require.Contains(t, asked, "sip:desk@"+b.person.Addr())
			}
			_, session := b.Ended(t, b.call, b.session)
			require.Equal(t, event.Transferred, session.Status)
			b.Quiet(t, 5*time.Second)
		})
	}
}
