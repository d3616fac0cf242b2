package ws

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"flametree/engine/fault"
	"flametree/gateway/auth"
	"flametree/gateway/httpd"
)

// peer is one customer's socket into one session.
type peer struct {
	o       Options
	hub     *Hub
	log     *slog.Logger
	agentID string
	session string
	after   uint64

	token, ticket, protocol string

	agent auth.Agent
	pump  *pump
	calls Signalling // nil: no calls are taken

	mu     sync.Mutex // guards last, mode, parted
	last   uint64     // the greatest seq sent
	mode   string     // as the last frame that told
	parted bool       // the session has ended; a call goes on
}

// serve runs the socket: this goroutine reads, the pump's writes.
func (p *peer) serve(ctx context.Context, c *Conn) {
	agent, err := p.authorise(ctx)
	if err != nil {
		p.refuse(c, err)
		return
	}
	p.agent = agent
	if p.after != FromNow {
		p.last = p.after
	}
	if p.o.Calls != nil {
		p.calls = p.o.Calls.Signal(agent, p.session, func(f CallFrame) { p.tell(c, f) })
		defer func() { p.calls.Leave(c.parted()) }()
	}
	if err := p.attach(ctx, c, p.after); err != nil {
		p.refuse(c, err)
		return
	}
	defer func() { p.pump.stop() }()
	rate := allowance{each: p.hub.limits.Rate}
	for {
		b, err := c.Read()
		if err != nil {
			return
		}
		if !rate.take(time.Now()) {
			c.Close(CloseExhausted, "too many frames")
			return
		}
		p.handle(ctx, c, b)
	}
}

// attach follows the session from a position, instead of what was followed.
func (p *peer) attach(ctx context.Context, c *Conn, after uint64) error {
	if p.pump != nil {
		p.pump.stop()
	}
	ctx, cancel := context.WithCancel(ctx)
	p.pump = &pump{cancel: cancel}
	frames, err := p.o.Sockets.Attach(ctx, p.agent, p.session, after)
	if err != nil {
		return err
	}
	p.pump.done.Go(func() {
		for f, err := range frames {
			if err != nil {
				if fault.KindOf(err) == fault.Exhausted { // the source would not keep more for us
					c.Close(CloseSlow, "too slow")
				} else if ctx.Err() == nil {
					p.refuse(c, err)
				}
				return
			}
			p.seen(f)
			if c.Push(encode(f)) != nil {
				return
			}
		}
		if ctx.Err() == nil && !p.stays() {
			c.Close(CloseNormal, "session ended")
		}
	})
	return nil
}

// seen remembers what a ping is answered with.
func (p *peer) seen(f Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = max(p.last, f.Seq)
	if f.Metadata != nil && f.Metadata.Mode != "" {
		p.mode = f.Metadata.Mode
	}
}

// own makes a frame of the socket itself: it repeats the last seq.
func (p *peer) own(f Frame) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.Seq = p.last
	if f.Type == TypeState && p.mode != "" {
		f.Metadata = &Metadata{Mode: p.mode}
	}
	return encode(f)
}

// handle answers one frame. Trouble with it is told and does not end the socket.
func (p *peer) handle(ctx context.Context, c *Conn, b []byte) {
	in, err := parse(b)
	switch {
	case isCall(in.Type):
		p.signal(ctx, c, b)
		return
	case err != nil:
	case in.Type == InPing:
		_ = c.Write(p.own(Frame{Type: TypeState})) // a lost socket ends at the next read
		return
	case in.Type == InResume:
		p.mu.Lock()
		p.last = in.LastSeq
		p.mu.Unlock()
		if err := p.attach(ctx, c, in.LastSeq); err != nil {
			p.refuse(c, err)
		}
		return
	default:
		err = p.send(ctx, in)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	problem := httpd.ProblemOf(err)
	if k := fault.KindOf(err); k == fault.Bug {
		p.log.Error("socket frame failed", "session", p.session, "err", err)
	}
	_ = c.Write(p.own(Frame{Type: TypeError, Code: problem.Code, Text: problem.Detail, ClientID: in.ClientID}))
	if k := fault.KindOf(err); k == fault.NotFound || k == fault.Denied {
		p.refuse(c, err)
	}
}

func (p *peer) send(ctx context.Context, in In) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return p.o.Sockets.Send(ctx, p.agent, p.session, in)
}

// parse reads one frame from outside. Its errors are fault.Invalid and name the
// place; the client's id is given back with them when it could be read.
func parse(b []byte) (In, error) {
	var in In
	if !utf8.Valid(b) {
		return in, invalid("frame", "is not UTF-8")
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return In{}, invalid("frame", err.Error())
	}
	if len(in.ClientID) > 128 {
		return In{Type: in.Type}, invalid("client_id", "at most 128 bytes")
	}
	switch in.Type {
	case InMessage:
		if strings.TrimSpace(in.Text) == "" {
			return in, invalid("text", "must not be blank")
		}
		if len(in.Attachments) > 0 {
			return in, invalid("attachments", "send files with run_v2")
		}
	case InTyping, InStop, InPing, InResume, CallServers, CallOffer, CallCandidate, CallMute, CallDigit, CallHangup:
	case "":
		return in, invalid("type", "is missing")
	default:
		return in, invalid("type", fmt.Sprintf("unknown type %.40q: expected message, typing, stop, ping or resume", in.Type))
	}
	return in, nil
}

func invalid(place, what string) error {
	return fmt.Errorf("%s: %s: %w", place, what, fault.Invalid)
}

// allowance is a bucket of a second's frames, filled at once each second.
type allowance struct {
	each  int
	since time.Time
	used  int
}

func (a *allowance) take(now time.Time) bool {
	if now.Sub(a.since) >= time.Second {
		a.since, a.used = now, 0
	}
	a.used++
	return a.used <= a.each
}
