package leg

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/g711"
	"flametree/media/pcm"
)

func db(ratio float64) float64 { return 20 * math.Log10(ratio) }

// clearest gives the fifth of a second in which a tone is strongest: a machine
// that is busy with other things may tear holes elsewhere.
func clearest(s []int16, hz, rateHz float64) []int16 {
	window := int(rateHz / 5)
	best, most := s[:window], 0.0
	for at := 0; at+window <= len(s); at += window / 4 {
		if got := strength(s[at:at+window], hz, rateHz); got > most {
			best, most = s[at:at+window], got
		}
	}
	return best
}

func TestAToneIsHeardAtItsPitchAndLevel(t *testing.T) {
	for name, law := range map[string]string{"µ-law": "PCMU", "A-law": "PCMA"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			a, b := h.call(func(o *Options) { o.Codec = law })
			e := newEar()
			b.Hear(e.hear, 0)
			if err := a.Play(t.Context(), 1, tone(1500*ms, 1000, 16000, 8000), 16000); err != nil {
				t.Fatal(err)
			}
			a.End(1)
			talking := a.wait(t, actors.FactTalking)
			drained := a.wait(t, actors.FactDrained)
			if drained.Played != 1500*ms || drained.Gen != 1 || talking.Gen != 1 {
				t.Errorf("talking %+v, drained %+v", talking, drained)
			}
			samples := e.await(t, 80)
			middle := clearest(samples, 1000, 16000)
			if off := db(strength(middle, 1000, 16000) / 8000); math.Abs(off) > 1 {
				t.Errorf("the tone is %.1f dB off", off)
			}
			if ghost := db(strength(middle, 7000, 16000) / 8000); ghost > -50 {
				t.Errorf("its image is only %.1f dB down", -ghost)
			}
			s := b.Stats()
			if s.Codec != law || s.RateHz != 8000 || s.Received == 0 || s.Lost != 0 || s.Refused != 0 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestDuckActsInTheNextPacket(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	p := newPhone(t, s)
	s.start()
	go func() { _ = s.Play(context.Background(), 1, tone(3*time.Second, 500, 8000, 8000), 8000) }()
	level := func(p packet) float64 {
		var out [frameBytes]int16
		g711.MuLaw.Decode(out[:], p.payload)
		return pcm.LevelDB(out[:])
	}
	p.sound()
	var before float64
	for range 10 {
		before = level(p.next())
	}
	s.Duck(-12)
	drop := 0.0
	for n := 0; drop < 1; n++ { // those on their way already
		if drop = before - level(p.next()); n > 5 {
			t.Fatal("five packets later nothing is quieter")
		}
	}
	if drop < 10 {
		t.Errorf("the packet that carries the duck is %.1f dB quieter, want 10", drop)
	}
	if drop := before - level(p.next()); math.Abs(drop-12) > 0.7 {
		t.Errorf("the one after it is %.1f dB quieter, want 12", drop)
	}
	s.Duck(0)
	for range 5 {
		p.next()
	}
	if drop := before - level(p.next()); math.Abs(drop) > 0.7 {
		t.Errorf("back at 0 dB it is %.1f dB quieter", drop)
	}
	s.Flush(1)
}

func TestNothingOfTheAgentIsHeardAfterAFlush(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	p := newPhone(t, s)
	s.start()
	result := make(chan error, 1)
	go func() {
		result <- s.Play(context.Background(), 7, tone(10*time.Second, 500, 8000, 8000), 8000)
	}()
	first := p.sound()
	last := first
	for range 30 {
		last = p.next()
	}
	played := s.Flush(7)
	flushed := time.Now()
	if err := <-result; !errors.Is(err, fault.Cancelled) {
		t.Errorf("the Play that was flushed: %v, want fault.Cancelled", err)
	}
	for silent := 0; silent < 10; silent++ {
		if got := p.next(); !got.silent() {
			last, silent = got, 0
		}
	}
	sent := time.Duration(last.SequenceNumber-first.SequenceNumber+1) * 20 * ms
	if late := last.at.Sub(flushed); late > 40*ms {
		t.Errorf("the last packet of the agent came %v after the flush", late)
	}
	if played != sent || s.Played(7) != sent {
		t.Errorf("flush says %v were played, %v were sent", played, sent)
	}
	if err := s.Play(t.Context(), 7, tone(20*ms, 500, 8000, 8000), 8000); !errors.Is(err, fault.Cancelled) {
		t.Errorf("more of a flushed generation: %v, want fault.Cancelled", err)
	}
}

func TestResumeReplaysFromThePlaceAskedFor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	p := newPhone(t, s)
	s.start()
	var sound []int16
	for n := range 100 {
		sound = append(sound, slices.Repeat([]int16{value(n)}, frameBytes)...)
	}
	go func() { _ = s.Play(context.Background(), 1, sound, 8000) }()
	p.sound()
	for range 30 {
		p.next()
	}
	s.Pause(1)
	paused := s.Played(1)
	for n := 0; !p.next().silent(); n++ {
		if n > 3 {
			t.Fatal("packets of the agent go on after Pause")
		}
	}
	s.Resume(1, paused-200*ms)
	got := p.sound()
	want := int(paused/(20*ms)) - 10
	if n := int(got.payload[0]) - 0x81; n != want || !got.Marker {
		t.Errorf("resumed at frame %d (marker %v), want %d with the marker", n, got.Marker, want)
	}
	s.Flush(1)
}

func TestPacketsFlowWithoutAGapWhateverIsSaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	p := newPhone(t, s)
	s.start()
	before := p.next()
	if !before.Marker || !before.silent() {
		t.Errorf("the first packet: marker %v, silent %v", before.Marker, before.silent())
	}
	talking := false
	for n := range 150 {
		if n%40 == 10 {
			if err := s.Play(t.Context(), uint64(n), tone(300*ms, 500, 16000, 8000), 16000); err != nil {
				t.Fatal(err)
			}
			s.End(uint64(n))
		}
		got := p.next()
		step := got.Timestamp - before.Timestamp
		if got.SequenceNumber != before.SequenceNumber+1 || step == 0 || step%frameBytes != 0 || got.SSRC != before.SSRC {
			t.Fatalf("packet %d: %+v after %+v", n, got.Header, before.Header)
		}
		if got.Marker != (!got.silent() && !talking) {
			t.Errorf("packet %d: marker %v, sound %v after sound %v", n, got.Marker, !got.silent(), talking)
		}
		talking, before = !got.silent(), got
	}
}

// A spurt that waited for its slot would wait 10 ms on average.
func TestASpurtStartsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	p := newPhone(t, s)
	s.start()
	var waits []time.Duration
	for gen := uint64(1); gen <= 9; gen++ {
		for range 13 + gen%5 {
			p.next()
		}
		asked := time.Now()
		if err := s.Play(t.Context(), gen, tone(60*ms, 500, 8000, 8000), 8000); err != nil {
			t.Fatal(err)
		}
		s.End(gen)
		f := s.wait(t, actors.FactTalking)
		if f.Wait > 20*ms || f.Gen != gen {
			t.Errorf("told %+v", f)
		}
		waits = append(waits, f.At.Sub(asked))
		p.sound()
	}
	slices.Sort(waits)
	if median := waits[len(waits)/2]; median > 5*ms {
		t.Errorf("the first packet of a spurt left after %v (median of %v)", median, waits)
	}
}

func TestVoiceOnArrival(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	p := newPhone(t, s)
	s.start()
	silence := make([]int16, frameBytes)
	begun, ended := time.Time{}, time.Time{}
	pace(60, func(i int) {
		switch {
		case i < 15 || i >= 35:
			if i == 35 {
				ended = time.Now()
			}
			p.say(silence)
		default:
			if i == 15 {
				begun = time.Now()
			}
			p.say(tone(20*ms, 400, 8000, 6000))
		}
	})
	tests := []struct {
		kind  actors.FactKind
		since time.Time
		least time.Duration
	}{
		{actors.FactRawOn, begun, 0},
		{actors.FactVoiceOn, begun, 95 * ms},
		{actors.FactRawOff, ended, 0},
		{actors.FactVoiceOff, ended, 175 * ms},
	}
	s.wait(t, actors.FactPackets)
	for _, tc := range tests {
		f := s.wait(t, tc.kind)
		if after := f.At.Sub(tc.since); after < tc.least-15*ms || after > tc.least+200*ms {
			t.Errorf("fact %d came %v after its cause, want about %v", tc.kind, after, tc.least)
		}
	}
}

func TestPacketsThatStopAreTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	p := newPhone(t, s)
	s.start()
	pace(15, func(int) { p.say(tone(20*ms, 400, 8000, 6000)) })
	stopped := time.Now()
	s.wait(t, actors.FactVoiceOn)
	off := s.wait(t, actors.FactVoiceOff)
	none := s.wait(t, actors.FactNoPackets)
	if d := none.At.Sub(stopped); d < 350*ms || d > time.Second {
		t.Errorf("told %v after the last packet, want 400 ms", d)
	}
	if off.At.After(none.At) {
		t.Error("voice went off after the packets did")
	}
	p.say(tone(20*ms, 400, 8000, 6000))
	s.wait(t, actors.FactPackets)
}

func TestDigitsCross(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b := h.call(nil)
	for _, key := range []byte("5#") {
		if err := a.Press(key, 100*ms); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []byte("5#") {
		if f := b.wait(t, actors.FactDigit); f.Digit != key || f.Length != 100*ms {
			t.Errorf("told %c for %v, want %c for 100ms", f.Digit, f.Length, key)
		}
	}
	if err := a.Press('x', 0); !errors.Is(err, fault.Invalid) {
		t.Errorf("x: %v, want fault.Invalid", err)
	}
}

func TestAStrangerIsNotHeard(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	e := newEar()
	s.Hear(e.hear, 0)
	stranger := newPhone(t, s)
	p := newPhone(t, s) // the announced one
	s.start()
	p.say(make([]int16, frameBytes))
	s.wait(t, actors.FactPackets)
	pace(60, func(int) {
		p.say(make([]int16, frameBytes))
		stranger.say(tone(20*ms, 1000, 8000, 12000))
	})
	if got := strength(e.await(t, 50), 1000, 16000); got > 50 {
		t.Errorf("the stranger is heard at %.0f", got)
	}
	if got := s.Stats(); got.Refused != 60 {
		t.Errorf("%d packets refused, want 60", got.Refused)
	}
}

func TestHoldAndChangeOfCodec(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	p := newPhone(t, s)
	s.start()
	go func() { _ = s.Play(context.Background(), 1, tone(20*time.Second, 500, 8000, 8000), 8000) }()
	p.sound()
	if err := s.Renegotiate(Terms{DTMFType: 101, Direction: RecvOnly}); err != nil {
		t.Fatal(err)
	}
	played := s.Played(1)
	held := time.Now()
	drain := time.After(300 * ms)
	for open := true; open; {
		select {
		case got := <-p.packets:
			if got.at.Sub(held) > 100*ms {
				t.Error("a packet was sent on hold")
			}
		case <-drain:
			open = false
		}
	}
	if got := s.Played(1); got != played {
		t.Errorf("%v were played on hold", got-played)
	}
	if err := s.Renegotiate(Terms{Codec: "PCMA", DTMFType: 101}); err != nil {
		t.Fatal(err)
	}
	got := p.next()
	var out [frameBytes]int16
	g711.ALaw.Decode(out[:], got.payload)
	if level := pcm.LevelDB(out[:]); got.PayloadType != 8 || math.Abs(level-75) > 1 || !got.Marker {
		t.Errorf("after the re-INVITE: type %d at %.1f dB, marker %v", got.PayloadType, level, got.Marker)
	}
	if s.Stats().Codec != "PCMA" {
		t.Errorf("stats say %s", s.Stats().Codec)
	}
	if err := s.Renegotiate(Terms{PayloadType: 101, DTMFType: 101}); !errors.Is(err, fault.Invalid) {
		t.Errorf("two meanings for one type: %v, want fault.Invalid", err)
	}
	s.Flush(1)
}
