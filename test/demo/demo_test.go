// Package demo runs the demo as a newcomer would: one command, a caller in a
// second process, real SIP and RTP.
package demo

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/media/wav"
	"flametree/test/house"
)

// report is what `demo --json` promises.
type report struct {
	Turns []struct {
		Heard       string             `json:"heard"`
		Said        string             `json:"said"`
		Interrupted bool               `json:"interrupted"`
		Stages      map[string]float64 `json:"stages_ms"`
	} `json:"turns"`
	Results     map[string]string `json:"results"`
	Silence     float64           `json:"silence_after_yield_ms"`
	ReplayEqual bool              `json:"replay_equal"`
	Recording   string            `json:"recording"`
	Session     string            `json:"session"`
	Status      string            `json:"status"`
}

func TestMain(m *testing.M) { os.Exit(house.Main(m)) }

func TestTheDemoIsHeardInterruptedAndReplayed(t *testing.T) {
	dir := t.TempDir()
	bin, data := house.Program(), filepath.Join(dir, "data")
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(bin, "demo", "--json", "--data", data, "--out", filepath.Join(dir, "call.wav"))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), stderr.String())
	var r report
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &r), stdout.String())

	require.Contains(t, r.Turns[0].Said, "debit card", "the greeting")
	require.GreaterOrEqual(t, len(r.Turns), 5)
	interrupted, right := 0, 0
	for _, turn := range r.Turns[1:] {
		require.NotEmpty(t, turn.Heard)
		if turn.Interrupted {
			interrupted++
		}
		for w := range strings.FieldsSeq("limit premium debit new block lost card name john smith thank goodbye") {
			if strings.Contains(turn.Heard, w) {
				right++
			}
		}
	}
	require.Positive(t, interrupted, "the caller spoke over the agent")
	require.GreaterOrEqual(t, right, 6, "words of the script: %s", stdout.String())
	require.True(t, r.ReplayEqual)
	require.Less(t, r.Silence, 500.0)
	require.NotEmpty(t, r.Results)
	t.Logf("figure: silence after the yield %.1f ms, results %v, status %s", r.Silence, r.Results, r.Status)

	b, err := os.ReadFile(r.Recording)
	require.NoError(t, err)
	a, err := wav.Decode(b)
	require.NoError(t, err)
	require.Equal(t, 2, a.Channels, "stereo")
	for side := range 2 {
		require.Greater(t, loudest(a.Channel(side), a.RateHz), 500.0, "side %d is silent", side)
	}

	// The same folder, asked again by other commands.
	again, err := exec.Command(bin, "replay", r.Session, "--data", data, "--json").Output()
	require.NoError(t, err)
	var once struct {
		Inputs, Decisions int
		Differences       []any
	}
	require.NoError(t, json.Unmarshal(again, &once))
	require.Positive(t, once.Inputs)
	require.Positive(t, once.Decisions)
	require.Empty(t, once.Differences)
	changed, err := exec.Command(bin, "replay", r.Session, "--data", data, "--json", "--set", "eot=1700ms").Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(changed, &once))
	require.NotEmpty(t, once.Differences, "another timer decides otherwise")
	verified, err := exec.Command(bin, "journal", "verify", "--data", data).CombinedOutput()
	require.NoError(t, err, string(verified))
}

// loudest is the level of the loudest second.
func loudest(pcm []int16, rate int) float64 {
	best := 0.0
	for i := 0; i+rate <= len(pcm); i += rate {
		var e float64
		for _, v := range pcm[i : i+rate] {
			e += float64(v) * float64(v)
		}
		best = max(best, math.Sqrt(e/float64(rate)))
	}
	return best
}
