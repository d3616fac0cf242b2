package chat

import (
	"context"
	"fmt"
	"sync"
	"time"

	"flametree/bench/rig"
)

// turnsPerSession is how long a conversation is before the next one begins, so
// that its history is neither empty nor endless.
const turnsPerSession = 10

// timed is what a number of clients measured.
type timed struct {
	millis []float64
	took   time.Duration
	cpu    time.Duration // of the server
}

// turns lets clients talk for a while, each in sessions of its own. Making a
// session is not timed.
func turns(ctx context.Context, server *rig.Child, c *client, clients int, length time.Duration) (timed, error) {
	before, err := rig.CPU(server.PID())
	if err != nil {
		return timed{}, err
	}
	begun := time.Now()
	each := make([][]float64, clients)
	errs := make([]error, clients)
	var work sync.WaitGroup
	for i := range clients {
		work.Go(func() {
			each[i], errs[i] = c.talk(ctx, fmt.Sprintf("client-%d", i), begun.Add(length))
		})
	}
	work.Wait()
	out := timed{took: time.Since(begun)}
	for i := range clients {
		if errs[i] != nil {
			return timed{}, fmt.Errorf("bench chat: client %d: %w", i, errs[i])
		}
		out.millis = append(out.millis, each[i]...)
	}
	after, err := rig.CPU(server.PID())
	out.cpu = after - before
	return out, err
}

func (c *client) talk(ctx context.Context, user string, until time.Time) ([]float64, error) {
	var out []float64
	for time.Now().Before(until) {
		session, err := c.open(ctx, user)
		if err != nil {
			return nil, err
		}
		for range turnsPerSession {
			t := time.Now()
			if err := c.say(ctx, session); err != nil {
				return nil, err
			}
			out = append(out, float64(time.Since(t))/float64(time.Millisecond))
		}
	}
	return out, nil
}
