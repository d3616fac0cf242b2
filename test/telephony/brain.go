package telephony

import (
	"context"
	"iter"
	"strings"
	"sync"

	"flametree/cluster/node"
	"flametree/engine/provider"
)

// AgentHz is the tone in which every played agent speaks.
const AgentHz = 1300

// Brain hears, thinks and speaks for the agents of an Office. What a caller
// keys in decides what the agent does, see Brain.reply.
type Brain struct {
	mu   sync.Mutex // guards ears
	ears []*Ear
}

// NewBrain makes a Brain that has heard nothing.
func NewBrain() *Brain { return &Brain{} }

func (b *Brain) providers(string) (node.Providers, error) {
	return node.Providers{
		Completers:   map[string]provider.Completer{"played": b},
		Transcribers: map[string]provider.Transcriber{"played": b},
		Synthesizers: map[string]provider.Synthesizer{"played": singer{}},
	}, nil
}

var (
	_ provider.Completer   = (*Brain)(nil)
	_ provider.Transcriber = (*Brain)(nil)
)

// Complete implements provider.Completer.
func (b *Brain) Complete(_ context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		text, call := reply(r)
		finish := provider.FinishStop
		if text != "" && !yield(provider.Delta{Text: text}, nil) {
			return
		}
		if call != nil {
			finish = provider.FinishTools
			if !yield(provider.Delta{Call: call}, nil) {
				return
			}
		}
		yield(provider.Delta{Finish: finish}, nil)
	}
}

// reply is what an agent does: 1 passes the caller on, 2 presses keys, anything
// else is answered by a few words.
func reply(r provider.Request) (string, *provider.ToolCall) {
	last := provider.Message{}
	if n := len(r.Messages); n > 0 {
		last = r.Messages[n-1]
	}
	switch {
	case last.Role == provider.RoleUser && last.Text == "[digits: 1]":
		return "One moment please.", &provider.ToolCall{ID: "c1", Name: "TransferCall", Args: `{"target":"desk","summary":"It is about a boat."}`}
	case last.Role == provider.RoleUser && last.Text == "[digits: 2]":
		return "", &provider.ToolCall{ID: "c2", Name: "SendDigits", Args: `{"digits":"159#"}`}
	}
	return "Very well, that is done.", nil
}

// Ear is what one stream of recognition was given.
type Ear struct {
	mu  sync.Mutex // guards pcm
	pcm []int16    // 16 kHz
}

// PCM is what was heard so far, at 16 kHz.
func (e *Ear) PCM() []int16 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pcm[:len(e.pcm):len(e.pcm)]
}

// Ears are the streams that were opened, the oldest first.
func (b *Brain) Ears() []*Ear {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*Ear(nil), b.ears...)
}

// Heard is how loud a tone was on any call that was listened to, in dB.
func (b *Brain) Heard(hz float64) float64 {
	most := -120.0
	for _, e := range b.Ears() {
		most = max(most, Loudest(e.PCM(), hz, songHz))
	}
	return most
}

// Open implements provider.Transcriber: it understands nothing and keeps all.
func (b *Brain) Open(ctx context.Context, _ provider.Format) (provider.Transcription, error) {
	e := &Ear{}
	b.mu.Lock()
	if len(b.ears) < 256 { // longer tests do not look
		b.ears = append(b.ears, e)
	}
	b.mu.Unlock()
	return &listening{ctx: ctx, ear: e, bell: make(chan bool, 16)}, nil
}

type listening struct {
	ctx  context.Context
	ear  *Ear
	bell chan bool // true: a final is due, false: no more audio
}

// Write implements provider.Transcription.
func (l *listening) Write(pcm []int16) error {
	l.ear.mu.Lock()
	defer l.ear.mu.Unlock()
	if len(l.ear.pcm) < 16000*20 {
		l.ear.pcm = append(l.ear.pcm, pcm...)
	}
	return nil
}

// Finalize implements provider.Transcription.
func (l *listening) Finalize() error { return l.ring(true) }

// CloseSend implements provider.Transcription.
func (l *listening) CloseSend() error { return l.ring(false) }

func (l *listening) ring(final bool) error {
	select {
	case l.bell <- final:
	case <-l.ctx.Done():
	}
	return nil
}

// Heard implements provider.Transcription.
func (l *listening) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		for {
			select {
			case final := <-l.bell:
				if !final || !yield(provider.Hearing{Final: true}, nil) {
					return
				}
			case <-l.ctx.Done():
				return
			}
		}
	}
}

// singer speaks in a tone, 250 ms for each word.
type singer struct{}

const (
	songHz   = 16000
	wordSize = songHz / 4
)

// Open implements provider.Synthesizer.
func (singer) Open(ctx context.Context, _ provider.Voice) (provider.Speech, error) {
	ctx, cancel := context.WithCancel(ctx)
	return &song{ctx: ctx, cancel: cancel, bell: make(chan struct{}, 1)}, nil
}

type song struct {
	ctx    context.Context
	cancel context.CancelFunc
	bell   chan struct{}

	mu    sync.Mutex // guards what follows
	dead  uint64
	queue []provider.Audio
	at    int
}

// Speak implements provider.Speech.
func (s *song) Speak(text string, gen, id uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if gen <= s.dead {
		return nil
	}
	pcm := Tone(AgentHz, songHz, s.at, wordSize*max(1, len(strings.Fields(text))))
	s.at += len(pcm)
	s.queue = append(s.queue, provider.Audio{Gen: gen, ID: id, PCM: pcm, RateHz: songHz, Last: true})
	select {
	case s.bell <- struct{}{}:
	default:
	}
	return nil
}

// Cancel implements provider.Speech.
func (s *song) Cancel(gen uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = max(s.dead, gen)
}

// Close implements provider.Speech.
func (s *song) Close() error {
	s.cancel()
	return nil
}

// Audio implements provider.Speech.
func (s *song) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		for {
			s.mu.Lock()
			var a provider.Audio
			if len(s.queue) > 0 {
				a, s.queue = s.queue[0], s.queue[1:]
			}
			dead := s.dead
			s.mu.Unlock()
			switch {
			case a.ID == 0 && a.PCM == nil:
				select {
				case <-s.bell:
				case <-s.ctx.Done():
					return
				}
			case a.Gen > dead && !yield(a, nil):
				return
			}
		}
	}
}
