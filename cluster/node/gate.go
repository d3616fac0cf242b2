package node

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flametree/engine/fault"
	"flametree/media/pacer"
	"flametree/media/rtp"
	"flametree/media/sip"
)

// gate admits calls of every kind by measured lateness, not by a guess of how
// many fit, and owns the pacer and the reader that they share. Its methods may be called
// from any goroutine.
type gate struct {
	n        *Node
	rejected *prometheus.CounterVec

	making sync.Mutex // guards what follows
	paces  *pacer.Wheel
	reads  *rtp.Reader
	closed bool

	mu     sync.Mutex // guards what follows
	ending bool       // the process is: no call is taken or placed
	watch  pacer.Watch
}

func newGate(n *Node) *gate {
	g := &gate{
		n: n, watch: pacer.Watch{Limit: n.cfg.PacerLate},
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flametree_voice_calls_rejected_total", Help: "Calls that were not answered, by kind of reason.",
		}, []string{"reason"}),
	}
	n.reg.MustRegister(g.rejected)
	g.meter()
	return g
}

// wheel is the pacer, made when it is first asked for. Real-time priority is had
// where the system grants it.
func (g *gate) wheel() *pacer.Wheel {
	g.making.Lock()
	defer g.making.Unlock()
	if g.paces == nil && !g.closed {
		g.paces = pacer.New(PacerOptions())
	}
	return g.paces
}

// reader reads the sockets of calls from telephones, made when it is first asked
// for; nil where the system has none: then each socket has its goroutine.
func (g *gate) reader() *rtp.Reader {
	g.making.Lock()
	defer g.making.Unlock()
	if g.reads == nil && !g.closed {
		var err error
		if g.reads, err = rtp.NewReader(ReaderOptions()); err != nil {
			g.n.log.Warn("each socket of a call is read by itself", "err", err)
		}
	}
	return g.reads
}

// made is the pacer, nil before there was any call.
func (g *gate) made() *pacer.Wheel {
	g.making.Lock()
	defer g.making.Unlock()
	return g.paces
}

// meter shows whether calls are taken, and how the pacer's threads are scheduled.
func (g *gate) meter() {
	open := func() float64 {
		if g.room() == nil {
			return 1
		}
		return 0
	}
	hurried := func() float64 {
		if w := g.made(); w != nil && w.RealTime() {
			return 1
		}
		return 0
	}
	for _, m := range []struct {
		name, help string
		of         func() float64
	}{
		{"flametree_voice_admission_open", "1 while new calls are taken, 0 while they are refused.", open},
		{"flametree_voice_pacer_real_time", "1 when every thread of the pacer has real-time priority.", hurried},
	} {
		g.n.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: m.name, Help: m.help}, m.of))
	}
}

// shut has every call refused from now on.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ending = true
}

// close stops the pacer and the reader: no leg may be left.
func (g *gate) close() error {
	g.making.Lock()
	defer g.making.Unlock()
	g.closed = true
	var errs []error
	if g.reads != nil {
		errs = append(errs, g.reads.Close())
	}
	if g.paces != nil {
		errs = append(errs, g.paces.Close())
	}
	return errors.Join(errs...)
}

// reject counts a call that was not taken, by the kind of the reason.
func (g *gate) reject(err error) { g.rejected.WithLabelValues(string(fault.KindOf(err))).Inc() }

// fewCalls are always taken: packets that are late with so few calls are late
// because of somebody else's work, and refusing a call would not help.
const fewCalls = 10

// room reports why no call can be taken now, nil when one can.
func (g *gate) room() error {
	if g.n.phone != nil {
		return g.n.phone.room()
	}
	return g.full(g.n.browsers.live())
}

// full is room, with so many calls running. It is asked for every call, so it
// must not cost more with more calls. Its errors are *sip.RetryAfter.
func (g *gate) full(running int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.n
	if g.ending {
		return &sip.RetryAfter{Err: fmt.Errorf("the server is ending: %w", fault.Unavailable), After: 30 * time.Second}
	}
	if most := n.cfg.MaxCalls; most > 0 && running >= most {
		return &sip.RetryAfter{Err: fmt.Errorf("%d calls are running: %w", most, fault.Unavailable), After: 30 * time.Second}
	}
	if late, tooLate := g.late(); tooLate && running >= fewCalls {
		return &sip.RetryAfter{Err: fmt.Errorf("packets are %v late: %w", late, fault.Unavailable), After: 10 * time.Second}
	}
	if n.journal.LowOnSpace() {
		return &sip.RetryAfter{Err: fmt.Errorf("disk is nearly full: %w", fault.Unavailable), After: time.Minute}
	}
	return nil
}

// late reports how late packets are, and whether that is too late for more
// calls. The mutex is held.
func (g *gate) late() (late time.Duration, tooLate bool) {
	late = g.lateness()
	tooLate, changed := g.watch.Look(time.Now(), late)
	switch {
	case changed && tooLate:
		g.n.log.Warn("packets are late: new calls are refused", "late_ms", millisOf(late), "limit_ms", millisOf(g.watch.Limit))
	case changed:
		g.n.log.Info("packets are in time again: new calls are taken", "late_ms", millisOf(late))
	}
	return late, tooLate
}

// lateness is how late packets were in the last seconds, p99.
func (g *gate) lateness() time.Duration {
	w := g.made()
	if w == nil {
		return 0
	}
	_, late := w.Late()
	return late
}

func millisOf(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
