package knowledge

import (
	"cmp"
	"slices"
)

// How rank works.
const (
	keptDesks = 4     // desks kept for the next searches; more searches at once make their own
	pruneFrom = 1_000 // postings of a term, before which it is not worth looking whether passages can be left out
	seekCost  = 20    // a passage looked up in the postings costs as much as so many of them read in order
)

// scored is a passage on the way to a Hit.
type scored struct {
	chunk int32
	bm25  float64
	score float64
}

// desk is where one search adds up. Between searches all its sums are zero.
type desk struct {
	sum, best []float32 // by passage
	all       []int32   // the passages with a sum
	touched   []int32   // with a best
}

func (x *Index) takeDesk() *desk {
	select {
	case d := <-x.desks:
		return d
	default:
		n := len(x.chunks)
		return &desk{sum: make([]float32, n), best: make([]float32, n)}
	}
}

func (x *Index) giveDesk(d *desk) {
	for _, c := range d.all {
		d.sum[c] = 0
	}
	d.all, d.touched = d.all[:0], d.touched[:0]
	select {
	case x.desks <- d:
	default:
	}
}

// rank picks the candidates by BM25 over the best option of each term, a
// question's terms counting twice and a title's one and a half times.
//
// The terms that may add most come first. As soon as what is left cannot lift a
// passage without a sum among the candidates, and that is known from the sums
// there are (Turtle and Flood's MaxScore), only passages with a sum that is high
// enough are looked up in the postings that are left: those of words that stand
// in every other passage are never read through.
func (x *Index) rank(terms []asked) []scored {
	order := make([]asked, 0, len(terms))
	left := float32(0)
	for _, a := range terms {
		if len(a.any) > 0 {
			order = append(order, a)
			left += a.bound()
		}
	}
	slices.SortStableFunc(order, func(a, b asked) int { return cmp.Compare(b.bound(), a.bound()) })
	d := x.takeDesk()
	defer x.giveDesk(d)
	var few []int32 // once it is known that no other passage can get there
	for _, a := range order {
		n := x.postings(a)
		if few == nil && len(d.all) >= candidates && n >= pruneFrom {
			if floor := d.floor(d.all); floor > left {
				few = d.above(make([]int32, 0, len(d.all)/4), d.all, floor-left)
			}
		}
		left -= a.bound()
		if few == nil || n < len(few)*seekCost {
			x.addTo(d, a)
		} else {
			x.lookUp(d, a, few)
		}
		if few != nil {
			few = d.above(few[:0], few, d.floor(few)-left)
		}
	}
	if few == nil {
		few = d.above(nil, d.all, d.floor(d.all))
	}
	return d.top(few)
}

// bound is more than a term can add to a passage.
func (a asked) bound() float32 {
	return worthMost * float32(a.weight*a.any[0].fit)
}

func (x *Index) postings(a asked) int {
	n := 0
	for _, o := range a.any {
		n += len(x.post[o.term])
	}
	return n
}

// addTo adds what a term is worth to the sums of all passages it stands in.
func (x *Index) addTo(d *desk, a asked) {
	if len(a.any) == 1 {
		w := float32(a.any[0].fit * a.weight)
		for _, p := range x.post[a.any[0].term] {
			if d.sum[p.chunk] == 0 {
				d.all = append(d.all, p.chunk)
			}
			d.sum[p.chunk] += w * p.worth
		}
		return
	}
	d.touched = d.touched[:0]
	for _, o := range a.any {
		w := float32(o.fit * a.weight)
		for _, p := range x.post[o.term] {
			if d.best[p.chunk] == 0 {
				d.touched = append(d.touched, p.chunk)
			}
			d.best[p.chunk] = max(d.best[p.chunk], w*p.worth)
		}
	}
	for _, c := range d.touched {
		if d.sum[c] == 0 {
			d.all = append(d.all, c)
		}
		d.sum[c] += d.best[c]
		d.best[c] = 0
	}
}

// lookUp is addTo for few passages, one by one.
func (x *Index) lookUp(d *desk, a asked, few []int32) {
	for _, c := range few {
		best := float32(0)
		for _, o := range a.any {
			post := x.post[o.term]
			if i, ok := slices.BinarySearchFunc(post, c, func(p posting, c int32) int { return int(p.chunk - c) }); ok {
				best = max(best, float32(o.fit*a.weight)*post[i].worth)
			}
		}
		d.sum[c] += best
	}
}

// floor is a sum that at least as many of the passages reach as there are
// candidates: a coarse histogram finds it without sorting ten thousand sums. It
// is 0 when there are fewer.
func (d *desk) floor(of []int32) float32 {
	if len(of) < candidates {
		return 0
	}
	var most float32
	for _, c := range of {
		most = max(most, d.sum[c])
	}
	var bins [256]int
	for _, c := range of {
		bins[min(len(bins)-1, int(d.sum[c]/most*float32(len(bins))))]++
	}
	for i, n := len(bins)-1, 0; i > 0; i-- {
		if n += bins[i]; n >= candidates {
			// Rounding must not put a sum of this bin below its edge.
			return most * (float32(i) - 0.01) / float32(len(bins))
		}
	}
	return 0
}

// above appends the passages with at least so high a sum to out.
func (d *desk) above(out, of []int32, least float32) []int32 {
	for _, c := range of {
		if d.sum[c] >= least {
			out = append(out, c)
		}
	}
	return out
}

// top are the candidates among few: the passages with the highest sums.
func (d *desk) top(few []int32) []scored {
	out := make([]scored, len(few))
	for i, c := range few {
		out[i] = scored{chunk: c, bm25: float64(d.sum[c])}
	}
	slices.SortFunc(out, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.bm25, a.bm25), cmp.Compare(a.chunk, b.chunk))
	})
	return out[:min(len(out), candidates)]
}
