package voicescript

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/scenario"
	"flametree/media/caller"
	"flametree/media/pcm"
	"flametree/media/resample"
)

const (
	earsHz = 16000
	// A stretch of speech is cut where a voice pauses; recognisers hold some
	// seconds that they have not heard yet, so none is longer than longest.
	pause   = 350 * time.Millisecond
	longest = 8 * time.Second
	margin  = 200 * time.Millisecond
)

// stretch is speech without a pause, in samples.
type stretch struct{ from, to int }

// stretches finds the speech in what was heard.
func stretches(heard []int16) []stretch {
	var out []stretch
	for i := 0; i+frame <= len(heard); i += frame {
		if pcm.LevelDB(heard[i:i+frame]) < caller.Voiced {
			continue
		}
		n := len(out)
		if n > 0 && i-out[n-1].to < samples(pause) && i-out[n-1].from < samples(longest) {
			out[n-1].to = i + frame
			continue
		}
		out = append(out, stretch{i, i + frame})
	}
	return out
}

// recognise makes words of what was heard; at is when it begins. A word's time
// is where it would be if its stretch were spoken evenly.
func (s *Studio) recognise(ctx context.Context, heard []int16, at time.Duration, h provider.Hints) ([]scenario.Word, error) {
	all := stretches(heard)
	if len(all) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.Ears.Open(ctx, provider.Format{RateHz: earsHz, BandHz: caller.RateHz, Language: "en", Hints: h})
	if err != nil {
		return nil, fmt.Errorf("recognise what the agent said: %w", err)
	}
	finals, done := make(chan string), make(chan error, 1)
	go func() { done <- listen(ctx, stream, finals) }()
	var out []scenario.Word
	for _, x := range all {
		var text string
		if text, err = understand(ctx, stream, x.of(heard), finals); err != nil {
			break
		}
		begin := at + time.Duration(x.from)*time.Second/caller.RateHz
		out = append(out, spread(text, begin, time.Duration(x.to-x.from)*time.Second/caller.RateHz)...)
	}
	if err == nil {
		err = stream.CloseSend()
	}
	if err != nil {
		cancel()
	}
	for range finals { // what was not asked for
	}
	if why := <-done; err == nil {
		err = why
	}
	if err != nil {
		return nil, fmt.Errorf("recognise what the agent said: %w", err)
	}
	return out, nil
}

// of is a stretch with a little silence around it.
func (x stretch) of(heard []int16) []int16 {
	m := samples(margin)
	from, to := max(0, x.from-m), min(len(heard), x.to+m)
	return slices.Concat(make([]int16, m), heard[from:to], make([]int16, m))
}

// listen passes finals on until the stream ends.
func listen(ctx context.Context, stream provider.Transcription, finals chan<- string) error {
	defer close(finals)
	for h, err := range stream.Heard() {
		if err != nil {
			return err
		}
		if !h.Final {
			continue
		}
		select {
		case finals <- h.Text:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// understand gives one stretch to the recogniser and waits for its words.
func understand(ctx context.Context, stream provider.Transcription, sound []int16, finals <-chan string) (string, error) {
	wide, err := resample.All(sound, caller.RateHz, earsHz)
	if err != nil {
		return "", err
	}
	for f := range slices.Chunk(wide, earsHz/50) {
		if err := stream.Write(f); err != nil {
			return "", err
		}
	}
	if err := stream.Finalize(); err != nil {
		return "", err
	}
	select {
	case text, ok := <-finals:
		if !ok {
			return "", fmt.Errorf("the recogniser ended early: %w", fault.Unavailable)
		}
		return text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// spread gives each word of a stretch its time, by letters.
func spread(text string, begin, length time.Duration) []scenario.Word {
	all := strings.Fields(text)
	letters := 0
	for _, w := range all {
		letters += len(w) + 1
	}
	out := make([]scenario.Word, 0, len(all))
	before := 0
	for _, w := range all {
		out = append(out, scenario.Word{At: begin + length*time.Duration(before)/time.Duration(letters), Text: w})
		before += len(w) + 1
	}
	return out
}
