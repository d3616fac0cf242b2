package providertest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"flametree/engine/provider"
)

// Question is a Request the suites ask; it should be answered with some text.
func Question() provider.Request {
	return provider.Request{
		System: []provider.Part{
			{Kind: provider.PartRules, Text: "Answer from what you know."},
			{Kind: provider.PartKnowledge, Title: "Limits", Text: "The daily spending limit is five thousand dollars.", Source: "faq:Limits", Score: 0.9},
		},
		Messages:  []provider.Message{{Role: provider.RoleUser, Text: "What is the daily spending limit?"}},
		MaxTokens: 200,
		Voice:     true,
	}
}

// RunCompleter tests the contract of provider.Completer.
func RunCompleter(t *testing.T, c provider.Completer) {
	t.Run("a reply has text and ends with its reason", func(t *testing.T) { replyEnds(t, c) })
	t.Run("breaking out cancels", func(t *testing.T) { breaking(t, c) })
	t.Run("an ended context ends the reply with an error at last", func(t *testing.T) { contextEnds(t, c) })
	t.Run("replies run beside each other", func(t *testing.T) { together(t, c) })
	t.Run("the request is not changed", func(t *testing.T) { unchanged(t, c) })
	t.Run("a schema makes the text one JSON value", func(t *testing.T) { structured(t, c) })
}

// drain reads a reply and checks the shape of its elements.
func drain(t *testing.T, c provider.Completer, ctx context.Context, r provider.Request) (text string, finish provider.Finish, err error) {
	t.Helper()
	for d, e := range c.Complete(ctx, r) {
		switch {
		case err != nil:
			t.Errorf("something follows the error %v", err)
			return text, finish, err
		case e != nil:
			err = e
			classified(t, e)
			continue
		case finish != "":
			t.Errorf("%+v follows the finish %q", d, finish)
		}
		if n := fields(d); n != 1 {
			t.Errorf("a delta has %d fields set: %+v", n, d)
		}
		text += d.Text
		finish = d.Finish
	}
	return text, finish, err
}

func fields(d provider.Delta) (n int) {
	for _, set := range []bool{d.Text != "", d.Call != nil, d.Usage != nil, d.Finish != ""} {
		if set {
			n++
		}
	}
	return n
}

func replyEnds(t *testing.T, c provider.Completer) {
	ctx, cancel := limited(t)
	defer cancel()
	text, finish, err := drain(t, c, ctx, Question())
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(text) == "" {
		t.Error("no text")
	}
	if finish != provider.FinishStop && finish != provider.FinishLimit {
		t.Errorf("finish is %q", finish)
	}
}

func breaking(t *testing.T, c provider.Completer) {
	noneLeft(t, func() {
		within(t, "a reply broken out of", func() {
			ctx, cancel := limited(t)
			defer cancel()
			for range 3 {
				for range c.Complete(ctx, Question()) {
					break
				}
			}
		})
	})
}

func contextEnds(t *testing.T, c provider.Completer) {
	noneLeft(t, func() {
		within(t, "a reply without a context", func() {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, finish, err := drain(t, c, ctx, Question())
			if err == nil && finish == "" {
				t.Error("it ended without an error and without a finish")
			}
			ctx, cancel = context.WithCancel(t.Context())
			defer cancel()
			for _, err := range c.Complete(ctx, Question()) {
				cancel()
				classified(t, err)
			}
		})
	})
}

func together(t *testing.T, c provider.Completer) {
	noneLeft(t, func() {
		ctx, cancel := limited(t)
		defer cancel()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if text, _, err := drain(t, c, ctx, Question()); err != nil || text == "" {
					t.Errorf("text %q, error %v", text, err)
				}
			})
		}
		wg.Wait()
	})
}

func unchanged(t *testing.T, c provider.Completer) {
	ctx, cancel := limited(t)
	defer cancel()
	r := Question()
	system, messages := slices.Clone(r.System), slices.Clone(r.Messages)
	if _, _, err := drain(t, c, ctx, r); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(system, r.System) || r.Messages[0].Text != messages[0].Text || r.Messages[0].Role != messages[0].Role {
		t.Error("the request was changed")
	}
}

func structured(t *testing.T, c provider.Completer) {
	ctx, cancel := limited(t)
	defer cancel()
	r := Question()
	r.Schema = json.RawMessage(`{"type":"object","properties":{"topic":{"type":"string"}}}`)
	r.Voice = false
	text, _, err := drain(t, c, ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Errorf("%q is not one JSON object: %v", text, err)
	}
}
