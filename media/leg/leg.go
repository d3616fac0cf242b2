// Package leg is the media of one party of a call: it implements actors.Leg on
// an RTP socket and the shared pacer. It decides nothing about the
// conversation: it tells facts (voice on, digit, position reached) and does as
// it is told (play, duck, pause, flush). Signalling, SDP and whom to call are
// not here.
//
// # What runs where
//
// The socket's reader decodes each packet as it arrives, asks the VAD, and puts
// it into the jitter buffer. Two tasks on the pacer's wheel do all the rest:
// one takes a frame from the jitter buffer to the recogniser and the recorder,
// every 20 ms on the call's home slot; one sends a packet. While there is
// nothing to say silence is sent, for callers hang up on a line without
// packets.
//
// A talk spurt does not wait: Play itself sends its first packet, at most one
// frame ahead of the home slot; the slot moves with it, and slides back by 2 ms
// a packet while the call is silent. Fact.Wait says what a spurt did wait for.
//
// # Memory
//
// A leg holds 6 s of input (48 kB) and 5 s of playout (41 kB) in the wire's own
// codec, and with filters, jitter buffer and two readers' stacks about 115 kB.
// A synthesiser at a rate that is no multiple of 8 kHz adds its filter, 42 kB
// for 22.05 kHz. Nothing is allocated for a packet in either direction.
package leg

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/dtmf"
	"flametree/media/g711"
	"flametree/media/jitter"
	"flametree/media/pacer"
	"flametree/media/pcm"
	"flametree/media/plc"
	"flametree/media/resample"
	"flametree/media/rtp"
	"flametree/media/vad"
)

// Options make a Leg. Conn and Pacer have no default.
type Options struct {
	Conn        *rtp.Conn // the leg starts and closes it; its remote address is already set
	Pacer       *pacer.Wheel
	Codec       g711.Law
	PayloadType uint8 // of the codec; default its static one
	DTMFType    uint8 // of telephone events; 0 when none were negotiated
	VAD         vad.Options
	Jitter      jitter.Options
	Log         *slog.Logger // default none
}

// Leg implements actors.Leg. All methods may be called from any goroutine. The
// sink of facts may call every method but Close and Play; what is given to Hear
// and Record calls none.
type Leg struct {
	conn  *rtp.Conn
	wheel *pacer.Wheel
	log   *slog.Logger
	facts facts
	in    ears
	out   listeners
	late  pacer.Histogram
	turn  chan struct{} // held by the Play that writes
	done  chan struct{} // closed by Close
	once  sync.Once

	hearing *pacer.Slot
	closing error

	mu      sync.Mutex
	play    playout
	mouth   mouth
	gain    pcm.Gain
	sender  sender
	waiting chan struct{} // closed when there is room again; nil when nobody waits
	started bool
	closed  bool
}

var _ actors.Leg = (*Leg)(nil)

// New returns a Leg, or fault.Invalid naming every option that is wrong. The
// Conn stays the caller's when New fails.
func New(opt Options) (*Leg, error) {
	opt.PayloadType = cmp.Or(opt.PayloadType, opt.Codec.PayloadType())
	var errs []error
	if opt.Conn == nil {
		errs = append(errs, errors.New("no Conn"))
	}
	if opt.Pacer == nil {
		errs = append(errs, errors.New("no Pacer"))
	}
	if err := checkTypes(opt.PayloadType, opt.DTMFType); err != nil {
		errs = append(errs, err)
	}
	opt.VAD.RateHz, opt.Jitter.RateHz, opt.Jitter.Frame = g711.RateHz, g711.RateHz, pcm.FrameTime
	voice, err := vad.New(opt.VAD)
	errs = append(errs, err)
	buffer, err := jitter.New(opt.Jitter)
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("leg: %w: %w", fault.Invalid, err)
	}
	up, err := resample.New(g711.RateHz, pcm.EarHz)
	if err != nil {
		panic("leg: 8 kHz to 16 kHz is a rate: " + err.Error())
	}
	l := &Leg{
		conn: opt.Conn, wheel: opt.Pacer,
		log:  cmp.Or(opt.Log, slog.New(slog.DiscardHandler)),
		turn: make(chan struct{}, 1), done: make(chan struct{}),
	}
	l.in = ears{
		ring: new([inputFrames * frameBytes]byte),
		law:  opt.Codec, audio: opt.PayloadType, events: opt.DTMFType, receive: true,
		vad: voice, jitter: buffer, plc: plc.New(g711.RateHz), digits: dtmf.NewDecoder(g711.RateHz),
		told: make([]dtmf.Digit, 0, 2),
	}
	l.out.up, l.out.wide = up, make([]int16, 0, up.MaxOut(frameBytes))
	l.play.law, l.play.facts, l.play.ring = opt.Codec, &l.facts, new([ringBytes]byte)
	l.sender = sender{audio: opt.PayloadType, events: opt.DTMFType, send: true}
	l.conn.Expect(opt.PayloadType, opt.DTMFType)
	return l, nil
}

func checkTypes(audio, events uint8) error {
	if audio > 127 || events > 127 || audio == events && events != 0 {
		return fmt.Errorf("payload type %d for sound and %d for events", audio, events)
	}
	return nil
}

// Start implements actors.Leg. The first packet leaves on the call's slot, 20
// to 40 ms from now.
func (l *Leg) Start(sink func(actors.Fact)) {
	l.mu.Lock()
	if l.started || l.closed {
		l.mu.Unlock()
		return
	}
	l.started = true
	l.facts.open(sink)
	s := &l.sender
	s.slot = l.wheel.Join((*sendTask)(l))
	l.hearing = s.slot.Beside((*hearTask)(l))
	s.home = s.slot.Next()
	s.next = s.home
	l.mu.Unlock()
	l.conn.Start(l.arrive)
}

// Close implements actors.Leg. It must not be called from a sink.
func (l *Leg) Close() error {
	l.once.Do(func() {
		l.mu.Lock()
		l.closed = true
		if l.started {
			l.sender.slot.Leave()
			l.hearing.Leave()
		}
		l.mu.Unlock()
		close(l.done)
		// A tick that is under way ends before its lock is had.
		l.out.mu.Lock()
		l.out.dst, l.out.recorder = nil, nil
		l.out.mu.Unlock()
		l.facts.close()
		l.closing = l.conn.Close()
	})
	return l.closing
}

// Stats implements actors.Leg.
func (l *Leg) Stats() actors.LegStats {
	wire := l.conn.Stats()
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	return actors.LegStats{
		Codec:     l.in.law.Name(),
		RateHz:    g711.RateHz,
		Received:  wire.Received,
		Lost:      wire.Lost,
		Late:      l.in.jitter.Stats().Late,
		Sent:      wire.Sent,
		Concealed: l.in.concealed,
		Refused:   wire.Refused + l.in.refused,
		Jitter:    wire.Jitter,
		Late99:    l.late.Quantile(0.99),
	}
}

// Direction says which way sound flows, as SDP names it from our side.
type Direction uint8

// The directions (RFC 8866 6.7).
const (
	SendRecv Direction = iota
	SendOnly           // the peer listens: we hold it
	RecvOnly           // the peer put us on hold
	Inactive
)

// Terms are what an offer and its answer agreed on.
type Terms struct {
	Codec       g711.Law
	PayloadType uint8 // default the codec's static one
	DTMFType    uint8 // 0 for none
	Direction   Direction
}

// Renegotiate follows a re-INVITE. The Conn's remote address is the caller's
// to set, before, by rtp.Conn.SetRemote, which also re-arms its latch. Where we
// may not send, the playout stands still and nothing is sent; where the peer
// does not, its packets are not heard and not missed.
func (l *Leg) Renegotiate(t Terms) error {
	t.PayloadType = cmp.Or(t.PayloadType, t.Codec.PayloadType())
	if err := checkTypes(t.PayloadType, t.DTMFType); err != nil {
		return fmt.Errorf("leg: %w: %w", fault.Invalid, err)
	}
	l.conn.Expect(t.PayloadType, t.DTMFType)
	now := time.Now()

	l.in.mu.Lock()
	l.in.renegotiate(now, t, &l.facts)
	l.in.mu.Unlock()

	l.mu.Lock()
	if t.Codec != l.play.law {
		l.out.convert(l.play.law, t.Codec, &l.sender)
		l.play.convert(t.Codec)
	}
	s := &l.sender
	s.audio, s.events = t.PayloadType, t.DTMFType
	s.send = t.Direction == SendRecv || t.Direction == SendOnly
	s.talking = s.talking && s.send
	l.mu.Unlock()
	l.facts.deliver()
	l.log.Debug("leg renegotiated", "codec", t.Codec.Name())
	return nil
}
