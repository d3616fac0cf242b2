package guard

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/engine/tool"
)

func transfer() tool.Spec {
	return tool.Spec{
		Name: "transfer", Verified: true, Amount: "amount", Limit: 1000,
		Bind: []tool.Binding{{Arg: "customer_id", From: "customer.id"}, {Arg: "shop", From: "params.shop"}},
	}
}

func janStands() Standing {
	return Standing{
		Scene: tool.Scene{
			Session: "s-1", User: "u-1", Phone: "+4915112345678", Email: "jan.winter@mail.example",
			Parameters: map[string]json.RawMessage{"shop": json.RawMessage(`7`)},
			Results:    map[string]string{"Topic": "cards"},
		},
		Customer: "C-1001", Verified: true,
	}
}

func TestBoundArgumentsComeFromTheSession(t *testing.T) {
	got, err := Bound(transfer(), json.RawMessage(`{"amount": 10, "to": "x"}`), janStands())
	require.NoError(t, err)
	require.JSONEq(t, `{"amount":10,"to":"x","customer_id":"C-1001","shop":7}`, string(got))
	for from, want := range map[string]string{
		"session.id": `"s-1"`, "session.user": `"u-1"`, "session.phone": `"+4915112345678"`, "session.email": `"jan.winter@mail.example"`,
		"customer.id": `"C-1001"`, "params.shop": `7`, "results.Topic": `"cards"`,
	} {
		got, err := Bound(tool.Spec{Name: "t", Bind: []tool.Binding{{Arg: "a", From: from}}}, nil, janStands())
		require.NoError(t, err)
		require.JSONEq(t, `{"a":`+want+`}`, string(got), from)
	}
}

func TestWhatAModelMayNotDoWithArguments(t *testing.T) {
	for name, c := range map[string]struct {
		args  string
		stand func(*Standing)
		want  error
	}{
		"its own value":               {`{"amount":1,"customer_id":"C-2002"}`, nil, Foreign},
		"in other letters":            {`{"amount":1,"Customer_ID":"C-2002"}`, nil, Foreign},
		"beside the right one":        {`{"amount":1,"customer_id":"C-1001","CUSTOMER_ID":"C-2002"}`, nil, Foreign},
		"as a list":                   {`{"amount":1,"customer_id":["C-1001","C-2002"]}`, nil, Foreign},
		"a parameter":                 {`{"amount":1,"shop":8}`, nil, Foreign},
		"above the limit":             {`{"amount":1000.01}`, nil, TooMuch},
		"above the limit, as text":    {`{"amount":"5000"}`, nil, TooMuch},
		"above the limit, beside":     {`{"amount":5,"Amount":5000}`, nil, TooMuch},
		"above the limit, shortly":    {`{"amount":1e9}`, nil, TooMuch},
		"a negative amount":           {`{"amount":-5}`, nil, NoAmount},
		"no number":                   {`{"amount":"NaN"}`, nil, NoAmount},
		"another notation":            {`{"amount":"0x10"}`, nil, NoAmount},
		"a list of amounts":           {`{"amount":[5]}`, nil, NoAmount},
		"no amount":                   {`{}`, nil, NoAmount},
		"nobody is proven":            {`{"amount":1}`, func(s *Standing) { s.Verified = false }, Unverified},
		"proven, but nobody":          {`{"amount":1}`, func(s *Standing) { s.Customer = "" }, Unverified},
		"the session does not know":   {`{"amount":1}`, func(s *Standing) { s.Scene.Parameters = nil }, Unknown},
		"no object":                   {`[1]`, nil, fault.Invalid},
		"no JSON":                     {`{"amount":`, nil, fault.Invalid},
		"nothing at all, as a text":   {`null`, nil, fault.Invalid},
		"two values for one argument": {`{"amount":5,"amount":5000}`, nil, TooMuch},
	} {
		t.Run(name, func(t *testing.T) {
			at := janStands()
			if c.stand != nil {
				c.stand(&at)
			}
			_, err := Bound(transfer(), json.RawMessage(c.args), at)
			require.ErrorIs(t, err, c.want)
			require.NotContains(t, err.Error(), "2002", "an error shows no value")
			if !errors.Is(c.want, fault.Invalid) {
				require.Equal(t, fault.Denied, fault.KindOf(err))
			}
		})
	}
}

func TestTheSameValueIsNoOtherValue(t *testing.T) {
	for _, args := range []string{`{"amount":1,"customer_id":"C-1001"}`, `{"amount":1,"customer_id":""}`, `{"amount":1,"customer_id":null,"shop":"7"}`} {
		got, err := Bound(transfer(), json.RawMessage(args), janStands())
		require.NoError(t, err, args)
		require.JSONEq(t, `{"amount":1,"customer_id":"C-1001","shop":7}`, string(got))
	}
}

func TestAYesCountsForTheCallThatWasAskedAbout(t *testing.T) {
	spec := transfer()
	spec.Confirm = true
	at := janStands()
	small := json.RawMessage(`{"amount":50,"to":"x"}`)
	_, err := Bound(spec, small, at)
	require.ErrorIs(t, err, Unconfirmed)

	asked, err := Wish(spec, small, at)
	require.NoError(t, err)
	at.Agreed = Mark(spec.Name, asked)
	_, err = Bound(spec, json.RawMessage(`{"to":"x", "amount":50}`), at)
	require.NoError(t, err)
	for _, other := range []string{`{"amount":500,"to":"x"}`, `{"amount":50,"to":"y"}`, `{"amount":50,"to":"x","fast":true}`} {
		_, err = Bound(spec, json.RawMessage(other), at)
		require.ErrorIs(t, err, Unconfirmed, other)
	}
	spec.Name = "close_account"
	_, err = Bound(spec, small, at)
	require.ErrorIs(t, err, Unconfirmed)
	require.Empty(t, Mark("a", json.RawMessage(`[`)))
}

// Whatever a model writes, a call that is allowed has the session's values and
// an amount within the limit.
func TestNoArgumentsGetRoundTheSession(t *testing.T) {
	names := []string{"customer_id", "Customer_Id", "CUSTOMER_ID", "amount", "AMOUNT", "shop", "to", "ſhop"}
	values := []string{`"C-1001"`, `"C-2002"`, `null`, `""`, `7`, `"7"`, `999`, `1001`, `"1e4"`, `-1`, `[1]`, `{"amount":5000}`}
	rapid.Check(t, func(rt *rapid.T) {
		var fields []string
		for range rapid.IntRange(0, 6).Draw(rt, "fields") {
			name, _ := json.Marshal(rapid.SampledFrom(names).Draw(rt, "name"))
			fields = append(fields, string(name)+":"+rapid.SampledFrom(values).Draw(rt, "value"))
		}
		got, err := Bound(transfer(), json.RawMessage("{"+strings.Join(fields, ",")+"}"), janStands())
		if err != nil {
			return
		}
		var out map[string]any
		if err := json.Unmarshal(got, &out); err != nil {
			rt.Fatal(err)
		}
		if out["customer_id"] != "C-1001" || out["shop"] != 7.0 {
			rt.Fatalf("%s passes", got)
		}
		for name, v := range out {
			if n, ok := v.(float64); ok && strings.EqualFold(name, "amount") && (n > 1000 || n < 0) {
				rt.Fatalf("%s passes", got)
			}
			if name != "customer_id" && strings.EqualFold(name, "customer_id") {
				rt.Fatalf("%s has two customers", got)
			}
		}
	})
}

func FuzzBound(f *testing.F) {
	f.Add(`{"amount":1,"customer_id":"C-1001"}`)
	f.Add(`{"a":{"b":[1,2]},"amount":"1"}`)
	f.Fuzz(func(t *testing.T, args string) {
		got, err := Bound(transfer(), json.RawMessage(args), janStands())
		if err == nil && (!json.Valid(got) || !strings.Contains(string(got), `"customer_id":"C-1001"`)) {
			t.Fatalf("%q became %s", args, got)
		}
		if err != nil && fault.KindOf(err) != fault.Denied && fault.KindOf(err) != fault.Invalid {
			t.Fatal(err)
		}
	})
}

func TestAgrees(t *testing.T) {
	for language, said := range map[string]struct{ yes, no []string }{
		"en": {
			[]string{"Yes.", "yes please, go ahead", "Okay, do it", "That's right, thank you", "Sure", "I confirm", "Yeah, that sounds good to me"},
			[]string{
				"No.", "No, yes, I mean no", "Yes, but make it 500", "yes if it is free", "Don't do it", "I can't say yes", "Yes?", "not sure", "okay, wait", "",
				"Thanks", "yes, 500", "Why?", "I would rather not", "the yes men were there and they all said many things about this and that yesterday ok",
				"Is that correct?", "what is right", "Yes, but first tell me the fee", "maybe yes",
			},
		},
		"de-AT": {
			[]string{"Ja.", "Ja, bitte.", "Genau, machen Sie das", "Einverstanden", "okay"},
			[]string{"Nein", "Ja, aber nicht heute", "Noch nicht", "Ja, wenn es nichts kostet", "lieber nicht", "Wie bitte?", "keinesfalls"},
		},
		"es": {
			[]string{"Sí", "Sí, por favor", "Claro que sí", "de acuerdo", "Vale, adelante"},
			[]string{"No", "Sí, pero no hoy", "todavía no", "¿Sí?", "mejor después", "espere"},
		},
		"fr": {
			[]string{"Oui", "Oui, allez-y", "D'accord", "Bien sûr", "C'est bon"},
			[]string{"Non", "Oui, mais plus tard", "Pas encore", "Oui si c'est gratuit", "attendez", "je ne suis pas d'accord"},
		},
		"ru": {
			[]string{"Да", "Да, конечно", "Подтверждаю", "Хорошо, давайте", "согласна"},
			[]string{"Нет", "Да нет", "Да, но не сегодня", "не согласен", "подождите", "может быть", "Что?"},
		},
		"ar": {
			[]string{"نعم", "نعم، موافق", "أكيد", "طيب تمام", "نَعَم"},
			[]string{"لا", "نعم ولكن ليس اليوم", "لست موافق", "انتظر", "هل هذا صحيح؟", "غير موافق"},
		},
		"hi": {
			[]string{"हाँ", "जी हाँ", "हां, ठीक है", "बिल्कुल", "ji haan"},
			[]string{"नहीं", "हाँ लेकिन बाद में", "अभी नहीं", "मत करो", "क्या यह सही है", "ठीक नहीं है"},
		},
		"ja": {[]string{"ok"}, []string{"はい", "no"}},
	} {
		for _, s := range said.yes {
			require.True(t, Agrees(s, language), "%s: %q is a yes", language, s)
		}
		for _, s := range said.no {
			require.False(t, Agrees(s, language), "%s: %q is no yes", language, s)
		}
	}
}

func FuzzAgrees(f *testing.F) {
	f.Add("yes", "en")
	f.Add("ja bitte", "de")
	f.Fuzz(func(t *testing.T, text, language string) {
		if Agrees(text, language) && Agrees(text+" but no", language) {
			t.Fatalf("%q stays a yes", text)
		}
	})
}
