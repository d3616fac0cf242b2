package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/flite"
	"flametree/engine/spoken"
	"flametree/media/caller"
	"flametree/media/resample"
	"flametree/media/sip"
	"flametree/media/wav"
)

// callerCmd is the caller of demo: a process of its own that shares only SIP
// and RTP with the server. It reads a script from its input and writes what
// happened to its output.
type callerCmd struct {
	Target string `arg:"" help:"SIP URI to call."`
	Voice  string `default:"rms" help:"Voice of the caller."`
}

// step is one thing the caller does: wait for the agent, then say something.
type step struct {
	Say       string        `json:"say"`
	WAV       string        `json:"wav,omitempty"` // a file in place of Say
	Interrupt time.Duration `json:"interrupt"`     // speak over the agent after this long; 0 = when it is silent
}

// callerReport is what the caller tells.
type callerReport struct {
	Said   []saidReport  `json:"said"`
	Voice  []voiceReport `json:"voice"` // when the agent was heard
	Sent   int           `json:"sent"`
	Heard  int           `json:"heard"`
	Lost   int           `json:"lost"`
	Ended  string        `json:"ended"`
	CallID string        `json:"call_id"`
}

type saidReport struct {
	Text        string    `json:"text"`
	First, Last time.Time `json:"-"`
	FirstNS     int64     `json:"first"`
	LastNS      int64     `json:"last"`
}

// voiceReport is a stretch of packets with speech.
type voiceReport struct {
	FirstNS int64 `json:"first"`
	LastNS  int64 `json:"last"`
}

const (
	quietFor  = 900 * time.Millisecond
	patience  = 40 * time.Second
	sameVoice = 60 * time.Millisecond
)

// Run implements the command.
func (c *callerCmd) Run(ctx context.Context, e *Env) error {
	var script []step
	if err := json.NewDecoder(e.In).Decode(&script); err != nil {
		return fmt.Errorf("script: %w: %w", fault.Invalid, err)
	}
	audio, err := c.render(ctx, script)
	if err != nil {
		return err
	}
	phone, err := caller.New(ctx, caller.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = phone.Close() }()
	dialling, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	call, err := phone.Call(dialling, c.Target, sip.DialOptions{From: "demo-caller", Display: "Demo caller"})
	if err != nil {
		return err
	}
	var out callerReport
	out.CallID = call.SIP().CallID()
	err = c.talk(ctx, call, script, audio, &out)
	for _, p := range call.Heard(time.Time{}) {
		if p.Level < caller.Voiced {
			continue
		}
		at := p.At.UnixNano()
		if n := len(out.Voice); n > 0 && at-out.Voice[n-1].LastNS < int64(sameVoice) {
			out.Voice[n-1].LastNS = at
			continue
		}
		out.Voice = append(out.Voice, voiceReport{FirstNS: at, LastNS: at})
	}
	out.Sent, out.Heard, out.Lost = call.Totals()
	out.Ended = call.Reason()
	return errors.Join(err, json.NewEncoder(e.Out).Encode(out))
}

func (c *callerCmd) talk(ctx context.Context, call *caller.Call, script []step, audio [][]int16, out *callerReport) error {
	since := time.Now().Add(-time.Second)
	for i, s := range script {
		waiting, cancel := context.WithTimeout(ctx, patience)
		var err error
		if s.Interrupt > 0 {
			err = call.WaitVoice(waiting, since, s.Interrupt)
		} else {
			err = call.WaitQuiet(waiting, since, quietFor)
		}
		cancel()
		if err != nil {
			return fmt.Errorf("before saying %q: %w", s.Say, err)
		}
		said, err := call.Say(ctx, audio[i])
		if err != nil {
			return fmt.Errorf("saying %q: %w", s.Say, err)
		}
		since = said.Last
		out.Said = append(out.Said, saidReport{Text: s.Say, FirstNS: said.First.UnixNano(), LastNS: said.Last.UnixNano()})
	}
	// The agent says goodbye and hangs up; if it does not, we do.
	select {
	case <-call.Gone():
	case <-time.After(12 * time.Second):
		call.Hangup()
	case <-ctx.Done():
		call.Hangup()
	}
	return nil
}

// render makes 8 kHz audio of all that will be said, before the call.
func (c *callerCmd) render(ctx context.Context, script []step) ([][]int16, error) {
	synth, err := flite.New(flite.Options{})
	if err != nil {
		return nil, err
	}
	out := make([][]int16, len(script))
	for i, s := range script {
		if s.WAV != "" {
			out[i], err = load(s.WAV)
		} else {
			out[i], err = render(ctx, synth, c.Voice, s.Say)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func load(name string) ([]int16, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fault.Invalid, err)
	}
	a, err := wav.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return resample.All(a.Mono(), a.RateHz, caller.RateHz)
}

func render(ctx context.Context, synth provider.Synthesizer, voice, text string) ([]int16, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := synth.Open(ctx, provider.Voice{Name: voice})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	if err := s.Speak(spoken.Words(text, ""), 1, 1); err != nil {
		return nil, err
	}
	var pcm []int16
	rate := caller.RateHz
	for a, err := range s.Audio() {
		if err != nil {
			return nil, err
		}
		pcm, rate = append(pcm, a.PCM...), a.RateHz
		if a.Last {
			break
		}
	}
	return resample.All(pcm, rate, caller.RateHz)
}
