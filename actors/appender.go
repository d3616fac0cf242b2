package actors

import (
	"context"
	"fmt"
	"time"

	"flametree/engine/event"
	"flametree/persist/journal"
)

// appender writes one stream in order without making its owner wait: a call
// must not stand still for a disk. It has one goroutine, which the owner ends
// by close and awaits by done.
type appender struct {
	in   chan entry
	done chan struct{}
}

// entry is what is written at once, and who is told when it is durable.
type entry struct {
	events []event.Event
	then   func()
}

// appendQueue is how many batches may wait; at one a second and a decision now
// and then, that is half a minute or more.
const appendQueue = 64

// newAppender starts writing to a stream that nobody else writes. failed is
// told once, from the appender's goroutine, when a write fails; later ones are dropped.
func newAppender(ctx context.Context, j journal.Journal, s event.Stream, subject string, failed func(error)) *appender {
	a := &appender{in: make(chan entry, appendQueue), done: make(chan struct{})}
	go a.run(ctx, j, s, subject, failed)
	return a
}

func (a *appender) run(ctx context.Context, j journal.Journal, s event.Stream, subject string, failed func(error)) {
	defer close(a.done)
	head, err := j.Claim(ctx, s)
	if err != nil {
		failed(fmt.Errorf("claim %s: %w", s.Kind, err))
	}
	for e := range a.in {
		if err != nil {
			continue
		}
		if len(e.events) > 0 {
			var written []event.Envelope
			written, err = j.Append(ctx, journal.Batch{
				Stream: s, Expected: head.Version, Epoch: head.Epoch, Subject: subject, At: time.Now(), Events: e.events,
			})
			if err != nil {
				failed(fmt.Errorf("append to %s: %w", s.Kind, err))
				continue
			}
			head.Version += uint64(len(written))
		}
		if e.then != nil {
			e.then()
		}
	}
}

// append queues events. It reports false when the queue is full: the disk has
// been silent for long.
func (a *appender) append(events ...event.Event) bool { return a.after(nil, events...) }

// after is append with somebody who is told, from the appender's goroutine, when
// the events are durable, and all before them; there may be none. Nobody is told
// of what cannot be written.
func (a *appender) after(then func(), events ...event.Event) bool {
	select {
	case a.in <- entry{events, then}:
		return true
	default:
		return false
	}
}

// wait queues events and waits for room. It is not for actors.
func (a *appender) wait(events ...event.Event) { a.in <- entry{events: events} }

// waitAfter is wait with somebody who is told, as in after.
func (a *appender) waitAfter(then func(), events ...event.Event) { a.in <- entry{events, then} }

// close ends the appender after what is queued. It is called once.
func (a *appender) close() { close(a.in) }

// Close appends the last events to the stream of an actor that lives no more.
func Close(ctx context.Context, j journal.Journal, of ID, events []event.Event) error {
	head, err := j.Claim(ctx, of.Stream())
	if err != nil {
		return err
	}
	_, err = j.Append(ctx, journal.Batch{
		Stream: of.Stream(), Expected: head.Version, Epoch: head.Epoch, At: time.Now(), Events: events,
	})
	return err
}
