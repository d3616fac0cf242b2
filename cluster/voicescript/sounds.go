package voicescript

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"time"

	"flametree/engine/fault"
	"flametree/engine/scenario"
	"flametree/media/caller"
	"flametree/media/pcm"
)

// sounds is all that a caller sends, made before the call.
type sounds struct {
	steps [][]int16 // by step, nil where nothing is heard
	noise []int16   // a loop
}

const (
	frame        = caller.RateHz / 50
	defaultVoice = "rms"
	loop         = 10 * time.Second
)

func (s *Studio) sounds(ctx context.Context, sc *scenario.Scenario, folder string) (sounds, error) {
	out := sounds{steps: make([][]int16, len(sc.Steps))}
	chance := rand.New(rand.NewPCG(sc.Seed, 7)) // it repeats itself by intent
	for i, step := range sc.Steps {
		var err error
		switch step.Act {
		case scenario.Say:
			out.steps[i], err = s.speak(ctx, first(step.Voice, sc.Voice, defaultVoice), step.Text)
		case scenario.Play:
			out.steps[i], err = s.Load(within(folder, step.Text))
			out.steps[i] = trim(out.steps[i])
		case scenario.Sound:
			out.steps[i] = burst(chance, step.Text)
		default:
			continue
		}
		if err == nil && len(out.steps[i]) == 0 {
			err = fmt.Errorf("there is no sound in it: %w", fault.Invalid)
		}
		if err != nil {
			return out, fmt.Errorf("step %d (line %d), %s: %w", i+1, step.Place.Line, scenario.Label(step), err)
		}
	}
	if sc.Noise.Kind == "" {
		return out, nil
	}
	var err error
	if out.noise, err = s.noise(ctx, sc.Noise, folder, chance); err != nil {
		return out, fmt.Errorf("noise: %w", err)
	}
	scale(out.noise, loudness(out.steps...)/math.Pow(10, sc.Noise.SNR/20))
	return out, nil
}

func first(of ...string) string {
	for _, s := range of {
		if s != "" {
			return s
		}
	}
	return ""
}

func within(folder, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(folder, name)
}

// pauses are written into what is said: "My number is [600ms] five five five".
var pauses = regexp.MustCompile(`\[(\d+(?:\.\d+)?(?:ms|s))\]`)

// speak renders a text with its pauses.
func (s *Studio) speak(ctx context.Context, voice, text string) ([]int16, error) {
	var out []int16
	part := func(words string) error {
		if scenario.Plain(words) == "" {
			return nil
		}
		said, err := s.Render(ctx, voice, words)
		out = append(out, trim(said)...)
		return err
	}
	at := 0
	for _, m := range pauses.FindAllStringSubmatchIndex(text, -1) {
		if err := part(text[at:m[0]]); err != nil {
			return nil, err
		}
		if d, err := time.ParseDuration(text[m[2]:m[3]]); err == nil {
			out = append(out, make([]int16, samples(min(d, 10*time.Second)))...)
		}
		at = m[1]
	}
	err := part(text[at:])
	return out, err
}

func samples(d time.Duration) int { return int(d * caller.RateHz / time.Second) }

// trim cuts silence off both ends, so that delays count from what is heard.
func trim(in []int16) []int16 {
	from, to := -1, 0
	for i := 0; i < len(in); i += frame {
		if pcm.LevelDB(in[i:min(i+frame, len(in))]) >= caller.Voiced {
			if from < 0 {
				from = i
			}
			to = min(i+frame, len(in))
		}
	}
	if from < 0 {
		return nil
	}
	return in[from:to]
}

// burst makes a sound that is no word: breath forced through a throat, in one or
// two strokes.
func burst(chance *rand.Rand, kind string) []int16 {
	type stroke struct {
		length, fade time.Duration
		loud         float64
	}
	strokes := map[string][]stroke{
		"cough":  {{160 * time.Millisecond, 60 * time.Millisecond, 9000}, {240 * time.Millisecond, 90 * time.Millisecond, 6000}},
		"click":  {{12 * time.Millisecond, 4 * time.Millisecond, 12000}},
		"breath": {{700 * time.Millisecond, 400 * time.Millisecond, 500}},
	}[kind]
	var out []int16
	low := 0.0
	for _, s := range strokes {
		n := samples(s.length)
		for i := range n {
			at := time.Duration(i) * time.Second / caller.RateHz
			low += 0.45 * (chance.NormFloat64() - low)
			out = append(out, pcm.Clip(float32(s.loud*low*math.Exp(-float64(at)/float64(s.fade)))))
		}
	}
	return out
}

// noise makes a loop of some seconds, of any loudness.
func (s *Studio) noise(ctx context.Context, n scenario.Noise, folder string, chance *rand.Rand) ([]int16, error) {
	out := make([]int16, samples(loop))
	switch n.Kind {
	case "babble":
		return s.babble(ctx, out)
	case "white":
		for i := range out {
			out[i] = pcm.Clip(float32(2000 * chance.NormFloat64()))
		}
	case "pink": // six first-order filters in a row of octaves (P. Kellet's refined method)
		poles := [6][2]float64{{0.99886, 0.0555179}, {0.99332, 0.0750759}, {0.969, 0.153852}, {0.8665, 0.3104856}, {0.55, 0.5329522}, {-0.7616, -0.016898}}
		var state [6]float64
		for i := range out {
			w, sum := chance.NormFloat64(), 0.0
			for k, p := range poles {
				state[k] = p[0]*state[k] + p[1]*w
				sum += state[k]
			}
			out[i] = pcm.Clip(float32(600 * (sum + 0.5362*w)))
		}
	case "hum":
		for i := range out {
			t := 2 * math.Pi * float64(i) / caller.RateHz
			out[i] = pcm.Clip(float32(3000 * (math.Sin(50*t) + 0.6*math.Sin(150*t) + 0.4*math.Sin(250*t) + 0.2*math.Sin(350*t))))
		}
	default:
		file, err := s.Load(within(folder, n.Kind))
		if err == nil && len(file) == 0 {
			err = fmt.Errorf("%s: there is no sound in it: %w", n.Kind, fault.Invalid)
		}
		return file, err
	}
	return out, nil
}

// babble is several people talking at once in the background.
func (s *Studio) babble(ctx context.Context, out []int16) ([]int16, error) {
	people := map[string]string{
		"rms": "The train to the coast leaves at a quarter past nine from the platform near the old market hall.",
		"slt": "We had soup and bread for lunch, and afterwards a very long walk along the river in the rain.",
		"awb": "Nobody knows where the keys are, so we wait for the neighbour who has a second pair of them.",
	}
	mixed := make([]int, len(out))
	shift := 0
	for _, voice := range []string{"rms", "slt", "awb"} {
		said, err := s.Render(ctx, voice, people[voice])
		if err != nil {
			return nil, err
		}
		for i := range mixed {
			mixed[i] += int(said[(i+shift)%len(said)])
		}
		shift += samples(1700 * time.Millisecond)
	}
	for i, v := range mixed {
		out[i] = int16(v / 3)
	}
	return out, nil
}

// loudness is the root mean square of what is spoken, pauses left out.
func loudness(of ...[]int16) float64 {
	sum, n := 0.0, 0
	for _, s := range of {
		for i := 0; i+frame <= len(s); i += frame {
			if f := s[i : i+frame]; pcm.LevelDB(f) >= caller.Voiced {
				sum += pcm.Power(f)
				n++
			}
		}
	}
	if n == 0 {
		return 2000 // of a voice of common loudness
	}
	return math.Sqrt(sum / float64(n))
}

// scale gives a loop a root mean square.
func scale(loop []int16, rms float64) {
	if now := math.Sqrt(pcm.Power(loop)); now > 0 {
		for i, v := range loop {
			loop[i] = pcm.Clip(float32(float64(v) * rms / now))
		}
	}
}
