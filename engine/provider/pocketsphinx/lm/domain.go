package lm

// domain is the model of the agent's own sentences, smoothed after Witten and
// Bell: a history that was followed by many different words leaves more to the
// shorter history. Histories and words are vocabulary ids.
type domain struct {
	n1, total float64
	uni       []float64         // by word
	n2, t2    []float64         // by history: weight and number of followers
	bi        map[gram]float64  // gram3(none, b, c)
	n3        map[gram]follower // gram3(none, a, b)
	tri       []event           // with a history of two words, sorted
	at        map[gram]float64  // the same by key
}

type follower struct{ weight, kinds float64 }

func newDomain(events []event, words int) *domain {
	d := &domain{
		uni: make([]float64, words), n2: make([]float64, words), t2: make([]float64, words),
		bi: make(map[gram]float64, len(events)/2), n3: make(map[gram]follower, len(events)/2),
	}
	for _, e := range events {
		a, b, c := e.words()
		d.uni[c] += e.weight
		d.total += e.weight
		d.bi[gram3(none, b, c)] += e.weight
		if a != none {
			h := gram3(none, a, b)
			f := d.n3[h]
			d.n3[h] = follower{f.weight + e.weight, f.kinds + 1}
			d.tri = append(d.tri, e)
		}
	}
	for g := range d.bi {
		_, b, _ := g.words()
		d.t2[b]++
	}
	for _, e := range events {
		_, b, _ := e.words()
		d.n2[b] += e.weight
	}
	for _, u := range d.uni {
		if u > 0 {
			d.n1++
		}
	}
	return d
}

func (d *domain) p1(c uint32) float64 {
	return (d.uni[c] + d.n1/float64(len(d.uni))) / (d.total + d.n1)
}

func (d *domain) p2(b, c uint32) float64 {
	if d.n2[b] == 0 {
		return d.p1(c)
	}
	return (d.bi[gram3(none, b, c)] + d.t2[b]*d.p1(c)) / (d.n2[b] + d.t2[b])
}

func (d *domain) p3(a, b, c uint32, weight float64) float64 {
	f, ok := d.n3[gram3(none, a, b)]
	if !ok {
		return d.p2(b, c)
	}
	return (weight + f.kinds*d.p2(b, c)) / (f.weight + f.kinds)
}
