package turn

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flametree/engine/event"
)

// witness watches a machine from outside and knows only what its contract
// promises.
type witness struct {
	t    *rapid.T
	cfg  Config
	m    *Machine
	recs []event.TurnInput

	at       time.Duration // of the last step
	last     time.Duration // the last thing that happened: input or output
	turn     uint64
	open     bool
	voice    bool // the VAD says speech
	leg      bool // the leg's last word on it
	cut      bool
	away     [2]bool // held, transferring
	dead     uint64  // newest generation that was yielded
	paused   uint64
	ducked   bool
	guessing bool // a speculation is running
	over     bool
	spoken   []string // every decision so far
}

func (w *witness) step(at time.Duration, in Input) {
	w.at = max(w.at, at)
	if in.Kind != Tick {
		w.last = w.at
	}
	outs := w.m.Step(at, in)
	w.recs = append(w.recs, Record(at, in, outs))
	w.spoken = append(w.spoken, w.recs[len(w.recs)-1].Decisions...)
	if w.over && len(outs) > 0 {
		w.t.Fatalf("%v after the end of the call", outs)
	}
	// Deadlines before the input took effect while the voice was as it was.
	for _, o := range outs {
		if o.At > w.at {
			w.t.Fatalf("%s is later than %v", o.Spell(), w.at)
		}
	}
	w.look(in, outs)
	if w.away[1] && !w.m.transferring { // it timed out
		if w.away[1] = false; !w.away[0] {
			w.leg, w.cut = false, false
		}
	}
	due, ok := w.m.Deadline()
	if ok && due <= w.at {
		w.t.Fatalf("at %v the deadline %v has passed", w.at, due)
	}
	if again := w.m.Step(w.at, Input{}); len(again) > 0 {
		w.t.Fatalf("a second tick at %v said %v", w.at, again)
	}
	if d, k := w.m.Deadline(); d != due || k != ok {
		w.t.Fatalf("a second tick moved the deadline from %v to %v", due, d)
	}
}

// look checks the outputs of one step. The owner ticked at every deadline, so
// all of them answer the input.
func (w *witness) look(in Input, outs []Output) {
	w.hear(in)
	for _, o := range outs {
		if o.Kind != Note {
			w.last = w.at
		}
		switch o.Kind {
		case OpenTurn:
			if w.open || o.Turn != w.turn+1 {
				w.t.Fatalf("%s while turn %d is open: %v", o.Spell(), w.turn, w.open)
			}
			w.open, w.turn = true, o.Turn
		case CloseTurn:
			w.closed(o)
		case Duck:
			w.must(!w.ducked, o, "ducked already")
			w.ducked = true
		case Unduck:
			w.must(w.ducked, o, "not ducked")
			w.ducked = false
		case Pause:
			w.must(w.paused != o.Gen && o.Gen > w.dead, o, "paused or dead")
			w.paused = o.Gen
		case Resume:
			w.must(w.paused == o.Gen && o.Gen > w.dead, o, "not paused, or dead")
			w.paused = 0
		case Yield:
			w.must(o.Gen > w.dead, o, "dead")
			w.dead = o.Gen
		case Filler, PromptNoInput:
			w.must(o.Gen > w.dead && !w.open, o, "dead, or the caller has the floor")
		case AskRepeat:
			w.must(o.Gen > w.dead && !w.open && !w.over, o, "nobody to ask")
		case Speculate:
			w.must(w.open && !w.guessing, o, "no turn, or speculating already")
			w.guessing = true
		case AdoptSpeculation, DropSpeculation:
			w.must(w.guessing, o, "nothing was speculated")
			w.guessing = false
		case FinalizeSTT, RestartSTT:
			w.must(o.Gen == w.m.Stream(), o, "of another stream")
		case HangUp:
			w.over = true
		case Note, outputKinds:
		}
	}
	w.must(w.over == (w.m.Line() == Over), Output{}, "over on one side only")
	w.must(!w.over || !w.open, Output{}, "over with an open turn")
}

// hear keeps what the VAD says, as far as it is about the caller: not on hold,
// not without packets, not once the watchdog has set it aside.
func (w *witness) hear(in Input) {
	away := w.away[0] || w.away[1]
	switch k := in.Kind; {
	case k == Packets, k == RawOn, k == VoiceOn, k == Digit:
		if k == Digit && !isKey(in.Digit) {
			break
		}
		w.voice = w.voice || w.cut && w.leg && !away
		w.cut = false
		if k == VoiceOn {
			w.voice = w.voice || !w.leg && !away
			w.leg = true
		}
	case k == VoiceOff:
		w.voice, w.leg = false, false
	case k == NoPackets:
		w.cut = w.cut || w.voice
		w.voice = false
	case k == LineHeld, k == LineTransferring:
		w.voice = false
		w.away[int(k-LineHeld)/2] = true
	case k == LineResumed, k == LineTransferFailed:
		if w.away[int(k-LineResumed)/2] = false; away && !w.away[0] && !w.away[1] {
			w.leg, w.cut = false, false
		}
	case k == LineEnded:
		w.over = true
	}
}

func (w *witness) closed(o Output) {
	w.must(w.open && o.Turn == w.turn, o, "not open")
	w.must(o.Gen > w.dead && o.Gen == w.m.Gen() || w.over || w.m.Gen() > o.Gen, o, "not a new generation")
	spoken := o.Why == "watchdog" || o.Why == "line_ended" || o.Why == "hang_up"
	w.must(!w.voice || spoken, o, "the VAD says speech")
	if o.Why == "watchdog" {
		w.voice = false
	}
	w.must(o.Unheard == (o.Words == 0 && o.Digits == ""), o, "unheard or not")
	w.open = false
}

func (w *witness) must(ok bool, o Output, why string) {
	if !ok {
		w.t.Fatalf("at %v: %s: %s\n%s", w.at, o.Spell(), why, tell(w.recs))
	}
}

// until ticks at every deadline before at.
func (w *witness) until(at time.Duration) {
	for due, ok := w.m.Deadline(); ok && due < at; due, ok = w.m.Deadline() {
		w.step(due, Input{})
	}
}

// holds reports whether somebody has the floor.
func (w *witness) holds() bool {
	a := w.m.Agent()
	return w.open || a == AgentStarting || a == AgentSpeaking || a == AgentDucked || a == AgentPaused
}

func anyInput(t *rapid.T, m *Machine) Input {
	texts := []string{
		"", "yes", "uh-huh", "okay right", "wait", "block my card", "what is the", "debit cards are free", "four two seven", "um", "thank you bye", "anna at",
	}
	in := Input{Kind: InputKind(rapid.IntRange(1, int(inputKinds)-1).Draw(t, "kind"))}
	if rapid.Bool().Draw(t, "usual") {
		usual := []InputKind{RawOn, RawOff, VoiceOn, VoiceOn, VoiceOff, Partial, Final, SayQueued, AudioStarted, AudioStarted, PlayoutReached, ReplyEnded}
		in.Kind = rapid.SampledFrom(usual).Draw(t, "usual kind")
	}
	if in.Kind == LineEnded && rapid.IntRange(0, 9).Draw(t, "end") > 0 {
		in.Kind = VoiceOff
	}
	switch k := in.Kind; {
	case k == Partial, k == Final:
		in.Text = rapid.SampledFrom(texts).Draw(t, "text")
		in.Gen = m.Stream() - uint64(rapid.IntRange(0, 8).Draw(t, "stale")/8)
	case k == STTFailed, k == STTRestored:
		in.Gen = m.Stream() - uint64(rapid.IntRange(0, 8).Draw(t, "stale")/8)
	case k == Digit:
		in.Digit = rapid.SampledFrom([]byte("1#*x")).Draw(t, "digit")
	case k == EndOfTurnHint:
		in.Hint = Hint(rapid.IntRange(0, int(hints)-1).Draw(t, "hint"))
	case k >= SayQueued && k <= ReplyWorking, k == TTSFailed:
		in.Gen = max(1, m.Gen()) + []uint64{0, 0, 0, 0, 0, 1, ^uint64(0)}[rapid.IntRange(0, 6).Draw(t, "gen")]
		in.Clause = uint64(rapid.IntRange(0, 2).Draw(t, "clause"))
		in.Whole = rapid.Bool().Draw(t, "whole")
		in.Text = rapid.SampledFrom([]string{"Debit cards are free.", "Shall I?", "What is your order number?", "How can I help you?"}).Draw(t, "said")
	}
	return in
}

func anyConfig(t *rapid.T) Config {
	c := Default()
	c.BargeIn = rapid.IntRange(0, 3).Draw(t, "barge in") > 0
	c.Fillers = rapid.Bool().Draw(t, "fillers")
	c.Speculate = rapid.Bool().Draw(t, "speculate")
	if rapid.Bool().Draw(t, "as before") {
		old := before()
		old.BargeIn, old.Fillers, old.Speculate = c.BargeIn, c.Fillers, c.Speculate
		c = old
	}
	c.EOTModel = rapid.SampledFrom(strings.Fields(models)).Draw(t, "model")
	c.EOTDeviations = rapid.IntRange(0, 4).Draw(t, "deviations")
	c.SpeculateLead = rapid.SampledFrom([]time.Duration{0, 100 * time.Millisecond, 450 * time.Millisecond, time.Minute}).Draw(t, "lead")
	return c
}

// TestAnyOrderOfEvents drives the machine through random orders of events under
// virtual time, with an owner that ticks at every deadline.
func TestAnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &witness{t: t, cfg: anyConfig(t)}
		w.m = New(w.cfg, 7)
		waits := []int{0, 0, 10, 20, 60, 120, 200, 500, 900, 2000, 6000, 16000}
		for range rapid.IntRange(1, 80).Draw(t, "inputs") {
			at := w.at + time.Duration(rapid.SampledFrom(waits).Draw(t, "wait"))*time.Millisecond
			w.until(at)
			w.step(at, Input{}) // what is due at this very instant is no answer to the input
			w.step(at, anyInput(t, w.m))
		}
		w.freed()
		w.replayed()
	})
}

// freed lets all inputs stop, off hold, and wants the floor free: no stretch
// without any event longer than the watchdog, and all of them twice that.
func (w *witness) freed() {
	w.step(w.at, Input{Kind: LineResumed})
	w.step(w.at, Input{Kind: LineTransferFailed})
	stopped := w.at
	for w.holds() {
		due, ok := w.m.Deadline()
		if !ok || due-w.last > w.cfg.Watchdog || due-stopped > 2*w.cfg.Watchdog {
			w.t.Fatalf("the floor is not freed: caller %d, agent %d, next %v, inputs stopped at %v, last event at %v\n%s",
				w.m.Caller(), w.m.Agent(), due, stopped, w.last, tell(w.recs))
		}
		w.step(due, Input{})
	}
	w.until(w.at + time.Hour)
}

// replayed wants the recording to give the same decisions, and the same again
// when the process was so busy that no tick came at all.
func (w *witness) replayed() {
	if diff := Rerun(w.cfg, 7, w.recs); len(diff) > 0 {
		w.t.Fatalf("replay differs: %+v\n%s", diff, tell(w.recs))
	}
	m := New(w.cfg, 7)
	var late []string
	for _, rec := range w.recs {
		if at, in, err := Replay(rec); err != nil {
			w.t.Fatal(err)
		} else if in.Kind != Tick {
			late = append(late, Record(at, in, m.Step(at, in)).Decisions...)
		}
	}
	late = append(late, Record(0, Input{}, m.Step(w.at, Input{})).Decisions...)
	if !slices.Equal(late, w.spoken) {
		w.t.Fatalf("without ticks:\n%s\nwith them:\n%s", strings.Join(late, "\n"), strings.Join(w.spoken, "\n"))
	}
}

// FuzzStep feeds bytes: no order of inputs, however absurd, panics or opens two turns.
func FuzzStep(f *testing.F) {
	f.Add([]byte{0, 3, 10, 9, 20, 4, 200, 0})
	f.Add([]byte{0, 12, 0, 13, 50, 3, 50, 8, 10, 28})
	f.Add([]byte{255, 255, 255, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg := Default()
		if len(data) > 0 {
			cfg = oddConfig(data[0])
		}
		m := New(cfg, 1)
		var at time.Duration
		open := false
		for i := 1; i+1 < len(data); i += 2 {
			at += time.Duration(int8(data[i+1])) * 37 * time.Millisecond // backwards too
			in := Input{
				Kind: InputKind(data[i] & 31), Gen: uint64(data[i]>>5) + m.Gen()/2, Clause: uint64(data[i+1] & 3), Text: string(data[max(0, i-3):i]),
				Words: uint32(data[i+1] >> 6), Whole: data[i]&32 != 0, Digit: data[i+1], Hint: Hint(data[i+1]), Expect: Expect(data[i+1]),
			}
			for _, o := range m.Step(at, in) {
				if o.Kind == OpenTurn && open || o.Kind == CloseTurn && !open {
					t.Fatalf("%s, open %v", o.Spell(), open)
				}
				open = open && o.Kind != CloseTurn || o.Kind == OpenTurn
			}
		}
		m.Step(1<<62, Input{})
	})
}

// oddConfig has timers of nothing, and others that contradict each other.
func oddConfig(b byte) Config {
	c := Default()
	if b&1 != 0 {
		c = Config{}
	}
	if b&2 != 0 {
		c.Watchdog, c.EOTCap, c.EOTFloor = 500*time.Millisecond, 0, time.Minute
	}
	if b&4 != 0 {
		c.Fillers, c.FillerAfter, c.FillerRepeat, c.NoInputTimeout, c.NoInputPrompts = true, 0, 0, 1, 1000
	}
	c.BargeIn = b&8 != 0
	c.Speculate, c.SpeculateMax = b&16 != 0, 20
	return c
}
