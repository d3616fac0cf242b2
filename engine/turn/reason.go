package turn

import (
	"fmt"
	"time"

	"flametree/engine/event"
)

// Reason explains to people what a turn waited for: why is event.TurnTimed's
// Waited, stages are its stages, of which the one that the reason is about gives
// the length. The code itself comes first, so that logs can be searched. What
// is not known is given back as it is.
func Reason(why string, stages []event.Stage) string {
	about, stage := "", "eot"
	switch why {
	case "eot":
		about = "end of turn"
	case "eot_finished":
		about = "end of turn, it sounded finished"
	case "eot_ahead":
		about = "end of turn, it sounded finished and the reply was thought ahead"
	case "eot_unfinished":
		about = "unfinished sentence"
	case "eot_open":
		about = "end of turn, more might have followed"
	case "eot_unready":
		about = "end of turn, and the reply could not be thought ahead"
	case "eot_prior":
		about = "end of turn, as people usually pause"
	case "eot_cap":
		about = "end of turn, the longest wait there is"
	case "learned":
		about = "end of turn, learned floor"
	case "voice":
		about = "sound after the voice"
	case "stt_final", "stt_timeout", "stt_empty":
		about, stage = "the recogniser's last words", "stt_final"
	case "dtmf_gap", "dtmf_terminator", "dtmf_max":
		about = "keys"
	case "watchdog":
		about = "no sign of life"
	case "reply_failed":
		return why + ": the reply failed"
	default:
		return why
	}
	for _, s := range stages {
		if s.Name == stage && s.Took > 0 {
			return fmt.Sprintf("%s: %s %d ms", why, about, s.Took.Round(time.Millisecond).Milliseconds())
		}
	}
	return why + ": " + about
}
