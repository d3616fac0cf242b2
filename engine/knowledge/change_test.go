package knowledge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/knowledge/lexis"
)

// However an index came about, by one Build or by many changes, it finds the
// same with the same scores.
func TestAChangedIndexIsLikeOneBuiltAnew(t *testing.T) {
	all := append(load(t, "hotel").sources(), load(t, "parcel").sources()...)
	var questions []string
	for _, name := range []string{"hotel", "parcel"} {
		for _, q := range load(t, name).Questions {
			questions = append(questions, q.Q)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var have []Source
		x := BuildWith(lexicon(), nil)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			out := make(map[string]bool)
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(all)-1), 0, 8).Draw(t, "dropped") {
				out[all[i].ID] = true
			}
			have = slices.DeleteFunc(slices.Clone(have), func(s Source) bool { return out[s.ID] })
			var add []Source
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(all)-1), 0, 20).Draw(t, "added") {
				add = append(add, all[i])
			}
			have = append(have, add...)
			before := x
			var stayed []int32
			x, stayed = x.Change(func(p int32) bool { return out[before.Passage(p, 0).ID] }, add)
			for now, was := range stayed {
				if x.Passage(int32(now), 0).Text != before.Passage(was, 0).Text {
					t.Fatal("a passage that stayed has become another")
				}
			}
		}
		anew := BuildWith(lexicon(), have)
		require.Equal(t, anew.Len(), x.Len())
		for _, q := range rapid.SliceOfN(rapid.SampledFrom(questions), 1, 6).Draw(t, "questions") {
			require.Equal(t, texts(anew.Search(q, 6, 0)), texts(x.Search(q, 6, 0)), q)
		}
		require.False(t, x.Knows("xylophon"))
	})
}

func texts(hits []Hit) []string {
	var out []string
	for _, h := range hits {
		out = append(out, fmt.Sprintf("%.9f %s %s", h.Score, h.ID, h.Text))
	}
	return out
}

// The words of what was removed are strangers again.
func TestAChangeForgetsWords(t *testing.T) {
	x := small()
	require.True(t, x.Knows("baggag"))
	y, stayed := x.Change(func(p int32) bool { return x.Passage(p, 0).ID == "a" }, nil)
	require.Equal(t, []int32{1, 2}, stayed)
	assert.False(t, y.Knows("baggag"))
	assert.Empty(t, y.Search("how much baggage may I take", 3, DefaultMin))
	assert.True(t, x.Knows("baggag"), "the old index is as it was")
	assert.NotEmpty(t, x.Search("how much baggage may I take", 3, DefaultMin))
}

// Passages that are left out early are only those that all sums would leave out.
func TestRankFindsWhatAllSumsFind(t *testing.T) {
	x, queries := many(3_000)
	for _, q := range queries {
		r := x.Read(Query{Text: q})
		sums := make(map[int32]float64)
		for _, a := range r.terms {
			best := make(map[int32]float64)
			for _, o := range a.any {
				for _, p := range x.post[o.term] {
					best[p.chunk] = max(best[p.chunk], o.fit*a.weight*float64(p.worth))
				}
			}
			for c, s := range best {
				sums[c] += s
			}
		}
		var want []float64
		for _, s := range sums {
			want = append(want, s)
		}
		slices.SortFunc(want, func(a, b float64) int {
			switch {
			case a > b:
				return -1
			case a < b:
				return 1
			}
			return 0
		})
		got := r.Candidates()
		require.Len(t, got, min(candidates, len(want)), q)
		for i, c := range got {
			require.InDelta(t, want[i], c.BM25, 1e-3, "%s: candidate %d", q, i)
			require.InDelta(t, sums[c.Passage], c.BM25, 1e-3)
		}
	}
}

// In a long source every passage has the name of the thing: the name alone
// answers nothing that is asked about the thing.
func TestANameAnswersNothing(t *testing.T) {
	section := func(head, said string) string {
		return "# " + head + "\n" + said + strings.Repeat(" The filter, the drum and the hose are looked after by our own people in town.", 5) + "\n"
	}
	x := BuildWith(lexicon(), []Source{{ID: "a", Kind: Text, Title: "Silver Birch washing machine", Text: section(
		"Price", "The Silver Birch washing machine costs 400 euros.") + section(
		"Warranty", "The warranty on the Silver Birch washing machine lasts 24 months.") + section(
		"Delivery", "The Silver Birch washing machine is delivered within 5 days.") + section(
		"Discounts", "Students get 10 percent off the Silver Birch washing machine.")}})
	require.Equal(t, 4, x.Len())
	for question, want := range map[string]string{
		"how long is the warranty on the Silver Birch washing machine": "24 months",
		"how much is the Silver Birch washing machine":                 "400 euros",
		"waranty of the silver brich washing machin":                   "24 months",
	} {
		hits := x.Search(question, 1, 0.5)
		require.NotEmpty(t, hits, question)
		require.Contains(t, hits[0].Text, want)
	}
	for _, question := range []string{"is the Silver Birch washing machine radioactive", "which astrologer recommends the Silver Birch washing machine"} {
		require.Empty(t, x.Search(question, 1, 0.4), question)
	}
}

// A word that stands nowhere may be a slip of one beside it.
func TestSlipsAreForgivenBesideAPassage(t *testing.T) {
	x := BuildWith(lexicon(), []Source{
		{ID: "a", Kind: FAQ, Question: "How much is the rain jacket?", Text: "The rain jacket costs 80 euros."},
		{ID: "b", Kind: FAQ, Question: "When is the parcel delivered?", Text: "It is delivered on Monday."},
	})
	for question, id := range map[string]string{
		"how muh is the raiin jacket":        "a",
		"when is the parcel delivverd":       "b",
		"wehn will the parcel be deliveredd": "b", //nolint:misspell // on purpose
	} {
		hits := x.Search(question, 1, 0.5)
		require.NotEmpty(t, hits, question)
		require.Equal(t, id, hits[0].ID, question)
	}
	require.Empty(t, x.Search("how much is the raccoon jacket", 1, 0.5), "a raccoon is no slip of rain")
}

// What a stem weighs is not up to the form of it that was read first, whose
// passage may be gone by now.
func TestTheFormThatCameFirstDoesNotMatter(t *testing.T) {
	lex := lexicon()
	light, form := "tell", "tellings"
	require.Equal(t, []float64{lexis.Light, lexis.Content}, []float64{lex.Weight(light), lex.Weight(form)})
	require.Equal(t, lex.Stem(light), lex.Stem(form))
	of := func(id, text string) Source { return Source{ID: id, Text: text} }
	first, then := of("a", "The harbour is "+form+" the boats."), of("b", "You "+light+" a berth for the boats of the harbour.")
	changed, _ := BuildWith(lex, []Source{first}).Change(func(int32) bool { return true }, []Source{then})
	anew := BuildWith(lex, []Source{then})
	q := "do I " + light + " a berth"
	require.Equal(t, texts(anew.Search(q, 6, 0)), texts(changed.Search(q, 6, 0)))
	n := changed.terms[lex.Stem(light)]
	require.Equal(t, lexis.Light, changed.weight[n])
}
