package leg

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/codec"
	"flametree/media/jitter"
)

// counted is a decoder that counts what it decodes.
type counted struct {
	codec.Decoder
	packets int
}

func (c *counted) Decode(dst []int16, packet []byte) (int, error) {
	c.packets++
	return c.Decoder.Decode(dst, packet)
}

// schedule says when packet n comes, and that it comes at all.
type schedule func(n int) (at time.Duration, comes bool)

// hear sends two seconds of sound over a road into an intake, and gives what
// comes out and how many packets the second decoder heard. Without previews
// everything goes through the second decoder, as the reference.
func hear(t *testing.T, r schedule, previews bool) (out []int16, second int) {
	t.Helper()
	c := ours(t, "opus")
	e, err := c.NewEncoder("useinbandfec=1")
	require.NoError(t, err)
	e.Expect(0.2)
	in, err := newIntake(c, jitter.Options{})
	require.NoError(t, err)
	behind := &counted{}
	behind.Decoder, err = c.NewDecoder()
	require.NoError(t, err)
	if previews {
		require.Nil(t, in.behind, "made before it is needed")
	} else {
		in.ahead.kept, in.behind, in.whole = nil, behind, make([]int16, codec.MaxSamples)
		in.ahead.warm = true
	}
	const frames = 100
	type packet struct {
		n    int
		at   time.Duration
		data []byte
	}
	var packets []packet
	sound := tone(frames*20*time.Millisecond, 300, 16000, 8000)
	for i, s := range tone(frames*20*time.Millisecond, 1700, 16000, 2000) {
		sound[i] += int16(float64(s) * (1 + math.Sin(float64(i)/3000)))
	}
	for n := range frames {
		data := make([]byte, codec.MaxBytes)
		data = data[:e.Encode(data, sound[n*320:][:320])]
		if at, comes := r(n); comes {
			packets = append(packets, packet{n, at, data})
		}
	}
	slices.SortStableFunc(packets, func(a, b packet) int { return int(a.at - b.at) })
	start := time.Now()
	frame := make([]int16, 320)
	for tick := range frames + 5 {
		now := time.Duration(tick)*20*time.Millisecond + 5*time.Millisecond
		for len(packets) > 0 && packets[0].at <= now {
			p := packets[0]
			packets = packets[1:]
			fresh, err := in.push(start.Add(p.at), uint16(p.n), uint32(p.n*960), p.data)
			require.NoError(t, err)
			if fresh {
				_, err = in.preview(uint16(p.n), p.data)
				require.NoError(t, err)
			}
		}
		had := in.behind != nil
		if status, _ := in.next(start.Add(now), frame); status == jitter.Empty {
			clear(frame)
		}
		if !had && in.behind != nil { // from here on it is counted
			behind.Decoder, in.behind = in.behind, behind
		}
		out = append(out, frame...)
	}
	return out[:(frames+1)*320], behind.packets // what comes after is guessed, and guesses differ
}

// apart is how far two sounds are apart, in dB below the first.
func apart(a, b []int16) float64 {
	var power, off float64
	for i := range a {
		power += float64(a[i]) * float64(a[i])
		off += (float64(a[i]) - float64(b[i])) * (float64(a[i]) - float64(b[i]))
	}
	return 10 * math.Log10(power/math.Max(off, 1))
}

// TestWhatComesInOrderIsDecodedOnce: what was heard at arrival is heard again
// behind the jitter buffer, and it is the same sound.
func TestWhatComesInOrderIsDecodedOnce(t *testing.T) {
	each := func(n int) time.Duration { return time.Duration(n) * 20 * time.Millisecond }
	random := rand.New(rand.NewPCG(7, 7))
	lost := map[int]bool{}
	for range 5 {
		lost[10+random.IntN(80)] = true
	}
	for name, tt := range map[string]struct {
		road   schedule
		second int     // packets the second decoder hears at most
		same   float64 // dB
	}{
		"a clean road": {func(n int) (time.Duration, bool) { return each(n), true }, 0, 60},
		"jitter": {func(n int) (time.Duration, bool) {
			return each(n) + time.Duration(n*7%15)*time.Millisecond, true
		}, 0, 40},
		"late from the middle on": {func(n int) (time.Duration, bool) {
			if n >= 50 {
				return each(n) + 38*time.Millisecond, true
			}
			return each(n), true
		}, 0, 60},
		"one is lost":   {func(n int) (time.Duration, bool) { return each(n), n != 40 }, warming + settled + 1, 30},
		"some are lost": {func(n int) (time.Duration, bool) { return each(n), !lost[n] }, 5 * (warming + settled + 1), 30},
		"two are swapped": {func(n int) (time.Duration, bool) {
			if n == 50 {
				return each(n) + 25*time.Millisecond, true
			}
			return each(n), true
		}, warming + settled + 3, 30},
	} {
		t.Run(name, func(t *testing.T) {
			want, all := hear(t, tt.road, false)
			got, second := hear(t, tt.road, true)
			t.Logf("figure: %s: %.0f dB apart, %d of %d packets decoded twice", name, apart(want, got), second, all)
			require.GreaterOrEqual(t, apart(want, got), tt.same)
			require.LessOrEqual(t, second, tt.second)
			if tt.second > 0 {
				require.Positive(t, second)
			}
		})
	}
}

// TestTheSecondDecoderIsLetGoOf: a gap costs its memory for some seconds.
func TestTheSecondDecoderIsLetGoOf(t *testing.T) {
	c := ours(t, "opus")
	e, err := c.NewEncoder("")
	require.NoError(t, err)
	in, err := newIntake(c, jitter.Options{})
	require.NoError(t, err)
	data := make([]byte, codec.MaxBytes)
	data = data[:e.Encode(data, tone(20*time.Millisecond, 300, 16000, 8000))]
	frame := make([]int16, 320)
	now, needed := time.Now(), 0
	for n := range 100 + 2*enough {
		now = now.Add(20 * time.Millisecond)
		if n != 50 {
			_, err = in.push(now, uint16(n), uint32(n*960), data)
			require.NoError(t, err)
			_, err = in.preview(uint16(n), data)
			require.NoError(t, err)
		}
		in.next(now, frame)
		if in.behind != nil {
			needed++
		}
	}
	require.InDelta(t, enough+settled, needed, 5, "frames in which there were two")
}

// TestAnotherSourceCostsNoMemory: a peer may change its source with every packet.
func TestAnotherSourceCostsNoMemory(t *testing.T) {
	in, err := newIntake(ours(t, "opus"), jitter.Options{})
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(100, in.reset))
}
