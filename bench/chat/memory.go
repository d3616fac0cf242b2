package chat

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"flametree/bench/rig"
)

// Weighing sessions: so many are made before the scales are set to zero, and so
// many clients make them.
const (
	warmUp  = 500
	writers = 32
)

// The times after which a session leaves memory: never, and at once.
const (
	awake  = 6 * time.Hour
	asleep = time.Second
)

// weight is what idle sessions take.
type weight struct {
	bytes float64 // of one session, heap and stacks
	rss   float64 // of one session
}

// weigh makes sessions of one turn each and sees how much memory the server
// then holds. With idle short it waits until they have left.
func weigh(ctx context.Context, sessions int, idle time.Duration) (w weight, err error) {
	dir, err := os.MkdirTemp("", "bench-chat-")
	if err != nil {
		return w, fmt.Errorf("bench chat: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server, ready, err := start(ctx, dir, idle)
	if err != nil {
		return w, err
	}
	defer func() {
		if e := server.End(); err == nil {
			err = e
		}
	}()
	c, err := newClient(ready, writers)
	if err != nil {
		return w, err
	}
	before, rssBefore, err := fill(ctx, server, c, warmUp, idle)
	if err != nil {
		return w, err
	}
	after, rssAfter, err := fill(ctx, server, c, sessions, idle)
	if err != nil {
		return w, err
	}
	n := float64(sessions)
	return weight{bytes: (float64(after) - float64(before)) / n, rss: float64(rssAfter-rssBefore) / n}, nil
}

// fill makes sessions and says what the server holds when it has come to rest.
func fill(ctx context.Context, server *rig.Child, c *client, sessions int, idle time.Duration) (heap uint64, rss int64, err error) {
	if err := c.fill(ctx, sessions); err != nil {
		return 0, 0, err
	}
	c.close()
	if heap, err = rest(ctx, server, idle); err != nil {
		return 0, 0, err
	}
	rss, err = rig.RSS(server.PID())
	return heap, rss, err
}

func (c *client) fill(ctx context.Context, sessions int) error {
	var next atomic.Int64
	var once sync.Once
	var failed error
	var work sync.WaitGroup
	for range writers {
		work.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(sessions) {
					return
				}
				id, err := c.open(ctx, fmt.Sprintf("customer-%d", n))
				if err == nil {
					err = c.say(ctx, id)
				}
				if err != nil {
					once.Do(func() { failed = fmt.Errorf("bench chat: session %d: %w", n, err) })
					return
				}
			}
		})
	}
	work.Wait()
	return failed
}

// rest waits until the heap changes no more: sessions fall asleep one by one.
func rest(ctx context.Context, server *rig.Child, idle time.Duration) (uint64, error) {
	const (
		look     = 500 * time.Millisecond
		same     = 0.005 // of the last look
		inARow   = 4
		patience = 120
	)
	var last rig.Heap
	calm := 0
	for n := range patience {
		if err := server.Tell(rig.Wish{Heap: true}); err != nil {
			return 0, err
		}
		var now rig.Heap
		if err := server.Hear(&now); err != nil {
			return 0, err
		}
		change := float64(now.Bytes) - float64(last.Bytes)
		last = now
		if calm++; change > same*float64(now.Bytes) || -change > same*float64(now.Bytes) {
			calm = 0
		}
		if calm >= inARow && (idle == awake || time.Duration(n)*look > 3*idle) {
			break
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(look):
		}
	}
	return last.Bytes, nil
}
