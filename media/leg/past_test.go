package leg

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/media/codec"
	"flametree/media/jitter"
)

// replay hears so many frames of the past.
func (d *desk) replay(frames int) []int16 {
	var out []int16
	o := listeners{dst: func(frame []int16) { out = append(out, frame...) }}
	o.open(d.e.scale)
	o.next = d.e.past.next - int64(frames)
	for o.step(&d.e) {
	}
	require.Nil(d.t, o.back, "who has caught up needs no decoder")
	return out
}

// What was heard in the last 6 s is heard again as it was, however it came: as near
// to it as its samples in µ-law would be, which lie 37 dB under speech. What was
// guessed then is guessed again, and as near to what was lost.
func TestTheLastSixSecondsAreHeardAgain(t *testing.T) {
	tenth := func(n int) bool { return n%10 == 3 }
	for name, tt := range map[string]struct {
		codec, format string
		lose          func(n int) bool
		same          float64 // dB; 0 where much was guessed
	}{
		"Opus":                        {"opus", "", nil, 37},
		"Opus with loss":              {"opus", "", tenth, 0},
		"Opus with loss and copies":   {"opus", "useinbandfec=1", tenth, 30},
		"Opus whose stream stood":     {"opus", "", func(n int) bool { return n > 250 && n < 300 }, 0},
		"Opus of which most was lost": {"opus", "", func(n int) bool { return n%10 > 3 }, 0},
		"G.722":                       {"G722", "", nil, 37},
		"G.722 with loss":             {"G722", "", tenth, 37},
	} {
		t.Run(name, func(t *testing.T) {
			whole, d := newDesk(t, tt.codec, tt.format), newDesk(t, tt.codec, tt.format)
			packets := whole.encode(speech(8*second, 16000), 1)
			whole.run(packets, nil)
			d.run(packets, tt.lose)
			last := len(d.heard) - inputFrames*320
			sent, first := whole.heard[last:], d.heard[last:]
			again := d.replay(inputFrames)
			require.Len(t, again, len(first))
			t.Logf("figure: %s: heard again it is %.0f dB like the first time, in %d kB; it was %.1f dB like what was sent and is %.1f",
				name, unlike(again, first), d.e.past.reel.holds()*pieceBytes/1000, unlike(first, sent), unlike(again, sent))
			require.Greater(t, unlike(again, first), tt.same)
			require.Greater(t, unlike(again, sent), min(unlike(first, sent)-1, 37))
			if tt.same > 0 { // from the middle on as well: a decoder is warm when it is needed
				require.Greater(t, unlike(d.replay(100)[:3200], first[200*320:][:3200]), tt.same-4)
			}
		})
	}
}

const second = 1000 * ms

// Speech in Opus takes a quarter of what its samples would take.
func TestThePastOfOpusIsSmall(t *testing.T) {
	d := newDesk(t, "opus", "")
	d.run(d.encode(speech(12*second, 16000), 1), nil)
	require.Less(t, d.e.past.reel.holds()*pieceBytes, 33_000)
}

// What was heard before a change of codec is heard again behind it, in its place.
func TestTheLastSixSecondsSpanAChangeOfCodec(t *testing.T) {
	for _, way := range [][2]string{{"PCMU", "opus"}, {"opus", "PCMU"}, {"G722", "opus"}, {"PCMA", "G722"}} {
		t.Run(way[0]+" to "+way[1], func(t *testing.T) {
			d := newDesk(t, way[0], "")
			d.run(d.encode(tone(3*second, 440, d.c.RateHz, 8000), 1), nil)
			before := d.heard
			terms, c, err := Terms{Codec: way[1]}.check()
			require.NoError(t, err)
			other, err := d.e.another(c)
			require.NoError(t, err)
			d.e.renegotiate(d.now, terms, other, &d.f)
			old := d.c.RateHz
			d.c, d.heard = c, nil
			d.enc, err = c.NewEncoder("")
			require.NoError(t, err)
			d.run(d.encode(tone(2*second, 880, c.RateHz, 8000), 1), nil)
			again := d.replay(inputFrames) // of which 5 s were heard
			require.Len(t, again, 250*320)
			require.Greater(t, strength(again[50*320:148*320], 440, 16000), 7000.0)
			require.Greater(t, strength(again[160*320:], 880, 16000), 7000.0)
			if old == c.RateHz { // but for the gap at its end
				require.Greater(t, unlike(again[:148*320], before[:148*320]), 34.0)
			}
			d.run(d.encode(tone(7*second, 880, c.RateHz, 8000), 1), nil)
			require.Empty(t, d.e.before, "six seconds later nothing is left of it")
		})
	}
}

// A pause of a coder that sends nothing is a pause when it is heard again, with
// the room's noise, and takes next to nothing.
func TestAPauseIsHeardAgain(t *testing.T) {
	d := newDesk(t, "opus", "usedtx=1")
	r := rand.New(rand.NewPCG(1, 1))
	quiet := make([]int16, 320)
	for range 400 {
		for i := range quiet {
			quiet[i] = int16(r.IntN(201) - 100)
		}
		b := make([]byte, codec.MaxBytes)
		if n := d.enc.Encode(b, quiet); n > unsent {
			d.arrive(d.c.PayloadType, b[:n], 0)
		} else {
			d.seq--
			d.arrive(0, nil, 0)
		}
		d.stamp += 960
		d.tick()
	}
	require.InDelta(t, energy(d.heard[300*320:]), energy(d.replay(100)), 2, "dB")
	require.LessOrEqual(t, d.e.past.reel.holds(), 4)
}

// Whatever comes in, of packets of any length and number: the past holds the last
// frames, each as it was put in, in no more memory than their samples would take.
func TestThePastTakesNoMoreThanItsSamples(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c, err := codec.Find("opus")
		require.NoError(rt, err)
		first := rapid.Int64Range(0, 1000).Draw(rt, "first")
		p := newPast(c, first)
		big := rapid.IntRange(1, 1500).Draw(rt, "biggest")
		often := rapid.IntRange(0, 20).Draw(rt, "packets of twenty frames")
		id, seed := uint64(0), rapid.Uint64().Draw(rt, "seed")
		r := rand.New(rand.NewPCG(seed, 1))
		var put [][]byte // what the packets of a frame were, nil for samples
		frame := make([]int16, 320)
		for range rapid.IntRange(1, 3*pastFrames).Draw(rt, "frames") {
			kind := byte(r.IntN(packed))
			if r.IntN(20) < often {
				kind = packed
			}
			var runs []run
			var packet []byte
			if kind == packed {
				if r.IntN(3) > 0 || id == 0 { // else the packet before goes on
					id++
				}
				packet = make([]byte, 1+r.IntN(big))
				packet[0] = byte(id)
				runs = []run{{id, packet, 0, jitter.Units}}
			}
			had := p.last == id && id != 0
			p.put(heard{kind: kind, frame: frame, runs: runs})
			record := p.record(nil, p.next-1)
			switch {
			case record[0] == packed && had:
				require.Len(rt, record, 1+runHead)
			case record[0] == packed:
				require.Equal(rt, packet, record[1+runHead:])
			case record[0] == sampled && len(record) > wideFrame && !had:
				require.Equal(rt, packet, record[wideFrame+runHead:])
			}
			put = append(put, record)
			n := rapid.Int64Range(p.oldest(), p.next-1).Draw(rt, "n")
			require.Equal(rt, put[n-first], p.record(nil, n))
			require.LessOrEqual(rt, p.reel.holds(), (pastFrames*wideFrame+ahead)/pieceBytes+2)
		}
		require.LessOrEqual(rt, p.end-p.begin, int64(pastFrames*wideFrame+ahead))
		require.Equal(rt, max(first, p.next-pastFrames), p.oldest())
	})
}

// Our own voice, come back, is silence also to who hears it later.
func TestOurOwnVoiceIsNotHeardAgain(t *testing.T) {
	d := newDesk(t, "opus", "")
	packets := d.encode(speech(2*second, 16000), 1)
	d.run(packets, nil)
	p, runs := d.e.past, d.e.wire.runs
	for range 20 {
		p.put(heard{kind: packed, muted: true, frame: d.e.frame, runs: runs})
	}
	p.put(heard{kind: packed, frame: d.e.frame, runs: runs})
	out := d.replay(21)
	require.Less(t, energy(out[:20*320]), 1.0)
}
