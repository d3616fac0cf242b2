package guard

import (
	"strings"
	"unicode/utf8"
)

// backlook are bytes of a reply that stay in view after they were released, so
// that the beginning of a word is not taken for the beginning of a text.
const backlook = 64

// Stream checks a reply while it is generated. It releases only what can no
// longer become part of a hit, whatever comes, and holds back the rest: a word
// at least, a sentence where a rule reads sentences, the whole reply where a
// classifier must be asked. It belongs to one goroutine.
type Stream struct {
	checks []guarded
	asks   []Rule
	scene  *scene
	buf    string // from backlook bytes before what is held
	done   int    // how much of buf was released
	cut    bool   // something was dropped before buf
	before int    // characters before buf
	tail   string // the first bytes of a character that is not complete
	over   bool
}

// Stream begins a reply.
func (s *Set) Stream(of Scene) *Stream {
	out := &Stream{scene: s.scene(of)}
	for _, r := range s.on(Output) {
		if r.check == nil {
			out.asks = append(out.asks, r.Rule)
			continue
		}
		out.checks = append(out.checks, r)
	}
	return out
}

// Push takes the next piece of the reply. Text of the verdict is what may be
// sent now. After an action that lets nothing pass the stream is over: what was
// held is dropped, further pieces give nothing, and Message is said.
func (s *Stream) Push(text string) Verdict {
	if s.over || text == "" {
		return Verdict{}
	}
	text = s.tail + text
	n := complete(text)
	s.tail = text[n:]
	s.buf += strings.ToValidUTF8(text[:n], "\ufffd")
	return s.release(false)
}

// Close ends the reply and gives what was held. If the verdict has Asks, its
// Text must wait for Judged.
func (s *Stream) Close() Verdict {
	if s.over {
		return Verdict{}
	}
	if s.tail != "" {
		s.buf += "\ufffd"
	}
	out := s.release(true)
	s.over = true
	if len(s.asks) > 0 && !out.Action.stops() && out.Text != "" {
		for _, r := range s.asks {
			out.Asks = append(out.Asks, ask(r, out.Text))
		}
	}
	return out
}

// Over reports whether nothing of the reply will be released any more.
func (s *Stream) Over() bool { return s.over }

// complete is how much of text consists of whole characters.
func complete(text string) int {
	for i := len(text) - 1; i >= 0 && i >= len(text)-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRuneInString(text[i:]) {
				return i
			}
			break
		}
	}
	return len(text)
}

// found is a hit with its rule.
type found struct {
	span
	rule int
}

func (s *Stream) release(final bool) Verdict {
	v := view{text: s.buf, scene: s.scene, cut: s.cut, before: s.before}
	hold, hits := s.hold(&v, final)
	if len(s.asks) > 0 && !final {
		hold = s.done
	} else if len(s.buf)-hold > maxHold {
		return s.stop(Verdict{}, Rule{Name: AlwaysBounded, Check: Regex, Action: Block}, "")
	}
	var out Verdict
	var masked []span
	for _, h := range hits {
		rule := s.checks[h.rule].Rule
		if h.end <= s.done || h.start < s.done && h.rest {
			continue
		}
		if !h.rest && h.end > hold || h.rest && h.start > hold {
			continue
		}
		out.add(rule, excerpt(&v, h.span))
		if rule.Action == Mask {
			h.start = max(h.start, s.done)
			masked = append(masked, h.span)
			if h.rest { // the reply ends here
				hold, s.over = h.start, true
			}
		}
	}
	if out.Action.stops() {
		s.over = true
		out.finish()
		s.buf, s.done, s.tail = "", 0, ""
		return out
	}
	out.Text = s.pass(hold, masked)
	return out
}

func (s *Stream) stop(v Verdict, r Rule, excerpt string) Verdict {
	v.add(r, excerpt)
	v.finish()
	s.over, s.buf, s.done, s.tail = true, "", 0, ""
	return v
}

// hold is up to where buf can be released, and what was found in it.
func (s *Stream) hold(v *view, final bool) (int, []found) {
	at := len(s.buf)
	var hits []found
	for i, r := range s.checks {
		for _, h := range r.check.find(v) {
			hits = append(hits, found{h, i})
			if !final && (h.end == len(s.buf) || h.rest) {
				at = min(at, h.start) // it may go on
			}
		}
		if !final {
			at = min(at, r.check.open(v))
		}
	}
	for again := true; again; {
		again = false
		for _, h := range hits {
			if h.start < at && at < h.end && !h.rest {
				at, again = h.start, true
			}
		}
	}
	return max(at, s.done), hits
}

// pass releases buf up to hold, without what is masked, and forgets what is no
// longer needed.
func (s *Stream) pass(hold int, masked []span) string {
	for i := range masked {
		masked[i].start -= s.done
		masked[i].end = min(masked[i].end, hold) - s.done
	}
	text := mask(s.buf[s.done:hold], masked)
	drop := runeStart(s.buf, hold-backlook)
	s.before += utf8.RuneCountInString(s.buf[:drop])
	s.cut = s.cut || drop > 0
	s.buf, s.done = s.buf[drop:], hold-drop
	return text
}
