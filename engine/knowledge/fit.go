package knowledge

import (
	"math"
	"slices"

	"flametree/engine/knowledge/lexis"
)

// fit is the share of a question's meaning that a passage covers, 0..1. Little
// meaning covered whole is less than much: one common word proves nothing.
func (x *Index) fit(c *chunk, terms []asked, need lexis.Need) float64 {
	var sum, hit float64
	sum, hit = x.fitText(c, terms, need)
	if c.src.Kind == FAQ {
		_, asked := x.fitFAQ(c, terms, need)
		hit = max(hit, asked)
	}
	if sum == 0 || hit == 0 {
		return 0
	}
	hit -= x.shared(c, terms)
	score := hit / sum * hit / (hit + x.w.doubt) * (1 - x.w.rest*x.open(c, terms, hit))
	if !c.says(terms) {
		score *= x.w.indirect
	}
	return score
}

// open is the share of a question that a text leaves open besides naming, in its
// title, the thing that is asked about, 0..1. Each passage of a long source has
// its name: who asks whether the thing floats is not answered by what it costs.
// The fewer passages there are, the more the name says about each.
func (x *Index) open(c *chunk, terms []asked, hit float64) float64 {
	if c.src.Kind == FAQ || len(c.title) == 0 || c.siblings < 3 {
		return 0
	}
	var named, rest float64
	for _, a := range terms {
		in := 0.0
		for _, o := range a.any {
			in = max(in, place(o.term, c.title, o.fit))
		}
		if in > 0 {
			named += in * a.weight * x.w.title * x.w.prose
			continue
		}
		rest += a.weight
	}
	if rest == 0 || named == 0 {
		return 0
	}
	covered := math.Min(1, math.Max(0, hit-named)/(rest*x.w.prose))
	return (1 - covered) * rest / (rest + x.w.doubt) * (1 - 2/float64(c.siblings))
}

// shared is what was counted twice: when one word of a passage stands for two of
// a question (phone for mobile phone), the second proves nothing.
func (x *Index) shared(c *chunk, terms []asked) float64 {
	var used []int32
	lost := 0.0
	for _, exact := range [2]bool{true, false} {
		for _, a := range terms {
			if len(a.any) == 0 || (a.any[0].fit == 1 && c.holds(a.any[0].term)) != exact {
				continue
			}
			for _, o := range a.any {
				if !c.holds(o.term) {
					continue
				}
				if o.fit < 1 && slices.Contains(used, o.term) {
					lost += x.w.twice * a.weight * o.fit
				}
				used = append(used, o.term)
				break
			}
		}
	}
	return lost
}

// holds reports whether a term stands anywhere in a passage.
func (c *chunk) holds(t int32) bool {
	if slices.Contains(c.question, t) || slices.Contains(c.title, t) {
		return true
	}
	for _, s := range c.sentences {
		if slices.Contains(s.own, t) || slices.Contains(s.heading, t) {
			return true
		}
	}
	return false
}

// says reports whether a passage has a telling word of the question itself, not
// only one that is related to it.
func (c *chunk) says(terms []asked) bool {
	for _, a := range terms {
		if !a.content || len(a.any) == 0 || a.any[0].fit < 0.9 {
			continue
		}
		if c.holds(a.any[0].term) {
			return true
		}
	}
	return false
}

// fitFAQ: terms of the question count whole, of the answer less; a FAQ that
// asks about more than the customer did is not quite the same question.
func (x *Index) fitFAQ(c *chunk, terms []asked, need lexis.Need) (sum, hit float64) {
	for _, a := range terms {
		sum += a.weight
		best := 0.0
		for _, o := range a.any {
			f := max(place(o.term, c.question, 1), place(o.term, c.title, x.w.title))
			for _, s := range c.sentences {
				f = max(f, place(o.term, s.own, x.w.answer))
			}
			best = max(best, f*o.fit)
		}
		for _, s := range c.sentences {
			if a.fact && s.gives(need) {
				best = max(best, x.w.fact)
			}
		}
		hit += best * a.weight
	}
	return sum, hit * (1 - x.w.back + x.w.back*x.back(c.question, terms))
}

// back is the share of a FAQ's question that the customer's question covers.
func (x *Index) back(question []int32, terms []asked) float64 {
	var sum, hit float64
	for _, t := range question {
		w := x.weigh(x.weight[t], len(x.post[t]))
		sum += w
		best := 0.0
		for _, a := range terms {
			for _, o := range a.any {
				if o.term == t {
					best = max(best, o.fit)
				}
			}
		}
		hit += w * best
	}
	if sum == 0 {
		return 0
	}
	return hit / sum
}

// fitText: the best sentence of a text, helped by its heading, its title and,
// less, by the rest of the passage.
func (x *Index) fitText(c *chunk, terms []asked, need lexis.Need) (sum, hit float64) {
	apart := make([]float64, len(terms))
	for i, a := range terms {
		sum += a.weight
		for _, o := range a.any {
			f := max(place(o.term, c.title, x.w.title), place(o.term, c.question, x.w.title))
			for _, s := range c.sentences {
				f = max(f, place(o.term, s.own, x.w.apart), place(o.term, s.heading, x.w.apart))
			}
			apart[i] = max(apart[i], f*o.fit)
		}
	}
	for _, s := range c.sentences {
		covered := 0.0
		for i, a := range terms {
			f := apart[i]
			for _, o := range a.any {
				f = max(f, o.fit*place(o.term, s.own, 1), o.fit*place(o.term, s.heading, x.w.heading))
			}
			if a.fact && s.gives(need) {
				f = max(f, x.w.fact)
			}
			covered += f * a.weight
		}
		hit = max(hit, covered)
	}
	return sum, hit * x.w.prose
}

func place(term int32, in []int32, worth float64) float64 {
	if slices.Contains(in, term) {
		return worth
	}
	return 0
}
