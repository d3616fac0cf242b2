package policy_test

import (
	"context"
	"testing"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/deepgram"
	"flametree/engine/provider/google"
	"flametree/engine/provider/openai"
	"flametree/engine/provider/policy"
	"flametree/engine/provider/speechtest"
)

// TestAProbeReachesTheVendor shows that the health of recognisers and voices is
// learnt from the vendor itself, over sockets and over requests, and that a
// refused key is told.
func TestAProbeReachesTheVendor(t *testing.T) {
	for name, tt := range map[string]struct {
		server *speechtest.Server
		probe  func(url string) func(context.Context) error
	}{
		"ears over a socket": {speechtest.Deepgram(), func(url string) func(context.Context) error {
			x, _ := deepgram.NewTranscriber(deepgram.Options{Options: speechtest.Options(url)})
			return policy.PingEars(x)
		}},
		"ears over requests": {speechtest.OpenAI(), func(url string) func(context.Context) error {
			x, _ := openai.NewTranscriber(openai.SpeechOptions{Options: speechtest.Options(url)})
			return policy.PingEars(x)
		}},
		"a voice over a socket": {speechtest.Deepgram(), func(url string) func(context.Context) error {
			x, _ := deepgram.NewSynthesizer(deepgram.Options{Options: speechtest.Options(url)})
			return policy.PingMouth(x, provider.Voice{})
		}},
		"a voice over requests": {speechtest.Google(), func(url string) func(context.Context) error {
			x, _ := google.NewSynthesizer(google.Options{Options: speechtest.Options(url)})
			return policy.PingMouth(x, provider.Voice{})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			probe := tt.probe(speechtest.Local(t, tt.server))
			if err := probe(ctx); err != nil || tt.server.Opened() != 1 {
				t.Errorf("asked %d times: %v", tt.server.Opened(), err)
			}
			tt.server.Trouble(speechtest.Trouble{Kind: speechtest.Refuse})
			if err := probe(ctx); fault.KindOf(err) != fault.Denied {
				t.Errorf("a refused key is %v", err)
			}
		})
	}
}
