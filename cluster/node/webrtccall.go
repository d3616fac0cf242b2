package node

import (
	"context"
	"fmt"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/gateway/auth"
	"flametree/gateway/ws"
	"flametree/media/webrtc"
)

// signalling is one socket that may call. It implements ws.Signalling.
type signalling struct {
	b       *browsers
	agent   auth.Agent
	session string
	v       *guest
	tell    func(ws.CallFrame)
}

// browserCall is one call. The browsers' mutex guards what follows peer.
type browserCall struct {
	b       *browsers
	id      string
	session string // of the call
	from    string // session of the socket
	v       *guest
	peer    *webrtc.Peer

	sock     *signalling // whom frames go to; nil while there is none
	answered bool
	waiting  []ws.CallFrame // until the answer is out
	over     bool
	grace    *time.Timer // runs while there is no socket
}

// Take implements ws.Signalling.
func (s *signalling) Take(ctx context.Context, in ws.CallIn) error {
	switch in.Type {
	case ws.CallServers:
		s.tell(ws.CallFrame{Type: ws.CallServers, ICEServers: s.servers()})
		return nil
	case ws.CallOffer:
		if in.Call == "" {
			return s.begin(ctx, in.SDP)
		}
	}
	c, err := s.mine(in.Call)
	if err != nil {
		return err
	}
	switch in.Type {
	case ws.CallOffer:
		return s.restart(ctx, c, in.SDP)
	case ws.CallCandidate:
		return c.peer.Candidate(in.Candidate)
	case ws.CallMute:
		c.peer.Mute(in.On)
		return nil
	case ws.CallDigit:
		return c.peer.Digit(in.Digit, time.Duration(in.MS)*time.Millisecond)
	case ws.CallHangup:
		c.peer.End("hangup")
		return nil
	}
	return fmt.Errorf("%s: not for browsers to say: %w", in.Type, fault.Invalid)
}

func (s *signalling) servers() []ws.ICEServer {
	if s.b.relay == nil {
		return nil
	}
	now := time.Now()
	r := s.b.relay.Credentials(s.b.lend(s.v, now), now)
	return []ws.ICEServer{{URLs: r.URLs, Username: r.Username, Credential: r.Credential}}
}

// mine finds a call of this session; those of others do not exist for it.
func (s *signalling) mine(id string) (*browserCall, error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	c := s.b.calls[id]
	if c == nil || c.v != s.v {
		return nil, fmt.Errorf("call %q: no such call of this session is running: %w", id, fault.NotFound)
	}
	return c, nil
}

// begin answers an offer with a call.
func (s *signalling) begin(ctx context.Context, offer string) error {
	now := time.Now()
	former, err := s.b.reserve(s.v, now)
	if err != nil {
		return err
	}
	defer func() {
		s.b.mu.Lock()
		s.v.offering = false
		s.b.mu.Unlock()
	}()
	if former != nil {
		former.peer.End("hangup") // the page was loaded anew
	}
	n := s.b.n
	if err := n.gate.room(); err != nil {
		n.gate.reject(err)
		return err
	}
	c := &browserCall{b: s.b, id: n.newID(now).String(), session: n.newID(now).String(), from: s.session, v: s.v, sock: s}
	c.peer, err = s.b.server.Answer(ctx, offer, webrtc.Watcher{State: c.state, Candidate: c.candidate, Caption: c.caption})
	if err == nil {
		c.enter()
		err = s.b.offer(ctx, s, c)
	}
	if err != nil {
		n.gate.reject(err)
		c.leave()
		return err
	}
	c.answer()
	return nil
}

// restart answers a further offer of a running call, from now on by this socket.
func (s *signalling) restart(ctx context.Context, c *browserCall, offer string) error {
	text, err := c.peer.Restart(ctx, offer)
	if err != nil {
		return err
	}
	stands := c.peer.State() // not under our lock, which a peer takes under its own
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if c.over {
		return fmt.Errorf("call %q is over: %w", c.id, fault.NotFound)
	}
	c.sock = s
	if c.grace != nil {
		c.grace.Stop()
		c.grace = nil
	}
	c.tell(ws.CallFrame{Type: ws.CallAnswer, Session: c.session, SDP: text})
	c.tell(ws.CallFrame{Type: ws.CallState, State: string(stands)})
	return nil
}

// Busy implements ws.Signalling.
func (s *signalling) Busy() bool {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return s.v.offering || s.v.call != nil && s.v.call.sock == s
}

// Leave implements ws.Signalling.
func (s *signalling) Leave(closed bool) {
	if c := s.part(closed); c != nil {
		c.peer.End("hangup") // the page was left
	}
}

// part takes the socket out of the books and gives the call that goes with it.
func (s *signalling) part(closed bool) (over *browserCall) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.v.sockets--
	if c := s.v.call; c != nil && c.sock == s {
		c.sock = nil
		c.grace = time.AfterFunc(s.b.grace, c.abandon)
		if closed {
			over = c
		}
	}
	forget := func() { s.b.forget(s.session, s.v, time.Now()) }
	if closed {
		forget()
		return over
	}
	time.AfterFunc(s.b.grace, func() { // a page that comes back goes on with what it was lent
		s.b.mu.Lock()
		defer s.b.mu.Unlock()
		forget()
	})
	return over
}

// abandon ends a call that no socket came back for.
func (c *browserCall) abandon() {
	c.b.mu.Lock()
	gone := c.sock == nil && !c.over
	c.b.mu.Unlock()
	if gone {
		c.peer.End("failed")
	}
}

func (c *browserCall) enter() {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.calls[c.id], c.v.call = c, c
}

// leave forgets a call that is over.
func (c *browserCall) leave() {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.gone()
}

// gone is leave with the mutex held.
func (c *browserCall) gone() {
	c.over = true
	delete(c.b.calls, c.id)
	if c.v.call == c {
		c.v.call = nil
	}
	if c.grace != nil {
		c.grace.Stop()
		c.grace = nil
	}
	c.b.forget(c.from, c.v, time.Now())
}

// answer tells the browser that it is called with, and then what has happened since.
func (c *browserCall) answer() {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.answered = true
	c.tell(ws.CallFrame{Type: ws.CallAnswer, Session: c.session, SDP: c.peer.Text()})
	c.tell(ws.CallFrame{Type: ws.CallState, State: string(webrtc.Ringing)})
	for _, f := range c.waiting {
		c.tell(f)
	}
	c.waiting = nil
}

// state follows the peer. It must not call it.
func (c *browserCall) state(s webrtc.State, reason string) {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.say(ws.CallFrame{Type: ws.CallState, State: string(s), Reason: reason})
	if s == webrtc.Ended {
		c.gone()
	}
}

func (c *browserCall) candidate(k webrtc.Candidate) {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.say(ws.CallFrame{Type: ws.CallCandidate, Candidate: k.Text, Mid: k.Mid, MLine: int(k.Index)})
}

func (c *browserCall) caption(k actors.Caption) {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.say(ws.CallFrame{Type: ws.CallCaption, Turn: k.Turn, Role: k.Role, Text: k.Text, Final: k.Final})
}

// say sends a frame, after the answer and before the end. The mutex is held.
func (c *browserCall) say(f ws.CallFrame) {
	if c.over {
		return
	}
	if !c.answered {
		c.waiting = append(c.waiting, f)
		return
	}
	c.tell(f)
}

// tell sends a frame to the socket there is. The mutex is held.
func (c *browserCall) tell(f ws.CallFrame) {
	f.Call = c.id
	if c.sock != nil {
		c.sock.tell(f)
	}
}

var _ ws.Signalling = (*signalling)(nil)
