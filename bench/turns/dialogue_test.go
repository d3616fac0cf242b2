package turns

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain lets a throttle of protoactor's gossip outlive its node: it sleeps
// until its interval is over, and cannot be told.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/cluster.(*Gossiper).StartGossiping.NewThrottle.func3.1"))
}

func TestEqualSeedsWriteEqualDialogues(t *testing.T) {
	for n := range 50 {
		require.Equal(t, write(3, n), write(3, n))
	}
	require.NotEqual(t, write(3, 0), write(4, 0))
	require.NotEqual(t, write(3, 0), write(3, 1))
}

// TestDialoguesAreWhatIsPromised: pauses within their law, every kind of turn
// and noise, and no place mark left in a text.
func TestDialoguesAreWhatIsPromised(t *testing.T) {
	classes := map[string]int{}
	pauses, murmurs, coughs, hums := 0, 0, 0, 0
	for n := range 500 {
		d := write(8, n)
		require.GreaterOrEqual(t, len(d.steps), 3)
		require.Equal(t, "story", d.steps[0].class)
		require.Equal(t, "goodbye", d.steps[len(d.steps)-1].class)
		for _, s := range d.steps {
			classes[s.class]++
			require.NotEmpty(t, s.says)
			require.NotEmpty(t, s.reply)
			require.Zero(t, s.says[len(s.says)-1].pause, "nothing follows the last words")
			for i, g := range s.says {
				require.NotEmpty(t, strings.TrimSpace(g.text))
				require.NotContains(t, g.text, "|")
				require.NotContains(t, g.text, "{")
				if i < len(s.says)-1 {
					pauses++
					require.GreaterOrEqual(t, g.pause, shortest)
					require.LessOrEqual(t, g.pause, longest)
				}
				if strings.HasSuffix(g.text, " um") || strings.HasSuffix(g.text, " uh") {
					hums++
				}
			}
			for _, a := range s.asides {
				if a.text == "" {
					coughs++
				} else {
					murmurs++
				}
			}
		}
	}
	for class := range texts() {
		require.Positive(t, classes[class], class)
	}
	for name, n := range map[string]int{"pauses": pauses, "murmurs": murmurs, "coughs": coughs, "hesitations": hums, "numbers": classes["number"], "spellings": classes["spelling"]} {
		require.Greater(t, n, 20, name)
	}
}

// TestSpeechIsRenderedWithItsWords: each word ends within the sound, in order.
func TestSpeechIsRenderedWithItsWords(t *testing.T) {
	s, err := newStudio()
	require.NoError(t, err)
	for _, speed := range []int{90, 115} {
		got, err := s.say(t.Context(), caller{voice: "slt", speed: speed}, "my name is anna miller")
		require.NoError(t, err)
		require.Len(t, got.words, 5)
		last := 0
		for _, w := range got.words {
			require.GreaterOrEqual(t, w.end, last, w.text)
			last = w.end
		}
		require.LessOrEqual(t, last, len(got.pcm))
		require.InDelta(t, 1.4, float64(len(got.pcm))/rateHz, 0.8)
	}
	require.Len(t, s.shelf, 1, "another speed is no other rendering")
	for _, c := range s.coughs {
		require.Less(t, len(c), rateHz)
	}
	_, err = s.say(t.Context(), caller{voice: "nobody", speed: 100}, "hello")
	require.Error(t, err)
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"fewer than no dialogues": {N: -1}, "too many calls": {Calls: 501}, "other ears": {Ears: "elephant"},
	} {
		_, err := Run(t.Context(), o)
		require.Error(t, err, name)
	}
}

// TestDialoguesOverRealSockets holds a few of them with a real server, which is
// too few to judge and enough to see that all of it is connected.
func TestDialoguesOverRealSockets(t *testing.T) {
	n := 1
	if os.Getenv("FLAMETREE_TEST_LONG") == "1" {
		n = 40
	}
	r, err := Run(t.Context(), Options{Seed: 11, N: n, Calls: 3 * n, Now: true})
	require.NoError(t, err)
	got := map[string]string{}
	for _, m := range r.Metrics {
		got[m.Name] = fmt.Sprint(m.Of)
	}
	t.Logf("figure: %v", got)
	for _, name := range []string{"cut_offs_percent", "dead_air", "false_resumes", "baseline_cut_offs_percent", "response_ms"} {
		require.Contains(t, got, name)
	}
	require.Contains(t, got["ours"], fmt.Sprintf("{calls %d}", n), "every dialogue took place")
	require.Contains(t, got["baseline"], fmt.Sprintf("{calls %d}", n))
	require.NotContains(t, got["response_ms"], " 0}", "answers were timed")
	require.Len(t, r.Gates, 5)
	require.Contains(t, got, "machine_too_busy")
	require.NotContains(t, got["machine"], "{caller_packets 0}", "the callers' packets were counted")
	require.NotContains(t, got["machine"], "{pacer_late_p99_ms {0 0 0 0}}", "the server was asked how late it is")
}

// instants of a made-up call, in milliseconds.
func ms(n int) time.Time { return instant(time.Duration(n) * time.Millisecond) }

func TestTheJudgeSeesWhatWentWrong(t *testing.T) {
	said := func(from, to int, b begins) uttered {
		return uttered{step{class: "story", begins: b, says: []segment{{"my card", 0}}}, span{ms(from), ms(to)}}
	}
	closed := func(at, ended int) decision {
		return decision{at: ms(at), kind: "close_turn", why: "eot", ended: ms(ended)}
	}
	tests := map[string]struct {
		seen seen
		made []decision
		want string // cut dead resumes missed stops pauses responses
	}{
		"a turn that was answered in time": {
			seen{turns: []uttered{said(1000, 2000, answers)}, agent: []span{{ms(0), ms(900)}, {ms(2900), ms(4000)}}}, []decision{closed(2700, 2000)}, "0 0 0 0 0 0 1",
		},
		"committed in the middle, with nothing to be heard of it": {
			seen{turns: []uttered{said(1000, 3000, answers)}, agent: []span{{ms(3900), ms(5000)}}}, []decision{closed(2000, 1800), closed(3700, 3000)}, "1 0 0 0 0 0 1",
		},
		"an older noise committed meanwhile": {
			seen{turns: []uttered{said(1000, 3000, answers)}, agent: []span{{ms(3900), ms(5000)}}}, []decision{closed(1100, 400), closed(3700, 3000)}, "0 0 0 0 0 0 1",
		},
		"heard in the middle": {
			seen{turns: []uttered{said(1000, 3000, answers)}, agent: []span{{ms(2000), ms(2200)}, {ms(3900), ms(5000)}}}, []decision{closed(3700, 3000)}, "1 0 0 0 0 0 1",
		},
		"answered too late": {
			seen{turns: []uttered{said(1000, 2000, answers)}, agent: []span{{ms(3510), ms(5000)}}}, nil, "0 1 0 0 0 0 1",
		},
		"never answered": {
			seen{turns: []uttered{said(1000, 2000, answers)}}, nil, "0 1 0 0 0 0 0",
		},
		"answered only once the caller went on": {
			seen{turns: []uttered{said(1000, 2000, answers), said(7000, 8000, answers)}, agent: []span{{ms(8500), ms(9000)}}}, nil, "0 1 0 0 0 0 1",
		},
		"an interruption that silences": {
			seen{turns: []uttered{said(1000, 2000, interrupts)}, agent: []span{{ms(0), ms(1300)}, {ms(2800), ms(4000)}}}, nil, "0 0 0 0 0 0 1",
		},
		"one that does not": {
			seen{turns: []uttered{said(1000, 2000, interrupts)}, agent: []span{{ms(0), ms(3000)}}}, nil, "0 0 0 1 0 0 0",
		},
		"gone on over an interruption": {
			seen{turns: []uttered{said(1000, 5000, interrupts)}, agent: []span{{ms(0), ms(1300)}, {ms(2600), ms(3000)}, {ms(5800), ms(7000)}}},
			[]decision{{at: ms(2550), kind: "resume"}},
			"0 0 1 0 0 0 1",
		},
		"both at once": {
			seen{turns: []uttered{said(1000, 2500, collides)}, agent: []span{{ms(1050), ms(1400)}, {ms(3300), ms(5000)}}}, nil, "0 0 0 0 0 0 1",
		},
		"given up for a cough": {
			seen{asides: []made{{aside{}, span{ms(1000), ms(1200)}}}}, []decision{{at: ms(1200), kind: "pause"}, {at: ms(1900), kind: "yield"}}, "0 0 0 0 1 0 0",
		},
		"paused for one": {
			seen{asides: []made{{aside{}, span{ms(1000), ms(1200)}}}}, []decision{{at: ms(1200), kind: "pause"}, {at: ms(2400), kind: "resume"}}, "0 0 0 0 0 1 0",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var a tally
			a.judge(&tt.seen, &history{began: ms(0), decisions: tt.made})
			require.Equal(t, tt.want, fmt.Sprint(a.cut, a.dead, a.falseResumes, a.missed, a.stops, a.pauses, len(a.response)))
		})
	}
}

func TestDecisionsAreReadAsTheyAreSpelled(t *testing.T) {
	h := history{began: ms(1000)}
	d, err := h.parse("7.5s close_turn turn=1 gen=2 words=9 wait=500ms ended=6.8s why=eot")
	require.NoError(t, err)
	require.Equal(t, decision{at: ms(8500), kind: "close_turn", why: "eot", ended: ms(7800)}, d)
	for _, bad := range []string{"", "7.5s", "soon pause", "1s close_turn ended=later"} {
		_, err := h.parse(bad)
		require.Error(t, err, bad)
	}
}
