package anthropic_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/anthropic"
	"flametree/engine/provider/providertest"
	"flametree/engine/provider/vendortest"
)

// TestRefusedFields shows that a model that refuses temperature, or to be
// forced to a tool, is asked again in a way it takes, and once from then on.
func TestRefusedFields(t *testing.T) {
	schema := json.RawMessage(`{"type":"object","properties":{"topic":{"type":"string"}}}`)
	for name, x := range map[string]struct {
		refuses string
		schema  json.RawMessage
		reply   vendortest.Reply
		want    string
	}{
		"temperature":                {"temperature", nil, vendortest.Reply{Text: []string{"Well."}}, "Well."},
		"force, and the tool called": {"tool_choice", schema, vendortest.Reply{Text: []string{"Sure: "}, Calls: []vendortest.Call{{ID: "t1", Name: "reply", Args: []string{`{"topic"`, `:"x"}`}}}}, `{"topic":"x"}`},
		"force, and JSON in words":   {"tool_choice", schema, vendortest.Reply{Text: []string{"```json\n{\"topic\"", ":\"x\"}\n```"}}, `{"topic":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := vendortest.Anthropic("k").Then(x.reply, x.reply, x.reply)
			s.Refuses = []string{x.refuses}
			url, h := vendortest.Local(t, s)
			m, err := connect(url, "k", h)
			if err != nil {
				t.Fatal(err)
			}
			r := providertest.Question()
			r.Temperature, r.Schema = 0.3, x.schema
			for _, requests := range []int{2, 3} {
				a := vendortest.Ask(t.Context(), m, r)
				if a.Err != nil || a.Text != x.want || len(a.Calls) != 0 || a.Finish != provider.FinishStop || len(s.Received()) != requests {
					t.Errorf("%+v, %v after %d requests: %v", a, a.Err, len(s.Received()), s.Refused())
				}
			}
		})
	}
}

func TestARefusalOfTheModelIsDenied(t *testing.T) {
	s := vendortest.Anthropic("k").Then(vendortest.Reply{Text: []string{"I"}, Finish: "refusal"})
	url, h := vendortest.Local(t, s)
	m, _ := connect(url, "k", h)
	if a := vendortest.Ask(t.Context(), m, providertest.Question()); fault.KindOf(a.Err) != fault.Denied || a.Finish != "" {
		t.Errorf("%+v, %v", a, a.Err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]anthropic.Options{
		"no key":     {Model: "m"},
		"no model":   {Key: "k"},
		"no address": {Key: "k", Model: "m", BaseURL: "ftp://x"},
	} {
		if _, err := anthropic.New(o); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLive(t *testing.T) {
	key := os.Getenv("ANTHROPIC_API_KEY")
	if key == "" {
		t.Skip("ANTHROPIC_API_KEY is not set; ANTHROPIC_MODEL is optional")
	}
	model := os.Getenv("ANTHROPIC_MODEL")
	if model == "" {
		model = "claude-haiku-4-5"
	}
	m, err := anthropic.New(anthropic.Options{Key: key, Model: model})
	if err != nil {
		t.Fatal(err)
	}
	r := providertest.Question()
	if a := vendortest.Ask(t.Context(), m, r); a.Err != nil || !strings.Contains(strings.ToLower(a.Text), "thousand") && !strings.Contains(a.Text, "5") {
		t.Errorf("%+v, %v", a, a.Err)
	}
	r.Tools = vendortest.Tools()[:1]
	r.Messages[0].Text = "Call GetBalance for account 7 now."
	if a := vendortest.Ask(t.Context(), m, r); a.Err != nil || len(a.Calls) != 1 {
		t.Errorf("%+v, %v", a, a.Err)
	}
}
