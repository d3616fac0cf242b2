package index

import (
	"cmp"
	"math"
	"slices"

	"flametree/engine/knowledge"
)

// How candidates are found and judged. The figures were tried on the library of
// bench/retrieval.
const (
	compared   = 256 // passages whose sketches were nearest, compared in eight bits
	candidates = 40  // of those, judged
	// A likeness that stands out by so many deviations from the others begins to
	// count, and by so many more it counts whole.
	standsOut, standsFar = 2.5, 5.0
	sway                 = 0.15 // how much of its score a passage loses whose likeness does not stand out
	fewPassages          = 50   // so few say little about how likeness is spread
	usualSpread          = 0.1
)

// Find yields the passages that fit best, best first. The question's vector is
// made by Options.Local, if there is one.
func (x *Index) Find(q knowledge.Query) []knowledge.Hit {
	s := x.now.Load()
	var v []float32
	if x.options.Local != nil && s.sketch != nil && q.K > 0 {
		v = x.options.Local.EmbedOne(x.Text(q))
	}
	return x.find(s, q, v)
}

// Text is what has to be embedded of a question: its words, and those of the
// turn before where they lean on it.
func (x *Index) Text(q knowledge.Query) string {
	if q.Before != "" && knowledge.Leans(x.options.Lexicon, q.Text) {
		return q.Before + "\n" + q.Text
	}
	return q.Text
}

// FindNear is Find with a vector that was made elsewhere of Text(q). nil, or one
// of another size than the passages', searches by words alone.
func (x *Index) FindNear(q knowledge.Query, vector []float32) []knowledge.Hit {
	return x.find(x.now.Load(), q, vector)
}

// Nearest yields the k passages with the vectors most like one, best first; the
// Score is the cosine, and no measure of whether they answer.
func (x *Index) Nearest(vector []float32, k int) []knowledge.Hit {
	s := x.now.Load()
	found, _ := s.near(vector)
	out := make([]knowledge.Hit, 0, min(len(found), max(0, k)))
	for _, n := range found[:cap(out)] {
		out = append(out, s.words.Passage(n.passage, float64(n.like)))
	}
	return out
}

// near finds the passages nearest to a vector, best first.
func (s *state) near(vector []float32) ([]near, spread) {
	if s.sketch == nil || len(vector) != s.sketch.dim {
		return nil, spread{}
	}
	q := unit(vector)
	if q == nil {
		return nil, spread{}
	}
	found, of := s.sketch.nearest(q, compared)
	found = slices.DeleteFunc(found, func(n near) bool { return s.vectors[n.passage].numbers == nil })
	for i, n := range found {
		found[i].like = s.vectors[n.passage].dot(q)
	}
	slices.SortFunc(found, byLike)
	return found, of
}

// judged is a passage with what speaks for it.
type judged struct {
	knowledge.Candidate
	score float64
}

func (x *Index) find(s *state, q knowledge.Query, vector []float32) []knowledge.Hit {
	if q.K <= 0 || s.words.Len() == 0 {
		return nil
	}
	r := s.words.Read(q)
	if !r.Asks() {
		return nil
	}
	var all []judged
	for _, c := range r.Candidates() {
		all = append(all, judged{c, c.Fit})
	}
	if found, of := s.near(vector); len(found) > 0 {
		all = s.also(all, found[:min(len(found), candidates)], r)
		x.weigh(s, all, unit(vector), of)
	}
	slices.SortStableFunc(all, func(a, b judged) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.BM25, a.BM25), cmp.Compare(a.Passage, b.Passage))
	})
	var out []knowledge.Hit
	for _, j := range all {
		if len(out) == q.K || j.score < q.Min || j.score <= 0 {
			break
		}
		out = append(out, s.words.Passage(j.Passage, j.score))
	}
	return out
}

// also adds the passages that only their vectors found.
func (s *state) also(all []judged, found []near, r knowledge.Reading) []judged {
	have := make(map[int32]bool, len(all))
	for _, j := range all {
		have[j.Passage] = true
	}
	for _, n := range found {
		if !have[n.passage] {
			fit := r.Fit(n.passage)
			all = append(all, judged{knowledge.Candidate{Passage: n.passage, Fit: fit}, fit})
		}
	}
	return all
}

// weigh moves the scores by what the likeness says: a little down where it does
// not stand out, and up, by as much as the vectors are trusted, where it does.
func (x *Index) weigh(s *state, all []judged, q []float32, of spread) {
	for i := range all {
		j := &all[i]
		v := s.vectors[j.Passage]
		if v.numbers == nil {
			continue
		}
		like := min(1, max(0, (of.out(float64(v.dot(q)))-standsOut)/standsFar))
		j.score = j.Fit*(1-sway*(1-like)) + x.options.Trust*like*max(0, 1-j.Fit)
	}
}

// out is by how many deviations one likeness stands out from all others. Of few
// others little is known, and the usual spread is taken to be among them; of
// none, nothing stands out.
func (s spread) out(like float64) float64 {
	others := float64(s.n - 1)
	if others < 1 {
		return 0
	}
	mean := (s.mean*(others+1) - like) / others
	square := ((s.deviation*s.deviation+s.mean*s.mean)*(others+1) - like*like) / others
	spread := max(0, square-mean*mean)
	return (like - mean) / math.Sqrt((others*spread+fewPassages*usualSpread*usualSpread)/(others+fewPassages))
}
