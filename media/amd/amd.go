// Package amd tells from what is heard after an answer whether a person or an
// answering machine has picked up, and when a machine's beep is over. It
// implements actors.Screener. It knows sound and words, not calls: what is done
// with its verdict is decided elsewhere.
//
// A person says little and then waits; a machine goes on. Between the two lies
// the first pause: how long it must be depends on how much was said, for a
// machine, too, may begin with a short greeting. Words decide at once where they
// are understood. The beep is a tone of one or two frequencies that stand still.
//
// What was decided is kept, with one exception: who was taken for a person and
// then beeps or goes on as machines do is not judged again; the conversation has
// begun.
package amd

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/pcm"
	"flametree/media/vad"
)

// Options shape a Machine. The zero value suits an ordinary telephone.
type Options struct {
	Human    time.Duration // a greeting up to this long is a person's; default 2.5 s
	Limit    time.Duration // by then it is decided; default 8 s
	Language string        // of the phrases; "" is English, which is always listened for
}

// The verdicts.
const (
	Human     = "human"
	Mailbox   = "machine"
	Menu      = "menu"
	Screening = "screening" // a service that asks who calls before it puts through
	Unknown   = "unknown"
)

const (
	frame     = pcm.FrameTime
	quick     = 700 * time.Millisecond  // pause behind a word or two
	patient   = 1100 * time.Millisecond // pause behind a sentence
	short     = 1100 * time.Millisecond // a word or two
	afterBeep = 160 * time.Millisecond  // of quiet, before a message begins
	afterTalk = 3 * time.Second         // of quiet behind a machine's words without a beep
)

// Machine is the screening of one call. Its methods may be called from any
// goroutine and do not block.
type Machine struct {
	opt Options

	mu      sync.Mutex
	vad     *vad.Detector
	tone    tones
	now     time.Duration // since the answer
	first   time.Duration // where the first voice began, -1 before
	last    time.Duration // where voice was last
	voiced  time.Duration // how long there was voice
	pause   time.Duration // since then
	longest time.Duration // pause within the greeting so far
	out     actors.Screened
	beeped  bool
	quiet   time.Duration // since the beep ended
}

var _ actors.Screener = (*Machine)(nil)

// New makes a Machine, or fault.Invalid.
func New(o Options) (*Machine, error) {
	o.Human = cmp.Or(o.Human, 2500*time.Millisecond)
	o.Limit = cmp.Or(o.Limit, 8*time.Second)
	if o.Human < 0 || o.Limit < o.Human {
		return nil, fmt.Errorf("amd: a greeting of %v within %v: %w", o.Human, o.Limit, fault.Invalid)
	}
	v, err := vad.New(vad.Options{RateHz: pcm.EarHz, Start: 60 * time.Millisecond, Stop: 120 * time.Millisecond})
	if err != nil {
		return nil, err
	}
	return &Machine{opt: o, vad: v, first: -1}, nil
}

// Screens makes an actors.Screening whose machines share their tables.
func Screens() actors.Screening {
	t := newTable()
	return func(human, limit time.Duration, language string) actors.Screener {
		m, err := New(Options{Human: human, Limit: max(limit, human), Language: language})
		if err != nil {
			return nil
		}
		m.tone.table = t
		return m
	}
}

// Frame implements actors.Screener.
func (m *Machine) Frame(in []int16) actors.Screened {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now += frame
	m.tone.push(in)
	r := m.vad.Push(in)
	voice := (m.vad.On() || r.Voiced) && !m.tone.sounding()
	m.hear(voice)
	m.listenForBeep(voice)
	if m.out.Verdict == "" {
		m.judge()
	}
	return m.out
}

// hear keeps count of voice and pauses.
func (m *Machine) hear(voice bool) {
	switch {
	case voice && m.first < 0:
		m.first, m.last, m.voiced, m.pause = m.now-frame, m.now, frame, 0
	case voice:
		m.longest = max(m.longest, m.pause)
		m.last, m.voiced, m.pause = m.now, m.voiced+frame, 0
	case m.first >= 0:
		m.pause += frame
	}
}

// listenForBeep notes a beep, and says when a message may begin: a moment of
// quiet behind the beep, or a long one behind a machine that has none.
func (m *Machine) listenForBeep(voice bool) {
	switch end := m.tone.ended(); {
	case end:
		m.beeped, m.quiet = true, 0
		m.out.Beep = m.now
		if m.out.Verdict == "" {
			m.decide(Mailbox, "beep")
		}
	case m.beeped:
		if m.quiet += frame; voice || m.tone.sounding() {
			m.quiet = 0
		}
	}
	if m.out.Verdict != Mailbox || m.out.Speak {
		return
	}
	m.out.Speak = m.beeped && m.quiet >= afterBeep || !m.beeped && m.first >= 0 && m.pause >= afterTalk && !m.tone.sounding()
}

// judge decides by how much was said and how long it has been quiet since.
func (m *Machine) judge() {
	if m.first < 0 {
		if m.now >= m.opt.Limit {
			m.decide(Unknown, "silence")
		}
		return
	}
	span := m.last - m.first
	switch {
	case m.tone.sounding():
	case span > m.opt.Human && m.voiced > m.opt.Human*6/10:
		m.decide(Mailbox, "greeting")
	case span <= short && m.pause >= quick, m.pause >= patient:
		m.decide(Human, "greeting")
	case m.now >= m.opt.Limit:
		m.decide(Unknown, "cap")
	}
}

func (m *Machine) decide(verdict, why string) {
	m.out.Verdict, m.out.Why, m.out.Took = verdict, why, m.now
}

// Words implements actors.Screener. Text is all that was understood so far.
func (m *Machine) Words(text string) actors.Screened {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.out.Verdict != "" {
		return m.out
	}
	if v := phrases(text, m.opt.Language); v != "" {
		m.decide(v, "words")
	}
	return m.out
}
