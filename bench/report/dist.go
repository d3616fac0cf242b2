package report

import (
	"math"
	"slices"
)

// Dist is what is told of many measurements of one thing, in the unit that the
// metric's name ends with.
type Dist struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
	N   int     `json:"n"`
}

// Of sums up values, which it leaves as they are. Nothing measured is the zero Dist.
func Of(values []float64) Dist {
	if len(values) == 0 {
		return Dist{}
	}
	sorted := slices.Sorted(slices.Values(values))
	return Dist{
		P50: Round(Percentile(sorted, 50)), P99: Round(Percentile(sorted, 99)),
		Max: Round(sorted[len(sorted)-1]), N: len(sorted),
	}
}

// Percentile is the smallest of the sorted values that at least p percent of
// them do not exceed (the nearest rank); 0 of nothing. It never invents a value
// between two that were measured.
func Percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Round keeps three decimals: more are noise.
func Round(v float64) float64 { return math.Round(v*1000) / 1000 }
