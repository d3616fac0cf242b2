package speech

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"How do I block my card?":       "how do i block my card",
		"  It's   5 o'clock...  ":       "it's 5 o'clock",
		"3.5 % of -7":                   "3.5 % of -7",
		"¿Qué? «да» — нет!":             "qué да нет",
		"a@b.example, I said (loudly).": "a@b.example i said loudly",
		"- , .":                         "",
	} {
		if got := Plain(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestTerms(t *testing.T) {
	h := provider.Hints{
		Texts:  []string{"Ask Flametree about Zürich. The card is free; Mr. Smith-Jones knows.", "Flametree again"},
		Fields: []provider.Field{{Options: []string{"premium card", "no"}}},
	}
	if got := fmt.Sprint(Terms(h, 10)); got != "[premium card Flametree Zürich Smith-Jones]" && got != "[premium card Flametree Zürich]" {
		t.Errorf("%v", got)
	}
	if got := Terms(h, 1); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// TestUpsampler shows that a tone keeps its pitch and its level, and a level is
// kept, whatever sizes it is written in.
func TestUpsampler(t *testing.T) {
	in := make([]int16, 16000)
	for i := range in {
		in[i] = int16(10000 * math.Sin(2*math.Pi*440*float64(i)/16000))
	}
	var whole, parts Upsampler
	out := whole.Process(in)
	if len(out) != 24000 {
		t.Fatalf("%d samples", len(out))
	}
	crossings, most := 0, int16(0)
	for i := 100; i < len(out); i++ { // after the filter has settled
		if out[i-1] < 0 && out[i] >= 0 {
			crossings++
		}
		most = max(most, out[i])
	}
	if crossings < 437 || crossings > 440 || most < 9800 || most > 10200 {
		t.Errorf("%d Hz at %d", crossings, most)
	}
	var cut []int16
	for i := 0; i < len(in); i += 37 {
		cut = append(cut, parts.Process(in[i:min(i+37, len(in))])...)
	}
	for i := range out {
		if out[i] != cut[i] {
			t.Fatalf("sample %d depends on the sizes", i)
		}
	}
}

// TestEveryFinalizeGetsOneFinal plays any order of what a vendor may say, and of
// Finalize, against the book: each Finalize gets one final, no word is lost, none
// comes twice, and they keep their order.
func TestEveryFinalizeGetsOneFinal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b book
		now := time.Unix(0, 0)
		var said, heard []string
		asked, finals := 0, 0
		at, settled := time.Duration(0), time.Duration(0)
		take := func(h []provider.Hearing) {
			for _, x := range h {
				if x.Final {
					finals++
					heard = append(heard, strings.Fields(x.Text)...)
				}
			}
		}
		answer := func() { // settles all that was written
			word := fmt.Sprintf("w%d", len(said))
			said = append(said, word)
			settled = at
			take(b.take(Said{Text: word, Final: true, Until: at, Answer: true}, now))
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(10 * time.Millisecond)
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				at += time.Second
			case 1:
				fresh := int((at - settled) / time.Second * Rate)
				h, _ := b.ask(at, fresh, now)
				asked++
				take(h)
			case 2: // a stretch settled on the way
				if at > settled {
					word := fmt.Sprintf("w%d", len(said))
					said = append(said, word)
					settled += time.Second
					take(b.take(Said{Text: word, Final: true, Until: settled, EndOfTurn: true}, now))
				}
			case 3: // it repeats itself
				if len(said) > 0 {
					take(b.take(Said{Text: said[len(said)-1], Final: true, Until: settled, Answer: rapid.Bool().Draw(t, "answer")}, now))
				}
			case 4:
				take(b.take(Said{Text: "maybe"}, now))
			case 5:
				if at > settled {
					answer()
				}
			}
		}
		at += time.Second
		answer()
		take(b.rest())
		rest := b.final()
		heard = append(heard, strings.Fields(rest.Text)...)
		kept := heard[:0]
		for _, w := range heard {
			if w != "maybe" { // an interim counts where nothing better came
				kept = append(kept, w)
			}
		}
		if finals != asked {
			t.Errorf("%d finals for %d questions", finals, asked)
		}
		if got, want := strings.Join(kept, " "), strings.Join(said, " "); got != want {
			t.Errorf("heard %q, said %q", got, want)
		}
	})
}

// TestALateAnswerIsNotTheNextOnes shows that an answer which came too late does
// not answer the question after it, and that its words are not lost.
func TestALateAnswerIsNotTheNextOnes(t *testing.T) {
	var b book
	now := time.Unix(0, 0)
	b.ask(time.Second, Rate, now)
	b.take(Said{Text: "one"}, now.Add(time.Second))
	h, err := b.late(now.Add(2*time.Second), 2*time.Second, 5*time.Second)
	if err != nil || len(h) != 1 || h[0].Text != "one" || !h[0].Final {
		t.Fatalf("%+v, %v", h, err)
	}
	b.ask(2*time.Second, Rate, now.Add(3*time.Second))
	if h := b.take(Said{Text: "one more", Final: true, Answer: true}, now.Add(4*time.Second)); len(h) != 1 || h[0].Final {
		t.Errorf("the late answer gave %+v", h)
	}
	if h := b.take(Said{Text: "two", Final: true, Answer: true}, now.Add(5*time.Second)); len(h) != 1 || h[0].Text != "one more two" {
		t.Errorf("the answer gave %+v", h)
	}
}

func TestSilenceAfterFinalize(t *testing.T) {
	var b book
	now := time.Unix(0, 0)
	if _, err := b.late(now.Add(time.Hour), time.Second, 3*time.Second); err != nil {
		t.Errorf("nothing was asked: %v", err)
	}
	b.ask(time.Second, Rate, now)
	if due := b.due(time.Second, 3*time.Second); due != now.Add(3*time.Second) {
		t.Errorf("due %v", due)
	}
	if h, err := b.late(now.Add(2*time.Second), time.Second, 3*time.Second); len(h) != 0 || err != nil {
		t.Errorf("a vendor that says nothing is waited for: %+v, %v", h, err)
	}
	if _, err := b.late(now.Add(3*time.Second), time.Second, 3*time.Second); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
}

// clauseOf plays sound into a clause and gives what came out.
func clauseOf(m Manner, text string, all ...Sound) (out []provider.Audio, err error) {
	c := newClause(utterance{text: text, gen: 3, id: 4}, m, 0, func(a provider.Audio) error {
		out = append(out, a)
		return nil
	})
	for _, s := range all {
		if err := c.add(s); err != nil {
			return out, err
		}
	}
	return out, c.finish()
}

// TestSoundIsJudged shows what sound of a clause is taken for a failure.
func TestSoundIsJudged(t *testing.T) {
	const text = "the daily limit is five thousand dollars" // 40 characters
	sound := func(d time.Duration) []byte { return make([]byte, 2*int(d*Rate/time.Second)) }
	words := []provider.Word{{Text: "the", Start: 0, End: 200 * time.Millisecond}, {Text: "dollars", Start: 2 * time.Second, End: 2500 * time.Millisecond}}
	for name, x := range map[string]struct {
		text  string
		sound []Sound
		kind  fault.Kind
	}{
		"as it should be":          {text, []Sound{{PCM: sound(2600 * time.Millisecond), Words: words, Timed: true}}, ""},
		"no sound":                 {text, nil, fault.Unavailable},
		"no sound of a short word": {"yes", nil, fault.Unavailable},
		"no sound of no word":      {"...", nil, ""},
		"a click":                  {text, []Sound{{PCM: sound(100 * time.Millisecond)}}, fault.Unavailable},
		"a minute":                 {text, []Sound{{PCM: sound(time.Minute)}}, fault.Unavailable},
		"twice as fast as timed":   {text, []Sound{{PCM: sound(1300 * time.Millisecond), Words: words}}, fault.Unavailable},
		"thrice as slow as timed":  {text, []Sound{{PCM: sound(7800 * time.Millisecond), Words: words}}, fault.Unavailable},
		"another rate, told":       {text, []Sound{{PCM: sound(2600 * time.Millisecond), RateHz: 24000}}, ""},
		"no rate at all":           {text, []Sound{{PCM: sound(time.Second), RateHz: 1}}, fault.Unavailable},
		"a change of rate":         {text, []Sound{{PCM: sound(time.Second), RateHz: 16000}, {PCM: sound(time.Second), RateHz: 24000}}, fault.Unavailable},
		"sound without an end":     {text, []Sound{{PCM: sound(3 * time.Minute)}}, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := clauseOf(Manner{Vendor: "v", RateHz: Rate, Timed: true}, x.text, x.sound...)
			if fault.KindOf(err) != x.kind {
				t.Fatalf("%v, want %q", err, x.kind)
			}
			if err == nil && (len(out) == 0 || !out[len(out)-1].Last) {
				t.Errorf("%+v has no end", out)
			}
		})
	}
}

// TestSamplesAreNotTornApart shows that sound cut within a sample comes out whole.
func TestSamplesAreNotTornApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pcm := rapid.SliceOfN(rapid.Int16(), 1, 200).Draw(t, "pcm")
		rest := Bytes(pcm)
		var all []Sound
		for len(rest) > 0 {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			all, rest = append(all, Sound{PCM: rest[:n]}), rest[n:]
		}
		out, err := clauseOf(Manner{RateHz: Rate}, "hi", all...)
		if err != nil {
			t.Fatal(err)
		}
		var got []int16
		for _, a := range out {
			got = append(got, a.PCM...)
		}
		if fmt.Sprint(got) != fmt.Sprint(pcm) {
			t.Errorf("%v became %v", pcm, got)
		}
	})
}

// TestWordsAreLaidOut shows that words which are not timed yet follow at the pace
// of those that are.
func TestWordsAreLaidOut(t *testing.T) {
	m := Manner{RateHz: Rate, Timed: true}
	out, err := clauseOf(m, "one two three", Sound{
		PCM: make([]byte, 64000), Words: []provider.Word{{Text: "one", Start: 0, End: 400 * time.Millisecond}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []provider.Word{
		{Text: "one", End: 400 * time.Millisecond},
		{Text: "two", Start: 400 * time.Millisecond, End: 700 * time.Millisecond},
		{Text: "three", Start: 800 * time.Millisecond, End: 1300 * time.Millisecond},
	}
	if fmt.Sprint(out[0].Words) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", out[0].Words, want)
	}
	for _, a := range out[1:] {
		if len(a.Words) > 0 {
			t.Error("words came twice")
		}
	}
}

// TestAnEchoOfTheKey shows that a key function's own error may be had, and its
// text is kept back.
func TestAnEchoOfTheKey(t *testing.T) {
	o := Options{Key: func(context.Context) (string, error) {
		return "", fmt.Errorf("vault said sk-secret: %w", fault.Unavailable)
	}}
	_, err := o.Signed(t.Context(), wire.Outgoing{}, "Authorization", "Bearer ")
	if fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "sk-secret") {
		t.Errorf("%v", err)
	}
}
