package caller

import (
	"time"

	"flametree/media/impair"
	"flametree/media/pcm"
	"flametree/media/rtp"
)

// backdrop is what is heard behind the caller all the time, again and again.
type backdrop struct {
	pcm []int16
	at  int
}

// mix adds the backdrop to a frame.
func (b *backdrop) mix(f []int16) {
	if len(b.pcm) == 0 {
		return
	}
	for i := range f {
		f[i] = int16(min(max(int(f[i])+int(b.pcm[b.at]), -32768), 32767))
		b.at = (b.at + 1) % len(b.pcm)
	}
}

// track is sound of 8 kHz and when its first sample went out.
type track struct {
	begun time.Time
	pcm   []int16
}

func (t *track) add(at time.Time, f []int16) {
	if t.begun.IsZero() {
		t.begun = at
	}
	t.pcm = append(t.pcm, f...)
}

// Background plays pcm (8 kHz) behind all that is said from now on, over and
// over; nil is silence. It keeps pcm.
func (s *sound) Background(pcm []int16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = backdrop{pcm: pcm}
}

// Sent copies all that was said, with its background, and tells when the first
// sample went out; Options.Keep must be set.
func (s *sound) Sent() (begun time.Time, pcm []int16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mine.begun, append([]int16(nil), s.mine.pcm...)
}

// Carried counts what the road did to the packets, 0 on a good one.
func (s *sound) Carried() impair.Carried {
	if s.road == nil {
		return impair.Carried{}
	}
	return s.road.Carried()
}

// Up waits until nobody has spoken for d: neither the other side, nor we since
// the given time.
func (s *sound) silent(since time.Time, d time.Duration) bool {
	if len(s.heard) == 0 {
		return false
	}
	last, quiet := s.heard[len(s.heard)-1].At, since
	for i := len(s.heard) - 1; i >= 0 && s.heard[i].At.After(quiet); i-- {
		if s.heard[i].Level >= Voiced {
			quiet = s.heard[i].At
		}
	}
	return last.Sub(quiet) >= d
}

// late puts a packet that others overtook into its place, as the buffer of a
// telephone would. A coder that remembers cannot: there it stays a gap.
func (s *sound) late(p *rtp.Packet) {
	at := int(int32(p.Timestamp-s.first)) / s.coder.ticks()
	if !s.phone.keep || s.coder.up != nil || at < 0 || at+frame > len(s.audio) {
		return
	}
	if samples := s.coder.decode(p.Payload); len(samples) == frame && pcm.LevelDB(s.audio[at:at+frame]) < Voiced {
		copy(s.audio[at:], samples)
	}
}

// speaking is for how long the other side has been speaking, 0 when the newest
// packet is none of speech.
func (s *sound) speaking(since time.Time, gap time.Duration) time.Duration {
	n := len(s.heard)
	if n == 0 || s.heard[n-1].Level < Voiced {
		return 0
	}
	last := s.heard[n-1].At
	begun := last
	for i := n - 1; i >= 0 && !s.heard[i].At.Before(since) && begun.Sub(s.heard[i].At) < gap; i-- {
		if s.heard[i].Level >= Voiced {
			begun = s.heard[i].At
		}
	}
	return last.Sub(begun)
}
