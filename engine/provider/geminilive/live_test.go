package geminilive_test

import (
	"os"
	"strings"
	"testing"

	"flametree/engine/provider"
	"flametree/engine/provider/duplextest"
	"flametree/engine/provider/geminilive"
	"flametree/engine/provider/realtime"
)

// TestWordsThatComeLate: a server that transcribes only when an activity has ended
// is given that end, and its answer, which begins at once, waits until it is
// asked for; when the caller goes on instead, it is dropped.
func TestWordsThatComeLate(t *testing.T) {
	t.Parallel()
	s := duplextest.Gemini().Trouble(duplextest.Trouble{Kind: duplextest.LateWords})
	k := duplextest.Begin(t, model(t, duplextest.Local(t, s)), nil)
	if heard, ok := k.Say("is it late"); !ok || heard != "is it late" {
		t.Fatalf("heard %q, %v", heard, ok)
	}
	a := k.Ask(provider.Message{Role: provider.RoleUser, Text: "is it late"})
	if a.Text != "You said is it late." || len(s.Asked()) != 1 {
		t.Fatalf("answered %+v; the model answered %d times", a, len(s.Asked()))
	}
	k.Speak(a.Gen, a.Text)
	k.Told(provider.Message{Text: a.Text})
	k.Say("my number is")
	k.Say("seven")
	if b := k.Ask(provider.Message{Role: provider.RoleUser, Text: "my number is seven"}); strings.Contains(b.Text, "my number is.") || b.Text == "" {
		t.Errorf("answered %+v: that is half of what was said", b)
	}
}

// TestGoAway: when the vendor says that it will end the connection, the next one
// is opened between two turns and knows the conversation; nothing fails.
func TestGoAway(t *testing.T) {
	t.Parallel()
	s := duplextest.Gemini()
	k := duplextest.Begin(t, model(t, duplextest.Local(t, s)), nil)
	k.Turn("one two")
	s.GoAway()
	k.Turn("three four")
	k.Turn("five six")
	if s.Opened() != 2 || len(k.Troubles()) > 0 {
		t.Errorf("%d connections, %v", s.Opened(), k.Troubles())
	}
	if m := strings.Join(s.Memory(), "\n"); !strings.Contains(m, "You said one two.") {
		t.Errorf("the second connection remembers %q", m)
	}
}

// TestLive asks the vendor itself, with GEMINI_API_KEY.
func TestLive(t *testing.T) {
	key := os.Getenv("GEMINI_API_KEY")
	if key == "" {
		t.Skip("GEMINI_API_KEY is not set")
	}
	m, err := geminilive.New(geminilive.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	k := duplextest.Begin(t, m, nil)
	a := k.Ask(provider.Message{Role: provider.RoleUser, Text: "Say hello in one short sentence."})
	if a.Text == "" || a.Err != nil || len(a.Tries) != 1 || a.Tries[0].Fault != "" {
		t.Fatalf("answered %+v", a)
	}
	if pcm := k.Speak(a.Gen, a.Text); len(pcm) < realtime.SoundHz/4 {
		t.Errorf("%d samples of %q", len(pcm), a.Text)
	}
}
