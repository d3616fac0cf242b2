package providertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"flametree/engine/provider"
)

// RunSynthesizer tests the contract of provider.Synthesizer with a voice it has.
func RunSynthesizer(t *testing.T, y provider.Synthesizer, v provider.Voice) {
	s := &speaking{y: y, voice: v}
	t.Run("clauses come in order, whole, with their words", s.clauses)
	t.Run("cancel silences a generation and no other", s.cancelling)
	t.Run("speaking after the end is an error", s.afterwards)
	t.Run("an ended context ends the voice", s.contextEnds)
	t.Run("closing in the middle leaves nothing behind", s.closing)
	t.Run("voices speak beside each other", s.together)
	t.Run("the same clause lasts as long each time", s.lasting)
}

type speaking struct {
	y     provider.Synthesizer
	voice provider.Voice
}

const sentence = "the daily spending limit is five thousand dollars"

func (s *speaking) open(t *testing.T, ctx context.Context) provider.Speech {
	t.Helper()
	p, err := s.y.Open(ctx, s.voice)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rendered is one clause as it came.
type rendered struct {
	gen, id uint64
	samples int
	rateHz  int
	words   []provider.Word
	ended   bool
}

func (r rendered) length() time.Duration {
	return time.Duration(r.samples) * time.Second / time.Duration(max(r.rateHz, 1))
}

// listen collects n clauses and checks the shape of the audio.
func listen(t *testing.T, p provider.Speech, n int) []rendered {
	t.Helper()
	var out []rendered
	for a, err := range p.Audio() {
		if err != nil {
			classified(t, err)
			t.Error(err)
			return out
		}
		if len(out) == 0 || out[len(out)-1].ended {
			out = append(out, rendered{gen: a.Gen, id: a.ID, rateHz: a.RateHz, words: a.Words})
		} else if len(a.Words) > 0 {
			t.Error("words came twice, or late")
		}
		r := &out[len(out)-1]
		if a.Gen != r.gen || a.ID != r.id {
			t.Errorf("clause %d is mixed with clause %d", a.ID, r.id)
		}
		r.samples, r.ended = r.samples+len(a.PCM), a.Last
		if a.Last && len(out) == n {
			return out
		}
	}
	return out
}

func (s *speaking) clauses(t *testing.T) {
	noneLeft(t, func() {
		ctx, cancel := limited(t)
		defer cancel()
		p := s.open(t, ctx)
		defer func() { _ = p.Close() }()
		texts := []string{"yes", sentence, "thank you"}
		for i, text := range texts {
			if err := p.Speak(text, 1, uint64(i+1)); err != nil {
				t.Fatal(err)
			}
		}
		got := listen(t, p, len(texts))
		if len(got) != len(texts) {
			t.Fatalf("%d clauses of %d", len(got), len(texts))
		}
		for i, r := range got {
			if r.gen != 1 || r.id != uint64(i+1) {
				t.Errorf("clause %d came in place %d", r.id, i+1)
			}
			if r.length() < 150*time.Millisecond {
				t.Errorf("%q lasts %v", texts[i], r.length())
			}
			timed(t, r)
		}
	})
}

func timed(t *testing.T, r rendered) {
	t.Helper()
	if len(r.words) == 0 {
		return // a vendor need not know
	}
	for i, w := range r.words {
		if w.Text == "" || w.End < w.Start || i > 0 && w.Start < r.words[i-1].Start || w.End > r.length()+50*time.Millisecond {
			t.Errorf("word %d of a clause of %v is %+v", i, r.length(), w)
		}
	}
}

func (s *speaking) cancelling(t *testing.T) {
	noneLeft(t, func() {
		ctx, cancel := limited(t)
		defer cancel()
		p := s.open(t, ctx)
		defer func() { _ = p.Close() }()
		for i := range 5 {
			if err := p.Speak(sentence+" "+sentence, 1, uint64(i+1)); err != nil {
				t.Fatal(err)
			}
		}
		cancelled := false
		for a, err := range p.Audio() {
			if err != nil {
				t.Fatal(err)
			}
			if cancelled && a.Gen == 1 {
				t.Fatal("audio of a cancelled generation came")
			}
			if !cancelled {
				cancelled = true
				p.Cancel(1)
				if err := p.Speak("thank you", 2, 9); err != nil {
					t.Fatal(err)
				}
			}
			if a.Gen == 2 && a.Last {
				break
			}
		}
	})
}

func (s *speaking) afterwards(t *testing.T) {
	ctx, cancel := limited(t)
	defer cancel()
	p := s.open(t, ctx)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
	err := p.Speak("yes", 1, 1)
	if err == nil {
		t.Error("a closed voice took a clause")
	}
	classified(t, err)
}

func (s *speaking) contextEnds(t *testing.T) {
	noneLeft(t, func() {
		within(t, "a voice without a context", func() {
			ctx, cancel := context.WithCancel(t.Context())
			p := s.open(t, ctx)
			_ = p.Speak(sentence, 1, 1) // it may be refused already
			cancel()
			for _, err := range p.Audio() {
				classified(t, err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}

func (s *speaking) closing(t *testing.T) {
	noneLeft(t, func() {
		within(t, "a voice closed in the middle", func() {
			p := s.open(t, t.Context())
			for i := range 20 {
				_ = p.Speak(sentence, 1, uint64(i+1)) // a full queue is none of this test's business
			}
			for range p.Audio() {
				break
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}

func (s *speaking) together(t *testing.T) {
	noneLeft(t, func() {
		ctx, cancel := limited(t)
		defer cancel()
		var wg sync.WaitGroup
		for range 4 {
			p := s.open(t, ctx)
			wg.Go(func() {
				defer func() { _ = p.Close() }()
				if err := p.Speak(sentence, 1, 1); err != nil {
					t.Error(err)
					return
				}
				if got := listen(t, p, 1); len(got) != 1 || got[0].length() < time.Second {
					t.Errorf("heard %+v", got)
				}
			})
		}
		wg.Wait()
	})
}

// lasting is what the transcript of an interrupted line rests on.
func (s *speaking) lasting(t *testing.T) {
	ctx, cancel := limited(t)
	defer cancel()
	p := s.open(t, ctx)
	defer func() { _ = p.Close() }()
	for i := range 2 {
		if err := p.Speak(sentence, 1, uint64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	got := listen(t, p, 2)
	if len(got) != 2 || (got[0].length()-got[1].length()).Abs() > 100*time.Millisecond {
		t.Errorf("the same clause lasts %v and %v", got[0].length(), got[1].length())
	}
}
