package pocketsphinx

import (
	"bytes"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// resident is the memory of the process in bytes.
func resident(t testing.TB) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	n, err := strconv.Atoi(string(bytes.Fields(b)[1]))
	require.NoError(t, err)
	return n * os.Getpagesize()
}

// TestWhatADecoderCosts prints the cost of a vocabulary and of a decoder; only
// the memory is asserted, times depend on the machine.
func TestWhatADecoderCosts(t *testing.T) {
	l := newLibrary(t.TempDir(), "/usr/share/pocketsphinx/model/en-us")
	at := cpu()
	_, err := l.base()
	require.NoError(t, err)
	t.Logf("figure: what all vocabularies share, CPU %v", (cpu() - at).Round(time.Millisecond))
	at = cpu()
	v, err := l.get(hints(t, "debit"))
	require.NoError(t, err)
	t.Logf("figure: the vocabulary of an agent, CPU %v", (cpu() - at).Round(time.Millisecond))
	const n = 8
	var all [n]*ear
	before := resident(t)
	at = cpu()
	for i := range all {
		all[i], err = newEar("/usr/share/pocketsphinx/model/en-us/en-us", v)
		require.NoError(t, err)
		defer all[i].free()
	}
	spent := cpu() - at
	speech := telephone(join(quiet(0.3), say(t, "rms", "how do i change the name on my account"), quiet(0.3)))
	for _, e := range all {
		e.begin(8000)
		e.hear(speech)
		require.NotEmpty(t, e.hypothesis(true).Text)
	}
	each := (resident(t) - before) / n
	t.Logf("figure: a decoder, CPU %v to load, %.1f MB", (spent / n).Round(time.Millisecond), float64(each)/1e6)
	require.Less(t, each, 40<<20)
}

// BenchmarkSecond decodes speech of a telephone; an operation is one second of it.
func BenchmarkSecond(b *testing.B) {
	v, err := newLibrary(b.TempDir(), "/usr/share/pocketsphinx/model/en-us").get(hints(b, "debit"))
	require.NoError(b, err)
	e, err := newEar("/usr/share/pocketsphinx/model/en-us/en-us", v)
	require.NoError(b, err)
	defer e.free()
	speech := telephone(join(quiet(0.3), say(b, "rms", "i would like to find out how i can block my premium card before i travel"), quiet(0.3)))
	e.begin(8000)
	var worst, final time.Duration
	b.ReportAllocs()
	for b.Loop() {
		for i := 0; i < sampleRate; i += chunk {
			at := time.Now()
			if e.hear(speech[i : i+chunk]) {
				e.hypothesis(false)
			}
			worst = max(worst, time.Since(at))
		}
		at := time.Now()
		e.hypothesis(true)
		final = max(final, time.Since(at))

	}
	b.ReportMetric(float64(worst.Microseconds())/1000, "ms/worst-chunk")
	b.ReportMetric(float64(final.Microseconds())/1000, "ms/worst-final")
}
