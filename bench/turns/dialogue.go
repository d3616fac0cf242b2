package turns

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// dialogue is one call as it is to be: the caller's part, with what the agent
// says in between.
type dialogue struct {
	caller caller
	steps  []step
}

// caller is how a person speaks.
type caller struct {
	voice  string
	speed  int           // of the rendering, in percent; the pitch goes along
	median time.Duration // of pauses
	spread float64       // sigma of their logarithm
	stops  float64       // share of the places within a phrase at which the person pauses
	breaks float64       // the same between phrases
	hums   float64       // share of pauses within a phrase that begin with "um"
	snrDB  float64
	loss   float64
}

// begins says when a step's speech starts.
type begins uint8

const (
	answers    begins = iota // after the agent has finished
	interrupts               // while the agent speaks
	collides                 // with the agent's first sound
)

// step is one turn of the caller, and the agent's reply to it.
type step struct {
	class  string // of the answer, for the table
	begins begins
	after  time.Duration // of the agent's end, or onset
	says   []segment
	reply  string
	asides []aside
}

// segment is a stretch of speech and the pause after it; the last one has none.
type segment struct {
	text  string
	pause time.Duration
}

// aside is a sound that takes no turn, made while the agent speaks.
type aside struct {
	at   time.Duration // after the agent's onset
	text string        // "" = a cough
}

// The law of pauses: a log-normal one of each caller's own between these ends.
const (
	shortest = 150 * time.Millisecond
	longest  = 1600 * time.Millisecond
)

// writer draws dialogues.
type writer struct{ *rand.Rand }

// write draws dialogue n of a seed. Equal seeds and numbers give equal dialogues.
func write(seed uint64, n int) dialogue {
	w := writer{rand.New(rand.NewPCG(seed, uint64(n)))}
	d := dialogue{caller: w.caller()}
	count := 3 + w.IntN(3)
	for i := range count {
		s := w.step(d.caller, i, i == count-1)
		if i > 0 {
			prev := &d.steps[i-1]
			if s.begins == answers {
				prev.reply += " " + w.pick(asks()[s.class])
			} else {
				prev.reply = w.pick(long())
			}
			prev.asides = w.aside(prev.reply, s.begins)
		}
		d.steps = append(d.steps, s)
	}
	return d
}

func (w writer) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.Int64N(int64(high-low)+1))
}

func (w writer) pick(all []string) string { return all[w.IntN(len(all))] }

func (w writer) chance(p float64) bool { return w.Float64() < p }

func (w writer) caller() caller {
	return caller{
		voice:  w.pick([]string{"rms", "slt", "awb"}),
		speed:  90 + 5*w.IntN(6),
		median: max(shortest, min(time.Duration(float64(420*time.Millisecond)*math.Exp(0.35*w.NormFloat64())), longest)),
		spread: 0.3 + 0.2*w.Float64(),
		stops:  0.1 + 0.4*w.Float64(),
		breaks: 0.1 + 0.25*w.Float64(),
		hums:   0.2 + 0.5*w.Float64(),
		snrDB:  15 + 25*w.Float64(),
		loss:   max(0, 0.02*(w.Float64()-0.5)),
	}
}

// pause draws a pause of a caller, again while it lies outside of the law's ends.
func (w writer) pause(c caller, spread float64) time.Duration {
	for range 100 {
		d := time.Duration(float64(c.median) * math.Exp(spread*w.NormFloat64()))
		if d >= shortest && d <= longest {
			return d
		}
	}
	return c.median
}

// step draws a turn. The first one tells a story; the last one says goodbye.
func (w writer) step(c caller, n int, last bool) step {
	class := []string{"yes_no", "yes_no", "number", "number", "date", "name", "spelling", "mail", "story", "question"}[w.IntN(10)]
	switch {
	case n == 0:
		class = "story"
	case last:
		class = "goodbye"
	}
	s := step{class: class, after: w.between(150*time.Millisecond, 700*time.Millisecond), reply: w.pick(notes())}
	switch {
	case n == 0 || last:
	case w.chance(0.2):
		s.class, s.begins = "interruption", interrupts
		s.after = w.between(700*time.Millisecond, 2500*time.Millisecond)
	case w.chance(0.05):
		s.class, s.begins = "collision", collides
		s.after = w.between(0, 200*time.Millisecond)
	}
	s.says = w.says(c, s.class)
	return s
}

// aside draws what the caller does while the agent says a reply.
func (w writer) aside(reply string, next begins) []aside {
	// The reply lasts 300 ms a word. What comes in its last second belongs to the
	// answer, and what comes before an interruption would be one.
	room := time.Duration(len(strings.Fields(reply)))*300*time.Millisecond - 2*time.Second
	if next != answers || room < 500*time.Millisecond || !w.chance(0.6) {
		return nil
	}
	a := aside{at: w.between(400*time.Millisecond, room)}
	if w.chance(0.5) {
		a.text = w.pick(murmurs())
	}
	return []aside{a}
}

// says draws the words of a class, with this caller's pauses.
func (w writer) says(c caller, class string) []segment {
	switch class {
	case "number":
		return w.digits(c)
	case "spelling":
		return w.letters(c)
	}
	return w.breathe(c, w.fill(w.pick(texts()[class])))
}

// breathe cuts a text at the places at which this caller pauses.
func (w writer) breathe(c caller, text string) []segment {
	var out []segment
	var words []string
	for word := range strings.FieldsSeq(text) {
		stop := word == "|" && w.chance(c.stops) || word == "/" && w.chance(c.breaks)
		switch {
		case stop && len(words) > 0:
			if word == "|" && w.chance(c.hums) {
				words = append(words, w.pick([]string{"um", "uh"}))
			}
			out = append(out, segment{strings.Join(words, " "), w.pause(c, c.spread)})
			words = nil
		case word != "|" && word != "/":
			words = append(words, word)
		}
	}
	return append(out, segment{text: strings.Join(words, " ")})
}

// digits dictates a number in groups; the gaps between them are more even than
// other pauses, as those of dictation are.
func (w writer) digits(c caller) []segment {
	names := []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	count := 4 + w.IntN(8)
	var groups []string
	if lead := w.pick([]string{"", "", "it's", "the number is", "sure it's", "that is"}); lead != "" {
		groups = append(groups, lead)
	}
	for count > 0 {
		n := min(count, 2+w.IntN(3))
		if count-n == 1 {
			n = count
		}
		var g []string
		for range n {
			g = append(g, w.pick(names))
		}
		groups = append(groups, strings.Join(g, " "))
		count -= n
	}
	return w.dictate(c, groups)
}

// letters spells a name.
func (w writer) letters(c caller) []segment {
	name := w.pick(surnames())
	var groups []string
	for len(name) > 0 {
		n := min(len(name), 2+w.IntN(3))
		groups = append(groups, strings.Join(strings.Split(name[:n], ""), " "))
		name = name[n:]
	}
	return w.dictate(c, groups)
}

func (w writer) dictate(c caller, groups []string) []segment {
	out := []segment{{text: groups[0]}}
	for _, g := range groups[1:] {
		last := &out[len(out)-1]
		if w.chance(0.25) { // said in one breath
			last.text += " " + g
			continue
		}
		last.pause = w.pause(c, 0.25)
		out = append(out, segment{text: g})
	}
	return out
}

// fill puts names and the like into a text.
func (w writer) fill(text string) string {
	for strings.Contains(text, "{") {
		for _, slot := range []struct {
			name string
			of   []string
		}{
			{"{first}", firstNames()},
			{"{last}", surnames()},
			{"{thing}", things()},
			{"{day}", days()},
			{"{month}", months()},
			{"{nth}", ordinals()},
			{"{place}", places()},
		} {
			text = strings.Replace(text, slot.name, w.pick(slot.of), 1)
		}
	}
	return text
}

// texts is all that the caller says.
func (d dialogue) texts() []string {
	var out []string
	for _, s := range d.steps {
		for _, g := range s.says {
			out = append(out, g.text)
		}
		for _, a := range s.asides {
			if a.text != "" {
				out = append(out, a.text)
			}
		}
	}
	return out
}

// String tells a dialogue for people.
func (d dialogue) String() string {
	var b strings.Builder
	for _, s := range d.steps {
		fmt.Fprintf(&b, "%s:", s.class)
		for _, g := range s.says {
			fmt.Fprintf(&b, " %s", g.text)
			if g.pause > 0 {
				fmt.Fprintf(&b, " (%d)", g.pause.Milliseconds())
			}
		}
		fmt.Fprintf(&b, "\n  agent: %s %v\n", s.reply, s.asides)
	}
	return b.String()
}
