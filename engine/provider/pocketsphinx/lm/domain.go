package lm

import (
	"cmp"
	"slices"
)

// domain is the model of sentences we wrote or an agent gave, smoothed after
// Witten and Bell: a history that was followed by many different words leaves
// more to the shorter history.
type domain struct {
	total, kinds float64
	uni          []float64 // weight by word
	n2, t2       []float64 // by history of one word: weight and number of followers
	bi, tri      []event   // sorted; tri has a history of two words
}

// newDomain takes merged events over a vocabulary of n words.
func newDomain(events []event, n int) *domain {
	d := &domain{uni: make([]float64, n), n2: make([]float64, n), t2: make([]float64, n)}
	pairs := make([]event, 0, len(events))
	for _, e := range events {
		a, b, c := e.words()
		d.uni[c] += e.weight
		d.n2[b] += e.weight
		d.total += e.weight
		pairs = append(pairs, event{gram3(none, b, c), e.weight})
		if a != none {
			d.tri = append(d.tri, e)
		}
	}
	d.bi = merge(pairs)
	for _, e := range d.bi {
		_, b, _ := e.words()
		d.t2[b]++
	}
	for _, u := range d.uni {
		if u > 0 {
			d.kinds++
		}
	}
	return d
}

func (d *domain) p1(c uint32) float64 {
	return (d.uni[c] + d.kinds/float64(len(d.uni))) / (d.total + d.kinds)
}

func (d *domain) p2(b, c uint32) float64 {
	if d.n2[b] == 0 {
		return d.p1(c)
	}
	return (weightOf(d.bi, gram3(none, b, c)) + d.t2[b]*d.p1(c)) / (d.n2[b] + d.t2[b])
}

// p3 needs the weight of the trigram and, for its history, the sum of weights
// and the number of followers.
func (d *domain) p3(b, c uint32, weight, history, followers float64) float64 {
	return (weight + followers*d.p2(b, c)) / (history + followers)
}

func weightOf(sorted []event, g gram) float64 {
	if i, ok := slices.BinarySearchFunc(sorted, g, func(e event, g gram) int { return cmp.Compare(e.gram, g) }); ok {
		return sorted[i].weight
	}
	return 0
}
