package amd

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flametree/actors"
	"flametree/bench/report"
	"flametree/engine/fault"
	"flametree/media/amd"
	"flametree/media/g711"
	"flametree/media/resample"
)

// Options of a run.
type Options struct {
	Dir  string // of WAV files named human-… and machine-…; "" renders some
	Seed uint64 // draws what is rendered
	N    int    // of each kind that are rendered; default 140
}

// The promises.
const (
	wantedMachines = 95.0 // % right
	wantedHumans   = 2.0  // % wrong, at most
	wantedFirst    = 100.0
	wantedLast     = 800.0 // ms behind the beep
)

// verdict is what was made of a sample.
type verdict struct {
	sample
	said    string
	why     string
	took    time.Duration
	heard   time.Duration // end of the beep, as it was heard
	started time.Duration // of the message, 0 = none
}

// Run measures.
func Run(ctx context.Context, opt Options) (report.Report, error) {
	opt.N = cmp.Or(opt.N, 140)
	samples, err := gather(ctx, opt)
	if err != nil {
		return report.Report{}, err
	}
	r := report.Report{Name: "amd", Machine: report.Here(time.Now())}
	r.Params.Add("dir", cmp.Or(opt.Dir, "(rendered)"))
	r.Params.Add("seed", opt.Seed)
	r.Params.Add("files", len(samples))
	screens := amd.Screens()
	all := make([]verdict, 0, len(samples))
	begun := time.Now()
	var audio time.Duration
	for _, s := range samples {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		all = append(all, play(screens(0, 0, ""), s))
		audio += time.Duration(len(s.pcm)) * time.Second / rate
	}
	state(&r, all)
	r.Metrics.Add("core_percent_a_call", 100*time.Since(begun).Seconds()/audio.Seconds())
	return r, nil
}

// gather reads the folder, or renders one's worth.
func gather(ctx context.Context, opt Options) ([]sample, error) {
	if opt.Dir == "" {
		return rendered(ctx, opt)
	}
	files, err := filepath.Glob(filepath.Join(opt.Dir, "*.[wW][aA][vV]"))
	if err != nil {
		return nil, err
	}
	var out []sample
	for _, f := range files {
		name := strings.ToLower(filepath.Base(f))
		machine := strings.HasPrefix(name, "machine-")
		if !machine && !strings.HasPrefix(name, "human-") {
			continue
		}
		pcm, err := read(f)
		if err != nil {
			return nil, err
		}
		out = append(out, sample{name: filepath.Base(f), machine: machine, pcm: append(pcm, silence(4*time.Second)...)})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no WAV files named human-… or machine-…: %w", opt.Dir, fault.NotFound)
	}
	return out, nil
}

func rendered(ctx context.Context, opt Options) ([]sample, error) {
	dir, err := os.MkdirTemp("", "bench-amd-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s := &studio{dir: dir, chance: rand.New(rand.NewPCG(opt.Seed, 0xa3d)), spoken: make(map[string][]int16)}
	var out []sample
	for i := range opt.N {
		for _, draw := range []func(context.Context, int) (sample, error){s.person, s.machine} {
			one, err := draw(ctx, i)
			if err != nil {
				return nil, err
			}
			out = append(out, one)
		}
	}
	return out, nil
}

// play gives a recording to a machine as a call does: 8 kHz, µ-law, 20 ms.
func play(m actors.Screener, s sample) verdict {
	v := verdict{sample: s}
	down, err := resample.New(rate, g711.RateHz)
	if err != nil {
		panic("amd: 16 kHz to 8 kHz is a rate: " + err.Error())
	}
	up, err := resample.New(g711.RateHz, rate)
	if err != nil {
		panic("amd: 8 kHz to 16 kHz is a rate: " + err.Error())
	}
	var narrow, wide, rest []int16
	coded := make([]byte, 0, 400)
	at := time.Duration(0)
	for i := 0; i+320 <= len(s.pcm); i += 320 {
		narrow = down.Process(narrow[:0], s.pcm[i:i+320])
		coded = coded[:len(narrow)]
		g711.MuLaw.Encode(coded, narrow)
		g711.MuLaw.Decode(narrow, coded)
		wide = up.Process(wide[:0], narrow)
		for rest = append(rest, wide...); len(rest) >= 320; rest = rest[320:] {
			at += 20 * time.Millisecond
			got := m.Frame(rest[:320])
			v.said, v.why, v.took, v.heard = got.Verdict, got.Why, got.Took, got.Beep
			if got.Speak && v.started == 0 {
				v.started = at + 20*time.Millisecond // the first packet leaves within a frame
			}
		}
	}
	return v
}

// state puts the figures together.
func state(r *report.Report, all []verdict) {
	var humans, wrong, mailboxes, right, outside int
	var after, took []float64
	for _, v := range all {
		if !v.machine {
			humans++
			took = append(took, v.took.Seconds()*1000)
			if v.said == amd.Mailbox {
				wrong++
				r.Notes = append(r.Notes, fmt.Sprintf("%s taken for a machine: %s after %v", v.name, v.why, v.took))
			}
			continue
		}
		mailboxes++
		if v.said != amd.Mailbox {
			r.Notes = append(r.Notes, fmt.Sprintf("%s taken for %s: %s after %v", v.name, v.said, v.why, v.took))
			continue
		}
		right++
		beep := cmp.Or(v.beep, v.heard)
		if beep == 0 || v.started == 0 {
			continue
		}
		gap := (v.started - beep).Seconds() * 1000
		if after = append(after, gap); gap < wantedFirst || gap > wantedLast {
			outside++
			r.Notes = append(r.Notes, fmt.Sprintf("%s: the message begins %.0f ms behind the beep", v.name, gap))
		}
	}
	slices.Sort(r.Notes)
	share := func(n, of int) float64 { return 100 * float64(n) / float64(max(1, of)) }
	r.Metrics.Add("machines", mailboxes)
	r.Metrics.Add("machines_right_percent", share(right, mailboxes))
	r.Metrics.Add("humans", humans)
	r.Metrics.Add("humans_wrong_percent", share(wrong, humans))
	r.Metrics.Add("human_verdict_ms", report.Of(took))
	r.Metrics.Add("message_after_beep_ms", report.Of(after))
	r.Metrics.Add("messages_outside_100_to_800_ms", outside)
	r.Gates = append(r.Gates,
		report.Gate{Name: "machines right", Got: share(right, mailboxes), Want: wantedMachines, AtLeast: true, Unit: "%"},
		report.Gate{Name: "humans wrong", Got: share(wrong, humans), Want: wantedHumans, Unit: "%"},
		report.Gate{Name: "messages outside 100 to 800 ms", Got: float64(outside), Want: 0},
	)
}
