package speech

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// A character of speech lasts 40 to 120 ms. What is far outside of that was not
// rendered at the rate that was agreed, or is not this clause.
const (
	pace     = 65 * time.Millisecond // of a character, while nothing better is known
	quickest = 8 * time.Millisecond
	slowest  = 900 * time.Millisecond
	shortest = 12 // characters from which the length is judged
)

// clause turns the sound of one clause into Audio.
type clause struct {
	u     utterance
	m     Manner
	hold  time.Duration
	put   func(provider.Audio) error
	rate  int
	odd   []byte // half a sample
	held  []int16
	since time.Time // of the first sound, while it is held
	begun bool      // the first Audio is out
	words []provider.Word
	timed bool
	count int // samples
}

func newClause(u utterance, m Manner, hold time.Duration, put func(provider.Audio) error) *clause {
	return &clause{u: u, m: m, hold: hold, put: put, rate: m.RateHz, timed: !m.Timed}
}

// add takes in a stretch of sound.
func (c *clause) add(s Sound) error {
	if len(s.Words) > 0 {
		c.words = Spoken(s.Words)
	}
	c.timed = c.timed || s.Timed
	if s.RateHz != 0 && s.RateHz != c.rate {
		if c.count > 0 || s.RateHz < 8000 || s.RateHz > 48000 {
			return c.strange("its rate is %d Hz", s.RateHz)
		}
		c.rate = s.RateHz
	}
	pcm, rest := Samples(append(c.odd, s.PCM...))
	c.odd = append([]byte(nil), rest...)
	if c.count += len(pcm); c.count > c.rate*120 {
		return c.strange("it does not end")
	}
	return c.give(pcm)
}

// give passes sound on. The first is held back until the words are known, if
// somebody wants to wait for them.
func (c *clause) give(pcm []int16) error {
	if c.begun {
		if len(pcm) == 0 {
			return nil
		}
		return c.put(c.audio(pcm, false))
	}
	if c.held = append(c.held, pcm...); len(c.held) == 0 {
		return nil
	}
	if c.since.IsZero() {
		c.since = time.Now()
	}
	if !c.timed && time.Since(c.since) < c.hold {
		return nil
	}
	return c.begin()
}

func (c *clause) begin() error {
	a := c.audio(c.held, false)
	c.begun, c.held = true, nil
	a.Words = c.layOut()
	return c.put(a)
}

func (c *clause) audio(pcm []int16, last bool) provider.Audio {
	return provider.Audio{Gen: c.u.gen, ID: c.u.id, PCM: pcm, RateHz: c.rate, Last: last}
}

// finish ends the clause, after it has judged it.
func (c *clause) finish() error {
	letters := utf8.RuneCountInString(Plain(c.u.text))
	length := time.Duration(c.count) * time.Second / time.Duration(max(c.rate, 1))
	c.timed = true
	switch {
	case letters > 0 && c.count == 0:
		return fmt.Errorf("%s: a clause of %d characters gave no sound: %w", c.m.Vendor, letters, fault.Unavailable)
	case letters >= shortest && (length < time.Duration(letters)*quickest || length > time.Duration(letters)*slowest):
		return c.strange("%d characters last %v", letters, length.Round(time.Millisecond))
	case c.m.Timed && len(c.words) > 0 && misfit(length, c.words[len(c.words)-1].End):
		return c.strange("%v of sound for words of %v", length.Round(time.Millisecond), c.words[len(c.words)-1].End.Round(time.Millisecond))
	}
	if !c.begun && len(c.held) > 0 {
		if err := c.begin(); err != nil {
			return err
		}
	}
	return c.put(c.audio(nil, true))
}

// misfit reports whether sound cannot be of its words: they end long after it,
// or it goes on for twice their time.
func misfit(length, words time.Duration) bool {
	return words > length+length/4+300*time.Millisecond || length > 2*words+1500*time.Millisecond
}

func (c *clause) strange(format string, args ...any) error {
	return fmt.Errorf("%s: the sound of a clause cannot be right: %s: %w", c.m.Vendor, fmt.Sprintf(format, args...), fault.Unavailable)
}

// layOut is the words of the whole clause: as the vendor timed them, and those
// it has not timed yet at the pace of those it has. A vendor that times none has
// none.
func (c *clause) layOut() []provider.Word {
	if !c.m.Timed {
		return nil
	}
	all := strings.Fields(Plain(c.u.text))
	if c.timed || len(c.words) >= len(all) {
		return c.words
	}
	at, spoken := time.Duration(0), 0
	out := append([]provider.Word(nil), c.words...)
	for _, w := range out {
		spoken += utf8.RuneCountInString(w.Text) + 1
		at = w.End
	}
	each := pace
	if spoken > 0 && at > 0 {
		each = at / time.Duration(spoken)
	}
	for _, text := range all[len(out):] {
		n := int64(utf8.RuneCountInString(text))
		out = append(out, provider.Word{Text: text, Start: at, End: at + time.Duration(n*int64(each))})
		at += time.Duration((n + 1) * int64(each))
	}
	return out
}
