package realtime

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/spoken"
)

// The places of words in sound.
const (
	usualPace = 0.080 * SoundHz // samples of a letter, while nothing better is known
	margin    = SoundHz * 3 / 10
	frame     = SoundHz / 50
	piece     = SoundHz / 5 // given away at a time
)

// Speaks is the call as a voice. Its clauses are texts as they are written, not
// as words: those of the vendor's reply have their sound already, all others are
// said by the ordinary voice.
func (c *Call) Speaks() provider.Synthesizer { return speaker{c} }

type speaker struct{ c *Call }

// Open implements provider.Synthesizer.
func (s speaker) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	inner, err := s.c.o.Speaks.Open(ctx, v)
	if err != nil {
		return nil, err
	}
	m := &mouth{c: s.c, ctx: ctx, inner: inner, language: v.Language}
	m.work.Go(m.relay)
	s.c.mu.Lock()
	s.c.mouth = m
	s.c.mu.Unlock()
	return m, nil
}

// mouth implements provider.Speech. All below work is guarded by the Call's mu.
type mouth struct {
	c        *Call
	ctx      context.Context // of the voice
	inner    provider.Speech
	language string
	work     sync.WaitGroup

	queue []clause
	dead  uint64 // generations up to this one are dropped
	said  []provider.Audio
	err   error
	shut  bool
	sent  []segment // of the newest generations
}

type clause struct {
	text    string
	gen, id uint64
}

// segment is sound that was given away: of a reply, or, where that is nil, of
// the ordinary voice.
type segment struct {
	gen      uint64
	reply    *reply
	from, to int // samples at rate
	rate     int
}

func (s segment) length() time.Duration {
	return time.Duration(s.to-s.from) * time.Second / time.Duration(s.rate)
}

// of are the segments of a generation. m may be nil.
func (m *mouth) of(gen uint64) []segment {
	if m == nil {
		return nil
	}
	var out []segment
	for _, s := range m.sent {
		if s.gen == gen {
			out = append(out, s)
		}
	}
	return out
}

// Speak implements provider.Speech.
func (m *mouth) Speak(text string, gen, id uint64) error {
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	switch {
	case m.err != nil:
		return m.err
	case m.shut || gen <= m.dead:
		return fmt.Errorf("the clause is not wanted any more: %w", fault.Cancelled)
	}
	m.queue = append(m.queue, clause{text: text, gen: gen, id: id})
	m.c.changed()
	return nil
}

// Cancel implements provider.Speech.
func (m *mouth) Cancel(gen uint64) {
	m.inner.Cancel(gen)
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	m.dead = max(m.dead, gen)
	kept := m.queue[:0]
	for _, q := range m.queue {
		if q.gen > gen {
			kept = append(kept, q)
		}
	}
	m.queue = kept
	m.c.changed()
}

// Close implements provider.Speech.
func (m *mouth) Close() error {
	m.c.mu.Lock()
	m.shut = true
	m.c.changed()
	m.c.mu.Unlock()
	err := m.inner.Close()
	m.work.Wait()
	return err
}

// relay takes what the ordinary voice renders.
func (m *mouth) relay() {
	var last error
	for a, err := range m.inner.Audio() {
		if err != nil {
			last = err
			break
		}
		m.c.mu.Lock()
		m.said = append(m.said, a)
		m.c.changed()
		m.c.mu.Unlock()
	}
	m.c.mu.Lock()
	if m.err = last; m.err == nil {
		m.err = fmt.Errorf("the voice has ended: %w", fault.Cancelled)
	}
	m.c.changed()
	m.c.mu.Unlock()
}

// Audio implements provider.Speech.
func (m *mouth) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		for {
			q, ok, err := m.next()
			if !ok {
				if err != nil && !canceled(err) {
					yield(provider.Audio{}, err)
				}
				return
			}
			if more, err := m.render(q, yield); !more {
				if err != nil && m.ctx.Err() == nil {
					yield(provider.Audio{}, err)
				}
				return
			}
		}
	}
}

// next waits for a clause.
func (m *mouth) next() (q clause, ok bool, err error) {
	for {
		m.c.mu.Lock()
		wake := m.c.wake
		switch {
		case m.shut || m.err != nil:
			err = m.err
			m.c.mu.Unlock()
			return q, false, err
		case len(m.queue) > 0:
			q, m.queue = m.queue[0], m.queue[1:]
			m.c.mu.Unlock()
			return q, true, nil
		}
		m.c.mu.Unlock()
		if !wait(m.ctx, wake, time.Hour) {
			return q, false, nil
		}
	}
}

// render gives the sound of one clause; false = the voice has ended.
func (m *mouth) render(q clause, yield func(provider.Audio, error) bool) (more bool, err error) {
	rest := q.text
	if r, from, to := m.c.find(q.text); r != nil {
		var said bool
		if rest, said, more = m.own(q, r, [2]int{from, to}, yield); !more || said {
			return more, nil
		}
	}
	return m.ordinary(q, rest, yield)
}

// find says where in a reply of the vendor a clause stands, in letters.
func (c *Call) find(text string) (r *reply, from, to int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	want := []rune(spelt(text))
	if len(want) == 0 {
		return nil, 0, 0
	}
	for i, r := range c.replies {
		have := []rune(spelt(r.text))
		to := r.taken + len(want)
		if to > len(have) || string(have[r.taken:to]) != string(want) {
			continue
		}
		from := r.taken
		r.taken = to
		for _, older := range c.replies[:i] { // they are over
			older.taken = letters(older.text)
		}
		return r, from, to
	}
	return nil, 0, 0
}

// own gives the vendor's sound for the letters at. Unless all is said, or nothing
// is to be said any more, rest is what of the text has no sound.
func (m *mouth) own(q clause, r *reply, at [2]int, yield func(provider.Audio, error) bool) (rest string, said, more bool) {
	var late time.Time // when it is enough
	first := true
	for {
		a, state, wake := m.cut(q, r, at, first)
		switch {
		case state == dropped:
			return "", true, true
		case state == missing || len(a.PCM) == 0 && !a.Last && !late.IsZero() && time.Now().After(late):
			if first {
				return q.text, false, true
			}
			return tail(q.text, m.share(r, at)), false, true
		case len(a.PCM) > 0 || a.Last:
			late, first = time.Time{}, false
			if !yield(a, nil) {
				return "", false, false
			}
			if a.Last {
				return "", true, true
			}
			continue
		}
		if late.IsZero() {
			late = time.Now().Add(soundIn)
		}
		if !wait(m.ctx, wake, time.Until(late)+time.Millisecond) {
			return "", false, false
		}
	}
}

// The states of a clause of the vendor's.
const (
	going = iota
	dropped
	missing // nothing more comes
)

// cut takes the next piece of a clause's sound.
func (m *mouth) cut(q clause, r *reply, at [2]int, first bool) (a provider.Audio, state int, wake <-chan struct{}) {
	c := m.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.gen <= m.dead || m.shut {
		return a, dropped, nil
	}
	end, sure := c.place(r, at[1])
	switch {
	case sure:
	case r.done: // there is no more
		end = max(r.at, min(end, len(r.pcm)))
	default:
		end = max(r.at, min(end-margin, len(r.pcm)))
	}
	whole := sure
	if end-r.at > piece {
		end, whole = r.at+piece, false
	}
	if r.err != nil && end-r.at < frame && !whole || whole && end <= r.at && first && len(r.pcm) == 0 {
		return a, missing, nil
	}
	if !whole && end-r.at < frame {
		return a, going, c.wake
	}
	a = provider.Audio{Gen: q.gen, ID: q.id, RateHz: SoundHz, Last: whole, PCM: append([]int16(nil), r.pcm[r.at:max(r.at, end)]...)}
	if first {
		a.Words = timed(q.text, c.guess(r, at[1])-c.guess(r, at[0]))
	}
	m.note(segment{gen: q.gen, reply: r, from: r.at, to: max(r.at, end), rate: SoundHz})
	r.at = max(r.at, end)
	return a, going, c.wake
}

// note remembers what was given away of the newest generations; mu is held.
func (m *mouth) note(s segment) {
	if n := len(m.sent); n > 0 && m.sent[n-1].gen == s.gen && m.sent[n-1].reply == s.reply && m.sent[n-1].to == s.from && m.sent[n-1].rate == s.rate {
		m.sent[n-1].to = s.to
		return
	}
	if m.sent = append(m.sent, s); len(m.sent) > 64 {
		m.sent = m.sent[1:]
	}
}

// guess is about where in the sound a letter ends.
func (c *Call) guess(r *reply, letter int) int {
	all := letters(r.text)
	if r.done && r.err == nil && all > 0 {
		return int(float64(len(r.pcm)) * float64(letter) / float64(all))
	}
	return int(float64(letter) * c.pace)
}

// place is where a clause that ends with a letter ends in the sound; it is not
// sure while the sound around it is not there.
func (c *Call) place(r *reply, letter int) (at int, sure bool) {
	over := r.done && r.err == nil
	if over && letter == letters(r.text) {
		return len(r.pcm), true
	}
	at = c.guess(r, letter)
	if after := at + margin; !r.done && after > len(r.pcm) || at > len(r.pcm) {
		return at, false
	}
	return quietest(r.pcm, max(r.at, at-margin), min(len(r.pcm), at+margin), at), true
}

// quietest is the quietest place between two samples, the nearest to at of those
// that are alike.
func quietest(pcm []int16, from, to, at int) int {
	best, least := min(max(at, from), max(from, to)), math.Inf(1)
	for i := from; i+2*frame <= to; i += frame / 2 {
		sum := 0.0
		for _, v := range pcm[i : i+2*frame] {
			sum += float64(v) * float64(v)
		}
		// The further away, the quieter it must be: 40 dB for the whole margin.
		far := math.Abs(float64(i+frame-at)) / margin
		if sum = (sum + 2*frame) * math.Pow(10, 2*far); sum < least {
			best, least = i+frame, sum
		}
	}
	return best
}

// share is how much of a clause was given away.
func (m *mouth) share(r *reply, at [2]int) float64 {
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	from, to := m.c.guess(r, at[0]), m.c.guess(r, at[1])
	return float64(r.at-from) / float64(max(1, to-from))
}

// tail are the words of a text after a share of it.
func tail(text string, share float64) string {
	words := strings.Fields(text)
	n := int(math.Round(share * float64(len(words))))
	return strings.Join(words[min(max(n, 0), len(words)):], " ")
}

// timed spreads the words of a clause over its length in samples.
func timed(text string, samples int) []provider.Word {
	all, before := letters(text), 0
	var out []provider.Word
	for w := range strings.FieldsSeq(text) {
		n := letters(w)
		if n == 0 {
			continue
		}
		at := func(l int) time.Duration {
			return time.Duration(float64(samples) * float64(l) / float64(all) / SoundHz * float64(time.Second))
		}
		out = append(out, provider.Word{Text: w, Start: at(before), End: at(before + n)})
		before += n
	}
	return out
}

// ordinary has a text said by the ordinary voice.
func (m *mouth) ordinary(q clause, text string, yield func(provider.Audio, error) bool) (more bool, err error) {
	begun := text != q.text // some of it was given away
	if text = spoken.Words(text, m.language); strings.TrimSpace(text) == "" {
		return yield(provider.Audio{Gen: q.gen, ID: q.id, RateHz: SoundHz, Last: true}, nil), nil
	}
	if err := m.inner.Speak(text, q.gen, q.id); err != nil {
		return canceled(err), err
	}
	for {
		a, ok, over, wake := m.rendered(q)
		switch {
		case over != nil:
			return false, over
		case ok:
			if begun {
				a.Words = nil
			}
			if !yield(a, nil) {
				return false, nil
			}
			if a.Last {
				return true, nil
			}
			continue
		case wake == nil:
			return true, nil
		}
		if !wait(m.ctx, wake, time.Hour) {
			return false, nil
		}
	}
}

// rendered takes the next sound of a clause from the ordinary voice; without a
// wake the clause was cancelled.
func (m *mouth) rendered(q clause) (a provider.Audio, ok bool, err error, wake <-chan struct{}) { //nolint:staticcheck // read as a loop's parts
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	for len(m.said) > 0 {
		a, m.said = m.said[0], m.said[1:]
		if a.Gen == q.gen && a.ID == q.id && a.Gen > m.dead {
			if a.RateHz > 0 {
				m.note(segment{gen: a.Gen, to: len(a.PCM), rate: a.RateHz})
			}
			return a, true, nil, nil
		}
	}
	switch {
	case q.gen <= m.dead:
		return a, false, nil, nil
	case m.shut || m.err != nil:
		return a, false, m.err, nil
	}
	return a, false, nil, m.c.wake
}
