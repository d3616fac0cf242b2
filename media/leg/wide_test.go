package leg

import (
	"context"
	"math"
	"testing"
	"time"

	"flametree/actors"
	"flametree/media/codec"
	"flametree/media/dtmf"
	"flametree/media/g711"
	"flametree/media/pacer"
	"flametree/media/rtp"
)

// ours is an entry of the list.
func ours(t testing.TB, name string) codec.Codec {
	t.Helper()
	c, err := codec.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAWideToneIsHeardAtItsPitchAndLevel(t *testing.T) {
	for _, name := range []string{"opus", "G722"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			a, b := h.call(func(o *Options) { o.Codec = name })
			e := newEar()
			b.Hear(e.hear, 0)
			// What no telephone carries: 5 kHz beside 1 kHz.
			sound := tone(1500*ms, 1000, 16000, 6000)
			for i, s := range tone(1500*ms, 5000, 16000, 6000) {
				sound[i] += s
			}
			if err := a.Play(t.Context(), 1, sound, 16000); err != nil {
				t.Fatal(err)
			}
			a.End(1)
			talking, drained := a.wait(t, actors.FactTalking), a.wait(t, actors.FactDrained)
			if drained.Played != 1500*ms || drained.Gen != 1 || talking.Gen != 1 {
				t.Errorf("talking %+v, drained %+v", talking, drained)
			}
			samples := e.await(t, 80)
			// Opus is not made for tones: above the telephone it need only be there,
			// where a narrow leg would have nothing.
			for hz, most := range map[float64]float64{1000: 3, 5000: 10} {
				middle := clearest(samples, hz, 16000)
				if off := db(strength(middle, hz, 16000) / 6000); math.Abs(off) > most {
					t.Errorf("the tone of %.0f Hz is %.1f dB off", hz, off)
				}
			}
			b.wait(t, actors.FactVoiceOn)
			s := b.Stats()
			if s.Codec != name || s.RateHz != 16000 || s.Received == 0 || s.Lost != 0 || s.Refused != 0 {
				t.Errorf("stats %+v", s)
			}
			if s.Jitter > 60*ms {
				t.Errorf("jitter of %v: its clock is another", s.Jitter)
			}
		})
	}
}

func TestDigitsCrossBesideOpus(t *testing.T) {
	for name, hz := range map[string]int{"at the clock of the sound": 48000, "at that of the telephone": 8000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			a, b := h.call(func(o *Options) { o.Codec, o.DTMFHz = "opus", hz })
			if err := a.Press('5', 100*ms); err != nil {
				t.Fatal(err)
			}
			if f := b.wait(t, actors.FactDigit); f.Digit != '5' || f.Length != 100*ms {
				t.Errorf("told %c for %v, want 5 for 100ms", f.Digit, f.Length)
			}
		})
	}
}

// At 48 kHz a segment ends after 1.37 s (RFC 4733 2.5.1.3); the key goes on.
func TestAKeyHeldLongBesideOpusIsOneKey(t *testing.T) {
	h := newHouse(t)
	if err := h.wheel.Close(); err != nil {
		t.Fatal(err)
	}
	s := h.leg(func(o *Options) { o.Codec = "opus" })
	p := newPhone(t, s)
	s.start()
	if err := s.Press('#', 3*time.Second); err != nil {
		t.Fatal(err)
	}
	d := dtmf.NewDecoder(48000)
	var told []dtmf.Digit
	for now, n := s.sender.home, 0; n < 160; n++ {
		(*sendTask)(s.Leg).Tick(now, now, 0)
		now = now.Add(20 * ms)
		got := p.next()
		if got.PayloadType != 101 {
			continue
		}
		var err error
		if told, err = d.Push(now, got.Timestamp, got.Marker, got.payload, told); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || told[0] != (dtmf.Digit{Key: '#', Length: 3 * time.Second}) {
		t.Errorf("told %v, want # for 3s", told)
	}
}

// The change is heard by the phone: each of its packets before and after it
// carries the tone, and none but the one at the change is off by much.
func TestACodecChangesInTheMiddleOfSpeech(t *testing.T) {
	ways := [][2]string{{"PCMU", "G722"}, {"G722", "PCMA"}, {"PCMA", "opus"}, {"opus", "G722"}, {"opus", "PCMU"}}
	for _, way := range ways {
		t.Run(way[0]+" to "+way[1], func(t *testing.T) {
			t.Parallel()
			from, to := ours(t, way[0]), ours(t, way[1])
			h := newHouse(t)
			s := h.leg(func(o *Options) { o.Codec = way[0] })
			p := newPhone(t, s)
			s.start()
			go func() { _ = s.Play(context.Background(), 1, tone(20*time.Second, 440, 16000, 8000), 16000) }()
			line := newReceiver(t, from)
			for range 40 {
				line.take(p.next())
			}
			s.Mark(1, 9)
			before := s.Played(1)
			if err := s.Renegotiate(Terms{Codec: way[1], DTMFType: 101}); err != nil {
				t.Fatal(err)
			}
			if d := s.Played(1) - before; d < 0 || d > 200*ms {
				t.Errorf("%v were played before the change and %v after it", before, before+d)
			}
			after := newReceiver(t, to)
			for n := 0; n < 60; {
				got := p.next()
				if got.PayloadType == from.PayloadType && n == 0 {
					line.take(got)
					continue
				}
				if got.PayloadType != to.PayloadType {
					t.Fatalf("a packet of type %d", got.PayloadType)
				}
				after.take(got)
				n++
			}
			for name, r := range map[string]*receiver{"before": line, "after": after} {
				// The first frames are the codec's own beginning.
				weak := 0
				for at := 10 * r.frame; at+r.frame <= len(r.samples); at += r.frame {
					if off := db(strength(r.samples[at:at+r.frame], 440, r.hz) / 8000); math.Abs(off) > 2 {
						weak++
					}
				}
				if weak > 1 {
					t.Errorf("%s the change %d frames have another level", name, weak)
				}
			}
			if st := s.Stats(); st.Codec != to.Name || st.RateHz != to.RateHz {
				t.Errorf("stats say %s at %d Hz", st.Codec, st.RateHz)
			}
			pause(t, s, p)
		})
	}
}

// pause stops the speech and sees that Resume still finds its place.
func pause(t *testing.T, s *side, p *phone) {
	t.Helper()
	s.Pause(1)
	at := s.Played(1)
	s.Resume(1, at-time.Second)
	for range 10 {
		p.next()
	}
	if got := s.Played(1); got != at {
		t.Errorf("%v were played at the pause, %v ten packets after going back a second", at, got)
	}
	played := s.Flush(1)
	if played != at {
		t.Errorf("flushed at %v, want %v", played, at)
	}
}

// receiver decodes what a phone gets.
type receiver struct {
	t       *testing.T
	decoder codec.Decoder
	samples []int16
	frame   int
	hz      float64
}

func newReceiver(t *testing.T, c codec.Codec) *receiver {
	t.Helper()
	d, err := c.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	return &receiver{t: t, decoder: d, frame: c.RateHz / 50, hz: float64(c.RateHz)}
}

func (r *receiver) take(p packet) {
	r.t.Helper()
	var buf [codec.MaxSamples]int16
	n, err := r.decoder.Decode(buf[:], p.payload)
	if err != nil {
		r.t.Fatal(err)
	}
	r.samples = append(r.samples, buf[:n]...)
}

func TestARecordingKeepsItsRateThroughAChangeOfCodec(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b := h.call(nil)
	tape := &sides{grown: make(chan struct{}, 1000)}
	b.Record(tape)
	if err := a.Play(t.Context(), 1, tone(1500*ms, 600, 16000, 8000), 16000); err != nil {
		t.Fatal(err)
	}
	if err := b.Play(t.Context(), 1, tone(1500*ms, 1400, 16000, 8000), 16000); err != nil {
		t.Fatal(err)
	}
	tape.wait(t, 30)
	for _, s := range []*side{a, b} {
		if err := s.Renegotiate(Terms{Codec: "G722", DTMFType: 101}); err != nil {
			t.Fatal(err)
		}
	}
	tape.wait(t, 40)
	b.Record(nil)
	b.out.mu.Lock()
	defer b.out.mu.Unlock()
	if tape.most > 161 {
		t.Errorf("a frame of %d samples in a recording of 8 kHz", tape.most)
	}
	for name, c := range map[string]struct {
		s  []int16
		hz float64
	}{"left": {tape.left, 600}, "right": {tape.right, 1400}} {
		late := clearest(c.s[45*160:], c.hz, 8000)
		if off := db(strength(late, c.hz, 8000) / 8000); math.Abs(off) > 1.5 {
			t.Errorf("%s: after the change its tone is %.1f dB off", name, off)
		}
	}
}

// sides is a recorder in memory.
type sides struct {
	left, right []int16
	most        int
	grown       chan struct{}
}

func (s *sides) Frame(left, right []int16) {
	s.most = max(s.most, len(left), len(right))
	s.left = append(s.left, pad(left)...)
	s.right = append(s.right, pad(right)...)
	select {
	case s.grown <- struct{}{}:
	default:
	}
}

func pad(s []int16) []int16 {
	out := make([]int16, 160)
	copy(out, s)
	return out
}

func (s *sides) wait(t *testing.T, frames int) {
	t.Helper()
	deadline := time.After(patience)
	for range frames {
		select {
		case <-s.grown:
		case <-deadline:
			t.Fatal("no frame came")
		}
	}
}

func (*sides) Pause(bool) {}

func (*sides) Close() (actors.Recording, error) { return actors.Recording{}, nil }

// coded is a packet of a tone.
func coded(t testing.TB, c codec.Codec) []byte {
	t.Helper()
	e, err := c.NewEncoder("useinbandfec=1")
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, codec.MaxBytes)
	n := 0
	for range 10 {
		n = e.Encode(out, tone(20*ms, 500, c.RateHz, 8000))
	}
	return out[:n]
}

func TestAWidePacketCostsNoMemoryInEitherDirection(t *testing.T) {
	for _, name := range []string{"opus", "G722"} {
		h := newHouse(t)
		if err := h.wheel.Close(); err != nil {
			t.Fatal(err)
		}
		s := h.leg(func(o *Options) { o.Codec = name })
		newPhone(t, s)
		s.start()
		s.Leg.facts.open(func(actors.Fact) {})
		heard := 0
		s.Hear(func([]int16) { heard++ }, 0)
		s.Record(nowhere{})
		s.Duck(-12)
		c := ours(t, name)
		p := &rtp.Packet{SSRC: 5, PayloadType: c.PayloadType, Payload: coded(t, c)}
		now := s.sender.home
		s.play.begin(1)
		staged := tone(20*ms, 500, 16000, 8000)
		if n := testing.AllocsPerRun(300, func() {
			p.Sequence++
			p.Timestamp += uint32(c.ClockHz / 50)
			p.At = now
			s.arrive(p)
			(*hearTask)(s.Leg).Tick(now, now, 0)
		}); n >= 1 {
			t.Errorf("%s: %v allocations a packet that is heard", name, n)
		}
		s.conn.SetRemote(loopbackPort(9))
		if n := testing.AllocsPerRun(300, func() {
			now = now.Add(20 * ms)
			s.play.write(now, staged)
			(*sendTask)(s.Leg).Tick(now, now, 0)
		}); n != 0 {
			t.Errorf("%s: %v allocations a packet that is sent", name, n)
		}
		if heard == 0 || s.Stats().Sent == 0 || s.Stats().Refused != 0 {
			t.Errorf("%s: %d frames heard, %+v", name, heard, s.Stats())
		}
	}
}

// BenchmarkLeg is what 20 ms of a call cost in each codec, both ways, with the
// VAD, the jitter buffer, a listener and the system call of sending.
func BenchmarkLeg(b *testing.B) {
	for _, c := range codec.List() {
		b.Run(c.Name, func(b *testing.B) {
			h := newHouse(b)
			if err := h.wheel.Close(); err != nil {
				b.Fatal(err)
			}
			s := h.leg(func(o *Options) { o.Codec = c.Name; o.Format = "useinbandfec=1" })
			s.start()
			s.conn.SetRemote(loopbackPort(9))
			s.Hear(func([]int16) {}, 0)
			s.Leg.facts.open(func(actors.Fact) {})
			p := &rtp.Packet{SSRC: 5, PayloadType: c.PayloadType, Payload: coded(b, c)}
			staged := tone(20*ms, 500, c.RateHz, 8000)
			now := s.sender.home
			s.play.begin(1)
			b.ReportAllocs()
			before := cpu()
			for b.Loop() {
				p.Sequence++
				p.Timestamp += uint32(c.ClockHz / 50)
				p.At = now
				s.arrive(p)
				s.play.write(now, staged)
				(*hearTask)(s.Leg).Tick(now, now, 0)
				(*sendTask)(s.Leg).Tick(now, now, 0)
				now = now.Add(pacer.Period)
			}
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/20ms")
			b.ReportMetric(float64(len(p.Payload)), "bytes/packet")
		})
	}
}

// Places in the ring keep their sound and their time at another rate.
func TestReshapeKeepsTheSoundInItsPlace(t *testing.T) {
	for name, way := range map[string][2]int{"to wide": {1, 2}, "to narrow": {2, 1}} {
		t.Run(name, func(t *testing.T) {
			from, to := way[0], way[1]
			hz := from * 8000
			p := playout{law: g711.MuLaw, scale: int64(from), facts: &facts{}, reel: newReel(reelBytes * from)}
			p.begin(1)
			// Seven seconds, more than the ring holds: a sweep, so that every place
			// sounds different.
			whole := make([]int16, 7*hz)
			for i := range whole {
				at := float64(i) / float64(hz)
				whole[i] = int16(8000 * math.Sin(2*math.Pi*(300+100*at)*at))
			}
			p.write(noon, whole)
			p.sent = int64(5 * hz)
			p.reshape(g711.MuLaw, int64(to))
			if p.length(p.written) != 7*time.Second || p.length(p.sent) != 5*time.Second {
				t.Fatalf("written %v, sent %v", p.length(p.written), p.length(p.sent))
			}
			frame := make([]byte, frameBytes*to)
			linear := make([]int16, frameBytes*to)
			for n := range 90 {
				at := 5*to*8000 + n*frameBytes*to
				if p.take(frame) != len(frame) {
					t.Fatal("the frame is gone")
				}
				p.gone(noon, len(frame))
				g711.MuLaw.Decode(linear, frame)
				var off, power float64
				for i, v := range linear {
					x := float64(at+i) / float64(to*8000)
					want := 8000 * math.Sin(2*math.Pi*(300+100*x)*x)
					off += (float64(v) - want) * (float64(v) - want)
					power += want * want
				}
				if got := 10 * math.Log10(power/off); got < 20 {
					t.Fatalf("frame %d is only %.1f dB like what was written there", n, got)
				}
			}
		})
	}
}

// Where it was agreed on and asked for, silence goes out as comfort noise: a
// packet each 200 ms, and sound at once when there is some.
func TestSilenceGoesOutAsComfortNoise(t *testing.T) {
	for name, codec := range map[string]string{"beside G.711": "PCMU", "beside G.722": "G722"} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			if err := h.wheel.Close(); err != nil {
				t.Fatal(err)
			}
			s := h.leg(func(o *Options) { o.Codec, o.NoiseType, o.Hush = codec, 13, true })
			p := newPhone(t, s)
			s.start()
			now := s.sender.home
			kinds := map[uint8]int{}
			send := func(frames int) {
				before := s.Stats().Sent
				for range frames {
					(*sendTask)(s.Leg).Tick(now, now, 0)
					now = now.Add(20 * ms)
				}
				clear(kinds)
				for range s.Stats().Sent - before {
					kinds[p.next().PayloadType]++
				}
			}
			send(60) // 200 ms of silence, then one packet in ten
			if sound := kinds[s.sender.audio]; sound != 10 || kinds[13] != 5 {
				t.Errorf("%d packets of silence and %d of comfort noise, want 10 and 5", sound, kinds[13])
			}
			s.play.begin(1)
			s.play.write(now, tone(100*ms, 500, 8000*int(s.play.scale), 8000))
			s.play.end(now, 1)
			(*sendTask)(s.Leg).Tick(now, now, 0)
			now = now.Add(20 * ms)
			if got := p.next(); got.PayloadType != s.sender.audio || !got.Marker || got.Timestamp%160 != 0 && len(got.payload) != 160 {
				t.Errorf("the first packet of speech is of type %d, marker %v", got.PayloadType, got.Marker)
			}
			send(4)
			if kinds[s.sender.audio] != 4 {
				t.Errorf("of speech went out %v", kinds)
			}
		})
	}
}

func TestTermsAreChecked(t *testing.T) {
	for name, terms := range map[string]Terms{
		"no codec of ours":           {Codec: "speex"},
		"noise that is sound":        {NoiseType: 9, Codec: "G722"},
		"a clock beyond all":         {DTMFHz: 1 << 20},
		"events that are the sound":  {PayloadType: 111, Codec: "opus", DTMFType: 111},
		"a type that RTP cannot say": {PayloadType: 200},
	} {
		if _, _, err := terms.check(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
