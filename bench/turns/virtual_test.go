package turns

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/bench/report"
	"flametree/engine/turn"
)

// hear holds n dialogues of a seed in virtual time with one kind of agent.
func hear(t *testing.T, seed uint64, n int, set ...string) *tally {
	t.Helper()
	cfg := turn.Default()
	for i := 0; i+1 < len(set); i += 2 {
		require.NoError(t, cfg.Set(set[i], set[i+1]))
	}
	var all tally
	for i := range n {
		s, h := simulate(cfg, seed, i)
		require.Len(t, s.turns, len(write(seed, i).steps), "dialogue %d came to its end", i)
		all.judge(&s, &h)
	}
	return &all
}

// wantVirtualCut leaves room, below wantCut, for what only sound and sockets add.
const wantVirtualCut = 0.5

// TestTurnsAreTakenWellInVirtualTime is the gate of `bench turns` without sound
// and sockets, so that it does not depend on the machine: few cut-offs, no
// dead air, nothing resumed over a caller, and a fixed rule three times worse.
func TestTurnsAreTakenWellInVirtualTime(t *testing.T) {
	seed, n := uint64(424242), 1000
	if os.Getenv("FLAMETREE_TEST_LONG") == "1" {
		n = 5000
	}
	kind := kinds()
	ours, plain, base := hear(t, seed, n, kind[0].env...), hear(t, seed, n, kind[1].env...), hear(t, seed, n, kind[2].env...)
	with, without := report.Of(ours.response), report.Of(plain.response)
	cut, fixed := percent(ours.cut, ours.turns), percent(base.cut, base.turns)
	t.Logf("figure: cut-offs %.2f %%, fixed rule %.2f %%, dead air %d, false resumes %d of %d turns, response p50 %.0f ms p90 %.0f ms, without speculation %.0f ms",
		cut, fixed, ours.dead, ours.falseResumes, ours.turns, with.P50, report.Percentile(slices.Sorted(slices.Values(ours.response)), 90), without.P50)
	require.LessOrEqual(t, cut, wantVirtualCut)
	require.GreaterOrEqual(t, fixed, max(wantWorse, wantWorse*cut))
	require.Zero(t, ours.dead, "%v", ours.cases)
	require.Zero(t, ours.falseResumes)
	require.Zero(t, ours.missed, "every interruption silences the agent")
	require.Zero(t, ours.stops, "no murmur and no cough stops it for good")
	require.Greater(t, ours.interruptions, n/50)
	require.Greater(t, ours.asides, n/10)
	require.LessOrEqual(t, with.P50, wantResponse*without.P50)
}

// TestEachPartIsWorthItsPlace: without it more turns are cut off, or murmurs stop the agent.
func TestEachPartIsWorthItsPlace(t *testing.T) {
	const seed, n = 77, 600
	all := hear(t, seed, n)
	for name, set := range map[string][]string{
		"the learned floor": {"eot_learn", "False"},
		"the model":         {"eot_model", "none"},
		"its 2nd edition":   {"eot_model", "rules"},
		"its open ends":     {"eot_open", "500ms"},
	} {
		got := hear(t, seed, n, set...)
		t.Logf("figure: without %s %d turns are cut off, with it %d", name, got.cut, all.cut)
		require.Greater(t, got.cut, all.cut, name)
	}
	deaf := hear(t, seed, n, "backchannel_words", "0")
	t.Logf("figure: without a list of murmurs %d of %d noises stop the agent, with it %d", deaf.stops, deaf.asides, all.stops)
	require.Greater(t, deaf.stops, all.stops)
}
