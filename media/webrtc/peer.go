package webrtc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/leg"
)

// State is how a call stands, as its browser is told.
type State string

// The states. After Ended nothing follows.
const (
	Ringing      State = "ringing"
	Up           State = "up"
	Reconnecting State = "reconnecting" // the way is lost; a restart may find another
	Ended        State = "ended"
)

// Candidate is one way to reach us. Text is empty after the last.
type Candidate struct {
	Text  string
	Mid   string
	Index uint16 // of the line in SDP
}

// Watcher is told what a Peer notices. Its functions come one at a time from
// goroutines of the Peer's: they must not block, nor close it.
type Watcher struct {
	State     func(s State, reason string) // reason only with Ended
	Candidate func(Candidate)              // one that was not in the answer
	Caption   func(actors.Caption)         // what is said, for who reads along
}

// Peer is one browser that calls. Its methods may be called from any goroutine.
type Peer struct {
	s       *Server
	pc      *webrtc.PeerConnection
	carrier *Carrier
	leg     *browserLeg
	line    *line
	watch   Watcher
	answer  string

	agreeing sync.Mutex // held while an offer is answered
	timer    *time.Timer

	mu         sync.Mutex // guards what follows, and the order of watch
	told       State
	candidates int
	ours       map[string]bool // candidates that an answer held
	settled    bool            // an answer was made: others follow one by one
}

// gathering is how long an answer waits for our own candidates.
const gathering = 100 * time.Millisecond

// Answer makes the peer of a new call. The leg's owner closes it, which ends the
// peer; until Leg is started nothing is sent or heard. It fails with
// fault.Invalid for an offer that is none of a call, fault.Unavailable when
// the server is ending.
func (s *Server) Answer(ctx context.Context, offer string, w Watcher) (*Peer, error) {
	t, err := readOffer(offer)
	if err != nil {
		return nil, err
	}
	pc, err := s.api.NewPeerConnection(s.config)
	if err != nil {
		return nil, fmt.Errorf("webrtc: %w: %w", fault.Unavailable, err)
	}
	p := &Peer{s: s, pc: pc, carrier: NewCarrier(pc), watch: w, candidates: t.candidates, ours: make(map[string]bool), told: Ringing}
	p.line = &line{hang: func(reason string) { p.tell(Ended, reason) }}
	if err := p.open(ctx, offer, t); err != nil {
		return nil, errors.Join(err, p.carrier.Close())
	}
	if err := s.enter(p); err != nil {
		return nil, errors.Join(err, p.leg.Close())
	}
	// Whoever does not come through in time never will.
	p.timer = time.AfterFunc(s.opt.Lost, func() {
		p.mu.Lock()
		late := p.told == Ringing
		p.mu.Unlock()
		if late {
			p.End("failed")
		}
	})
	return p, nil
}

// open agrees with the browser and makes the leg.
func (p *Peer) open(ctx context.Context, offer string, t terms) error {
	p.pc.OnConnectionStateChange(p.changed)
	p.pc.OnICECandidate(p.found)
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: withoutCandidates(offer)}); err != nil {
		return bad("it cannot be answered: %.120q", err.Error())
	}
	ssrc, err := p.carrier.Join()
	if err != nil {
		return err
	}
	if p.leg, err = newLeg(p, ssrc, t); err != nil {
		return err
	}
	p.answer, err = p.reply(ctx)
	return err
}

// reply makes the answer to the offer that was set, with our candidates in it.
func (p *Peer) reply(ctx context.Context) (string, error) {
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", bad("it cannot be answered: %.120q", err.Error())
	}
	if !strings.Contains(answer.SDP, "opus") {
		return "", bad("no Opus in it that could be agreed on")
	}
	all := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return "", bad("it cannot be answered: %.120q", err.Error())
	}
	late := time.NewTimer(gathering)
	defer late.Stop()
	select {
	case <-all:
	case <-late.C:
	case <-ctx.Done():
		return "", fmt.Errorf("webrtc: answer: %w: %w", fault.Cancelled, ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settled = true
	text := p.pc.LocalDescription().SDP
	for line := range strings.Lines(text) {
		if c, ok := strings.CutPrefix(strings.TrimSpace(line), "a="); ok && strings.HasPrefix(c, "candidate:") {
			p.ours[c] = true
		}
	}
	return text, nil
}

// found passes on a candidate that came too late for the answer.
func (p *Peer) found(c *webrtc.ICECandidate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.settled || p.watch.Candidate == nil || p.told == Ended {
		return
	}
	if c == nil {
		p.watch.Candidate(Candidate{Mid: "0"})
		return
	}
	j := c.ToJSON()
	if p.ours[j.Candidate] {
		return
	}
	p.ours[j.Candidate] = true
	out := Candidate{Text: j.Candidate, Mid: "0"}
	if j.SDPMid != nil {
		out.Mid = *j.SDPMid
	}
	if j.SDPMLineIndex != nil {
		out.Index = *j.SDPMLineIndex
	}
	p.watch.Candidate(out)
}

// changed follows the connection. It is called by the connection's own goroutine.
func (p *Peer) changed(s webrtc.PeerConnectionState) {
	switch s {
	case webrtc.PeerConnectionStateConnected:
		p.carrier.Open(true)
		p.tell(Up, "")
		p.line.Up()
	case webrtc.PeerConnectionStateDisconnected:
		p.carrier.Open(false)
		p.tell(Reconnecting, "")
	case webrtc.PeerConnectionStateFailed:
		p.carrier.Open(false)
		p.End(p.lost())
	case webrtc.PeerConnectionStateClosed: // by the browser's DTLS: it has gone
		p.carrier.Open(false)
		p.End("hangup")
	case webrtc.PeerConnectionStateUnknown, webrtc.PeerConnectionStateNew, webrtc.PeerConnectionStateConnecting:
	}
}

// lost is why a call without a way is over: one that never had one was never up.
func (p *Peer) lost() (reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told == Ringing {
		return "failed"
	}
	return "media_lost"
}

// tell tells the watcher of a state, once.
func (p *Peer) tell(s State, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told == Ended || p.told == s {
		return
	}
	p.told = s
	if p.watch.State != nil {
		p.watch.State(s, reason)
	}
}

// Text is the answer to the offer.
func (p *Peer) Text() string { return p.answer }

// Leg is the call's media.
func (p *Peer) Leg() actors.Leg { return p.leg }

// Line is the call's signalling.
func (p *Peer) Line() actors.Line { return p.line }

// State is how the call stands.
func (p *Peer) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told
}

// Restart answers a further offer of the same browser, after its network has
// changed, and gives the answer. fault.Conflict: another one is being answered;
// fault.NotFound: the call is over; fault.Invalid: it is no offer of this call.
func (p *Peer) Restart(ctx context.Context, offer string) (string, error) {
	t, err := readOffer(offer)
	if err != nil {
		return "", err
	}
	if !p.agreeing.TryLock() {
		return "", fmt.Errorf("offer: another one of this call is being answered, wait for its answer: %w", fault.Conflict)
	}
	defer p.agreeing.Unlock()
	if p.State() == Ended {
		return "", fmt.Errorf("offer: the call is over: %w", fault.NotFound)
	}
	if t.opus != p.leg.terms.opus || t.events != p.leg.terms.events {
		return "", bad("a running call keeps its formats: Opus is %d, not %d", p.leg.terms.opus, t.opus)
	}
	if err := p.more(t.candidates); err != nil {
		return "", err
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: withoutCandidates(offer)}); err != nil {
		return "", bad("it cannot be answered: %.120q", err.Error())
	}
	return p.reply(ctx)
}

// Candidate takes a candidate of the browser's: see the package comment for what
// becomes of it. "" is the end of them. fault.Invalid, or fault.Exhausted when
// there are too many.
func (p *Peer) Candidate(text string) error {
	if text == "" {
		return nil
	}
	if err := p.more(1); err != nil {
		return err
	}
	return checkCandidate(text)
}

func (p *Peer) more(n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.candidates += n; p.candidates > mostCandidate {
		return fmt.Errorf("candidate: more than %d in one call: %w", mostCandidate, fault.Exhausted)
	}
	return nil
}

// Mute says that the browser sends no sound now, or does again: its silence is
// not taken for a lost leg meanwhile.
func (p *Peer) Mute(on bool) { p.leg.Mute(on) }

// Digit says that a key was pressed on the page; fault.Invalid for what is none.
// A length of 0 means 100 ms.
func (p *Peer) Digit(key string, length time.Duration) error {
	if len(key) != 1 || !strings.Contains("0123456789*#ABCD", key) {
		return fmt.Errorf("digit: %.10q is no key, want 0-9 * # A-D: %w", key, fault.Invalid)
	}
	if length < 0 || length > 10*time.Second {
		return fmt.Errorf("ms: %d: want 0 to 10000: %w", length.Milliseconds(), fault.Invalid)
	}
	if length == 0 {
		length = 100 * time.Millisecond
	}
	p.line.digit(key[0], length)
	return nil
}

// End says that the call is over: hangup, canceled, failed or media_lost.
func (p *Peer) End(reason string) {
	p.tell(Ended, reason)
	p.line.End(reason)
}

// browserLeg is a leg that ends its peer.
type browserLeg struct {
	*leg.Leg
	p     *Peer
	terms terms
	once  sync.Once
	err   error
}

// Close implements actors.Leg.
func (l *browserLeg) Close() error {
	l.once.Do(func() {
		if l.p.timer != nil {
			l.p.timer.Stop()
		}
		l.p.tell(Ended, "completed")
		l.err = l.Leg.Close()
		l.p.s.leave(l.p)
	})
	return l.err
}

var _ actors.Captioned = (*browserLeg)(nil)

// Caption implements actors.Captioned.
func (l *browserLeg) Caption(c actors.Caption) {
	if l.p.watch.Caption != nil {
		l.p.watch.Caption(c)
	}
}
