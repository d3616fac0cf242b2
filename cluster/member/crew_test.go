package member

import (
	"bytes"
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
		require.Equal(t, resting, kept())
		for range many { // one after the other: by those who rest
			c.Schedule(func() { ran.Add(1) })
			synctest.Wait()
		}
		require.Equal(t, resting, kept())
		require.EqualValues(t, 2*many, ran.Load())
		c.end()
		synctest.Wait()
		require.Zero(t, kept())
		c.Schedule(func() { ran.Add(1) })
		synctest.Wait()
		require.EqualValues(t, 2*many+1, ran.Load(), "also when the crew has gone home")
		require.Zero(t, kept())
	})
}

// kept is how many goroutines of the crew there are: of crews in a bubble, for
// those of servers that tests before this one ran may still be going home.
func kept() (n int) {
	stacks := make([]byte, 1<<22)
	for one := range bytes.SplitSeq(stacks[:runtime.Stack(stacks, true)], []byte("\n\n")) {
		head, rest, _ := bytes.Cut(one, []byte("\n"))
		if bytes.Contains(head, []byte("synctest bubble")) && bytes.Contains(rest, []byte("member.(*crew).run(")) {
			n++
		}
	}
	return n
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
