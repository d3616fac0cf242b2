package actors

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// What the call's ears and mouth tell it. ears and mouth count how often each was opened.
type (
	earsOpen struct {
		ears   uint64
		stream provider.Transcription
		err    error
	}
	hearing struct {
		ears uint64
		at   time.Time
		provider.Hearing
	}
	earsGone struct {
		ears uint64
		err  error
	}
	mouthOpen struct {
		mouth  uint64
		speech provider.Speech
		err    error
	}
	// rendered says that a stretch of a clause came from the voice.
	rendered struct {
		gen, clause uint64
		words       []provider.Word
		length      time.Duration
		first, last bool
		at          time.Time
	}
	// placed says that it is in the playout ring.
	placed struct {
		gen, clause uint64
		length      time.Duration
		last        bool
	}
	mouthGone struct {
		mouth uint64
		err   error
	}
)

// listen opens a recogniser and passes on what it hears until it ends. It runs
// outside the actor.
func listen(ctx context.Context, t provider.Transcriber, f provider.Format, ears uint64, tell func(any)) {
	stream, err := t.Open(ctx, f)
	tell(&earsOpen{ears: ears, stream: stream, err: err})
	if err != nil {
		return
	}
	var last error
	for h, err := range stream.Heard() {
		if err != nil {
			last = err
			break
		}
		tell(&hearing{ears: ears, at: time.Now(), Hearing: h})
	}
	tell(&earsGone{ears: ears, err: last})
}

// mouthpiece is where a voice's sound goes, and who is told of it.
type mouthpiece struct {
	leg  Leg
	id   uint64
	tell func(any)
}

// speak opens a voice and plays what it renders until it ends. It runs outside
// the actor; playing waits while the playout ring is full.
func (p mouthpiece) speak(ctx context.Context, s provider.Synthesizer, v provider.Voice) {
	leg, tell := p.leg, p.tell
	speech, err := s.Open(ctx, v)
	tell(&mouthOpen{mouth: p.id, speech: speech, err: err})
	if err != nil {
		return
	}
	defer func() { _ = speech.Close() }()
	var last error
	var unmarked time.Duration
	var gen, clause uint64 // being played
	first := true
	for a, err := range speech.Audio() {
		if err != nil {
			last = err
			break
		}
		if first = first || a.Gen != gen || a.ID != clause; first { // the one before may have been cancelled half-way
			gen, clause, unmarked = a.Gen, a.ID, 0
		}
		length := time.Duration(0)
		if a.RateHz > 0 {
			length = time.Duration(len(a.PCM)) * time.Second / time.Duration(a.RateHz)
		}
		// Told before it is played: while the ring is full, playing lasts as long as
		// the sound, and an interruption must know its words.
		tell(&rendered{gen: gen, clause: clause, words: a.Words, length: length, first: first, last: a.Last, at: time.Now()})
		first = a.Last
		if err := leg.Play(ctx, gen, a.PCM, a.RateHz); err != nil {
			if errors.Is(err, fault.Cancelled) && ctx.Err() == nil {
				continue // flushed: the clause is gone, a later one may come
			}
			last = err
			break
		}
		tell(&placed{gen: gen, clause: clause, length: length, last: a.Last})
		if unmarked += length; a.Last || unmarked >= markEvery {
			unmarked = 0
			leg.Mark(gen, markOf(clause, a.Last))
		}
	}
	tell(&mouthGone{mouth: p.id, err: last})
}

// markOf names a place in a clause: its end, or one on the way.
func markOf(clause uint64, whole bool) uint64 {
	if whole {
		return clause<<1 | 1
	}
	return clause << 1
}

// gate is where a leg's frames go: to the recogniser that is open now.
type gate struct {
	to   atomic.Pointer[provider.Transcription]
	also atomic.Pointer[func(frame []int16)] // who listens besides
}

func (g *gate) open(t provider.Transcription) { g.to.Store(&t) }
func (g *gate) shut()                         { g.to.Store(nil) }

// frame implements the sink of Leg.Hear.
func (g *gate) frame(pcm []int16) {
	if also := g.also.Load(); also != nil {
		(*also)(pcm)
	}
	if t := g.to.Load(); t != nil {
		// A recogniser that fails says so in Heard; here is nobody to tell.
		_ = (*t).Write(pcm)
	}
}

// teller sends messages to an actor from outside.
func teller(root *actor.RootContext, self *actor.PID) func(any) {
	return func(m any) { root.Send(self, m) }
}
