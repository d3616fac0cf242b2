package policy

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// Mouths is a voice made of several: the first that opens is taken. One that
// fails, or gives no sound for FirstSound while somebody waits for it, is left
// alone for Rest, and the voice ends with its error: the owner opens again, gets
// the next one, and has it say the clause that broke off and those behind it. It
// alone knows which those are, so that rule stands with it.
func Mouths(list []Mouth, o LineOptions) provider.Synthesizer {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.Name
	}
	return &mouths{list: list, r: newRoster(names, o)}
}

type mouths struct {
	list []Mouth
	r    *roster
}

// Open implements provider.Synthesizer.
func (m *mouths) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	s, i, stop, err := open(ctx, m.r, func(ctx context.Context, i int) (provider.Speech, error) {
		return m.list[i].Synthesizer.Open(ctx, m.list[i].voice(i, v))
	})
	if err != nil {
		return nil, err
	}
	x := &mouth{Speech: s, name: m.list[i].Name, failed: func(err error) { m.r.left(i, err) }, stop: stop, patience: m.r.o.FirstSound, owed: map[uint64]int{}}
	x.instead.name, x.instead.why = m.r.instead(i)
	x.timer = time.AfterFunc(time.Hour, x.giveUp)
	x.timer.Stop()
	return x, nil
}

// Provider implements Named.
func (m *mouth) Provider() string { return m.name }

// Instead implements Named.
func (m *mouth) Instead() (string, error) { return m.instead.name, m.instead.why }

// errMute is the cause that ends a voice of which no sound comes.
var errMute = fmt.Errorf("no sound came in time: %w", fault.Unavailable)

// mouth is a voice whose sound is waited for no longer than patience.
type mouth struct {
	provider.Speech
	name     string
	instead  place
	failed   func(error)
	stop     context.CancelCauseFunc
	patience time.Duration
	timer    *time.Timer

	mu      sync.Mutex
	owed    map[uint64]int // clauses of each generation that are not whole
	waiting bool           // somebody is in Audio and has nothing
	late    bool
}

// look starts or stops the timer as what is known demands.
func (m *mouth) look() {
	if m.waiting && len(m.owed) > 0 {
		m.timer.Reset(m.patience)
	} else {
		m.timer.Stop()
	}
}

// Speak implements provider.Speech.
func (m *mouth) Speak(text string, gen, id uint64) error {
	m.mu.Lock()
	m.owed[gen]++
	if len(m.owed) == 1 && m.owed[gen] == 1 {
		m.look()
	}
	m.mu.Unlock()
	err := m.Speech.Speak(text, gen, id)
	if err != nil {
		m.paid(gen)
	}
	return err
}

// Cancel implements provider.Speech.
func (m *mouth) Cancel(gen uint64) {
	m.Speech.Cancel(gen)
	m.mu.Lock()
	defer m.mu.Unlock()
	for g := range m.owed {
		if g <= gen {
			delete(m.owed, g)
		}
	}
	m.look()
}

func (m *mouth) paid(gen uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.owed[gen]--; m.owed[gen] <= 0 {
		delete(m.owed, gen)
	}
	m.look()
}

func (m *mouth) wait(waiting bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = waiting
	m.look()
}

// Audio implements provider.Speech.
func (m *mouth) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		defer m.wait(false)
		m.wait(true)
		ended := false
		for a, err := range m.Speech.Audio() {
			m.wait(false)
			if err != nil {
				if ended = true; m.mute() { // it is we who ended it
					err = errMute
				}
				m.failed(err)
				err = fmt.Errorf("%s: %w", m.name, err)
			} else if a.Last {
				m.paid(a.Gen)
			}
			if !yield(a, err) {
				return
			}
			m.wait(true)
		}
		if !ended && m.mute() {
			m.failed(errMute)
			yield(provider.Audio{}, fmt.Errorf("%s: %w", m.name, errMute))
		}
	}
}

// giveUp ends a voice that somebody waited for too long.
func (m *mouth) giveUp() {
	m.mu.Lock()
	if m.late = m.waiting && len(m.owed) > 0; m.late {
		m.stop(errMute)
	}
	m.mu.Unlock()
}

// mute reports whether the timer ended the voice.
func (m *mouth) mute() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.late
}

// Close implements provider.Speech.
func (m *mouth) Close() error {
	m.wait(false)
	m.stop(nil)
	return m.Speech.Close()
}
