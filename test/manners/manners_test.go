package manners_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/caller"
	"flametree/test/house"
)

// The agent's own voice comes back from a speaker-phone, and it finishes what it
// has to say.
func TestAnEchoDoesNotInterruptTheAgent(t *testing.T) {
	t.Parallel()
	for name, db := range map[string]float64{"loud": -12, "faint": -24} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			c := ring(t, s)
			speakerphone(c, db)
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			require.NoError(t, c.WaitVoice(ctx, time.Time{}, 500*ms))
			require.NoError(t, c.WaitQuiet(ctx, time.Now().Add(time.Second), 1500*ms))
			c.Hangup()
			k := told(t, s)
			require.NotEmpty(t, k.spoken)
			require.False(t, k.spoken[0].Interrupted, "heard: %q", k.spoken[0].Text.Text)
			require.Contains(t, k.spoken[0].Text.Text, "help you today")
			require.Empty(t, k.heard, "nobody said anything")
			require.Len(t, k.spoken, 1)
		})
	}
}

// Somebody who speaks in front of the speaker-phone is listened to.
func TestACallerOverTheEchoInterrupts(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := ring(t, s)
	speakerphone(c, -14)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	require.NoError(t, c.WaitVoice(ctx, time.Time{}, 700*ms))
	began := time.Now()
	_, err := c.Say(ctx, words(t, "stop please. can i book a double room for two nights?"))
	require.NoError(t, err)
	require.NoError(t, c.WaitQuiet(ctx, began, 700*ms), "the agent falls silent")
	silent := time.Now()
	require.NoError(t, c.WaitVoice(ctx, silent, 500*ms), "and answers")
	require.NoError(t, c.WaitQuiet(ctx, silent, 1500*ms))
	c.Hangup()
	k := told(t, s)
	require.True(t, k.spoken[0].Interrupted, "%+v", k.spoken)
	require.Less(t, k.spoken[0].Played, 8*time.Second)
	require.NotEmpty(t, strings.Join(k.heard, ""), "words of it are understood")
}

// press presses keys on a telephone.
type press func(t *testing.T, ctx context.Context, c *caller.Call, key string)

func byEvent(t *testing.T, ctx context.Context, c *caller.Call, key string) {
	_, err := c.Press(ctx, key)
	require.NoError(t, err)
}

func byInfo(t *testing.T, ctx context.Context, c *caller.Call, key string) {
	require.NoError(t, c.SIP().Info(ctx, key[0], 160*ms))
	time.Sleep(250 * ms)
}

// Keys are an utterance with the right to interrupt, however they come.
func TestDigitsAreOneUtteranceAndInterrupt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		press press
		keys  string
		want  string
	}{
		"telephone events, up to the hash":   {byEvent, "4711#", "4711"},
		"telephone events, until none comes": {byEvent, "2", "2"},
		"INFO, up to the hash":               {byInfo, "4711#", "4711"},
		"INFO, a single one":                 {byInfo, "3", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			c := ring(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			require.NoError(t, c.WaitVoice(ctx, time.Time{}, 1500*ms))
			began := time.Now()
			for _, k := range tt.keys {
				tt.press(t, ctx, c, string(k))
			}
			require.NoError(t, c.WaitVoice(ctx, began.Add(900*ms), 300*ms), "and answers")
			for _, p := range c.Heard(began.Add(600 * ms)) {
				if p.At.Before(began.Add(900 * ms)) {
					require.Less(t, p.Level, float64(caller.Voiced), "the agent falls silent, %v after the first key it is not", p.At.Sub(began))
				}
			}
			c.Hangup()
			k := told(t, s)
			require.Len(t, k.spoken, 2, "the greeting and the answer")
			require.True(t, k.spoken[0].Interrupted)
			require.Equal(t, []string{tt.want}, k.heard)
		})
	}
}

// What a caller hears first is kept: from the decision to say it until its first
// packet there is no voice to wait for.
func TestAKeptGreetingIsHeardAtOnce(t *testing.T) {
	s := serve(t)
	const calls = 8
	var took []time.Duration
	for range calls {
		c := ring(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		require.NoError(t, c.WaitVoice(ctx, time.Time{}, 300*ms))
		cancel()
		c.Hangup()
	}
	seen := 0
	s.Until(t, "the end of all calls", 20*time.Second, func(e house.Event) bool {
		if e.Kind == "turn.timed.v1" {
			var b struct {
				Stages []struct {
					Name string
					Took time.Duration
				}
			}
			e.Into(t, &b)
			sum := time.Duration(0)
			for _, st := range b.Stages {
				if st.Name == "tts_ttfb" || st.Name == "pacer" || st.Name == "engine" {
					sum += st.Took
				}
			}
			took = append(took, sum)
		}
		if e.Kind == "call.ended.v1" {
			seen++
		}
		return seen == calls
	})
	slices.Sort(took)
	require.Len(t, took, calls)
	t.Logf("figure: a kept greeting: first packet %v after the decision at the median, %v at worst of %d calls", took[len(took)/2], took[len(took)-1], calls)
	require.Less(t, took[0], 5*ms)
}
