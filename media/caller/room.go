package caller

import "time"

// Room is what a telephone without a headset stands in: what its loudspeaker
// plays comes back in what it sends.
type Room struct {
	Gain  float64       // 1 = as loud as it came; 0 = nothing comes back
	Delay time.Duration // in the telephone: from a packet's arrival until it is heard in what is sent, in whole frames
	Paths []Path
}

// Path is one way through a room.
type Path struct {
	Samples int // how much later than the first it arrives, at 8 kHz
	Share   float64
}

// Stand puts the telephone into a room; Options.Keep must be set. It keeps r.
func (s *sound) Stand(r Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room = room{Room: r}
}

// room plays what was heard, each frame at its time: what has not come by then
// is a gap, and nothing after it is later for that.
type room struct {
	Room
	on bool
	at int // sample of what was heard that the next frame begins with
}

// mix adds what comes back to a frame.
func (r *room) mix(f, heard []int16) {
	if r.Gain == 0 || len(heard) == 0 {
		return
	}
	if !r.on {
		r.on, r.at = true, len(heard)-(1+int(r.Delay/frameTime))*frame
	}
	from := r.at
	r.at += len(f)
	for i := range f {
		v := 0.0
		for _, p := range r.Paths {
			if at := from + i - p.Samples; at >= 0 && at < len(heard) {
				v += p.Share * float64(heard[at])
			}
		}
		f[i] = int16(min(max(float64(f[i])+v*r.Gain, -32768), 32767))
	}
}
