package actors_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/event"
)

// spokenOf are the session's events of one kind.
func spokenOf[E event.Event](c *call) []E {
	c.t.Helper()
	var out []E
	for _, e := range c.h.Events(c.t, "s") {
		if b, ok := e.Body.(E); ok {
			out = append(out, b)
		}
	}
	return out
}

// finals are the captions that stand, as role and text.
func finals(all []actors.Caption) []string {
	var out []string
	for _, c := range all {
		if c.Final {
			out = append(out, c.Role+" "+c.Text)
		}
	}
	return out
}

func TestWhoReadsAlongSeesWhatTheJournalWillSay(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.greeted()
		c.Say("one two three")
		c.quiet()
		c.hangUp()
		turns := map[string]uint64{}
		for _, b := range spokenOf[event.UtteranceHeard](c) {
			turns["USER "+b.Text.Text] = b.Turn
		}
		for _, b := range spokenOf[event.ReplySpoken](c) {
			turns["AI "+b.Text.Text] = b.Turn
		}
		shown := c.Captions()
		want := finals(shown)
		require.Len(c.t, want, 3, "greeting, question, answer")
		for _, k := range shown {
			require.NotEmpty(c.t, k.Text)
			if !k.Final {
				continue
			}
			turn, told := turns[k.Role+" "+k.Text]
			require.True(c.t, told, "%s %q stands in no event: %v", k.Role, k.Text, turns)
			require.Equal(c.t, turn, k.Turn, "%s %q", k.Role, k.Text)
		}
	})
}

func TestWordsAreShownAsTheyAreSaid(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.greeted()
		c.Say("one two three four five six seven eight nine ten eleven twelve")
		c.quiet()
		c.hangUp()
		heard, said := 0, 0
		for _, k := range c.Captions() {
			switch {
			case k.Final:
			case k.Role == actors.CaptionUser:
				heard++
			default:
				said++
			}
		}
		require.Greater(c.t, heard, 2, "the caller's words, before the turn is over")
		require.Greater(c.t, said, 2, "the agent's words, while they are spoken")
	})
}

func TestAReplyThatIsInterruptedIsShownAsFarAsItWasHeard(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.greeted()
		c.Say("one two three four five six seven eight nine ten eleven twelve")
		c.talking(time.Second)
		c.Say("stop it now please")
		c.quiet()
		c.hangUp()
		for _, b := range spokenOf[event.ReplySpoken](c) {
			if b.Interrupted && b.Text.Text != "" {
				require.Contains(c.t, finals(c.Captions()), "AI "+b.Text.Text)
				require.NotContains(c.t, finals(c.Captions()), "AI "+b.Full.Text)
				return
			}
		}
		c.t.Fatal("nothing was interrupted")
	})
}
