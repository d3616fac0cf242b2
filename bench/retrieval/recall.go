package retrieval

import (
	"cmp"
	"slices"
	"strings"

	"flametree/bench/report"
	"flametree/engine/knowledge"
)

// finder is a way to find passages, best first.
type finder func(question string, k int) []knowledge.Hit

func (l library) byWords(question string, k int) []knowledge.Hit {
	return l.hybrid.FindNear(knowledge.Query{Text: question, K: k}, nil)
}

func (o Options) byVectors(l library) finder {
	return func(question string, k int) []knowledge.Hit {
		return l.hybrid.Nearest(o.Embedder.EmbedOne(question), k)
	}
}

func (l library) byBoth(question string, k int) []knowledge.Hit {
	return l.hybrid.Find(knowledge.Query{Text: question, K: k})
}

// byRank joins the ranks of words and vectors (reciprocal rank fusion, Cormack
// and others 2009), for comparison.
func byRank(of ...finder) finder {
	const (
		flat = 60.0
		deep = 40
	)
	return func(question string, k int) []knowledge.Hit {
		sum := make(map[string]float64)
		var all []knowledge.Hit
		for _, f := range of {
			for rank, h := range f(question, deep) {
				key := h.ID + "\x00" + h.Text
				if sum[key] == 0 {
					all = append(all, h)
				}
				sum[key] += 1 / (flat + float64(rank))
			}
		}
		slices.SortStableFunc(all, func(a, b knowledge.Hit) int {
			return cmp.Compare(sum[b.ID+"\x00"+b.Text], sum[a.ID+"\x00"+a.Text])
		})
		return all[:min(k, len(all))]
	}
}

// recall is the share of pairs whose passage is among the first.
func (o Options) recall(l library, c corpus, r *report.Report) {
	ways := []struct {
		name string
		find finder
	}{
		{"words", l.byWords},
		{"vectors", o.byVectors(l)},
		{"hybrid", l.byBoth},
		{"reciprocal ranks", byRank(l.byWords, o.byVectors(l))},
	}
	got := make(map[string]float64)
	for _, w := range ways {
		of := report.Values{}
		all := 0
		for _, style := range []string{styleAsIs, styleInflected, styleTypo} {
			n, hit := 0, 0
			for _, p := range c.pairs {
				if p.style != style {
					continue
				}
				n++
				if slices.ContainsFunc(w.find(p.question, depth), p.answeredBy) {
					hit++
				}
			}
			all += hit
			of.Add(style, float64(hit)/float64(max(1, n)))
		}
		got[w.name] = float64(all) / float64(max(1, len(c.pairs)))
		of.Add("all", got[w.name])
		r.Metrics.Add("recall_at_5_"+strings.ReplaceAll(w.name, " ", "_"), of)
	}
	r.Gates = append(r.Gates,
		report.Gate{Name: "recall@5, hybrid", Want: wantedRecall, Got: got["hybrid"], AtLeast: true},
		report.Gate{Name: "recall@5, hybrid against the better one", Want: max(got["words"], got["vectors"]), Got: got["hybrid"], AtLeast: true},
	)
}

func (p pair) answeredBy(h knowledge.Hit) bool {
	return h.ID == p.source && strings.Contains(h.Text, p.answer)
}

// declined is the share of unanswerable questions for which nothing reaches the
// least score.
func (o Options) declined(l library, c corpus, r *report.Report) {
	n := 0
	for _, q := range c.unanswerable {
		if len(l.hybrid.Find(knowledge.Query{Text: q, K: 1, Min: knowledge.DefaultMin})) == 0 {
			n++
		}
	}
	share := float64(n) / float64(max(1, len(c.unanswerable)))
	answered := 0
	for _, p := range c.pairs {
		if len(l.hybrid.Find(knowledge.Query{Text: p.question, K: 1, Min: knowledge.DefaultMin})) > 0 {
			answered++
		}
	}
	r.Metrics.Add("declined", report.Values{
		{Name: "unanswerable", Of: share}, {Name: "answerable", Of: 1 - float64(answered)/float64(max(1, len(c.pairs)))},
	})
	r.Gates = append(r.Gates, report.Gate{Name: "unanswerable questions declined", Want: wantedDecline, Got: share, AtLeast: true})
}
