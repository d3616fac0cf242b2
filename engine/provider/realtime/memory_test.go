package realtime

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"flametree/engine/provider"
)

func user(text string) provider.Message {
	return provider.Message{Role: provider.RoleUser, Text: text}
}

func agent(text string) provider.Message {
	return provider.Message{Role: provider.RoleAssistant, Text: text}
}

// TestSince finds what is new in a conversation of which the oldest has gone.
func TestSince(t *testing.T) {
	call := provider.Message{Role: provider.RoleAssistant, Text: "Let me see.", Calls: []provider.ToolCall{{ID: "1"}}}
	bare := call
	bare.Text = ""
	for name, x := range map[string]struct {
		before, now []provider.Message
		fresh       int
		ok          bool
	}{
		"nothing was told":                 {nil, []provider.Message{user("a")}, 1, true},
		"a line more":                      {[]provider.Message{user("a")}, []provider.Message{user("a"), agent("b")}, 1, true},
		"the oldest has gone":              {[]provider.Message{user("a"), agent("b")}, []provider.Message{agent("b"), user("c")}, 1, true},
		"nothing new":                      {[]provider.Message{user("a")}, []provider.Message{user("a")}, 0, true},
		"another conversation":             {[]provider.Message{user("a")}, []provider.Message{user("b")}, 1, false},
		"the past was changed":             {[]provider.Message{user("a"), agent("b")}, []provider.Message{user("a"), agent("x")}, 2, false},
		"words beside a call moved on":     {[]provider.Message{user("a"), call}, []provider.Message{user("a"), bare, agent("Let me see.")}, 1, true},
		"a summary took all that was told": {[]provider.Message{user("a"), agent("b")}, nil, 0, false},
	} {
		fresh, ok := since(x.before, x.now)
		if len(fresh) != x.fresh || ok != x.ok {
			t.Errorf("%s: %d new, %v", name, len(fresh), ok)
		}
	}
}

// TestMemoryIsBroughtInLine: whatever was said, the vendor is told exactly what it
// does not know.
func TestMemoryIsBroughtInLine(t *testing.T) {
	all := Abilities{Update: true, Truncate: true, Forget: true}
	own := func(text string, cut bool) []*reply {
		return []*reply{{item: "i", text: text, pcm: []int16{1}, truncated: cut}}
	}
	cut := agent("You")
	cut.Interrupted = true
	for name, x := range map[string]struct {
		can   Abilities
		heard string
		own   []*reply
		fresh []provider.Message
		want  string
		ok    bool
	}{
		"it heard the caller itself":                {all, "Berth 4, please!", nil, []provider.Message{user("berth 4 please")}, "", true},
		"keys it did not hear":                      {all, "", nil, []provider.Message{user("[digits: 4]")}, "tell", true},
		"its own words":                             {all, "", own("You said four.", false), []provider.Message{agent("You said four.")}, "", true},
		"its own words, cut":                        {all, "", own("You said four.", true), []provider.Message{cut}, "", true},
		"its own words, cut, and it cannot":         {Abilities{}, "", own("You said four.", false), []provider.Message{cut}, "", false},
		"other words in place of its own":           {all, "", own("The code is 7.", false), []provider.Message{agent("I may not tell.")}, "forget tell", true},
		"words that nobody heard at all":            {all, "", own("You said four.", false), []provider.Message{user("well")}, "forget tell", true},
		"words of others":                           {all, "", nil, []provider.Message{agent("Welcome.")}, "tell", true},
		"a tool's answer, then the caller":          {all, "", nil, []provider.Message{{Role: provider.RoleTool}, user("x")}, "tell tell", true},
		"the same, and nothing can be taken back":   {Abilities{}, "", nil, []provider.Message{{Role: provider.RoleTool}, user("x")}, "", false},
		"an answer to a tool":                       {all, "", nil, []provider.Message{{Role: provider.RoleTool, CallID: "c"}}, "tell", true},
		"a claim to have been heard in full":        {all, "", own("You said four.", true), []provider.Message{agent("You said four.")}, "forget tell", true},
		"nothing was said and nothing is forgotten": {Abilities{}, "", []*reply{{}}, []provider.Message{user("x")}, "tell", true},
	} {
		m := memory{can: x.can, heard: x.heard, own: x.own}
		ok := m.catchUp(x.fresh)
		var did []string
		for _, c := range m.out {
			switch c.(type) {
			case Tell:
				did = append(did, "tell")
			case Forget:
				did = append(did, "forget")
			default:
				did = append(did, "?")
			}
		}
		if got := strings.Join(did, " "); ok != x.ok || ok && got != x.want {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
}

// TestWhatPassesIsNoBrief: what is true for one reply does not change the brief,
// and the minute changes nothing.
func TestWhatPassesIsNoBrief(t *testing.T) {
	req := func(parts ...provider.Part) provider.Request { return provider.Request{System: parts} }
	rules := provider.Part{Kind: provider.PartRules, Text: "Be brief."}
	a, first := briefOf(req(rules, provider.Part{Kind: provider.PartParameters, Text: "now: Monday 10:00\nname: Ann"}))
	b, then := briefOf(req(rules, provider.Part{Kind: provider.PartKnowledge, Text: "x"}, provider.Part{Kind: provider.PartParameters, Text: "now: Monday 10:01\nname: Ann"}))
	if !a.equal(b) || timeless(first) == timeless(then) || first == "" {
		t.Errorf("%+v, %+v", a, b)
	}
	_, later := briefOf(req(rules, provider.Part{Kind: provider.PartParameters, Text: "now: Monday 10:01\nname: Ann"}))
	if timeless(first) != timeless(later) {
		t.Error("a minute later it is something else")
	}
}

// TestClausesFollowEachOther: however a reply is cut into clauses and whatever its
// sound, the clauses' sound is all of it, in order, once.
func TestClausesFollowEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,9}`), 1, 20).Draw(t, "words")
		text := strings.Join(words, " ")
		pcm := rapid.SliceOfN(rapid.Int16(), 1, 4000).Draw(t, "pcm")
		c := &Call{pace: usualPace, wake: make(chan struct{})}
		r := &reply{text: text, pcm: pcm, done: true}
		c.replies = []*reply{r}
		m := &mouth{c: c}
		var got []int16
		for len(words) > 0 {
			n := rapid.IntRange(1, len(words)).Draw(t, "n")
			q := clause{text: strings.Join(words[:n], " "), gen: 1, id: 1}
			words = words[n:]
			found, from, to := c.find(q.text)
			if found != r {
				t.Fatalf("%q is not found in %q", q.text, text)
			}
			for first, more := true, true; more; first = false {
				a, state, _ := m.cut(q, r, [2]int{from, to}, first)
				if state != going {
					t.Fatalf("state %d", state)
				}
				got, more = append(got, a.PCM...), !a.Last
				if more && len(a.PCM) == 0 {
					t.Fatal("it waits for sound that is there")
				}
			}
		}
		if len(got) != len(pcm) {
			t.Fatalf("%d samples of %d", len(got), len(pcm))
		}
		for i := range got {
			if got[i] != pcm[i] {
				t.Fatalf("another sample at %d", i)
			}
		}
	})
}

// TestQuietest finds the pause between two words near to where it is expected.
func TestQuietest(t *testing.T) {
	pcm := make([]int16, 2*SoundHz)
	for i := range pcm {
		pcm[i] = int16(8000 - 16000*(i/20%2))
	}
	clear(pcm[SoundHz+2000 : SoundHz+4000])
	if at := quietest(pcm, SoundHz-margin, SoundHz+margin, SoundHz); at < SoundHz+2000 || at > SoundHz+4000 {
		t.Errorf("the pause is found at %d", at)
	}
	if at := quietest(pcm, 0, 2*margin, margin); at < margin-2*frame || at > margin+2*frame {
		t.Errorf("without a pause it moves from %d to %d", margin, at)
	}
}
