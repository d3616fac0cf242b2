package located

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
)

// show writes a node with the places of its parts.
func show(n Node) string {
	here := fmt.Sprintf("%d:%d", n.Line, n.Col)
	switch n.Kind {
	case Text:
		return fmt.Sprintf("%s %q", here, n.Text)
	case List:
		var items []string
		for _, i := range n.Items {
			items = append(items, show(i))
		}
		return here + " [" + strings.Join(items, ", ") + "]"
	case Map:
		var pairs []string
		for _, p := range n.Pairs {
			pairs = append(pairs, show(p.Key)+": "+show(p.Value))
		}
		return here + " {" + strings.Join(pairs, ", ") + "}"
	case Absent:
	}
	return here + " nothing"
}

func TestParseRemembersWhereThingsStand(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":              {"", "0:0 nothing"},
		"comment":            {"# only", "0:0 nothing"},
		"map":                {"a: 1\nb: True\n", `1:1 {1:1 "a": 1:4 "1", 2:1 "b": 2:4 "True"}`},
		"list":               {"- x\n-  'y'\n", `1:1 [1:3 "x", 2:4 "y"]`},
		"nothing after a":    {"a:\nb: ~\n", `1:1 {1:1 "a": 1:3 nothing, 2:1 "b": 2:4 nothing}`},
		"block":              {"a: |\n  one\n  two\n", `1:1 {1:1 "a": 1:4 "one\ntwo\n"}`},
		"folded":             {"a: >\n  one\n  two\n", `1:1 {1:1 "a": 1:4 "one two\n"}`},
		"numbers as written": {"[007, 0x1F, 1e3, .inf, 2026-01-02]", `1:1 [1:2 "007", 1:7 "0x1F", 1:13 "1e3", 1:18 ".inf", 1:24 "2026-01-02"]`},
		"alias":              {"a: &x {k: v}\nb: *x\n", `1:1 {1:1 "a": 1:7 {1:8 "k": 1:11 "v"}, 2:1 "b": 1:7 {1:8 "k": 1:11 "v"}}`},
		"merge":              {"a: &x {k: v, l: w}\nb:\n  l: mine\n  <<: *x\n", `1:1 {1:1 "a": 1:7 {1:8 "k": 1:11 "v", 1:14 "l": 1:17 "w"}, 2:1 "b": 3:3 {3:3 "l": 3:6 "mine", 1:8 "k": 1:11 "v"}}`},
		"tag":                {"a: !!str 5\n", `1:1 {1:1 "a": 1:9 "5"}`},
		"byte order mark":    {"\ufeffa: 1", `1:1 {1:1 "a": 1:4 "1"}`},
		"carriage returns":   {"a: 1\r\nb: 2\r\n", `1:1 {1:1 "a": 1:4 "1", 2:1 "b": 2:4 "2"}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReport("file")
			n := Parse([]byte(c.text), r)
			require.NoError(t, r.Err())
			require.Equal(t, c.want, show(n))
		})
	}
}

func TestParseSaysWhereAFaultIs(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"key twice":       {"a: 1\na: 2\n", `file 2:1: mapping key "a" already defined at [1:1]`},
		"tab":             {"a:\n\t- b", "file 2:1: a tab stands here: YAML is indented with blanks, two a level"},
		"open quote":      {"a: 'x\n", "file 1:4: could not find end character of single-quoted text"},
		"open bracket":    {"a: [1, 2\nb: 3\n", "file 2:1: ',' or ']' must be specified"},
		"no UTF-8":        {"a: é\nb: \xff", "file 2:4: this is not UTF-8 text"},
		"zero byte":       {"a: \x00", "file 1:4: this is not UTF-8 text"},
		"unknown alias":   {"a: *x", "file 1:4: alias *x names no anchor that stands before it"},
		"alias of itself": {"a: &x [*x]", "file 1:8: alias *x names no anchor that stands before it"},
		"two documents":   {"a: 1\n---\nb: 2\n", "file 3:2: a second document begins here; there may be one"},
		"key of a list":   {"? [a]\n: 1\n", "file 2:1: found an invalid key for this map"},
		"deep flow":       {strings.Repeat("[", 100_000), "file 1:65: nested deeper than 64 levels"},
		"deep list":       {strings.Repeat("- ", 100_000), "file 1:129: nested deeper than 64 levels"},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReport("file")
			Parse([]byte(c.text), r)
			require.EqualError(t, r.Err(), c.want)
			require.ErrorIs(t, r.Err(), fault.Invalid)
		})
	}
}

func TestAFewLinesCannotMeanMillions(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 20; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	r := NewReport("file")
	Parse([]byte(b.String()), r)
	require.ErrorContains(t, r.Err(), "more than 200000 values")
}

func TestUnfoldPlacesWhatIsInsideABlock(t *testing.T) {
	r := NewReport("file")
	n := Parse([]byte("top: 1\nlist: |\n  - a: 1\n    b: |\n      - deep\n  - c\n"), r)
	inner := Unfold(n.Get("list"), r)
	require.NoError(t, r.Err())
	require.Equal(t, `3:3 [3:5 {3:5 "a": 3:8 "1", 4:5 "b": 4:8 "- deep\n"}, 6:5 "c"]`, show(inner))
	require.Equal(t, `5:7 [5:9 "deep"]`, show(Unfold(inner.Items[0].Get("b"), r)))

	Unfold(Parse([]byte("top: 1\nlist: |\n  - a: 1\n    a: 2\n"), r).Get("list"), r)
	require.EqualError(t, r.Err(), `file 4:5: mapping key "a" already defined at [1:3]`)
}

func TestUnfoldOfAnAliasTwice(t *testing.T) {
	r := NewReport("file")
	n := Unfold(Parse([]byte("a: |\n  - &x [k]\n  - *x\n"), r).Get("a"), r)
	require.NoError(t, r.Err())
	require.Equal(t, `2:3 [2:8 [2:9 "k"], 2:8 [2:9 "k"]]`, show(n))
}

func TestReportTellsEverythingOnceInOrder(t *testing.T) {
	r := NewReport("file")
	require.NoError(t, r.Err())
	r.Fault(Node{Line: 9, Col: 2}, "late")
	r.Fault(Node{Line: 1, Col: 5}, "early")
	r.Fault(Node{Line: 1, Col: 5}, "early")
	r.Warn(Node{}, "somewhere")
	require.EqualError(t, r.Err(), "file 1:5: early\nfile 9:2: late")
	require.Equal(t, []Note{{1, 1, "somewhere"}}, r.Warnings())
	var f *Faults
	require.True(t, errors.As(r.Err(), &f))
	require.Equal(t, Note{1, 5, "early"}, f.Notes[0])
	for i := range 1000 {
		r.Fault(Node{Line: i + 1}, "x")
	}
	require.Len(t, func() *Faults {
		target := &Faults{}
		_ = errors.As(r.Err(), &target)
		return target
	}().Notes, maxNotes)
}

func TestReaders(t *testing.T) {
	read := func(text string, with func(*Report) func(Node)) error {
		r := NewReport("file")
		with(r)(Parse([]byte(text), r))
		return r.Err()
	}
	var s string
	var ss []string
	var b bool
	var i int
	str := func(r *Report) func(Node) { return r.String("name", 3, &s) }
	strs := func(r *Report) func(Node) { return r.Strings("names", 3, &ss) }
	boolean := func(r *Report) func(Node) { return r.Bool("flag", &b) }
	number := func(r *Report) func(Node) { return r.Int("count", 1, 9, &i) }

	require.NoError(t, read("' ab '", str))
	require.Equal(t, "ab", s)
	require.EqualError(t, read("abcd", str), "file 1:1: name has 4 characters; 3 are allowed")
	require.NoError(t, read("äöü", str), "characters are counted, not bytes")
	require.EqualError(t, read("[a]", str), "file 1:1: name must be a text, this is a list")
	require.NoError(t, read("[a, b]", strs))
	require.NoError(t, read("c", strs))
	require.Equal(t, []string{"a", "b", "c"}, ss)
	require.EqualError(t, read("{a: b}", strs), "file 1:1: names must be a list, this is a mapping")
	require.NoError(t, read("True", boolean))
	require.True(t, b)
	require.EqualError(t, read("perhaps", boolean), `file 1:1: flag must be true or false, this is "perhaps"`)
	require.NoError(t, read("7", number))
	require.Equal(t, 7, i)
	for _, wrong := range []string{"0", "10", "1.5", "x", "[1]"} {
		require.ErrorContains(t, read(wrong, number), "count must be a whole number from 1 to 9")
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"description", "transitions", "name"}
	require.Equal(t, `, did you mean "description"?`, Suggest("desciption", known))
	require.Equal(t, `, did you mean "transitions"?`, Suggest("Transition", known))
	require.Empty(t, Suggest("colour", known))
	require.Empty(t, Suggest(strings.Repeat("x", 5000), known))
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"a: 1", "- &a [b]\n- *a", "a: |\n  b: [c", "? x\n: y", "<<: {a: 1}", "!!map {a: b}", "%YAML 1.2\n---\na: 1", "\t", "a: >-\n\n  x", "{", "- - -", "*", "&a", "\"\\u00", "a: !", "? ", "!!x !!y",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReport("file")
		n := Parse(b, r)
		n = Unfold(n, r)
		again := NewReport("file")
		if m := Unfold(Parse(b, again), again); show(m) != show(n) {
			t.Fatalf("%q reads as %s and as %s", b, show(n), show(m))
		}
		for _, note := range append(r.Warnings(), r.faults...) {
			if note.Line < 1 || note.Col < 1 {
				t.Fatalf("%q: a fault stands nowhere: %v", b, note)
			}
		}
	})
}

func TestJSONKeepsNumbersAndTexts(t *testing.T) {
	r := NewReport("file")
	n := Parse([]byte("a: 1\nb: \"1\"\nc: [true, 'true', yes, ~, -1.5, 0x10, 1_000, +3, .5, 1e999999999999999999999999999999999999999999, 2026-01-01]\nd: {e: \"x\\n\"}\n\"q\\\"\": é\n"), r)
	require.NoError(t, r.Err())
	require.Equal(t, `{"a":1,"b":"1","c":[true,"true","yes",null,-1.5,16,1000,3,".5","1e999999999999999999999999999999999999999999","2026-01-01"],"d":{"e":"x\n"},"q\"":"é"}`, string(n.JSON()))
	require.Equal(t, "null", string(Node{}.JSON()))
}

func TestWithinFindsAPlaceInsideAText(t *testing.T) {
	const text = "plain: ä x\nquoted: \"ab\"\nblock: |\n    one\n      two\nfolded: >\n  a\n  b\n"
	r := NewReport("file")
	n := Parse([]byte(text), r)
	require.NoError(t, r.Err())
	for _, c := range []struct {
		key, word, want string
	}{
		{"plain", "x", "1:10"},
		{"quoted", "b", "2:11"},
		{"block", "one", "4:5"},
		{"block", "two", "5:7"},
		{"folded", "a", "6:9"},
	} {
		v := n.Get(c.key)
		at := v.Within(strings.Index(v.Text, c.word))
		require.Equal(t, c.want, fmt.Sprintf("%d:%d", at.Line, at.Col), c.key+" "+c.word)
	}
	require.Equal(t, Node{Line: 1, Col: 1}, Node{Line: 1, Col: 1, Text: "a"}.Within(-3))
	n.Get("plain").Within(99) // beyond the end is the end
}
