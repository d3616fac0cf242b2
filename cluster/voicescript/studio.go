// Package voicescript plays scenarios of spoken conversations: it is the caller,
// over real SIP and RTP and a road as bad as the scenario wants it, and gathers
// what package scenario judges: when the agent was heard and which words were
// recognised in the sound that came back, and what the journal holds. It refuses
// to judge, and to know how the agent came to what it said: of the server it
// sees packets and, where it may look, the lines of the journal.
package voicescript

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/scenario"
	"flametree/media/caller"
	"flametree/media/impair"
	"flametree/media/sip"
	"flametree/media/wav"
)

// Studio is what scenarios are played with. It does not change once it is made
// and is safe for concurrent use, as its fields must be.
type Studio struct {
	Render  func(ctx context.Context, voice, text string) ([]int16, error) // speech of 8 kHz
	Load    func(file string) ([]int16, error)                             // a WAV file as 8 kHz
	Ears    provider.Transcriber                                           // recognises the agent's words
	Journal Journal                                                        // nil = nobody can look inside
	Blind   string                                                         // why not
	Tell    func(scenario string, at time.Duration, what string)           // progress; nil = nobody listens
}

// Journal asks the server for the lines of its journal, such as
// /journal?from=1&follow=1; ctx ends the answer.
type Journal func(ctx context.Context, path string) (io.ReadCloser, error)

// Target is whom a scenario calls.
type Target struct {
	URI   string         // such as sip:bank@127.0.0.1:5060
	Hints provider.Hints // the agent's own vocabulary; what is expected is added
}

// Outcome is one run. It belongs to who gets it.
type Outcome struct {
	Report scenario.Report
	Stereo wav.Audio // caller left, agent right, 8 kHz, from the answer on
}

// dialling is how long an agent may take to answer.
const dialling = 20 * time.Second

// Play plays one scenario. folder is where its files stand. What the agent does
// wrong is in the report; the error is about what could not be played at all,
// such as a server that is not there (fault.Unavailable) or a voice that does
// not exist (fault.Invalid).
func (s *Studio) Play(ctx context.Context, sc *scenario.Scenario, folder string, to Target) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, sc.Timeout+dialling+time.Minute) // a net below the scenario's own
	defer cancel()
	sounds, err := s.sounds(ctx, sc, folder)
	if err != nil {
		return Outcome{}, err
	}
	phone, err := caller.New(ctx, caller.Options{
		At: reach(to.URI), Keep: true, Log: slog.New(slog.DiscardHandler),
		Weather: impair.Weather{Seed: sc.Seed, Loss: sc.Line.Loss, Reorder: sc.Line.Reorder, Delay: sc.Line.Delay, Jitter: sc.Line.Jitter},
	})
	if err != nil {
		return Outcome{}, err
	}
	defer func() { _ = phone.Close() }()
	position, err := s.position(ctx)
	if err != nil {
		return Outcome{}, err
	}
	call, err := s.dial(ctx, phone, sc, to)
	if err != nil {
		return Outcome{}, err
	}
	p := &player{studio: s, scenario: sc, call: call, sounds: sounds, zero: time.Now()}
	witness := s.watch(ctx, p, position)
	p.play(ctx)
	facts := witness.end(sc.End.Recording != nil && sc.End.Recording.On)
	return s.outcome(ctx, p, to, facts)
}

// dial places the call.
func (s *Studio) dial(ctx context.Context, phone *caller.Phone, sc *scenario.Scenario, to Target) (*caller.Call, error) {
	ctx, cancel := context.WithTimeout(ctx, dialling)
	defer cancel()
	o := sip.DialOptions{From: "scenario", Display: "Scenario", Transport: strings.ToUpper(sc.Line.Transport)}
	if sc.Line.Codec != "" {
		o.Codecs = []string{sc.Line.Codec}
	}
	call, err := phone.Call(ctx, to.URI, o)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", to.URI, refusal(err))
	}
	return call, nil
}

// refusal says what to do about a call that was not answered.
func refusal(err error) error {
	var refused *sip.Refused
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("the server refused the call: %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("nobody answered within %v; is this the SIP address of a server that runs?: %w: %w", dialling, fault.Unavailable, err)
	}
	return fmt.Errorf("is a server running there?: %w", err)
}

// reach is the local address from which a server is reached.
func reach(uri string) netip.Addr {
	_, host, _ := strings.Cut(strings.TrimPrefix(uri, "sip:"), "@")
	host, _, _ = strings.Cut(host, ";")
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(host, "5060")
	}
	conn, err := net.Dial("udp", host) // sends nothing
	if err != nil {
		return netip.Addr{}
	}
	defer func() { _ = conn.Close() }()
	a, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().Unmap()
}

// outcome recognises what was heard and has it judged.
func (s *Studio) outcome(ctx context.Context, p *player, to Target, facts *scenario.Facts) (Outcome, error) {
	o := p.observed(facts)
	if o.Blind = s.Blind; s.Journal != nil {
		o.Blind = "the call is not in the journal that was looked into"
	}
	heard, begun := p.call.Audio(), p.begun()
	words, err := s.recognise(ctx, heard, p.offset(begun), hints(p.scenario, to.Hints))
	if err != nil {
		return Outcome{}, err
	}
	o.Words = words
	r := scenario.Judge(p.scenario, o)
	r.Scenario = cmp.Or(r.Scenario, r.File)
	sent, received, lost := p.call.Totals()
	road := p.call.Carried()
	r.Packets = scenario.Packets{
		Sent: sent, Heard: received, Missing: lost, RoadSeen: road.Seen, RoadLost: road.Lost, Overtaken: road.Overtaken,
	}
	sentAt, said := p.call.Sent()
	return Outcome{Report: r, Stereo: stereo(placed(said, p.offset(sentAt)), placed(heard, p.offset(begun)))}, nil
}

// hints add what is expected to an agent's vocabulary: a recogniser hears only
// the words it knows.
func hints(sc *scenario.Scenario, of provider.Hints) provider.Hints {
	h := provider.Hints{Fields: of.Fields, Texts: append([]string(nil), of.Texts...)}
	add := func(e scenario.Expect) {
		for _, list := range [][]scenario.Text{e.Says, e.SaysAny, e.SaysNot} {
			for _, t := range list {
				h.Texts = append(h.Texts, t.Text)
			}
		}
	}
	for _, step := range sc.Steps {
		add(step.Expect)
	}
	add(sc.End)
	sum := sha256.New()
	for _, t := range h.Texts {
		_, _ = sum.Write(append([]byte(t), 0))
	}
	h.Key = "scenario/" + of.Key + "/" + hex.EncodeToString(sum.Sum(nil)[:8])
	return h
}

// placed puts sound where it began.
func placed(pcm []int16, at time.Duration) []int16 {
	n := int(at * caller.RateHz / time.Second)
	if n < 0 {
		return pcm[min(-n, len(pcm)):]
	}
	return append(make([]int16, n), pcm...)
}

func stereo(left, right []int16) wav.Audio {
	n := max(len(left), len(right))
	out := make([]int16, 2*n)
	for i := range n {
		if i < len(left) {
			out[2*i] = left[i]
		}
		if i < len(right) {
			out[2*i+1] = right[i]
		}
	}
	return wav.Audio{RateHz: caller.RateHz, Channels: 2, PCM: out}
}
