package actors

import (
	"context"
	"strings"
	"time"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/spoken"
	"flametree/engine/turn"
)

// fact turns what leg and line noticed into inputs of the machine.
func (c *Call) fact(f Fact) {
	if c.hushed(f) {
		return
	}
	at := c.now(f.At)
	switch f.Kind {
	case FactRawOn:
		c.step(at, turn.Input{Kind: turn.RawOn})
	case FactRawOff:
		c.step(at, turn.Input{Kind: turn.RawOff})
	case FactVoiceOn:
		c.duplex.voiceOn()
		c.step(at, turn.Input{Kind: turn.VoiceOn})
	case FactVoiceOff:
		c.step(at, turn.Input{Kind: turn.VoiceOff})
	case FactPackets:
		c.step(at, turn.Input{Kind: turn.Packets})
	case FactNoPackets:
		c.step(at, turn.Input{Kind: turn.NoPackets})
	case FactDigit:
		c.write(event.CallDigit{Digit: event.P(string(f.Digit)), Offset: at})
		c.step(at, turn.Input{Kind: turn.Digit, Digit: f.Digit})
	case FactTalking:
		c.clock.talking(f.At, f.Wait)
		c.talking(f.Gen)
		c.step(at, turn.Input{Kind: turn.AudioStarted, Gen: f.Gen})
	case FactMark:
		c.captionPlayed(f.Gen, f.Played)
		c.step(at, turn.Input{Kind: turn.PlayoutReached, Gen: f.Gen, Clause: f.Mark >> 1, Whole: f.Mark&1 == 1, Played: f.Played})
	case FactDrained:
		c.step(at, turn.Input{Kind: turn.Drained, Gen: f.Gen, Played: f.Played})
		c.drained(f.Gen, f.Played)
	case FactLineUp, FactLineHeld, FactLineResumed, FactLineEnded:
		c.lineFact(at, f)
	case FactNone, FactLineEarly, FactLineReplaced: // what the line does with itself
	}
}

// lineFact is fact for what the signalling noticed.
func (c *Call) lineFact(at time.Duration, f Fact) {
	switch f.Kind {
	case FactLineUp:
		c.step(at, turn.Input{Kind: turn.LineUp})
		c.lineUp()
	case FactLineHeld:
		c.write(event.CallHeld{Offset: at})
		c.step(at, turn.Input{Kind: turn.LineHeld})
	case FactLineResumed:
		c.write(event.CallResumed{Offset: at})
		c.step(at, turn.Input{Kind: turn.LineResumed})
	case FactLineEnded:
		c.step(at, turn.Input{Kind: turn.LineEnded, Reason: f.Reason})
		c.finish(ended(f.Reason), f.Reason, "peer")
	default: // not of the line
	}
}

// ended is the session's status when its call ends for a reason.
func ended(reason string) event.Status {
	switch reason {
	case "canceled":
		return event.Canceled
	case "failed", "media_lost":
		return event.Failed
	}
	return event.Completed
}

// do carries out one decision of the machine.
func (c *Call) do(o turn.Output) {
	switch o.Kind {
	case turn.FinalizeSTT:
		if c.ears.stream != nil && o.Gen == c.ears.gen {
			_ = c.ears.stream.Finalize() // a stream that fails says so in what is heard
		}
	case turn.CloseTurn:
		c.closeTurn(o)
	case turn.Duck:
		c.leg.Duck(o.DB)
	case turn.Unduck:
		c.leg.Duck(0)
	case turn.Pause:
		c.leg.Pause(o.Gen)
	case turn.Resume:
		c.leg.Duck(0)
		c.leg.Resume(o.Gen, c.boundary(o.Gen))
	case turn.Yield:
		c.yield(o)
	case turn.Speculate:
		c.toSession(&Guess{Text: o.Text})
	case turn.DropSpeculation:
		c.toSession(&Guess{})
	case turn.Filler:
		c.filler(o)
	case turn.PromptNoInput:
		c.prompt(o)
	case turn.RestartSTT:
		c.openEars(o.Gen, o.Replay)
	case turn.PromptTransfer:
		c.giveBack(o)
	case turn.HangUp:
		c.flush()
		c.finish(o.Status, o.Why, "agent")
	case turn.AskRepeat:
		if o.Why == "reply_failed" { // after an unheard turn the session asks by itself
			c.toSession(&Nudge{Gen: o.Gen, Text: inTongue(c.cast.Revision.Settings.Rephrase, agent.Defaults().Rephrase, spoken.NotUnderstood(c.language))})
		}
	case turn.Note, turn.OpenTurn, turn.AdoptSpeculation:
		c.clock.note(o)
	}
}

// closeTurn gives the caller's turn to the session; the reply will speak as o.Gen.
func (c *Call) closeTurn(o turn.Output) {
	if c.foregone(o) {
		return
	}
	c.clock.commitAt(c.born.Add(o.At), o)
	text := strings.TrimSpace(o.Text + " " + o.Digits)
	c.captions.closed(text)
	c.toSession(&Spoke{Gen: o.Gen, Text: text, Digits: text != "" && text == o.Digits, Unheard: o.Unheard, Offset: o.Ended})
}

// yield gives the floor to the caller. What is nearest to the ear falls silent
// first; the model last.
func (c *Call) yield(o turn.Output) {
	c.leg.Duck(0)
	played := c.leg.Flush(o.Gen)
	if c.mouth.speech != nil {
		c.mouth.speech.Cancel(o.Gen)
	}
	c.dropWaiting(o.Gen)
	if r := c.reply; r != nil && r.gen <= o.Gen {
		c.interrupted(r, played)
	}
	if c.pass != nil && !c.pass.begun { // the caller has something else to say
		c.pass = nil
	}
	c.flush()
}

// openEars opens a recogniser as the machine's stream gen; the last replay of
// what was said is given to it first.
func (c *Call) openEars(gen uint64, replay time.Duration) {
	if c.ears.cancel != nil {
		c.ears.cancel()
	}
	c.ears.gate.shut()
	ctx, cancel := context.WithCancel(c.life)
	c.ears.n++
	c.ears.gen, c.ears.replay, c.ears.cancel, c.ears.stream, c.ears.since = gen, replay, cancel, nil, time.Now()
	if c.cast.Hears == nil {
		return
	}
	f := provider.Format{
		RateHz: 16000, BandHz: c.leg.Stats().RateHz, Language: c.language, Hints: c.cast.Hints,
	}
	n, tell, t := c.ears.n, teller(c.root, c.self), c.cast.Hears
	go func() { listen(ctx, t, f, n, tell) }()
}

// maxEars bounds how often a recogniser is opened again in a row.
const maxEars = 5

func (c *Call) heard(m any) {
	switch m := m.(type) {
	case *earsOpen:
		if m.ears != c.ears.n {
			return
		}
		if m.err != nil {
			c.deaf(m.err)
			return
		}
		c.ears.stream = m.stream
		c.changed("stt", &c.ears.vendor, m.stream)
		c.ears.gate.open(m.stream)
		c.leg.Hear(c.ears.gate.frame, c.ears.replay+time.Since(c.ears.since))
		if c.ears.n > 1 { // what is replayed is written by now
			c.step(c.now(time.Now()), turn.Input{Kind: turn.STTRestored, Gen: c.ears.gen})
		}
	case *hearing:
		if m.ears != c.ears.n {
			return
		}
		c.ears.tries = 0
		if c.screen != nil {
			c.understood(m.Text, m.Final)
			return
		}
		c.captions.understood(m.Text, m.Final)
		kind := turn.Partial
		if m.Final {
			kind = turn.Final
		}
		c.step(c.now(m.at), turn.Input{Kind: kind, Gen: c.ears.gen, Text: m.Text})
		if m.EndOfTurn {
			c.step(c.now(m.at), turn.Input{Kind: turn.EndOfTurnHint, Hint: turn.HintFinished})
		}
	case *earsGone:
		if m.ears == c.ears.n {
			c.deaf(m.err)
		}
	}
}

func (c *Call) deaf(err error) {
	c.Log.Warn("recogniser gone", "err", err, "call", c.id.Name)
	c.ears.gate.shut()
	c.ears.stream = nil
	c.ears.vendor.lost(err)
	c.ears.tries++
	if c.ears.tries > maxEars {
		c.vendorGone("stt", c.ears.vendor.who, "", c.ears.vendor.fault)
		c.finish(event.Failed, "recogniser", "system")
		return
	}
	c.step(c.now(time.Now()), turn.Input{Kind: turn.STTFailed, Gen: c.ears.gen})
}

// finish ends the call once, whoever wanted it.
func (c *Call) finish(status event.Status, reason, by string) {
	if c.over || c.offer == nil {
		return
	}
	if r := c.reply; r != nil && !r.done {
		c.interrupted(r, c.leg.Flush(r.gen))
	}
	c.over = true
	c.disarm()
	if c.beat != nil {
		c.beat.Stop()
	}
	c.notTaken(reason)
	captures := c.unwatched()
	c.endDuplex()
	c.dropPass()
	c.dropHands()
	if s := c.screen; s != nil && s.patient != nil {
		s.patient.Stop()
	}
	if c.dial != nil && c.dial.cancel != nil {
		c.dial.cancel()
	}
	var stats LegStats
	if c.leg != nil {
		c.line.Hangup(string(status))
		stats = c.hands.past.plus(c.leg.Stats())
	}
	for _, cancel := range []context.CancelFunc{c.ears.cancel, c.mouth.cancel} {
		if cancel != nil {
			cancel()
		}
	}
	if c.leg == nil { // it never was answered
	} else if err := c.leg.Close(); err != nil && fault.KindOf(err) != fault.Cancelled {
		c.Log.Warn("leg not closed", "err", err, "call", c.id.Name)
	}
	if len(c.inputs) > 0 && c.taken { // without call.answered nobody could replay them
		c.write(event.CallInputs{Inputs: c.inputs})
	}
	c.toSession(&LegGone{Status: status})
	c.keep(event.CallEnded{
		Reason: reason, By: by, Received: stats.Received, Lost: stats.Lost, Sent: stats.Sent, Jitter: stats.Jitter,
		Talked: time.Since(c.born), Quality: c.judge(stats),
	}, captures)
}
