package openai_test

import (
	"context"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/openai"
	"flametree/engine/provider/providertest"
	"flametree/engine/provider/vendortest"
)

// TestCompatibleServers shows that parallel calls come out apart, whole and
// once from servers that number and name them in their own ways.
func TestCompatibleServers(t *testing.T) {
	reply := vendortest.Reply{Calls: []vendortest.Call{
		{ID: "call_a", Name: "GetBalance", Args: []string{`{"acc`, `ount":"1"}`}},
		{ID: "call_b", Name: "GetBalance", Args: []string{`{"account"`, `:"2"}`}},
	}}
	for name, x := range map[string]struct {
		style vendortest.Style
		ids   bool
	}{
		"as published":            {vendortest.Published, true},
		"names repeated (vLLM)":   {vendortest.RepeatsNames, true},
		"index always 0 (Ollama)": {vendortest.AllZero, true},
		"no index, no id":         {vendortest.NoIndex, false},
		"no id (llama.cpp)":       {vendortest.NoID, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := vendortest.OpenAI("").Then(reply)
			s.Style = x.style
			url, h := vendortest.Local(t, s)
			m, err := openai.New(openai.Options{BaseURL: url + "/v1", Model: "qwen", HTTP: h})
			if err != nil {
				t.Fatal(err)
			}
			r := providertest.Question()
			r.Tools = vendortest.Tools()
			a := vendortest.Ask(t.Context(), m, r)
			if a.Err != nil || len(a.Calls) != 2 || a.Finish != provider.FinishTools || a.Usage.Output != 7 {
				t.Fatalf("%+v, %v", a, a.Err)
			}
			for i, want := range []string{`{"account":"1"}`, `{"account":"2"}`} {
				c := a.Calls[i]
				if c.Args != want || c.Name != "GetBalance" || c.ID == "" || x.ids && c.ID != reply.Calls[i].ID {
					t.Errorf("call %d is %+v", i, c)
				}
			}
			if a.Calls[0].ID == a.Calls[1].ID {
				t.Error("two calls share an id")
			}
			if h := s.Received()[0].Header; h.Get("Authorization") != "" {
				t.Error("a key was sent where none is set")
			}
		})
	}
}

// TestRefusedFields shows that a server is asked again without the field it
// refused, and from then on only once.
func TestRefusedFields(t *testing.T) {
	for name, x := range map[string]struct {
		refuses []string
		first   int // requests for the first reply
		has     []string
		hasNot  []string
	}{
		"nothing":               {nil, 1, []string{`"max_tokens":200`, `"temperature":0.3`, `"stream_options"`}, []string{"max_completion"}},
		"the older limit":       {[]string{"max_tokens"}, 2, []string{`"max_completion_tokens":200`}, []string{`"max_tokens"`}},
		"both limits":           {[]string{"max_tokens", "max_completion_tokens"}, 3, nil, []string{"_tokens\":"}},
		"temperature":           {[]string{"temperature"}, 2, []string{`"max_tokens"`}, []string{`"temperature"`}},
		"usage and temperature": {[]string{"stream_options", "temperature"}, 3, nil, []string{"stream_options", "temperature"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := vendortest.OpenAI("k")
			s.Refuses = x.refuses
			url, h := vendortest.Local(t, s)
			m, err := connect(url, "k", h)
			if err != nil {
				t.Fatal(err)
			}
			r := providertest.Question()
			r.Temperature = 0.3
			for i, want := range []int{x.first, x.first + 1} {
				if a := vendortest.Ask(t.Context(), m, r); a.Err != nil || len(s.Received()) != want {
					t.Errorf("reply %d: %v after %d requests, want %d", i, a.Err, len(s.Received()), want)
				}
			}
			all := s.Received()
			last := string(all[len(all)-1].Body)
			for _, f := range x.has {
				if !strings.Contains(last, f) {
					t.Errorf("%s is not in %s", f, last)
				}
			}
			for _, f := range x.hasNot {
				if strings.Contains(last, f) {
					t.Errorf("%s is in %s", f, last)
				}
			}
		})
	}
	t.Run("a temperature beyond 2 is 2", func(t *testing.T) {
		s := vendortest.OpenAI("k")
		url, h := vendortest.Local(t, s)
		m, _ := connect(url, "k", h)
		r := providertest.Question()
		r.Temperature = 7
		if a := vendortest.Ask(t.Context(), m, r); a.Err != nil || !strings.Contains(string(s.Received()[0].Body), `"temperature":2`) {
			t.Errorf("%v: %s", a.Err, s.Received()[0].Body)
		}
	})
}

// TestSchemaWithoutServerSupport shows the steps down to the prompt alone.
func TestSchemaWithoutServerSupport(t *testing.T) {
	for name, x := range map[string]struct {
		refuses  []string
		requests int
		text     []string
	}{
		"schemas":        {nil, 1, []string{`{"topic":`, `"x"}`}},
		"objects only":   {[]string{"response_format=json_schema"}, 2, []string{`{"topic":`, `"x"}`}},
		"nothing at all": {[]string{"response_format"}, 3, []string{"```json\n", `{"topic":`, "\"x\"}\n```\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := vendortest.OpenAI("k").Then(vendortest.Reply{Text: x.text})
			s.Refuses = x.refuses
			url, h := vendortest.Local(t, s)
			m, _ := connect(url, "k", h)
			r := providertest.Question()
			r.Schema = json.RawMessage(`{"type":"object","properties":{"topic":{"type":"string"}}}`)
			// A refused request uses the reply up, so it is set again for each.
			for range 3 {
				s.Then(vendortest.Reply{Text: x.text})
			}
			a := vendortest.Ask(t.Context(), m, r)
			if a.Err != nil || a.Text != `{"topic":"x"}` || len(s.Received()) != x.requests {
				t.Errorf("%+v, %v after %d requests: %v", a, a.Err, len(s.Received()), s.Refused())
			}
		})
	}
}

func TestEmbedder(t *testing.T) {
	s := vendortest.OpenAI("k")
	url, h := vendortest.Local(t, s)
	o := openai.EmbedderOptions{Options: openai.Options{BaseURL: url, Key: "k", Model: "e", HTTP: h}, Dim: 8}
	e, err := openai.NewEmbedder(o)
	if err != nil {
		t.Fatal(err)
	}
	providertest.RunEmbedder(t, e)
	t.Run("another dimension than set", func(t *testing.T) {
		o.Dim = 9
		e, _ := openai.NewEmbedder(o)
		if _, err := e.Embed(t.Context(), []string{"a"}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "8 numbers") {
			t.Error(err)
		}
	})
	t.Run("a dimension that is asked for", func(t *testing.T) {
		o.Dim, o.Shorten = 5, true
		e, _ := openai.NewEmbedder(o)
		if v, err := e.Embed(t.Context(), []string{"a"}); err != nil || len(v[0]) != 5 {
			t.Error(v, err)
		}
	})
	t.Run("too many requests", func(t *testing.T) {
		s.Trouble(vendortest.Trouble{Kind: vendortest.TooMany})
		if _, err := e.Embed(t.Context(), []string{"a"}); fault.KindOf(err) != fault.Exhausted {
			t.Error(err)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]openai.Options{
		"no model":             {},
		"no address":           {BaseURL: "localhost:8000", Model: "m"},
		"a key in the address": {BaseURL: "http://h/v1?key=x", Model: "m"},
	} {
		if _, err := openai.New(o); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := openai.NewEmbedder(openai.EmbedderOptions{Options: openai.Options{Model: "m"}, Dim: -1}); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
	m, _ := openai.New(openai.Options{Model: "m"})
	for _, schema := range []string{`{"type":"string"}`, `[]`, `{`} {
		a := vendortest.Ask(t.Context(), m, provider.Request{Schema: json.RawMessage(schema)})
		if fault.KindOf(a.Err) != fault.Invalid {
			t.Errorf("%s: %v", schema, a.Err)
		}
		a = vendortest.Ask(t.Context(), m, provider.Request{Tools: []provider.Tool{{Name: "x", Schema: json.RawMessage(schema)}}})
		if fault.KindOf(a.Err) != fault.Invalid {
			t.Errorf("tool with %s: %v", schema, a.Err)
		}
	}
}

// TestRequestsCanBeShared shows that a request is not changed, whatever its
// parts, because retries and hedges send it again.
func TestRequestsCanBeShared(t *testing.T) {
	s := vendortest.OpenAI("k")
	url, h := vendortest.Local(t, s)
	m, _ := connect(url, "k", h)
	ask := func() provider.Request {
		r := providertest.Question()
		r.Tools = vendortest.Tools()
		r.Messages = append(r.Messages, provider.Message{Role: provider.RoleAssistant, Calls: []provider.ToolCall{{ID: "ü", Name: "ü"}, {ID: "ü", Name: "ü"}}})
		return r
	}
	r := ask()
	for range 2 {
		if a := vendortest.Ask(t.Context(), m, r); a.Err != nil {
			t.Error(a.Err)
		}
	}
	if !reflect.DeepEqual(r, ask()) {
		t.Errorf("changed: %+v", r)
	}
	if a, b := s.Received()[0].Body, s.Received()[1].Body; string(a) != string(b) {
		t.Error("equal requests were sent differently")
	}
}

func TestLive(t *testing.T) {
	key := os.Getenv("OPENAI_API_KEY")
	if key == "" {
		t.Skip("OPENAI_API_KEY is not set; OPENAI_BASE_URL and OPENAI_MODEL are optional")
	}
	model := os.Getenv("OPENAI_MODEL")
	if model == "" {
		model = "gpt-4o-mini"
	}
	m, err := openai.New(openai.Options{BaseURL: os.Getenv("OPENAI_BASE_URL"), Key: key, Model: model})
	if err != nil {
		t.Fatal(err)
	}
	live(t, m)
}

// live asks a real model for words and for a call.
func live(t *testing.T, m provider.Completer) {
	r := providertest.Question()
	if a := vendortest.Ask(context.Background(), m, r); a.Err != nil || !strings.Contains(strings.ToLower(a.Text), "thousand") && !strings.Contains(a.Text, "5") {
		t.Errorf("%+v, %v", a, a.Err)
	}
	r.Tools = vendortest.Tools()[:1]
	r.Messages[0].Text = "Call GetBalance for account 7 now."
	if a := vendortest.Ask(context.Background(), m, r); a.Err != nil || len(a.Calls) != 1 {
		t.Errorf("%+v, %v", a, a.Err)
	}
}
