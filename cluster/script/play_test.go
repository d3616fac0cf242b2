package script

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/fault"
)

// booth is a conversation whose turns are given; the first is the greeting.
type booth struct {
	turns  []Turn
	heard  []string
	closed int
	fails  error // of Say
}

func (b *booth) Begin(context.Context) (Turn, error) { return b.turns[0], nil }

func (b *booth) Say(_ context.Context, text string) (Turn, error) {
	b.heard = append(b.heard, text)
	if b.fails != nil {
		return Turn{}, b.fails
	}
	return b.turns[len(b.heard)], nil
}

func (b *booth) Close() error {
	b.closed++
	return nil
}

func parsed(t *testing.T, text string) *Script {
	t.Helper()
	s, _, err := Parse([]byte(text))
	require.NoError(t, err)
	s.File = "talk.yaml"
	return s
}

// looked is a turn into which one could look.
func looked(t Turn) Turn {
	if t.Trace == nil {
		t.Trace = &Trace{}
	}
	if t.Results == nil {
		t.Results = map[string]string{}
	}
	return t
}

func TestExpectations(t *testing.T) {
	lead := Call{Name: "PostLeadToCRM", Args: `{"client_name":"John","budget":1000,"tags":["a","b"],"note":null}`}
	for name, c := range map[string]struct {
		expect string
		turn   Turn
		want   string // "" = met
	}{
		"words in other case and over lines":     {"says: ['thank YOU, john']", looked(Turn{Says: []string{"Well.\nThank  you,\nJohn!"}}), ""},
		"words of the second message":            {"says: [two]", looked(Turn{Says: []string{"one", "two"}}), ""},
		"words that are missing":                 {"says: [tomorrow]", looked(Turn{Says: []string{"Today."}}), `expected to hear "tomorrow", there was "Today."`},
		"words where there are none":             {"says: [tomorrow]", looked(Turn{}), `expected to hear "tomorrow", there was no word`},
		"the second of two":                      {"says: [to, morrow]", looked(Turn{Says: []string{"to"}}), `expected to hear "morrow", there was "to"`},
		"words that must not be":                 {"says_not: [sorry]", looked(Turn{Says: []string{"I am Sorry."}}), `expected not to hear "sorry", there was "I am Sorry."`},
		"a call":                                 {"calls: [PostLeadToCRM]", looked(Turn{Calls: []Call{lead}}), ""},
		"a call that is missing":                 {"calls: [PostLeadToCRM]", looked(Turn{}), "expected the call PostLeadToCRM, there was none"},
		"another call":                           {"calls: [PostLeadToCRM]", looked(Turn{Calls: []Call{{Name: "Other"}}}), "expected the call PostLeadToCRM, there was Other"},
		"a call too many":                        {"calls: [PostLeadToCRM]", looked(Turn{Calls: []Call{lead, lead}}), "expected the call PostLeadToCRM, there was the call PostLeadToCRM as well"},
		"a call too few":                         {"calls: [PostLeadToCRM, PostLeadToCRM]", looked(Turn{Calls: []Call{lead}}), "expected the call PostLeadToCRM, there was no more after PostLeadToCRM"},
		"calls in another order":                 {"calls: [A, B]", looked(Turn{Calls: []Call{{Name: "B"}, {Name: "A"}}}), "expected the call A, there was B"},
		"no call where none may be":              {"calls: []", looked(Turn{}), ""},
		"a call where none may be":               {"calls: []", looked(Turn{Calls: []Call{lead}}), "expected no call, there was the call PostLeadToCRM as well"},
		"a refused call where none may be":       {"calls: []", looked(Turn{Calls: []Call{{Name: "A", Refused: "no"}}}), ""},
		"a refused call is none":                 {"calls: [A]", looked(Turn{Calls: []Call{{Name: "A", Refused: "not here"}}}), "expected the call A, there was one that was refused: not here"},
		"a call that is to be refused":           {"calls: [{name: A, refused: true}]", looked(Turn{Calls: []Call{{Name: "A", Refused: "no"}}}), ""},
		"a call that should have been refused":   {"calls: [{name: A, refused: true}]", looked(Turn{Calls: []Call{{Name: "A"}}}), "expected the call A to be refused, there was no such call"},
		"a call that failed":                     {"calls: [A]", looked(Turn{Calls: []Call{{Name: "A", Fault: "unavailable: sandbox"}}}), "expected the call A, it failed: unavailable: sandbox"},
		"a call that is to fail":                 {"calls: [{name: A, failed: true}]", looked(Turn{Calls: []Call{{Name: "A", Fault: "no"}}}), ""},
		"a call that should have failed":         {"calls: [{name: A, failed: true}]", looked(Turn{Calls: []Call{{Name: "A"}}}), "expected the call A to fail, it did not"},
		"a failed call where none may be":        {"calls: []", looked(Turn{Calls: []Call{{Name: "A", Fault: "no"}}}), "expected no call, there was the call A as well"},
		"a move need not be named":               {"calls: []", looked(Turn{Calls: []Call{{Name: "to_contact", Move: true}, {Name: "SendChatMessage"}}}), ""},
		"a move that is named":                   {"calls: [to_contact]", looked(Turn{Calls: []Call{{Name: "to_contact", Move: true}}}), ""},
		"a move that is named and missing":       {"calls: [to_contact]", looked(Turn{Calls: []Call{{Name: "other", Move: true}}}), "expected the call to_contact, there was none"},
		"arguments":                              {"calls: [{name: PostLeadToCRM, args: {client_name: John, budget: 1000, tags: [a, b], note: ~, more: ~}}]", looked(Turn{Calls: []Call{lead}}), ""},
		"another argument":                       {"calls: [{name: PostLeadToCRM, args: {client_name: Jane}}]", looked(Turn{Calls: []Call{lead}}), `expected client_name of PostLeadToCRM to be "Jane", it is "John"`},
		"an argument that is not there":          {"calls: [{name: PostLeadToCRM, args: {phone: 1}}]", looked(Turn{Calls: []Call{lead}}), `expected phone of PostLeadToCRM to be "1", it is unset`},
		"calls that nobody saw":                  {"calls: []", Turn{}, "expected no call, the calls are not known"},
		"the state":                              {"state: Contact", looked(Turn{State: "Contact"}), ""},
		"another state":                          {"state: Contact", looked(Turn{State: "Advice"}), "expected the state Contact, it is Advice"},
		"a state where there are none":           {"state: Contact", looked(Turn{}), "expected the state Contact, there are no states"},
		"a state that nobody saw":                {"state: Contact", Turn{State: "Contact"}, "expected the state Contact, the state is not known"},
		"results":                                {"results: {A: x, L: [b, c], N: ~}", looked(Turn{Results: map[string]string{"A": "x", "L": `[ "b", "c" ]`}}), ""},
		"another result":                         {"results: {A: x}", looked(Turn{Results: map[string]string{"A": "X"}}), `expected A to be "x", it is "X"`},
		"a result that is missing":               {"results: {A: x}", looked(Turn{}), `expected A to be "x", it is unset`},
		"a result that should not be":            {"results: {A: ~}", looked(Turn{Results: map[string]string{"A": "x"}}), `expected A to be unset, it is "x"`},
		"results that nobody saw":                {"results: {A: ~}", Turn{}, "expected A to be unset, the results are not known"},
		"a call before the words that come late": {"says: [x]\n    calls: [A]", looked(Turn{}), "expected the call A, there was none"},
	} {
		t.Run(name, func(t *testing.T) {
			s := parsed(t, "- human: hi\n  expect:\n    "+c.expect)
			b := &booth{turns: []Turn{{}, c.turn}}
			err := Play(t.Context(), b, s, nil)
			require.Equal(t, 1, b.closed)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			u, ok := errors.AsType[*Unmet](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, c.want, u.Text)
			require.Equal(t, fmt.Sprintf("talk.yaml: step 1 (line %d): %s", u.Line, c.want), u.Error())
			require.ErrorIs(t, err, fault.Conflict)
		})
	}
}

func TestTheFirstUnmetExpectationEndsThePlay(t *testing.T) {
	s := parsed(t, "- expect: {says: [welcome]}\n- human: one\n- human: two\n  expect:\n    says: [b]\n    state: Wrong\n- human: three\n")
	b := &booth{turns: []Turn{{Says: []string{"Welcome!"}}, {}, looked(Turn{Says: []string{"b"}, State: "Right"}), {}}}
	shown := 0
	err := Play(t.Context(), b, s, func(Turn) { shown++ })
	require.EqualError(t, err, "talk.yaml: step 3 (line 6): expected the state Wrong, it is Right")
	require.Equal(t, []string{"one", "two"}, b.heard, "nothing is said after it")
	require.Equal(t, 3, shown, "the turn that failed is shown")
	require.Equal(t, 1, b.closed)
}

func TestAConversationThatEndsTooEarly(t *testing.T) {
	s := parsed(t, "- human: bye\n- human: one more thing\n")
	err := Play(t.Context(), &booth{turns: []Turn{{}, {Ended: true}}}, s, nil)
	require.EqualError(t, err, `talk.yaml: step 2 (line 2): nobody is there to hear "one more thing": the conversation has ended before`)
}

func TestAnAnswerThatFailsNamesItsStep(t *testing.T) {
	b := &booth{turns: []Turn{{}}, fails: fmt.Errorf("no answer in time: %w", fault.Unavailable)}
	err := Play(t.Context(), b, parsed(t, "- human: hi"), nil)
	require.EqualError(t, err, "talk.yaml: step 1 (line 1): no answer in time: unavailable")
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Equal(t, 1, b.closed)
}

// A turn that is described as it was meets its description; with one thing
// changed it does not.
func TestADescriptionOfATurnIsMetByThatTurnAlone(t *testing.T) {
	name := rapid.StringMatching(`[A-Z][a-z]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		turn := looked(Turn{
			Says:    rapid.SliceOfN(rapid.StringMatching(`[a-zäß€ ]{0,20}x`), 1, 3).Draw(t, "says"),
			State:   name.Draw(t, "state"),
			Results: rapid.MapOfN(name, name, 1, 4).Draw(t, "results"),
		})
		var e Expect
		for _, s := range turn.Says {
			e.Says = append(e.Says, Text{1, strings.ToUpper(s)})
		}
		e.State, e.Calls = Text{1, turn.State}, &Calls{Line: 1}
		for _, n := range rapid.SliceOfN(name, 0, 4).Draw(t, "calls") {
			turn.Calls = append(turn.Calls, Call{Name: n, Args: "{}"})
			e.Calls.List = append(e.Calls.List, CallWanted{Line: 1, Name: n})
		}
		for k, v := range turn.Results {
			e.Results = append(e.Results, Expected{1, k, v})
		}
		if u := e.check(turn); u != nil {
			t.Fatalf("%+v does not meet its own description: %v", turn, u)
		}
		changed := turn
		switch want := rapid.SampledFrom([]string{"says", "state", "calls", "results"}).Draw(t, "what"); want {
		case "says":
			changed.Says = nil
		case "state":
			changed.State += "s"
		case "calls":
			changed.Calls = append(slices.Clip(changed.Calls), Call{Name: "Other"})
		case "results":
			changed.Results = map[string]string{}
		}
		if e.check(changed) == nil {
			t.Fatalf("%+v meets the description of another turn", changed)
		}
	})
}
