package member

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Whatever is scheduled runs beside the rest, also when somebody waits in it for
// another, and few goroutines are kept for it.
func TestACrewRunsAllAtOnceAndKeepsFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		c := newCrew()
		const many = 4 * resting
		var ran atomic.Int64
		var waiting sync.WaitGroup
		all := make(chan struct{})
		waiting.Add(many)
		for range many {
			c.Schedule(func() {
				waiting.Done()
				<-all // each waits until the last has begun
				ran.Add(1)
			})
		}
		waiting.Wait()
		close(all)
		synctest.Wait()
		require.EqualValues(t, many, ran.Load())
		require.Equal(t, resting, runtime.NumGoroutine()-before)
		for range many { // one after the other: by those who rest
			c.Schedule(func() { ran.Add(1) })
			synctest.Wait()
			require.Equal(t, resting, runtime.NumGoroutine()-before)
		}
		require.EqualValues(t, 2*many, ran.Load())
		c.end()
		synctest.Wait()
		require.Equal(t, before, runtime.NumGoroutine())
		c.Schedule(func() { ran.Add(1) })
		synctest.Wait()
		require.EqualValues(t, 2*many+1, ran.Load(), "also when the crew has gone home")
		require.Equal(t, before, runtime.NumGoroutine())
	})
}

func BenchmarkSchedule(b *testing.B) {
	c := newCrew()
	defer c.end()
	b.ReportAllocs()
	var done sync.WaitGroup
	for b.Loop() {
		done.Add(1)
		c.Schedule(done.Done)
		done.Wait()
	}
}
