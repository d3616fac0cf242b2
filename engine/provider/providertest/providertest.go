// Package providertest is the suite that every model, recogniser and voice
// passes: what the contracts of package provider promise, and nothing about how
// well a vendor hears, thinks or speaks.
package providertest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider"
)

// patience bounds every wait of the suite.
const patience = 30 * time.Second

// Request is a request that any model can answer.
func Request() provider.Request {
	return provider.Request{
		System: []provider.Part{
			{Kind: provider.PartRules, Text: "Answer shortly."},
			{Kind: provider.PartIdentity, Text: "You are Ann of the bakery."},
			{Kind: provider.PartKnowledge, Title: "When do you open?", Text: "The bakery opens at seven.", Source: "faq:1", Score: 0.9},
		},
		Messages:  []provider.Message{{Role: provider.RoleUser, Text: "When does the bakery open?"}},
		MaxTokens: 200,
	}
}

// RunCompleter checks a model.
func RunCompleter(t *testing.T, c provider.Completer) {
	t.Run("a reply ends with its reason", func(t *testing.T) {
		text, finished := complete(t, c, Request())
		require.NotEmpty(t, text)
		require.True(t, finished)
	})
	t.Run("a request with a schema is answered with one JSON value", func(t *testing.T) {
		r := Request()
		r.Schema = json.RawMessage(`{"type":"object","properties":{"HumanFullName":{"type":"string"}}}`)
		r.Messages = append(r.Messages, provider.Message{Role: provider.RoleUser, Text: "my name is Ann Lee"})
		text, _ := complete(t, c, r)
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	})
	t.Run("breaking out ends the request", func(t *testing.T) {
		for range c.Complete(t.Context(), Request()) {
			break
		}
	})
	t.Run("an ended context is the last element", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var last error
		for _, err := range c.Complete(ctx, Request()) {
			require.NoError(t, last, "something follows the error")
			last = err
		}
		require.Error(t, last)
	})
	t.Run("many ask at once", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for _, err := range c.Complete(t.Context(), Request()) {
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func complete(t *testing.T, c provider.Completer, r provider.Request) (text string, finished bool) {
	t.Helper()
	for d, err := range c.Complete(t.Context(), r) {
		require.NoError(t, err)
		require.False(t, finished, "something follows the finish")
		text += d.Text
		finished = d.Finish != ""
	}
	return text, finished
}

// RunTranscriber checks a recogniser with speech at 16 kHz that holds words.
func RunTranscriber(t *testing.T, tr provider.Transcriber, f provider.Format, speech []int16) {
	t.Run("finalise is answered by a final, also of silence", func(t *testing.T) {
		s, finals := listen(t, tr, f)
		write(t, s, speech)
		require.NoError(t, s.Finalize())
		require.NotEmpty(t, next(t, finals).Text)
		write(t, s, make([]int16, 16000/2))
		require.NoError(t, s.Finalize())
		require.Empty(t, next(t, finals).Text)
		require.NoError(t, s.CloseSend())
	})
	t.Run("closing drains and ends", func(t *testing.T) {
		s, finals := listen(t, tr, f)
		write(t, s, speech)
		require.NoError(t, s.CloseSend())
		require.NotEmpty(t, next(t, finals).Text)
		_, open := <-finals
		require.False(t, open)
		require.Error(t, s.Write(speech), "a closed stream takes no more")
	})
	t.Run("the context ends the stream", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := tr.Open(ctx, f)
		require.NoError(t, err)
		cancel()
		for range s.Heard() { // ends by itself
		}
	})
	t.Run("words are timed and in order", func(t *testing.T) {
		s, finals := listen(t, tr, f)
		write(t, s, speech)
		require.NoError(t, s.CloseSend())
		at := time.Duration(0)
		for _, w := range next(t, finals).Words {
			require.GreaterOrEqual(t, w.Start, at)
			require.GreaterOrEqual(t, w.End, w.Start)
			at = w.Start
		}
	})
}

func listen(t *testing.T, tr provider.Transcriber, f provider.Format) (provider.Transcription, <-chan provider.Hearing) {
	t.Helper()
	s, err := tr.Open(t.Context(), f)
	require.NoError(t, err)
	finals := make(chan provider.Hearing, 16)
	go func() {
		defer close(finals)
		for h, err := range s.Heard() {
			if err != nil {
				t.Error(err)
				return
			}
			if h.Final {
				finals <- h
			}
		}
	}()
	return s, finals
}

func write(t *testing.T, s provider.Transcription, pcm []int16) {
	t.Helper()
	for len(pcm) > 0 {
		n := min(320, len(pcm))
		require.NoError(t, s.Write(pcm[:n]))
		pcm = pcm[n:]
	}
}

func next(t *testing.T, finals <-chan provider.Hearing) provider.Hearing {
	t.Helper()
	select {
	case h, ok := <-finals:
		require.True(t, ok, "the stream ended without a final")
		return h
	case <-time.After(patience):
		t.Fatal("no final came")
		return provider.Hearing{}
	}
}

// RunSynthesizer checks a voice.
func RunSynthesizer(t *testing.T, sy provider.Synthesizer) {
	open := func(t *testing.T) provider.Speech {
		s, err := sy.Open(t.Context(), provider.Voice{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	t.Run("clauses come whole and in order", func(t *testing.T) {
		s := open(t)
		for id := range uint64(3) {
			require.NoError(t, s.Speak("one two three", 1, id+1))
		}
		want, samples := uint64(1), 0
		for a, err := range s.Audio() {
			require.NoError(t, err)
			require.Equal(t, want, a.ID)
			require.Positive(t, a.RateHz)
			if samples += len(a.PCM); a.Last {
				require.Positive(t, samples)
				if want++; want > 3 {
					break
				}
			}
		}
	})
	t.Run("nothing of a cancelled generation follows", func(t *testing.T) {
		s := open(t)
		require.NoError(t, s.Speak("this is never said to its end because somebody speaks", 1, 1))
		s.Cancel(1)
		require.NoError(t, s.Speak("but this", 2, 2))
		for a, err := range s.Audio() {
			require.NoError(t, err)
			require.Equal(t, uint64(2), a.Gen)
			if a.Last {
				break
			}
		}
	})
	t.Run("the context ends the speech", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := sy.Open(ctx, provider.Voice{})
		require.NoError(t, err)
		cancel()
		for range s.Audio() { // ends by itself
		}
		require.NoError(t, s.Close())
		require.Error(t, s.Speak("more", 1, 1))
	})
}
