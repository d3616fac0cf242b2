package node

import (
	"context"
	"sync"
	"time"

	"flametree/engine/provider"
)

const (
	questionPatience = 300 * time.Millisecond // a search waits so long for its question's vector
	questionLongest  = 5 * time.Second        // and so long it may take when nobody waits any more
	questionAgain    = 2 * time.Second        // after a failure the same is not asked before
	questionsKept    = 512
)

// questions are the vectors of what customers ask. They are made outside of who
// asks: a search waits a little and then goes by words alone. What came too late
// is there when the same is asked again, as what a caller was guessed to say is.
// It is safe for concurrent use.
type questions struct {
	from     provider.Embedder
	life     context.Context
	spawn    func(func())
	patience time.Duration

	mu    sync.Mutex
	known map[string]*asking
	order []string // of known, oldest first
	under int      // how many are on their way
	slow  bool     // the last one came too late: nobody waits until one is in time again
}

// asking is a question's vector on its way; it is there when done is closed.
type asking struct {
	begun, ended time.Time
	done         chan struct{}
	vector       []float32 // nil after a failure
}

func newQuestions(s *embedders, from provider.Embedder) *questions {
	q := &questions{from: from, life: s.life, spawn: s.spawn, patience: s.patience, known: make(map[string]*asking)}
	if q.patience <= 0 {
		q.patience = questionPatience
	}
	return q
}

// vector is a question's vector, nil where there is none in time. All who ask
// the same wait together, and no longer than the first of them: a search after
// a look ahead waits no second time.
func (q *questions) vector(ctx context.Context, text string) []float32 {
	a, patient := q.find(text)
	if a == nil {
		return nil
	}
	left := time.Duration(0)
	if patient {
		left = max(0, q.patience-time.Since(a.begun))
	}
	select {
	case <-a.done:
		return a.vector
	default:
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-a.done:
		return a.vector
	case <-t.C:
		q.mu.Lock()
		q.slow = q.slow || a.ended.IsZero()
		q.mu.Unlock()
	case <-ctx.Done():
	}
	return nil
}

// find is the question that is known or asked for now, and whether it is worth
// waiting for; nil where asking is of no use.
func (q *questions) find(text string) (a *asking, patient bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a = q.known[text]
	if a != nil && (a.ended.IsZero() || a.vector != nil || time.Since(a.ended) < questionAgain) {
		return a, !q.slow
	}
	if q.life.Err() != nil || q.slow && q.under > 0 {
		return nil, false
	}
	a = &asking{begun: time.Now(), done: make(chan struct{})}
	if q.known[text] == nil {
		q.order = append(q.order, text)
	}
	q.known[text] = a
	for len(q.order) > questionsKept {
		delete(q.known, q.order[0])
		q.order = q.order[1:]
	}
	q.under++
	q.spawn(func() { q.ask(a, text) })
	return a, !q.slow
}

func (q *questions) ask(a *asking, text string) {
	ctx, cancel := context.WithTimeout(q.life, questionLongest)
	defer cancel()
	got, err := q.from.Embed(ctx, []string{text})
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil && len(got) == 1 {
		a.vector = got[0]
	}
	a.ended = time.Now()
	q.under--
	if late := a.ended.Sub(a.begun) > q.patience; late || a.vector != nil {
		q.slow = late // a quick failure costs nobody anything
	}
	close(a.done)
}
