package deepgram

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// Synthesizer is a provider.Synthesizer. A Voice's Name is a model of Deepgram's,
// which has its language in it.
type Synthesizer struct {
	client *wire.Client
	o      Options
}

var _ provider.Synthesizer = (*Synthesizer)(nil)

// NewSynthesizer makes a Synthesizer. It asks nothing yet; faults of o are
// fault.Invalid.
func NewSynthesizer(o Options) (*Synthesizer, error) {
	c, err := o.Client("deepgram", DefaultURL, nil)
	if err != nil {
		return nil, err
	}
	o.Voice = cmp.Or(o.Voice, "aura-2-thalia-en")
	return &Synthesizer{client: c, o: o}, nil
}

// The limits of /v1/speak.
const (
	mostFlushes = 20
	flushWindow = time.Minute
	speakRate   = 24000
)

// Open implements provider.Synthesizer. It connects.
func (y *Synthesizer) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	rate, err := speech.Pace("deepgram", v, 0.7, 1.5)
	if err != nil {
		return nil, err
	}
	q := url.Values{"model": {cmp.Or(v.Name, y.o.Voice)}, "encoding": {"linear16"}, "sample_rate": {strconv.Itoa(speakRate)}}
	if rate != 1 {
		q.Set("speed", strconv.FormatFloat(rate, 'f', -1, 64))
	}
	w := &speech.Wired{
		Vendor: "deepgram", Script: speaking{}, Confirms: true, Idle: y.o.Idle, Most: mostFlushes, Per: flushWindow,
		Dial: func(ctx context.Context) (*wire.Socket, error) {
			return connect(ctx, y.client, y.o.Options, "/v1/speak?"+q.Encode())
		},
	}
	if err := w.Open(ctx); err != nil {
		return nil, err
	}
	return speech.Speak(ctx, w, speech.Manner{Vendor: "deepgram", RateHz: speakRate}, y.o.Options), nil
}

// speaking is the script of /v1/speak. It has no state.
type speaking struct{}

// Hello implements speech.Script.
func (speaking) Hello() []wire.Frame { return nil }

// Say implements speech.Script.
func (speaking) Say(_ uint64, clause string) []wire.Frame {
	say, _ := json.Marshal(struct { //nolint:errchkjson // it cannot fail on strings
		Type string `json:"type"`
		Text string `json:"text"`
	}{"Speak", clause})
	return []wire.Frame{{Data: say}, text("Flush")}
}

// Stop implements speech.Script.
func (speaking) Stop(uint64) []wire.Frame { return []wire.Frame{text("Clear")} }

// Bye implements speech.Script.
func (speaking) Bye() []wire.Frame { return []wire.Frame{text("Close")} }

// Read implements speech.Script.
func (speaking) Read(s *wire.Socket, f wire.Frame) (speech.Piece, error) {
	if f.Binary {
		return speech.Piece{Sound: speech.Sound{PCM: f.Data}}, nil
	}
	var m struct {
		Type string `json:"type"`
		Code string `json:"code"`
	}
	if json.Unmarshal(f.Data, &m) != nil || m.Type == "" {
		return speech.Piece{}, s.Unreadable()
	}
	switch m.Type {
	case "Flushed":
		return speech.Piece{End: true}, nil
	case "Cleared":
		return speech.Piece{Stopped: true}, nil
	case "Error":
		return speech.Piece{}, refused(s, m.Code)
	}
	return speech.Piece{}, nil // Metadata, Warning
}

// refused reads an error message of either socket.
func refused(s *wire.Socket, code string) error {
	var known fault.Kind
	switch {
	case strings.HasPrefix(code, "INVALID_AUTH"), code == "INSUFFICIENT_PERMISSIONS", code == "ASR_PAYMENT_REQUIRED":
		known = fault.Denied
	case code == "TOO_MANY_REQUESTS", code == "RATE_LIMIT_EXCEEDED":
		known = fault.Exhausted
	}
	return s.Refused(0, code, known)
}
