package policy_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/policy"
)

// opener notes what it is opened with, and fails while it is told to.
type opener struct {
	voices    []provider.Voice
	languages []string
	fails     error
}

func (o *opener) Open(_ context.Context, v provider.Voice) (provider.Speech, error) {
	o.voices = append(o.voices, v)
	return nil, o.fails
}

type heardBy struct{ *opener }

func (h heardBy) Open(_ context.Context, f provider.Format) (provider.Transcription, error) {
	h.languages = append(h.languages, f.Language)
	return nil, h.fails
}

// TestEachVendorHasItsOwnVoice shows which voice a vendor is asked for: names are
// its own, one for each language, and what was asked for is the first one's.
func TestEachVendorHasItsOwnVoice(t *testing.T) {
	ours := provider.Voice{Name: "ours", Rate: 1.2}
	german := map[string]string{"de": "greta", "de-AT": "resi"}
	for name, tt := range map[string]struct {
		mouth  policy.Mouth
		second bool // it stands behind another
		asked  provider.Voice
		want   provider.Voice
	}{
		"nothing is set":                  {policy.Mouth{}, false, provider.Voice{Name: "asked", Language: "en"}, provider.Voice{Name: "asked", Language: "en"}},
		"its own where none is asked for": {policy.Mouth{Voice: ours}, false, provider.Voice{Language: "en"}, provider.Voice{Name: "ours", Language: "en", Rate: 1.2}},
		"the asked one is the first's":    {policy.Mouth{Voice: ours}, false, provider.Voice{Name: "asked"}, provider.Voice{Name: "asked", Rate: 1.2}},
		"and not the second's":            {policy.Mouth{Voice: ours}, true, provider.Voice{Name: "asked"}, provider.Voice{Name: "ours", Rate: 1.2}},
		"whose default it is":             {policy.Mouth{}, true, provider.Voice{Name: "asked"}, provider.Voice{}},
		"one of the language":             {policy.Mouth{Voice: ours, Voices: german}, true, provider.Voice{Language: "de-DE"}, provider.Voice{Name: "greta", Language: "de-DE", Rate: 1.2}},
		"one of the region":               {policy.Mouth{Voices: german}, false, provider.Voice{Name: "asked", Language: "de-AT"}, provider.Voice{Name: "resi", Language: "de-AT"}},
		"none of the language":            {policy.Mouth{Voices: german}, false, provider.Voice{Language: "fr"}, provider.Voice{Language: "fr"}},
		"a language of its own":           {policy.Mouth{Voice: provider.Voice{Language: "de"}, Voices: german}, false, provider.Voice{Language: "en"}, provider.Voice{Name: "greta", Language: "de"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := &opener{fails: fault.Unavailable}
			tt.mouth.Synthesizer = o
			list := []policy.Mouth{tt.mouth}
			if tt.second {
				list = append([]policy.Mouth{{Synthesizer: &opener{fails: fault.Unavailable}}}, list...)
			}
			if _, err := policy.Mouths(list, policy.LineOptions{}).Open(t.Context(), tt.asked); err == nil {
				t.Fatal("it opened")
			}
			if len(o.voices) != 1 || o.voices[0] != tt.want {
				t.Errorf("asked for %+v, not %+v", o.voices, tt.want)
			}
		})
	}
}

// TestARecogniserMayHaveALanguageOfItsOwn shows that one which knows several at a
// time is told so, whatever the conversation is held in.
func TestARecogniserMayHaveALanguageOfItsOwn(t *testing.T) {
	a, b := &opener{fails: fault.Unavailable}, &opener{fails: fault.Unavailable}
	e := policy.Ears([]policy.Ear{{Transcriber: heardBy{a}, Language: "multi"}, {Transcriber: heardBy{b}}}, policy.LineOptions{})
	_, _ = e.Open(t.Context(), provider.Format{Language: "de"}) // both fail
	if fmt.Sprint(a.languages, b.languages) != "[multi] [de]" {
		t.Errorf("%v and %v", a.languages, b.languages)
	}
}

// TestWhoWasOpenedInWhosePlace tells of each opening whose place it takes: of
// those before it that rest, the one that failed last; nobody's once it is well.
func TestWhoWasOpenedInWhosePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := map[string]*opener{"a": {}, "b": {}, "c": {}}
		var fell []string
		e := policy.Ears([]policy.Ear{{Name: "a", Transcriber: heardBy{all["a"]}}, {Name: "b", Transcriber: heardBy{all["b"]}}, {Name: "c", Transcriber: heardBy{all["c"]}}},
			policy.LineOptions{Rest: 10 * time.Second, Fell: func(from, to string) { fell = append(fell, from+">"+to) }})
		open := func(want string) {
			t.Helper()
			fell = nil
			s, err := e.Open(t.Context(), provider.Format{})
			if err != nil {
				t.Fatal(err)
			}
			n, _ := s.(policy.Named)
			from, why := n.Instead()
			if got := from + ">" + n.Provider(); got != want || (from != "") != (len(fell) == 1 && fell[0] == want) || (from != "") != (why != nil) {
				t.Errorf("opened %s (%v), told %v, not %s", got, why, fell, want)
			}
		}
		open(">a")
		all["a"].fails = fmt.Errorf("a: %w", fault.Denied)
		open("a>b")
		time.Sleep(time.Second)
		all["b"].fails = fmt.Errorf("b: %w", fault.Unavailable)
		open("b>c")
		all["a"].fails, all["b"].fails = nil, nil
		open("b>c") // both rest
		time.Sleep(20 * time.Second)
		open(">a")
	})
}
