package actorstest

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"flametree/actors"
)

// Monitor implements actors.Monitoring: a phone notes what it is given to hear.
func (x *Exchange) Monitor(to actors.Leg, rateHz int) (sink func(left, right []int16), stop func()) {
	x.Trace.Add(fmt.Sprintf("monitor at %d", rateHz))
	p, ok := to.(*Phone)
	if !ok {
		return func(_, _ []int16) {}, func() {}
	}
	var once sync.Once
	return p.overheard.frame, func() { once.Do(func() { x.Trace.Add("monitor ends") }) }
}

var _ actors.Monitoring = (*Exchange)(nil)

// Overheard counts what somebody who listens is given. It is safe for concurrent use.
type Overheard struct {
	mu          sync.Mutex
	Frames      int
	Left, Right int // frames of them with sound
}

func loud(frame []int16) bool {
	for _, v := range frame {
		if v != 0 {
			return true
		}
	}
	return false
}

func (o *Overheard) frame(left, right []int16) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Frames++
	if loud(left) {
		o.Left++
	}
	if loud(right) {
		o.Right++
	}
}

// Take is what actors.Listen wants as its Sink.
func (o *Overheard) Take(left, right []int16) { o.frame(left, right) }

// Count gives the counters so far and begins anew.
func (o *Overheard) Count() (frames, left, right int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	frames, left, right = o.Frames, o.Left, o.Right
	o.Frames, o.Left, o.Right = 0, 0, 0
	return frames, left, right
}

// Overheard is what the phone was given to hear of another call.
func (p *Phone) Overheard() *Overheard { return &p.overheard }

// Tap implements actors.Tapped: each frame that comes in is a packet of one byte.
func (p *Phone) Tap(take func(actors.Packet)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tap = take
}

func (p *Phone) tapped(now time.Time) {
	if p.tap != nil {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 4000)
		p.tap(actors.Packet{At: now, From: at, To: at, Raw: []byte{0x80}})
	}
}

// Signalled notes messages of the line, which it then tells as its signalling.
func (l *Line) Signalled(all ...actors.Signal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.signals = append(l.signals, all...)
}

// Signals implements actors.Signalling.
func (l *Line) Signals() []actors.Signal {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]actors.Signal(nil), l.signals...)
}

// Archive keeps the signalling of calls in memory. It implements actors.Archive.
type Archive struct {
	mu   sync.Mutex
	kept map[string][]byte // by call, as JSON
}

// KeepSignals implements actors.Archive.
func (a *Archive) KeepSignals(_ context.Context, of actors.ID, _ string, ladder []byte) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept == nil {
		a.kept = map[string][]byte{}
	}
	a.kept[of.Name] = bytes.Clone(ladder)
	return "kept/" + of.Name, nil
}

// Kept is the ladder that was kept of a call, JSON; nil = none was.
func (a *Archive) Kept(call string) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept[call]
}

// Recorded reports whether anybody takes what the leg records.
func (p *Phone) Recorded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rec != nil
}
