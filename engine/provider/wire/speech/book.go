package speech

import (
	"fmt"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// Rate is that of the samples a recogniser is given.
const Rate = 16000

// Said is what one message of a recogniser says. The zero Said says only that
// the vendor is alive.
type Said struct {
	Text  string // of one stretch; it replaces what was said of it before
	Words []provider.Word
	Final bool // the stretch is settled; the next begins after it
	// Until is how far into the stream what was said reaches; 0 = not told. A final
	// that reaches no further than another one before repeats it.
	Until time.Duration
	// Answer says that all that was written before the oldest Finalize is settled.
	Answer    bool
	EndOfTurn bool // the vendor's own end-pointing
	Ready     bool // it is about the session and not about the audio
}

// longest is how much settled text may wait for a Finalize, in bytes: minutes
// of speech in which nobody saw a pause. More becomes a Final by itself.
const longest = 8 << 10

// slack is how much earlier than the Finalize a final that answers it may end.
const slack = 30 * time.Millisecond

// question is a Finalize that was not answered yet.
type question struct {
	at    time.Duration // in the stream
	asked time.Time
	spoke time.Time // the last time that the vendor said something, from asked on
}

// book joins what a vendor settles to one Final for each Finalize. It has no
// clock and does no I/O.
type book struct {
	settled   []string
	words     []provider.Word
	size      int
	interim   Said
	until     time.Duration
	questions []question
	owed      int // answers that did not come in time and may come yet
	last      string
}

// ask notes a Finalize at a place of the stream, fresh samples after the one
// before. It reports whether the vendor must be asked: what is settled already is
// answered at once, and what another question covers with that one.
func (b *book) ask(at time.Duration, fresh int, now time.Time) (h []provider.Hearing, vendor bool) {
	switch open := len(b.questions) > 0; {
	case !open && (fresh == 0 || b.until > 0 && b.until+slack >= at):
		return []provider.Hearing{b.final()}, false
	case open && fresh == 0:
		b.questions = append(b.questions, question{at: at, asked: now, spoke: now})
		return nil, false
	}
	b.questions = append(b.questions, question{at: at, asked: now, spoke: now})
	return nil, true
}

// answer gives the final of the oldest question, and of those at the same place.
func (b *book) answer() []provider.Hearing {
	at := b.questions[0].at
	var out []provider.Hearing
	for len(b.questions) > 0 && b.questions[0].at == at {
		out = append(out, b.final())
		b.questions = b.questions[1:]
	}
	return out
}

// take takes in a message and gives what is to be told.
func (b *book) take(s Said, now time.Time) []provider.Hearing {
	if s.Ready {
		return nil
	}
	for i := range b.questions {
		b.questions[i].spoke = now
	}
	s.Text, s.Words = Plain(s.Text), Spoken(s.Words)
	switch {
	case s.Final && s.Text != "" && s.Until > 0 && s.Until <= b.until: // it repeats itself
		return nil
	case s.Final:
		if b.interim = (Said{}); s.Text != "" {
			b.settled, b.words = append(b.settled, s.Text), append(b.words, s.Words...)
			b.size += len(s.Text)
		}
		b.until = max(b.until, s.Until)
	case s.Text != "":
		b.interim = s
	}
	if b.answered(s) {
		return b.answer()
	}
	if b.size > longest {
		return []provider.Hearing{b.final()}
	}
	if h := b.now(); h.Text != "" && (h.Text != b.last || s.EndOfTurn) {
		b.last = h.Text
		h.EndOfTurn = s.EndOfTurn
		return []provider.Hearing{h}
	}
	return nil
}

// answered reports whether the oldest Finalize has its last words. While an
// answer is owed from before, one that does not reach the question's place is
// taken for that one.
func (b *book) answered(s Said) bool {
	if len(b.questions) == 0 {
		if s.Answer {
			b.owed = max(0, b.owed-1)
		}
		return false
	}
	reaches := s.Until > 0 && s.Until+slack >= b.questions[0].at
	switch {
	case s.Answer && b.owed > 0 && !reaches:
		b.owed--
		return false
	case s.Answer:
		return true
	}
	return s.Final && reaches
}

// now is everything since the last Final.
func (b *book) now() provider.Hearing {
	h := provider.Hearing{Text: strings.Join(b.settled, " "), Words: append([]provider.Word(nil), b.words...)}
	if b.interim.Text != "" {
		h.Text = strings.TrimSpace(h.Text + " " + b.interim.Text)
		h.Words = append(h.Words, b.interim.Words...)
	}
	return h
}

// final settles everything.
func (b *book) final() provider.Hearing {
	h := b.now()
	h.Final = true
	b.settled, b.words, b.size, b.interim, b.last = nil, nil, 0, Said{}, ""
	return h
}

// rest answers every Finalize that is left: the vendor has said its last.
func (b *book) rest() []provider.Hearing {
	var out []provider.Hearing
	for range b.questions {
		out = append(out, b.final())
	}
	b.questions = nil
	return out
}

// late answers a Finalize whose last words did not come in wait though the
// vendor goes on, from what was said so far. A vendor that says nothing for silent
// has failed.
func (b *book) late(now time.Time, wait, silent time.Duration) ([]provider.Hearing, error) {
	if len(b.questions) == 0 {
		return nil, nil
	}
	switch q := b.questions[0]; {
	case now.Sub(q.spoke) >= silent:
		return nil, fmt.Errorf("the recogniser went silent: %w", fault.Unavailable)
	case now.Sub(q.asked) >= wait && q.spoke.After(q.asked):
		b.owed++
		return b.answer(), nil
	}
	return nil, nil
}

// due is when late has something to say at the earliest; zero = never.
func (b *book) due(wait, silent time.Duration) time.Time {
	if len(b.questions) == 0 {
		return time.Time{}
	}
	q := b.questions[0]
	at := q.spoke.Add(silent)
	if late := q.asked.Add(wait); q.spoke.After(q.asked) && late.Before(at) {
		return late
	}
	return at
}
