package actors

import (
	"context"
	"fmt"
	"time"

	"flametree/engine/event"
)

// Recorders opens recordings and keeps finished ones.
type Recorders interface {
	// Open starts a recording of a call at the wire's rate. It is sealed for
	// subject from its first byte. It is called by the call's actor and must not
	// take long.
	Open(ctx context.Context, of ID, subject string, rateHz int) (Recorder, error)
	// Keep keeps a finished recording for its owner and names it.
	Keep(ctx context.Context, of ID, subject string, r Recording) (Kept, error)
}

// Kept names what was kept of a recording.
type Kept struct {
	Blob  string // sha256 of the sealed recording, hex
	Peaks string // of its sealed outline, "" = none
	// Done is called when the journal tells of it, durably; nil = nobody waits for
	// that. It may be called from any goroutine.
	Done func()
}

// Closed is the event that tells of a recording that was kept.
func (k Kept) Closed(r Recording) event.RecordingClosed {
	return event.RecordingClosed{
		Blob: k.Blob, RateHz: uint32(r.RateHz), Length: r.Length, Bytes: uint64(r.Bytes), Cut: r.Cut, Peaks: k.Peaks, Paused: r.Paused,
	}
}

// masks are the reasons why nothing is recorded, of which there may be several.
type masks uint8

const (
	maskState  masks = 1 << iota // the conversation's state is sensitive
	maskAsked                    // the agent asked for it
	maskNotice                   // the notice that the call is recorded was not spoken yet
)

// secret are the reasons that the journal tells: what is pressed meanwhile is
// shown to nobody.
const secret = maskState | maskAsked

// record begins the recording, if the agent's calls are recorded. Where callers
// are told so, it is silent until they are.
func (c *Call) record(rateHz int) error {
	set := c.cast.Revision.Settings
	if !set.Record || c.Recorders == nil {
		return nil
	}
	rec, err := c.Recorders.Open(c.life, c.id, c.session.Name, rateHz)
	if err != nil {
		return fmt.Errorf("record call: %w", err)
	}
	c.rec = rec
	if set.RecordNotice != "" {
		c.masked |= maskNotice
	}
	rec.Pause(c.masked != 0)
	c.watch.tee.rec, c.watch.tee.rateHz = rec, rateHz
	c.retape()
	return nil
}

// sensitive keeps what is said now out of the recording, or lets it in again.
func (c *Call) sensitive(m *Sensitive) {
	of, reason := maskState, "sensitive"
	if m.Asked {
		of, reason = maskAsked, "asked"
	}
	was := c.masked & secret
	c.mask(of, m.On)
	switch now := c.masked & secret; {
	case was == 0 && now != 0:
		c.write(event.RecordingPaused{Reason: reason, Offset: c.now(time.Now())})
	case was != 0 && now == 0:
		c.write(event.RecordingResumed{Offset: c.now(time.Now())})
	}
}

func (c *Call) mask(of masks, on bool) {
	if c.masked &^= of; on {
		c.masked |= of
	}
	c.watch.veil(c.masked&secret != 0)
	if c.rec != nil {
		c.rec.Pause(c.masked != 0)
	}
}

// talking notes that a generation is heard, and with it, perhaps, the notice.
func (c *Call) talking(gen uint64) {
	c.talked = gen
	if r := c.reply; r != nil && r.gen == gen && r.notice {
		c.mask(maskNotice, false)
	}
}

// notice notes that a clause of a reply tells that the call is recorded.
func (c *Call) notice(r *reply) {
	r.notice = true
	if c.talked == r.gen { // something else was said first
		c.mask(maskNotice, false)
	}
}

// keep closes the recording and the journal of the call, outside of the actor,
// which then may leave. The end of the call is its last event.
func (c *Call) keep(end event.CallEnded, captures []*Capture) {
	ctx := context.WithoutCancel(c.life)
	rec, log, recs, id, subject, out := c.rec, c.log, c.Recorders, c.id, c.session.Name, c.Log
	stay, self, trail := c.stay, c.self, c.signalling()
	go func() {
		if rec != nil {
			if e, done, err := archive(ctx, rec, recs, id, subject); err != nil {
				out.Error("recording not kept", "err", err, "call", id.Name)
			} else {
				log.waitAfter(done, e)
			}
		}
		if e, ok := c.ending(ctx, trail, captures); ok {
			log.wait(e)
		}
		log.wait(end)
		log.close()
		<-log.done
		stay.Leave(id, self)
	}()
}

func archive(ctx context.Context, rec Recorder, recs Recorders, id ID, subject string) (event.RecordingClosed, func(), error) {
	r, err := rec.Close()
	if err != nil {
		return event.RecordingClosed{}, nil, err
	}
	kept, err := recs.Keep(ctx, id, subject, r)
	if err != nil {
		return event.RecordingClosed{}, nil, err
	}
	return kept.Closed(r), kept.Done, nil
}
