package deepgram

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// DefaultURL is Deepgram's own address.
const DefaultURL = "https://api.deepgram.com"

// Options of a Transcriber and a Synthesizer.
type Options struct {
	speech.Options
	Model string // of a Transcriber; "" = nova-3
	// Endpointing is the silence after which Deepgram says that a turn is over;
	// 0 = 300 ms. It is a hint to the turn machine.
	Endpointing time.Duration
	Voice       string // of a Synthesizer where a call names none; "" = aura-2-thalia-en
}

// connect opens a socket with the key, asked for now.
func connect(ctx context.Context, c *wire.Client, o speech.Options, path string) (*wire.Socket, error) {
	out, err := o.Signed(ctx, wire.Outgoing{Path: path}, "Authorization", "Token ")
	if err != nil {
		return nil, fmt.Errorf("deepgram: %w", err)
	}
	return c.Connect(ctx, out)
}

// Transcriber is a provider.Transcriber.
type Transcriber struct {
	client *wire.Client
	o      Options
}

var _ provider.Transcriber = (*Transcriber)(nil)

// NewTranscriber makes a Transcriber. It asks nothing yet; faults of o are
// fault.Invalid.
func NewTranscriber(o Options) (*Transcriber, error) {
	c, err := o.Client("deepgram", DefaultURL, nil)
	if err != nil {
		return nil, err
	}
	o.Model = cmp.Or(o.Model, "nova-3")
	o.Endpointing = cmp.Or(o.Endpointing, 300*time.Millisecond)
	return &Transcriber{client: c, o: o}, nil
}

// keepAlive is well under the 10 s after which Deepgram hangs up.
const keepAlive = 4 * time.Second

// Open implements provider.Transcriber. It connects.
func (t *Transcriber) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	if err := speech.Hears("deepgram", f); err != nil {
		return nil, err
	}
	s, err := connect(ctx, t.client, t.o.Options, "/v1/listen?"+t.query(f).Encode())
	if err != nil {
		return nil, err
	}
	l := speech.Line{Socket: s, Codec: listening{}, Alive: text("KeepAlive"), Every: keepAlive}
	return speech.Hear(ctx, l, t.o.Options), nil
}

// mostTerms is Deepgram's own bound on keyterms.
const mostTerms = 100

func (t *Transcriber) query(f provider.Format) url.Values {
	q := url.Values{
		"model": {t.o.Model}, "encoding": {"linear16"}, "sample_rate": {strconv.Itoa(speech.Rate)}, "channels": {"1"},
		"interim_results": {"true"}, "endpointing": {strconv.Itoa(int(t.o.Endpointing.Milliseconds()))},
	}
	if f.Language != "" {
		q.Set("language", f.Language)
	}
	terms := speech.Terms(f.Hints, mostTerms)
	switch {
	case strings.HasPrefix(t.o.Model, "nova-3"):
		q["keyterm"] = terms
	case strings.HasPrefix(t.o.Model, "nova-2"):
		q["keywords"] = terms
	}
	return q
}

func text(kind string) wire.Frame { return wire.Frame{Data: []byte(`{"type":"` + kind + `"}`)} }

// listening is the codec of /v1/listen. It has no state.
type listening struct{}

// Audio implements speech.Codec.
func (listening) Audio(pcm []int16) []wire.Frame {
	return []wire.Frame{{Binary: true, Data: speech.Bytes(pcm)}}
}

// Finalize implements speech.Codec.
func (listening) Finalize(int) []wire.Frame { return []wire.Frame{text("Finalize")} }

// End implements speech.Codec.
func (listening) End() []wire.Frame { return []wire.Frame{text("CloseStream")} }

// results is the union of the messages of /v1/listen that matter here.
type results struct {
	Type         string  `json:"type"`
	Start        float64 `json:"start"`    // seconds
	Duration     float64 `json:"duration"` // seconds
	IsFinal      bool    `json:"is_final"`
	SpeechFinal  bool    `json:"speech_final"`
	FromFinalize bool    `json:"from_finalize"`
	Channel      struct {
		Alternatives []struct {
			Transcript string `json:"transcript"`
			Words      []struct {
				Word       string  `json:"word"`
				Start, End float64 // seconds
			} `json:"words"`
		} `json:"alternatives"`
	} `json:"channel"`
	Code    string `json:"code"`    // Error only
	Variant string `json:"variant"` // likewise
}

// Read implements speech.Codec.
func (listening) Read(s *wire.Socket, f wire.Frame) ([]speech.Said, error) {
	var m results
	if f.Binary || json.Unmarshal(f.Data, &m) != nil || m.Type == "" {
		return nil, s.Unreadable()
	}
	switch m.Type {
	case "Results":
	case "Error":
		return nil, refused(s, cmp.Or(m.Code, m.Variant))
	default: // Metadata, SpeechStarted, UtteranceEnd
		return []speech.Said{{Ready: true}}, nil
	}
	if len(m.Channel.Alternatives) == 0 {
		return nil, s.Unreadable()
	}
	a := m.Channel.Alternatives[0]
	said := speech.Said{
		Text: a.Transcript, Final: m.IsFinal, Until: speech.Seconds(m.Start + m.Duration),
		Answer: m.FromFinalize, EndOfTurn: m.SpeechFinal && !m.FromFinalize,
	}
	for _, w := range a.Words {
		said.Words = append(said.Words, provider.Word{Text: w.Word, Start: speech.Seconds(w.Start), End: speech.Seconds(w.End)})
	}
	return []speech.Said{said}, nil
}
