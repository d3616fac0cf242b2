package policy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"flametree/engine/provider"
	"flametree/engine/provider/cartesia"
	"flametree/engine/provider/deepgram"
	"flametree/engine/provider/elevenlabs"
	"flametree/engine/provider/openai"
	"flametree/engine/provider/policy"
	"flametree/engine/provider/speechtest"
)

// TestACallerIsHeardWhenAVendorDies lets the first vendor die in the middle of an
// utterance. The owner opens again and gives the second what was said in the last
// seconds: nothing of it is lost.
func TestACallerIsHeardWhenAVendorDies(t *testing.T) {
	for name, kind := range map[string]speechtest.Kind{"dies": speechtest.Dies, "goes silent": speechtest.Silent, "takes the key back": speechtest.Expelled} {
		t.Run(name, func(t *testing.T) {
			first, err := deepgram.NewTranscriber(deepgram.Options{Options: speechtest.Options(speechtest.Local(t, speechtest.Deepgram().Trouble(speechtest.Trouble{Kind: kind, Seed: 2})))})
			if err != nil {
				t.Fatal(err)
			}
			second, err := elevenlabs.NewTranscriber(elevenlabs.Options{Options: speechtest.Options(speechtest.Local(t, speechtest.ElevenLabs()))})
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			tr := policy.Ears([]policy.Ear{{Name: "deepgram", Transcriber: first}, {Name: "elevenlabs", Transcriber: second}}, policy.LineOptions{
				Left: func(name string, _ error) { left = append(left, name) },
			})
			clip := speechtest.Clips()[0]
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var heard []string
			for tries := 0; tries < 3 && len(heard) == 0; tries++ {
				s, err := tr.Open(ctx, provider.Format{RateHz: 16000, Language: "en"})
				if err != nil {
					t.Fatal(err)
				}
				ring := clip.PCM[max(0, len(clip.PCM)-5*16000):] // what the leg still has
				_ = s.Write(ring)                                // what fails is told by Heard
				_ = s.Finalize()
				for h, err := range s.Heard() {
					if err == nil && h.Final {
						heard = append(heard, h.Text)
						_ = s.CloseSend()
					}
				}
			}
			if len(heard) != 1 || heard[0] != clip.Text || strings.Join(left, " ") != "deepgram" {
				t.Errorf("heard %q, left %v", heard, left)
			}
		})
	}
}

// TestAReplyIsSaidWhenAVoiceDies lets the first voice die within the second
// clause: the next one says that clause from its beginning, and the rest.
func TestAReplyIsSaidWhenAVoiceDies(t *testing.T) {
	first, err := cartesia.NewSynthesizer(cartesia.Options{Options: speechtest.Options(speechtest.Local(t,
		speechtest.Cartesia().Trouble(speechtest.Trouble{Kind: speechtest.Dies, Seed: 16})))})
	if err != nil {
		t.Fatal(err)
	}
	second, err := openai.NewSynthesizer(openai.SpeechOptions{Options: speechtest.Options(speechtest.Local(t, speechtest.OpenAI()))})
	if err != nil {
		t.Fatal(err)
	}
	y := policy.Mouths([]policy.Mouth{{Name: "cartesia", Synthesizer: first}, {Name: "openai", Synthesizer: second}}, policy.LineOptions{})
	clauses := []string{"the daily limit", "is five thousand dollars", "can i help"}
	said := make([]string, len(clauses))
	next, voices := 0, 0
	for ; next < len(clauses) && voices < 4; voices++ {
		p, err := y.Open(t.Context(), provider.Voice{})
		if err != nil {
			t.Fatal(err)
		}
		for i := next; i < len(clauses); i++ {
			if err := p.Speak(clauses[i], 1, uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		var l *speechtest.Listener
		for a, err := range p.Audio() {
			if err != nil {
				break
			}
			if l == nil {
				l = speechtest.NewListener(a.RateHz, speechtest.Voiced)
			}
			l.Hear(a.PCM)
			if a.Last {
				said[a.ID], l, next = l.Text(), nil, int(a.ID)+1
				if next == len(clauses) {
					break
				}
			}
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if strings.Join(said, ", ") != strings.Join(clauses, ", ") || voices != 2 {
		t.Errorf("%q said by %d voices", said, voices)
	}
}

// TestWhatTheConnectorsAdd measures last words and first sounds over loopback,
// where the vendor takes no time: what is left is ours and the socket's.
func TestWhatTheConnectorsAdd(t *testing.T) {
	tr, err := deepgram.NewTranscriber(deepgram.Options{Options: speechtest.Options(speechtest.Local(t, speechtest.Deepgram()))})
	if err != nil {
		t.Fatal(err)
	}
	var f policy.Finals
	s, err := f.Transcriber(tr).Open(t.Context(), provider.Format{RateHz: 16000})
	if err != nil {
		t.Fatal(err)
	}
	clip := speechtest.Clips()[1]
	n := 0
	_ = s.Write(clip.PCM) // what fails is told by Heard
	_ = s.Finalize()
	for h, err := range s.Heard() {
		if err != nil {
			t.Fatal(err)
		}
		if !h.Final {
			continue
		}
		if n++; n == 100 {
			_ = s.CloseSend()
			continue
		}
		_ = s.Write(clip.PCM)
		_ = s.Finalize()
	}
	took, of := f.P99()
	if n != 100 || of != 100 {
		t.Errorf("%d finals, %d measured", n, of)
	}
	t.Logf("figure: Finalize to final over loopback, p99 of %d: %v", of, took.Round(10*time.Microsecond))
}
