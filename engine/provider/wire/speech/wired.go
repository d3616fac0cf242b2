package speech

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider/wire"
)

// Script is one vendor's way to have clauses spoken over a socket. It is used by
// one goroutine at a time.
type Script interface {
	// Hello begins a socket.
	Hello() []wire.Frame
	// Say has clause n rendered; n counts up on one voice.
	Say(n uint64, text string) []wire.Frame
	// Stop ends clause n before its time.
	Stop(n uint64) []wire.Frame
	// Read understands one message. Its error has a kind and ends the voice.
	Read(s *wire.Socket, f wire.Frame) (Piece, error)
	// Bye ends a socket.
	Bye() []wire.Frame
}

// Piece is what one message says. The zero Piece says nothing.
type Piece struct {
	Sound
	Of      uint64 // the clause; 0 = the one that was asked for last
	End     bool   // the clause is whole
	Stopped bool   // all before the last Stop is over, for vendors that say so
}

// Wired renders over a socket.
type Wired struct {
	Vendor string
	Dial   func(ctx context.Context) (*wire.Socket, error)
	Script Script
	// Confirms says that the vendor names no clauses and ends a Stop with a message:
	// all that comes until then belongs to what was stopped.
	Confirms bool
	Idle     time.Duration // most time between two messages of a clause; 0 = 5 s
	// Most clauses in Per are taken on one socket; then it is a new one's turn. 0 = any.
	Most int
	Per  time.Duration

	line  *line
	n     uint64
	stops int         // that were not confirmed yet
	times []time.Time // of the last Most clauses on this socket
}

// line is one socket and the goroutine that reads it.
type line struct {
	socket *wire.Socket
	in     chan message
	stop   chan struct{}
	wg     sync.WaitGroup
}

type message struct {
	f   wire.Frame
	err error
}

// Open connects, so that the first clause need not wait for it.
func (w *Wired) Open(ctx context.Context) error {
	s, err := w.Dial(ctx)
	if err != nil {
		return err
	}
	l := &line{socket: s, in: make(chan message, 64), stop: make(chan struct{})}
	l.wg.Go(l.read)
	w.line, w.stops = l, 0
	return w.post(w.Script.Hello())
}

func (l *line) read() {
	for {
		f, err := l.socket.Read()
		select {
		case l.in <- message{f: f, err: err}:
		case <-l.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

func (l *line) close() {
	close(l.stop)
	l.socket.Close()
	l.wg.Wait()
}

func (w *Wired) post(all []wire.Frame) error {
	for _, f := range all {
		if err := w.line.socket.Send(f); err != nil {
			return err
		}
	}
	return nil
}

// Render implements Renderer. A socket that the vendor closed while nothing was
// said is opened again, once.
func (w *Wired) Render(ctx context.Context, text string, emit func(Sound) error) error {
	w.n++
	w.renew()
	fresh := w.line == nil
	for {
		err := w.connected(ctx)
		begun := false
		if err == nil {
			err = w.say(ctx, text, func(s Sound) error {
				begun = true
				return emit(s)
			})
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w", fault.Cancelled, ctx.Err())
		case err == nil:
			return nil
		}
		w.drop()
		if begun || fresh || !errors.Is(err, errGone) {
			return err
		}
		fresh = true
	}
}

// renew gives a socket up that may not take another clause yet.
func (w *Wired) renew() {
	if w.Most == 0 {
		return
	}
	now := time.Now()
	if w.line != nil && len(w.times) == w.Most && now.Sub(w.times[0]) < w.Per {
		w.drop()
	}
	if w.line == nil {
		w.times = nil
	}
	if w.times = append(w.times, now); len(w.times) > w.Most {
		w.times = w.times[1:]
	}
}

// errGone marks a socket that ended without a word about why.
var errGone = fmt.Errorf("the socket is gone: %w", fault.Unavailable)

func (w *Wired) connected(ctx context.Context) error {
	if w.line != nil {
		return nil
	}
	return w.Open(ctx)
}

func (w *Wired) say(ctx context.Context, text string, emit func(Sound) error) error {
	if err := w.post(w.Script.Say(w.n, text)); err != nil {
		return w.reason(err)
	}
	idle := time.NewTimer(orElse(w.Idle, 5*time.Second))
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return w.halt(ctx)
		case <-idle.C:
			return fmt.Errorf("%s: no sound came for too long: %w", w.Vendor, fault.Unavailable)
		case m := <-w.line.in:
			p, err := w.read(m)
			if err != nil {
				return err
			}
			if p == nil {
				continue
			}
			idle.Reset(orElse(w.Idle, 5*time.Second))
			if err := w.pass(ctx, p, emit); err != nil || p.End {
				return err
			}
		}
	}
}

// pass gives on what a piece holds.
func (w *Wired) pass(ctx context.Context, p *Piece, emit func(Sound) error) error {
	if len(p.PCM) == 0 && len(p.Words) == 0 && !p.Timed {
		return nil
	}
	err := emit(p.Sound)
	if err != nil && ctx.Err() != nil {
		return w.halt(ctx)
	}
	return err
}

// reason is what the vendor said before its socket took nothing any more, if it
// said why.
func (w *Wired) reason(err error) error {
	t := time.NewTimer(parting)
	defer t.Stop()
	for {
		select {
		case m := <-w.line.in:
			if _, said := w.read(m); said != nil {
				return said
			}
		case <-t.C:
			return fmt.Errorf("%w: %w", errGone, err)
		}
	}
}

// halt stops a clause that nobody wants any more.
func (w *Wired) halt(ctx context.Context) error {
	if err := w.post(w.Script.Stop(w.n)); err != nil {
		w.drop()
	} else if w.Confirms {
		w.stops++
	}
	return fmt.Errorf("%w: %w", fault.Cancelled, ctx.Err())
}

// read understands a message; nil = it is not about the clause that is wanted.
func (w *Wired) read(m message) (*Piece, error) {
	switch {
	case errors.Is(m.err, io.EOF):
		return nil, fmt.Errorf("%s: the voice hung up: %w", w.Vendor, errGone)
	case m.err != nil && fault.KindOf(m.err) == fault.Unavailable:
		return nil, fmt.Errorf("%w: %w", errGone, m.err)
	case m.err != nil:
		return nil, m.err
	}
	p, err := w.Script.Read(w.line.socket, m.f)
	if err != nil {
		return nil, err
	}
	if p.Stopped && w.stops > 0 {
		w.stops--
		return nil, nil
	}
	if w.stops > 0 || p.Of != 0 && p.Of != w.n {
		return nil, nil
	}
	return &p, nil
}

// drop gives the socket up.
func (w *Wired) drop() {
	if w.line != nil {
		w.line.close()
		w.line = nil
	}
}

// Close implements Renderer.
func (w *Wired) Close() {
	if w.line == nil {
		return
	}
	_ = w.post(w.Script.Bye()) // a courtesy
	w.drop()
}
