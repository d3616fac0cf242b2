package providertest

import (
	"testing"
	"time"

	"flametree/engine/provider"
)

// RunLongHearing tests that a stream stays in step over many utterances, that
// their words are timed from the start of the stream, and that a stream can be
// opened again after one was left.
func RunLongHearing(t *testing.T, tr provider.Transcriber, f Format, clips ...Clip) {
	format := provider.Format{RateHz: 16000, BandHz: f.BandHz, Language: "en", Hints: f.Hints}
	s := &hearing{tr: tr, format: format, clips: clips}
	t.Run("a long stream stays in step", s.long)
	t.Run("a stream is opened again after one was left", s.again)
	t.Run("finals that nothing precedes are empty", s.twice)
}

const longUtterances = 40

func (s *hearing) long(t *testing.T) {
	noneLeft(t, func() {
		ctx, cancel := limited(t)
		defer cancel()
		x := s.open(t, ctx)
		var begun []time.Duration
		at := time.Duration(0)
		for i := range longUtterances {
			c := s.clips[i%len(s.clips)]
			begun = append(begun, at)
			write(t, x, c.PCM, frame)
			if err := x.Finalize(); err != nil {
				t.Fatal(err)
			}
			at += time.Duration(len(c.PCM)) * time.Second / 16000
		}
		_ = x.CloseSend() // tested elsewhere
		got := finals(t, x)
		if len(got) != longUtterances {
			t.Fatalf("%d finals for %d utterances", len(got), longUtterances)
		}
		for i, h := range got {
			if want := s.clips[i%len(s.clips)].Text; h.Text != want {
				t.Errorf("utterance %d: %q was heard as %q", i, want, h.Text)
			}
			if len(h.Words) > 0 && (h.Words[0].Start < begun[i] || i+1 < len(begun) && h.Words[0].Start > begun[i+1]) {
				t.Errorf("utterance %d begins at %v, its first word at %v", i, begun[i], h.Words[0].Start)
			}
		}
	})
}

func (s *hearing) again(t *testing.T) {
	noneLeft(t, func() {
		ctx, cancel := limited(t)
		defer cancel()
		left := s.open(t, ctx)
		write(t, left, s.clips[0].PCM, frame)
		_ = left.Finalize()
		for range left.Heard() {
			break
		}
		x := s.open(t, ctx)
		write(t, x, s.clips[0].PCM, frame)
		_ = x.CloseSend() // tested elsewhere
		if got := finals(t, x); len(got) != 1 || got[0].Text != s.clips[0].Text {
			t.Errorf("heard %+v", got)
		}
	})
}

func (s *hearing) twice(t *testing.T) {
	ctx, cancel := limited(t)
	defer cancel()
	x := s.open(t, ctx)
	write(t, x, s.clips[0].PCM, frame)
	for range 3 {
		if err := x.Finalize(); err != nil {
			t.Fatal(err)
		}
	}
	_ = x.CloseSend() // tested elsewhere
	if got := finals(t, x); len(got) != 3 || got[0].Text != s.clips[0].Text || got[1].Text != "" || got[2].Text != "" {
		t.Errorf("heard %+v", got)
	}
}

// RunLongSpeech tests that a voice stays in step over many clauses, some of which
// are cancelled.
func RunLongSpeech(t *testing.T, y provider.Synthesizer, v provider.Voice) {
	noneLeft(t, func() {
		ctx, cancel := limited(t)
		defer cancel()
		s := &speaking{y: y, voice: v}
		p := s.open(t, ctx)
		defer func() { _ = p.Close() }()
		const rounds = 12
		next := func(gen uint64) {
			for id := range uint64(3) {
				if err := p.Speak(sentence, gen, id+1); err != nil {
					t.Fatal(err)
				}
			}
		}
		next(1)
		gen, whole := uint64(1), 0
		for a, err := range p.Audio() {
			if err != nil {
				t.Fatal(err)
			}
			if a.Gen != gen {
				t.Fatalf("audio of generation %d in generation %d", a.Gen, gen)
			}
			if a.Last {
				whole++
			}
			interrupted := gen%2 == 1 && a.ID == 2 && !a.Last // in the middle of the second clause
			if !interrupted && !(a.ID == 3 && a.Last) {
				continue
			}
			if interrupted {
				p.Cancel(gen)
			}
			if gen++; gen > rounds {
				break
			}
			next(gen)
		}
		if want := rounds/2*3 + rounds/2; whole != want {
			t.Errorf("%d clauses came whole, want %d", whole, want)
		}
	})
}
