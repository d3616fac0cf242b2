package turns

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/g711"
	"flametree/media/pcm"
	"flametree/media/sip"
)

const (
	rateHz    = 8000
	frameSize = 160 // samples of 20 ms
	frameTime = 20 * time.Millisecond
	// voiced is the level in dB from which a packet of the agent counts as sound.
	voiced = 35
)

// line is a caller's half of the media: PCMU over its own socket, with a bed of
// noise under everything, sounds mixed in where they are put, and packets lost
// by chance. It notes when each of its frames left.
type line struct {
	conn   *net.UDPConn
	begun  time.Time     // when its first frame was to leave
	ended  chan struct{} // closed when both goroutines are to end
	once   sync.Once
	done   sync.WaitGroup
	chance *rand.Rand

	mu     sync.Mutex
	peer   *net.UDPAddr
	sounds []placed
	noise  []int16 // repeated for ever; nil: digital silence
	loss   float64
	left   []time.Time // of each frame
	heard  []packet
	change *sync.Cond
	lost   int // packets that were kept back
	late   int // packets that left a packet's time late or later
	latest time.Duration
}

// placed is a sound from sample at on.
type placed struct {
	at  int
	pcm []int16
}

// packet is one of the agent's.
type packet struct {
	at    time.Time
	level float64
}

// newLine implements sip.Options.NewMedia.
func newLine(m sip.MediaParams) (sip.Media, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("caller's socket: %w: %w", fault.Unavailable, err)
	}
	l := &line{conn: conn, begun: time.Now(), ended: make(chan struct{}), chance: rand.New(rand.NewPCG(1, uint64(conn.LocalAddr().(*net.UDPAddr).Port)))}
	l.change = sync.NewCond(&l.mu)
	if err := l.Renegotiate(m); err != nil {
		return nil, err
	}
	l.done.Go(l.send)
	l.done.Go(l.hear)
	return l, nil
}

// Port implements sip.Media.
func (l *line) Port() int { return l.conn.LocalAddr().(*net.UDPAddr).Port }

// Renegotiate implements sip.Media.
func (l *line) Renegotiate(m sip.MediaParams) error {
	if m.Codec != "" && m.Codec != "PCMU" {
		return fmt.Errorf("codec %s: %w: the callers speak PCMU", m.Codec, fault.Invalid)
	}
	if m.Remote.IsValid() {
		l.mu.Lock()
		l.peer = net.UDPAddrFromAddrPort(m.Remote)
		l.mu.Unlock()
	}
	return nil
}

// Leg implements sip.Media: there is none.
func (l *line) Leg() actors.Leg { return nil }

// Close implements sip.Media. It waits for both goroutines.
func (l *line) Close() error {
	var err error
	l.once.Do(func() {
		close(l.ended)
		err = l.conn.Close()
		l.done.Wait()
		l.mu.Lock()
		l.change.Broadcast()
		l.mu.Unlock()
	})
	return err
}

// send sends a frame every 20 ms until the line is closed.
func (l *line) send() {
	var head [12]byte
	head[0] = 0x80 // RFC 3550 5.1: version 2, payload type 0 is PCMU
	binary.BigEndian.PutUint32(head[8:], l.chance.Uint32())
	var frame [frameSize]int16
	out := make([]byte, len(head)+frameSize)
	t := time.NewTimer(0)
	defer t.Stop()
	for n := 0; ; n++ {
		due := l.begun.Add(time.Duration(n) * frameTime)
		t.Reset(time.Until(due))
		select {
		case <-l.ended:
			return
		case <-t.C:
		}
		binary.BigEndian.PutUint16(head[2:], uint16(n))
		binary.BigEndian.PutUint32(head[4:], uint32(n*frameSize))
		l.mu.Lock()
		l.mix(n*frameSize, frame[:])
		peer, drop := l.peer, l.chance.Float64() < l.loss
		now := time.Now()
		l.left = append(l.left, now)
		if late := now.Sub(due); late >= frameTime {
			l.late, l.latest = l.late+1, max(l.latest, late)
		}
		if drop {
			l.lost++
		}
		l.mu.Unlock()
		if drop || peer == nil {
			continue
		}
		copy(out, head[:])
		g711.MuLaw.Encode(out[len(head):], frame[:])
		_, _ = l.conn.WriteToUDP(out, peer) // a packet that does not go is lost, as on any network
	}
}

// mix fills the frame that begins at a sample; the mutex is held.
func (l *line) mix(at int, frame []int16) {
	for i := range frame {
		frame[i] = 0
		if len(l.noise) > 0 {
			frame[i] = l.noise[(at+i)%len(l.noise)]
		}
	}
	kept := l.sounds[:0]
	for _, s := range l.sounds {
		for i := max(at, s.at); i < min(at+len(frame), s.at+len(s.pcm)); i++ {
			frame[i-at] = pcm.Clip(float32(frame[i-at]) + float32(s.pcm[i-s.at]))
		}
		if s.at+len(s.pcm) > at+len(frame) {
			kept = append(kept, s)
		}
	}
	l.sounds = kept
}

// hear notes the agent's packets until the socket is closed.
func (l *line) hear() {
	buf := make([]byte, 2048)
	samples := make([]int16, len(buf))
	for {
		n, err := l.conn.Read(buf)
		if err != nil {
			return
		}
		at := time.Now()
		if n <= 12 || buf[0]>>6 != 2 || buf[1]&0x7f != 0 {
			continue // RTCP, or nothing of ours
		}
		g711.MuLaw.Decode(samples, buf[12:n])
		l.mu.Lock()
		l.heard = append(l.heard, packet{at: at, level: pcm.LevelDB(samples[:n-12])})
		l.change.Broadcast()
		l.mu.Unlock()
	}
}

// put mixes a sound in, from the next frame on or after a delay, and returns
// the sample at which it begins.
func (l *line) put(sound []int16, after time.Duration) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := len(l.left)*frameSize + pcm.Samples(after, rateHz)
	l.sounds = append(l.sounds, placed{at: at, pcm: sound})
	return at
}

// when is the instant at which a sample left, or will if nothing is late.
func (l *line) when(sample int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := sample / frameSize; n < len(l.left) {
		return l.left[n].Add(pcm.Length(int64(sample-n*frameSize), rateHz))
	}
	return l.begun.Add(pcm.Length(int64(sample), rateHz))
}

// until waits for cond, which is asked after every packet of the agent with the
// mutex held. It reports false when ctx ended or the line was closed first.
func (l *line) until(ctx context.Context, cond func() bool) bool {
	stop := context.AfterFunc(ctx, func() { l.mu.Lock(); defer l.mu.Unlock(); l.change.Broadcast() })
	defer stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !cond() {
		select {
		case <-l.ended:
			return false
		case <-ctx.Done():
			return false
		default:
		}
		l.change.Wait()
	}
	return true
}

// onset is when the agent was first heard at or after since; the mutex is held.
func (l *line) onset(since time.Time) (time.Time, bool) {
	for i := len(l.heard) - 1; i >= 0 && !l.heard[i].at.Before(since); i-- {
		if l.heard[i].level < voiced {
			continue
		}
		first := l.heard[i].at
		for j := i - 1; j >= 0 && !l.heard[j].at.Before(since); j-- {
			if l.heard[j].level >= voiced {
				first = l.heard[j].at
			}
		}
		return first, true
	}
	return time.Time{}, false
}

// quiet reports whether the agent was heard since and then not for d; the mutex
// is held.
func (l *line) quiet(since time.Time, d time.Duration) bool {
	if len(l.heard) == 0 {
		return false
	}
	last := l.heard[len(l.heard)-1].at
	for i := len(l.heard) - 1; i >= 0 && !l.heard[i].at.Before(since); i-- {
		if l.heard[i].level >= voiced {
			return last.Sub(l.heard[i].at) >= d
		}
	}
	return false
}

// spurts are the agent's stretches of sound; gaps under 100 ms do not part them.
func (l *line) spurts() []span {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []span
	for _, p := range l.heard {
		if p.level < voiced {
			continue
		}
		if n := len(out); n > 0 && p.at.Sub(out[n-1].to) < 100*time.Millisecond {
			out[n-1].to = p.at
			continue
		}
		out = append(out, span{p.at, p.at})
	}
	return out
}

// span is a stretch of time.
type span struct{ from, to time.Time }
