package leg

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"flametree/actors"
	"flametree/media/codec"
	"flametree/media/jitter"
	"flametree/media/noise"
	"flametree/media/rtp"
	"flametree/media/vad"
)

// desk is a leg's ears on a table: packets and ticks by hand, no clock.
type desk struct {
	t     *testing.T
	c     codec.Codec
	e     ears
	f     facts
	enc   codec.Encoder
	now   time.Time
	seq   uint16
	stamp uint32
	heard []int16
}

func newDesk(t *testing.T, name, format string) *desk {
	t.Helper()
	terms, c, err := Terms{Codec: name, DTMFType: 101, NoiseType: 13}.check()
	if err != nil {
		t.Fatal(err)
	}
	v, err := vad.New(vad.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, c: c, now: noon, seq: 65500, stamp: 0xFFFF0003} // both wrap
	// A delay that stays, so that two streams with other losses stay in step.
	if err := d.e.open(c, terms, v, jitter.Options{Min: 40 * ms}); err != nil {
		t.Fatal(err)
	}
	if d.enc, err = c.NewEncoder(format); err != nil {
		t.Fatal(err)
	}
	return d
}

// encode gives the packets of a sound, of so many frames each.
func (d *desk) encode(sound []int16, frames int) [][]byte {
	size := d.c.RateHz / 50
	var out [][]byte
	for at := 0; at+size*frames <= len(sound); at += size * frames {
		var p []byte
		for n := range frames {
			b := make([]byte, codec.MaxBytes)
			b = b[:d.enc.Encode(b, sound[at+n*size:at+(n+1)*size])]
			if p = append(p, b...); frames > 1 && !d.c.Bytes {
				d.t.Fatal("packets of Opus are not joined by hand")
			}
		}
		out = append(out, p)
	}
	return out
}

// arrive gives the ears one packet of so many ticks; nil is one that got lost.
func (d *desk) arrive(kind uint8, payload []byte, ticks int) {
	if payload != nil {
		d.e.take(&rtp.Packet{PayloadType: kind, Sequence: d.seq, Timestamp: d.stamp, SSRC: 7, Payload: payload, At: d.now}, &d.f)
	}
	d.seq++
	d.stamp += uint32(ticks)
}

func (d *desk) tick() bool {
	sound := d.e.tick(d.now, &d.f)
	d.heard = append(d.heard, d.e.frame...)
	d.now = d.now.Add(20 * ms)
	return sound
}

// run sends packets of 20 ms one a tick, without those that lose says.
func (d *desk) run(packets [][]byte, lose func(n int) bool) {
	for n, p := range packets {
		if lose != nil && lose(n) {
			p = nil
		}
		d.arrive(d.c.PayloadType, p, d.c.ClockHz/50)
		d.tick()
	}
}

func (d *desk) count(kind actors.FactKind) int {
	n := 0
	for _, f := range d.f.queue {
		if f.Kind == kind {
			n++
		}
	}
	return n
}

// speech is like a voice: a pitch that moves, two formants, syllables.
func speech(length time.Duration, rateHz int) []int16 {
	out := make([]int16, int(length.Seconds()*float64(rateHz)))
	phase := 0.0
	for i := range out {
		at := float64(i) / float64(rateHz)
		pitch := 120 + 40*math.Sin(2*math.Pi*0.7*at)
		phase += 2 * math.Pi * pitch / float64(rateHz)
		first, second := 500+200*math.Sin(2*math.Pi*1.3*at), 1500+400*math.Sin(2*math.Pi*0.9*at)
		v := 0.0
		for k := 1.0; k*pitch < 3400; k++ {
			hz := k * pitch
			v += (math.Exp(-(hz-first)*(hz-first)/30000) + 0.5*math.Exp(-(hz-second)*(hz-second)/60000)) * math.Sin(k*phase)
		}
		syllable := 0.55 + 0.45*math.Sin(2*math.Pi*3.5*at)
		out[i] = int16(4500 * v * syllable)
	}
	return out
}

func energy(s []int16) float64 {
	sum := 1.0
	for _, v := range s {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(len(s)))
}

// unlike is the error of a against b in dB under b.
func unlike(a, b []int16) float64 {
	var off, power float64
	for i := range b {
		d := float64(a[i]) - float64(b[i])
		off += d * d
		power += float64(b[i]) * float64(b[i])
	}
	return 10 * math.Log10(power/(off+1))
}

func TestLossIsBorne(t *testing.T) {
	for name, share := range map[string]float64{"opus": 0.10, "G722": 0.10, "PCMA": 0.10} {
		t.Run(name, func(t *testing.T) {
			whole, holed := newDesk(t, name, "useinbandfec=1"), newDesk(t, name, "useinbandfec=1")
			sound := speech(10*time.Second, whole.c.RateHz)
			r := rand.New(rand.NewPCG(7, 7))
			lost := map[int]bool{}
			for n := range 500 {
				lost[n] = n > 5 && !lost[n-1] && r.Float64() < share/(1-share)
			}
			packets := whole.encode(sound, 1)
			whole.run(packets, nil)
			holed.run(packets, func(n int) bool { return lost[n] })
			window := whole.c.RateHz / 10
			weak, all := 0, 0
			for at := window; at+window <= len(whole.heard); at += window {
				want, got := energy(whole.heard[at:at+window]), energy(holed.heard[at:at+window])
				if all++; math.Abs(want-got) > 3 {
					weak++
				}
			}
			t.Logf("figure: %s at %.0f %% loss: %.1f dB like the whole, %d of %d tenths of a second over 3 dB off, %d frames invented",
				name, 100*share, unlike(holed.heard, whole.heard), weak, all, holed.e.concealed)
			if weak*10 > all {
				t.Errorf("%d of %d tenths of a second are more than 3 dB off", weak, all)
			}
			if holed.count(actors.FactNoPackets) != 0 {
				t.Error("the stream counts as stopped")
			}
		})
	}
}

// With a copy in the next packet a lost frame is known, and better so.
func TestFECGivesBackWhatWasLost(t *testing.T) {
	got := map[bool]float64{}
	invented := map[bool]uint64{}
	for _, fec := range []bool{false, true} {
		format := ""
		if fec {
			format = "useinbandfec=1"
		}
		whole, holed := newDesk(t, "opus", format), newDesk(t, "opus", format)
		packets := whole.encode(speech(6*time.Second, 16000), 1)
		whole.run(packets, nil)
		holed.run(packets, func(n int) bool { return n > 10 && n%10 == 0 })
		got[fec], invented[fec] = unlike(holed.heard, whole.heard), holed.e.concealed
	}
	t.Logf("figure: each tenth packet of Opus lost: %.1f dB like the whole with FEC (%d frames invented), %.1f dB without (%d)", got[true], invented[true], got[false], invented[false])
	if got[true] < got[false]+3 {
		t.Errorf("with FEC %.1f dB, without %.1f dB", got[true], got[false])
	}
	if invented[true]*4 > invented[false] {
		t.Errorf("%d frames were invented with FEC, %d without", invented[true], invented[false])
	}
}

func TestReorderedPacketsOfOpusAreHeardInOrder(t *testing.T) {
	whole, mixed := newDesk(t, "opus", ""), newDesk(t, "opus", "")
	packets := whole.encode(speech(4*time.Second, 16000), 1)
	whole.run(packets, nil)
	mixed.run(packets[:20], nil)
	seq, stamp := mixed.seq, mixed.stamp
	for n := 20; n+1 < len(packets); n += 2 { // each second one overtakes the one before it, which comes twice
		for _, k := range []int{n + 1, n} {
			mixed.seq, mixed.stamp = seq+uint16(k-20), stamp+uint32(960*(k-20))
			mixed.arrive(mixed.c.PayloadType, packets[k], 0)
			mixed.seq--
			mixed.arrive(mixed.c.PayloadType, packets[k], 0)
			mixed.tick()
		}
	}
	// The delay may have grown, once, by whole frames. Another decoder than the one
	// that heard the beginning goes on: it comes very near to it.
	want, best := whole.heard[30*320:150*320], 0.0
	for lag := range 5 {
		best = max(best, apart(want, mixed.heard[(30+lag)*320:(150+lag)*320]))
	}
	t.Logf("figure: Opus whose packets overtake each other: %.0f dB", best)
	if best < 30 || mixed.e.concealed != 0 {
		t.Errorf("what is heard is not what was sent, %d frames invented, %+v", mixed.e.concealed, mixed.e.wire.packets.Stats())
	}
}

// Packets of 10 to 60 ms give the frames that those of 20 ms give.
func TestPacketsOfAnyLengthAreHeard(t *testing.T) {
	for _, name := range []string{"G722", "PCMU"} {
		for _, frames := range []int{1, 2, 3} {
			d := newDesk(t, name, "")
			sound := speech(3*time.Second, d.c.RateHz)
			for _, p := range d.encode(sound, frames) {
				d.arrive(d.c.PayloadType, p, len(p))
				for range frames {
					d.tick()
				}
			}
			if got := energy(d.heard[d.c.RateHz/2:]) - energy(sound[:len(sound)-d.c.RateHz/2]); math.Abs(got) > 1 {
				t.Errorf("%s in packets of %d ms: %.1f dB off", name, 20*frames, got)
			}
			if d.e.concealed > 3 {
				t.Errorf("%s in packets of %d ms: %d frames invented", name, 20*frames, d.e.concealed)
			}
		}
	}
}

// A coder that sends nothing while nobody speaks has not left the line.
func TestAPauseOfOpusIsNoLostLeg(t *testing.T) {
	d := newDesk(t, "opus", "usedtx=1")
	quiet := make([]int16, 320)
	r := rand.New(rand.NewPCG(1, 1))
	b := make([]byte, codec.MaxBytes)
	send := func(frame []int16) (sent bool) {
		n := d.enc.Encode(b, frame)
		if sent = n > unsent; sent {
			d.arrive(d.c.PayloadType, b[:n], 0)
		} else {
			d.seq-- // not a lost one: never sent
			d.arrive(0, nil, 0)
		}
		d.stamp += 960
		d.tick()
		return sent
	}
	voice := speech(time.Second, 16000)
	for n := range 50 {
		send(voice[n*320:][:320])
	}
	sent := 0
	for range 250 {
		for i := range quiet {
			quiet[i] = int16(r.IntN(9) - 4)
		}
		if send(quiet) {
			sent++
		}
	}
	concealed := d.e.concealed
	for n := range 50 {
		send(voice[n*320:][:320])
	}
	t.Logf("figure: Opus with DTX sends %d packets in 5 s of silence", sent)
	if sent > 100 {
		t.Fatalf("%d packets in 5 s of silence: the coder does not pause", sent)
	}
	if n := d.count(actors.FactNoPackets); n != 0 {
		t.Errorf("told %d times that no packets come", n)
	}
	if on, off := d.count(actors.FactVoiceOn), d.count(actors.FactVoiceOff); on != 2 || off != 1 {
		t.Errorf("voice went on %d times and off %d, want 2 and 1", on, off)
	}
	if concealed > 5 {
		t.Errorf("%d frames of silence count as invented for lost packets", concealed)
	}
	for range 60 {
		d.tick()
	}
	if n := d.count(actors.FactNoPackets); n != 1 {
		t.Errorf("after more than a second without anything told %d times that no packets come, want once", n)
	}
}

func TestComfortNoiseIsHeardAsNoise(t *testing.T) {
	for _, name := range []string{"PCMU", "G722"} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, name, "")
			d.run(d.encode(speech(time.Second, d.c.RateHz), 1), nil)
			at := len(d.heard)
			d.arrive(noise.PayloadType, []byte{50}, 160)
			silent := 0
			for n := range 150 { // and nothing more for three seconds
				if !d.tick() {
					silent++
				}
				if n > 0 {
					d.stamp += 160
				}
			}
			if silent > 0 {
				t.Errorf("%d frames count as no sound", silent)
			}
			if d.e.concealed > 0 {
				t.Errorf("%d frames were invented for packets that nobody lost", d.e.concealed)
			}
			hiss := d.heard[at+10*d.c.RateHz/50:]
			if got, want := energy(hiss), 20*math.Log10(32768)-50; math.Abs(got-want) > 1.5 {
				t.Errorf("the hiss has %.1f dB, want %.1f", got, want)
			}
			if n := d.count(actors.FactNoPackets); n != 0 {
				t.Error("told that no packets come")
			}
			if on, off := d.count(actors.FactVoiceOn), d.count(actors.FactVoiceOff); on != 1 || off != 1 {
				t.Errorf("voice went on %d times and off %d, want once each", on, off)
			}
			back := len(d.heard)
			d.run(d.encode(speech(time.Second, d.c.RateHz), 1), nil)
			if got := energy(d.heard[back+d.c.RateHz/2:]); got < 55 {
				t.Errorf("the voice that comes back has %.1f dB", got)
			}
			if d.e.hissing {
				t.Error("it still hisses")
			}
			for range 300 {
				d.tick()
			}
			if n := d.count(actors.FactNoPackets); n != 1 {
				t.Errorf("when all stops it is told %d times", n)
			}
		})
	}
}

func TestDamagedPacketsOfOpusAreRefusedAndTheStreamGoesOn(t *testing.T) {
	d := newDesk(t, "opus", "")
	packets := d.encode(speech(2*time.Second, 16000), 1)
	for n := 10; n < 90; n += 20 {
		packets[n] = []byte{0xFF}       // code 3 without a count
		packets[n+3] = []byte{3, 0, 1}  // no frames
		packets[n+6] = []byte{0xFB, 63} // 63 frames
	}
	d.run(packets, nil)
	if d.e.refused != 12 {
		t.Errorf("%d packets refused, want 12", d.e.refused)
	}
	if got := energy(d.heard[16000:]); got < 50 {
		t.Errorf("what is heard has %.1f dB", got)
	}
}

func FuzzTakeOpus(f *testing.F) {
	f.Add([]byte{0x58, 1, 2, 3}, uint16(1), uint32(960))
	f.Add([]byte{0xFF, 0xC2, 0xFF, 0xFF, 0}, uint16(3), uint32(5))
	f.Add([]byte{}, uint16(0), uint32(0))
	c, err := codec.Find("opus")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte, seq uint16, stamp uint32) {
		if len(payload) > 1400 {
			return
		}
		d := newDesk(t, "opus", "")
		for n := range 4 {
			d.seq, d.stamp = seq+uint16(n), stamp+uint32(n)*960
			d.arrive(c.PayloadType, payload, 0)
			d.tick()
		}
		for range 4 {
			d.tick()
		}
	})
}
