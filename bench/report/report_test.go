package report_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/bench/report"
)

func TestPercentilesAreValuesThatWereMeasured(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	cases := map[string]struct {
		sorted []float64
		p      float64
		want   float64
	}{
		"half of a hundred":                {hundred, 50, 50},
		"99 of a hundred":                  {hundred, 99, 99},
		"all of a hundred":                 {hundred, 100, 100},
		"none of a hundred is the least":   {hundred, 0, 1},
		"99 of two is the larger":          {[]float64{1, 2}, 99, 2},
		"half of two is the smaller":       {[]float64{1, 2}, 50, 1},
		"half of three is the middle":      {[]float64{1, 2, 9}, 50, 2},
		"99.9 of a hundred is the largest": {hundred, 99.9, 100},
		"one value is all percentiles":     {[]float64{7}, 1, 7},
		"nothing measured":                 {nil, 50, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { require.InDelta(t, c.want, report.Percentile(c.sorted, c.p), 0) })
	}
}

func TestPercentileCoversItsShareAndNoMoreThanItMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 200).Draw(t, "values")
		p := rapid.Float64Range(0.1, 100).Draw(t, "p")
		d := report.Of(values)
		require.LessOrEqual(t, d.P50, d.P99)
		require.LessOrEqual(t, d.P99, d.Max)
		require.Equal(t, len(values), d.N)
		sorted := append([]float64(nil), values...)
		for i := range sorted { // insertion sort: not the code under test
			for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
				sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
			}
		}
		v := report.Percentile(sorted, p)
		below, within := 0, 0
		for _, s := range sorted {
			if s < v {
				below++
			}
			if s <= v {
				within++
			}
		}
		need := p / 100 * float64(len(sorted))
		require.GreaterOrEqual(t, float64(within), need-1e-9)
		require.Less(t, float64(below), math.Ceil(need))
	})
}

func TestOfLeavesItsArgumentAlone(t *testing.T) {
	values := []float64{3, 1, 2}
	require.Equal(t, report.Dist{P50: 2, P99: 3, Max: 3, N: 3}, report.Of(values))
	require.Equal(t, []float64{3, 1, 2}, values)
	require.Equal(t, report.Dist{}, report.Of(nil))
}

func sample() report.Report {
	r := report.Report{
		Name: "voice",
		Machine: report.Machine{
			CPU: "Abacus 1", Cores: 2, Go: "go1.26", Kernel: "Linux 6.1", Date: "2026-01-02T03:04:05Z",
		},
		Gates: []report.Gate{
			{Name: "overhead p99", Want: 25, Got: 26.5, Unit: "ms"},
			{Name: "ratio", Want: 0.6, Got: 0.61, AtLeast: true},
		},
		Checks: []report.Check{{Name: "turns: said, closed", Left: 200, Right: 199}, {Name: "yields", Left: 4, Right: 3}},
		Plots: []report.Plot{
			{
				Title: "Overhead <of a turn>", Unit: "ms", Series: []report.Series{{Name: "a", Values: []float64{1, 2, 3}}, {Name: "b", Values: []float64{2, 4}}},
				Lines: []report.Line{{Name: "p99 wanted", At: 25}},
			},
			{Title: "Rates", Unit: "a second", Groups: []report.Group{{Name: "writers: 1", Bars: []report.Bar{{Name: "journal", Value: 12345}}}}},
			{Title: "Nothing measured", Unit: "ms", Series: []report.Series{{Name: "none"}}},
		},
		Notes: []string{"What it includes."},
	}
	r.Params.Add("calls", 100)
	r.Params.Add("seconds", 60.0)
	r.Metrics.Add("overhead_ms", report.Of([]float64{3.14159, 1, 2}))
	r.Metrics.Add("lost_packets", 0)
	r.Metrics.Add("cpu_percent_per_call", 0.123456)
	r.Metrics.Add("session_bytes", report.Values{{Name: "live", Of: 7959.7412}, {Name: "passivated", Of: 2728}})
	return r
}

// The shape that every bench prints; whoever reads it relies on it.
const golden = `{"name":"voice","params":{"calls":100,"seconds":60},` +
	`"machine":{"cpu":"Abacus 1","cores":2,"go":"go1.26","kernel":"Linux 6.1","date":"2026-01-02T03:04:05Z"},` +
	`"metrics":{"overhead_ms":{"p50":2,"p99":3.142,"max":3.142,"n":3},"lost_packets":0,"cpu_percent_per_call":0.123,` +
	`"session_bytes":{"live":7959.741,"passivated":2728},` +
	`"sums":{"turns: said, closed":{"left":200,"right":199,"off_percent":0.5,"holds":true},` +
	`"yields":{"left":4,"right":3,"off_percent":25,"holds":false}},` +
	`"gates":{"overhead p99":{"at_most":25,"got":26.5,"unit":"ms","met":false},` +
	`"ratio":{"at_least":0.6,"got":0.61,"unit":"","met":true}}}}` + "\n"

func TestEveryBenchPrintsOneShape(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, sample().JSON(&out))
	require.Equal(t, golden, out.String())

	out.Reset()
	require.NoError(t, report.Report{Name: "empty"}.JSON(&out))
	var shape map[string]map[string]any
	require.NoError(t, json.Unmarshal([]byte(strings.Replace(out.String(), `"name":"empty",`, "", 1)), &shape))
	require.Contains(t, shape, "params")
	require.NotNil(t, shape["metrics"], "an object also when nothing was measured")
}

func TestSumsThatDoNotComeOutAreNamed(t *testing.T) {
	err := sample().Failed()
	require.ErrorContains(t, err, "yields: 4 against 3 (25.0 % apart)")
	require.NotContains(t, err.Error(), "turns", "a sum within one percent is none")
	require.NoError(t, report.Report{}.Failed())

	cases := map[string]struct {
		left, right float64
		holds       bool
	}{
		"equal":                 {10, 10, true},
		"nothing on both sides": {0, 0, true},
		"just within":           {1000, 990, true},
		"just beyond":           {1000, 989, false},
		"the other way round":   {989, 1000, false},
		"one side has nothing":  {0, 1, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.holds, report.Check{Left: c.left, Right: c.right}.Holds())
		})
	}
}

func TestPromisesAreStatedAsMetOrNot(t *testing.T) {
	require.True(t, report.Gate{Want: 5, Got: 5}.Met())
	require.False(t, report.Gate{Want: 5, Got: 5.001}.Met())
	require.True(t, report.Gate{Want: 5, Got: 5, AtLeast: true}.Met())
	require.False(t, report.Gate{Want: 5, Got: 4.999, AtLeast: true}.Met())
}

func TestTheTableSaysWhatWasWantedAndWhatWasNotMet(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, sample().Table(&out))
	for _, want := range []string{
		"voice calls=100 seconds=60", "Abacus 1, 2 cores", `overhead_ms +p50 2  p99 3.142  max 3.142  \(3\)`,
		`session_bytes +live 7959.741  passivated 2728`, `overhead p99 +26.5 ms +wanted at most 25 ms +NOT MET`,
		`ratio +0.61 +wanted at least 0.6 +met`, `yields +4 +against 3 +DOES NOT COME OUT`, "What it includes.",
	} {
		require.Regexp(t, want, out.String())
	}
}

func TestThePageStandsByItselfInBothThemes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	require.NoError(t, report.Save(dir, []report.Report{sample(), sample()}))
	b, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	page := string(b)
	require.NotRegexp(t, regexp.MustCompile(`(?i)(src|href|url|@import)\s*[=(]|https?://`), page, "nothing is loaded")
	require.Contains(t, page, "prefers-color-scheme: dark")
	require.Equal(t, 6, strings.Count(page, "<svg"))
	require.Contains(t, page, "Overhead &lt;of a turn&gt;", "titles are escaped")
	require.NotContains(t, page, "NaN")
	require.NotContains(t, page, "Inf")
	require.Contains(t, page, "not met")
	require.Contains(t, page, "does not come out")
	for _, name := range []string{"voice.json", "voice-2.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, golden, string(b))
	}
}

func TestARunIsShownBesideTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	first := report.Report{Name: "x", Gates: []report.Gate{{Name: "speed", Want: 5, Got: 4.25, Unit: "ms"}}}
	first.Beside(dir, 1)
	require.Empty(t, first.Gates[0].Last, "there was none before")
	require.NoError(t, report.Save(dir, []report.Report{first}))
	second := report.Report{Name: "x", Gates: []report.Gate{{Name: "speed", Want: 5, Got: 3}, {Name: "new", Want: 1, Got: 1}}}
	second.Beside(dir, 1)
	require.Equal(t, "last time 4.25", second.Gates[0].Last)
	require.Empty(t, second.Gates[1].Last)
	var out bytes.Buffer
	require.NoError(t, second.Table(&out))
	require.Contains(t, out.String(), "last time 4.25")
}
