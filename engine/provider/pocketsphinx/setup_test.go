package pocketsphinx

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"flametree/engine/provider"
)

// TestManyAreMadeAtOnce would end the process where the library's loading is not
// kept to one at a time.
func TestManyAreMadeAtOnce(t *testing.T) {
	rounds := 2
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		rounds = 20
	}
	for round := range rounds {
		tr := New(Options{Dir: t.TempDir()})
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				h := hints(t, "debit")
				h.Key = fmt.Sprint(round, i)
				if err := tr.Prepare(h); err != nil {
					t.Error(err)
				}
				s, err := tr.Open(t.Context(), provider.Format{RateHz: 16000, BandHz: 8000, Hints: h})
				if err != nil {
					t.Error(err)
					return
				}
				_ = s.Write(make([]int16, 16000))
				_ = s.Finalize()
				_ = s.CloseSend()
				for range s.Heard() {
				}
			})
		}
		wg.Wait()
		tr.Close()
	}
}
