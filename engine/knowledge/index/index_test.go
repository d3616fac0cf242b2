package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/knowledge/lexis"
)

var lexicon = sync.OnceValue(lexis.New)

var letters = grams{dim: 256}

func searching() *Index {
	return New(Options{Lexicon: lexicon(), Local: letters})
}

func faq(id, question, answer string) knowledge.Source {
	return knowledge.Source{ID: id, Kind: knowledge.FAQ, Question: question, Text: answer}
}

func fill(t testing.TB, source string, of ...knowledge.Source) *Shelf {
	t.Helper()
	s, err := Fill(t.Context(), letters, Label{Source: source, Revision: 1, Model: "grams"}, of, nil)
	require.NoError(t, err)
	return s
}

func house(t testing.TB) *Shelf {
	return fill(t, "house",
		faq("bags", "How much baggage may I take?", "Two bags of 20 kilograms each."),
		faq("phone", "How can I reach you by telephone?", "Call 0800 555 0101."),
		knowledge.Source{ID: "tickets", Kind: knowledge.Text, Title: "Tickets", Text: "A day ticket costs €8.\nChildren\nUnder six they travel free."})
}

func ask(text string) knowledge.Query {
	return knowledge.Query{Text: text, K: 3, Min: knowledge.DefaultMin}
}

func ids(hits []knowledge.Hit) []string {
	var out []string
	for _, h := range hits {
		out = append(out, h.ID)
	}
	return out
}

func TestShelvesComeChangeAndGo(t *testing.T) {
	x := searching()
	require.Empty(t, x.Find(ask("how much baggage may I take")))
	require.NoError(t, x.Change(nil, house(t)))
	require.Equal(t, 3, x.Len())
	require.Equal(t, []string{"bags"}, ids(x.Find(ask("how much bagage may i take")))[:1])

	pool := fill(t, "pool", faq("pool", "When does the pool open?", "At 7 a.m."))
	require.NoError(t, x.Change(nil, pool))
	require.Equal(t, []string{"pool"}, ids(x.Find(ask("when does the pool open"))))
	require.Len(t, x.Shelves(), 2)

	require.NoError(t, x.Change(nil, fill(t, "pool", faq("pool", "When does the sauna open?", "At 9 a.m."))))
	require.Contains(t, x.Find(ask("when does the sauna open"))[0].Text, "9 a.m.")
	require.Empty(t, x.Find(ask("where is the pool")), "what was there before is gone")

	require.NoError(t, x.Change([]string{"house", "nobody"}))
	require.Empty(t, x.Find(ask("how much baggage may I take")))
	require.Equal(t, 1, x.Len())
	require.NoError(t, x.Change([]string{"pool"}))
	require.Zero(t, x.Len())
	require.Empty(t, x.Find(ask("when does the sauna open")))
}

// However it came about, an index of the same shelves in the same order finds
// the same.
func TestAnyChangesFindWhatANewIndexFinds(t *testing.T) {
	things := strings.Fields("pool sauna parking breakfast laundry bicycle shuttle luggage garden elevator")
	rapid.Check(t, func(r *rapid.T) {
		x := searching()
		var have []*Shelf
		for range rapid.IntRange(1, 8).Draw(r, "changes") {
			thing := rapid.SampledFrom(things).Draw(r, "thing")
			keep := have[:0:0]
			for _, s := range have {
				if s.Label().Source != thing {
					keep = append(keep, s)
				}
			}
			have = keep
			if rapid.Bool().Draw(r, "gone") {
				require.NoError(t, x.Change([]string{thing}))
				continue
			}
			s := fill(t, thing, faq(thing, "How much is the "+thing+"?", fmt.Sprintf("It costs %d euros.", rapid.IntRange(1, 9).Draw(r, "price"))))
			have = append(have, s)
			require.NoError(t, x.Change(nil, s))
		}
		y := searching()
		require.NoError(t, y.Change(nil, have...))
		require.Equal(t, y.Len(), x.Len())
		q := ask("what does the " + rapid.SampledFrom(things).Draw(r, "asked") + " cost")
		a, b := x.Find(q), y.Find(q)
		require.Equal(t, ids(b), ids(a))
		for i := range a {
			require.InDelta(t, b[i].Score, a[i].Score, 0.03, "sketches keep an older centre")
		}
	})
}

// Searches run while the library changes, and each sees one state of it.
func TestSearchesDoNotWaitForChanges(t *testing.T) {
	x := searching()
	version := func(n int) *Shelf {
		return fill(t, "price", faq("a", "What does the pool cost?", fmt.Sprintf("Price %d.", n)), faq("b", "What does the sauna cost?", fmt.Sprintf("Price %d.", n)))
	}
	require.NoError(t, x.Change(nil, version(0)))
	done := make(chan struct{})
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for {
				hits := x.Find(knowledge.Query{Text: "what does the pool or the sauna cost", K: 2})
				if len(hits) != 2 || hits[0].Text != hits[1].Text {
					t.Errorf("a search saw half of a change: %v", hits)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for n := range 60 {
		require.NoError(t, x.Change(nil, version(n)))
	}
	close(done)
	work.Wait()
}

// meaning knows what two words mean and nothing else.
type meaning struct{ grams }

func (m meaning) EmbedOne(text string) []float32 {
	v := make([]float32, m.dim)
	for i, group := range []string{"automobile car vehicle", "feline cat kitten", "invoice bill"} {
		for w := range strings.FieldsSeq(group) {
			if strings.Contains(strings.ToLower(text), w) {
				v[i] += 1
			}
		}
	}
	v[3] = 0.2
	return v
}

func (m meaning) Embed(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = m.EmbedOne(t)
	}
	return out, nil
}

// Vectors that are trusted find what no word finds; others do not answer alone.
func TestATrustedLikenessAnswersAlone(t *testing.T) {
	m := meaning{grams{dim: 16}}
	sources := []knowledge.Source{faq("cat", "Who feeds the kitten?", "The neighbour does.")}
	for i := range 30 {
		sources = append(sources, faq(fmt.Sprint(i), fmt.Sprintf("What is in drawer %d?", i), "Spare invoice paper."))
	}
	for trust, want := range map[float64][]string{0: nil, 0.6: {"cat"}} {
		x := New(Options{Lexicon: lexicon(), Trust: trust})
		s, err := Fill(t.Context(), m, Label{Source: "s", Model: "m"}, sources, nil)
		require.NoError(t, err)
		require.NoError(t, x.Change(nil, s))
		got := x.FindNear(ask("feline nutrition"), m.EmbedOne("feline nutrition"))
		require.Equal(t, want, ids(got), trust)
		require.Equal(t, "cat", x.Nearest(m.EmbedOne("feline"), 1)[0].ID)
		require.Empty(t, x.FindNear(ask("feline nutrition"), nil))
		require.Empty(t, x.FindNear(ask("feline nutrition"), []float32{1}), "a vector of another space says nothing")
	}
}

// A follow-up is embedded with what it leans on.
func TestAFollowUpIsFoundWithTheTurnBefore(t *testing.T) {
	x := searching()
	require.NoError(t, x.Change(nil, house(t)))
	q := knowledge.Asked([]string{"what does a day ticket cost", "and for children?"}, "It costs €8.")
	require.Equal(t, "what does a day ticket cost\nand for children?", x.Text(q))
	require.Equal(t, "do you sell bread", x.Text(knowledge.Query{Text: "do you sell bread", Before: "hello"}))
	require.Equal(t, []string{"tickets"}, ids(x.Find(q))[:1])
}

func TestVectorsOfTwoModelsDoNotMeet(t *testing.T) {
	x := searching()
	require.NoError(t, x.Change(nil, house(t)))
	other, err := Fill(t.Context(), grams{dim: 256}, Label{Source: "other", Model: "new"}, []knowledge.Source{faq("o", "Any other question?", "Yes.")}, nil)
	require.NoError(t, err)
	require.ErrorIs(t, x.Change(nil, other), fault.Conflict)
	require.Equal(t, 3, x.Len(), "nothing has changed")
	plain, err := Fill(t.Context(), nil, Label{Source: "plain", Model: "no matter"}, []knowledge.Source{faq("p", "When does the pool open?", "At 7 a.m.")}, nil)
	require.NoError(t, err)
	require.NoError(t, x.Change(nil, plain), "a shelf without vectors goes with all")
	require.Equal(t, []string{"p"}, ids(x.Find(ask("when does the pool open"))))
	require.NoError(t, x.Change([]string{"house"}, other), "all at once is no conflict")
	require.Equal(t, 2, x.Len())
}

// counting counts the texts it embeds, and fails when it is told to.
type counting struct {
	grams
	n    int
	fail error
	bad  []float32
}

func (c *counting) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	c.n += len(texts)
	out, err := c.grams.Embed(ctx, texts)
	if c.bad != nil {
		out[len(out)-1] = c.bad
	}
	return out, errors.Join(err, c.fail)
}

func TestOnlyNewPassagesAreEmbedded(t *testing.T) {
	e := &counting{grams: letters}
	var sources []knowledge.Source
	for i := range 200 {
		sources = append(sources, faq(fmt.Sprint(i), fmt.Sprintf("Question %d?", i), "Answer."))
	}
	first, err := Fill(t.Context(), e, Label{Source: "s", Model: "m"}, sources, nil)
	require.NoError(t, err)
	require.Equal(t, 200, e.n)
	changed := append([]knowledge.Source{faq("new", "New?", "Yes.")}, sources[1:]...)
	second, err := Fill(t.Context(), e, Label{Source: "s", Revision: 2, Model: "m"}, changed, first)
	require.NoError(t, err)
	require.Equal(t, 201, e.n)
	anew, err := Fill(t.Context(), e, Label{Source: "s", Revision: 2, Model: "m"}, changed, nil)
	require.NoError(t, err)
	require.Equal(t, anew.Encode(), second.Encode())
	e.n = 0
	_, err = Fill(t.Context(), e, Label{Source: "s", Model: "another"}, sources, first)
	require.NoError(t, err)
	require.Equal(t, 200, e.n, "vectors of another model are of no use")
}

func TestEmbeddersThatFail(t *testing.T) {
	nan := make([]float32, 256)
	nan[3] = float32(rand.NewZipf(rand.New(rand.NewPCG(1, 1)), 2, 1, 1).Uint64())
	nan[4] /= nan[5]
	sources := []knowledge.Source{faq("a", "A?", "A."), faq("b", "B?", "B.")}
	for name, tt := range map[string]struct {
		e    *counting
		want fault.Kind
	}{
		"an error keeps its kind":  {&counting{grams: letters, fail: fault.Exhausted}, fault.Exhausted},
		"a vector of another size": {&counting{grams: letters, bad: []float32{1}}, fault.Bug},
		"a vector without length":  {&counting{grams: letters, bad: make([]float32, 256)}, fault.Bug},
		"a vector of no numbers":   {&counting{grams: letters, bad: nan}, fault.Bug},
		"no dimensions":            {&counting{grams: grams{dim: 0}}, fault.Invalid},
	} {
		_, err := Fill(t.Context(), tt.e, Label{Source: "s", Model: "m"}, sources, nil)
		require.ErrorIs(t, err, tt.want, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Fill(ctx, letters, Label{Source: "s", Model: "m"}, sources, nil)
	require.ErrorIs(t, err, fault.Cancelled)
	_, err = Fill(t.Context(), letters, Label{Source: "s"}, sources, nil)
	require.ErrorIs(t, err, fault.Invalid, "vectors without a model's name can be compared with none")
}

func TestScoresKeepTheirOrderAndBounds(t *testing.T) {
	x := New(Options{Lexicon: lexicon(), Local: letters, Trust: 0.5})
	require.NoError(t, x.Change(nil, house(t)))
	vocabulary := strings.Fields("bags baggage bagage telephone ticket children cost how much xylophone free 20 you")
	rapid.Check(t, func(r *rapid.T) {
		q := knowledge.Query{
			Text: strings.Join(rapid.SliceOfN(rapid.SampledFrom(vocabulary), 0, 12).Draw(r, "query"), " "),
			K:    rapid.IntRange(-1, 5).Draw(r, "k"), Min: rapid.Float64Range(0, 1).Draw(r, "min"),
		}
		hits := x.Find(q)
		last := 1.0
		for _, h := range hits {
			if h.Score < q.Min || h.Score > last {
				r.Fatalf("score %v after %v, floor %v", h.Score, last, q.Min)
			}
			last = h.Score
		}
		if len(hits) > max(q.K, 0) {
			r.Fatalf("%d hits for %d", len(hits), q.K)
		}
		require.Equal(t, hits, x.Find(q))
	})
}

// However shelves come and go, each passage keeps the vector of its own words.
func TestEachPassageKeepsItsVector(t *testing.T) {
	x := searching()
	text := func(thing string) string { return "Where is the " + thing + "?\nBehind the " + thing + " door." }
	things := strings.FieldsSeq("pool sauna parking breakfast laundry bicycle shuttle luggage garden elevator")
	for thing := range things {
		require.NoError(t, x.Change(nil, fill(t, thing, faq(thing, "Where is the "+thing+"?", "Behind the "+thing+" door."))))
	}
	require.NoError(t, x.Change([]string{"pool", "shuttle"}))
	require.NoError(t, x.Change([]string{"garden"}, fill(t, "sauna", faq("sauna", "Where is the sauna?", "Behind the sauna door."))))
	for thing := range strings.FieldsSeq("sauna parking breakfast laundry bicycle luggage elevator") {
		hits := x.Nearest(letters.EmbedOne(text(thing)), 1)
		require.Equal(t, []string{thing}, ids(hits))
		require.Greater(t, hits[0].Score, 0.99)
	}
}
