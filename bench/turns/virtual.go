package turns

import (
	"container/heap"
	"math/rand/v2"
	"strings"
	"time"

	"flametree/engine/turn"
)

// virtual holds a dialogue with the turn machine alone, in virtual time: what
// voice detection, recogniser, model and voice would tell it comes at the
// scripted instants. Thousands of dialogues take seconds and depend on no other
// load, so that tests can gate on it; what only sound and sockets show, it does
// not show.
type virtual struct {
	dialogue
	m      *turn.Machine
	chance *rand.Rand
	now    time.Duration
	queue  agenda
	order  int

	words   []utterance // of the caller, in order
	settled int         // of them, those that a final told
	told    string

	gen      uint64 // that speaks or will
	epoch    int    // of the agent's playing: what was planned before means nothing
	clauses  []string
	played   time.Duration // of the clauses
	from     time.Duration // when playing began at played
	playing  bool
	guess    time.Duration // when the speculation began
	adopted  bool
	step     int // of the dialogue, the next one
	awaiting bool
	hearing  bool
	aside    time.Duration // the last one's end

	loud, spells int  // stretches of sound under way, and so far
	on           bool // voice detection says voice
	seen         seen
	story        history
}

// appointment is something planned.
type appointment struct {
	at    time.Duration
	order int
	what  func()
}

type agenda []appointment

// Len implements heap.Interface.
func (a agenda) Len() int { return len(a) }

// Less implements heap.Interface.
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].order < a[j].order
}

// Swap implements heap.Interface.
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push implements heap.Interface.
func (a *agenda) Push(x any) { *a = append(*a, x.(appointment)) }

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// mostVirtual is the longest dialogue.
const mostVirtual = 10 * time.Minute

// simulate holds dialogue n of a seed and returns what was seen of it.
func simulate(cfg turn.Config, seed uint64, n int) (seen, history) {
	v := &virtual{dialogue: write(seed, n), m: turn.New(cfg, seed), chance: rand.New(rand.NewPCG(seed, uint64(n)+1<<40))}
	v.story.began = instant(0)
	v.feed(turn.Input{Kind: turn.Packets})
	v.feed(turn.Input{Kind: turn.LineUp})
	v.awaiting = true
	v.speak(v.m.Gen()+1, "Hello. How can I help you?")
	for v.now < mostVirtual {
		due, ok := v.m.Deadline()
		switch {
		case len(v.queue) > 0 && (!ok || v.queue[0].at <= due):
			a := heap.Pop(&v.queue).(appointment)
			v.now = a.at
			a.what()
		case ok && v.step <= len(v.steps):
			v.now = due
			v.feed(turn.Input{Kind: turn.Tick})
		default:
			return v.seen, v.story
		}
		if v.step > len(v.steps) {
			break
		}
	}
	return v.seen, v.story
}

func instant(d time.Duration) time.Time { return time.Unix(0, int64(d)) }

func (v *virtual) plan(at time.Duration, what func()) {
	v.order++
	heap.Push(&v.queue, appointment{max(at, v.now), v.order, what})
}

// feed gives the machine an input and does what it says.
func (v *virtual) feed(in turn.Input) {
	outs := append([]turn.Output(nil), v.m.Step(v.now, in)...)
	for _, o := range outs {
		if d, err := v.story.parse(o.Spell()); err == nil {
			v.story.decisions = append(v.story.decisions, d)
		}
	}
	for _, o := range outs {
		v.do(o)
	}
}

func (v *virtual) do(o turn.Output) {
	switch o.Kind {
	case turn.FinalizeSTT:
		v.finalize(o.Gen)
	case turn.Speculate:
		v.guess, v.adopted = v.now, false
	case turn.AdoptSpeculation:
		v.adopted = true
	case turn.CloseTurn:
		ready := v.now + llmFirst
		if v.adopted {
			ready = max(v.now, v.guess+llmFirst)
		}
		v.adopted = false
		if o.Unheard {
			v.speak(o.Gen, "Could you say that again?")
			return
		}
		reply := "I see."
		if n := len(v.seen.turns); n > 0 {
			reply = v.seen.turns[n-1].reply
		}
		v.gen = o.Gen
		epoch := v.epoch
		v.plan(ready, func() {
			if v.epoch == epoch {
				v.speak(o.Gen, reply)
			}
		})
	case turn.Pause:
		v.silence()
	case turn.Resume:
		v.play()
	case turn.Yield:
		v.silence()
		v.clauses, v.played = nil, 0
	default:
	}
}

// speak has a reply said: its clauses, then the first sound.
func (v *virtual) speak(gen uint64, text string) {
	v.gen, v.played, v.playing = gen, 0, false
	v.epoch++
	v.clauses = strings.SplitAfter(strings.ReplaceAll(strings.ReplaceAll(text, ". ", ".|"), ", ", ",|"), "|")
	epoch := v.epoch
	for i, c := range v.clauses {
		v.clauses[i] = strings.TrimSuffix(c, "|")
		v.feed(turn.Input{Kind: turn.SayQueued, Gen: gen, Clause: uint64(i + 1), Text: v.clauses[i]})
		if v.epoch != epoch || len(v.clauses) == 0 {
			return
		}
	}
	v.feed(turn.Input{Kind: turn.ReplyEnded, Gen: gen})
	v.plan(v.now+ttsFirst, func() {
		if v.epoch == epoch {
			v.feed(turn.Input{Kind: turn.AudioStarted, Gen: gen})
			v.play()
		}
	})
}

// play goes on with what is left of the clauses.
func (v *virtual) play() {
	v.epoch++
	v.playing, v.from = true, v.now
	v.seen.agent = append(v.seen.agent, span{instant(v.now), instant(v.now)})
	v.onset()
	epoch, gen := v.epoch, v.gen
	end := v.now - v.played
	for i, c := range v.clauses {
		end += time.Duration(len(strings.Fields(c))) * 300 * time.Millisecond
		last := i == len(v.clauses)-1
		if end < v.now {
			continue
		}
		v.plan(end, func() {
			if v.epoch != epoch {
				return
			}
			if last {
				v.silence()
			}
			v.feed(turn.Input{Kind: turn.PlayoutReached, Gen: gen, Clause: uint64(i + 1), Whole: true})
			if last {
				v.feed(turn.Input{Kind: turn.Drained, Gen: gen})
			}
		})
	}
}

// silence stops the agent's sound where it is.
func (v *virtual) silence() {
	v.epoch++
	if !v.playing {
		return
	}
	v.playing = false
	v.played += v.now - v.from
	v.seen.agent[len(v.seen.agent)-1].to = instant(v.now)
	if !v.hearing {
		return
	}
	epoch := v.epoch
	wait := quiet
	if v.now < v.aside+asideWait {
		wait = max(asideQuiet, v.aside+asideQuiet-v.now)
	}
	v.plan(v.now+wait, func() {
		if v.epoch == epoch && !v.playing && v.hearing {
			v.hearing = false
			v.next(v.now)
		}
	})
}

// onset is the agent's first sound after a turn of the caller.
func (v *virtual) onset() {
	if !v.awaiting {
		return
	}
	v.awaiting = false
	if v.step < len(v.steps) && v.steps[v.step].begins != answers {
		v.next(v.now)
		return
	}
	v.hearing = true
	if v.step == 0 {
		return
	}
	for _, a := range v.steps[v.step-1].asides {
		v.plan(v.now+a.at, func() {
			if v.hearing && v.playing {
				v.makeAside(a)
			}
		})
	}
}

func (v *virtual) makeAside(a aside) {
	length := 220 * time.Millisecond
	if a.text != "" {
		length = v.length(a.text)
	}
	v.voice(v.now, v.now+length)
	if a.text != "" {
		v.hear(a.text, v.now, length)
	}
	v.aside = v.now + length
	v.seen.asides = append(v.seen.asides, made{a, span{instant(v.now), instant(v.now + length)}})
}

// next says the dialogue's next step.
func (v *virtual) next(since time.Duration) {
	if v.step >= len(v.steps) {
		v.step++ // over
		return
	}
	s := v.steps[v.step]
	v.step++
	v.plan(since+s.after, func() { v.say(s) })
}

func (v *virtual) say(s step) {
	at := v.now
	for _, g := range s.says {
		length := v.length(g.text)
		v.voice(at, at+length)
		v.hear(g.text, at, length)
		at += length + g.pause
	}
	v.seen.turns = append(v.seen.turns, uttered{s, span{instant(v.now), instant(at)}})
	n := v.step
	v.plan(at, func() {
		v.awaiting, v.hearing = true, false
		v.plan(v.now+answered, func() {
			if v.awaiting && v.step == n {
				v.awaiting = false
				v.next(v.now)
			}
		})
	})
}

// length is how long a text takes to say.
func (v *virtual) length(text string) time.Duration {
	letters := len(text) - strings.Count(text, " ")
	return time.Duration(letters*65+len(strings.Fields(text))*70) * time.Millisecond * 100 / time.Duration(v.caller.speed)
}

// voice plans what voice detection tells of a stretch of sound.
func (v *virtual) voice(from, to time.Duration) {
	v.plan(from+20*time.Millisecond, func() { v.loud++; v.spells++; v.feed(turn.Input{Kind: turn.RawOn}) })
	if to-from >= 120*time.Millisecond {
		v.plan(from+120*time.Millisecond, func() {
			if !v.on {
				v.on = true
				v.feed(turn.Input{Kind: turn.VoiceOn})
			}
		})
	}
	late := time.Duration(v.chance.IntN(3)) * 20 * time.Millisecond // of noise, and of the frame
	v.plan(to+late, func() {
		v.loud--
		spells := v.spells
		v.feed(turn.Input{Kind: turn.RawOff})
		v.plan(v.now+200*time.Millisecond, func() {
			if v.on && v.loud == 0 && v.spells == spells {
				v.on = false
				v.feed(turn.Input{Kind: turn.VoiceOff})
			}
		})
	})
}

// hear plans what the recogniser tells of a text.
func (v *virtual) hear(text string, from, length time.Duration) {
	for _, w := range spread(text, int(length/time.Millisecond)) {
		said := from + time.Duration(w.end)*time.Millisecond
		v.words = append(v.words, utterance{w.text, instant(said)})
		v.plan(said+sttFinal, func() {
			text := v.said(v.now - sttFinal)
			if text != v.told {
				v.told = text
				v.feed(turn.Input{Kind: turn.Partial, Gen: v.m.Stream(), Text: text})
			}
		})
	}
}

func (v *virtual) finalize(stream uint64) {
	asked := v.now
	v.plan(v.now+sttFinal, func() {
		text := v.said(asked - wayToEars)
		v.settled += len(strings.Fields(text))
		v.told = ""
		v.feed(turn.Input{Kind: turn.Final, Gen: stream, Text: text})
	})
}

func (v *virtual) said(by time.Duration) string {
	var words []string
	for _, w := range v.words[min(v.settled, len(v.words)):] {
		if w.at.After(instant(by)) {
			break
		}
		words = append(words, w.text)
	}
	return strings.Join(words, " ")
}
