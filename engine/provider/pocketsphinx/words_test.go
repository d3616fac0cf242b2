package pocketsphinx

import (
	"cmp"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/provider"
	"flametree/engine/provider/pocketsphinx/lm"
)

var (
	show  = flag.Bool("show", false, "print every sentence that was misheard")
	sets  = flag.String("sets", "test", "which sentences: dev test")
	short = flag.Int("sentences", 0, "measure only so many sentences a voice")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ears is one Transcriber for all tests: what it loads takes a second.
func ears(t testing.TB) *Transcriber {
	t.Helper()
	tr := New(Options{Dir: filepath.Join(os.TempDir(), "flametree-stt-test")})
	t.Cleanup(tr.Close)
	return tr
}

func hints(t testing.TB, agent string) provider.Hints {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", agent+".txt"))
	require.NoError(t, err)
	return provider.Hints{Key: agent, Texts: strings.Split(strings.TrimSpace(string(b)), "\n")}
}

type said struct{ agent, text string }

func sentences(t testing.TB, set string) []said {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", set+".txt"))
	require.NoError(t, err)
	var out []said
	for l := range strings.Lines(string(b)) {
		agent, text, ok := strings.Cut(strings.TrimSpace(l), "|")
		require.True(t, ok, l)
		out = append(out, said{agent, text})
	}
	return out
}

// hear gives audio to a fresh stream and returns its finals and how many
// partials of two words, which take the floor, came before.
func hear(t testing.TB, tr provider.Transcriber, f provider.Format, pcm []int16) (finals []provider.Hearing, partials int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := tr.Open(ctx, f)
	require.NoError(t, err)
	for len(pcm) > 0 {
		n := min(len(pcm), chunk)
		require.NoError(t, s.Write(pcm[:n]))
		pcm = pcm[n:]
	}
	require.NoError(t, s.Finalize())
	require.NoError(t, s.CloseSend())
	for h, err := range s.Heard() {
		require.NoError(t, err)
		switch {
		case h.Final:
			finals = append(finals, h)
		case len(h.Words) > 1:
			partials++
		}
	}
	return finals, partials
}

func text(finals []provider.Hearing) string {
	var out []string
	for _, h := range finals {
		if h.Text != "" {
			out = append(out, h.Text)
		}
	}
	return strings.Join(out, " ")
}

// distance counts the words that are wrong, missing or too many.
func distance(want, got []string) int {
	row := make([]int, len(got)+1)
	for j := range row {
		row[j] = j
	}
	for i, w := range want {
		diagonal := row[0]
		row[0] = i + 1
		for j, g := range got {
			cost := diagonal
			if w != g {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(got)]
}

func TestNoSentenceOfTheTestWasTaught(t *testing.T) {
	for _, s := range append(sentences(t, "test"), sentences(t, "dev")...) {
		if lm.Contains(hints(t, s.agent), s.text) {
			t.Errorf("%q is in the corpus", s.text)
		}
	}
	require.True(t, lm.Contains(hints(t, "debit"), "how do i change my pin"), "the check itself must work")
	require.True(t, lm.Contains(hints(t, "debit"), "thank you very much"))
}

// TestWordsAtEightKilohertz measures. The development sentences chose the
// settings of package lm and of the decoder; no setting was chosen by the test
// sentences, whose floors are asserted. Words too many count as wrong. It takes
// minutes and runs by night; by day it hears one voice say the first ones, and
// test/words measures the rest over a telephone line.
func TestWordsAtEightKilohertz(t *testing.T) {
	voices, first := []string{"rms", "slt", "awb", "espeak"}, *short
	if os.Getenv("FLAMETREE_TEST_LONG") == "" {
		voices, first = voices[:1], cmp.Or(first, 8)
	}
	floors := map[string]float64{"rms": 80, "slt": 70, "awb": 70, "espeak": 50}
	tr := ears(t)
	for set := range strings.FieldsSeq(*sets) {
		for _, voice := range voices {
			wrong, total, audio, before := 0, 0, 0.0, cpu()
			list := sentences(t, set)
			if first > 0 {
				list = list[:first]
			}
			spent := time.Duration(0)
			for _, s := range list {
				pcm := telephone(join(quiet(0.3), say(t, voice, s.text), quiet(0.4)))
				audio += float64(len(pcm)) / sampleRate
				at := cpu()
				finals, _ := hear(t, tr, provider.Format{RateHz: sampleRate, BandHz: 8000, Hints: hints(t, s.agent)}, pcm)
				spent += cpu() - at
				want := strings.Fields(s.text)
				e := distance(want, strings.Fields(text(finals)))
				wrong, total = wrong+e, total+len(want)
				if *show && e > 0 {
					t.Logf("%s: %q was heard as %q", voice, s.text, text(finals))
				}
			}
			right := 100 - 100*float64(wrong)/float64(total)
			t.Logf("figure: %s sentences, words right at 8 kHz, %s: %.1f %% (at least %.0f), CPU %.3f of real time, %v in all", set, voice, right, floors[voice], spent.Seconds()/audio, (cpu() - before).Round(time.Millisecond))
			if right < floors[voice] {
				t.Errorf("%s: %.1f %% of words right, want %.0f", voice, right, floors[voice])
			}
		}
	}
}

// TestAWomanIsHeardOverATelephone: the bands a telephone line lacks matter most
// in her voice, without the guess of them three times as many words are wrong.
func TestAWomanIsHeardOverATelephone(t *testing.T) {
	tr, wrong, total := ears(t), 0, 0
	for _, s := range sentences(t, "test")[:12] {
		pcm := telephone(join(quiet(0.3), say(t, "slt", s.text), quiet(0.4)))
		finals, _ := hear(t, tr, provider.Format{RateHz: sampleRate, BandHz: 8000, Hints: hints(t, s.agent)}, pcm)
		want := strings.Fields(s.text)
		wrong, total = wrong+distance(want, strings.Fields(text(finals))), total+len(want)
	}
	right := 100 - 100*float64(wrong)/float64(total)
	t.Logf("figure: words right over a telephone in a woman's voice: %.1f %% (at least 75)", right)
	require.Greater(t, right, 75.0)
}

func cpu() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
