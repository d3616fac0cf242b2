package duplextest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/realtime"
	"flametree/engine/provider/speechtest"
)

// Vendor is a connector with its server.
type Vendor struct {
	Server func() *Server
	Model  func(t testing.TB, url string) realtime.Model
}

type bench struct {
	*Talk
	server *Server
}

func (v Vendor) begin(t *testing.T, s *Server, change func(o *realtime.Options)) bench {
	t.Helper()
	return bench{Begin(t, v.Model(t, Local(t, s)), change), s}
}

// Run runs the conformance suite of speech-to-speech.
func Run(t *testing.T, v Vendor) {
	for name, test := range map[string]func(*testing.T, Vendor){
		"what is said is heard, answered and heard again": aTurn,
		"a long conversation stays on one connection":     longTalk,
		"an interrupted reply is known as it was heard":   interrupted,
		"a tool is wished for once and its answer used":   tools,
		"a tool whose caller speaks on is answered later": interruptedTool,
		"another state has other instructions and tools":  states,
		"what others said is told to the model":           others,
		"a reply that is held back has no sound":          heldBack,
		"a pause in a turn is no turn":                    pauses,
		"keys and silence are told as text":               keys,
		"a refusal leaves the agent able to talk":         refusals,
		"a connection that breaks in a reply":             breaksInReply,
		"a connection that breaks while it hears":         breaksInHearing,
		"a model that falls silent":                       silence,
		"nonsense is no answer":                           nonsense,
		"a cancelled reply does not answer the next turn": cancelled,
		"troubles at any place":                           anywhere,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

// read is sound at 24 kHz as text.
func read(pcm []int16) string {
	l := speechtest.NewListener(24000, speechtest.Voiced)
	l.Hear(pcm)
	return strings.Join(strings.FieldsFunc(l.Text(), func(r rune) bool { return r == ' ' || r == '\'' }), " ")
}

func aTurn(t *testing.T, v Vendor) {
	k := v.begin(t, v.Server(), nil)
	if heard, ok := k.Say("is berth four free"); !ok || heard != "is berth four free" {
		t.Fatalf("heard %q, %v", heard, ok)
	}
	a := k.Ask(provider.Message{Role: provider.RoleUser, Text: "is berth four free"})
	if a.Text != "You said is berth four free." || a.Err != nil || a.Usage != (provider.Usage{Input: 7, Output: 9, SoundIn: 4, SoundOut: 8}) {
		t.Fatalf("answered %+v", a)
	}
	if len(a.Tries) != 1 || a.Tries[0].Fault != "" {
		t.Errorf("tries %+v", a.Tries)
	}
	if got := read(k.Speak(a.Gen, "You said is berth", "four free.")); got != "you said is berth four free" {
		t.Errorf("sounded %q", got)
	}
	if said := k.Ord.Said(); len(said) > 0 {
		t.Errorf("the ordinary voice said %q", said)
	}
	asked := k.server.Asked()
	if len(asked) != 1 || !strings.Contains(asked[0].System, "Say hello.") || strings.Contains(asked[0].System, "Berth 4") || !strings.Contains(asked[0].Extra, "Berth 4 is free.") {
		t.Errorf("asked with %+v", asked)
	}
}

func longTalk(t *testing.T, v Vendor) {
	k := v.begin(t, v.Server(), nil)
	for i := range 12 {
		word := string(rune('a'+i)) + " one two"
		if a := k.Turn(word); a.Text != "You said "+word+"." {
			t.Fatalf("turn %d: %+v", i, a)
		}
	}
	if n := k.server.Opened(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if m := k.server.Memory(); len(m) != 24 {
		t.Errorf("the vendor remembers %d lines of 24: %q", len(m), m)
	}
	if k.Ord.Heard()+k.Ord.Asked()+len(k.Ord.Said()) > 0 {
		t.Error("the ordinary ones were needed")
	}
}

func interrupted(t *testing.T, v Vendor) {
	k := v.begin(t, v.Server(), nil)
	k.Say("tell me")
	a := k.Ask(provider.Message{Role: provider.RoleUser, Text: "tell me"})
	k.Speak(a.Gen, a.Text)
	k.Call.Heard(a.Gen, 480*time.Millisecond) // eight letters of sixty
	k.Told(provider.Message{Text: "You said", Interrupted: true})
	if b := k.Turn("stop it"); b.Text != "You said stop it." {
		t.Fatalf("then %+v", b)
	}
	for _, line := range k.server.Memory() {
		if strings.Contains(line, "You said tell me") {
			t.Errorf("the vendor remembers what nobody heard: %q", line)
		}
	}
	if k.server.Logged("truncated") && !k.server.Logged("truncated at 480 of") {
		t.Errorf("cut elsewhere: %q", k.server.Log())
	}
}

func tools(t *testing.T, v Vendor) {
	s := v.Server()
	s.Answer = func(a Asked) Reply {
		if len(a.Results) > 0 {
			return Reply{Text: "It is " + a.Results[0] + "."}
		}
		return Reply{Text: "Let me see.", Wish: &Wish{Name: a.Tools[0], Args: `{"n":4}`}}
	}
	k := v.begin(t, s, nil)
	k.Say("book four")
	a := k.Ask(provider.Message{Role: provider.RoleUser, Text: "book four"})
	if len(a.Calls) != 1 || a.Calls[0].Name != "book berth" || a.Calls[0].Args != `{"n":4}` || a.Text != "Let me see." {
		t.Fatalf("wished %+v", a)
	}
	k.req.Messages = append(k.req.Messages, provider.Message{Role: provider.RoleAssistant, Text: a.Text, Calls: a.Calls})
	b := k.Ask(provider.Message{Role: provider.RoleTool, CallID: a.Calls[0].ID, Text: "booked"})
	if b.Text != "It is booked." || len(b.Calls) > 0 {
		t.Fatalf("then %+v", b)
	}
	if got := read(k.Speak(a.Gen, "Let me see.", "It is booked.")); got != "let me see it is booked" {
		t.Errorf("sounded %q", got)
	}
	k.req.Messages[1].Text = "" // what was said beside it moves to the line that closes the turn
	k.Told(provider.Message{Text: "Let me see. It is booked."})
	s.Note(func() { s.Answer = nil })
	if c := k.Turn("thank you"); c.Text != "You said thank you." {
		t.Fatalf("after it %+v", c)
	}
	if n := s.Opened(); n != 1 {
		t.Errorf("%d connections: %q", n, s.Log())
	}
}

func interruptedTool(t *testing.T, v Vendor) {
	s := v.Server()
	s.Answer = func(a Asked) Reply {
		if a.Heard == "book four" && len(a.Results) == 0 {
			return Reply{Wish: &Wish{Name: a.Tools[0], Args: `{"n":4}`}}
		}
		return Reply{Text: "You said " + a.Heard + "."}
	}
	k := v.begin(t, s, nil)
	k.Say("book four")
	a := k.Ask(provider.Message{Role: provider.RoleUser, Text: "book four"})
	k.Call.Heard(a.Gen, 0)
	k.req.Messages = append(k.req.Messages,
		provider.Message{Role: provider.RoleAssistant, Calls: a.Calls}, provider.Message{Role: provider.RoleTool, CallID: a.Calls[0].ID, Text: "booked"})
	k.Say("no five")
	if b := k.Ask(provider.Message{Role: provider.RoleUser, Text: "no five"}); b.Text != "You said no five." {
		t.Fatalf("then %+v", b)
	}
	if m := strings.Join(s.Memory(), "\n"); !strings.Contains(m, "booked") {
		t.Errorf("the vendor does not know what the tool said: %q", m)
	}
}

func states(t *testing.T, v Vendor) {
	k := v.begin(t, v.Server(), nil)
	k.Turn("hello there")
	k.req.System = slices.Clone(k.req.System)
	k.req.System[1] = provider.Part{Kind: provider.PartState, Title: "pay", Text: "Take the money."}
	k.req.Tools = []provider.Tool{{Name: "charge", Description: "Charges"}}
	k.Turn("here it is")
	asked := k.server.Asked()
	last := asked[len(asked)-1]
	if !strings.Contains(last.System, "Take the money.") || !slices.Equal(last.Tools, []string{"charge"}) {
		t.Errorf("asked with %+v", last)
	}
	if !strings.Contains(strings.Join(last.Memory, "\n"), "hello there") {
		t.Errorf("the conversation is forgotten: %q", last.Memory)
	}
}

func others(t *testing.T, v Vendor) {
	k := v.begin(t, v.Server(), nil)
	k.gen++
	k.Speak(k.gen, "Welcome to the harbour at 8 o'clock.")
	if said := k.Ord.Said(); len(said) != 1 || strings.Contains(said[0], "8") {
		t.Errorf("the ordinary voice said %q, in words", said)
	}
	k.Told(provider.Message{Text: "Welcome to the harbour."})
	k.Turn("good day")
	if m := strings.Join(k.server.Memory(), "\n"); !strings.Contains(m, "Welcome to the harbour.") {
		t.Errorf("the vendor does not know the greeting: %q", m)
	}
}

func heldBack(t *testing.T, v Vendor) {
	s := v.Server()
	s.Answer = func(a Asked) Reply {
		if a.Heard != "the secret" {
			return Reply{Text: "You said " + a.Heard + "."}
		}
		return Reply{Text: "Fine then. The code is alpha beta gamma delta epsilon."}
	}
	s.Speed = 20
	k := v.begin(t, s, nil)
	k.Say("the secret")
	k.req.Messages = append(k.req.Messages, provider.Message{Role: provider.RoleUser, Text: "the secret"})
	k.gen++
	k.step(func(text string) bool { return strings.Contains(text, "code") })
	sound := k.Speak(k.gen, "Fine then.", "I may not tell.")
	if got := read(sound); strings.Contains(got, "code") || got != "fine then" {
		t.Errorf("sounded %q", got)
	}
	k.Told(provider.Message{Text: "Fine then. I may not tell."})
	k.Turn("all right")
	m := strings.Join(s.Memory(), "\n")
	if strings.Contains(m, "alpha") || !strings.Contains(m, "I may not tell.") {
		t.Errorf("the vendor remembers %q", m)
	}
}

func pauses(t *testing.T, v Vendor) {
	k := v.begin(t, v.Server(), nil)
	one, _ := k.Say("my number is")
	two, _ := k.Say("seven seven")
	if one != "my number is" || two != "seven seven" {
		t.Fatalf("heard %q, then %q", one, two)
	}
	k.Ask(provider.Message{Role: provider.RoleUser, Text: one + " " + two})
	if n := len(k.server.Asked()); n != 1 {
		t.Errorf("the model was asked %d times", n)
	}
	if m := strings.Join(k.server.Asked()[0].Memory, " "); strings.Count(m, "seven seven") != 1 {
		t.Errorf("told twice: %q", m)
	}
	if err := k.ears.Finalize(); err != nil {
		t.Error(err)
	}
	k.await("the end of nothing", func() bool { return len(k.finals) == 3 })
}

func keys(t *testing.T, v Vendor) {
	k := v.begin(t, v.Server(), nil)
	k.Turn("hello")
	a := k.Ask(provider.Message{Role: provider.RoleUser, Text: "[digits: 42]"})
	if a.Text != "You said [digits: 42]." {
		t.Errorf("answered %+v", a)
	}
}

func refusals(t *testing.T, v Vendor) {
	for _, kind := range []Kind{Refuse, TooMany, Down} {
		s := v.Server()
		s.Trouble(Trouble{Kind: kind}, Trouble{Kind: kind}, Trouble{Kind: kind})
		k := v.begin(t, s, nil)
		if a := k.Turn("who answers"); a.Text != "The other one answers who answers." {
			t.Errorf("trouble %d: %+v", kind, a)
		}
		if k.Call.Live() || k.Ord.Heard() == 0 || len(k.Ord.Said()) == 0 {
			t.Errorf("trouble %d: it is not all ordinary: %v", kind, k.Troubles())
		}
		if n := s.Opened(); kind != Down && n != 1 || n > 2 {
			t.Errorf("trouble %d: %d connections", kind, n)
		}
		want := map[Kind]fault.Kind{Refuse: fault.Denied, TooMany: fault.Exhausted, Down: fault.Unavailable}[kind]
		if all := k.Troubles(); len(all) == 0 || fault.KindOf(all[0]) != want {
			t.Errorf("trouble %d is told as %v", kind, all)
		}
	}
}

func breaksInReply(t *testing.T, v Vendor) {
	s := v.Server()
	s.WordsFirst = true
	s.Answer = func(Asked) Reply {
		return Reply{Text: "One two three four five six seven eight nine ten eleven twelve."}
	}
	s.Trouble(Trouble{Kind: Dies, Seed: 16})
	k := v.begin(t, s, nil)
	k.Say("count")
	a := k.Ask(provider.Message{Role: provider.RoleUser, Text: "count"})
	if fault.KindOf(a.Err) != fault.Unavailable || !strings.HasSuffix(a.Text, "twelve.") || k.Ord.Asked() > 0 {
		t.Fatalf("the reply was %+v", a)
	}
	sound := read(k.Speak(a.Gen, a.Text))
	said := strings.Join(k.Ord.Said(), " ")
	if !strings.HasPrefix(sound, "one two three") || !strings.HasSuffix(said, "eleven twelve.") || strings.Contains(said, "One two") {
		t.Errorf("the model is heard with %q, the ordinary voice with %q", sound, said)
	}
}

func breaksInHearing(t *testing.T, v Vendor) {
	s := v.Server()
	k := v.begin(t, s, nil)
	k.Turn("hello")
	k.Call.Voice()
	k.write("half a")
	s.Drop()
	k.await("the end of the stream", func() bool { return k.earsErr != nil })
	k.Listen()
	if heard, ok := k.Say("half a sentence"); !ok || heard != "half a sentence" {
		t.Fatalf("heard %q, %v", heard, ok)
	}
	if a := k.Ask(provider.Message{Role: provider.RoleUser, Text: "half a sentence"}); a.Text != "You said half a sentence." {
		t.Errorf("answered %+v", a)
	}
	if m := strings.Join(s.Memory(), "\n"); !strings.Contains(m, "You said hello.") {
		t.Errorf("the new connection does not know what was said: %q", m)
	}
	if s.Opened() != 2 || k.Ord.Heard() != 0 {
		t.Errorf("%d connections, %d ordinary streams", s.Opened(), k.Ord.Heard())
	}
	k.Told(provider.Message{Text: "You said half a sentence."})
	s.Drop() // the second time
	k.await("the end of the stream", func() bool { return k.earsErr != nil })
	if a := k.Turn("and on"); a.Text != "The other one answers and on." || k.Ord.Heard() == 0 {
		t.Errorf("then %+v", a)
	}
}

func silence(t *testing.T, v Vendor) {
	s := v.Server()
	late := make(chan struct{})
	s.Answer = func(Asked) Reply { <-late; return Reply{Text: "Too late."} }
	k := v.begin(t, s, func(o *realtime.Options) { o.First = 200 * time.Millisecond })
	t.Cleanup(func() { close(late) })
	k.Say("anyone")
	a := k.Ask(provider.Message{Role: provider.RoleUser, Text: "anyone"})
	if a.Text != "The other one answers anyone." || len(a.Tries) == 0 || a.Tries[0].Fault == "" {
		t.Errorf("answered %+v", a)
	}
	k.Speak(a.Gen, a.Text)
}

func nonsense(t *testing.T, v Vendor) {
	for _, kind := range []Kind{BadJSON, Huge, Expelled, Throttled, HangsUp} {
		s := v.Server()
		s.Trouble(Trouble{Kind: kind, Seed: 3}, Trouble{Kind: kind, Seed: 3})
		k := v.begin(t, s, nil)
		for _, words := range []string{"one", "two", "three"} {
			if a := k.Turn(words); a.Text == "" && a.Err == nil {
				t.Errorf("trouble %d: no answer to %s", kind, words)
			}
		}
	}
}

func cancelled(t *testing.T, v Vendor) {
	s := v.Server()
	s.Speed = 4
	k := v.begin(t, s, nil)
	k.Say("a long story please tell it")
	k.req.Messages = append(k.req.Messages, provider.Message{Role: provider.RoleUser, Text: "a long story please tell it"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, err := range k.Call.Thinks(k.Ord).Complete(ctx, k.req) {
		cancel()
		if err != nil && fault.KindOf(err) != fault.Cancelled {
			t.Errorf("cancelled with %v", err)
		}
	}
	k.Call.Heard(1, 0)
	k.gen++
	if a := k.Turn("stop"); a.Text != "You said stop." {
		t.Errorf("then %+v", a)
	}
}

// anywhere: wherever a connection breaks, every turn has an answer that is heard,
// and no error tells the key.
func anywhere(t *testing.T, v Vendor) {
	for seed := range 14 {
		for _, kind := range []Kind{Dies, HangsUp, BadJSON} {
			t.Run(fmt.Sprintf("%d after %d", kind, seed), func(t *testing.T) {
				t.Parallel()
				s := v.Server()
				s.Trouble(Trouble{Kind: kind, Seed: seed}, Trouble{Kind: kind, Seed: seed + 5})
				k := v.begin(t, s, nil)
				for _, words := range []string{"one", "two", "three"} {
					a := k.Turn(words)
					if a.Text == "" && a.Err == nil {
						t.Errorf("no answer to %s", words)
					}
				}
			})
		}
	}
}
