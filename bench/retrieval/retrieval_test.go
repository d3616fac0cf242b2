package retrieval

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
)

// The promises that do not depend on the machine, in a library small enough for
// a test: recall, and that what nothing answers is declined.
func TestPassagesAreFoundAndStrangeQuestionsDeclined(t *testing.T) {
	o := Options{Passages: 5_000, Rounds: 1}
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		o = Options{}
	}
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, r.Failed())
	var table, out bytes.Buffer
	require.NoError(t, r.Table(&table))
	t.Logf("figure: %s", &table)
	require.NoError(t, r.JSON(&out))
	var got struct {
		Metrics struct {
			Words    struct{ All float64 } `json:"recall_at_5_words"`
			Vectors  struct{ All float64 } `json:"recall_at_5_vectors"`
			Hybrid   struct{ All float64 } `json:"recall_at_5_hybrid"`
			Declined struct{ Unanswerable, Answerable float64 }
			HeldOut  struct{ All float64 }                      `json:"held_out_recall_at_5_hybrid"`
			HeldBack struct{ Unanswerable, Answerable float64 } `json:"held_out_declined"`
		}
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	m := got.Metrics
	t.Logf("figure: recall@5 of words %.3f, vectors %.3f, hybrid %.3f; declined %.2f of the unanswerable, %.3f of the answerable",
		m.Words.All, m.Vectors.All, m.Hybrid.All, m.Declined.Unanswerable, m.Declined.Answerable)
	t.Logf("figure: held out: recall@5 of hybrid %.3f; declined %.2f of the unanswerable, %.3f of the answerable",
		m.HeldOut.All, m.HeldBack.Unanswerable, m.HeldBack.Answerable)
	require.GreaterOrEqual(t, m.HeldOut.All, wantedRecall, "in a library that nothing was tuned on")
	require.GreaterOrEqual(t, m.HeldBack.Unanswerable, wantedDecline)
	require.GreaterOrEqual(t, m.Hybrid.All, wantedRecall)
	require.GreaterOrEqual(t, m.Hybrid.All, max(m.Words.All, m.Vectors.All))
	require.GreaterOrEqual(t, m.Declined.Unanswerable, wantedDecline)
	require.LessOrEqual(t, m.Declined.Answerable, 0.2, "a third of the questions have two words misspelled")
}

func TestTheSameSeedWritesTheSameLibrary(t *testing.T) {
	for name, v := range map[string]vocabulary{"tuned": tuned(), "held out": heldOut(), "another seed": Options{Seed: 7}.seeded(heldOut())} {
		t.Run(name, func(t *testing.T) {
			a, err := v.write(300, 60, 50)
			require.NoError(t, err)
			b, err := v.write(300, 60, 50)
			require.NoError(t, err)
			require.Equal(t, a, b)
			require.Equal(t, 300, a.passages)
			require.Len(t, a.unanswerable, 50)
			text := make(map[string]string)
			for _, s := range a.sources {
				text[s.ID] = s.Text
			}
			for _, p := range a.pairs {
				require.Equal(t, 1, strings.Count(text[p.source], p.answer), p.answer)
			}
			for _, q := range a.unanswerable {
				require.NotContains(t, q, "{")
			}
		})
	}
	one, err := heldOut().write(300, 60, 50)
	require.NoError(t, err)
	other, err := Options{Seed: 7}.seeded(heldOut()).write(300, 60, 50)
	require.NoError(t, err)
	require.NotEqual(t, one, other)
}

// What is held out shares no thing, no fact and no way to ask with what the
// search was tuned on.
func TestWhatIsHeldOutIsAnotherLibrary(t *testing.T) {
	phrases := func(v vocabulary) map[string]bool {
		var g grammar
		require.NoError(t, yaml.Unmarshal(v.file, &g))
		all := slices.Concat(g.Names.First, g.Names.Second, g.Places.First, g.People, g.Fillers, g.Strange, g.Beside, g.Unknown, g.StrangeNames)
		for _, d := range g.Domains {
			all = append(all, d.Kinds...)
		}
		for _, a := range g.Aspects {
			all = slices.Concat(all, []string{a.Head}, a.Says, a.Asks)
		}
		out := make(map[string]bool)
		for _, p := range all {
			out[strings.ToLower(p)] = true
		}
		return out
	}
	seen := phrases(tuned())
	for p := range phrases(heldOut()) {
		require.False(t, seen[p], p)
	}
}

func TestOptionsOutOfBoundsAreRefused(t *testing.T) {
	for _, o := range []Options{{Passages: -1}, {Pairs: -1}, {Unanswerable: -1}, {Rounds: -1}} {
		_, err := Run(t.Context(), o)
		require.ErrorIs(t, err, fault.Invalid)
	}
}
