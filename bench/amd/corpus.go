package amd

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"flametree/engine/fault"
	"flametree/media/resample"
	"flametree/media/wav"
)

const rate = 16000

// sample is one recording with what is true of it.
type sample struct {
	name    string
	machine bool
	pcm     []int16       // 16 kHz
	beep    time.Duration // where it ends, 0 = there is none or it is not known
}

func people() []string {
	return []string{
		"Hello?", "Hi.", "Yes?", "Yeah?", "Hello, who is this?", "Anna Schmidt.", "Good morning.", "Hello, this is Tom.", "Hey, what's up?",
		"Speaking.", "Smith residence.", "Hi, Maria here.", "Hello? Hello?", "Good afternoon, Peter speaking.", "Yes, hello.", "Go ahead.",
		"This is Doctor Miller.", "Hello, Johnson family.", "What is it?", "Hi, how can I help?", "Yep.", "Front desk, Sarah speaking.",
		"Hello, can I help you?", "Good evening.", "Oh hi.", "Robert.", "Taylor's garage, hello.", "Hello, yes, who is calling?",
	}
}

func machines() [][]string {
	return [][]string{
		{"Hi, you've reached Bob.", "I can't come to the phone right now.", "Please leave a message after the tone."},
		{"The person you are calling is not available.", "At the tone, please record your message.", "When you have finished recording you may hang up."},
		{"You have reached the voice mailbox of", "five five five, oh one hundred.", "Please leave a message after the beep."},
		{"Your call has been forwarded to an automatic voice message system.", "At the tone, please record your message."},
		{"Hello, this is the Johnson family.", "We are not at home at the moment, but your call is important to us.", "Leave your name and number and we will call you back."},
		{"Thank you for calling Smith and Partners.", "Our offices are closed.", "Please leave a message and we will get back to you on the next working day."},
		{"Hey, it's Dave, leave me a message and I'll call you back as soon as I can, thanks, bye."},
		{"The number you have dialled is currently switched off or out of range, please try again later or leave a message after the signal."},
		{"This is Anna's phone.", "I am either away from my desk or on another call.", "You know what to do."},
		{"Welcome to the voicemail service.", "The customer cannot take your call.", "Please speak after the tone and press hash for more options."},
	}
}

// voices are names for say: engine and voice.
func voices() []string {
	return []string{
		"espeak-ng:en-us", "espeak-ng:en-gb", "espeak-ng:en-gb-scotland", "espeak-ng:en-gb-x-rp", "espeak-ng:en-us+f3", "espeak-ng:en-us+m3",
		"espeak-ng:en-gb+f2", "espeak-ng:en-us+f5", "espeak-ng:en-gb+m7", "espeak-ng:en-029", "flite:slt", "flite:rms", "flite:awb", "flite:kal16",
	}
}

// say renders a text; the speed is words a minute, which flite stretches to.
func say(ctx context.Context, dir, voice, text string, speed int) ([]int16, error) {
	engine, name, _ := bytes.Cut([]byte(voice), []byte(":"))
	file := filepath.Join(dir, "say.wav")
	args := []string{"-v", string(name), "-s", strconv.Itoa(speed), "-w", file, text}
	if string(engine) == "flite" {
		args = []string{"-voice", string(name), "--setf", fmt.Sprintf("duration_stretch=%.2f", 165/float64(speed)), "-t", text, "-o", file}
	}
	if out, err := exec.CommandContext(ctx, string(engine), args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s: %w", engine, err, bytes.TrimSpace(out), fault.Unavailable)
	}
	return read(file)
}

// read reads a WAV file as 16 kHz mono.
func read(file string) ([]int16, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, fault.NotFound)
	}
	defer func() { _ = f.Close() }()
	a, err := wav.Read(f, wav.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	mono := a.PCM
	if a.Channels == 2 {
		mono = make([]int16, len(a.PCM)/2)
		for i := range mono {
			mono[i] = int16((int32(a.PCM[2*i]) + int32(a.PCM[2*i+1])) / 2)
		}
	}
	return resample.All(mono, a.RateHz, rate)
}

// studio draws recordings.
type studio struct {
	dir    string
	chance *rand.Rand
	spoken map[string][]int16
}

func (s *studio) between(low, high time.Duration) time.Duration {
	return low + time.Duration(s.chance.Int64N(int64(high-low)+1))
}

func silence(d time.Duration) []int16 { return make([]int16, int(d*rate/time.Second)) }

func (s *studio) speak(ctx context.Context, voice, text string, speed int) ([]int16, error) {
	key := fmt.Sprint(voice, speed, text)
	if pcm, ok := s.spoken[key]; ok {
		return pcm, nil
	}
	pcm, err := say(ctx, s.dir, voice, text, speed)
	if err == nil {
		s.spoken[key] = trim(pcm)
	}
	return s.spoken[key], err
}

// trim takes away silence at both ends, so that pauses are what was drawn.
func trim(pcm []int16) []int16 {
	loud := func(v int16) bool { return v > 250 || v < -250 }
	a, b := 0, len(pcm)
	for a < b && !loud(pcm[a]) {
		a++
	}
	for b > a && !loud(pcm[b-1]) {
		b--
	}
	return pcm[a:b]
}

// person picks up, says something, waits, and says hello again.
func (s *studio) person(ctx context.Context, i int) (sample, error) {
	all := people()
	voice, speed := voices()[s.chance.IntN(len(voices()))], 150+s.chance.IntN(50)
	pcm := silence(s.between(150*time.Millisecond, 1500*time.Millisecond))
	said, err := s.speak(ctx, voice, all[i%len(all)], speed)
	if err != nil {
		return sample{}, err
	}
	pcm = append(append(pcm, said...), silence(s.between(3*time.Second, 5*time.Second))...)
	if said, err = s.speak(ctx, voice, "Hello?", speed); err != nil {
		return sample{}, err
	}
	pcm = append(append(pcm, said...), silence(4*time.Second)...)
	return sample{name: fmt.Sprintf("human-%03d", i), pcm: s.line(pcm)}, nil
}

// machine greets, pauses and beeps.
func (s *studio) machine(ctx context.Context, i int) (sample, error) {
	all := machines()
	voice, speed := voices()[s.chance.IntN(len(voices()))], 150+s.chance.IntN(40)
	pcm := silence(s.between(200*time.Millisecond, 1200*time.Millisecond))
	for _, sentence := range all[i%len(all)] {
		said, err := s.speak(ctx, voice, sentence, speed)
		if err != nil {
			return sample{}, err
		}
		pcm = append(append(pcm, said...), silence(s.between(250*time.Millisecond, 800*time.Millisecond))...)
	}
	pcm = append(pcm, silence(s.between(0, 1200*time.Millisecond))...)
	pcm = append(pcm, s.tone()...)
	end := time.Duration(len(pcm)) * time.Second / rate
	pcm = append(pcm, silence(8*time.Second)...)
	return sample{name: fmt.Sprintf("machine-%03d", i), machine: true, pcm: s.line(pcm), beep: end}, nil
}

func (s *studio) tone() []int16 {
	hz := []float64{440, 480, 620, 800, 850, 1000, 1100, 1400, 1500, 2000, 2100}
	parts := []float64{hz[s.chance.IntN(len(hz))]}
	if s.chance.IntN(4) == 0 {
		parts = append(parts, parts[0]*1.5)
	}
	pcm := make([]int16, int(s.between(180*time.Millisecond, 1200*time.Millisecond)*rate/time.Second))
	loud := 1500 + 7000*s.chance.Float64()
	for i := range pcm {
		var v float64
		for _, f := range parts {
			v += math.Sin(2*math.Pi*f*float64(i)/rate) / float64(len(parts))
		}
		edge := min(1, float64(min(i, len(pcm)-i))/80)
		pcm[i] = int16(loud * v * edge)
	}
	return pcm
}

// line gives a recording a level and the noise of a telephone line.
func (s *studio) line(pcm []int16) []int16 {
	gain, noise := 0.35+0.6*s.chance.Float64(), 2+25*s.chance.Float64()*s.chance.Float64()
	for i, v := range pcm {
		x := gain*float64(v) + noise*s.chance.NormFloat64()
		pcm[i] = int16(max(-32000, min(32000, x)))
	}
	return pcm
}
