package node

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/spoken"
	"flametree/gateway/api"
	"flametree/gateway/auth"
	"flametree/media/resample"
	"flametree/media/wav"
)

// desk hears and speaks for the Chat API, outside of any call.
type desk struct{ n *Node }

var _ api.Speech = desk{}

func (d desk) cast(ctx context.Context, a auth.Agent) (*actors.Cast, error) {
	return d.n.casting.Cast(ctx, a.Tenant, a.ID, 0)
}

// Capabilities implements api.Speech.
func (d desk) Capabilities(ctx context.Context, a auth.Agent) (api.Capabilities, error) {
	c, err := d.cast(ctx, a)
	if err != nil {
		return api.Capabilities{}, err
	}
	return api.Capabilities{HasSTT: c.Hears != nil, HasTTS: c.Speaks != nil}, nil
}

// heardRate is what recognisers are given.
const heardRate = 16000

// Transcribe implements api.Speech.
func (d desk) Transcribe(ctx context.Context, a auth.Agent, audio []byte) (string, error) {
	c, err := d.cast(ctx, a)
	if err != nil {
		return "", err
	}
	if c.Hears == nil {
		return "", fmt.Errorf("agent has no speech recogniser: %w", fault.Invalid)
	}
	clip, err := wav.Decode(audio)
	if err != nil {
		return "", err
	}
	pcm, err := resample.All(clip.Mono(), clip.RateHz, heardRate)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	band := min(clip.RateHz, heardRate)
	s, err := c.Hears.Open(ctx, provider.Format{RateHz: heardRate, BandHz: band, Language: c.Revision.Settings.Language, Hints: c.Hints})
	if err != nil {
		return "", err
	}
	fed := make(chan error, 1)
	go func() { fed <- feed(ctx, s, pcm) }()
	var heard []string
	for h, err := range s.Heard() {
		if err != nil {
			return "", err
		}
		if h.Final && h.Text != "" {
			heard = append(heard, h.Text)
		}
	}
	return strings.Join(heard, " "), <-fed
}

// feed writes a whole clip, a second at a time so that a recogniser with a
// bounded buffer keeps up, and ends the stream.
func feed(ctx context.Context, s provider.Transcription, pcm []int16) error {
	for chunk := range slices.Chunk(pcm, heardRate/50) {
		if err := s.Write(chunk); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	if err := s.Finalize(); err != nil {
		return err
	}
	return s.CloseSend()
}

// Synthesize implements api.Speech.
func (d desk) Synthesize(ctx context.Context, a auth.Agent, u api.Utterance) ([]byte, error) {
	c, err := d.cast(ctx, a)
	if err != nil {
		return nil, err
	}
	if c.Speaks == nil {
		return nil, fmt.Errorf("agent has no voice: %w", fault.Invalid)
	}
	set := c.Revision.Settings
	name := u.Voice
	if name == "" {
		name = set.TTSVoice
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.Speaks.Open(ctx, provider.Voice{Name: name, Language: set.Language})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	if err := s.Speak(spoken.Words(u.Text, set.Language), 1, 1); err != nil {
		return nil, err
	}
	var pcm []int16
	rate := heardRate
	for part, err := range s.Audio() {
		if err != nil {
			return nil, err
		}
		pcm, rate = append(pcm, part.PCM...), part.RateHz
		if part.Last {
			break
		}
	}
	var out bytes.Buffer
	if err := wav.Write(&out, wav.Audio{RateHz: rate, Channels: 1, PCM: pcm}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
