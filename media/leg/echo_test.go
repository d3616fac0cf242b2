package leg

import (
	"context"
	"math/rand"
	"sync"
	"testing"
	"time"

	"flametree/actors"
	"flametree/engine/provider"
	"flametree/engine/provider/flite"
	"flametree/media/g711"
)

// speakerphone gives back what it hears, 140 ms later and 10 dB quieter, in
// packets of so many samples, and loses some both ways.
type speakerphone struct {
	*phone
	size  int
	road  *rand.Rand
	loss  float64
	heard []int16
	first uint32
	any   bool
	at    int // sample that is given back next
	owed  int // samples that are due
	gone  int // packets that are still lost
}

const echoDelay = 140 * g711.RateHz / 1000

// tick is 20 ms of its time.
func (p *speakerphone) tick() {
	for len(p.packets) > 0 {
		got := <-p.packets
		if got.PayloadType != 0 {
			continue
		}
		if !p.any {
			p.any, p.first = true, got.Timestamp
		}
		at := int(int32(got.Timestamp - p.first))
		if need := at + len(got.payload) - len(p.heard); need > 0 {
			p.heard = append(p.heard, make([]int16, need)...)
		}
		if p.road.Float64() >= p.loss {
			g711.MuLaw.Decode(p.heard[at:at+len(got.payload)], got.payload)
		}
	}
	for p.owed += frameBytes; p.owed >= p.size; p.owed -= p.size {
		back := make([]int16, p.size)
		for i := range back {
			if at := p.at + i - echoDelay; at >= 0 && at < len(p.heard) {
				back[i] = int16(float64(p.heard[at]) * 0.32)
			}
		}
		p.at += p.size
		if p.gone--; p.gone >= 0 || p.road.Float64() < p.loss {
			if p.gone < 0 {
				p.gone = 3
			}
			p.seq, p.stamp = p.seq+1, p.stamp+uint32(p.size)
			continue
		}
		p.say(back)
	}
}

// spoken is a sentence at 8 kHz.
var spoken = sync.OnceValues(func() ([]int16, error) {
	s, err := flite.New(flite.Options{Voice: "slt"})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	v, err := s.Open(ctx, provider.Voice{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = v.Close() }()
	if err := v.Speak("We have rooms with a view of the sea, and breakfast is served from seven until ten.", 1, 1); err != nil {
		return nil, err
	}
	var pcm []int16
	for a, err := range v.Audio() {
		if err != nil {
			return nil, err
		}
		for i := 0; i+1 < len(a.PCM); i += 2 { // from 16 kHz
			pcm = append(pcm, int16((int(a.PCM[i])+int(a.PCM[i+1]))/2))
		}
		if a.Last {
			break
		}
	}
	return pcm, nil
})

// Our own voice comes back over a road that loses packets, in packets of any
// length, while we press a key: nobody is heard to speak.
func TestAnEchoOnABadRoadIsNobody(t *testing.T) {
	speech, err := spoken()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		size int
		loss float64
		key  bool
		none bool // no guard
	}{
		"no guard":           {size: 160, none: true},
		"packets of 10 ms":   {size: 80},
		"some are lost":      {size: 160, loss: 0.03},
		"of 30 ms, and lost": {size: 240, loss: 0.03},
		"a key is pressed":   {size: 160, key: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHouse(t).leg(func(o *Options) { o.NoGuard = tt.none })
			p := &speakerphone{phone: newPhone(t, s), size: tt.size, loss: tt.loss, road: rand.New(rand.NewSource(9))}
			s.start()
			var saying sync.WaitGroup
			saying.Go(func() { _ = s.Play(t.Context(), 1, speech, g711.RateHz) })
			pace(len(speech)/frameBytes+30, func(i int) {
				if tt.key && (i == 60 || i == 110 || i == 150) {
					if err := s.Press('5', 230*time.Millisecond); err != nil {
						t.Error(err)
					}
				}
				p.tick()
			})
			saying.Wait()
			voices, raw := 0, 0
			for len(s.facts) > 0 {
				f := <-s.facts
				if f.Kind == actors.FactRawOn {
					raw++
				}
				if f.Kind == actors.FactVoiceOn {
					voices++
				}
			}
			t.Logf("figure: %d voices, %d beginnings", voices, raw)
			if (voices > 0) != tt.none {
				t.Errorf("%d voices, and nobody spoke", voices)
			}
		})
	}
}

// A peer whose timestamps run at another rate, or that numbers its packets anew,
// is heard to speak all the same, and again.
func TestAVoiceIsHeardWhateverItsClockSays(t *testing.T) {
	for name, odd := range map[string]func(p *phone){
		"as it should":    func(*phone) {},
		"an eighth of it": func(p *phone) { p.stamp -= 140 },
		"twice it":        func(p *phone) { p.stamp += 160 },
		"numbered anew":   func(p *phone) { p.seq -= 5000 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newHouse(t).leg(nil)
			p := newPhone(t, s)
			p.seq = 40000
			s.start()
			for range 2 {
				pace(25, func(i int) {
					if i == 0 || name != "numbered anew" {
						odd(p)
					}
					p.say(tone(20*time.Millisecond, 440, g711.RateHz, 8000))
				})
				pace(25, func(int) { p.say(make([]int16, frameBytes)) })
				s.wait(t, actors.FactVoiceOn)
				s.wait(t, actors.FactVoiceOff)
			}
		})
	}
}
