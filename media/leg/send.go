package leg

import (
	"fmt"
	"time"

	"flametree/engine/fault"
	"flametree/media/dtmf"
	"flametree/media/pacer"
	"flametree/media/rtp"
)

const (
	slide   = 2 * time.Millisecond // back towards the home slot, a silent packet
	maxKeys = 32                   // waiting to be pressed
)

// sender is the state of sending, guarded by the leg's mutex.
type sender struct {
	audio, events uint8
	quiet         uint8 // payload type of comfort noise, 0 for none
	dtmfHz        int
	send          bool
	voice         voice
	slot          *pacer.Slot
	home          time.Time // when the next packet would be due had no spurt come early
	next          time.Time // when it is due
	stamp         uint32
	begun         bool // a packet was sent
	talking       bool // the last packet was speech
	silent        int  // frames without speech since then
	hushed        [1]byte
	frame         []byte
	linear        []int16
	copies        copies
	keys          []key
	pressing      dtmf.Encoder
	touch         [4]byte // the payload that is being sent
	pressed       uint32  // timestamp of the key that is down
}

type key struct {
	digit  byte
	length time.Duration
}

// sendTask is the pacer's task of sending.
type sendTask Leg

// Tick implements pacer.Task.
func (s *sendTask) Tick(now, due time.Time, missed int) {
	l := (*Leg)(s)
	l.mu.Lock()
	// A spurt may have started early after the wheel had picked this tick.
	if !l.closed && !due.Before(l.sender.next) {
		l.late.Add(now.Sub(due))
		l.sender.skip(missed)
		l.sentNone(missed)
		if next := l.packet(now, due); !next.Equal(due.Add(pacer.Period)) {
			l.sender.slot.Move(next)
		}
		l.wakePlay()
	}
	l.mu.Unlock()
	l.facts.deliver()
}

// skip moves the clock on over packets that were never sent (RFC 3550 5.1: the
// timestamp is the sampling instant).
func (s *sender) skip(missed int) {
	s.stamp += uint32(missed) * s.voice.ticks
	s.home = s.home.Add(time.Duration(missed) * pacer.Period)
}

// kick sends the first packet of a spurt at once, if the line is silent and
// that is no more than a frame early.
func (l *Leg) kick(now time.Time) {
	s := &l.sender
	if !l.started || l.closed || !s.send || s.talking || s.busy() || !l.play.ready() || !l.conn.Ready() {
		return
	}
	if now.Before(s.home.Add(-pacer.Period)) {
		return
	}
	s.slot.Move(l.packet(now, now))
}

func (s *sender) busy() bool { return len(s.keys) > 0 || s.pressing.Busy() }

// packet sends whatever is due and says when the next packet is.
func (l *Leg) packet(now, due time.Time) time.Time {
	s := &l.sender
	next := due.Add(pacer.Period)
	s.home = s.home.Add(pacer.Period)
	switch {
	case !s.send, !l.conn.Ready(): // until packets can be sealed, what is to be said waits
		s.talking = false
		l.sentNone(1)
	case s.event(now, l.conn):
		s.talking = false
		l.sentNone(1)
	default:
		l.sound(now)
	}
	s.stamp += s.voice.ticks
	if !s.talking && next.Before(s.home) {
		next = next.Add(slide)
		if next.After(s.home) {
			next = s.home
		}
	}
	s.next = next
	return next
}

// sound sends a frame of speech, or of silence when there is none.
func (l *Leg) sound(now time.Time) {
	s := &l.sender
	n := l.play.take(s.frame)
	switch {
	case n == 0 && l.filled():
		s.silent = 0
	case n == 0:
		for i := range s.frame {
			s.frame[i] = l.play.law.Idle()
		}
		s.silent++
	default:
		s.silent = 0
		if !l.gain.Idle() {
			l.play.law.Decode(s.linear, s.frame)
			l.gain.Apply(s.linear)
			l.play.law.Encode(s.frame, s.linear)
		}
	}
	// The marker begins a talk spurt (RFC 3551 4.1).
	head := rtp.Head{Marker: !s.begun || n > 0 && !s.talking, PayloadType: s.audio, Timestamp: s.stamp}
	s.talking = n > 0
	payload := s.frame
	switch {
	case s.quiet != 0 && s.silent > hushAfter:
		head.PayloadType = s.quiet
		payload = s.hush()
	case s.voice.encoder != nil:
		l.play.law.Decode(s.linear, s.frame)
		payload = s.voice.encode(s.linear, l.conn)
	}
	if len(payload) > 0 {
		l.conn.Write(now, head, payload)
		s.begun = true
	}
	s.copies.push(s.frame)
	l.echoes()
	if n > 0 {
		l.play.gone(now, n)
	}
}

// echoes shows the guard what was sent just now, as a telephone would carry it.
func (l *Leg) echoes() {
	if l.in.echo == nil {
		return
	}
	s := &l.sender
	l.play.law.Decode(s.linear, s.frame)
	frame := s.linear
	if len(frame) > frameBytes {
		for i := range frameBytes {
			frame[i] = int16((int(frame[2*i]) + int(frame[2*i+1])) / 2)
		}
		frame = frame[:frameBytes]
	}
	l.in.echo.Sent(frame)
}

// sentNone tells the guard that n packets of sound were not sent in their time.
func (l *Leg) sentNone(n int) {
	if n > 0 && l.in.echo != nil {
		l.in.echo.SentNone(n)
	}
}

// event sends a telephone event in a frame's place, if a key is down.
func (s *sender) event(now time.Time, conn *rtp.Conn) bool {
	if !s.pressing.Busy() && len(s.keys) > 0 {
		k := s.keys[0]
		s.keys = append(s.keys[:0], s.keys[1:]...)
		if err := s.pressing.Press(k.digit, k.length, s.dtmfHz); err != nil {
			panic("leg: a key that was checked is none: " + err.Error())
		}
	}
	p, ok := s.pressing.Next()
	if !ok {
		return false
	}
	if p.Marker {
		s.pressed = s.stamp // held for the whole event, also when packets are missed
	}
	s.touch = p.Payload // a packet of its own would be memory for each
	conn.Write(now, rtp.Head{Marker: p.Marker, PayloadType: s.events, Timestamp: s.pressed + p.Ahead}, s.touch[:])
	s.begun = true
	return true
}

// Press sends a key as telephone events (RFC 4733), after those pressed before
// it; length 0 means 160 ms. Speech waits meanwhile. It fails with
// fault.Invalid for what is no key or when no events were negotiated, with
// fault.Exhausted when too many keys wait.
func (l *Leg) Press(digit byte, length time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sender.events == 0 {
		return fmt.Errorf("leg: press %q: the peer takes no telephone events: %w", string(rune(digit)), fault.Invalid)
	}
	if _, ok := dtmf.Code(digit); !ok {
		return fmt.Errorf("leg: %q is not a key: %w", string(rune(digit)), fault.Invalid)
	}
	if len(l.sender.keys) >= maxKeys {
		return fmt.Errorf("leg: %d keys are waiting: %w", maxKeys, fault.Exhausted)
	}
	l.sender.keys = append(l.sender.keys, key{digit, length})
	return nil
}

// wakePlay lets a waiting Play go on when 400 ms fit again.
func (l *Leg) wakePlay() {
	if l.waiting != nil && l.play.drained() {
		close(l.waiting)
		l.waiting = nil
	}
}

// Duck implements actors.Leg.
func (l *Leg) Duck(db float64) {
	l.mu.Lock()
	l.gain.Set(db)
	l.mu.Unlock()
}

// Pause implements actors.Leg.
func (l *Leg) Pause(gen uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.play.pause(gen)
	if l.play.held() {
		l.sender.talking = false // what comes next is a spurt of its own
	}
}

// Resume implements actors.Leg.
func (l *Leg) Resume(gen uint64, from time.Duration) {
	l.mu.Lock()
	now := time.Now()
	l.play.resume(now, gen, from)
	l.kick(now)
	l.mu.Unlock()
	l.facts.deliver()
}

// Flush implements actors.Leg. No packet of what it dropped leaves after it
// returns.
func (l *Leg) Flush(gen uint64) time.Duration {
	l.mu.Lock()
	played := l.play.length(l.play.flush(gen))
	if !l.play.ready() {
		l.sender.talking = false
	}
	if l.waiting != nil {
		close(l.waiting)
		l.waiting = nil
	}
	l.mu.Unlock()
	return played
}

// Played implements actors.Leg. After a Resume it is still the furthest place
// that was ever sent.
func (l *Leg) Played(gen uint64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.play.length(l.play.reached(gen))
}

// Mark implements actors.Leg.
func (l *Leg) Mark(gen, mark uint64) {
	l.mu.Lock()
	l.play.mark(time.Now(), gen, mark)
	l.mu.Unlock()
	l.facts.deliver()
}

// End implements actors.Leg. What is left of a frame is filled with silence.
func (l *Leg) End(gen uint64) {
	l.mu.Lock()
	now := time.Now()
	l.play.end(now, gen)
	l.kick(now)
	l.mu.Unlock()
	l.facts.deliver()
}
