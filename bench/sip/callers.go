package sip

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"flametree/engine/fault"
)

// CallersName is the child that calls.
const CallersName = "__sip_callers"

// plan is what the callers are told: one line.
type plan struct {
	Target  string        `json:"target"` // address:port
	User    string        `json:"user"`
	Rate    float64       `json:"rate"` // calls a second
	Calls   int           `json:"calls"`
	Hold    time.Duration `json:"hold"` // from the ACK to the BYE
	Sockets int           `json:"sockets"`
}

// tally is what the callers saw.
type tally struct {
	Completed int            `json:"completed"` // calls that were answered and whose BYE was
	Failed    int            `json:"failed"`
	Faults    map[string]int `json:"faults,omitempty"` // why, each with its number
	Repeated  int            `json:"repeated"`         // requests that were sent again
	Setup     []float64      `json:"setup"`            // INVITE to 200, in milliseconds
	Late      []float64      `json:"late"`             // how late INVITEs went out, in milliseconds
	Most      int            `json:"most"`             // calls at once
	Took      time.Duration  `json:"took"`
}

// Callers is the calling child: it reads a plan, makes the calls and tells a tally.
func Callers(ctx context.Context, in io.Reader, out io.Writer) error {
	var p plan
	if err := json.NewDecoder(in).Decode(&p); err != nil {
		return fmt.Errorf("callers: %w: %w", fault.Invalid, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { _, _ = io.Copy(io.Discard, in); cancel() }() // whoever started us is gone; ends with the process
	t, err := p.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(t)
}

// crowd is all the callers.
type crowd struct {
	plan    plan
	sockets []*socket

	mu    sync.Mutex // guards what follows
	live  int
	tally tally
}

// mostFaults bounds the kinds of failures that are told apart.
const mostFaults = 20

func (p plan) run(ctx context.Context) (tally, error) {
	at, err := netip.ParseAddrPort(p.Target)
	if err != nil || p.Rate <= 0 || p.Calls < 1 || p.Sockets < 1 || p.Sockets > 200 {
		return tally{}, fmt.Errorf("callers: a target, a rate, calls and 1 to 200 sockets are wanted: %w", fault.Invalid)
	}
	c := &crowd{plan: p, tally: tally{Faults: map[string]int{}}}
	defer func() {
		for _, s := range c.sockets {
			s.close()
		}
	}()
	for i := range p.Sockets {
		s, err := open(at, i)
		if err != nil {
			return tally{}, err
		}
		c.sockets = append(c.sockets, s)
	}
	begun := time.Now()
	var calls sync.WaitGroup
	for i := range p.Calls {
		due := begun.Add(time.Duration(float64(i) / p.Rate * float64(time.Second)))
		if !until(ctx, due) {
			break
		}
		s, late := c.sockets[i%p.Sockets], time.Since(due)
		calls.Go(func() { c.one(ctx, s, i, late) })
	}
	calls.Wait()
	c.tally.Took = time.Since(begun)
	return c.tally, ctx.Err()
}

// until reports false when ctx ended first.
func until(ctx context.Context, due time.Time) bool {
	d := time.Until(due)
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// one makes one call and counts what became of it.
func (c *crowd) one(ctx context.Context, s *socket, i int, late time.Duration) {
	c.mu.Lock()
	c.live++
	c.tally.Most = max(c.tally.Most, c.live)
	c.mu.Unlock()
	k := newCall(s, c.plan, i)
	err := k.run(ctx)
	s.drop(k.id)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live--
	c.tally.Repeated += k.repeated
	c.tally.Late = append(c.tally.Late, millis(late))
	if err != nil {
		c.tally.Failed++
		text := err.Error()
		if _, known := c.tally.Faults[text]; known || len(c.tally.Faults) < mostFaults {
			c.tally.Faults[text]++
		}
		return
	}
	c.tally.Completed++
	c.tally.Setup = append(c.tally.Setup, millis(k.setup))
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
