package gemini_test

import (
	"os"
	"strings"
	"testing"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/gemini"
	"flametree/engine/provider/providertest"
	"flametree/engine/provider/vendortest"
)

// turn is a request in the middle of a turn: calls were made and answered.
func turn(calls []provider.ToolCall) provider.Request {
	r := providertest.Question()
	r.Tools = vendortest.Tools()
	r.Messages = append(r.Messages, provider.Message{Role: provider.RoleAssistant, Calls: calls})
	for _, c := range calls {
		r.Messages = append(r.Messages, provider.Message{Role: provider.RoleTool, CallID: c.ID, Text: "7"})
	}
	return r
}

// TestSignatures shows that calls go back signed, and that calls whose
// signature is not there are marked as foreign once the server wants it.
func TestSignatures(t *testing.T) {
	for _, id := range []string{"given_by_the_vendor", ""} {
		s := vendortest.Gemini("k").Then(vendortest.Reply{Calls: []vendortest.Call{
			{ID: id, Name: "GetBalance", Args: []string{`{"account":"1"}`}},
			{Name: "GetBalance", Args: []string{`{"account":"2"}`}},
		}})
		s.Signs = true
		url, h := vendortest.Local(t, s)
		m, err := connect(url, "k", h)
		if err != nil {
			t.Fatal(err)
		}
		r := providertest.Question()
		r.Tools = vendortest.Tools()
		a := vendortest.Ask(t.Context(), m, r)
		if a.Err != nil || len(a.Calls) != 2 || a.Calls[0].ID == "" || a.Calls[0].ID == a.Calls[1].ID {
			t.Fatalf("%+v, %v", a, a.Err)
		}
		if b := vendortest.Ask(t.Context(), m, turn(a.Calls)); b.Err != nil || len(s.Received()) != 2 {
			t.Errorf("id %q: %v after %d requests: %v", id, b.Err, len(s.Received()), s.Refused())
		}
		last := string(s.Received()[1].Body)
		if got := strings.Count(last, "c2lnbmVk"); got != 1 {
			t.Errorf("%d signatures in %s", got, last)
		}
		if got := strings.Contains(last, `"id":`); got != (id != "") {
			t.Errorf("id sent back: %v, given: %q", got, id)
		}
		restarted, _ := connect(url, "k", h)
		for _, want := range []int{4, 5} { // asked for once, known from then on
			if b := vendortest.Ask(t.Context(), restarted, turn(a.Calls)); b.Err != nil || len(s.Received()) != want {
				t.Errorf("after a restart: %v after %d requests: %v", b.Err, len(s.Received()), s.Refused())
			}
		}
	}
}

func TestWithheldAndGivenUp(t *testing.T) {
	for word, kind := range map[string]fault.Kind{
		"SAFETY": fault.Denied, "RECITATION": fault.Denied,
		"MALFORMED_FUNCTION_CALL": fault.Unavailable, "SOMETHING_NEW": fault.Unavailable,
	} {
		s := vendortest.Gemini("k").Then(vendortest.Reply{Text: []string{"I"}, Finish: word})
		url, h := vendortest.Local(t, s)
		m, _ := connect(url, "k", h)
		if a := vendortest.Ask(t.Context(), m, providertest.Question()); fault.KindOf(a.Err) != kind || !strings.Contains(a.Err.Error(), word) {
			t.Errorf("%s: %+v, %v", word, a, a.Err)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]gemini.Options{
		"no key":     {Model: "m"},
		"no model":   {Key: "k"},
		"no address": {Key: "k", Model: "m", BaseURL: "://"},
	} {
		if _, err := gemini.New(o); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLive(t *testing.T) {
	key := os.Getenv("GEMINI_API_KEY")
	if key == "" {
		t.Skip("GEMINI_API_KEY is not set; GEMINI_MODEL is optional")
	}
	model := os.Getenv("GEMINI_MODEL")
	if model == "" {
		model = "gemini-2.5-flash"
	}
	m, err := gemini.New(gemini.Options{Key: key, Model: model})
	if err != nil {
		t.Fatal(err)
	}
	r := providertest.Question()
	r.MaxTokens = 1000
	if a := vendortest.Ask(t.Context(), m, r); a.Err != nil || !strings.Contains(strings.ToLower(a.Text), "thousand") && !strings.Contains(a.Text, "5") {
		t.Errorf("%+v, %v", a, a.Err)
	}
	r.Tools = vendortest.Tools()[:1]
	r.Messages[0].Text = "Call GetBalance for account 7 now."
	if a := vendortest.Ask(t.Context(), m, r); a.Err != nil || len(a.Calls) != 1 {
		t.Errorf("%+v, %v", a, a.Err)
	}
}
