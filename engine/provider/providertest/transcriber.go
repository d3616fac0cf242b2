package providertest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"flametree/engine/provider"
)

// Clip is speech of one utterance at 16 kHz and what is said in it.
type Clip struct {
	Text string
	PCM  []int16
}

// Format is what the suite opens streams with; BandHz is that of the clips.
type Format struct {
	BandHz int
	Hints  provider.Hints
}

// frame is the 20 ms at 16 kHz that a call writes at a time.
const frame = 320

// RunTranscriber tests the contract of provider.Transcriber on at least one
// clip that it should understand.
func RunTranscriber(t *testing.T, tr provider.Transcriber, f Format, clips ...Clip) {
	format := provider.Format{RateHz: 16000, BandHz: f.BandHz, Language: "en", Hints: f.Hints}
	s := &hearing{tr: tr, format: format, clips: clips}
	t.Run("each utterance gives partials and one final", s.utterances)
	t.Run("silence gives an empty final", s.silence)
	t.Run("what is left at the end is heard", s.rest)
	t.Run("samples may come in any number", s.sizes)
	t.Run("writing after the end is an error", s.afterwards)
	t.Run("breaking out ends the stream", s.breaking)
	t.Run("an ended context ends the stream", s.contextEnds)
	t.Run("streams run beside each other", s.together)
}

type hearing struct {
	tr     provider.Transcriber
	format provider.Format
	clips  []Clip
}

func (s *hearing) open(t *testing.T, ctx context.Context) provider.Transcription {
	t.Helper()
	x, err := s.tr.Open(ctx, s.format)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func write(t *testing.T, x provider.Transcription, pcm []int16, size int) {
	t.Helper()
	for len(pcm) > 0 {
		n := min(size, len(pcm))
		part := append([]int16(nil), pcm[:n]...)
		if err := x.Write(part); err != nil {
			t.Error(err)
			return
		}
		clear(part) // it must not have been kept
		pcm = pcm[n:]
	}
}

// finals reads a stream to its end and checks the shape of what is heard.
func finals(t *testing.T, x provider.Transcription) []provider.Hearing {
	t.Helper()
	var out []provider.Hearing
	failed := false
	for h, err := range x.Heard() {
		if failed {
			t.Error("something follows the error")
		}
		if err != nil {
			classified(t, err)
			t.Error(err)
			failed = true
			continue
		}
		wellFormed(t, h)
		if h.Final {
			out = append(out, h)
		}
	}
	return out
}

func wellFormed(t *testing.T, h provider.Hearing) {
	t.Helper()
	if h.Text != strings.ToLower(strings.Join(strings.Fields(h.Text), " ")) {
		t.Errorf("text %q is not lower case with single spaces", h.Text)
	}
	for i, w := range h.Words {
		if w.Text == "" || w.Start < 0 || w.End < w.Start || i > 0 && w.Start < h.Words[i-1].Start {
			t.Errorf("word %d of %q is %+v", i, h.Text, w)
		}
	}
}

func (s *hearing) utterances(t *testing.T) {
	noneLeft(t, func() {
		ctx, cancel := limited(t)
		defer cancel()
		x := s.open(t, ctx)
		for _, c := range s.clips {
			write(t, x, c.PCM, frame)
			if err := x.Finalize(); err != nil {
				t.Error(err)
			}
		}
		if err := x.CloseSend(); err != nil {
			t.Error(err)
		}
		got := finals(t, x)
		if len(got) != len(s.clips) {
			t.Fatalf("%d finals for %d utterances: %+v", len(got), len(s.clips), got)
		}
		for i, h := range got {
			if h.Text != s.clips[i].Text {
				t.Errorf("%q was heard as %q", s.clips[i].Text, h.Text)
			}
		}
	})
}

func (s *hearing) silence(t *testing.T) {
	ctx, cancel := limited(t)
	defer cancel()
	x := s.open(t, ctx)
	write(t, x, make([]int16, 16000), frame)
	if err := x.Finalize(); err != nil {
		t.Error(err)
	}
	_ = x.CloseSend() // tested above
	if got := finals(t, x); len(got) != 1 || got[0].Text != "" || len(got[0].Words) != 0 {
		t.Errorf("heard %+v", got)
	}
}

func (s *hearing) rest(t *testing.T) {
	ctx, cancel := limited(t)
	defer cancel()
	x := s.open(t, ctx)
	write(t, x, s.clips[0].PCM, frame)
	if err := x.CloseSend(); err != nil {
		t.Error(err)
	}
	if got := finals(t, x); len(got) != 1 || got[0].Text != s.clips[0].Text {
		t.Errorf("heard %+v", got)
	}
}

func (s *hearing) sizes(t *testing.T) {
	for _, size := range []int{1, 37, 333, 100000} {
		ctx, cancel := limited(t)
		x := s.open(t, ctx)
		write(t, x, s.clips[0].PCM, size)
		_ = x.CloseSend() // tested above
		if got := finals(t, x); len(got) != 1 || got[0].Text != s.clips[0].Text {
			t.Errorf("%d samples at a time: heard %+v", size, got)
		}
		cancel()
	}
}

func (s *hearing) afterwards(t *testing.T) {
	ctx, cancel := limited(t)
	defer cancel()
	x := s.open(t, ctx)
	if err := x.CloseSend(); err != nil {
		t.Error(err)
	}
	if err := x.CloseSend(); err != nil {
		t.Errorf("a second end: %v", err)
	}
	finals(t, x)
	err := x.Write(make([]int16, frame))
	if err == nil {
		t.Error("audio was taken after the end")
	}
	classified(t, err)
}

func (s *hearing) breaking(t *testing.T) {
	noneLeft(t, func() {
		within(t, "a stream broken out of", func() {
			x := s.open(t, t.Context())
			write(t, x, s.clips[0].PCM, frame)
			if err := x.Finalize(); err != nil {
				t.Error(err)
			}
			for range x.Heard() {
				break
			}
		})
	})
}

func (s *hearing) contextEnds(t *testing.T) {
	noneLeft(t, func() {
		within(t, "a stream without a context", func() {
			ctx, cancel := context.WithCancel(t.Context())
			x := s.open(t, ctx)
			write(t, x, s.clips[0].PCM, frame)
			cancel()
			for _, err := range x.Heard() {
				classified(t, err)
			}
			if err := x.Write(make([]int16, frame)); err == nil {
				t.Error("audio was taken after the context ended")
			}
		})
	})
}

func (s *hearing) together(t *testing.T) {
	noneLeft(t, func() {
		ctx, cancel := limited(t)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 3 {
			c := s.clips[i%len(s.clips)]
			x := s.open(t, ctx)
			wg.Go(func() {
				write(t, x, c.PCM, frame)
				_ = x.CloseSend() // tested above
			})
			wg.Go(func() {
				if got := finals(t, x); len(got) != 1 || got[0].Text != c.Text {
					t.Errorf("heard %+v, want %q", got, c.Text)
				}
			})
		}
		wg.Wait()
	})
}
