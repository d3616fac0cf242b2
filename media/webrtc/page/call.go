package page

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"flametree/engine/fault"
	"flametree/media/caller"
	"flametree/media/rtp"
	"flametree/media/sip"
	ours "flametree/media/webrtc"
)

// Call is one call of a page. Its methods may be called from any goroutine.
type Call struct {
	*caller.Voice
	ID      string
	Session string        // of the call
	Answer  time.Duration // from the offer on the socket to its answer
	Setup   time.Duration // from the offer to the connection

	pc      *webrtc.PeerConnection
	carrier *ours.Carrier
	up      chan struct{}
	ended   chan struct{}

	mu   sync.Mutex // guards what follows
	page *Page
	over bool
	was  bool // up
}

// Call calls the agent, and returns when both hear each other.
func (p *Page) Call(ctx context.Context) (*Call, error) {
	var config webrtc.Configuration
	if p.opt.Relay {
		servers, err := p.Servers(ctx)
		if err != nil {
			return nil, err
		}
		config.ICEServers, config.ICETransportPolicy = servers, webrtc.ICETransportPolicyRelay
	}
	pc, err := p.api.NewPeerConnection(config)
	if err != nil {
		return nil, fmt.Errorf("page: %w: %w", fault.Bug, err)
	}
	c := &Call{pc: pc, carrier: ours.NewCarrier(pc), page: p, up: make(chan struct{}), ended: make(chan struct{})}
	if err := c.place(ctx); err != nil {
		if c.Voice != nil {
			return nil, errors.Join(err, c.Close())
		}
		return nil, errors.Join(err, c.carrier.Close())
	}
	return c, nil
}

// Servers asks which relays there are.
func (p *Page) Servers(ctx context.Context) ([]webrtc.ICEServer, error) {
	from := len(p.Frames())
	if err := p.Send(map[string]any{"type": "call.servers"}); err != nil {
		return nil, err
	}
	f, err := p.Until(ctx, from, func(f Frame) bool { return f.Type == "call.servers" })
	return f.ICEServers, err
}

func (c *Call) place(ctx context.Context) error {
	c.pc.OnConnectionStateChange(c.changed)
	ssrc, err := c.carrier.Join()
	if err != nil {
		return err
	}
	conn, err := rtp.Over(c.carrier, ssrc)
	if err != nil {
		return err
	}
	c.Voice, err = c.page.opt.Phone.Over(conn, sip.MediaParams{Codec: "opus", Format: format, PayloadType: opusType, DTMFType: 110, DTMFHz: 48000})
	if err != nil {
		return err
	}
	offer, err := c.offer(ctx, false)
	if err != nil {
		return err
	}
	begun := time.Now()
	answer, err := c.exchange(ctx, map[string]any{"type": "call.offer", "sdp": offer})
	if err != nil {
		return err
	}
	c.Answer = answer.At.Sub(begun)
	c.ID, c.Session = answer.Call, answer.Session
	p := c.page
	p.mu.Lock()
	p.calls[c.ID] = c
	seen := slices.Clip(p.frames)
	p.mu.Unlock()
	for _, f := range seen { // what came before the call was known
		if f.Call == c.ID {
			c.told(f)
		}
	}
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP}); err != nil {
		return fmt.Errorf("page: answer: %w: %w", fault.Bug, err)
	}
	select {
	case <-c.up:
		c.Setup = time.Since(begun)
		return nil
	case <-c.ended:
		return fmt.Errorf("page: the call has ended: %w", fault.Unavailable)
	case <-ctx.Done():
		return fmt.Errorf("page: no connection came about: %w: %w", fault.Unavailable, ctx.Err())
	}
}

// offer makes an offer with all candidates in it.
func (c *Call) offer(ctx context.Context, restart bool) (string, error) {
	offer, err := c.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return "", fmt.Errorf("page: offer: %w: %w", fault.Bug, err)
	}
	all := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(offer); err != nil {
		return "", fmt.Errorf("page: offer: %w: %w", fault.Bug, err)
	}
	select {
	case <-all:
	case <-ctx.Done():
		return "", fmt.Errorf("page: candidates: %w: %w", fault.Unavailable, ctx.Err())
	}
	return c.pc.LocalDescription().SDP, nil
}

// exchange sends an offer and waits for its answer.
func (c *Call) exchange(ctx context.Context, frame map[string]any) (Frame, error) {
	c.mu.Lock()
	p := c.page
	c.mu.Unlock()
	from := len(p.Frames())
	if err := p.Send(frame); err != nil {
		return Frame{}, fmt.Errorf("page: offer: %w: %w", fault.Unavailable, err)
	}
	f, err := p.Until(ctx, from, func(f Frame) bool { return f.Type == "call.answer" || f.Type == "call.error" })
	if err == nil && f.Type == "call.error" {
		err = fmt.Errorf("page: refused (%s): %s: %w", f.Kind, f.Message, fault.Unavailable)
	}
	return f, err
}

// told takes a frame about this call.
func (c *Call) told(f Frame) {
	switch {
	case f.Type == "call.candidate" && f.Candidate != "":
		_ = c.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: f.Candidate, SDPMid: &f.Mid, SDPMLineIndex: &f.MLine})
	case f.Type == "call.state" && f.State == "ended":
		c.finish(f.Reason)
	}
}

func (c *Call) finish(reason string) {
	c.mu.Lock()
	first := !c.over
	c.over = true
	c.mu.Unlock()
	if first {
		c.Voice.End(reason)
		close(c.ended)
	}
}

func (c *Call) changed(s webrtc.PeerConnectionState) {
	c.carrier.Open(s == webrtc.PeerConnectionStateConnected)
	if s != webrtc.PeerConnectionStateConnected {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.was {
		c.was = true
		close(c.up)
	}
}

// Ended is closed when the server says that the call has ended.
func (c *Call) Ended() <-chan struct{} { return c.ended }

// Restart finds another way, on the socket of a page: the one that it began on,
// or a later one of the same session.
func (c *Call) Restart(ctx context.Context, on *Page) error {
	on.mu.Lock()
	on.calls[c.ID] = c
	on.mu.Unlock()
	c.mu.Lock()
	c.page = on
	c.mu.Unlock()
	offer, err := c.offer(ctx, true)
	if err != nil {
		return err
	}
	answer, err := c.exchange(ctx, map[string]any{"type": "call.offer", "sdp": offer, "call": c.ID})
	if err != nil {
		return err
	}
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP}); err != nil {
		return fmt.Errorf("page: answer: %w: %w", fault.Bug, err)
	}
	return nil
}

// Mute says that nothing will be sent, or something again; what is sent does not change.
func (c *Call) Mute(on bool) error {
	return c.send(map[string]any{"type": "call.mute", "call": c.ID, "on": on})
}

// Digit presses a key.
func (c *Call) Digit(key string) error {
	return c.send(map[string]any{"type": "call.digit", "call": c.ID, "digit": key, "ms": 120})
}

func (c *Call) send(frame map[string]any) error {
	c.mu.Lock()
	p := c.page
	c.mu.Unlock()
	return p.Send(frame)
}

// Hangup ends the call and waits for its end.
func (c *Call) Hangup(ctx context.Context) error {
	if err := c.send(map[string]any{"type": "call.hangup", "call": c.ID}); err != nil {
		return err
	}
	select {
	case <-c.ended:
	case <-ctx.Done():
		return fmt.Errorf("page: hang-up: %w: %w", fault.Unavailable, ctx.Err())
	}
	return c.Close()
}

// Still stops sending without a word, as a page whose microphone is gone.
func (c *Call) Still(on bool) { c.carrier.Open(!on) }

// Connection is what pion knows of the call.
func (c *Call) Connection() *webrtc.PeerConnection { return c.pc }

// Close ends the connection without a word on the socket.
func (c *Call) Close() error { return c.Voice.Close() }
