package knowledge

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/knowledge/lexis"
)

func TestChunk(t *testing.T) {
	sentence := "Word " + strings.Repeat("word ", 18) + "end."
	tests := map[string]struct {
		in   string
		want []int // words of each passage
	}{
		"nothing":                        {"", nil},
		"a short text stays whole":       {sentence, []int{20}},
		"sections are put together":      {"One\n" + sentence + "\nTwo\n" + sentence, []int{42}},
		"a long paragraph is cut":        {strings.Repeat(sentence+" ", 14), []int{120, 120, 40}},
		"paragraphs end a full passage":  {strings.Repeat(sentence+" ", 4) + "\n" + sentence, []int{80, 20}},
		"a heading comes again":          {"Head\n" + strings.Repeat(sentence+" ", 8), []int{101, 61}},
		"an endless sentence is cut":     {strings.Repeat("word ", 300) + "end.", []int{120, 120, 61}},
		"a section that fits is not cut": {strings.Repeat(sentence+" ", 3) + "\nTwo\n" + strings.Repeat(sentence+" ", 4), []int{60, 81}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []int
			for _, c := range Chunk(tt.in) {
				got = append(got, len(strings.Fields(c)))
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestALongTextIsCutAtItsLimit(t *testing.T) {
	words := 0
	for _, c := range Chunk(strings.Repeat("Ä b. ", MaxTextRunes)) {
		words += utf8.RuneCountInString(c)
	}
	assert.LessOrEqual(t, words, MaxTextRunes)
}

// No sentence of a text gets lost between passages, and none is said twice.
func TestChunksHoldTheWholeText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []string
		for i := range rapid.IntRange(0, 60).Draw(t, "sentences") {
			in = append(in, fmt.Sprintf("S%d %s.", i, strings.Repeat("w ", rapid.IntRange(0, 60).Draw(t, "words"))))
		}
		text := strings.Join(in, rapid.SampledFrom([]string{" ", "\n", "\n\n"}).Draw(t, "between"))
		all := strings.Join(Chunk(text), "\n") + " "
		for i := range in {
			if n := strings.Count(all, fmt.Sprintf("S%d ", i)); n != 1 {
				t.Fatalf("sentence %d occurs %d times", i, n)
			}
		}
	})
}

// lexicon is one for all tests: its tables take time to read.
var lexicon = sync.OnceValue(lexis.New)

func small() *Index {
	return BuildWith(lexicon(), []Source{
		{ID: "a", Kind: FAQ, Title: "Limits", Question: "How much baggage may I take?", Text: "Two bags of 20 kilograms each."},
		{ID: "b", Kind: FAQ, Question: "How can I reach you by telephone?", Text: "Call 0800 555 0101."},
		{ID: "c", Kind: Text, Title: "Tickets", Text: "A day ticket costs €8.\nChildren\nUnder six they travel free."},
	})
}

func TestSearch(t *testing.T) {
	x := small()
	tests := map[string]struct{ query, first string }{
		"the same words":             {"how much baggage may I take", "a"},
		"a misspelling":              {"how much bagage can i take", "a"},
		"another form":               {"bags allowed", "a"},
		"another word":               {"what is your phone number", "b"},
		"a price by its figure":      {"what is the price of a day ticket", "c"},
		"under a heading":            {"what do children pay", "c"},
		"nothing to search":          {"can you", ""},
		"no words":                   {"?!", ""},
		"strange words find nothing": {"quantum chromodynamics", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			hits := x.Search(tt.query, 3, 0.25)
			if tt.first == "" {
				assert.Empty(t, hits)
				return
			}
			require.NotEmpty(t, hits)
			assert.Equal(t, tt.first, hits[0].ID)
			assert.LessOrEqual(t, hits[0].Score, 1.0)
		})
	}
	assert.Equal(t, "faq:Limits", x.Search("baggage", 1, 0)[0].Source)
	assert.Empty(t, x.Search("baggage", 0, 0))
	assert.Empty(t, Build(nil).Search("baggage", 3, 0))
}

// An unknown word is the strongest sign that nothing answers.
func TestAnUnknownWordLowersTheScore(t *testing.T) {
	x := small()
	known := x.Search("how much baggage may I take", 1, 0)[0].Score
	unknown := x.Search("how much ammunition baggage may I take", 1, 0)[0].Score
	assert.Greater(t, known, 0.7)
	assert.Less(t, unknown, 0.7*known)
}

func TestAFollowUpIsFoundWithTheTurnBefore(t *testing.T) {
	x := small()
	q := Asked([]string{"what does a day ticket cost", "and for children?"}, "It costs €8.")
	hits := x.Find(q)
	require.NotEmpty(t, hits)
	assert.Equal(t, "c", hits[0].ID)
	assert.Equal(t, []Sentence{{Heading: "Children", Text: "Under six they travel free."}}, x.Pick(q, hits[0], 10))

	q = Asked([]string{"hello", "yes please"}, "Hello! May I tell you about baggage?")
	require.NotEmpty(t, x.Find(q))
	assert.Equal(t, "a", x.Find(q)[0].ID)

	stranger := Asked([]string{"how much baggage may I take", "do you sell ammunition and dynamite?"}, "")
	assert.Empty(t, x.Find(stranger), "what was talked about before answers nothing new")
}

func TestSearchIsDeterministic(t *testing.T) {
	b := load(t, "hotel")
	x, y := Build(b.sources()), Build(b.sources())
	for _, q := range b.Questions {
		assert.Equal(t, x.Search(q.Q, 6, 0), y.Search(q.Q, 6, 0))
	}
}

func TestScoresKeepTheirOrderAndBounds(t *testing.T) {
	b := load(t, "parcel")
	x := BuildWith(lexicon(), b.sources())
	vocabulary := strings.Fields("parcel how much is the delivery to a lost label insurance xylophone and 5 kilos sunday when where")
	rapid.Check(t, func(t *rapid.T) {
		q := strings.Join(rapid.SliceOfN(rapid.SampledFrom(vocabulary), 0, 40).Draw(t, "query"), " ")
		k := rapid.IntRange(-1, 10).Draw(t, "k")
		floor := rapid.Float64Range(0, 1).Draw(t, "min")
		hits := x.Search(q, k, floor)
		if len(hits) > max(k, 0) {
			t.Fatalf("%d hits for k %d", len(hits), k)
		}
		last := 1.0
		for _, h := range hits {
			if h.Score < floor || h.Score > last {
				t.Fatalf("score %v after %v, floor %v", h.Score, last, floor)
			}
			last = h.Score
			if len(x.Pick(Query{Text: q}, h, 20)) == 0 {
				t.Fatal("a hit has no sentence")
			}
		}
	})
}

func FuzzBuild(f *testing.F) {
	f.Add("Title", "Question?", "Text.\nHead\n- a\n- b", "query")
	f.Add("", "", "", "")
	f.Add("#", "##", "# \n#\n:\n", "# what about")
	f.Add("\xff", "\xc3", "a\x00b. C", "\xffhow much")
	f.Fuzz(func(t *testing.T, title, question, text, query string) {
		x := BuildWith(lexicon(), []Source{{Kind: FAQ, Question: question, Text: text}, {Kind: Text, Title: title, Text: text}, {Kind: Core, Text: title}})
		for _, h := range x.Find(Query{Text: query, Before: question, Familiar: title, K: 5}) {
			_ = x.Pick(Query{Text: query, Before: question}, h, 30)
		}
	})
}

// many makes an index of n passages of about a hundred words from a vocabulary
// of 20,000 with the skew of a language.
func many(n int) (*Index, []string) {
	rng := rand.New(rand.NewPCG(7, 7))
	zipf := rand.NewZipf(rng, 1.1, 4, 19_999)
	word := func() string {
		k := zipf.Uint64()
		return string([]byte{'a' + byte(k%26), 'a' + byte(k/26%26), 'e', 'a' + byte(k/676%26), 'r', 'a' + byte(k/17576%26)})
	}
	sources := make([]Source, n)
	for i := range sources {
		var b strings.Builder
		for j := range 100 {
			b.WriteString(word())
			b.WriteString([]string{" ", ". "}[(j+1)%10/9])
		}
		sources[i] = Source{ID: fmt.Sprint(i), Kind: FAQ, Question: word() + " " + word() + " " + word(), Text: b.String()}
	}
	queries := make([]string, 64)
	for i := range queries {
		queries[i] = "how much is the " + word() + " " + word() + " for my " + word() + " " + word()
	}
	return BuildWith(lexicon(), sources), queries
}

func BenchmarkSearch10k(b *testing.B) {
	x, queries := many(10_000)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		_ = x.Search(queries[i%len(queries)], 6, 0.25)
		i++
	}
}

func BenchmarkBuild(b *testing.B) {
	src := load(b, "hotel").sources()
	b.ReportAllocs()
	for b.Loop() {
		_ = BuildWith(lexicon(), src)
	}
}
