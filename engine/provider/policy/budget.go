package policy

import "sync"

// BudgetOptions of a Budget.
type BudgetOptions struct {
	Ratio float64 // of a token that each request earns; 0 = 0.1
	Most  float64 // tokens at most, and at first; 0 = 10
}

// Budget bounds what is asked besides the requests themselves: each request
// earns a part of a token, each retry or hedge costs one. So a provider in
// trouble is not buried under repetitions. One Budget belongs to one provider.
// It is safe for concurrent use.
type Budget struct {
	ratio, most float64

	mu    sync.Mutex
	stats BudgetStats
}

// BudgetStats are the counts since the start.
type BudgetStats struct {
	Tokens   float64 // there now
	Requests uint64  // first ones
	Extra    uint64  // retries and hedges that were granted
	Refused  uint64  // and that were not
}

// NewBudget is a full budget.
func NewBudget(o BudgetOptions) *Budget {
	if o.Ratio <= 0 {
		o.Ratio = 0.1
	}
	if o.Most <= 0 {
		o.Most = 10
	}
	return &Budget{ratio: o.Ratio, most: o.Most, stats: BudgetStats{Tokens: o.Most}}
}

// Stats are the counts now.
func (b *Budget) Stats() BudgetStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}

// earn counts a first request. A nil Budget is without bounds.
func (b *Budget) earn() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Requests++
	b.stats.Tokens = min(b.most, b.stats.Tokens+b.ratio)
}

// spend takes a token, or reports that there is none.
func (b *Budget) spend() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stats.Tokens < 1 {
		b.stats.Refused++
		return false
	}
	b.stats.Tokens--
	b.stats.Extra++
	return true
}
