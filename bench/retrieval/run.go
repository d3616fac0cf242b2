package retrieval

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"flametree/bench/report"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/knowledge/index"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider"
)

// Embedder makes vectors of passages, and of questions at once.
type Embedder interface {
	provider.Embedder
	index.Local
}

// Options of a run. The zero value measures 100,000 passages, 200 pairs and 50
// unanswerable questions with the built-in embedder.
type Options struct {
	Passages     int
	Pairs        int
	Unanswerable int
	Rounds       int      // how often each question is timed; default 5
	Embedder     Embedder // nil = built in
	Trust        float64  // of its vectors: index.Options
	Seed         uint64   // of both libraries; 0 = each its own, that of the stated figures
}

// The promises.
const (
	wantedFind    = 20.0 // ms, p99
	wantedRecall  = 0.85
	wantedDecline = 0.9 // of the unanswerable
	depth         = 5   // of recall
)

// mega is how figures of memory are told.
const mega = 1e6

// A shelf holds so many things, as a website of a firm does.
const thingsOfShelf = 50

// Run measures. It leaves nothing behind.
func Run(ctx context.Context, opt Options) (report.Report, error) {
	if opt.Passages == 0 {
		opt.Passages = 100_000
	}
	if opt.Pairs == 0 {
		opt.Pairs = 200
	}
	if opt.Unanswerable == 0 {
		opt.Unanswerable = 50
	}
	if opt.Rounds == 0 {
		opt.Rounds = 5
	}
	if opt.Embedder == nil {
		e, err := newBuiltIn()
		if err != nil {
			return report.Report{}, err
		}
		opt.Embedder = e
	}
	if opt.Passages < 0 || opt.Pairs < 0 || opt.Unanswerable < 0 || opt.Rounds < 0 {
		return report.Report{}, fmt.Errorf("bench retrieval: no number can be negative: %w", fault.Invalid)
	}
	r := report.Report{Name: "retrieval", Machine: report.Here(time.Now())}
	r.Params.Add("passages", opt.Passages)
	r.Params.Add("pairs", opt.Pairs)
	r.Params.Add("unanswerable", opt.Unanswerable)
	r.Params.Add("dimensions", opt.Embedder.Dim())
	r.Params.Add("seed", opt.Seed)
	if err := opt.tunedOn(ctx, &r); err != nil {
		return report.Report{}, err
	}
	if err := opt.heldOut(ctx, &r); err != nil {
		return report.Report{}, err
	}
	r.Notes = []string{
		"A pair is a question and the one passage that answers it: a third as it was asked, a third with other forms of its words, " +
			"a third with two misspelled words. An unanswerable question is declined when no passage reaches RAG_MIN_SCORE's default. " +
			"Memory is Go heap after a collection; building is on one core, embedding apart. " +
			"Figures called held out are of a second library, with other things, facts and ways to ask, on which nothing was ever tuned; " +
			"those of the first were tuned on it at seed 0.",
	}
	return r, nil
}

// tunedOn measures the library that the search was tuned on.
func (o Options) tunedOn(ctx context.Context, r *report.Report) error {
	c, err := o.seeded(tuned()).write(o.Passages, o.Pairs, o.Unanswerable)
	if err != nil {
		return err
	}
	l, err := o.build(ctx, c, r)
	if err != nil {
		return err
	}
	o.recall(l, c, r)
	o.declined(l, c, r)
	o.timed(l, c, r)
	return o.changed(ctx, l, c, r)
}

// heldOut measures what does not depend on the machine in the other library.
func (o Options) heldOut(ctx context.Context, r *report.Report) error {
	c, err := o.seeded(heldOut()).write(o.Passages, o.Pairs, o.Unanswerable)
	if err != nil {
		return err
	}
	var apart report.Report
	l, err := o.build(ctx, c, &apart)
	if err != nil {
		return err
	}
	o.recall(l, c, &apart)
	o.declined(l, c, &apart)
	for _, m := range apart.Metrics {
		if strings.HasPrefix(m.Name, "recall") || m.Name == "declined" {
			r.Metrics.Add("held_out_"+m.Name, m.Of)
		}
	}
	for _, g := range apart.Gates {
		g.Name = "held out: " + g.Name
		r.Gates = append(r.Gates, g)
	}
	return nil
}

func (o Options) seeded(v vocabulary) vocabulary {
	if o.Seed != 0 {
		v.seed = o.Seed
	}
	return v
}

// library is a corpus that can be searched.
type library struct {
	hybrid  *index.Index
	shelves []*index.Shelf
	sources [][]knowledge.Source // by shelf
}

// build embeds and builds, and says what that took.
func (o Options) build(ctx context.Context, c corpus, r *report.Report) (library, error) {
	lex := lexis.New()
	l := library{hybrid: index.New(index.Options{Lexicon: lex, Local: o.Embedder, Trust: o.Trust})}
	empty := heap()
	begun := time.Now()
	for from := 0; from < len(c.sources); from += thingsOfShelf {
		some := c.sources[from:min(from+thingsOfShelf, len(c.sources))]
		s, err := index.Fill(ctx, o.Embedder, index.Label{Source: fmt.Sprint(from), Revision: 1, Model: "bench"}, some, nil)
		if err != nil {
			return library{}, err
		}
		l.shelves, l.sources = append(l.shelves, s), append(l.sources, some)
	}
	r.Metrics.Add("embed_us_per_passage", micros(begun)/float64(max(1, c.passages)))
	filled := heap()
	begun = time.Now()
	if err := l.hybrid.Change(nil, l.shelves...); err != nil {
		return library{}, err
	}
	r.Metrics.Add("build_seconds", time.Since(begun).Seconds())
	r.Metrics.Add("memory_mb", report.Values{
		{Name: "vectors", Of: float64(filled-empty) / mega}, {Name: "index", Of: float64(heap()-filled) / mega},
	})
	r.Checks = append(r.Checks, report.Check{Name: "passages written and found", Left: float64(c.passages), Right: float64(l.hybrid.Len())})
	return l, nil
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func micros(since time.Time) float64 { return float64(time.Since(since)) / float64(time.Microsecond) }

// timed times every question, one after the other.
func (o Options) timed(l library, c corpus, r *report.Report) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var millis, cpu []float64
	for range o.Rounds {
		for _, p := range c.pairs {
			begun, worked := time.Now(), threadTime()
			l.hybrid.Find(knowledge.Query{Text: p.question, K: knowledge.DefaultK, Min: knowledge.DefaultMin})
			millis = append(millis, micros(begun)/1000)
			cpu = append(cpu, float64(threadTime()-worked)/float64(time.Millisecond))
		}
	}
	d := report.Of(millis)
	r.Metrics.Add("find_ms", d)
	work := report.Of(cpu)
	r.Metrics.Add("find_cpu_ms", work)
	r.Gates = append(r.Gates,
		report.Gate{Name: "search p99", Want: wantedFind, Got: d.P99, Unit: "ms"},
		report.Gate{Name: "search p99, work of one core", Want: wantedFind, Got: work.P99, Unit: "ms"},
	)
	r.Plots = append(r.Plots, report.Plot{
		Title: "A search in a library", Unit: "ms", Lines: []report.Line{{Name: "p99 wanted", At: wantedFind}},
		Series: []report.Series{{Name: fmt.Sprintf("%d passages", o.Passages), Values: millis}},
	})
}

// threadTime is how long this thread has worked: on a busy machine it tells what
// a search costs, where the clock tells how long it waited as well.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// changed puts one shelf in the place of itself, as after an edit.
func (o Options) changed(ctx context.Context, l library, c corpus, r *report.Report) error {
	if len(l.shelves) == 0 {
		return nil
	}
	label := l.shelves[0].Label()
	label.Revision++
	begun := time.Now()
	s, err := index.Fill(ctx, o.Embedder, label, l.sources[0], l.shelves[0])
	if err != nil {
		return err
	}
	if err := l.hybrid.Change(nil, s); err != nil {
		return err
	}
	r.Metrics.Add("change_one_shelf_ms", micros(begun)/1000)
	r.Checks = append(r.Checks, report.Check{Name: "passages after a change", Left: float64(c.passages), Right: float64(l.hybrid.Len())})
	return nil
}
