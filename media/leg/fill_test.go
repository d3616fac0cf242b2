package leg

import (
	"math"
	"sync/atomic"
	"testing"

	"flametree/actors"
)

// hum is a filler of one tone.
type hum struct {
	at    atomic.Int64
	quiet atomic.Bool
}

func (h *hum) frame(out []int16) bool {
	if h.quiet.Load() {
		return false
	}
	from := h.at.Add(int64(len(out))) - int64(len(out))
	for i := range out {
		out[i] = int16(6000 * math.Sin(2*math.Pi*600*float64(from+int64(i))/16000))
	}
	return true
}

func TestWhatFillsSilenceIsHeardAndGivesWay(t *testing.T) {
	for _, name := range []string{"PCMU", "G722", "opus"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			a, b := h.call(func(o *Options) { o.Codec = name })
			music, e := new(hum), newEar()
			b.Hear(e.hear, 0)
			a.Fill(music.frame)
			heard := e.await(t, 60)
			if off := db(strength(clearest(heard, 600, 16000), 600, 16000) / 6000); math.Abs(off) > 3 {
				t.Errorf("the music is %.1f dB off", off)
			}
			// Speech goes first; its first packet need not wait for the music.
			if err := a.Play(t.Context(), 1, tone(400*ms, 1500, 16000, 6000), 16000); err != nil {
				t.Fatal(err)
			}
			a.End(1)
			if f := a.wait(t, actors.FactDrained); f.Played != 400*ms {
				t.Errorf("played %v, music counted", f.Played)
			}
			speech := e.await(t, 90)
			if strength(clearest(speech, 1500, 16000), 1500, 16000) < 3000 {
				t.Error("the speech was not heard over the music")
			}
			// A change of codec in the middle keeps the pitch.
			a.Fill(nil)
			music.quiet.Store(true)
			before := len(e.await(t, 100))
			after := e.await(t, 130)
			if tail := after[before+10*320:]; strength(tail, 600, 16000) > 100 {
				t.Errorf("the music does not end: %.0f", strength(tail, 600, 16000))
			}
		})
	}
}

func TestAFillerFollowsAChangeOfCodec(t *testing.T) {
	h := newHouse(t)
	a := h.leg(func(o *Options) { o.Codec = "PCMU" })
	p := newPhone(t, a)
	a.start()
	music := new(hum)
	a.Fill(music.frame)
	for range 20 {
		p.next()
	}
	if err := a.Renegotiate(Terms{Codec: "G722"}); err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t, ours(t, "G722"))
	for range 60 {
		if got := p.next(); got.PayloadType == 9 {
			r.take(got)
		}
	}
	if off := db(strength(clearest(r.samples, 600, 16000), 600, 16000) / 6000); math.Abs(off) > 3 {
		t.Errorf("the music is %.1f dB off after the change", off)
	}
}
