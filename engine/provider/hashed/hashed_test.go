package hashed_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"flametree/engine/fault"
	"flametree/engine/provider/hashed"
	"flametree/engine/provider/providertest"
)

func embedder(t testing.TB, dim int) *hashed.Embedder {
	t.Helper()
	e, err := hashed.New(dim)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestContract(t *testing.T) { providertest.RunEmbedder(t, embedder(t, 0)) }

func alike(t *testing.T, e *hashed.Embedder, a, b string) float64 {
	t.Helper()
	v, err := e.Embed(t.Context(), []string{a, b})
	if err != nil {
		t.Fatal(err)
	}
	return providertest.Cosine(v[0], v[1])
}

// TestNearness shows what is near: typos, inflections, accents, capitals,
// other orders; and that it is nearer than what shares no word.
func TestNearness(t *testing.T) {
	e := embedder(t, 0)
	for name, x := range map[string]struct {
		a, b string
		min  float64
	}{
		"a typo":              {"spending limit", "spendng limit", 0.7},
		"letters exchanged":   {"delivery address", "delivrey address", 0.55},
		"an inflection":       {"block my card", "blocking my cards", 0.5},
		"accents":             {"café résumé", "cafe resume", 0.999},
		"capitals and points": {"Hello, World!", "hello world", 0.999},
		"ligatures":           {"ﬁnance office", "finance office", 0.999},
		"another order":       {"opening hours of the branch", "the branch opening hours", 0.85},
		"cyrillic inflection": {"заблокировать карту", "заблокировали карты", 0.45},
		"a question":          {"What is the daily spending limit of my card?", "The daily spending limit of a card is five thousand dollars.", 0.5},
	} {
		near, far := alike(t, e, x.a, x.b), alike(t, e, x.a, "Yesterday trains were running late")
		if near < x.min || math.Abs(far) > 0.2 {
			t.Errorf("%s: %.2f, and to a stranger %.2f", name, near, far)
		}
	}
	if s := alike(t, e, "", "!?"); s < 0.999 {
		t.Errorf("two texts without words are %v alike", s)
	}
}

// TestEqualOnEveryMachine pins the space, because stored vectors live in it.
func TestEqualOnEveryMachine(t *testing.T) {
	v, err := embedder(t, 64).Embed(t.Context(), []string{"The daily spending limit is 5,000 dollars – señor."})
	if err != nil {
		t.Fatal(err)
	}
	h := fnv.New64a()
	for _, x := range v[0] {
		_, _ = fmt.Fprintf(h, "%.3f ", x)
	}
	if got := fmt.Sprintf("%s %x", hashed.Version, h.Sum64()); got != "hashed-1 241dcd58074b7536" {
		t.Errorf("the space is now %s: change Version", got)
	}
}

func TestDimensionIsChecked(t *testing.T) {
	for _, d := range []int{-1, 1, 1 << 20} {
		if _, err := hashed.New(d); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%d: %v", d, err)
		}
	}
}

// passages are made of words that overlap, as the passages of one business do.
func passages(n int, r *rand.Rand) (questions, texts []string) {
	parts := []string{"card", "limit", "transfer", "account", "balance", "delivery", "address", "payment", "refund", "branch", "opening", "password", "reset", "insurance", "travel", "currency", "exchange", "statement", "signature", "mortgage", "interest", "deposit", "withdraw", "fee", "charge", "block", "replace", "lost", "stolen", "mobile", "application", "notification", "contract", "cancel", "subscription", "invoice", "receipt", "guarantee", "complaint", "appointment", "document", "passport", "identity", "verify", "activate", "renew", "expire", "student", "business", "family"}
	fill := strings.Fields("the customer may always please contact our service within two working days by telephone or in person and then it will be handled without any further cost unless otherwise agreed in writing beforehand")
	for range n {
		p := r.Perm(len(parts))
		topic := []string{parts[p[0]], parts[p[1]], parts[p[2]]}
		var text []string
		for i := range 60 {
			switch {
			case i%12 < 3:
				text = append(text, topic[i%12])
			case i%12 == 7:
				text = append(text, parts[p[3+i/12]])
			default:
				text = append(text, fill[r.IntN(len(fill))])
			}
		}
		texts = append(texts, strings.Join(text, " "))
		questions = append(questions, "how do i "+damage(topic[0], r)+" the "+topic[1]+"s for my "+damage(topic[2], r))
	}
	return questions, texts
}

// damage drops, doubles or exchanges a letter.
func damage(w string, r *rand.Rand) string {
	i := 1 + r.IntN(len(w)-2)
	switch r.IntN(3) {
	case 0:
		return w[:i] + w[i+1:]
	case 1:
		return w[:i] + w[i:i+1] + w[i:]
	}
	return w[:i] + w[i+1:i+2] + w[i:i+1] + w[i+2:]
}

// TestPassagesAreFound measures recall of damaged questions at each dimension.
func TestPassagesAreFound(t *testing.T) {
	n, all, dims := 100, 1000, []int{hashed.DefaultDim}
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		n, all, dims = 200, 2000, []int{128, hashed.DefaultDim, 512}
	}
	questions, texts := passages(all, rand.New(rand.NewPCG(7, 7)))
	for _, dim := range dims {
		e := embedder(t, dim)
		q, err := e.Embed(t.Context(), questions[:n])
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.Embed(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for i := range q {
			better, own := 0, providertest.Cosine(q[i], p[i])
			for j := range p {
				if providertest.Cosine(q[i], p[j]) > own {
					better++
				}
			}
			if better < 5 {
				found++
			}
		}
		t.Logf("figure: %d numbers: recall@5 %.3f of %d damaged questions over %d passages", dim, float64(found)/float64(n), n, all)
		if dim == hashed.DefaultDim && float64(found)/float64(n) < 0.85 {
			t.Errorf("recall@5 is %.3f", float64(found)/float64(n))
		}
	}
}

func FuzzEmbed(f *testing.F) {
	for _, s := range []string{"", "a", "\xff", "日本語", strings.Repeat("x", 300), "a\u0301\u0301"} {
		f.Add(s)
	}
	e := embedder(f, 64)
	f.Fuzz(func(t *testing.T, s string) {
		v, err := e.Embed(t.Context(), []string{s, s})
		if err != nil {
			t.Fatal(err)
		}
		if n := providertest.Cosine(v[0], v[1]); math.Abs(n-1) > 1e-3 || math.IsNaN(n) {
			t.Errorf("%q (UTF-8: %v): %v", s, utf8.ValidString(s), n)
		}
	})
}

func BenchmarkHundredWords(b *testing.B) {
	_, texts := passages(10, rand.New(rand.NewPCG(1, 1)))
	text := strings.Join(strings.Fields(strings.Join(texts, " "))[:100], " ")
	e := embedder(b, 0)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = e.Embed(b.Context(), []string{text})
	}
}
