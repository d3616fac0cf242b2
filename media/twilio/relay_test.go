package twilio_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/media/twilio"
	"flametree/media/twilio/twiliotest"
)

// talk is a relay as its call uses it: ears, mouth and the caller's end.
type talk struct {
	*call
	relay  *twilio.Relay
	far    *twiliotest.Relay
	mouth  provider.Speech
	ears   provider.Transcription
	mu2    sync.Mutex
	heard  []provider.Hearing
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func talks(t *testing.T) *talk {
	t.Helper()
	r := twilio.NewRelay(nil)
	k := &talk{call: &call{t: t, served: make(chan error, 1)}, relay: r}
	ours, theirs := twiliotest.Pipe(0)
	k.far = twiliotest.Relays(theirs, twiliotest.RelayOptions{Session: "VX1", Account: "AC1", Call: "CA1", From: "+1", To: "+2"})
	setup, err := twilio.GreetRelay(ours)
	require.NoError(t, err)
	require.Equal(t, "CA1", setup.Call)
	go func() { k.served <- r.Serve(ours) }()
	r.Start(func(f actors.Fact) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.facts = append(k.facts, f)
	})
	ctx, cancel := context.WithCancel(t.Context())
	k.cancel = cancel
	k.ears, err = r.Hears().Open(ctx, provider.Format{RateHz: 16000})
	require.NoError(t, err)
	k.mouth, err = r.Speaks().Open(ctx, provider.Voice{})
	require.NoError(t, err)
	k.wg.Go(func() {
		for h, err := range k.ears.Heard() {
			require.NoError(t, err)
			k.mu2.Lock()
			k.heard = append(k.heard, h)
			k.mu2.Unlock()
		}
	})
	k.wg.Go(func() { // as a call's mouthpiece does
		for a := range k.mouth.Audio() {
			if r.Play(ctx, a.Gen, a.PCM, a.RateHz) == nil {
				r.Mark(a.Gen, a.ID)
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = r.Close()
		theirs.Close(1000, "")
		_ = k.far.Wait()
		k.wg.Wait()
	})
	return k
}

func (k *talk) heardAll() []provider.Hearing {
	k.mu2.Lock()
	defer k.mu2.Unlock()
	return append([]provider.Hearing(nil), k.heard...)
}

func TestWordsGoToTwilioAsTheyAreThoughtOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := talks(t)
		require.NoError(t, k.mouth.Speak("Good morning.", 1, 1))
		time.Sleep(10 * time.Millisecond)
		require.Equal(t, []string{"Good morning. "}, k.far.Cycles(), "the first clause does not wait for the second")
		require.NoError(t, k.mouth.Speak("How can I help?", 1, 2))
		time.Sleep(10 * time.Millisecond)
		k.relay.End(1)
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{"Good morning. How can I help? "}, k.far.Cycles())
		require.Len(t, k.of(actors.FactTalking), 1)
		marks := k.of(actors.FactMark)
		require.Len(t, marks, 2)
		drained := k.of(actors.FactDrained)
		require.Len(t, drained, 1)
		require.Equal(t, marks[1].Played, drained[0].Played)
		require.InDelta(t, 2.0, drained[0].Played.Seconds(), 0.6, "about as long as somebody speaks")

		k.far.Prompt("I would", false)
		k.far.Prompt("I would like  a room", true)
		k.far.Press("7")
		require.NoError(t, k.relay.Press('9', 0))
		time.Sleep(10 * time.Millisecond)
		require.Equal(t, []provider.Hearing{{Text: "I would"}, {Text: "I would like a room", Final: true, EndOfTurn: true}}, k.heardAll())
		require.Len(t, k.of(actors.FactVoiceOn), 1)
		require.Len(t, k.of(actors.FactVoiceOff), 1)
		require.Equal(t, byte('7'), k.of(actors.FactDigit)[0].Digit)
		require.Equal(t, "9", k.far.Digits())
		require.NoError(t, k.ears.Finalize())
		time.Sleep(10 * time.Millisecond)
		require.Equal(t, provider.Hearing{Final: true}, k.heardAll()[2], "a pause is answered by a final, empty when all was told")
		require.NoError(t, k.relay.Close())
		require.NoError(t, <-k.served)
		time.Sleep(time.Millisecond)
		require.True(t, k.far.Ended())
		require.NoError(t, k.far.Wait(), "nothing that is not published")
	})
}

func TestAnInterruptTellsWhatWasHeard(t *testing.T) {
	for name, ms := range map[string]any{"a number": 460, "a number in a string": "460"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := talks(t)
				require.NoError(t, k.mouth.Speak("Life is a complex set of accidents.", 3, 1))
				time.Sleep(10 * time.Millisecond)
				k.relay.End(3)
				time.Sleep(300 * time.Millisecond)
				k.far.Interrupt("Life is a complex", ms)
				time.Sleep(100 * time.Millisecond)
				require.Len(t, k.of(actors.FactVoiceOn), 1)
				require.Equal(t, 18*65*time.Millisecond, k.relay.Played(3), "to the end of the words Twilio named")
				time.Sleep(time.Second)
				require.Equal(t, 18*65*time.Millisecond, k.relay.Played(3), "and no further")
				k.far.Prompt("stop", true)
				time.Sleep(10 * time.Millisecond)
				require.Equal(t, 18*65*time.Millisecond, k.relay.Flush(3))
				k.mouth.Cancel(3)
				require.NoError(t, k.mouth.Speak("not this", 3, 2))
				require.NoError(t, k.mouth.Speak("Sorry.", 4, 1))
				time.Sleep(10 * time.Millisecond)
				require.Equal(t, []string{"Life is a complex set of accidents. ", "Sorry. "}, k.far.Cycles())
				require.Empty(t, k.of(actors.FactDrained), "what was cut off is not told as heard")
			})
		})
	}
}

func TestAFalseInterruptionIsMadeGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := talks(t)
		require.NoError(t, k.mouth.Speak("One two three four.", 1, 1))
		time.Sleep(10 * time.Millisecond)
		k.relay.End(1)
		time.Sleep(300 * time.Millisecond)
		k.far.Interrupt("One two", 400)
		time.Sleep(10 * time.Millisecond)
		k.relay.Pause(1)
		time.Sleep(3 * time.Second) // nothing was said: a cough
		require.Len(t, k.of(actors.FactVoiceOff), 1, "a voice that says nothing ends")
		k.relay.Resume(1, k.relay.Played(1))
		time.Sleep(3 * time.Second)
		require.Equal(t, []string{"One two three four. ", "three four."}, k.far.Cycles(), "the rest is told once more")
		require.Len(t, k.of(actors.FactDrained), 1)
	})
}

func TestARelayThatBreaksOrTalksNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := talks(t)
		for _, junk := range []string{"", "{", `{"type":"dtmf","digit":"55"}`, `{"type":"interrupt","durationUntilInterruptMs":"soon"}`, `{"type":"setup"}`, `{"x":1}`} {
			k.far.Raw(junk)
		}
		k.far.Raw(`{"type":"error","description":"Invalid message"}`)
		k.far.Raw(`{"type":"news"}`)
		k.far.Interrupt("words nobody spoke", nil)
		k.far.Prompt("still here", true)
		time.Sleep(10 * time.Millisecond)
		require.Equal(t, "still here", k.heardAll()[0].Text)
		require.EqualValues(t, 7, k.relay.Stats().Refused)
		require.NoError(t, k.far.Hangup())
		require.ErrorIs(t, <-k.served, fault.Unavailable)
		require.NoError(t, k.mouth.Speak("hello", 1, 1), "nobody listens, and nothing breaks")
		time.Sleep(10 * time.Millisecond)
	})
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := twiliotest.Pipe(0)
		require.NoError(t, theirs.Write([]byte(`{"type":"prompt","voicePrompt":"hi","last":true}`)))
		_, err := twilio.GreetRelay(ours)
		require.ErrorIs(t, err, fault.Invalid, "words before the setup")
	})
}
