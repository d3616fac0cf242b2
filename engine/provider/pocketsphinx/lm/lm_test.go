package lm

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/provider"
)

func bank() provider.Hints {
	return provider.Hints{
		Key: "bank/1",
		Texts: []string{
			"The premium debit card has a daily spending limit of $5,000. You can block your card in the mobile app.",
			"How do I change my PIN? Go to any ATM.",
		},
		Fields: []provider.Field{{Name: "topic", Description: "What the caller wants", Options: []string{"lost card", "travel plans"}}},
	}
}

func arpa(t testing.TB, m *Model) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, m.WriteARPA(&b))
	return b.String()
}

// tiny writes a trie of general English with four words, in the layout of
// sphinxbase: <s>, </s>, "my", "card"; one bigram "my card".
func tiny() []byte {
	words := []string{"<s>", "</s>", "my", "card"}
	log := func(p float64) uint32 { return math.Float32bits(float32(math.Log(p) / math.Log(logBase))) }
	var b bytes.Buffer
	put := func(v ...uint32) {
		for _, x := range v {
			_ = binary.Write(&b, binary.LittleEndian, x)
		}
	}
	b.WriteString(trieHeader + "\x03")
	put(uint32(len(words)), 1, 1, 1)
	table := make([]byte, tableLen)
	for range 3 {
		binary.LittleEndian.PutUint32(table, log(0.5))
		b.Write(table)
	}
	for i, p := range []float64{1e-9, 0.4, 0.3, 0.3} {
		next := uint32(0)
		put(log(p), log(0.8), next)
		_ = i
	}
	put(0, 0, 1) // the end of the last list
	w := uint64(bits.Len32(4))
	record := make([]byte, ((1+1)*(w+32+1)+7)/8+8)
	record[0] = 2 // "my", before "card"
	end := (w+32+1)*2 - 1
	record[end/8] |= 1 << (end % 8)
	b.Write(record)
	b.Write(make([]byte, (2*(w+16)+7)/8+8))
	put(0)
	for _, s := range words {
		b.WriteString(s + "\x00")
	}
	return b.Bytes()
}

func TestTheBackgroundIsReadAsItWasWritten(t *testing.T) {
	tr, err := ReadTrie(tiny())
	require.NoError(t, err)
	require.Equal(t, []string{"<s>", "</s>", "my", "card"}, tr.words)
	require.InDelta(t, 0.3, math.Exp(tr.unigram(2)), 1e-3)
	require.InDelta(t, 0.5, math.Exp(tr.logBigram(2, 3)), 1e-3, "listed")
	require.InDelta(t, 0.8*0.3, math.Exp(tr.logBigram(3, 2)), 1e-3, "backed off")
	require.Equal(t, []string{"my", "card"}, tr.frequent(2))
}

func FuzzReadTrie(f *testing.F) {
	good := tiny()
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add(good[:40])
	f.Add([]byte(trieHeader + "\x03\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, err := ReadTrie(b)
		if err != nil {
			return
		}
		v := newVocabulary()
		v.id("my")
		v.id("card")
		newBackground(tr, v)
	})
}

// TestProbabilitiesAddUp sums over all words after histories of each kind.
func TestProbabilitiesAddUp(t *testing.T) {
	m := NewGeneral(Options{}).Build(bank())
	sum := func(p func(c uint32) float64) (s float64) {
		for c := uint32(end); c < uint32(len(m.prob)); c++ {
			s += p(c)
		}
		return s
	}
	require.InDelta(t, 1, sum(func(c uint32) float64 { return m.prob[c] }), 1e-6)
	for _, w := range []string{"<s>", "card", "my", "debit", "thank", "smith"} {
		require.InDelta(t, 1, sum(func(c uint32) float64 { return m.conditional(m.vocab.ids[w], c) }), 0.02, w)
	}
	for _, h := range [][2]string{{"<s>", "how"}, {"my", "card"}, {"smith", "card"}} {
		a, b := m.vocab.ids[h[0]], m.vocab.ids[h[1]]
		require.InDelta(t, 1, sum(func(c uint32) float64 { return m.full(a, b, c) }), 0.02, h)
	}
}

func TestTheSameHintsGiveTheSameBytes(t *testing.T) {
	g := NewGeneral(Options{})
	require.Equal(t, arpa(t, g.Build(bank())), arpa(t, NewGeneral(Options{}).Build(bank())))
	require.NotEqual(t, arpa(t, g.Build(bank())), arpa(t, g.Build(provider.Hints{})))
}

func TestTheARPAIsWellFormed(t *testing.T) {
	m := NewGeneral(Options{}).Build(bank())
	text := arpa(t, m)
	words, bi, tri := m.Size()
	require.Equal(t, len(m.Words()), words)
	var n [4]int
	section := 0
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		switch {
		case strings.HasPrefix(l, `\`) && strings.HasSuffix(l, "-grams:"):
			section = int(l[1] - '0')
		case l == "" || section == 0 || l == `\end\`:
		default:
			n[section]++
			f := strings.Fields(l)
			want := section + 2
			if section == 3 {
				want = 4
			}
			require.Len(t, f, want, l)
		}
	}
	require.Equal(t, [4]int{0, words + 2, bi, tri}, n)
	require.True(t, strings.HasSuffix(text, "\\end\\\n"))
}

func TestTheVocabularyHoldsWhatTheAgentAndCallersSay(t *testing.T) {
	known := func(w string) bool { return slices.Contains([]string{"blocking", "blocked", "limits", "spend"}, w) }
	m := NewGeneral(Options{Known: known}).Build(bank())
	have := make(map[string]bool)
	for _, w := range m.Words() {
		have[w] = true
	}
	for name, words := range map[string]string{
		"the agent's words":          "premium debit daily spending limit thousand pin atm mobile",
		"the options of its results": "lost travel plans",
		"other forms of them":        "blocking blocked limits",
		"what everybody says":        "hello goodbye thanks repeat yes no please operator",
		"digits and amounts":         "zero oh nine twenty hundred dollars percent double",
		"days and times":             "monday february fifteenth o'clock noon tomorrow",
		"people":                     "jennifer anderson smith",
		"addresses":                  "at dot com underscore gmail",
		"letters":                    "a b q z",
	} {
		for w := range strings.FieldsSeq(words) {
			require.True(t, have[w], "%s: %q", name, w)
		}
	}
	require.True(t, m.Acronym("pin"))
	require.False(t, m.Acronym("card"))
}

func TestAnAgentsPhrasesAreLikelierThanOthers(t *testing.T) {
	g := NewGeneral(Options{})
	score := func(m *Model, s string) float64 {
		a, b, p := uint32(none), uint32(start), 0.0
		for w := range strings.FieldsSeq(s) {
			c, ok := m.vocab.ids[w]
			require.True(t, ok, w)
			if a == none {
				p += math.Log(m.conditional(b, c))
			} else {
				p += math.Log(m.full(a, b, c))
			}
			a, b = b, c
		}
		return p
	}
	with := g.Build(bank())
	require.Greater(t, score(with, "how do i block my card"), score(with, "how do i card my block"))
	require.Greater(t, score(with, "what is the daily spending limit"), score(with, "what is the spending daily limit"))
}

func TestContains(t *testing.T) {
	for s, want := range map[string]bool{
		"how do i change my pin":              true,
		"thank you very much":                 true,
		"you can block your card":             false,
		"what happens if i block my card":     true,
		"the purple elephant sings at night":  false,
		"my wallet was eaten by the neighbor": false,
	} {
		require.Equal(t, want, Contains(bank(), s), s)
	}
}

// TestPatternsCountWhatTheyWriteOut compares the lattice with the sentences.
func TestPatternsCountWhatTheyWriteOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"a", "b", "c", "a b", ""})
		var p strings.Builder
		for range rapid.IntRange(1, 3).Draw(t, "slots") {
			p.WriteString("(" + strings.Join(rapid.SliceOfN(word, 1, 3).Draw(t, "choices"), "|") + ") ")
		}
		pattern := strings.TrimSpace(p.String())
		fast := &counter{vocab: newVocabulary()}
		slots, n := parsePattern(fast.vocab, pattern)
		fast.pattern(slots, n)
		slow := &counter{vocab: fast.vocab}
		for _, s := range expandNested(pattern) {
			ids := fast.vocab.sentence(s)
			slow.sentences([][]uint32{ids}, float64(len(ids)+1))
		}
		x, y := merge(fast.events), merge(slow.events)
		if len(x) != len(y) {
			t.Fatalf("%s: %d and %d events", pattern, len(x), len(y))
		}
		for i := range x {
			if x[i].gram != y[i].gram || math.Abs(x[i].weight-y[i].weight) > 1e-9 {
				t.Fatalf("%s: event %d: %v and %v", pattern, i, x[i], y[i])
			}
		}
	})
}

// TestFramesCountWhatTheyWriteOut does the same for frames with a hole.
func TestFramesCountWhatTheyWriteOut(t *testing.T) {
	const frames = "how (is|are) the {n}\n{n} please\nmy {n}\n(can|may) i {n} it now"
	phrases := []string{"card", "debit card", "daily spending limit"}
	fast := &counter{vocab: newVocabulary()}
	x := newFrameSet(fast.vocab, frames, "{n}")
	all := framed(frames, "{n}", phrases)
	tokens := 0
	slow := &counter{vocab: fast.vocab}
	for _, s := range all {
		ids := fast.vocab.sentence(s)
		tokens += len(ids) + 1
		slow.sentences([][]uint32{ids}, float64(len(ids)+1))
	}
	fast.framed(x, phrases, float64(tokens))
	a, b := merge(fast.events), merge(slow.events)
	require.Equal(t, len(b), len(a))
	for i := range b {
		require.Equal(t, b[i].gram, a[i].gram)
		require.InDelta(t, b[i].weight, a[i].weight, 1e-6)
	}
}

func FuzzBuild(f *testing.F) {
	for _, s := range []string{"Block your card.", "$5", "", "<s> </s>", "é ü 日本", "a'b'c '' '", strings.Repeat("to ", 100), "\x00\xff", "(a|b) {n}"} {
		f.Add(s)
	}
	g := NewGeneral(Options{})
	f.Fuzz(func(t *testing.T, s string) {
		m := g.Build(provider.Hints{Texts: []string{s}})
		for _, w := range m.Words() {
			if w == "" || strings.ContainsAny(w, " \t\n\\<>") {
				t.Fatalf("%q made the word %q", s, w)
			}
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	g := NewGeneral(Options{})
	h := bank()
	b.ReportAllocs()
	for b.Loop() {
		g.Build(h)
	}
}
