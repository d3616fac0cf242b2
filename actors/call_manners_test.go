package actors_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/engine/spoken"
)

// A silent caller is asked three times, in his language unless the agent's file
// has words of its own, and then the call ends.
func TestASilentCallerIsPromptedInHisLanguage(t *testing.T) {
	for name, tt := range map[string]struct {
		env  []string
		want string
	}{
		"German":               {[]string{"VOICE_LANGUAGE: de-CH"}, "Sind Sie noch da?"},
		"Hindi":                {[]string{"VOICE_LANGUAGE: hi"}, spoken.StillThere("hi")},
		"one without a phrase": {[]string{"VOICE_LANGUAGE: kk"}, "Are you still there?"},
		"the file's own words": {[]string{"VOICE_LANGUAGE: de", "VOICE_NO_INPUT_TEXT: Hallo?"}, "Hallo?"},
	} {
		t.Run(name, func(t *testing.T) {
			inCall(t, tt.env, func(c *call) {
				c.greeted()
				time.Sleep(2 * time.Minute)
				prompt := "AI: " + tt.want
				require.Equal(c.t, []string{"AI: " + greeting, prompt, prompt, prompt}, c.lines())
				reason, _, status := c.ended()
				require.Equal(c.t, "no_input", reason)
				require.Equal(c.t, event.UserTimeout, status)
			})
		})
	}
}

func TestHowOftenAndHowSoonIsTheAgents(t *testing.T) {
	inCall(t, []string{"VOICE_NO_INPUT_TIMEOUT: 4", "VOICE_NO_INPUT_PROMPTS: 1"}, func(c *call) {
		c.greeted()
		time.Sleep(15 * time.Second)
		require.Equal(c.t, []string{"AI: " + greeting, "AI: Are you still there?"}, c.lines())
		_, _, status := c.ended()
		require.Equal(c.t, event.UserTimeout, status)
	})
}

func TestAFillerIsOfTheLanguageThatIsSpoken(t *testing.T) {
	inCall(t, []string{"VOICE_LANGUAGE: fr", "ENABLE_FILLER_PHRASES: True"}, func(c *call) {
		c.h.Model.Wait = make(chan struct{})
		c.greeted()
		c.Say("combien")
		time.Sleep(3 * time.Second)
		close(c.h.Model.Wait)
		c.quiet()
		said := strings.Join(c.lines(), " ")
		for _, f := range spoken.Fillers("fr") {
			if strings.Contains(said, f) {
				return
			}
		}
		c.t.Errorf("no French filler in %q", said)
	})
}

// Digits are an utterance with the right to interrupt: pressed while the agent
// speaks they silence it, and all up to # are one answer.
func TestDigitsBeforeTheAnswerInterruptAndAreOneUtterance(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.h.Model.Reply = says("Thank you.")
		c.Line.Up()
		c.talking(700 * time.Millisecond)
		for _, d := range []string{"4", "7", "1", "1", "#"} {
			c.Keys(d)
			time.Sleep(300 * time.Millisecond)
		}
		c.quiet()
		lines := c.lines()
		require.Equal(c.t, "AI: Hello, this [interrupted]", lines[0])
		require.Equal(c.t, "HUMAN: 4711", lines[1])
		require.Len(c.t, strings.Split(strings.Join(lines, "\n"), "HUMAN"), 2, "one utterance")
	})
}
