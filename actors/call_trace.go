package actors

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"flametree/engine/event"
)

// Signal is one message of a call's signalling.
type Signal struct {
	At        time.Time      `json:"at"`
	Out       bool           `json:"out"` // we sent it
	Transport string         `json:"transport"`
	From      netip.AddrPort `json:"from"`
	To        netip.AddrPort `json:"to"`
	Text      string         `json:"text"`              // the whole message, credentials masked
	Dropped   int            `json:"dropped,omitempty"` // that many before it were not kept
}

// Signalling is a Line, or the error of a Dialler, that remembers its messages.
// Signals may be called from any goroutine, also after the call has ended.
type Signalling interface{ Signals() []Signal }

// Archive keeps what was signalled on a call, sealed for its person.
type Archive interface {
	KeepSignals(ctx context.Context, of ID, subject string, all []Signal) (blob string, err error)
}

// trail is the signalling of some lines, and what is left of others.
type trail struct {
	lines []Line
	lost  []Signal
}

// signalling is that of all who were ever on the call.
func (c *Call) signalling() trail {
	w := trail{lines: slices.Clone(c.watch.lines), lost: slices.Clone(c.watch.lost)}
	if c.line != nil {
		w.lines = append(w.lines, c.line)
	}
	return w
}

// all are the messages so far, in order of time.
func (w trail) all() []Signal {
	out := slices.Clone(w.lost)
	for _, l := range w.lines {
		if s, ok := l.(Signalling); ok {
			out = append(out, s.Signals()...)
		}
	}
	slices.SortStableFunc(out, func(a, b Signal) int { return a.At.Compare(b.At) })
	return out
}

// signalled is what a call that came to nothing remembers.
func signalled(err error) []Signal {
	if s, ok := errors.AsType[interface {
		error
		Signalling
	}](err); ok {
		return s.Signals()
	}
	return nil
}

// lastWords is how long the end of a call waits for the answers to its BYEs: one
// that was lost is repeated after half a second.
const lastWords = time.Second

// whole waits for the last of the signalling.
func (w trail) whole() []Signal {
	late := time.NewTimer(lastWords)
	defer late.Stop()
	over := false
	for _, l := range w.lines {
		g, ok := l.(interface{ Gone() <-chan struct{} })
		if !ok || over {
			continue
		}
		select {
		case <-g.Gone():
		case <-late.C:
			over = true
		}
	}
	return w.all()
}

// ending keeps the signalling of a call and ends its captures, outside of the
// actor. false when nothing was kept.
func (c *Call) ending(ctx context.Context, w trail, captures []*Capture) (event.CallTraced, bool) {
	all := w.whole()
	for _, m := range captures {
		m.Done(all)
	}
	if c.Archive == nil || len(all) == 0 {
		return event.CallTraced{}, false
	}
	blob, err := c.Archive.KeepSignals(ctx, c.id, c.session.Name, all)
	if err != nil {
		c.Log.Error("signalling not kept", "err", err, "call", c.id.Name)
		return event.CallTraced{}, false
	}
	return event.CallTraced{Blob: blob, Messages: uint32(len(all))}, true
}
