package realtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// Options of a Call. Hears and Speaks are the agent's ordinary ones.
type Options struct {
	Model    Model
	Hears    provider.Transcriber
	Speaks   provider.Synthesizer
	Language string
	// First is how long a reply may take to begin, 0 = 2.5 s; Silent how long the
	// caller's words may take after a pause, and the rest of a reply that began: 0 = 3 s.
	First, Silent time.Duration
	// Told hears of trouble, from any goroutine; nil = nobody does.
	Told func(err error)
	// Lost hears that the call goes on without the vendor, from any goroutine; it
	// must not call back. nil = nobody does.
	Lost func()
}

// The bounds of a Call.
const (
	maxLines  = 2                       // broken connections before it is given up
	preroll   = HearHz / 2              // samples before the voice was noticed
	utterance = 30 * HearHz             // samples of one turn that are kept for another connection
	maxSound  = 120 * SoundHz           // samples of one reply
	soundIn   = 1500 * time.Millisecond // for a clause whose words are there
)

// Call is one call with a model that hears and speaks. Its methods may be called
// from any goroutine and do not wait for the vendor; what they start ends with
// Close.
type Call struct {
	o    Options
	life context.Context // of what it starts
	end  context.CancelFunc
	work sync.WaitGroup

	mu    sync.Mutex
	wake  chan struct{} // closed whenever something changed
	lost  error         // it goes on without the vendor
	fails int
	seed  *Seed // what a connection would begin with; nil = not known yet
	link  *link
	tidy  bool // the vendor leaves: connect anew when nobody speaks

	told  []provider.Message // what the vendor's memory was last brought in line with
	own   []*reply           // the vendor's, since then
	heard string             // of the caller, since then

	volatile string // what was told with the last reply besides the brief

	ears    *ears
	early   []int16 // before the voice
	voiced  bool
	hot     bool    // the next sound is speech that is heard again
	turn    []int16 // the caller's, since the last reply
	commits int     // of turn, not settled yet

	mouth   *mouth
	replies []*reply // whose words may still become clauses
	now     *reply   // being made
	pace    float64  // samples of a letter
}

// link is one connection, perhaps not open yet.
type link struct {
	end  context.CancelFunc
	out  []Command // to be sent
	line Line
}

// NewCall makes a call; nothing is connected before it was primed.
func NewCall(o Options) *Call {
	if o.First <= 0 {
		o.First = 2500 * time.Millisecond
	}
	if o.Silent <= 0 {
		o.Silent = 3 * time.Second
	}
	if o.Told == nil {
		o.Told = func(error) {}
	}
	c := &Call{o: o, wake: make(chan struct{}), pace: usualPace}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// Close ends the call's connections and waits for what it started.
func (c *Call) Close() {
	c.end()
	c.mu.Lock()
	c.drop()
	c.mu.Unlock()
	c.work.Wait()
}

// Live reports whether the call still goes on with the vendor.
func (c *Call) Live() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost == nil
}

// Voice says that the caller began to speak.
func (c *Call) Voice() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin()
}

// begin opens the way for the caller's sound; what came just before belongs to it.
func (c *Call) begin() {
	if c.voiced {
		return
	}
	c.voiced = true
	pcm := c.early
	c.early = nil
	c.send(Hear{PCM: pcm})
	c.keep(pcm)
}

func (c *Call) keep(pcm []int16) {
	if len(c.turn)+len(pcm) <= utterance {
		c.turn = append(c.turn, pcm...)
	}
}

// Prime says what the next turn will be asked with, so that the vendor is told
// while nobody waits for it.
func (c *Call) Prime(r provider.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost == nil && c.life.Err() == nil {
		c.align(r)
	}
}

// changed wakes who waits; mu is held.
func (c *Call) changed() {
	close(c.wake)
	c.wake = make(chan struct{})
}

// send queues a command; mu is held.
func (c *Call) send(cmd Command) {
	if c.link == nil || c.lost != nil {
		return
	}
	c.link.out = append(c.link.out, cmd)
	c.changed()
}

// connect opens a line that begins with s; what the caller is saying is said
// again on it. mu is held.
func (c *Call) connect(s Seed) {
	c.drop()
	s.Language = c.o.Language
	ctx, cancel := context.WithCancel(c.life)
	l := &link{end: cancel}
	c.link, c.seed, c.told, c.own, c.heard, c.tidy = l, &s, s.Messages, nil, "", false
	c.volatile = ""
	c.sayAgain(l)
	c.work.Go(func() { c.serve(ctx, l, s) })
}

// sayAgain gives a new connection what the caller said since the last reply.
func (c *Call) sayAgain(l *link) {
	if len(c.turn) > 0 && (c.voiced || c.commits > 0) {
		l.out = append(l.out, Hear{PCM: append([]int16(nil), c.turn...)})
	}
	if c.commits == 0 {
		return
	}
	left := 0
	if len(c.turn) > 0 {
		l.out = append(l.out, Commit{})
		left = 1
	}
	c.commits = left
	if c.ears != nil {
		c.ears.settleAllBut(left)
	}
}

// drop ends the connection there is; mu is held.
func (c *Call) drop() {
	if l := c.link; l != nil {
		c.link = nil
		l.end()
		if l.line != nil {
			l.line.Close()
		}
		c.changed()
	}
}

// serve runs one connection: it is opened, written to and read from.
func (c *Call) serve(ctx context.Context, l *link, s Seed) {
	defer l.end()
	line, err := c.o.Model.Open(ctx, s)
	if err != nil {
		c.broke(l, err)
		return
	}
	defer line.Close()
	c.mu.Lock()
	l.line = line
	if c.link != l {
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	var writing sync.WaitGroup
	writing.Go(func() { c.write(ctx, l) })
	err = c.read(l)
	l.end()
	line.Close()
	writing.Wait()
	c.broke(l, err)
}

// write sends what is queued until the connection ends.
func (c *Call) write(ctx context.Context, l *link) {
	for {
		c.mu.Lock()
		out, wake := l.out, c.wake
		l.out = nil
		c.mu.Unlock()
		for _, cmd := range out {
			if l.line.Do(cmd) != nil { // the reader says why
				l.line.Close()
				return
			}
		}
		if len(out) > 0 {
			continue
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}

func (c *Call) read(l *link) error {
	for e, err := range l.line.Events() {
		if err != nil {
			return err
		}
		c.mu.Lock()
		if c.link == l {
			c.take(e)
		}
		c.mu.Unlock()
	}
	return fmt.Errorf("the vendor ended the connection: %w", fault.Unavailable)
}

// broke takes in the end of a connection.
func (c *Call) broke(l *link, err error) {
	c.mu.Lock()
	if c.link != l || c.life.Err() != nil {
		c.mu.Unlock()
		return // it was ended by us
	}
	c.fail(err)
	c.mu.Unlock()
	c.o.Told(err)
}

// fail gives up the connection, and the vendor when it refuses or fails again.
// Who waits for something is told. mu is held.
func (c *Call) fail(err error) {
	c.drop()
	c.fails++
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Cancelled:
	default:
		c.fails = maxLines
	}
	if c.fails >= maxLines && c.lost == nil {
		if c.lost = err; c.o.Lost != nil {
			c.o.Lost()
		}
	}
	if r := c.now; r != nil {
		r.fail(err)
		c.now = nil
	}
	if c.ears != nil {
		c.ears.broken(err)
		c.ears = nil
	}
	c.commits, c.heard = 0, ""
	c.changed()
}

// take takes in what the vendor said; mu is held.
func (c *Call) take(e Event) {
	switch e.Kind {
	case Heard:
		if c.ears != nil {
			c.ears.partial(e.Text)
		}
	case Settled:
		c.settled(e.Text)
	case Text, Sound, Wish, Done:
		if c.now != nil {
			c.learn(c.now, e)
		}
	case Leaving:
		c.tidy = true
	}
	c.changed()
}

func (c *Call) settled(text string) {
	if c.commits > 0 {
		c.commits--
	}
	c.heard = join(c.heard, text)
	if c.ears != nil {
		c.ears.final(text)
	}
}

// learn takes in a piece of the reply that is being made.
func (c *Call) learn(r *reply, e Event) {
	if e.Item != "" && r.item == "" && e.Kind != Wish {
		r.item = e.Item
	}
	r.last = time.Now()
	switch e.Kind {
	case Text:
		r.text += e.Text
		r.deltas = append(r.deltas, provider.Delta{Text: e.Text})
	case Sound:
		if len(r.pcm)+len(e.PCM) <= maxSound {
			r.pcm = append(r.pcm, e.PCM...)
		}
	case Wish:
		call := e.Call
		r.calls = append(r.calls, call.ID)
		r.deltas = append(r.deltas, provider.Delta{Call: &call})
	case Done:
		c.finished(r, e)
	case Heard, Settled, Leaving:
	}
}

func (c *Call) finished(r *reply, e Event) {
	r.done = true
	c.now = nil
	if n := letters(r.text); n >= 20 && len(r.pcm) > 0 { // too little says nothing about the voice
		c.pace = 0.7*c.pace + 0.3*float64(len(r.pcm))/float64(n)
	}
	if e.Usage != (provider.Usage{}) {
		r.deltas = append(r.deltas, provider.Delta{Usage: &e.Usage})
	}
	finish := provider.FinishStop
	switch {
	case len(r.calls) > 0:
		finish = provider.FinishTools
	case e.Limit:
		finish = provider.FinishLimit
	}
	r.deltas = append(r.deltas, provider.Delta{Finish: finish})
}

// silence is the error for a vendor that says nothing.
func (c *Call) silence(what string) error {
	vendor, _ := c.o.Model.About()
	return fmt.Errorf("%s: %s: %w", vendor, what, fault.Unavailable)
}

// canceled reports whether an error only says that we ended something.
func canceled(err error) bool {
	return errors.Is(err, fault.Cancelled) || errors.Is(err, context.Canceled)
}
