package denoise

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/flite"
	"flametree/engine/provider/pocketsphinx"
	"flametree/media/resample"
	"flametree/test/house"
)

const rate = 16000

func sentences() []string {
	return []string{
		"i would like to book a double room for two nights",
		"what does breakfast cost and when is it served",
		"can you tell me the way from the station to the hotel",
		"please cancel my reservation for next friday",
		"we are arriving late in the evening with two children",
		"do you have a room with a view of the sea",
		"is there a parking space near the hotel",
		"no thank you that is all for today",
	}
}

// say is a sentence at 16 kHz, through a telephone's band, at -20 dB.
func say(t testing.TB, voice, text string) []int16 {
	t.Helper()
	s, err := flite.New(flite.Options{Voice: voice})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	speech, err := s.Open(ctx, provider.Voice{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = speech.Close() }()
	if err := speech.Speak(text, 1, 1); err != nil {
		t.Fatal(err)
	}
	var pcm []int16
	for a, err := range speech.Audio() {
		if err != nil {
			t.Fatal(err)
		}
		if pcm = append(pcm, a.PCM...); !a.Last {
			continue
		}
		if pcm, err = resample.All(pcm, a.RateHz, 8000); err != nil {
			t.Fatal(err)
		}
		break
	}
	pcm, err = resample.All(pcm, 8000, rate)
	if err != nil {
		t.Fatal(err)
	}
	return scaled(pcm, 3276.8/rms(pcm))
}

func rms(s []int16) float64 {
	sum := 0.0
	for _, v := range s {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(max(len(s), 1)))
}

func scaled(s []int16, by float64) []int16 {
	out := make([]int16, len(s))
	for i, v := range s {
		out[i] = int16(max(-32768, min(32767, float64(v)*by)))
	}
	return out
}

func plus(a, b []int16) []int16 {
	out := slices.Clone(a)
	for i := range out {
		out[i] = int16(max(-32768, min(32767, int(out[i])+int(b[i%len(b)]))))
	}
	return out
}

// noises are ten seconds of each kind, in a telephone's band.
func noises(t testing.TB) map[string][]int16 {
	t.Helper()
	chance := rand.New(rand.NewPCG(7, 7))
	white, pink := make([]int16, 10*8000), make([]int16, 10*8000)
	var row [12]float64 // Voss: rows that change half as often each
	for i := range white {
		white[i] = int16(chance.NormFloat64() * 3000)
		sum := 0.0
		for k := range row {
			if i%(1<<k) == 0 {
				row[k] = chance.NormFloat64()
			}
			sum += row[k]
		}
		pink[i] = int16(sum * 900)
	}
	out := map[string][]int16{}
	for name, s := range map[string][]int16{"white": white, "pink": pink} {
		wide, err := resample.All(s, 8000, rate)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = wide
	}
	var babble []int16
	for i, text := range []string{
		"the train to the harbour leaves at seven and stops at every station on the way there and back again",
		"my brother says that the weather will change tomorrow but nobody in the village believes a word of it",
		"put the large box on the table and then bring me the other two from the cellar before it gets dark",
		"she sold her house last year and moved to a small town in the mountains with her dog and two cats",
	} {
		s := say(t, []string{"slt", "rms", "awb", "slt"}[i], text)
		if babble == nil {
			babble = s
			continue
		}
		babble = plus(babble, s)
	}
	out["babble"] = babble
	return out
}

// right is the share of words that come out right of clips.
func right(t testing.TB, ears provider.Transcriber, clips map[string][][]int16) float64 {
	t.Helper()
	hints := provider.Hints{Key: "denoise/1", Texts: sentences()}
	good, all := 0, 0
	for said, voices := range clips {
		for _, pcm := range voices {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			s, err := ears.Open(ctx, provider.Format{RateHz: rate, BandHz: 8000, Hints: hints})
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for part := range slices.Chunk(pcm, rate/50) {
					_ = s.Write(part)
					time.Sleep(200 * time.Microsecond) // a recogniser's ring is bounded
				}
				_ = s.Finalize()
				_ = s.CloseSend()
			}()
			var heard []string
			for h, err := range s.Heard() {
				if err != nil {
					t.Fatal(err)
				}
				if h.Final {
					heard = append(heard, h.Text)
				}
			}
			cancel()
			g, n := house.WordsRight(said, strings.Join(heard, " "))
			good, all = good+g, all+n
		}
	}
	return 100 * float64(good) / float64(all)
}

// What the comment of the package tells comes from here.
func TestNoiseSuppressionAndTheRecogniser(t *testing.T) {
	voices, kinds, levels := []string{"rms"}, []string{"white"}, []float64{10}
	texts := sentences()[:3]
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		voices, kinds, levels, texts = []string{"rms", "awb"}, []string{"white", "pink", "babble"}, []float64{20, 10, 5}, sentences()
	}
	plain := pocketsphinx.New(pocketsphinx.Options{Dir: t.TempDir()})
	all := noises(t)
	clean := map[string][][]int16{}
	for _, text := range texts {
		for _, v := range voices {
			quiet := make([]int16, rate/2)
			clean[text] = append(clean[text], append(append(append([]int16(nil), quiet...), say(t, v, text)...), quiet...))
		}
	}
	row := func(name string, clips map[string][][]int16) (without, with float64) {
		without, with = right(t, plain, clips), right(t, Ears(plain, 0), clips)
		t.Logf("figure: %s: %.0f %% of words right without, %.0f %% with", name, without, with)
		return without, with
	}
	without, with := row("clean", clean)
	if without < 80 || with < 60 {
		t.Errorf("clean: %.0f and %.0f %% of words are right", without, with)
	}
	for _, kind := range kinds {
		for _, snr := range levels {
			noisy := map[string][][]int16{}
			noise := scaled(all[kind], 3276.8*math.Pow(10, -snr/20)/rms(all[kind]))
			for text, clips := range clean {
				for _, c := range clips {
					noisy[text] = append(noisy[text], plus(c, noise))
				}
			}
			row(fmt.Sprintf("%s %g dB", kind, snr), noisy)
		}
	}
}

func TestSteadyNoiseIsLowered(t *testing.T) {
	f, err := New(rate, -12)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	noise := scaled(noises(t)["white"], 0.1)
	before, after := 0.0, 0.0
	for n, frame := range slices.Collect(slices.Chunk(noise, f.Size())) {
		if len(frame) < f.Size() || n < 100 {
			f.Process(frame)
			continue
		}
		before += rms(frame)
		f.Process(frame)
		after += rms(frame)
	}
	if gone := 20 * math.Log10(before/after); gone < 6 {
		t.Errorf("after two seconds noise is %.1f dB lower, want 6", gone)
	} else {
		t.Logf("figure: steady noise comes out %.1f dB lower", gone)
	}
}

// parrot hears nothing and keeps what it is given.
type parrot struct {
	got       []int16
	finalised int
	done      chan struct{}
}

func (p *parrot) Open(context.Context, provider.Format) (provider.Transcription, error) {
	return p, nil
}

func (p *parrot) Write(pcm []int16) error {
	p.got = append(p.got, pcm...)
	return nil
}

func (p *parrot) Finalize() error {
	p.finalised = len(p.got)
	return nil
}

func (p *parrot) Heard() iter.Seq2[provider.Hearing, error] {
	return func(func(provider.Hearing, error) bool) { <-p.done }
}

func (p *parrot) CloseSend() error {
	close(p.done)
	return nil
}

// Nothing that was said before the last words are asked for may come after them.
func TestNoSampleIsLostOrLate(t *testing.T) {
	p := &parrot{done: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := Ears(p, 0).Open(ctx, provider.Format{RateHz: rate})
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for n := range 300 {
		part := make([]int16, 1+n*7%640)
		sent += len(part)
		if err := s.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finalize(); err != nil || p.finalised != sent {
		t.Errorf("%v: %d samples came before the last words were asked for, want %d", err, p.finalised, sent)
	}
	if err := s.Write(make([]int16, 5)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Write(make([]int16, 1000)); err != nil { // after the end nothing is filtered, and nothing breaks
		t.Fatal(err)
	}
	if err := s.CloseSend(); err != nil || len(p.got) != sent+1005 {
		t.Errorf("%v: %d samples, want %d", err, len(p.got), sent+1005)
	}
	for range s.Heard() {
		t.Error("something was heard")
	}
}

func TestWhatIsNoFilterIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ rate, db int }{"too slow": {4000, 0}, "odd": {16001, 0}, "louder": {16000, 6}, "too much": {16000, -90}} {
		if _, err := New(c.rate, c.db); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The share of a core is that of one call, measured in CPU time.
func TestTheCostOfACall(t *testing.T) {
	f, err := New(rate, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	frame := scaled(noises(t)["pink"][:f.Size()], 0.2)
	const frames = 5000
	began := cpu()
	for range frames {
		f.Process(frame)
	}
	each := (cpu() - began) / frames
	t.Logf("figure: %v of CPU a frame, %.2f %% of a core a call", each, 100*each.Seconds()/0.02)
	if each > 2*time.Millisecond {
		t.Errorf("%v a frame", each)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
