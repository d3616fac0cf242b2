package voice

import (
	"math"
	"time"

	"flametree/media/caller"
)

// A caller's sound: syllables with short gaps, and in the middle a pause for
// breath that is longer than the voice detector's patience and shorter than the
// end of a turn.
const (
	syllable = 340 * time.Millisecond
	gap      = 60 * time.Millisecond
	breath   = 300 * time.Millisecond
)

// utterance makes a voiced signal of at least the given length, and says how
// much of it is voice.
func utterance(length time.Duration, pitchHz float64) (pcm []int16, voiced time.Duration) {
	rested := false
	for played(pcm) < length {
		pcm = tone(pcm, syllable, pitchHz)
		voiced += syllable
		switch {
		case !rested && played(pcm) > length/2:
			pcm, rested = silence(pcm, breath), true
		case played(pcm) < length:
			pcm = silence(pcm, gap)
		}
	}
	return pcm, voiced
}

func played(pcm []int16) time.Duration {
	return time.Duration(len(pcm)) * time.Second / caller.RateHz
}

func samples(d time.Duration) int { return int(d * caller.RateHz / time.Second) }

// tone appends three harmonics of a pitch whose loudness swings as a voice's does.
func tone(pcm []int16, d time.Duration, pitchHz float64) []int16 {
	for i := range samples(d) {
		t := float64(i) / caller.RateHz
		swell := 0.7 + 0.3*math.Sin(2*math.Pi*5*t)
		v := math.Sin(2*math.Pi*pitchHz*t) + 0.6*math.Sin(4*math.Pi*pitchHz*t) + 0.3*math.Sin(6*math.Pi*pitchHz*t)
		pcm = append(pcm, int16(4000*swell*v))
	}
	return pcm
}

func silence(pcm []int16, d time.Duration) []int16 { return append(pcm, make([]int16, samples(d))...) }
