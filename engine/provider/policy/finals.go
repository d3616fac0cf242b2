package policy

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"flametree/engine/provider"
)

// Finals measures how long a recogniser takes from Finalize to its last words.
// One belongs to one recogniser, whoever listens with it. It is safe for
// concurrent use; the zero Finals is ready.
type Finals struct {
	mu   sync.Mutex
	took []time.Duration // the last ones, oldest overwritten
	next int
}

// rememberedFinals are some minutes of a busy node, and enough that the p99 is
// not one outlier.
const rememberedFinals = 256

// P99 is the time within which 99 of 100 of the last finals came, and how many
// were looked at: at most 256, 0 while nothing was measured. The turn machine
// takes it as its STTFinalWait.
func (f *Finals) P99() (took time.Duration, of int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.took)
	if n == 0 {
		return 0, 0
	}
	s := slices.Sorted(slices.Values(f.took))
	return s[(n*99+99)/100-1], n
}

func (f *Finals) learn(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.took) < rememberedFinals {
		f.took = append(f.took, d)
		return
	}
	f.took[f.next] = d
	f.next = (f.next + 1) % rememberedFinals
}

// Transcriber is t, measured.
func (f *Finals) Transcriber(t provider.Transcriber) provider.Transcriber {
	return timedEars{inner: t, finals: f}
}

type timedEars struct {
	inner  provider.Transcriber
	finals *Finals
}

// Prepare implements provider.Preparer where the recogniser does.
func (t timedEars) Prepare(h provider.Hints) error {
	if p, ok := t.inner.(provider.Preparer); ok {
		return p.Prepare(h)
	}
	return nil
}

// Open implements provider.Transcriber.
func (t timedEars) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	s, err := t.inner.Open(ctx, f)
	if err != nil {
		return nil, err
	}
	return &timedEar{Transcription: s, finals: t.finals}, nil
}

type timedEar struct {
	provider.Transcription
	finals *Finals

	mu    sync.Mutex
	asked []time.Time // that were not answered, the oldest first
}

// Finalize implements provider.Transcription.
func (t *timedEar) Finalize() error {
	t.mu.Lock()
	t.asked = append(t.asked, time.Now())
	t.mu.Unlock()
	return t.Transcription.Finalize()
}

// Heard implements provider.Transcription.
func (t *timedEar) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		for h, err := range t.Transcription.Heard() {
			if err == nil && h.Final {
				t.answered()
			}
			if !yield(h, err) {
				return
			}
		}
	}
}

// answered measures the oldest Finalize. A final that nobody asked for is none.
func (t *timedEar) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.asked) > 0 {
		t.finals.learn(time.Since(t.asked[0]))
		t.asked = t.asked[1:]
	}
}
