package turn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// Record spells an input and what the machine answered for the journal. Turn
// is the turn that the answer opened or closed, 0 for none.
func Record(at time.Duration, in Input, outs []Output) event.TurnInput {
	rec := event.TurnInput{
		Offset: at, Kind: in.Kind.String(), Gen: in.Gen, Words: in.Words, Final: in.Whole, Played: in.Played,
		Text: event.P(strings.ToValidUTF8(in.Text, "\uFFFD")),
	}
	if in.Kind == Digit {
		rec.Text = event.P(string(rune(in.Digit)))
	}
	var extra []string
	if in.Clause > 0 {
		extra = append(extra, "clause="+strconv.FormatUint(in.Clause, 10))
	}
	if in.Hint != HintUnknown {
		extra = append(extra, "hint="+in.Hint.String())
	}
	if in.Expect != ExpectAny {
		extra = append(extra, "expect="+in.Expect.String())
	}
	if in.Reason != "" { // last, because it may hold anything
		extra = append(extra, "reason="+strings.ToValidUTF8(in.Reason, "\uFFFD"))
	}
	rec.Extra = strings.Join(extra, " ")
	if len(outs) > 0 {
		rec.Decisions = make([]string, len(outs))
	}
	for i, o := range outs {
		rec.Decisions[i] = o.Spell()
		if o.Kind == OpenTurn || o.Kind == CloseTurn {
			rec.Turn = o.Turn
		}
	}
	return rec
}

// Replay reads what Record wrote. Text that was erased is fault.NotFound: the
// decisions that hung on it cannot be taken again. Anything that Record never
// writes is fault.Invalid.
func Replay(rec event.TurnInput) (time.Duration, Input, error) {
	in := Input{Gen: rec.Gen, Words: rec.Words, Whole: rec.Final, Played: rec.Played, Text: rec.Text.Text}
	for in.Kind.String() != rec.Kind {
		if in.Kind++; in.Kind >= inputKinds {
			return 0, Input{}, fmt.Errorf("replay input %q at %v: %w: no such kind", rec.Kind, rec.Offset, fault.Invalid)
		}
	}
	if rec.Text.Erased {
		return 0, Input{}, fmt.Errorf("replay %s at %v: %w: its text was erased", rec.Kind, rec.Offset, fault.NotFound)
	}
	if in.Kind == Digit {
		r, n := utf8.DecodeRuneInString(in.Text)
		if n == 0 || n != len(in.Text) || r > 0xff {
			return 0, Input{}, fmt.Errorf("replay digit at %v: %w: one key is one character", rec.Offset, fault.Invalid)
		}
		in.Digit, in.Text = byte(r), ""
	}
	for rest := rec.Extra; rest != ""; {
		word, after, _ := strings.Cut(rest, " ")
		if reason, ok := strings.CutPrefix(rest, "reason="); ok {
			in.Reason = reason
			break
		}
		if !in.extra(word) {
			return 0, Input{}, fmt.Errorf("replay %s at %v: %w: %q means nothing", rec.Kind, rec.Offset, fault.Invalid, word)
		}
		rest = after
	}
	return rec.Offset, in, nil
}

func (in *Input) extra(word string) bool {
	name, val, _ := strings.Cut(word, "=")
	switch name {
	case "clause":
		n, err := strconv.ParseUint(val, 10, 64)
		in.Clause = n
		return err == nil && n > 0
	case "hint":
		for in.Hint = HintFinished; in.Hint < hints; in.Hint++ {
			if in.Hint.String() == val {
				return true
			}
		}
	case "expect":
		for in.Expect = ExpectYesNo; in.Expect < expects; in.Expect++ {
			if in.Expect.String() == val {
				return true
			}
		}
	}
	return false
}

// Difference is an input on which a machine decided otherwise than recorded.
type Difference struct {
	Index      int // into the inputs
	Recorded   []string
	Recomputed []string
}

// Rerun feeds a recording to a fresh machine and compares what it decides with
// what was decided, spelling by spelling. With the recorded configuration and
// seed there is no difference; with another one there is what would have
// changed, as far as the recorded inputs still make sense. An input that
// Replay refuses is a difference whose Recomputed holds the error.
func Rerun(cfg Config, seed uint64, inputs []event.TurnInput) []Difference {
	m := New(cfg, seed)
	var out []Difference
	for i, rec := range inputs {
		var got []string
		at, in, err := Replay(rec)
		if err != nil {
			got = []string{"error: " + err.Error()}
		} else {
			got = Record(at, in, m.Step(at, in)).Decisions
		}
		if !slices.Equal(got, rec.Decisions) {
			out = append(out, Difference{Index: i, Recorded: rec.Decisions, Recomputed: got})
		}
	}
	return out
}
