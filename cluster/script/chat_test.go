package script

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
)

func TestChatShowsTheConversation(t *testing.T) {
	inside := looked(Turn{
		Says: []string{"It costs €5.\nAnything else?"}, State: "Advice", Took: 1500 * time.Microsecond,
		Results: map[string]string{"Topic": "fees", "Name": "John"},
		Calls: []Call{
			{Name: "TriggerKBSearch", Args: `{"query":"fees"}`, Result: "found", Took: 2 * time.Millisecond},
			{Name: "PostLead", Args: "{}", Refused: "not in this state"},
		},
		Trace: &Trace{
			Passages: []Passage{{Source: "faq/1", Title: "Fees", Score: 0.87}},
			Model:    Model{Name: "builtin", Input: 120, Output: 9, First: time.Millisecond, Whole: 3 * time.Millisecond},
			Parts:    []Part{{Kind: "rules", Tokens: 100}, {Kind: "state", Title: "Advice", Tokens: 20}},
		},
	})
	b := &booth{turns: []Turn{
		looked(Turn{Says: []string{"Hello!"}, Options: []string{"Fees", "Limits"}}), inside, {Says: []string{"Goodbye!"}, Ended: true},
	}}
	var out strings.Builder
	require.NoError(t, Chat(t.Context(), b, strings.NewReader("/state\n/results\n\n 1 \n/state\n/results\n/trace\n/help\nbye\nnobody hears this\n"), &out))
	require.Equal(t, []string{"Fees", "bye"}, b.heard, "the number stands for its button")
	require.Equal(t, 1, b.closed)
	require.Equal(t, `agent  Hello!
       [1] Fees
       [2] Limits
you           the agent has no states
you           no results yet
you    you    agent  It costs €5.
       Anything else?
you    state  Advice
you    result Name = John
result Topic = fees
you    part      100 tokens  rules 
part       20 tokens  state Advice
          120 tokens in all
found  0.87  faq/1 Fees
call   TriggerKBSearch {"query":"fees"}
       2.0 ms  found
call   PostLead {}
       refused: not in this state
model  builtin  120 tokens in, 9 out  first 1.0 ms, whole 3.0 ms
took   1.5 ms
you           there are /results, /state, /trace and /quit
you    agent  Goodbye!
       the conversation has ended
`, out.String())
}

func TestChatEnds(t *testing.T) {
	for name, c := range map[string]struct{ typed, want string }{
		"with the input":      {"hi\n", "agent  Hello!\nyou    agent  Well.\nyou    \n"},
		"with /quit":          {"/quit\nhi\n", "agent  Hello!\nyou    "},
		"without a last line": {"hi", "agent  Hello!\nyou    agent  Well.\nyou    \n"},
		"at once":             {"", "agent  Hello!\nyou    \n"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &booth{turns: []Turn{{Says: []string{"Hello!"}}, {Says: []string{"Well."}}}}
			var out strings.Builder
			require.NoError(t, Chat(t.Context(), b, strings.NewReader(c.typed), &out))
			require.Equal(t, c.want, out.String())
			require.Equal(t, 1, b.closed)
		})
	}
}

func TestChatSaysWhatIsNotKnown(t *testing.T) {
	b := &booth{turns: []Turn{{}}}
	var out strings.Builder
	require.NoError(t, Chat(t.Context(), b, strings.NewReader("/state\n/results\n/trace\n"), &out))
	for _, want := range []string{"the state is not known", "the results are not known", "the trace is not known"} {
		require.Contains(t, out.String(), want)
	}
}

func TestChatGoesOnAfterAnAnswerThatFailed(t *testing.T) {
	b := &booth{turns: []Turn{{}}, fails: fmt.Errorf("no answer came in time: %w", fault.Unavailable)}
	var out strings.Builder
	require.NoError(t, Chat(t.Context(), b, strings.NewReader("one\ntwo\n"), &out))
	require.Equal(t, []string{"one", "two"}, b.heard)
	require.Equal(t, 2, strings.Count(out.String(), "error  no answer came in time"))
}

func TestChatEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := &booth{turns: []Turn{{}}, fails: fmt.Errorf("say: %w", context.Canceled)}
	cancel()
	require.ErrorIs(t, Chat(ctx, b, strings.NewReader("one\ntwo\n"), io.Discard), context.Canceled)
	require.Equal(t, []string{"one"}, b.heard)
	require.Equal(t, 1, b.closed)
}

// Words come from models and customers; they must not steer the terminal.
func TestChatDoesNotPassOnControlCharacters(t *testing.T) {
	b := &booth{turns: []Turn{{Says: []string{"\x1b]0;owned\x07\x1b[31mred\r\u009b2J"}, Options: []string{"\x1b[1mA"}}}}
	var out strings.Builder
	require.NoError(t, Chat(t.Context(), b, strings.NewReader(""), &out))
	require.NotContains(t, out.String(), "\x1b")
	require.NotContains(t, out.String(), "\r")
	require.NotContains(t, out.String(), "\u009b")
	require.Contains(t, out.String(), "red")
}

// streaming shows its answers in pieces.
type streaming struct {
	booth
	pieces []string
	broken error
}

func (s *streaming) Stream(_ context.Context, text string, piece func(string)) (Turn, error) {
	s.heard = append(s.heard, text)
	for _, p := range s.pieces {
		piece(p)
	}
	return s.turns[len(s.heard)], s.broken
}

func TestChatStreams(t *testing.T) {
	for name, c := range map[string]struct {
		says   []string
		broken error
		want   string
	}{
		"an answer is not shown twice":     {[]string{"It costs €5."}, nil, "agent  It costs €5.\n"},
		"what follows the stream is shown": {[]string{"It costs €5.", "Bye."}, nil, "agent  It costs €5.\nagent  Bye.\n"},
		"another answer than was streamed": {[]string{"I cannot say."}, nil, "agent  It costs €5.\nagent  I cannot say.\n"},
		"a stream that breaks off":         {nil, errors.New("cut"), "agent  It costs €5.\nerror  cut\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &streaming{booth: booth{turns: []Turn{{}, {Says: c.says}}}, pieces: []string{"It ", "costs ", "€5."}, broken: c.broken}
			var out strings.Builder
			require.NoError(t, Chat(t.Context(), s, strings.NewReader("price?\n"), &out))
			require.Equal(t, "you    "+c.want+"you    \n", out.String())
		})
	}
}

// full is a terminal that is gone.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestChatTellsThatItCannotWrite(t *testing.T) {
	b := &booth{turns: []Turn{{Says: []string{"Hello!"}}}}
	require.ErrorIs(t, Chat(t.Context(), b, strings.NewReader("hi\n"), full{}), io.ErrClosedPipe)
	require.Empty(t, b.heard)
	require.Equal(t, 1, b.closed)
}
