package actors

import (
	"context"
	"log/slog"
	"time"

	"flametree/engine/event"
	"flametree/persist/journal"
)

// Clerk reads the Due rows of the journal and wakes the actors they are for.
// A row stays until the actor's own batch marks it done, so an actor that
// failed is woken again; waking one twice is harmless.
type Clerk struct {
	Journal journal.Journal
	Dir     Directory
	Every   time.Duration // between looks; default 250 ms
	Again   time.Duration // before a row that was not done is delivered again; default 5 s
	Log     *slog.Logger
}

// Run works until ctx ends.
func (c Clerk) Run(ctx context.Context) {
	if c.Every == 0 {
		c.Every = 250 * time.Millisecond
	}
	if c.Again == 0 {
		c.Again = 5 * time.Second
	}
	told := make(map[key]time.Time)
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	for {
		c.look(ctx, time.Now(), told)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

type key struct {
	stream event.Stream
	id     journal.DueID
	at     int64 // a timer that was set anew is another one
}

func (c Clerk) look(ctx context.Context, now time.Time, told map[key]time.Time) {
	rows, err := c.Journal.Due(ctx, now, 1000)
	if err != nil {
		if ctx.Err() == nil {
			c.Log.Error("due rows not read", "err", err)
		}
		return
	}
	for k, at := range told {
		if now.Sub(at) > c.Again {
			delete(told, k)
		}
	}
	for _, d := range rows {
		k := key{stream: d.Stream, id: d.ID, at: d.At.UnixNano()}
		if _, recently := told[k]; recently {
			continue
		}
		told[k] = now
		to := ID{Kind: d.Stream.Kind, Tenant: d.Stream.Tenant, Name: d.Stream.ID}
		if err := c.Dir.Send(to, &TimerDue{ID: string(d.ID), Kind: d.Kind, Data: d.Data}); err != nil {
			c.Log.Warn("timer not delivered", "err", err, "kind", d.Kind)
		}
	}
}
