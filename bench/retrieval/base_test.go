package retrieval

import (
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flametree/engine/knowledge"
)

func TestBase(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("N"))
	c, err := write(n, 200, 50)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(c.passages, len(c.sources), len(c.pairs), len(c.unanswerable))
	t.Log(c.sources[0].Title, c.sources[0].Text[:1200])
	var m1, m2 runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m1)
	t0 := time.Now()
	x := knowledge.Build(c.sources)
	t.Log("build", time.Since(t0), x.Len())
	runtime.GC()
	runtime.ReadMemStats(&m2)
	t.Log("MB", (m2.HeapAlloc-m1.HeapAlloc)>>20)
	if p := os.Getenv("PROF"); p != "" {
		f, _ := os.Create(p)
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	var ds []time.Duration
	hit := map[string]int{}
	for _, p := range c.pairs {
		t0 := time.Now()
		hits := x.Find(knowledge.Query{Text: p.question, K: 5})
		ds = append(ds, time.Since(t0))
		ok := slices.ContainsFunc(hits, func(h knowledge.Hit) bool { return h.ID == p.source && strings.Contains(h.Text, p.answer) })
		if ok {
			hit[p.style]++
		} else if len(hits) > 0 {
			t.Logf("MISS %s [%s] %.2f %s", p.question, p.answer, hits[0].Score, hits[0].Title)
		}
	}
	t.Log(hit)
	slices.Sort(ds)
	t.Log("p50", ds[len(ds)/2], "p99", ds[len(ds)*99/100], "max", ds[len(ds)-1])
	low, lower := 0, 0
	for _, q := range c.unanswerable {
		hits := x.Find(knowledge.Query{Text: q, K: 1})
		s := 0.0
		if len(hits) > 0 {
			s = hits[0].Score
		}
		if s < 0.25 {
			low++
		}
		if s < 0.42 {
			lower++
		}
		if s >= 0.25 {
			t.Logf("%.2f %s -> %s", s, q, hits[0].Title)
		}
	}
	t.Log("below .25", low, "below .42", lower)
}
