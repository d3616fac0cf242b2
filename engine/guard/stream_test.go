package guard

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/knowledge/lexis"
)

// play pushes a reply in pieces and joins what came through.
func play(st *Stream, pieces []string) (text string, hits []Hit, last Verdict) {
	for _, p := range append(pieces, "") {
		v := st.Push(p)
		text += v.Text
		hits = append(hits, v.Hits...)
		if v.Action.stops() {
			last = v
		}
	}
	v := st.Close()
	if v.Action.stops() {
		last = v
	}
	return text + v.Text, append(hits, v.Hits...), last
}

// bytesOf cuts a text into pieces of n bytes, characters torn apart where they are longer.
func bytesOf(text string, n int) []string {
	var out []string
	for i := 0; i < len(text); i += n {
		out = append(out, text[i:min(len(text), i+n)])
	}
	return out
}

func TestAStreamReleasesTheWholeReply(t *testing.T) {
	s := set(t, Rule{Name: "ground", On: Output, Check: Grounding, Action: Flag})
	text := "With Basic Debit it costs €5. Доставка занимает пять дней. 送料は無料です。 नमस्ते! 👩‍👩‍👧 Call 0800 123 4567; we are here. "
	for n := 1; n < 40; n++ {
		got, _, last := play(s.Stream(jan()), bytesOf(text, n))
		require.Equal(t, text, got, "in pieces of %d bytes", n)
		require.Empty(t, last)
	}
}

func TestNothingLeaksByACutBetweenTwoPieces(t *testing.T) {
	for name, hit := range map[string]string{
		"a value":       key,
		"apart":         strings.Join(strings.Split(key, ""), " "),
		"a key":         "sk-proj-aB3dE5fG7hJ9kL1mN3pQ5",
		"a bearer":      "Bearer 9f8e7d6c5b4a39281706",
		"a private key": "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE",
		"a card":        "5500 0055 5555 5559",
		"an account":    "GB29 NWBK 6016 1331 9268 19",
		"an address":    "eva.sommer@post.example",
		"a number":      "+49 170 8765 4321",
	} {
		t.Run(name, func(t *testing.T) {
			s := set(t)
			text := "I found it: " + hit + " and more."
			for n := 1; n < len(hit)+15; n++ {
				got, _, last := play(s.Stream(jan()), bytesOf(text, n))
				require.Equal(t, Block, last.Action, "in pieces of %d", n)
				require.True(t, strings.HasPrefix("I found it: ", got), "in pieces of %d: %q is out", n, got)
			}
		})
	}
}

func TestAStreamRedactsAcrossPieces(t *testing.T) {
	s := set(t,
		Rule{Name: "project", On: Output, Check: Regex, Values: []string{`(?i)\bproject\s+blue\s*bird\b`, `X\d{2,4}Y`}, Action: Mask},
		Rule{Name: "long", On: Output, Check: MaxLength, Values: []string{"60"}, Action: Mask},
	)
	text := "The Project  Blue Bird, X123Y and X12345Y, is ours. All of this is cut away."
	want := "The [removed], [removed] and X12345Y, is ours. All of t"
	for n := 1; n < len(text); n++ {
		got, hits, last := play(s.Stream(jan()), bytesOf(text, n))
		require.Equal(t, want, got, "in pieces of %d", n)
		require.Len(t, hits, 3)
		require.Empty(t, last)
	}
}

func TestAStreamEndsWhereARuleSaysSo(t *testing.T) {
	s := set(t, Rule{Name: "advice", On: Output, Check: Topics, Values: []string{"legal advice"}, Action: Replace, Message: "I cannot advise on that."})
	for n := 1; n < 30; n++ {
		st := s.Stream(jan())
		got, _, last := play(st, bytesOf("The card is free. My legal advice is to wait. And more. ", n))
		require.Equal(t, Replace, last.Action)
		require.True(t, strings.HasSuffix(got, "I cannot advise on that."), got)
		require.NotContains(t, got, "wait")
		require.NotContains(t, got, "legal")
		require.True(t, st.Over())
		require.Equal(t, Verdict{}, st.Push("more"))
		require.Equal(t, Verdict{}, st.Close())
	}
}

func TestAStreamWaitsForTheClassifier(t *testing.T) {
	s := set(t, Rule{Name: "promises", On: Output, Check: LLM, Values: []string{"It promises money."}, Action: Block})
	st := s.Stream(jan())
	require.Empty(t, st.Push("You get it back. ").Text)
	require.Empty(t, st.Push("All of it.").Text)
	v := st.Close()
	require.Len(t, v.Asks, 1)
	require.Equal(t, "You get it back. All of it.", v.Text)
	require.Equal(t, "You get it back. All of it.", v.Judged([]string{`{"hit":false}`}).Text)
	require.Empty(t, v.Judged([]string{`{"hit":true}`}).Text)
}

func TestAReplyWithoutBlanksIsStopped(t *testing.T) {
	st := set(t).Stream(jan())
	var last Verdict
	for range 200 {
		last = st.Push(strings.Repeat("x", 100))
		if last.Action != Pass {
			break
		}
	}
	require.Equal(t, AlwaysBounded, last.Rule)
	require.True(t, st.Over())
}

func TestAnExpressionWithoutBoundsHoldsABoundedTail(t *testing.T) {
	s := set(t, Rule{Name: "all", On: Output, Check: Regex, Values: []string{`(?s)alpha .*omega`}, Action: Block})
	st := s.Stream(jan())
	out := 0
	for range 500 {
		out += len(st.Push("alpha beta gamma delta ").Text)
	}
	require.Greater(t, out, 500*20-maxHold)
	require.Equal(t, Block, func() Action { st.Push("omega "); return st.Close().Action }())
}

// What an expression finds in a whole text, a stream finds too, and lets none of
// it out, wherever the text is cut.
func TestExpressionsInStreamsAgreeWithWholeTexts(t *testing.T) {
	words := lexis.New()
	exprs := []string{`ab+c`, `\bno\b`, `(a|bc){2,3}d`, `x[0-9]{1,3}y?z`, `(?i)Hello\s+World`, `^begin`, `e(f(g(h)?)?)?i`, `a.c`, `[^ ]k$`}
	rapid.Check(t, func(rt *rapid.T) {
		expr := rapid.SampledFrom(exprs).Draw(rt, "expr")
		text := rapid.StringOfN(rapid.SampledFrom([]rune("abcdefghikxyz019 no HelloWorld\nbegin")), 0, 60, -1).Draw(rt, "text")
		s, err := New([]Rule{{Name: "r", On: Output, Check: Regex, Values: []string{expr}, Action: Mask}}, Options{Lexicon: words})
		if err != nil {
			rt.Fatal(err)
		}
		want := s.Check(Output, text, Scene{}).Text
		st := s.Stream(Scene{})
		var pieces []string
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "n")
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		if got, _, _ := play(st, pieces); got != want {
			rt.Fatalf("expression %q, pieces %q: got %q, want %q", expr, pieces, got, want)
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add("Hello, the key is "+key+" and more.", uint8(3))
	f.Add("k7Qz 93bf Tw Lm20 vex", uint8(1))
	f.Add("half of it: k7Qz-93bfTw-Lm2, and it is 0-vexDorp-Hy58", uint8(2))
	f.Add("5500 0055 5555 5559 \xff\xfe €", uint8(5))
	f.Add("see https://bank.example/forms and -----BEGIN ", uint8(4))
	s, err := New(nil, Options{Secrets: []string{key}})
	if err != nil {
		f.Fatal(err)
	}
	secret := string(bareOf(key).text)
	f.Fuzz(func(t *testing.T, text string, n uint8) {
		st := s.Stream(Scene{})
		text = strings.ToValidUTF8(text, "?")
		said, rest := "", text
		changed := false // something was masked or stopped
		for rest != "" && !st.Over() {
			k := min(len(rest), int(n%16)+1)
			v := st.Push(rest[:k])
			rest = rest[k:]
			said += v.Text
			changed = changed || v.Action != Pass
			if pushed := text[:len(text)-len(rest)]; !changed && said+st.buf[st.done:]+st.tail != pushed {
				t.Fatalf("released %q and held %q are not %q", said, st.buf[st.done:], pushed)
			}
		}
		v := st.Close()
		said += v.Text
		if changed = changed || v.Action != Pass; !changed && said != text {
			t.Fatalf("released %q of %q", said, text)
		}
		out := string(bareOf(said).text)
		for i := 0; i+len(secret)/2 <= len(secret); i++ {
			if strings.Contains(out, secret[i:i+len(secret)/2]) {
				t.Fatalf("a piece of the secret is out: %q", said)
			}
		}
	})
}
