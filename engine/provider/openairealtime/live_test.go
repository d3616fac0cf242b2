package openairealtime_test

import (
	"os"
	"testing"

	"flametree/engine/provider"
	"flametree/engine/provider/duplextest"
	"flametree/engine/provider/openairealtime"
	"flametree/engine/provider/realtime"
)

// TestLive asks the vendor itself, with OPENAI_API_KEY.
func TestLive(t *testing.T) {
	key := os.Getenv("OPENAI_API_KEY")
	if key == "" {
		t.Skip("OPENAI_API_KEY is not set")
	}
	m, err := openairealtime.New(openairealtime.Options{Key: key})
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
