package caller

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/dtmf"
)

// hearing makes a call that has heard packets of 20 ms: v is speech, . is none.
func hearing(begun time.Time, pattern string) *sound {
	s := &sound{}
	for i, c := range pattern {
		p := Packet{At: begun.Add(time.Duration(i) * frameTime)}
		if c == 'v' {
			p.Level = 60
		}
		s.heard = append(s.heard, p)
	}
	return s
}

func TestWhoSpeaksIsHeardToSpeak(t *testing.T) {
	begun := time.Unix(100, 0)
	at := func(n int) time.Time { return begun.Add(time.Duration(n) * frameTime) }
	for name, c := range map[string]struct {
		pattern       string
		since         int // packet
		speaks, quiet int // packets; -1 = not
	}{
		"nothing yet":              {"", 0, 0, -1},
		"speech now":               {"..vvvv", 0, 3, 0},
		"a breath is part of it":   {"vv.vv", 0, 4, 0},
		"a long pause is not":      {"vvv......vv", 0, 1, 0},
		"silence after speech":     {"vvv...", 0, 0, 3},
		"only what came since":     {"vvvvvv", 3, 2, 0},
		"we spoke later than they": {"vv........", 6, 0, 3},
	} {
		s := hearing(begun, c.pattern)
		require.Equal(t, time.Duration(c.speaks)*frameTime, s.speaking(at(c.since), 5*frameTime), name)
		require.Equal(t, c.quiet >= 0, s.silent(at(c.since), time.Duration(max(c.quiet, 0))*frameTime), name)
		require.False(t, s.silent(at(c.since), time.Duration(c.quiet+1)*frameTime+1), name)
	}
}

// TestKeysAreTelephoneEvents: each key is told once by a decoder, in order, and
// all packets of a key carry the stamp of its beginning (RFC 4733 2.1).
func TestKeysAreTelephoneEvents(t *testing.T) {
	k := keys{kind: 101, rateHz: RateHz, queue: []byte("42#"), pressed: true}
	d := dtmf.NewDecoder(RateHz)
	var told []dtmf.Digit
	stamps := map[uint32]int{}
	now, stamp := time.Unix(0, 0), uint32(1000)
	for range 200 {
		if h, payload, ok := k.next(stamp); ok {
			require.Equal(t, uint8(101), h.PayloadType)
			stamps[h.Timestamp]++
			var err error
			told, err = d.Push(now, h.Timestamp, h.Marker, payload, told)
			require.NoError(t, err)
		}
		now, stamp = now.Add(frameTime), stamp+frame
	}
	require.Len(t, stamps, 3)
	require.Len(t, told, 3)
	require.Equal(t, "42#", string([]byte{told[0].Key, told[1].Key, told[2].Key}))
	require.True(t, k.idle())
	require.False(t, k.idle(), "it is said once")
}

func TestTheBackdropGoesRoundAndDoesNotWrap(t *testing.T) {
	b := backdrop{pcm: []int16{10, 20, 32767}}
	f := []int16{0, 1, 2, 3, 4}
	b.mix(f)
	require.Equal(t, []int16{10, 21, 32767, 13, 24}, f)
	b.mix(f[:1])
	require.Equal(t, int16(32767), f[0])
}

// What was heard comes back so much later, by each of its ways; a packet that is
// late is a gap, and what follows it is where it belongs.
func TestARoomGivesBackWhatIsHeard(t *testing.T) {
	r := room{Room: Room{Gain: 0.5, Delay: 2 * frameTime, Paths: []Path{{0, 1}, {3, -0.5}}}}
	var heard, sent []int16
	come := func(v int16) {
		packet := make([]int16, frame)
		packet[0] = v
		heard = append(heard, packet...)
	}
	tick := func() {
		f := make([]int16, frame)
		f[1] = 7
		r.mix(f, heard)
		require.Equal(t, int16(7), f[1], "what is said is in it")
		sent = append(sent, f...)
	}
	tick() // before anything came
	for i := range 8 {
		switch i { // the fifth and the sixth come when the fifth is over, and the seventh
		case 4, 5, 6:
		case 7:
			come(5000)
			come(6000)
			come(7000)
			fallthrough
		default:
			come(int16(1000 * (i + 1)))
		}
		tick()
	}
	tick()
	tick()
	back := map[int]int16{}
	for i, v := range sent {
		if v != 0 && i%frame != 1 {
			back[i] = v
		}
	}
	require.Equal(t, map[int]int16{
		3 * frame: 500, 3*frame + 3: -250, 4 * frame: 1000, 4*frame + 3: -500, 5 * frame: 1500, 5*frame + 3: -750, 6 * frame: 2000, 6*frame + 3: -1000,
		8 * frame: 3000, 8*frame + 3: -1500, 9 * frame: 3500, 9*frame + 3: -1750, 10 * frame: 4000, 10*frame + 3: -2000,
	}, back)
}
