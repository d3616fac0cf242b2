package voice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"flametree/engine/fault"
	"flametree/media/caller"
)

// CallersName is the child that calls.
const CallersName = "__callers"

// plan is what the callers are told: one line.
type plan struct {
	Target    string        `json:"target"`
	Browser   *Browser      `json:"browser"` // calls come from browsers, not by SIP
	Calls     int           `json:"calls"`
	Length    time.Duration `json:"length"`    // of the time during which all calls are up
	Period    time.Duration `json:"period"`    // from one turn to the next
	Utterance time.Duration `json:"utterance"` // at least
	Reply     time.Duration `json:"reply"`
	Interrupt int           `json:"interrupt"` // every how many turns
	Stagger   time.Duration `json:"stagger"`   // between two calls
	Codec     string        `json:"codec"`
	Packets   bool          `json:"packets"` // the other side is a leg alone: both speak all the time
}

// news is a line that the callers tell as they go.
type news struct {
	Up      int      `json:"up,omitempty"`      // all calls were placed, so many were answered
	Closing bool     `json:"closing,omitempty"` // calls end from now on
	Calls   []called `json:"calls,omitempty"`   // at the end
}

// called is one call as the caller saw it. Instants are Unix nanoseconds.
type called struct {
	ID            string        `json:"id"` // the SIP Call-ID
	Fault         string        `json:"fault,omitempty"`
	Setup         time.Duration `json:"setup"`   // INVITE to answer, or offer to connection
	Answer        time.Duration `json:"answer"`  // a browser's: offer to answer
	Refused       int           `json:"refused"` // dials before it that were asked for patience
	Talked        time.Duration `json:"talked"`
	Turns         int           `json:"turns"`
	Interruptions []int64       `json:"interruptions"` // when the first packet of each went out
	Voiced        time.Duration `json:"voiced"`
	Sent          int           `json:"sent"`
	Received      int           `json:"received"`
	Lost          int           `json:"lost"`
	Spurts        []spurt       `json:"spurts"`
	Gaps          []int32       `json:"gaps"` // µs between two packets of a spurt with none missing
}

// spurt is a row of packets with sound.
type spurt struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// Callers is the calling child: it reads a plan and tells news.
func Callers(ctx context.Context, in io.Reader, out io.Writer) error {
	var p plan
	if err := json.NewDecoder(in).Decode(&p); err != nil {
		return fmt.Errorf("callers: %w: %w", fault.Invalid, err)
	}
	phone, err := caller.New(ctx, caller.Options{
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() { _, _ = io.Copy(io.Discard, in); cancel() }() // whoever started us is gone; ends with the process
	c := crowd{plan: p, dial: dialler(p, phone), tell: json.NewEncoder(out), up: make(chan struct{})}
	return errors.Join(c.run(ctx), phone.Close())
}

// crowd is all the callers.
type crowd struct {
	plan  plan
	dial  func(ctx context.Context, n int) (*wire, error)
	tell  *json.Encoder
	up    chan struct{} // closed when all calls were placed
	until time.Time     // set before up is closed

	answered atomic.Int64
}

func (c *crowd) run(ctx context.Context) error {
	calls := make([]called, c.plan.Calls)
	var placed, talked sync.WaitGroup
	for i := range calls {
		placed.Add(1)
		talked.Go(func() {
			if wait(ctx, time.Duration(i)*c.plan.Stagger) {
				c.one(ctx, i, &calls[i], placed.Done)
			} else {
				placed.Done()
			}
		})
	}
	placed.Wait()
	c.until = time.Now().Add(c.plan.Length)
	close(c.up)
	err := c.tell.Encode(news{Up: int(c.answered.Load())})
	wait(ctx, c.plan.Length)
	err = errors.Join(err, c.tell.Encode(news{Closing: true}))
	talked.Wait()
	return errors.Join(err, ctx.Err(), c.tell.Encode(news{Calls: calls}))
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// one makes one call. What it learns before the call is placed is written
// before placed is called.
func (c *crowd) one(ctx context.Context, i int, out *called, placed func()) {
	call, err := c.place(ctx, i, out)
	answered := time.Now()
	if err != nil {
		out.Fault = err.Error()
		placed()
		return
	}
	out.ID, out.Setup, out.Answer = call.id, call.setup, call.answer
	c.answered.Add(1)
	placed()
	t := talk{plan: c.plan, call: call, out: out, over: c.over}
	t.pcm, t.voiced = utterance(c.plan.Utterance, 110+float64(i%12)*9)
	conversation := t.run
	if c.plan.Packets {
		conversation = t.drone
	}
	if err := conversation(ctx); err != nil {
		out.Fault = err.Error()
	}
	call.hangup()
	out.Talked = time.Since(answered)
	out.Sent, out.Received, out.Lost = call.Totals()
	out.Spurts, out.Gaps = listen(call.Heard(time.Time{}))
}

// place dials until it is answered: a server that asks for a moment's patience
// (503) is given one, as callers' trunks do, but not for ever.
func (c *crowd) place(ctx context.Context, i int, out *called) (*wire, error) {
	for tries := 1; ; tries++ {
		dialling, cancel := context.WithTimeout(ctx, 20*time.Second)
		call, err := c.dial(dialling, i)
		cancel()
		if !errors.Is(err, fault.Unavailable) || tries == 30 || !wait(ctx, time.Second) {
			return call, err
		}
		out.Refused++
	}
}

// over reports whether calls are to end.
func (c *crowd) over() bool {
	select {
	case <-c.up:
		return time.Now().After(c.until)
	default:
		return false
	}
}

// talk is one caller's conversation.
type talk struct {
	plan   plan
	call   *wire
	out    *called
	over   func() bool
	pcm    []int16
	voiced time.Duration
}

const (
	// quiet is how long the agent must be silent to have finished.
	quiet = 300 * time.Millisecond
	// patience is for whatever the agent does next.
	patience = 20 * time.Second
)

// run hears the greeting and talks, turn by turn, until the calls are to end
// and the agent is silent.
func (t *talk) run(ctx context.Context) error {
	since := time.Now().Add(-time.Second)
	if err := t.agentSilent(ctx, since); err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	next := time.Now()
	for n := 1; !t.over() || n == 1; n++ {
		interrupt := t.plan.Interrupt > 0 && n%t.plan.Interrupt == 0
		if interrupt {
			if err := t.agentSpeaks(ctx, since); err != nil {
				return fmt.Errorf("before interruption, turn %d: %w", n, err)
			}
		} else if n > 1 {
			if err := t.agentSilent(ctx, since); err != nil {
				return fmt.Errorf("answer of turn %d: %w", n-1, err)
			}
			if t.over() {
				return nil
			}
			wait(ctx, time.Until(next))
		}
		next = time.Now().Add(t.plan.Period)
		said, err := t.call.Say(ctx, t.pcm)
		if err != nil {
			return fmt.Errorf("turn %d: %w", n, err)
		}
		since = said.Last
		t.out.Turns++
		if interrupt {
			t.out.Interruptions = append(t.out.Interruptions, said.First.UnixNano())
		}
		t.out.Voiced += t.voiced
	}
	return t.agentSilent(ctx, since)
}

// drone speaks until the calls are to end.
func (t *talk) drone(ctx context.Context) error {
	for !t.over() {
		if _, err := t.call.Say(ctx, t.pcm); err != nil {
			return err
		}
		t.out.Voiced += t.voiced
	}
	return nil
}

// agentSilent waits until the agent has spoken since and is silent.
func (t *talk) agentSilent(ctx context.Context, since time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return t.call.WaitQuiet(ctx, since, quiet)
}

// agentSpeaks waits until a third of the answer was heard.
func (t *talk) agentSpeaks(ctx context.Context, since time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return t.call.WaitVoice(ctx, since, t.plan.Reply/3)
}

// listen sums up what was heard: rows of sounding packets, and the gaps in them.
func listen(packets []caller.Packet) (spurts []spurt, gaps []int32) {
	open := false
	var last time.Time
	for _, p := range packets {
		if p.Level < caller.Voiced {
			open = false
			continue
		}
		at := p.At.UnixNano()
		if !open {
			spurts = append(spurts, spurt{First: at, Last: at})
		} else if p.Lost == 0 {
			gaps = append(gaps, int32(p.At.Sub(last).Microseconds()))
		}
		spurts[len(spurts)-1].Last = at
		open, last = true, p.At
	}
	return spurts, gaps
}
