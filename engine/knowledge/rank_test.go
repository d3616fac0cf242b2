package knowledge

import (
	"os"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

type bench struct {
	FAQs  []struct{ ID, Question, Answer string }
	Texts []struct{ ID, Title, Text string }

	Questions    []struct{ Q, ID string }
	Unanswerable []string
}

func (b bench) sources() []Source {
	var out []Source
	for _, f := range b.FAQs {
		out = append(out, Source{ID: f.ID, Kind: FAQ, Question: f.Question, Text: f.Answer})
	}
	for _, t := range b.Texts {
		out = append(out, Source{ID: t.ID, Kind: Text, Title: t.Title, Text: t.Text})
	}
	return out
}

func load(t testing.TB, name string) bench {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".yaml")
	require.NoError(t, err)
	var b bench
	require.NoError(t, yaml.Unmarshal(raw, &b))
	return b
}

// The score separates: most questions find their passage first and above the
// line at which the built-in model answers, most others stay below it.
func TestScoresSeparate(t *testing.T) {
	const line = 0.42
	above, asked, below, strange := 0, 0, 0, 0
	for _, name := range []string{"hotel", "parcel"} {
		b := load(t, name)
		x := BuildWith(lexicon(), b.sources())
		for _, q := range b.Questions {
			hits := x.Search(q.Q, 3, 0)
			asked++
			if len(hits) > 0 && hits[0].ID == q.ID && hits[0].Score >= line {
				above++
				continue
			}
			for i, h := range hits {
				t.Logf("%-55s want %-10s %d %.2f %s", q.Q, q.ID, i, h.Score, h.ID)
			}
		}
		for _, q := range b.Unanswerable {
			hits := x.Search(q, 1, 0)
			strange++
			if len(hits) == 0 || hits[0].Score < line {
				below++
				continue
			}
			t.Logf("unanswerable: %-42s %.2f %s", q, hits[0].Score, hits[0].ID)
		}
	}
	t.Logf("right and above the line %d/%d, strange and below it %d/%d", above, asked, below, strange)
	require.GreaterOrEqual(t, above*100, 75*asked)
	require.GreaterOrEqual(t, below*100, 85*strange)
}
