package pacer

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	sub     = 8  // buckets for each doubling: 12 % apart
	top     = 21 // doublings of a microsecond, to two seconds
	buckets = sub * top
)

// Histogram counts durations in buckets 12 % apart, from a microsecond to two
// seconds. The zero value is ready; all methods may be called from any
// goroutine.
type Histogram struct{ n [buckets]atomic.Uint32 }

// Add counts d; what is early counts as in time.
func (h *Histogram) Add(d time.Duration) {
	us := uint64(max(d, 0) / time.Microsecond)
	h.n[index(us)].Add(1)
}

// index puts values under 8 in buckets of their own, and above by their top
// four bits.
func index(us uint64) int {
	if us < sub {
		return int(us)
	}
	length := bits.Len64(us)
	return min((length-3)*sub+int(us>>(length-4)&(sub-1)), buckets-1)
}

// bound is the largest value of a bucket.
func bound(i int) time.Duration {
	if i < sub {
		return time.Duration(i) * time.Microsecond
	}
	shift := i/sub - 1
	return time.Duration((sub+i%sub+1)<<shift-1) * time.Microsecond
}

// Reset forgets everything.
func (h *Histogram) Reset() {
	for i := range h.n {
		h.n[i].Store(0)
	}
}

// Count is how many were counted.
func (h *Histogram) Count() uint64 {
	var total uint64
	for i := range h.n {
		total += uint64(h.n[i].Load())
	}
	return total
}

// Quantile is the duration that a share q of the counted ones does not exceed,
// rounded up to its bucket's end; 0 if nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration { return h.quantile(nil, q) }

// Each gives every bucket that is not empty: its end and its count.
func (h *Histogram) Each(f func(end time.Duration, count uint64)) {
	for i := range h.n {
		if n := h.n[i].Load(); n > 0 {
			f(bound(i), uint64(n))
		}
	}
}

// quantile looks at two histograms as one; other may be nil.
func (h *Histogram) quantile(other *Histogram, q float64) time.Duration {
	var n [buckets]uint64
	var total uint64
	for i := range n {
		n[i] = uint64(h.n[i].Load())
		if other != nil {
			n[i] += uint64(other.n[i].Load())
		}
		total += n[i]
	}
	var seen uint64
	for i := range n {
		if seen += n[i]; seen > 0 && float64(seen) >= q*float64(total) {
			return bound(i)
		}
	}
	return 0
}
