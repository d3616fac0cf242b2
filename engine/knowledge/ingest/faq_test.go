package ingest_test

import (
	"bytes"
	"context"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/ingest/parse"
	"flametree/engine/provider"
)

func doc(sections ...ingest.Section) ingest.Document { return ingest.Document{Sections: sections} }

func TestQuestionsInManyForms(t *testing.T) {
	one := []ingest.QA{{Question: "How do I close my account?", Answer: "Write to us."}}
	two := append(one, ingest.QA{Question: "Is there a fee?", Answer: "No, closing is free.\nReally."})
	for name, c := range map[string]struct {
		doc  ingest.Document
		want []ingest.QA
	}{
		"headings that ask": {doc(
			ingest.Section{Heading: "About", Text: "Nothing is asked here."},
			ingest.Section{Heading: "1. How do I close my account?", Text: "Write to us."},
			ingest.Section{Heading: "Is there a fee?", Text: "No, closing is free.\n\nReally."},
		), two},
		"labels":                                  {doc(ingest.Section{Text: "Q: How do I close my account?\nA: Write to us.\n\nQ: Is there a fee?\nA: No, closing is free.\nReally."}), two},
		"labels in Russian":                       {doc(ingest.Section{Text: "Вопрос: Есть ли комиссия?\nОтвет: Нет."}), []ingest.QA{{Question: "Есть ли комиссия?", Answer: "Нет."}}},
		"lines that end with a question mark":     {doc(ingest.Section{Text: "Help\n\nHow do I close my account?\nWrite to us.\n\nIs there a fee?\nNo, closing is free.\nReally."}), two},
		"a question inside an answer":             {doc(ingest.Section{Text: "How do I close my account?\nWrite to us.\nWhat else?\n"}), []ingest.QA{{Question: "How do I close my account?", Answer: "Write to us.\nWhat else?"}}},
		"a table with headings":                   {doc(ingest.Section{Text: "Question | Answer\nClosing an account | Write to us.\nFees | None."}), []ingest.QA{{Question: "Closing an account", Answer: "Write to us."}, {Question: "Fees", Answer: "None."}}},
		"a table of questions":                    {doc(ingest.Section{Text: "How do I close my account? | Write to us."}), one},
		"a table of three columns":                {doc(ingest.Section{Text: "SEPA | free | one day\nSWIFT | 25 | three days"}), nil},
		"rows of a table file":                    {doc(ingest.Section{Heading: "Sheet1", Text: "Question: How do I close my account?\nAnswer: Write to us.\n\nQuestion: Fees\nAnswer: None."}), append(one[:1:1], ingest.QA{Question: "Fees", Answer: "None."})},
		"rows under other headings":               {doc(ingest.Section{Text: "Topic: How do I close my account?\nReply: Write to us."}), one},
		"rows that ask nothing":                   {doc(ingest.Section{Text: "Name: Cup\nPrice: 5\n\nName: Plate\nPrice: 6"}), nil},
		"the same question twice":                 {doc(ingest.Section{Heading: "How do I close my account?", Text: "Write to us."}, ingest.Section{Heading: "x"}, ingest.Section{Heading: "How do I close my account?", Text: "Call."}), one},
		"an answer that goes on in the next page": {doc(ingest.Section{Text: "Is there a fee?\nNo, closing is free.", Page: 1}, ingest.Section{Text: "Really.", Page: 2}), two[1:]},
		"a question without an answer":            {doc(ingest.Section{Heading: "Why?"}, ingest.Section{Heading: "Other", Text: "x"}), nil},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, ingest.FAQs(c.doc)) })
	}
}

func TestQuestionsOutOfFiles(t *testing.T) {
	want := []ingest.QA{
		{Question: "How do I close my account?", Answer: "Write to us or come to a branch. The account is closed within ten days."},
		{Question: "Is there a fee for closing it?", Answer: "No, closing is free."},
	}
	for _, name := range []string{"tariffs.md", "pandoc.docx", "libreoffice.docx", "pandoc.html", "libreoffice.pdf", "chromium.pdf"} {
		d, err := ingest.Parse(t.Context(), options(t), bytes.NewReader(fixture(t, name)), name)
		require.NoError(t, err)
		require.Equal(t, want, ingest.FAQs(d), name)
	}
	d, err := ingest.Parse(t.Context(), options(t), strings.NewReader("Вопрос;Ответ\nЕсть ли доставка?;Да, за 300 рублей.\nГде склад?;\"Улица Мира, 5\"\n"), "faq.csv")
	require.NoError(t, err)
	require.Equal(t, []ingest.QA{{Question: "Есть ли доставка?", Answer: "Да, за 300 рублей."}, {Question: "Где склад?", Answer: "Улица Мира, 5"}}, ingest.FAQs(d))
}

// model replies with what it is given, in small pieces.
type model struct {
	replies []string
	asked   []provider.Request
	err     error
}

func (m *model) Complete(_ context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	m.asked = append(m.asked, r)
	return func(yield func(provider.Delta, error) bool) {
		if m.err != nil {
			yield(provider.Delta{}, m.err)
			return
		}
		reply := m.replies[min(len(m.asked)-1, len(m.replies)-1)]
		for len(reply) > 0 {
			n := min(7, len(reply))
			if !yield(provider.Delta{Text: reply[:n]}, nil) {
				return
			}
			reply = reply[n:]
		}
		yield(provider.Delta{Finish: provider.FinishStop}, nil)
	}
}

func TestAModelsAnswersMustStandInTheText(t *testing.T) {
	m := &model{replies: []string{`{"faqs":[
		{"question":"What does a card cost?","answer":"A debit card costs 12 euros a year."},
		{"question":"And a second one?","answer":"A second card costs 7 euros."},
		{"question":"Is it insured?","answer":"The card is insured against theft."},
		{"question":"Is it free?","answer":"A debit card does not cost 12 euros."},
		{"question":"What does a card cost?","answer":"12 euros."},
		{"question":"","answer":"12 euros."}]}`}}
	text := doc(ingest.Section{Heading: "Cards", Text: "A debit card costs 12 euros a year. A second card costs 6 euros."})
	got, refused, err := ingest.Writer{Model: m}.Write(t.Context(), text)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, ingest.QA{Question: "What does a card cost?", Answer: "A debit card costs 12 euros a year."}, got[0].QA)
	require.Contains(t, got[0].Passage, "A debit card costs 12 euros a year.")
	require.Equal(t, 4, refused)
	require.Contains(t, string(m.asked[0].Schema), "faqs")
	require.Contains(t, m.asked[0].Messages[0].Text, "debit card")
}

// An answer that is put together of a document's far ends is not in it.
func TestAnAnswerStandsInOnePassage(t *testing.T) {
	filler := strings.Repeat("The boats come and go with the tide, and the master notes each of them in his book. ", 20)
	text := doc(ingest.Section{Text: "The crane lifts 20 tons. " + filler + "The sauna costs 7 euros."})
	m := &model{replies: []string{`{"faqs":[
		{"question":"What does the crane lift?","answer":"The crane lifts 20 tons."},
		{"question":"What does the crane cost?","answer":"The crane costs 7 euros."},
		{"question":"What does the sauna cost?","answer":"7 euros."}]}`}}
	var told [][2]int
	got, refused, err := ingest.Writer{Model: m, Most: 2, Told: func(done, of int) { told = append(told, [2]int{done, of}) }}.Write(t.Context(), text)
	require.NoError(t, err)
	require.Equal(t, 1, refused)
	require.Len(t, got, 2)
	require.Contains(t, got[0].Passage, "20 tons")
	require.NotContains(t, got[0].Passage, "sauna")
	require.Contains(t, got[1].Passage, "The sauna costs 7 euros.")
	require.Equal(t, [][2]int{{0, 1}, {1, 1}}, told)
	require.Contains(t, m.asked[0].System[0].Text, "up to 2 questions")
}

func TestAModelThatKeepsToNoForm(t *testing.T) {
	text := doc(ingest.Section{Text: "x is 5"})
	m := &model{replies: []string{"Here are your questions!", `{"faqs":[{"question":"What is x?","answer":"5"}]}`}}
	got, _, err := ingest.Writer{Model: m}.Write(t.Context(), text)
	require.NoError(t, err)
	require.Len(t, got, 1)
	_, _, err = ingest.Writer{Model: &model{replies: []string{"no"}}}.Write(t.Context(), text)
	require.ErrorIs(t, err, fault.Unavailable)
	_, _, err = ingest.Writer{Model: &model{err: fault.Exhausted}}.Write(t.Context(), text)
	require.ErrorIs(t, err, fault.Exhausted)
}

func TestALongDocumentIsAskedInStretches(t *testing.T) {
	m := &model{replies: []string{`{"faqs":[]}`}}
	_, _, err := ingest.Writer{Model: m}.Write(t.Context(), doc(ingest.Section{Text: strings.Repeat("слово за словом. ", 2000)}))
	require.NoError(t, err)
	require.Greater(t, len(m.asked), 5)
	for _, r := range m.asked {
		require.LessOrEqual(t, len(r.Messages[0].Text), 8000)
		require.Equal(t, strings.ToValidUTF8(r.Messages[0].Text, "?"), r.Messages[0].Text)
	}
}

func FuzzFAQs(f *testing.F) {
	f.Add("Why?", "Q: a?\nA: b\n\nc? | d\nK: v?\nL: w")
	f.Add("", "Question | Answer\n | \n?\n\n?")
	f.Fuzz(func(t *testing.T, heading, text string) {
		seen := map[string]bool{}
		for _, qa := range ingest.FAQs(doc(parse.Section{Heading: heading, Text: text})) {
			require.NotEmpty(t, qa.Question)
			require.NotEmpty(t, qa.Answer)
			require.False(t, seen[strings.ToLower(qa.Question)])
			seen[strings.ToLower(qa.Question)] = true
		}
	})
}
