package actors

import (
	"context"
	"fmt"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/spoken"
)

// recital is a text said to one leg outside of any conversation: rendered at
// once, played when it is time.
type recital struct {
	gen   uint64
	start chan struct{}
	begun sync.Once
	done  chan struct{}
	ended sync.Once
}

// recite renders a text in the agent's voice and plays it as its gen once it is
// begun. over is told when it was heard, or why not, unless ctx ended first.
func recite(ctx context.Context, leg Leg, cast *Cast, u utter, over func(error)) *recital {
	r := &recital{gen: u.gen, start: make(chan struct{}), done: make(chan struct{})}
	go func() {
		if err := r.run(ctx, leg, cast, u.text); ctx.Err() == nil {
			over(err)
		}
	}()
	return r
}

func (r *recital) begin() { r.begun.Do(func() { close(r.start) }) }

// drained takes the leg's word that all of gen was sent.
func (r *recital) drained(gen uint64) {
	if gen == r.gen {
		r.ended.Do(func() { close(r.done) })
	}
}

// tail is how long the line stays open behind the last packet.
const tail = 400 * time.Millisecond

func (r *recital) run(ctx context.Context, leg Leg, cast *Cast, text string) error {
	sound, err := render(ctx, cast, text)
	if err != nil {
		return err
	}
	select {
	case <-r.start:
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, a := range sound {
		if err := leg.Play(ctx, r.gen, a.PCM, a.RateHz); err != nil {
			return err
		}
	}
	leg.End(r.gen)
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-time.After(tail):
	case <-ctx.Done():
	}
	return nil
}

// renderMost bounds what a recital may take to render.
const renderMost = 20 * time.Second

// render makes the sound of a text in the agent's voice.
func render(ctx context.Context, cast *Cast, text string) ([]provider.Audio, error) {
	if cast.Speaks == nil {
		return nil, fmt.Errorf("the agent has no voice: %w", fault.Unavailable)
	}
	ctx, cancel := context.WithTimeout(ctx, renderMost)
	defer cancel()
	set := cast.Revision.Settings
	speech, err := cast.Speaks.Open(ctx, provider.Voice{Name: set.TTSVoice, Language: set.Language})
	if err != nil {
		return nil, err
	}
	defer func() { _ = speech.Close() }()
	if err := speech.Speak(spoken.Words(text, set.Language), 1, 1); err != nil {
		return nil, err
	}
	var out []provider.Audio
	for a, err := range speech.Audio() {
		if err != nil {
			return nil, err
		}
		if len(a.PCM) > 0 {
			out = append(out, a)
		}
		if a.Last {
			return out, nil
		}
	}
	return nil, fmt.Errorf("the voice ended before its text: %w", fault.Unavailable)
}
