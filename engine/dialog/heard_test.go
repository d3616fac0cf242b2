package dialog

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/provider"
)

// timed gives every word of a spoken text 300 ms, one after the other.
func timed(text string) []provider.Word {
	var out []provider.Word
	for i, w := range strings.Fields(text) {
		at := time.Duration(i) * 300 * time.Millisecond
		out = append(out, provider.Word{Text: w, Start: at, End: at + 300*time.Millisecond})
	}
	return out
}

func TestHeardKeepsWhatTheCallerHeard(t *testing.T) {
	fee := Spoken{Text: "The fee is $1,250.50, which is due on March 3, 2026.", Words: timed("the fee is one thousand two hundred fifty dollars and fifty cents which is due on march third twenty twenty six")}
	for name, c := range map[string]struct {
		clause Spoken
		words  float64 // of 300 ms
		want   string
	}{
		"nothing":                  {fee, 0, ""},
		"less than half a word":    {fee, 0.4, ""},
		"more than half a word":    {fee, 0.6, "The"},
		"before the amount":        {fee, 3, "The fee is"},
		"within the amount":        {fee, 6, "The fee is one thousand two"},
		"the whole amount":         {fee, 12, "The fee is $1,250.50,"},
		"after the amount":         {fee, 14, "The fee is $1,250.50, which is"},
		"within the date":          {fee, 18, "The fee is $1,250.50, which is due on March 3,"},
		"all but the end":          {fee, 20, "The fee is $1,250.50, which is due on March 3, twenty twenty"},
		"all":                      {fee, 21, fee.Text},
		"a word that comes twice":  {Spoken{Text: "It costs $5.50 and lasts and lasts.", Words: timed("it costs five dollars and fifty cents and lasts and lasts")}, 7, "It costs $5.50"},
		"and before the amount":    {Spoken{Text: "salt and $5.50 more", Words: timed("salt and five dollars and fifty cents more")}, 4, "salt and five dollars"},
		"a dash that has no sound": {Spoken{Text: "two cards — Basic and Premium", Words: timed("two cards basic and premium")}, 2, "two cards"},
		"a dash between words":     {Spoken{Text: "two cards — Basic and Premium", Words: timed("two cards basic and premium")}, 3, "two cards — Basic"},
		"an address":               {Spoken{Text: "Write to a.b@bank.example today.", Words: timed("write to a dot b at bank dot example today")}, 9, "Write to a.b@bank.example"},
		"an abbreviation":          {Spoken{Text: "Ask Mr. Smith, e.g. today.", Words: timed("ask mister smith for example today")}, 5, "Ask Mr. Smith, e.g."},
		"no times of words":        {Spoken{Text: "aaaa bbbb cccc dddd", Length: 1200 * time.Millisecond}, 2, "aaaa bbbb"},
		"neither times nor length": {Spoken{Text: "aaaa bbbb cccc dddd"}, 2, "aaaa bbbb"},
		"nothing in common":        {Spoken{Text: "1 2", Words: timed("uno dos")}, 1, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			c.clause.Played = time.Duration(c.words * 300 * float64(time.Millisecond))
			require.Equal(t, c.want, Heard([]Spoken{c.clause}))
		})
	}
}

func TestHeardStopsAtTheClauseThatBrokeOff(t *testing.T) {
	clauses := []Spoken{
		{Text: "One two.", Words: timed("one two"), Length: 700 * time.Millisecond},
		{Text: "Three four.", Words: timed("three four"), Length: 700 * time.Millisecond},
		{Text: "Five.", Words: timed("five")},
	}
	for played, want := range map[time.Duration]string{
		0:                       "",
		300 * time.Millisecond:  "One",
		700 * time.Millisecond:  "One two.",
		1100 * time.Millisecond: "One two. Three",
		1400 * time.Millisecond: "One two. Three four.",
		9 * time.Second:         "One two. Three four. Five.",
	} {
		require.Equal(t, want, Heard(Position(clauses, played)), played)
	}
}

// The interrupted line is to last, synthesised again, as long as what was
// heard: at 300 ms a word the cut may be off by half a word.
func TestHeardLastsAsLongAsWasPlayed(t *testing.T) {
	written := []string{"The", "fee", "is", "$1,250.50,", "or", "€1.50", "a", "day,", "until", "March", "3,", "2026.", "Call", "+49", "30", "1234."}
	said := []string{
		"the", "fee", "is", "one thousand two hundred fifty dollars and fifty cents", "or", "one euro and fifty cents", "a", "day",
		"until", "march", "third", "twenty twenty six", "call", "plus four nine", "three zero", "one two three four",
	}
	pairs := make([]string, 0, 2*len(written))
	for i, w := range written {
		pairs = append(pairs, w, said[i])
	}
	again := strings.NewReplacer(pairs...)
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, len(written)-2).Draw(t, "from")
		to := rapid.IntRange(from+1, len(written)).Draw(t, "to")
		c := Spoken{Text: Join(written[from:to]), Words: timed(Join(said[from:to]))}
		c.Played = time.Duration(rapid.IntRange(1, 300*len(c.Words)).Draw(t, "played ms")) * time.Millisecond
		heard := Heard([]Spoken{c})
		lasts := time.Duration(len(strings.Fields(again.Replace(heard)))) * 300 * time.Millisecond
		require.InDelta(t, c.Played.Seconds(), lasts.Seconds(), 0.151, "%q of %q", heard, c.Text)
	})
}

func TestHeardIsAlwaysABeginning(t *testing.T) {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("abc1.,—")), 1, 5, -1)
	rapid.Check(t, func(t *rapid.T) {
		c := Spoken{
			Text:   strings.Join(rapid.SliceOfN(word, 0, 12).Draw(t, "written"), " "),
			Words:  timed(strings.Join(rapid.SliceOfN(word, 0, 12).Draw(t, "spoken"), " ")),
			Played: time.Duration(rapid.IntRange(-1, 5000).Draw(t, "played")) * time.Millisecond,
		}
		less, more := c, c
		more.Played += 300 * time.Millisecond
		require.LessOrEqual(t, len(strings.Fields(Heard([]Spoken{less}))), max(len(c.Words), len(strings.Fields(c.Text)))+len(c.Words))
		if c.Played > c.length() {
			require.Equal(t, c.Text, Heard([]Spoken{more}))
		}
	})
}
