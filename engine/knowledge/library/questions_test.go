package library

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge/lexis"
)

var lexicon = sync.OnceValue(lexis.New)

// asked tells Questions of questions, each of a session of its own unless it
// begins with one and a colon.
func asked(q *Questions, questions ...string) {
	for i, text := range questions {
		session := fmt.Sprint("s", i)
		if s, rest, ok := strings.Cut(text, ": "); ok {
			session, text = s, rest
		}
		q.Apply(event.Envelope{
			Stream: event.Stream{Kind: event.SessionStream, ID: session}, Time: time.Unix(int64(i), 0),
			Body: event.QuestionUnanswered{Question: event.P(text), By: "engine"},
		})
	}
}

func TestQuestionsAreGroupedByLikeness(t *testing.T) {
	tests := map[string]struct {
		asked []string
		want  []string // question, times, sessions
	}{
		"the same words": {
			[]string{"Do you ship to Norway?", "do you ship to norway", "a: Do you  ship to Norway?"},
			[]string{"Do you ship to Norway? 3 3"},
		},
		"other words for the same": {
			[]string{"how much is the parking", "what does parking cost", "price of parking?"},
			[]string{"how much is the parking 3 3"},
		},
		"a misspelling": {
			[]string{"do you have accommodation for students", "accomodation for students?"}, //nolint:misspell // on purpose
			[]string{"do you have accommodation for students 2 2"},
		},
		"one session counts once": {
			[]string{"a: can I bring my dog", "a: can I bring a dog?", "b: are dogs allowed"},
			[]string{"can I bring my dog 3 2"},
		},
		"different things": {
			[]string{"can I bring my dog", "can I bring my bicycle", "do you ship to Norway"},
			[]string{"can I bring my dog 1 1", "can I bring my bicycle 1 1", "do you ship to Norway 1 1"},
		},
		"more than the other asks": {
			[]string{"is there parking", "is there parking for trucks with trailers"},
			[]string{"is there parking 1 1", "is there parking for trucks with trailers 1 1"},
		},
		"words that say nothing": {
			[]string{"can you", "Can you?", "and that"},
			[]string{"can you 2 2", "and that 1 1"},
		},
		"nothing asked": {[]string{"", "  "}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			q := NewQuestions(lexicon())
			asked(q, tt.asked...)
			var got []string
			for _, g := range q.Open() {
				got = append(got, fmt.Sprint(g.Question, " ", g.Count, " ", g.Sessions))
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestThePersonSeesTheCommonestWords(t *testing.T) {
	q := NewQuestions(lexicon())
	asked(q, "what does parking cost", "how much is parking", "how much is parking")
	g := q.Open()[0]
	require.Equal(t, "how much is parking", g.Common)
	require.Len(t, q.Open(), 1)
	require.Equal(t, "what does parking cost", g.Question)
	require.Equal(t, []string{"s0", "s1", "s2"}, g.Names)
	require.Equal(t, time.Unix(2, 0), g.Last)
}

func TestGroupsAreAnsweredOrDismissed(t *testing.T) {
	q := NewQuestions(lexicon())
	asked(q, "is there parking", "do you ship to Norway")
	resolve := func(question, how, source string) error {
		out, err := q.Resolve(question, how, source)
		for _, b := range out {
			q.Apply(event.Envelope{Body: b})
		}
		return err
	}
	require.ErrorIs(t, resolve("nobody asked this", Dismissed, ""), fault.NotFound)
	require.ErrorIs(t, resolve("is there parking", "later", ""), fault.Invalid)
	require.ErrorIs(t, resolve("is there parking", Answered, ""), fault.Invalid)
	require.NoError(t, resolve("is there parking", Answered, "faq-1"))
	require.NoError(t, resolve("do you ship to Norway", Dismissed, ""))
	require.ErrorIs(t, resolve("do you ship to Norway", Answered, "faq-1"), fault.Conflict)
	require.Empty(t, q.Open())
	require.Len(t, q.Resolved(), 2)
	require.Equal(t, "faq-1", q.Resolved()[0].Source)

	asked(q, "x: do you ship to Norway", "y: is there any parking")
	require.Len(t, q.Open(), 1, "what was dismissed stays dismissed, an answer that is not found does not help")
	require.Equal(t, "is there parking", q.Open()[0].Question)
	require.Equal(t, 2, q.Open()[0].Count)
}

func TestErasedQuestionsAreLeftOut(t *testing.T) {
	q := NewQuestions(lexicon())
	q.Apply(event.Envelope{Body: event.QuestionUnanswered{Question: event.Private{Erased: true}}})
	q.Apply(event.Envelope{Body: event.QuestionResolved{Question: event.Private{Erased: true}, How: Dismissed}})
	require.Empty(t, q.Open())
}

// Every question is in exactly one group, and equal events make equal groups.
func TestNoQuestionIsLost(t *testing.T) {
	words := strings.Fields("parking ship norway dog cost much how is the do you what price prking dogs refund café 7")
	rapid.Check(t, func(r *rapid.T) {
		var all []string
		for range rapid.IntRange(0, 30).Draw(r, "questions") {
			all = append(all, strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 6).Draw(r, "words"), " "))
		}
		a, b := NewQuestions(lexicon()), NewQuestions(lexicon())
		asked(a, all...)
		asked(b, all...)
		n := 0
		for _, g := range a.Open() {
			n += g.Count
			if g.Sessions > g.Count || g.Sessions < 1 {
				r.Fatalf("%+v", g)
			}
		}
		if n != len(all) {
			r.Fatalf("%d of %d questions are in groups", n, len(all))
		}
		require.Equal(t, a.Open(), b.Open())
	})
}
