package pocketsphinx

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var train = flag.Bool("train", false, "print the numbers of narrow anew")

// bandsHeard is how many of the bands a telephone line fills.
const bandsHeard = 20

// bands are the mel bands of all of the audio, silence included, so that two
// versions of it stay row by row beside each other.
func bands(t testing.TB, pcm []int16) (out [][filters]float32) {
	t.Helper()
	f, err := newFront(true, defaultSettings().vad)
	require.NoError(t, err)
	defer f.free()
	f.stream()
	f.start()
	for len(pcm) > 0 {
		n := min(len(pcm), chunk)
		f.process(pcm[:n], func(rows [][filters]float32, _ int) { out = append(out, rows...) })
		pcm = pcm[n:]
	}
	return out
}

// beside calls f with each row of speech, through a telephone and as it was.
func beside(t testing.TB, voice, text string, f func(line, wide *[filters]float32)) {
	t.Helper()
	pcm := join(quiet(0.3), say(t, voice, text), quiet(0.3))
	line, wide := bands(t, telephone(pcm)), bands(t, pcm)
	loudest := math.Inf(-1)
	for i := range wide {
		loudest = max(loudest, level(&wide[i]))
	}
	for i := range min(len(line), len(wide)) {
		if level(&wide[i]) > loudest-10 {
			f(&line[i], &wide[i])
		}
	}
}

func level(row *[filters]float32) (sum float64) {
	for _, v := range row {
		sum += float64(v)
	}
	return sum / filters
}

// TestNarrow shows that the guess brings a telephone line's cepstrum nearer to
// that of the speech itself, for sentences it was not made from.
func TestNarrow(t *testing.T) {
	if *train {
		t.Log(trained(t))
	}
	guess, plain := narrow(), cosine()
	for _, voice := range []string{"rms", "slt", "awb", "espeak"} {
		var off, guessed float64
		for _, s := range sentences(t, "test")[:4] {
			beside(t, voice, s.text, func(line, wide *[filters]float32) {
				var want, got, bare [cepstra]float32
				plain.apply(wide, &want)
				plain.apply(line, &bare)
				guess.apply(line, &got)
				for i := range want {
					off += sqr(bare[i] - want[i])
					guessed += sqr(got[i] - want[i])
				}
			})
		}
		t.Logf("%s: distance to the cepstrum at 16 kHz %.0f %% of what it is without", voice, 100*math.Sqrt(guessed/off))
		require.Less(t, guessed, off/4, voice)
	}
}

func sqr(x float32) float64 { return float64(x) * float64(x) }

// TestCosineIsTheTransformOfTheModel holds one coefficient of each kind against
// the formula of feat.params.
func TestCosineIsTheTransformOfTheModel(t *testing.T) {
	var flat, tilted [filters]float32
	for i := range flat {
		flat[i], tilted[i] = 2, float32(i)
	}
	var c [cepstra]float32
	cosine().apply(&flat, &c)
	require.InDelta(t, 2*math.Sqrt(filters), c[0], 1e-4)
	for _, v := range c[1:] {
		require.InDelta(t, 0, v, 1e-3)
	}
	cosine().apply(&tilted, &c)
	require.Negative(t, c[1], "a spectrum that rises")
}

// trained is the least-squares map from the bands of a line to the cepstrum at
// 16 kHz, as Go text.
func trained(t *testing.T) string {
	const n = bandsHeard + 1
	var a [n][n]float64
	var b [n][cepstra]float64
	rows := 0
	for _, agent := range []string{"debit", "tickets"} {
		raw, err := os.ReadFile(filepath.Join("testdata", agent+".txt"))
		require.NoError(t, err)
		for _, text := range strings.FieldsFunc(string(raw), func(r rune) bool { return strings.ContainsRune(".?:\n", r) }) {
			if text = strings.TrimSpace(text); len(text) < 25 || len(text) > 120 || strings.ContainsAny(text, "0123456789/€$%") {
				continue
			}
			for _, voice := range []string{"rms", "slt", "awb", "espeak"} {
				beside(t, voice, text, func(line, wide *[filters]float32) {
					var want [cepstra]float32
					cosine().apply(wide, &want)
					var x [n]float64
					for i := range bandsHeard {
						x[i] = float64(line[i])
					}
					x[bandsHeard] = 1
					for i := range x {
						for j := range x {
							a[i][j] += x[i] * x[j]
						}
						for j := range want {
							b[i][j] += x[i] * float64(want[j])
						}
					}
					rows++
				})
			}
		}
	}
	for i := range bandsHeard {
		a[i][i] += 0.02 * float64(rows) // a little against chance
	}
	for c := range n { // Gauss and Jordan; the matrix is positive
		for r := range n {
			if r == c {
				continue
			}
			f := a[r][c] / a[c][c]
			for k := range n {
				a[r][k] -= f * a[c][k]
			}
			for k := range b[r] {
				b[r][k] -= f * b[c][k]
			}
		}
	}
	var out strings.Builder
	for i := range cepstra {
		for j := range n {
			_, _ = fmt.Fprintf(&out, "%.4f, ", b[j][i]/a[j][j])
		}
		out.WriteByte('\n')
	}
	return out.String()
}
