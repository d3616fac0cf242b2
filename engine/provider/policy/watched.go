package policy

import (
	"context"
	"iter"

	"flametree/engine/provider"
)

// Transcriber is t behind the breaker. A stream counts as good with its first
// hypothesis, and as bad when it fails, even after that.
func (b *Breaker) Transcriber(t provider.Transcriber) provider.Transcriber {
	return observedEars{inner: t, enter: b.enter, leave: func(v verdict, _ error) { b.leave(v) }}
}

// Synthesizer is y behind the breaker. A voice counts as good with its first
// sound, and as bad when it fails, even after that.
func (b *Breaker) Synthesizer(y provider.Synthesizer) provider.Synthesizer {
	return observedMouths{inner: y, enter: b.enter, leave: func(v verdict, _ error) { b.leave(v) }}
}

// Transcriber is t, watched.
func (h *Health) Transcriber(t provider.Transcriber) provider.Transcriber {
	return observedEars{inner: t, enter: h.enter, leave: h.told}
}

// Synthesizer is y, watched.
func (h *Health) Synthesizer(y provider.Synthesizer) provider.Synthesizer {
	return observedMouths{inner: y, enter: h.enter, leave: h.told}
}

type observedEars struct {
	inner provider.Transcriber
	enter func() error
	leave func(verdict, error)
}

// Prepare implements provider.Preparer where the recogniser does.
func (o observedEars) Prepare(h provider.Hints) error {
	if p, ok := o.inner.(provider.Preparer); ok {
		return p.Prepare(h)
	}
	return nil
}

// Open implements provider.Transcriber.
func (o observedEars) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	if err := o.enter(); err != nil {
		return nil, err
	}
	t, err := o.inner.Open(ctx, f)
	if err != nil {
		o.leave(judged(ctx, err, false), err)
		return nil, err
	}
	return observedEar{Transcription: t, ctx: ctx, leave: o.leave}, nil
}

type observedEar struct {
	provider.Transcription
	ctx   context.Context // of the stream, for its cause
	leave func(verdict, error)
}

// Heard implements provider.Transcription.
func (o observedEar) Heard() iter.Seq2[provider.Hearing, error] {
	return observe(o.ctx, o.Transcription.Heard(), o.leave)
}

type observedMouths struct {
	inner provider.Synthesizer
	enter func() error
	leave func(verdict, error)
}

// Open implements provider.Synthesizer.
func (o observedMouths) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	if err := o.enter(); err != nil {
		return nil, err
	}
	s, err := o.inner.Open(ctx, v)
	if err != nil {
		o.leave(judged(ctx, err, false), err)
		return nil, err
	}
	return observedMouth{Speech: s, ctx: ctx, leave: o.leave}, nil
}

type observedMouth struct {
	provider.Speech
	ctx   context.Context // of the voice, for its cause
	leave func(verdict, error)
}

// Audio implements provider.Speech.
func (o observedMouth) Audio() iter.Seq2[provider.Audio, error] {
	return observe(o.ctx, o.Speech.Audio(), o.leave)
}

// observe tells the first element of a stream, and its failure.
func observe[T any](ctx context.Context, in iter.Seq2[T, error], leave func(verdict, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		told := false
		defer func() {
			if !told { // it ended before it was of use to anybody
				leave(judged(ctx, nil, false), nil)
			}
		}()
		for x, err := range in {
			if err != nil || !told {
				told = true
				leave(judged(ctx, err, true), err)
			}
			if !yield(x, err) {
				return
			}
		}
	}
}
