package vendors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"flametree/bench/report"
	"flametree/bench/rig"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/azure"
	"flametree/engine/provider/cartesia"
	"flametree/engine/provider/deepgram"
	"flametree/engine/provider/elevenlabs"
	"flametree/engine/provider/google"
	"flametree/engine/provider/openai"
	"flametree/engine/provider/speechtest"
	"flametree/engine/provider/wire/speech"
)

// Options of a run.
type Options struct {
	Utterances int           // of each vendor; 0 = 10
	Audio      time.Duration // whose cost is counted, of each vendor; 0 = 60 s
	Final      time.Duration // the servers' own delay of last words; 0 = 150 ms
	Sound      time.Duration // and of the first sound; 0 = 120 ms
}

func (o Options) filled() Options {
	if o.Utterances == 0 {
		o.Utterances = 10
	}
	if o.Audio == 0 {
		o.Audio = time.Minute
	}
	if o.Final == 0 {
		o.Final = 150 * time.Millisecond
	}
	if o.Sound == 0 {
		o.Sound = 120 * time.Millisecond
	}
	return o
}

// What a connector may add to its vendor's own delay, and cost.
const (
	wantedOver = 15.0 // ms, p50
	wantedCPU  = 1.0  // percent of a core
)

// Run measures. It leaves nothing behind.
func Run(ctx context.Context, opt Options) (r report.Report, err error) {
	opt = opt.filled()
	if opt.Utterances < 0 || opt.Audio < time.Second || opt.Final < 0 || opt.Sound < 0 {
		return r, fmt.Errorf("bench vendors: at least one utterance and a second of audio are measured: %w", fault.Invalid)
	}
	child, err := rig.Spawn(ctx, ServerName, order{Final: opt.Final, Sound: opt.Sound})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, child.End()) }()
	var at addresses
	if err := child.Hear(&at); err != nil {
		return r, err
	}
	all, err := connect(at)
	if err != nil {
		return r, err
	}
	if err := opt.quick(ctx, all, child); err != nil {
		return r, err
	}
	for _, v := range all {
		if err := opt.cost(ctx, v); err != nil {
			return r, fmt.Errorf("bench vendors: %s: %w", v.name, err)
		}
	}
	return opt.told(all), nil
}

// quick measures what is waited for: all vendors beside each other, because
// they wait most of the time.
func (o Options) quick(ctx context.Context, all []*vendor, child *rig.Child) error {
	var wg sync.WaitGroup
	var cut sync.Mutex // of the way to the child
	errs := make([]error, len(all))
	for i, v := range all {
		wg.Go(func() {
			errs[i] = o.latency(ctx, v, func() error {
				cut.Lock()
				defer cut.Unlock()
				var d drop
				return errors.Join(child.Tell(drop{Vendor: v.name}), child.Hear(&d))
			})
			if errs[i] != nil {
				errs[i] = fmt.Errorf("bench vendors: %s: %w", v.name, errs[i])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// vendor is one connector and what was measured of it.
type vendor struct {
	name    string
	sockets bool // its recogniser is a socket that can be cut
	ears    provider.Transcriber
	mouth   provider.Synthesizer // nil: measured under another name

	partial, final, again, sound []float64 // ms
	hearing, speaking            spent
}

// spent is what a second of audio costs.
type spent struct {
	cpu    float64 // percent of a core
	allocs float64
	kilo   float64 // allocated
}

func connect(at addresses) ([]*vendor, error) {
	o := func(name string) speech.Options {
		return speech.Options{
			BaseURL: at[name], Key: func(context.Context) (string, error) { return speechtest.Key, nil },
			HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Second}},
		}
	}
	var errs []error
	var out []*vendor
	add := func(name string, ears provider.Transcriber, mouth provider.Synthesizer) {
		out = append(out, &vendor{name: name, sockets: true, ears: ears, mouth: mouth})
	}
	keep := func(err error) { errs = append(errs, err) }
	az, err := azure.NewTranscriber(azure.Options{Options: o("azure")})
	keep(err)
	azm, err := azure.NewSynthesizer(azure.Options{Options: o("azure")})
	keep(err)
	add("azure", az, azm)
	ca, err := cartesia.NewTranscriber(cartesia.Options{Options: o("cartesia")})
	keep(err)
	cam, err := cartesia.NewSynthesizer(cartesia.Options{Options: o("cartesia")})
	keep(err)
	add("cartesia", ca, cam)
	de, err := deepgram.NewTranscriber(deepgram.Options{Options: o("deepgram")})
	keep(err)
	dem, err := deepgram.NewSynthesizer(deepgram.Options{Options: o("deepgram")})
	keep(err)
	add("deepgram", de, dem)
	el, err := elevenlabs.NewTranscriber(elevenlabs.Options{Options: o("elevenlabs")})
	keep(err)
	elm, err := elevenlabs.NewSynthesizer(elevenlabs.Options{Options: o("elevenlabs")})
	keep(err)
	add("elevenlabs", el, elm)
	more, err := connectByRequest(o)
	keep(err)
	return append(out, more...), errors.Join(errs...)
}

// connectByRequest makes those whose recogniser is no socket, and the one more
// that OpenAI has.
func connectByRequest(o func(name string) speech.Options) ([]*vendor, error) {
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	ge, err := google.NewTranscriber(google.Options{Options: o("google"), Project: "a-project"})
	keep(err)
	gom, err := google.NewSynthesizer(google.Options{Options: o("google")})
	keep(err)
	op, err := openai.NewTranscriber(openai.SpeechOptions{Options: o("openai")})
	keep(err)
	opm, err := openai.NewSynthesizer(openai.SpeechOptions{Options: o("openai")})
	keep(err)
	li, err := openai.NewLiveTranscriber(openai.SpeechOptions{Options: o("openai_live")})
	keep(err)
	return []*vendor{
		{name: "google", ears: ge, mouth: gom}, {name: "openai", ears: op, mouth: opm}, {name: "openai_live", sockets: true, ears: li},
	}, errors.Join(errs...)
}

func (o Options) told(all []*vendor) report.Report {
	r := report.Report{Name: "vendors", Machine: report.Here(time.Now())}
	r.Params.Add("utterances", o.Utterances)
	r.Params.Add("audio_seconds", o.Audio.Seconds())
	r.Params.Add("final_ms", ms(o.Final))
	r.Params.Add("sound_ms", ms(o.Sound))
	plot := report.Plot{Title: "Last words and first sound", Unit: "ms"}
	for _, v := range all {
		m := report.Values{}
		if len(v.partial) > 0 {
			m.Add("partial_ms", report.Of(v.partial))
		}
		m.Add("final_ms", report.Of(v.final))
		if v.sockets {
			m.Add("reconnect_ms", report.Of(v.again))
		}
		m.Add("hearing_cpu_percent", v.hearing.cpu)
		m.Add("hearing_allocs_per_second", v.hearing.allocs)
		m.Add("hearing_kb_per_second", v.hearing.kilo)
		bars := []report.Bar{{Name: "final", Value: report.Of(v.final).P50}}
		over := []float64{report.Of(v.final).P50 - ms(o.Final)}
		cost := v.hearing.cpu
		if v.mouth != nil {
			m.Add("first_audio_ms", report.Of(v.sound))
			m.Add("speaking_cpu_percent", v.speaking.cpu)
			m.Add("speaking_allocs_per_second", v.speaking.allocs)
			m.Add("speaking_kb_per_second", v.speaking.kilo)
			bars = append(bars, report.Bar{Name: "first audio", Value: report.Of(v.sound).P50})
			over = append(over, report.Of(v.sound).P50-ms(o.Sound))
			cost = max(cost, v.speaking.cpu)
		}
		r.Metrics.Add(v.name, m)
		r.Gates = append(r.Gates,
			report.Gate{Name: v.name + ": beyond the vendor's own delay, p50", Want: wantedOver, Got: slices.Max(over), Unit: "ms"},
			report.Gate{Name: v.name + ": of a core for a call", Want: wantedCPU, Got: cost, Unit: "%"})
		plot.Groups = append(plot.Groups, report.Group{Name: v.name, Bars: bars})
	}
	r.Plots = []report.Plot{plot}
	r.Notes = []string{"Times are from the last sample written, or from the clause given, and include the delay of the server, which is a parameter. " +
		"A reconnect is from the moment a socket is cut until the last words of what was said before it are heard again, out of five seconds of audio given at once. " +
		"CPU and allocations are those of this process alone, for a second of audio."}
	return r
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
