package actors

import (
	"errors"
	"strings"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/turn"
)

// Tongue tells a call that the conversation goes on in another language.
type Tongue struct{ Language string }

// relieved is a stream or a voice that knows who it is and in whose place it was
// opened, as those made of several do.
type relieved interface {
	Provider() string
	Instead() (name string, why error)
}

// measured is a recogniser that knows how long its last words take.
type measured interface {
	P99() (took time.Duration, of int)
}

// leastFinals is how many last words must have been measured before a call goes
// by them, and leastWait and waySlack what they make of the wait at least.
const (
	leastFinals = 20
	leastWait   = 100 * time.Millisecond
	waySlack    = 50 * time.Millisecond // for the way of the words to the machine
)

// awaits sets how long last words are waited for to what this recogniser needs,
// where enough of them were measured. An agent's own variable is set after it.
func awaits(cfg *turn.Config, cast *Cast) {
	m, ok := cast.Hears.(measured)
	if !ok {
		return
	}
	if took, of := m.P99(); of >= leastFinals {
		cfg.STTFinalWait = min(max(took+waySlack, leastWait), cfg.STTTimeout)
	}
}

// vendor is who hears or speaks on a call.
type vendor struct {
	who   string
	fault error // why the one before ended, until the next one is there
}

// errEnded is the fault of one who ended without an error of its own.
var errEnded = errors.New("it ended by itself")

func (v *vendor) lost(err error) {
	if err == nil {
		err = errors.Join(errEnded, fault.Unavailable)
	}
	v.fault = err
}

// changed writes who took over from whom, if somebody did.
func (c *Call) changed(role string, v *vendor, opened any) {
	from, why := v.who, v.fault
	v.who, v.fault = "", nil
	if r, ok := opened.(relieved); ok {
		v.who = r.Provider()
		if name, was := r.Instead(); why == nil && name != "" {
			from, why = name, was
		}
	}
	if why != nil {
		c.vendorGone(role, from, v.who, why)
	}
}

func (c *Call) vendorGone(role, from, to string, why error) {
	c.write(event.CallSpeechChanged{Role: role, From: from, To: to, Fault: faultLine(why), Offset: c.now(time.Now())})
}

// maxFault bounds what is written of a fault, in bytes.
const maxFault = 300

// faultLine is a fault's kind and text on one line.
func faultLine(err error) string {
	text := string(fault.KindOf(err)) + ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
	if len(text) > maxFault {
		text = strings.ToValidUTF8(text[:maxFault], "") + "…"
	}
	return text
}

// tongue goes on in another language: who hears and who speaks are opened anew
// for it, the voice as soon as what was begun in the old one is rendered.
func (c *Call) tongue(m *Tongue) {
	if m.Language == "" || m.Language == c.language {
		return
	}
	c.language = m.Language
	c.step(c.now(time.Now()), turn.Input{Kind: turn.Language, Text: m.Language})
	if !c.taken || c.over { // both are opened in the right one
		return
	}
	if c.watch.barged == nil {
		c.ears.tries = 0
		c.openEars(c.ears.gen, 0)
	}
	c.mouth.stale = true
	c.freshMouth()
}

// freshMouth opens the voice of the new language once nothing is under way in
// the old one.
func (c *Call) freshMouth() {
	if !c.mouth.stale {
		return
	}
	if r := c.reply; r != nil && !r.done {
		for _, l := range r.clauses {
			if !l.whole && !l.waits {
				return
			}
		}
	}
	c.mouth.stale, c.mouth.tries = false, 0
	c.openMouth()
}
