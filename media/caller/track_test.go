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
