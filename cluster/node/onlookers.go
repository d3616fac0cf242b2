package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/media/quality"
	"flametree/persist/readmodel"
)

// estimate is how people would find what we receive of a call (ITU-T G.107).
// Without RTCP from the other end the way is taken to be short.
func estimate(s actors.LegStats) float64 {
	if s.Received == 0 {
		return 0
	}
	const frame = 20 * time.Millisecond
	_, mos := quality.Score(quality.Line{
		Codec: s.Codec, Loss: float64(s.Lost+s.Late) / float64(s.Received+s.Lost),
		Delay: quality.EndToEnd(s.RoundTrip, s.Jitter, frame),
	})
	return mos
}

// call finds a call by its session's id or its own.
func (n *Node) call(ctx context.Context, id string) (readmodel.Session, error) {
	if err := n.caughtUp(ctx); err != nil {
		return readmodel.Session{}, err
	}
	if s, ok := n.model.Session(id); ok && s.Call != "" {
		return s, nil
	}
	if s, ok := n.model.OfCall(id); ok {
		return s, nil
	}
	return readmodel.Session{}, fmt.Errorf("no call %q: %w", id, fault.NotFound)
}

// running is call for one that is not over.
func (n *Node) running(ctx context.Context, id string) (readmodel.Session, error) {
	s, err := n.call(ctx, id)
	if err == nil && s.CallEnded {
		err = fmt.Errorf("the call %q is over: %w", id, fault.NotFound)
	}
	return s, err
}

// LiveCall is a running call in the list of them.
type LiveCall struct {
	readmodel.Session
	Codec     string            `json:"codec,omitempty"`
	Quality   float64           `json:"quality,omitempty"` // estimated mean opinion score so far
	Onlookers []actors.Onlooker `json:"onlookers,omitempty"`
}

// Live lists the running calls with how they sound. One that does not answer in
// time is listed without.
func (n *Node) Live(ctx context.Context) []LiveCall {
	list := n.calls()
	out := make([]LiveCall, len(list))
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var all sync.WaitGroup
	room := make(chan struct{}, 32)
	for i, s := range list {
		out[i].Session = s
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			if v, err := ask[*actors.CallView](ctx, n.dir, callOf(s), &actors.LookCall{}); err == nil {
				out[i].Codec, out[i].Quality, out[i].Onlookers = v.Stats.Codec, v.Quality, v.Onlookers
			}
		})
	}
	all.Wait()
	return out
}

// liven adds what only the running call knows.
func (n *Node) liven(ctx context.Context, card *CallCard, s readmodel.Session) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if v, err := ask[*actors.CallView](ctx, n.dir, callOf(s), &actors.LookCall{}); err == nil {
		card.Quality, card.Lost, card.Received = v.Quality, v.Stats.Lost, v.Stats.Received
	}
}

// Sound is what is heard of a call: frames of 16-bit stereo, little-endian, the
// customer left and the agent right, one every 20 ms.
type Sound struct {
	RateHz int
	Frames <-chan []byte // not closed
	Over   <-chan struct{}
	Missed func() uint64 // frames that were lost because nobody took them
	Stop   func()        // may be called twice
}

// soundAhead is how many frames wait for who listens: 5 s.
const soundAhead = 250

// CallListen lets somebody hear a running call. Who is slow misses frames; the
// call never waits.
func (n *Node) CallListen(ctx context.Context, id, by string) (*Sound, error) {
	s, err := n.running(ctx, id)
	if err != nil {
		return nil, err
	}
	frames, over := make(chan []byte, soundAhead), make(chan struct{})
	var missed, rate atomic.Uint64
	sink := func(left, right []int16) {
		size := max(len(left), len(right), int(rate.Load())/50)
		if size == 0 {
			return
		}
		select {
		case frames <- stereo(left, right, size):
		default:
			missed.Add(1)
		}
	}
	got, err := ask[*actors.Listening](ctx, n.dir, callOf(s), &actors.Listen{By: by, Sink: sink, Gone: func() { close(over) }})
	if err != nil {
		return nil, err
	}
	rate.Store(uint64(got.RateHz))
	stop := sync.OnceFunc(func() { _ = n.dir.Send(callOf(s), &actors.Unlisten{ID: got.ID}) })
	return &Sound{RateHz: got.RateHz, Frames: frames, Over: over, Missed: missed.Load, Stop: stop}, nil
}

// stereo interleaves both sides; what is missing is silence.
func stereo(left, right []int16, size int) []byte {
	out := make([]byte, 0, 4*size)
	sample := func(in []int16, i int) uint16 {
		if i < len(in) {
			return uint16(in[i])
		}
		return 0
	}
	for i := range size {
		out = binary.LittleEndian.AppendUint16(out, sample(left, i))
		out = binary.LittleEndian.AppendUint16(out, sample(right, i))
	}
	return out
}

// OperatorForm says who of the team wants what of a call.
type OperatorForm struct {
	By   string `json:"by"`
	To   string `json:"to"`   // his telephone: a SIP URI, or a number
	Keep bool   `json:"keep"` // barge in: the agent does not come back
}

// dialsOperator is how an operator is called: through the agent's connection, or
// directly, as the owner of the server asks for it.
func (n *Node) dialsOperator(ctx context.Context, s readmodel.Session, to string) (actors.Dialling, error) {
	d := actors.Dialling{Tenant: s.Tenant, Agent: s.Agent, To: to, Owner: true}
	return d, n.dialable(ctx, d)
}

// CallListenIn calls an operator, who hears both sides; it returns when he has
// answered.
func (n *Node) CallListenIn(ctx context.Context, id string, f OperatorForm) error {
	s, err := n.running(ctx, id)
	if err != nil {
		return err
	}
	d, err := n.dialsOperator(ctx, s, f.To)
	if err != nil {
		return err
	}
	_, err = ask[*actors.Listening](ctx, n.dir, callOf(s), &actors.ListenIn{By: f.By, Dial: d})
	return err
}

// CallBarge calls an operator and puts him in the agent's place; it returns when
// he has answered.
func (n *Node) CallBarge(ctx context.Context, id string, f OperatorForm) error {
	s, err := n.running(ctx, id)
	if err != nil {
		return err
	}
	d, err := n.dialsOperator(ctx, s, f.To)
	if err != nil {
		return err
	}
	_, err = ask[*actors.Barged](ctx, n.dir, callOf(s), &actors.Barge{By: f.By, Dial: d, Keep: f.Keep})
	return err
}

// WhisperForm is guidance for the agent of a conversation.
type WhisperForm struct {
	By   string `json:"by"`
	Text string `json:"text"`
}

// Whisper gives the agent of an open conversation guidance, from the next turn on.
func (n *Node) Whisper(ctx context.Context, id string, f WhisperForm) error {
	if err := n.caughtUp(ctx); err != nil {
		return err
	}
	s, ok := n.model.Session(id)
	if !ok {
		s, ok = n.model.OfCall(id)
	}
	if !ok {
		return fmt.Errorf("no conversation %q: %w", id, fault.NotFound)
	}
	to := actors.ID{Kind: event.SessionStream, Tenant: s.Tenant, Name: s.ID}
	_, err := ask[*actors.View](ctx, n.dir, to, &actors.Whisper{By: f.By, Text: f.Text})
	return err
}
