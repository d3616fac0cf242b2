package actors

import (
	"time"

	"flametree/engine/event"
	"flametree/engine/turn"
)

// stopwatch holds the instants of a turn that the waterfall is drawn from.
type stopwatch struct {
	turn     uint64        // of the machine
	heldBack time.Duration // from the end of speech until the VAD said so
	silence  time.Duration // waited for the caller to go on
	words    time.Duration // waited for the recogniser beyond that
	commit   time.Time
	opened   time.Time
	said     time.Time // first clause from the session
	audio    time.Time // first audio from the voice
	started  time.Time // first packet
	wait     time.Duration
	why      string
	whyWait  time.Duration
	session  []event.Stage
}

// commitAt begins the watch of the turn that was just closed; the notes of why
// it waited have come before.
func (w *stopwatch) commitAt(t time.Time, o turn.Output) {
	n := stopwatch{turn: o.Turn, commit: t, why: o.Why, whyWait: o.Wait}
	if w.turn == o.Turn {
		n.silence, n.words = w.silence, w.words
	}
	n.heldBack = max(0, o.At-o.Ended-n.silence-n.words)
	if n.words > n.silence { // the end of the turn was clear long before
		n.why = "stt_final"
	}
	*w = n
}

func (w *stopwatch) talking(at time.Time, wait time.Duration) { w.started, w.wait = at, wait }

// note takes a reason for waiting. Those before the commit say what the turn
// waited for; a later one says what the reply waited for.
func (w *stopwatch) note(o turn.Output) {
	if o.Kind != turn.Note {
		return
	}
	if o.Turn != 0 && o.Turn != w.turn {
		*w = stopwatch{turn: o.Turn}
	}
	switch {
	case o.Turn == 0 || !w.commit.IsZero():
		if o.Wait > w.whyWait {
			w.why, w.whyWait = o.Why, o.Wait
		}
	case o.Why == "stt_final" || o.Why == "stt_timeout" || o.Why == "stt_empty":
		w.words += o.Wait
	default:
		w.silence += o.Wait
	}
}

// timed makes the waterfall of a reply's turn. A stage that did not happen is left out.
func (r *reply) timed(now stopwatch) event.TurnTimed {
	w := r.clock
	if now.turn == w.turn {
		w.started, w.wait, w.why, w.whyWait = now.started, now.wait, now.why, now.whyWait
	}
	out := event.TurnTimed{Turn: r.turn, Waited: w.why}
	add := func(name string, d time.Duration) {
		if d > 0 {
			out.Stages = append(out.Stages, event.Stage{Name: name, Took: d})
		}
	}
	between := func(a, b time.Time) time.Duration {
		if a.IsZero() || b.IsZero() {
			return 0
		}
		return b.Sub(a)
	}
	// The stages follow one another and together last from the end of the
	// caller's speech to our first packet.
	add("vad_stop", w.heldBack)
	add("eot", w.silence)
	add("stt_final", w.words)
	queue := between(w.commit, w.opened)
	add("queue", queue)
	var ttft, clause time.Duration
	for _, s := range w.session {
		switch s.Name {
		case "llm_ttft":
			ttft = s.Took
		case "llm_first_clause":
			clause = s.Took
		}
	}
	ttft = min(ttft, clause)
	add("llm_ttft", ttft)
	add("llm_first_clause", clause-ttft)
	tts := between(w.said, w.audio)
	add("tts_ttfb", tts)
	add("pacer", w.wait)
	if all := between(w.commit, w.started); all > 0 {
		add("engine", all-queue-clause-tts-w.wait)
	}
	return out
}
