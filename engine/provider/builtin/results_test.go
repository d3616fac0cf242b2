package builtin

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// said is a conversation as agent and customer lines in turn.
func said(lines ...string) []provider.Message {
	var out []provider.Message
	for i, l := range lines {
		role := provider.RoleAssistant
		if i%2 == 1 {
			role = provider.RoleUser
		}
		out = append(out, provider.Message{Role: role, Text: l})
	}
	return out
}

func TestResults(t *testing.T) {
	str := func(description string) string { return `{"type":"string","description":"` + description + `"}` }
	const (
		name  = "HumanFullName"
		mail  = "HumanEmail"
		phone = "HumanPhoneNumber"
	)
	full, email, number := str("Full name"), str("E-mail address"), str("Phone number")
	tests := map[string]struct {
		field, schema string
		lines         []string
		want          string // JSON, "" for left out
	}{
		"a name given":                  {name, full, []string{"", "my name is john smith and i want to know the fee"}, `"John Smith"`},
		"a name as written":             {name, full, []string{"", "Hi, I'm Ana-Maria O'Neill."}, `"Ana-Maria O'Neill"`},
		"a bare answer":                 {name, full, []string{"May I have your name?", "peter van der berg"}, `"Peter van der Berg"`},
		"a spelled name":                {name, full, []string{"What is your name?", "it's john smith s m i t h"}, `"John Smith"`},
		"a caller who says who":         {name, full, []string{"", "hello this is maria speaking"}, `"Maria"`},
		"the person who was expected":   {name, full, []string{"Am I speaking with John Smith?", "yes"}, `"John Smith"`},
		"a corrected name":              {name, full, []string{"What is your name?", "jon smith", "Thank you, Jon Smith.", "no my name is john smyth"}, `"John Smyth"`},
		"looking for is no name":        {name, full, []string{"", "i am looking for a new card"}, ``},
		"sick is no name":               {name, full, []string{"", "i am sick"}, ``},
		"a question is no name":         {name, full, []string{"What is your name?", "how much is it?"}, ``},
		"a refusal is no name":          {name, full, []string{"What is your name?", "i would rather not say"}, ``},
		"an address written":            {mail, email, []string{"", "write to John.Smith@Example.com please"}, `"john.smith@example.com"`},
		"an address spoken":             {mail, email, []string{"", "my email is john dot smith at example dot com"}, `"john.smith@example.com"`},
		"an address spelled":            {mail, email, []string{"What is your e-mail address?", "j o h n underscore one two at gmail dot co dot uk"}, `"john_12@gmail.co.uk"`},
		"no address":                    {mail, email, []string{"", "i am at home dot"}, ``},
		"a number written":              {phone, number, []string{"", "call me on +49 (30) 555-1234"}, `"+49305551234"`},
		"a number spoken":               {phone, number, []string{"What is your phone number?", "five five five double one two three oh"}, `"55511230"`},
		"a number in pairs":             {phone, number, []string{"What is your phone number?", "oh one seven two twenty four eighty one"}, `"01722481"`},
		"keys":                          {phone, number, []string{"What is your phone number?", "[digits: 5551234#]"}, `"5551234"`},
		"a date is no number":           {phone, number, []string{"", "i arrive on 2026-02-15"}, ``},
		"a date in words":               {"TravelDate", `{"type":"string","format":"date","description":"Date of travel"}`, []string{"", "on the twenty first of march twenty twenty six"}, `"2026-03-21"`},
		"a date without its year":       {"TravelDate", `{"type":"string","format":"date"}`, []string{"When?", "on the fifth of march"}, ``},
		"a date with slashes":           {"TravelDate", `{"type":"string","format":"date"}`, []string{"", "31/12/2026"}, `"2026-12-31"`},
		"no such day":                   {"TravelDate", `{"type":"string","format":"date"}`, []string{"", "2026-02-30"}, ``},
		"date and time":                 {"Slot", `{"type":"string","format":"date-time"}`, []string{"", "on 15 february 2026 at 2:30 pm"}, `"2026-02-15 14:30"`},
		"a whole number in words":       {"Persons", `{"type":"integer","description":"Number of persons","title":"Number of persons"}`, []string{"What is the number of persons?", "we are two hundred and fifty"}, `250`},
		"a number beside its noun":      {"Persons", `{"type":"integer","title":"Number of persons"}`, []string{"", "a table for four persons"}, `4`},
		"a foreign number":              {"Persons", `{"type":"integer","title":"Number of persons"}`, []string{"", "it costs 12 euros"}, ``},
		"an amount":                     {"Budget", str("The customer's budget"), []string{"", "my budget is fifty thousand euros"}, `"50000 euros"`},
		"a booking code":                {"BookingReference", str("Booking reference"), []string{"What is your booking reference?", "a b one two three"}, `"AB123"`},
		"an option":                     {"Plan", `{"type":"string","enum":["Basic","Premium plus"]}`, []string{"", "i would take the premium plus"}, `"Premium plus"`},
		"an option denied":              {"Plan", `{"type":"string","enum":["Basic","Premium plus"]}`, []string{"", "not the basic"}, ``},
		"an option in digits":           {"Limit", `{"type":"string","enum":["500","1000"]}`, []string{"What is your limit?", "five hundred"}, `"500"`},
		"no option":                     {"Plan", `{"type":"string","enum":["Basic","Premium plus"]}`, []string{"What is your plan?", "the golden one"}, ``},
		"yes":                           {"Callback", `{"type":"boolean","description":"Whether the customer wants a callback"}`, []string{"Do you want a callback?", "yes please"}, `true`},
		"no":                            {"Callback", `{"type":"boolean","description":"Whether the customer wants a callback"}`, []string{"Do you want a callback?", "no thanks"}, `false`},
		"yes to something else":         {"Callback", `{"type":"boolean","description":"Whether the customer wants a callback"}`, []string{"Shall I repeat it?", "yes"}, ``},
		"interest is shown by asking":   {"InterestInDebitCards", str("Indicates whether the customer showed interest in debit cards"), []string{"", "how much are the debit cards?"}, `"yes"`},
		"a list":                        {"Languages", `{"type":"array","items":{"type":"string"}}`, []string{"What are your languages?", "english, french and dutch"}, `["english","french","dutch"]`},
		"free text that was asked for":  {"City", str("City of residence"), []string{"What is your city?", "it is new york"}, `"new york"`},
		"free text that was named":      {"Branch", str("Preferred branch"), []string{"", "my branch is market street."}, `"market street"`},
		"free text nobody spoke of":     {"City", str("City of residence"), []string{"", "i like cats"}, ``},
		"a topic":                       {"Topic", str("Topic"), []string{"Hello.", "hi", "Hello.", "how much does the premium card cost?"}, `"premium card cost"`},
		"no topic when nothing is said": {"Topic", str("Topic"), []string{"Hello.", "hi"}, ``},
		"a summary":                     {"ConversationSummary", str("Summary"), []string{"Hello.", "how much does the premium card cost?", "It is free.", "thanks"}, `"The customer spoke about premium card cost. The agent answered."`},
	}
	m := shared()
	for title, tt := range tests {
		t.Run(title, func(t *testing.T) {
			r := provider.Request{Messages: said(tt.lines...), Schema: json.RawMessage(`{"type":"object","properties":{"` + tt.field + `":` + tt.schema + `}}`)}
			out, call := collect(t, m, r)
			assert.Nil(t, call)
			want := `{}`
			if tt.want != "" {
				want = `{"` + tt.field + `":` + tt.want + `}`
			}
			assert.JSONEq(t, want, out)
		})
	}
}

func TestADayWithoutYearNeedsToday(t *testing.T) {
	r := provider.Request{
		System:   []provider.Part{{Kind: provider.PartParameters, Text: "Today is 2026-03-10."}},
		Messages: said("When?", "next monday"),
		Schema:   json.RawMessage(`{"type":"object","properties":{"VisitDate":{"type":"string","format":"date"}}}`),
	}
	out, _ := collect(t, shared(), r)
	assert.JSONEq(t, `{"VisitDate":"2026-03-16"}`, out)
}

func TestTheSchemaMustBeOfAnObject(t *testing.T) {
	for _, s := range []string{`{"type":"array"}`, `{`, `[]`, `"x"`} {
		var got error
		for _, err := range shared().Complete(t.Context(), provider.Request{Schema: json.RawMessage(s)}) {
			got = err
		}
		require.ErrorIs(t, got, fault.Invalid, s)
	}
}

func TestResultsOfTheRequestHelpTheSchema(t *testing.T) {
	r := provider.Request{
		System:   []provider.Part{fieldsPart(provider.Field{Name: "Service", Description: "Which service", Type: "Literal", Options: []string{"Loan", "Mortgage"}})},
		Messages: said("", "i need a mortgage"),
		Schema:   json.RawMessage(`{"type":"object","properties":{"Service":{"type":"string"}}}`),
	}
	out, _ := collect(t, shared(), r)
	assert.JSONEq(t, `{"Service":"Mortgage"}`, out)
}
