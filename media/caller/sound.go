package caller

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/impair"
	"flametree/media/pcm"
	"flametree/media/rtp"
	"flametree/media/sip"
)

const (
	frame     = 160 // samples of 20 ms
	frameTime = 20 * time.Millisecond
)

// Voiced is the level in dB (of 16-bit samples) from which a packet counts as speech.
const Voiced = 35

// Packet is one packet that was heard.
type Packet struct {
	At    time.Time // arrival, by the kernel
	Level float64   // dB
	Stamp uint32    // RTP timestamp
	Lost  int       // packets missing before it
}

// sound is the media of one call.
type sound struct {
	phone *Phone
	conn  *rtp.Conn
	coder *voice
	kind  uint8
	once  sync.Once
	err   error
	seat  *seat
	road  *impair.Road // nil: a good one

	mu      sync.Mutex
	changed *sync.Cond
	heard   []Packet
	audio   []int16 // 8 kHz, silence where packets are missing
	first   uint32  // timestamp of audio[0]
	last    uint16  // sequence number
	any     bool
	lost    int
	say     []int16 // what is still to be said
	said    []Said
	stamp   uint32
	sent    int
	reason  string
	gone    bool
	keys    keys
	behind  backdrop
	room    room
	mine    track
}

// Said is one utterance of ours, as it went out.
type Said struct{ First, Last time.Time }

func (p *Phone) media(m sip.MediaParams) (sip.Media, error) {
	at := m.Local
	if !at.IsValid() || at.IsUnspecified() {
		at = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	conn, err := p.ports.Open(at)
	if err != nil {
		return nil, err
	}
	s := &sound{phone: p, conn: conn}
	s.changed = sync.NewCond(&s.mu)
	if !p.weather.Zero() {
		if s.road, err = impair.Open(at, conn.Local(), p.weather); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	if err := s.Renegotiate(m); err != nil {
		return nil, errors.Join(err, s.leave())
	}
	conn.Start(s.hear)
	s.seat = p.clock.join(s)
	return s, nil
}

// Renegotiate implements sip.Media.
func (s *sound) Renegotiate(m sip.MediaParams) error {
	v, err := newVoice(m.Codec, m.Format)
	if err != nil {
		return err
	}
	events := m.DTMFType
	if events == 255 {
		events = 0
	}
	s.mu.Lock()
	s.kind = m.PayloadType
	s.keys.kind, s.keys.rateHz = events, m.DTMFHz
	if s.coder == nil || s.coder.codec.Name != v.codec.Name {
		s.coder = v
		s.any = false // its clock may be another
	}
	s.mu.Unlock()
	s.conn.Expect(m.PayloadType, events)
	s.conn.SetClock(v.codec.ClockHz)
	switch {
	case !m.Remote.IsValid():
	case s.road != nil:
		s.road.Far(m.Remote)
		s.conn.SetRemote(s.road.Addr())
	default:
		s.conn.SetRemote(m.Remote)
	}
	return nil
}

// Port implements sip.Media.
func (s *sound) Port() int {
	if s.road != nil {
		return int(s.road.Addr().Port())
	}
	return int(s.conn.Local().Port())
}

// Leg implements sip.Media: there is none.
func (s *sound) Leg() actors.Leg { return nil }

// Close implements sip.Media.
func (s *sound) Close() error {
	s.once.Do(func() {
		s.phone.clock.leave(s.seat)
		s.err = s.leave()
		s.end("closed")
	})
	return s.err
}

// leave closes what carries the packets.
func (s *sound) leave() error {
	err := s.conn.Close()
	if s.road != nil {
		err = errors.Join(err, s.road.Close())
	}
	return err
}

func (s *sound) end(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gone {
		s.gone, s.reason = true, reason
	}
	s.changed.Broadcast()
}

func (s *sound) hear(p *rtp.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.PayloadType != s.kind || len(p.Payload) == 0 {
		return
	}
	lost := 0
	if s.any {
		lost = int(int16(p.Sequence-s.last)) - 1
		if lost < 0 {
			s.late(p)
			return
		}
	} else {
		s.first, s.any = p.Timestamp-uint32(len(s.audio)*s.coder.ticks()), true
	}
	s.last = p.Sequence
	s.lost += lost
	samples := s.coder.decode(p.Payload)
	s.heard = append(s.heard, Packet{At: p.At, Level: pcm.LevelDB(samples), Stamp: p.Timestamp, Lost: lost})
	if s.phone.keep {
		at := int(int32(p.Timestamp-s.first)) / s.coder.ticks()
		for at > len(s.audio) && at < len(s.audio)+60*RateHz {
			s.audio = append(s.audio, 0)
		}
		if at == len(s.audio) {
			s.audio = append(s.audio, samples...)
		}
	}
	s.changed.Broadcast()
}

// tick sends one packet; the clock calls it every 20 ms.
func (s *sound) tick(now time.Time) {
	var f [frame]int16
	s.mu.Lock()
	kind, stamp := s.kind, s.stamp
	s.stamp += uint32(frame * s.coder.ticks())
	talking := len(s.say) > 0
	if talking {
		n := copy(f[:], s.say)
		s.say = s.say[n:]
	}
	s.behind.mix(f[:])
	s.room.mix(f[:], s.audio)
	head, payload := rtp.Head{PayloadType: kind, Timestamp: stamp}, s.coder.encode(f[:])
	if h, key, ok := s.keys.next(stamp); ok {
		head, payload = h, key
	}
	s.mu.Unlock()
	if !s.conn.Write(now, head, payload) {
		return
	}
	sent := time.Now()
	s.mu.Lock()
	s.sent++
	if s.phone.keep {
		s.mine.add(sent, f[:])
	}
	if s.keys.idle() {
		s.changed.Broadcast()
	}
	if talking {
		if n := len(s.said); n > 0 {
			u := &s.said[n-1]
			if u.First.IsZero() {
				u.First = sent
			}
			u.Last = sent
		}
		if len(s.say) == 0 {
			s.changed.Broadcast()
		}
	}
	s.mu.Unlock()
}

// Say says pcm (8 kHz) and returns when it was sent.
func (s *sound) Say(ctx context.Context, samples []int16) (Said, error) {
	s.mu.Lock()
	s.say = append(s.say, samples...)
	s.said = append(s.said, Said{})
	n := len(s.said) - 1
	s.mu.Unlock()
	err := s.until(ctx, func() bool { return len(s.say) == 0 && !s.said[n].Last.IsZero() })
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said[n], err
}

// until waits for cond, which is asked with the lock held.
func (s *sound) until(ctx context.Context, cond func() bool) error {
	stop := context.AfterFunc(ctx, func() { s.mu.Lock(); defer s.mu.Unlock(); s.changed.Broadcast() })
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !cond() {
		switch {
		case s.gone:
			return fmt.Errorf("the call has ended (%s): %w", s.reason, fault.Unavailable)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		s.changed.Wait()
	}
	return nil
}

// WaitVoice waits until the other side has spoken for d since the given time:
// speech is packets over Voiced, gaps of under 300 ms included.
func (s *sound) WaitVoice(ctx context.Context, since time.Time, d time.Duration) error {
	return s.until(ctx, func() bool { return s.voice(since) >= d })
}

// WaitQuiet waits until the other side has spoken since the given time and
// then been silent for d.
func (s *sound) WaitQuiet(ctx context.Context, since time.Time, d time.Duration) error {
	return s.until(ctx, func() bool {
		if len(s.heard) == 0 {
			return false
		}
		last := s.heard[len(s.heard)-1].At
		for _, p := range slices.Backward(s.heard) {

			if p.At.Before(since) {
				return false
			}
			if p.Level >= Voiced {
				return last.Sub(p.At) >= d
			}
		}
		return false
	})
}

func (s *sound) voice(since time.Time) time.Duration {
	var begun, last time.Time
	for _, p := range slices.Backward(s.heard) {

		if p.At.Before(since) {
			break
		}
		if p.Level < Voiced {
			continue
		}
		if !begun.IsZero() && begun.Sub(p.At) > 300*time.Millisecond {
			break
		}
		if last.IsZero() {
			last = p.At
		}
		begun = p.At
	}
	return last.Sub(begun)
}

// Heard copies the packets that arrived since the given time.
func (s *sound) Heard(since time.Time) []Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.heard {
		if !p.At.Before(since) {
			return append([]Packet(nil), s.heard[i:]...)
		}
	}
	return nil
}

// Audio copies all that was heard; Options.Keep must be set.
func (s *sound) Audio() []int16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int16(nil), s.audio...)
}

// Totals reports packets sent, received and lost so far.
func (s *sound) Totals() (sent, received, lost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent, len(s.heard), s.lost
}

// Reason is how the call ended, "" while it goes on.
func (s *sound) Reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// WaitSilence waits until nobody has spoken for d: neither the other side, nor
// we since the given time.
func (s *sound) WaitSilence(ctx context.Context, since time.Time, d time.Duration) error {
	return s.until(ctx, func() bool { return s.silent(since, d) })
}

// WaitSpeaking waits until the other side has been speaking for d since the
// given time and does so now; gaps up to the given one, as between two
// sentences, are part of it.
func (s *sound) WaitSpeaking(ctx context.Context, since time.Time, d, gap time.Duration) error {
	return s.until(ctx, func() bool { return s.speaking(since, gap) >= d })
}
