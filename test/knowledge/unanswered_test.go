package knowledge_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

type question struct {
	ID, Question    string
	Sessions, Count int
	Agents          []string
}

func (p *place) unanswered() []question {
	p.t.Helper()
	var out []question
	for line := range strings.Lines(p.must("unanswered", "list", "--json")) {
		var q question
		require.NoError(p.t, json.Unmarshal([]byte(line), &q))
		out = append(out, q)
	}
	return out
}

func houseSave(t *testing.T, p *place, agent string) string {
	t.Helper()
	return house.Must(t, "--data", p.Data, "agent", "save", agent)
}

func TestAnUnansweredQuestionBecomesAQuestionWithItsAnswer(t *testing.T) {
	t.Parallel()
	p := serve(t, "", nil, "harbour.yaml")
	const asked = "Is there a laundry for sailors?"
	p.asks("Harbour")(asked)
	p.asks("Harbour")(asked)
	p.asks("Harbour")("Where can I buy diesel?")
	list := p.unanswered()
	require.Len(t, list, 2, "%+v", list)
	require.Equal(t, asked, list[0].Question, "what most people asked comes first")
	require.Equal(t, 2, list[0].Sessions)
	require.Equal(t, []string{"Harbour office"}, list[0].Agents)

	p.must("unanswered", "answer", list[0].ID, "The laundry stands behind the harbour office and is open day and night.")
	require.Contains(t, p.asks("Harbour")(asked), "behind the harbour office")
	p.must("unanswered", "dismiss", list[1].ID)
	require.Empty(t, p.unanswered())
	require.Contains(t, p.fails("unanswered", "dismiss", list[1].ID), "no such question")
	require.Contains(t, p.fails("unanswered", "answer", list[0].ID, "again"), "no such question")

	// The next answer goes into the same FAQ.
	p.asks("Harbour")("Do you rent bicycles to guests?")
	list = p.unanswered()
	require.Len(t, list, 1, "%+v", list)
	p.must("unanswered", "answer", list[0].ID, "Bicycles are rented for 12 euros a day.")
	require.Equal(t, 2, p.source("Answered questions", "Ready").Entries)

	// All of it holds after a restart.
	require.Equal(t, 0, p.Stop(t))
	p = serve(t, p.Data, nil, "harbour.yaml")
	require.Empty(t, p.unanswered())
	ask := p.asks("Harbour")
	require.Contains(t, ask(asked), "behind the harbour office")
	require.Contains(t, ask("Do you rent bicycles to guests?"), "12 euros")
}
