package actors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
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

// Archive keeps what was signalled on a call, sealed for its person, when it is
// too much for the journal. ladder is JSON of []Signal; it is not kept on to.
type Archive interface {
	KeepSignals(ctx context.Context, of ID, subject string, ladder []byte) (blob string, err error)
}

// fewSignals is up to how many bytes of signalling the journal itself holds. It
// is ten times what an ordinary call has. A file of its own, made durable, costs
// a call more than all of its signalling did.
const fewSignals = 64 << 10

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
	traced, err := c.traced(ctx, all)
	if err != nil {
		c.Log.Error("signalling not kept", "err", err, "call", c.id.Name)
		return event.CallTraced{}, false
	}
	return traced, true
}

func (c *Call) traced(ctx context.Context, all []Signal) (event.CallTraced, error) {
	var ladder bytes.Buffer
	to := json.NewEncoder(&ladder)
	to.SetEscapeHTML(false) // every address of SIP stands in angle brackets
	if err := to.Encode(all); err != nil {
		return event.CallTraced{}, fmt.Errorf("signalling: %w: %w", fault.Bug, err)
	}
	traced := event.CallTraced{Messages: uint32(len(all))}
	if ladder.Len() <= fewSignals {
		traced.Signals = event.P(ladder.String())
		return traced, nil
	}
	blob, err := c.Archive.KeepSignals(ctx, c.id, c.session.Name, ladder.Bytes())
	traced.Blob = blob
	return traced, err
}
