package rig

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/agent"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/turn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tone is voiced for a recogniser at 16 kHz.
func tone(d time.Duration) []int16 {
	pcm := make([]int16, int(d.Seconds()*16000))
	for i := range pcm {
		pcm[i] = int16(4000 * (1 - 2*(i/20%2)))
	}
	return pcm
}

func TestTheModelStreamsItsReplyClauseFirst(t *testing.T) {
	m := model{Script{Reply: Reply(12)}}
	var deltas []string
	var finish provider.Finish
	for d, err := range m.Complete(t.Context(), provider.Request{}) {
		require.NoError(t, err)
		if d.Text != "" {
			deltas = append(deltas, d.Text)
		}
		finish = d.Finish
	}
	require.Equal(t, "Here is what I found. The answer ", deltas[0])
	require.Equal(t, Reply(12), strings.Join(deltas, ""))
	require.Equal(t, provider.FinishStop, finish, "comes last")
	require.Len(t, strings.Fields(Reply(12)), 12)
	require.Equal(t, 12*WordTime, m.script.Spoken())
}

func TestAnEndedContextEndsTheModel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range (model{Script{Reply: Reply(8), FirstToken: time.Hour}}).Complete(ctx, provider.Request{}) {
		last = err
	}
	require.ErrorIs(t, last, fault.Cancelled)
}

func TestTheHearerHearsAWordInEveryStretchOfVoice(t *testing.T) {
	s, err := hearer{}.Open(t.Context(), provider.Format{RateHz: 16000})
	require.NoError(t, err)
	feed := func(pcm []int16) {
		for len(pcm) > 0 {
			n := min(320, len(pcm))
			require.NoError(t, s.Write(pcm[:n]))
			pcm = pcm[n:]
		}
	}
	feed(make([]int16, 16000)) // silence
	feed(tone(700 * time.Millisecond))
	require.NoError(t, s.Finalize())
	feed(tone(100 * time.Millisecond)) // less than a word is one when it is all
	require.NoError(t, s.Finalize())
	require.NoError(t, s.Finalize()) // nothing since
	require.NoError(t, s.CloseSend())
	var got []provider.Hearing
	for h, err := range s.Heard() {
		require.NoError(t, err)
		got = append(got, h)
	}
	require.Equal(t, []provider.Hearing{
		{Text: "bravo"}, {Text: "bravo delta"}, {Text: "bravo delta", Final: true}, {Text: "bravo", Final: true}, {Final: true},
	}, got)
}

func TestWordsSoundNeitherFinishedNorUnfinishedNorOurOwn(t *testing.T) {
	for n := 1; n < 30; n++ {
		require.Equal(t, turn.HintUnknown, turn.Verdict("", words(n), turn.ExpectAny), words(n))
	}
	own := strings.ToLower(Reply(40) + Greeting)
	for w := range strings.FieldsSeq(words(8)) {
		require.NotContains(t, own, w)
	}
}

func TestTheVoiceLastsItsTimeAWordWithoutASilentFrame(t *testing.T) {
	s, err := voice{sound: hum}.Open(t.Context(), provider.Voice{})
	require.NoError(t, err)
	require.NoError(t, s.Speak("here is what I found", 2, 7))
	require.NoError(t, s.Speak("never heard", 1, 8))
	var pcm []int16
	var timed []provider.Word
	for a, err := range s.Audio() {
		require.NoError(t, err)
		require.Equal(t, uint64(2), a.Gen)
		require.Equal(t, uint64(7), a.ID)
		pcm, timed = append(pcm, a.PCM...), append(timed, a.Words...)
		if a.Last {
			break
		}
	}
	require.Len(t, pcm, 5*300*16)
	require.Len(t, timed, 5, "words are told once")
	require.Equal(t, provider.Word{Text: "found", Start: 4 * WordTime, End: 5 * WordTime}, timed[4])
	for at := 0; at < len(pcm); at += 320 {
		sum := 0
		for _, v := range pcm[at : at+320] {
			sum += max(int(v), -int(v))
		}
		require.Greater(t, sum/320, loud, "frame at %d", at)
	}
	s.Cancel(1)
	require.NoError(t, s.Speak("late", 1, 9))
	require.NoError(t, s.Close())
	for a := range s.Audio() {
		require.NotEqual(t, uint64(1), a.Gen, "cancelled generations are not rendered")
	}
}

func TestTheAgentsFileIsWithoutFault(t *testing.T) {
	r, warnings, err := agent.Compile("a", 1, []byte(Agent("inbound_voice", "VOICE_RECORD", "True")))
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.True(t, r.Spec.Settings.Record)
	require.Equal(t, Alias, r.Spec.Alias)
	require.Equal(t, "fake", r.Spec.TTS.Provider)
	require.Equal(t, Greeting, r.SpokenGreeting())
}

func TestTheKernelTellsWhatAProcessUses(t *testing.T) {
	rss, err := RSS(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, rss, int64(1<<20))
	_, err = CPU(os.Getpid())
	require.NoError(t, err)
	_, err = CPU(0)
	require.Error(t, err, "no such process")
	_, err = RSS(0)
	require.Error(t, err)
}
