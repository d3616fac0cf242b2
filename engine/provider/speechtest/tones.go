package speechtest

import (
	"math"
	"strings"
	"time"
)

// Tones of letters lie so far apart that they are told apart behind a
// telephone's codec, at any level that is not silence.
const (
	firstTone = 440.0 // Hz, of an a
	toneStep  = 90.0  // Hz between neighbours
	toneLevel = 9000
	quiet     = 250                   // RMS below which nothing is heard
	look      = 10 * time.Millisecond // what is looked at at a time
)

// TonesOf is text as tones of 60 ms a letter, which pass through a telephone. What
// is no letter is silence, and so is a third of one before its like.
func TonesOf(text string, rateHz int) []int16 {
	n := int(Voiced * time.Duration(rateHz) / time.Second)
	all := []rune(strings.ToLower(text))
	out := make([]int16, 0, n*len(all))
	for at, r := range all {
		for i := range n {
			v := 0.0
			if r >= 'a' && r <= 'z' && (at+1 == len(all) || all[at+1] != r || i < 2*n/3) {
				v = toneLevel * math.Sin(2*math.Pi*(firstTone+toneStep*float64(r-'a'))*float64(i)/float64(rateHz))
			}
			out = append(out, int16(v))
		}
	}
	return out
}

// NewToneListener reads what TonesOf makes, from any place on. A frame that was
// lost, or that stands twice because one was late, does not disturb it.
func NewToneListener(rateHz int) *Listener {
	l := NewListener(rateHz, Voiced)
	l.block, l.tones = int(look*time.Duration(rateHz)/time.Second), &tones{rate: float64(rateHz), last: ' '}
	return l
}

// least is how many looks make a letter, or a space.
const least = 3

// tones is a run of one letter, or of silence.
type tones struct {
	rate float64
	last byte // what runs
	run  int  // looks
	wild int  // looks at another letter since, too few to be one
	next byte // that letter
}

func (x *tones) hear(l *Listener, pcm []int16) {
	l.rest = append(l.rest, pcm...)
	for len(l.rest) >= l.block {
		is := x.letter(l.rest[:l.block])
		l.rest = l.rest[l.block:]
		switch {
		case is == x.last:
			x.run, x.wild = x.run+1, 0
		case is == ' ' || x.last == ' ': // a short silence parts two letters that are alike
			l.settle()
			x.last, x.run, x.wild = is, 1, 0
		case is == x.next && x.wild > 0:
			if x.wild++; x.wild >= least {
				n := x.wild
				l.settle()
				x.last, x.run, x.wild = is, n, 0
			}
		default:
			x.next, x.wild = is, 1
		}
	}
}

// settle writes the run down: one letter, or as much silence as it lasted.
func (l *Listener) settle() {
	x := l.tones
	switch {
	case x == nil || x.run < least:
		if x != nil && x.last != ' ' {
			x.run = 0
		}
		return
	case x.last == ' ':
		n := max(1, int(math.Round(float64(x.run)*float64(look)/float64(Voiced))))
		l.text = append(l.text, strings.Repeat(" ", n)...)
	default:
		l.text = append(l.text, x.last)
	}
	x.run = 0
}

// letter is the strongest tone of a block (Goertzel), a blank for silence.
func (x *tones) letter(block []int16) byte {
	sum := 0.0
	for _, v := range block {
		sum += float64(v) * float64(v)
	}
	if math.Sqrt(sum/float64(len(block))) < quiet {
		return ' '
	}
	best, power := byte(' '), 0.0
	for k := range 26 {
		c := 2 * math.Cos(2*math.Pi*(firstTone+toneStep*float64(k))/x.rate)
		var a, b float64
		for _, v := range block {
			a, b = float64(v)+c*a-b, a
		}
		if p := a*a + b*b - c*a*b; p > power {
			best, power = byte('a'+k), p
		}
	}
	return best
}

func (s *Server) listener(rateHz int) *Listener {
	if s.Tones {
		l := NewToneListener(rateHz)
		l.knows = s.Knows
		return l
	}
	return NewListener(rateHz, Letter)
}

func (s *Server) rendered(text string, rateHz int) []int16 {
	if s.Tones {
		return TonesOf(text, rateHz)
	}
	return Sound(text, rateHz, Voiced)
}

// expected are the words of the sentence that is nearest to what was heard, if
// one is near, in the place of it.
func expected(heard []timedWord, knows []string) []timedWord {
	if len(heard) == 0 {
		return nil
	}
	text, best, least := joined(heard), "", 0
	for _, k := range knows {
		if d := Apart(k, text, false); best == "" || d < least {
			best, least = k, d
		}
	}
	if least*5 > len(best)*3 {
		return heard
	}
	from, to := heard[0].start, heard[len(heard)-1].end
	var out []timedWord
	at := 0
	for w := range strings.FieldsSeq(best) {
		place := func(i int) int { return from + (to-from)*i/len(best) }
		out = append(out, timedWord{text: w, start: place(at), end: place(at + len(w))})
		at += len(w) + 1
	}
	return out
}

// Apart is how many letters have to be changed, added or left out to make one
// text of the other (Levenshtein); within: to find it anywhere in the other.
func Apart(text, in string, within bool) int {
	row := make([]int, len(in)+1)
	for j := range row {
		if !within {
			row[j] = j
		}
	}
	for i := range len(text) {
		last := row[0]
		row[0] = i + 1
		for j := range len(in) {
			cost := last
			if text[i] != in[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	least := row[len(in)]
	if within {
		for _, d := range row {
			least = min(least, d)
		}
	}
	return least
}
