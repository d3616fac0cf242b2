// Package leg is the media of one party of a call: it implements actors.Leg on
// an RTP socket and the shared pacer. It decides nothing about the
// conversation: it tells facts (voice on, digit, position reached) and does as
// it is told (play, duck, pause, flush). Signalling, SDP and whom to call are
// not here.
//
// # What runs where
//
// The reader of the sockets, one thread for many calls, decodes each packet as it
// arrives, asks the VAD, and puts it into the jitter buffer. Two tasks on the
// pacer's wheel do all the rest: one takes a frame from the jitter buffer to the
// recogniser and the recorder, every 20 ms on the call's home slot; one sends a
// packet. While there is nothing to say silence is sent, for callers hang up on a
// line without packets. Packets of Opus are decoded once: what was heard at
// arrival is kept until it is due, and only a gap makes a second decoder.
//
// What comes back of what was sent is told from a caller's voice (media/echo)
// before the VAD hears it, and is silence to the recogniser; the recorder gets
// it as it came.
//
// A talk spurt does not wait: Play itself sends its first packet, at most one
// frame ahead of the home slot; the slot moves with it, and slides back by 2 ms
// a packet while the call is silent. Fact.Wait says what a spurt did wait for.
//
// # Memory
//
// What was heard in the last 6 s is kept for replay: in G.711 as its bytes, 48 kB;
// in G.722 and Opus as the packets that came, 57 and 20 to 30 kB. Another decoder
// hears them again, 43 dB near to the first, and what was lost it conceals again.
// A frame whose packets would take more than its samples in µ-law, whose steps lie
// 37 dB under speech, is kept so, whatever the peer sends: 108 kB at most. What is
// said lies in the wire's own codec in G.711, at 16 kHz in µ-law otherwise, for
// packets cannot be entered at any place, as Resume and Flush want it: up to 5 s
// of it, 41 and 81 kB, while the agent speaks, and nothing while it listens.
//
// With filters and jitter buffer a leg that listens takes 81 kB in G.711, 3 kB of it
// to know an echo by, and 97 in G.722. Opus adds an encoder (44 kB), a store of
// packets, what was heard of them, and a decoder (18 kB), 145 kB in all; for ten
// seconds behind a gap it has one decoder more. A synthesiser at a rate that is no
// multiple of the wire's adds its filter, 42 kB for 22.05 kHz. Nothing is allocated
// for a packet in either direction.
package leg

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/codec"
	"flametree/media/echo"
	"flametree/media/g711"
	"flametree/media/jitter"
	"flametree/media/pacer"
	"flametree/media/pcm"
	"flametree/media/rtp"
	"flametree/media/vad"
)

// Options make a Leg. Conn and Pacer have no default.
type Options struct {
	Conn    *rtp.Conn // the leg starts and closes it; its remote address is already set
	Pacer   *pacer.Wheel
	Terms        // what was agreed on; the Direction is SendRecv until Renegotiate
	Hush    bool // send comfort noise in place of silence where it was agreed on
	NoGuard bool // take our own voice, when it comes back, for somebody's: for tests and measurements
	VAD     vad.Options
	Jitter  jitter.Options
	Log     *slog.Logger // default none
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
	hush  bool
	late  pacer.Histogram
	turn  chan struct{} // held by the Play that writes
	done  chan struct{} // closed by Close
	once  sync.Once

	hearing *pacer.Slot
	closing error
	audible atomic.Uint32 // payload type of sound, for who taps the wire

	mu      sync.Mutex
	play    playout
	mouth   mouth
	gain    pcm.Gain
	fill    *filler
	sender  sender
	waiting chan struct{} // closed when there is room again; nil when nobody waits
	started bool
	closed  bool
}

var _ actors.Leg = (*Leg)(nil)

// New returns a Leg, or fault.Invalid naming every option that is wrong. The
// Conn stays the caller's when New fails.
func New(opt Options) (*Leg, error) {
	var errs []error
	if opt.Conn == nil {
		errs = append(errs, errors.New("no Conn"))
	}
	if opt.Pacer == nil {
		errs = append(errs, errors.New("no Pacer"))
	}
	terms, wire, err := opt.Terms.check()
	errs = append(errs, err)
	// The VAD hears the band of a telephone whatever the codec.
	opt.VAD.RateHz = g711.RateHz
	detector, err := vad.New(opt.VAD)
	errs = append(errs, err)
	l := &Leg{
		conn: opt.Conn, wheel: opt.Pacer, hush: opt.Hush,
		log:  cmp.Or(opt.Log, slog.New(slog.DiscardHandler)),
		turn: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err == nil {
		errs = append(errs, l.open(wire, terms, detector, opt.Jitter))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("leg: %w: %w", fault.Invalid, err)
	}
	if !opt.NoGuard {
		l.in.echo = new(echo.Guard)
	}
	l.expect(wire, terms)
	return l, nil
}

// open makes both ways of sound.
func (l *Leg) open(wire codec.Codec, t Terms, detector *vad.Detector, opt jitter.Options) error {
	if wire.Name == "" { // what is wrong with the terms is said already
		return nil
	}
	if err := l.in.open(wire, t, detector, opt); err != nil {
		return err
	}
	l.out.open(scale(wire))
	mouth, err := newVoice(wire, t.Format)
	if err != nil {
		return err
	}
	l.play.law, l.play.scale, l.play.facts = ringLaw(wire), int64(scale(wire)), &l.facts
	l.play.reel = newReel(reelBytes * scale(wire))
	s := &l.sender
	s.voice, s.send = mouth, true
	s.frame, s.linear = make([]byte, frameBytes*scale(wire)), make([]int16, frameBytes*scale(wire))
	l.agree(t)
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

// Lost tells the sink that nothing can be heard on this line any more, such as
// when no keys could be agreed on: the call ends, rather than stay silent.
func (l *Leg) Lost() {
	l.facts.add(actors.Fact{At: time.Now(), Kind: actors.FactLineEnded, Reason: "media_lost"})
	l.facts.deliver()
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
		Codec:     l.in.wire.codec.Name,
		RateHz:    l.in.wire.codec.RateHz,
		Received:  wire.Received,
		Lost:      wire.Lost,
		Late:      l.in.lateBefore + l.in.wire.late(),
		Sent:      wire.Sent,
		Concealed: l.in.concealed,
		Refused:   wire.Refused + l.in.refused,
		Jitter:    wire.Jitter,
		RoundTrip: wire.RoundTrip,
		Late99:    l.late.Quantile(0.99),
	}
}
