package voice

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/bench/rig"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/turn"
	"flametree/media/caller"
)

const ms = time.Millisecond

func TestDecisionsAreReadAsTheMachineSpellsThem(t *testing.T) {
	cases := map[string]struct {
		out  turn.Output
		want decision
	}{
		"a turn closed": {
			turn.Output{Kind: turn.CloseTurn, At: 4321 * ms, Turn: 2, Gen: 3, Text: "bravo", Words: 1, Why: "eot", Wait: 500 * ms, Ended: 3621 * ms},
			decision{at: 4321 * ms, kind: "close_turn", why: "eot", end: 3621 * ms},
		},
		"a turn without words": {
			turn.Output{Kind: turn.CloseTurn, At: time.Second, Unheard: true, Why: "stt_timeout"},
			decision{at: time.Second, kind: "close_turn", why: "stt_timeout", deaf: true},
		},
		"a yield": {turn.Output{Kind: turn.Yield, At: 7*time.Second + 5*ms, Gen: 9, Why: "words"}, decision{at: 7005 * ms, kind: "yield", why: "words"}},
		"a duck":  {turn.Output{Kind: turn.Duck, DB: -12}, decision{kind: "duck"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := parse(c.out.Spell())
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	for _, bad := range []string{"", "yield", "soon yield", "1s close_turn ended=late"} {
		_, err := parse(bad)
		require.ErrorIs(t, err, fault.Invalid, bad)
	}
}

func FuzzDecisions(f *testing.F) {
	f.Add("4.321s close_turn turn=2 gen=3 words=1 wait=500ms ended=3.621s why=eot")
	f.Add("1s yield why==")
	f.Add("1s")
	f.Fuzz(func(t *testing.T, spelled string) {
		if d, err := parse(spelled); err == nil {
			require.NotEmpty(t, d.kind)
		}
	})
}

// told is a call with one turn, an answer, an interruption and its answer, as
// both sides tell it. Began is at 1,000 s.
func told() (called, *history) {
	const began = int64(1000 * time.Second)
	at := func(d time.Duration) int64 { return began + int64(d) }
	h := &history{
		sipID: "a@b", began: began, recorded: 9990 * ms,
		ended: &event.CallEnded{Received: 480, Lost: 20, Sent: 490, Talked: 10 * time.Second},
		decisions: []decision{
			{at: 1000 * ms, kind: "open_turn"},
			{at: 2000 * ms, kind: "close_turn", end: 1300 * ms},
			{at: 3060 * ms, kind: "duck"},
			{at: 3200 * ms, kind: "pause"},
			{at: 3500 * ms, kind: "yield", why: "words"},
			{at: 5000 * ms, kind: "close_turn", end: 4300 * ms},
		},
		turns:  map[time.Duration]uint64{1300 * ms: 1, 4300 * ms: 2},
		stages: map[uint64][]event.Stage{1: {{Name: "pacer", Took: 2 * ms}}, 2: {{Name: "queue", Took: ms}}},
	}
	c := called{
		ID: "a@b", Setup: 5 * ms, Talked: 10 * time.Second, Turns: 2, Interruptions: []int64{at(3000 * ms)},
		Voiced: 4 * time.Second, Sent: 500, Received: 490, Gaps: []int32{20000, 21500, 18000},
		Spurts: []spurt{
			{at(100 * ms), at(900 * ms)},                                         // the greeting
			{at(2189 * ms), at(3201 * ms)}, {at(5184 * ms), at(7 * time.Second)}, // the answers
		},
	}
	return c, h
}

func judged(c called, h *history) figures {
	s := rig.Script{FirstToken: 120 * ms, FirstByte: 60 * ms}
	return judge([]called{c}, map[string]*history{"a@b": h}, s)
}

func TestOverheadIsWhatRemainsWithoutScriptAndPacer(t *testing.T) {
	c, h := told()
	f := judged(c, h)
	require.InDeltaSlice(t, []float64{7, 4}, f.overhead, 1e-9)
	require.InDeltaSlice(t, []float64{2, 0}, f.pacerWait, 1e-9)
	require.Empty(t, f.faults)
}

func TestAModelAskedAheadHasSpentItsDelayBeforeTheCommit(t *testing.T) {
	c, h := told()
	before := func(d time.Duration) []decision {
		return []decision{{at: 2000*ms - d, kind: "speculate"}, {at: 2000 * ms, kind: "adopt_speculation"}}
	}
	add := func(d time.Duration) figures {
		_, spoiled := told()
		spoiled.decisions = append(append(h.decisions[:1:1], before(d)...), h.decisions[1:]...)
		return judged(c, spoiled)
	}
	require.InDeltaSlice(t, []float64{127, 4}, add(300*ms).overhead, 1e-9, "all of it")
	require.InDeltaSlice(t, []float64{57, 4}, add(50*ms).overhead, 1e-9, "a part of it")
	require.Equal(t, 1, add(50*ms).ahead)
	_, dropped := told()
	dropped.decisions = append([]decision{{at: 1500 * ms, kind: "speculate"}}, dropped.decisions...)
	require.InDeltaSlice(t, []float64{7, 4}, judged(c, dropped).overhead, 1e-9, "a guess that was not adopted saves nothing")
}

func TestSilenceCountsFromTheDecisionThatSilenced(t *testing.T) {
	c, h := told()
	f := judged(c, h)
	require.InDeltaSlice(t, []float64{1}, f.silence, 1e-9, "from the pause")
	require.InDeltaSlice(t, []float64{0}, f.afterYield, 1e-9, "nothing was left")
	require.InDeltaSlice(t, []float64{201}, f.interrupt, 1e-9, "from the caller's first packet")

	c, h = told()
	h.decisions[3].kind = "resume" // never paused: the yield had to silence it
	c.Spurts[1].Last += int64(320 * ms)
	f = judged(c, h)
	require.InDeltaSlice(t, []float64{21}, f.silence, 1e-9, "from the yield")
	require.InDeltaSlice(t, []float64{21}, f.afterYield, 1e-9)
}

func TestPacingIsTheDistanceFromTwentyMilliseconds(t *testing.T) {
	c, h := told()
	require.InDeltaSlice(t, []float64{0, 1.5, 2}, judged(c, h).pacing, 1e-9)
}

func TestEverySumThatIsOffIsNamed(t *testing.T) {
	cases := map[string]struct {
		spoil func(*called, *history)
		names string
	}{
		"a packet in fifty of the caller's is gone": {func(c *called, _ *history) { c.Sent += 10 }, "packets: callers sent"},
		"a packet in fifty of the leg's is gone":    {func(c *called, _ *history) { c.Received -= 10 }, "packets: legs sent"},
		"two seconds are not recorded":              {func(_ *called, h *history) { h.recorded -= 2 * time.Second }, "seconds: recorded"},
		"a turn was not closed":                     {func(c *called, _ *history) { c.Turns++ }, "turns: said, closed"},
		"a turn was not answered":                   {func(c *called, _ *history) { c.Spurts = c.Spurts[:2] }, "turns: closed, answered"},
		"a turn was not understood":                 {func(_ *called, h *history) { h.decisions[1].deaf = true }, "turns: answered, understood"},
		"an interruption did not yield":             {func(_ *called, h *history) { h.decisions[4].kind = "note" }, "yields"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			call, h := told()
			f := judged(call, h)
			for _, sum := range f.checks() {
				require.True(t, sum.Holds(), "%s, unspoiled", sum.Name)
			}
			c.spoil(&call, h)
			f = judged(call, h)
			for _, sum := range f.checks() {
				require.Equal(t, len(sum.Name) < len(c.names) || sum.Name[:len(c.names)] != c.names, sum.Holds(), sum.Name)
			}
		})
	}
}

func TestACallThatNobodyJournalledIsAFault(t *testing.T) {
	c, _ := told()
	f := judge([]called{c, {Fault: "busy here"}}, nil, rig.Script{})
	require.Len(t, f.faults, 2)
}

func TestSpurtsEndAtSilenceAndGapsAtLoss(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(0, int64(n)*int64(ms)) }
	packets := []caller.Packet{
		{At: at(0), Level: 0},
		{At: at(20), Level: 70},
		{At: at(41), Level: 70},
		{At: at(80), Level: 70, Lost: 1},
		{At: at(100), Level: 0},
		{At: at(120), Level: 60},
	}
	spurts, gaps := listen(packets)
	require.Equal(t, []spurt{{int64(20 * ms), int64(80 * ms)}, {int64(120 * ms), int64(120 * ms)}}, spurts)
	require.Equal(t, []int32{21000}, gaps)
}

func TestAnUtteranceHasVoiceForMostOfItsTimeAndOneBreath(t *testing.T) {
	opt := Options{}
	require.NoError(t, opt.fill())
	p := opt.plan(rig.Ready{})
	pcm, voiced := utterance(p.Utterance, 120)
	require.GreaterOrEqual(t, played(pcm), p.Utterance)
	require.Less(t, played(pcm), p.Utterance+breath+syllable)
	require.GreaterOrEqual(t, float64(voiced), 0.4*float64(opt.Period), "speech at least 40 percent of the time")
	run, longest, breaths := time.Duration(0), time.Duration(0), 0
	for i := 0; i+160 <= len(pcm); i += 160 {
		quiet := true
		for _, v := range pcm[i : i+160] {
			quiet = quiet && v == 0
		}
		if run += 20 * ms; !quiet {
			run = 0
		}
		if longest = max(longest, run); run == 220*ms {
			breaths++
		}
	}
	require.Equal(t, 1, breaths, "one pause outlasts the detector's patience")
	require.Less(t, longest, 500*ms, "none outlasts the end of the turn")
}

func TestOptionsOutOfBoundsAreRefused(t *testing.T) {
	for name, opt := range map[string]Options{
		"no calls":               {Calls: -1},
		"a turn a second":        {Period: time.Second},
		"prompts would come":     {Period: 20 * time.Second},
		"interrupted every time": {Interrupt: 1},
		"a negative length":      {Length: -time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Run(t.Context(), opt)
			require.ErrorIs(t, err, fault.Invalid)
		})
	}
}
