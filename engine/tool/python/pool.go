package python

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"flametree/engine/fault"
)

// How long an interpreter is used, and how many there may be (spec D6).
const (
	DefaultWorkers  = 64
	DefaultMemoryMB = 256
	maxCalls        = 1000
	maxAge          = 10 * time.Minute
	maxPerGroup     = 8 // of one tenant's version of a group at once
	spareWorkers    = 2
	startTimeout    = 20 * time.Second // of an interpreter and a customer's imports
)

// Options shape a Pool. The zero value runs Python without network, store and
// requirements.
type Options struct {
	Python   string // interpreter below /usr; default /usr/bin/python3
	Bwrap    string // default bwrap, looked up in PATH
	Workers  int    // interpreters that belong to somebody; default 64
	MemoryMB int    // address space of each; default 256, at least 64
	Wheels   string // folder of wheels that requirements are installed from, "" = none
	Index    string // URL of a package index, used where Wheels is ""; "" = none
	Cache    string // folder for installed requirements, "" = they cannot be installed

	// HTTP sends a request that code made. It is where addresses are guarded;
	// nil = code has no network. It is called concurrently.
	HTTP func(context.Context, *http.Request) (*http.Response, error)
	KV   Store        // nil = code has no store
	Log  *slog.Logger // default: nothing is logged
}

// Pool runs Python in sandboxes. It is safe for concurrent use. Close it.
type Pool struct {
	opt     Options
	starter *starter
	life    context.Context
	end     context.CancelFunc
	thread  sync.WaitGroup // of the starter
	tasks   sync.WaitGroup // everything else; all that starts a sandbox is in it
	closing sync.Once
	missing error         // a program that is not there
	install chan struct{} // holds one token: one installation at a time

	mu      sync.Mutex
	verdict error     // why nothing runs; nil once SelfTest passed
	idle    []*worker // belong to somebody, longest unused first
	spares  []*worker // belong to nobody
	owned   int       // interpreters that belong to somebody: idle, busy, starting
	busy    map[identity]int
	open    map[identity]int // runners on it
	coming  int              // spares being started
	changed chan struct{}    // closed when waiting may have become worthwhile
	closed  bool
}

// New makes a Pool, or says everything that is wrong with opt; what the machine
// lacks, SelfTest says. It starts no interpreter: call SelfTest, before which everything that runs fails.
func New(opt Options) (*Pool, error) {
	opt.Python = cmp.Or(opt.Python, "/usr/bin/python3")
	opt.Bwrap = cmp.Or(opt.Bwrap, "bwrap")
	opt.Workers = cmp.Or(opt.Workers, DefaultWorkers)
	opt.MemoryMB = cmp.Or(opt.MemoryMB, DefaultMemoryMB)
	opt.Log = cmp.Or(opt.Log, slog.New(slog.DiscardHandler))
	var errs []error
	if opt.Workers < 1 || opt.Workers > 4096 {
		errs = append(errs, fmt.Errorf("%d workers; 1 to 4096 are allowed", opt.Workers))
	}
	if opt.MemoryMB < 64 || opt.MemoryMB > 64<<10 {
		errs = append(errs, fmt.Errorf("%d MB for a worker; 64 to 65536 are allowed", opt.MemoryMB))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("python pool: %w: %w", fault.Invalid, err)
	}
	p := &Pool{
		opt: opt, starter: &starter{orders: make(chan order)}, install: make(chan struct{}, 1),
		verdict: errors.New("the self-test has not run"),
		busy:    map[identity]int{}, open: map[identity]int{}, changed: make(chan struct{}),
	}
	p.starter.machinery, p.missing = find(opt.Bwrap, opt.Python)
	p.starter.memory = int64(opt.MemoryMB) << 20
	p.life, p.end = context.WithCancel(context.Background())
	p.thread.Go(p.starter.run)
	return p, nil
}

// Ready is nil when code can run, else a fault.Unavailable whose text begins
// with sandbox_unavailable and says why.
func (p *Pool) Ready() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready()
}

// ready is Ready under p.mu.
func (p *Pool) ready() error {
	switch {
	case p.closed:
		return fmt.Errorf("sandbox_unavailable: the pool is closed: %w", fault.Unavailable)
	case p.verdict != nil:
		return fmt.Errorf("sandbox_unavailable: %w: %w", fault.Unavailable, p.verdict)
	}
	return nil
}

// Close ends every interpreter and waits until they are gone. Runs in progress
// fail.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	all := append(p.idle, p.spares...)
	p.idle, p.spares = nil, nil
	p.wake()
	p.mu.Unlock()
	p.end()
	for _, w := range all {
		w.kill()
	}
	p.tasks.Wait()
	p.closing.Do(func() { close(p.starter.orders) })
	p.thread.Wait()
	return nil
}

// wake lets everybody who waits for an interpreter look again. It needs p.mu.
func (p *Pool) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// start starts an interpreter that belongs to nobody. env is its folder of
// packages.
func (p *Pool) start(ctx context.Context, env string) (*worker, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, fmt.Errorf("the pool is closed: %w", fault.Unavailable)
	}
	p.tasks.Add(1) // so that the starter is there until this has ended
	p.mu.Unlock()
	defer p.tasks.Done()
	proc, err := p.starter.start(env)
	if err != nil {
		return nil, err
	}
	w := begun(proc, env, time.Now(), &p.tasks)
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	if err := w.greet(ctx); err != nil {
		return nil, err
	}
	return w, nil
}

// bounded is ctx that also ends with the pool.
func (p *Pool) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	stop := context.AfterFunc(p.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// task runs f, which Close awaits. Where the pool is closed f does not run.
func (p *Pool) task(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.tasks.Go(f)
	}
}

// refill keeps the spares complete, in the background.
func (p *Pool) refill() {
	p.task(func() {
		for p.wanted() {
			w, err := p.start(p.life, "")
			p.mu.Lock()
			p.coming--
			full := err != nil || p.closed
			if !full {
				p.spares = append(p.spares, w)
				p.wake()
			}
			p.mu.Unlock()
			switch {
			case err != nil && p.life.Err() == nil:
				p.opt.Log.Warn("no spare interpreter", "err", err)
				return
			case full:
				if w != nil {
					w.kill()
				}
				return
			}
		}
	})
}

func (p *Pool) wanted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.spares)+p.coming >= spareWorkers {
		return false
	}
	p.coming++
	return true
}

// home is what an interpreter is made from: whose, of which group, with which
// packages. A nil group evaluates expressions.
type home struct {
	identity
	group *Group
	env   string
}

// take gives the caller an interpreter of h: an idle one, a spare or a new one,
// whichever is nearest. Give it back with put.
func (p *Pool) take(ctx context.Context, h home) (*worker, error) {
	for {
		w, wait, err := p.choose(h)
		switch {
		case err != nil:
			return nil, err
		case w != nil && w.of == h.identity:
			return w, nil
		case wait == nil:
			return p.settle(ctx, h, w)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, fmt.Errorf("all interpreters are busy: %w", fault.Exhausted)
		}
	}
}

// choose is one attempt of take: an interpreter, or what to wait for. Neither
// means that one may be started.
func (p *Pool) choose(h home) (w *worker, wait <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ready(); err != nil {
		return nil, nil, err
	}
	for i, w := range slices.Backward(p.idle) { // the one used last is the warmest
		if w.of != h.identity {
			continue
		}
		p.idle = slices.Delete(p.idle, i, i+1)
		if w.dead.Load() {
			p.owned--
			continue
		}
		p.busy[h.identity]++
		return w, nil, nil
	}
	if p.busy[h.identity] >= maxPerGroup || p.owned >= p.opt.Workers && len(p.idle) == 0 {
		return nil, p.changed, nil
	}
	if p.owned >= p.opt.Workers {
		p.idle[0].kill() // unused for longest
		p.idle = slices.Delete(p.idle, 0, 1)
		p.owned--
	}
	p.owned++
	p.busy[h.identity]++
	for h.env == "" && len(p.spares) > 0 {
		w, p.spares = p.spares[0], p.spares[1:]
		if !w.dead.Load() {
			return w, nil, nil
		}
	}
	return nil, nil, nil
}

// settle makes w, or a new interpreter where w is nil, one of h. The place for
// it is already counted.
func (p *Pool) settle(ctx context.Context, h home, w *worker) (_ *worker, err error) {
	defer p.refill()
	defer func() {
		if err != nil {
			p.gone(h.identity)
		}
	}()
	if w == nil {
		if w, err = p.start(ctx, h.env); err != nil {
			return nil, err
		}
	}
	if err := w.adopt(ctx, h.identity, h.group); err != nil {
		w.kill()
		return nil, err
	}
	return w, nil
}

// gone gives back the place of a busy interpreter that is no more.
func (p *Pool) gone(id identity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owned--
	p.unbusy(id)
}

// unbusy needs p.mu.
func (p *Pool) unbusy(id identity) {
	if p.busy[id]--; p.busy[id] == 0 {
		delete(p.busy, id)
	}
	p.wake()
}

// put gives an interpreter back. One that is spent is ended, and replaced if it
// was the last of its group; one that is old serves on until another is ready.
func (p *Pool) put(h home, w *worker) {
	w.calls++
	if w.spent || w.dead.Load() {
		w.kill()
		p.gone(h.identity)
		p.warm(h)
		return
	}
	p.mu.Lock()
	keep := !p.closed && !w.retired && (p.open[h.identity] > 0 || h.group == nil)
	if keep {
		p.idle = append(p.idle, w)
	} else {
		p.owned--
	}
	old := keep && !w.replacing && (w.calls >= maxCalls || time.Since(w.born) > maxAge)
	w.replacing = w.replacing || old
	p.unbusy(h.identity)
	p.mu.Unlock()
	switch {
	case !keep:
		w.kill()
	case old:
		p.replace(h, w)
	}
}

// warm sees to it that h has an interpreter, in the background.
func (p *Pool) warm(h home) {
	p.task(func() {
		p.mu.Lock()
		has := p.busy[h.identity] > 0 || p.open[h.identity] == 0 ||
			slices.ContainsFunc(p.idle, func(w *worker) bool { return w.of == h.identity })
		p.mu.Unlock()
		if has {
			return
		}
		ctx, cancel := p.bounded(p.life)
		defer cancel()
		w, err := p.take(ctx, h)
		if err != nil {
			if p.life.Err() == nil {
				p.opt.Log.Warn("interpreter not replaced", "tenant", h.tenant, "err", err)
			}
			return
		}
		p.put(h, w)
	})
}

// replace makes a new interpreter of h in the background and then ends old.
func (p *Pool) replace(h home, old *worker) {
	p.task(func() {
		ctx, cancel := p.bounded(p.life)
		defer cancel()
		w, err := p.start(ctx, h.env)
		if err == nil {
			err = w.adopt(ctx, h.identity, h.group)
		}
		switch {
		case err == nil && p.swap(old, w):
			return
		case err != nil && p.life.Err() == nil:
			p.opt.Log.Warn("old interpreter not replaced", "tenant", h.tenant, "err", err)
		}
		if w != nil {
			w.kill()
		}
	})
}

// swap puts w in the place of old, which ends now, or when its call does. It
// reports false where old is gone anyway and w is not needed.
func (p *Pool) swap(old, w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.idle, old)
	switch {
	case p.closed || i < 0 && old.dead.Load():
		return false
	case i >= 0:
		p.idle[i] = w
		old.kill()
	default:
		old.retired = true
		p.idle = append(p.idle, w)
		p.owned++
	}
	p.wake()
	return true
}
