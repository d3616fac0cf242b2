package openai_test

import (
	"testing"

	"flametree/engine/fault"
	"flametree/engine/provider/openai"
	"flametree/engine/provider/vendortest"
)

// An agent's file names a model and no dimension: the first answer tells it, and
// holds from then on.
func TestTheDimensionIsLearnt(t *testing.T) {
	s := vendortest.OpenAI("k")
	url, h := vendortest.Local(t, s)
	o := openai.EmbedderOptions{Options: openai.Options{BaseURL: url, Key: "k", Model: "e", HTTP: h}}
	e, err := openai.NewEmbedder(o)
	if err != nil {
		t.Fatal(err)
	}
	if e.Dim() != 0 {
		t.Errorf("%d numbers before anybody answered", e.Dim())
	}
	s.Trouble(vendortest.Trouble{Kind: vendortest.Down})
	if _, err := e.Embed(t.Context(), []string{"a"}); fault.KindOf(err) != fault.Unavailable || e.Dim() != 0 {
		t.Error(e.Dim(), err)
	}
	if v, err := e.Embed(t.Context(), []string{"a", "b"}); err != nil || len(v[0]) != 8 || e.Dim() != 8 {
		t.Error(e.Dim(), v, err)
	}
	o.Shorten = true
	if _, err := openai.NewEmbedder(o); fault.KindOf(err) != fault.Invalid {
		t.Error("vectors cannot be shortened to an unknown length:", err)
	}
}
