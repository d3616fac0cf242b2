package cartesia

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// Synthesizer is a provider.Synthesizer. A Voice's Name is the id of a voice of
// Cartesia's.
type Synthesizer struct {
	client *wire.Client
	o      Options
}

var _ provider.Synthesizer = (*Synthesizer)(nil)

// NewSynthesizer makes a Synthesizer. It asks nothing yet; faults of o are
// fault.Invalid.
func NewSynthesizer(o Options) (*Synthesizer, error) {
	c, err := o.client()
	if err != nil {
		return nil, err
	}
	o.VoiceModel = cmp.Or(o.VoiceModel, "sonic-3")
	o.Voice = cmp.Or(o.Voice, "694f9389-aac1-45b6-b726-9d9369183238")
	return &Synthesizer{client: c, o: o}, nil
}

// Open implements provider.Synthesizer. It connects.
func (y *Synthesizer) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	rate, err := speech.Pace("cartesia", v, 0.6, 1.5)
	if err != nil {
		return nil, err
	}
	c := &contexts{ask: generation{
		Model: y.o.VoiceModel, Voice: voice{Mode: "id", ID: cmp.Or(v.Name, y.o.Voice)}, Language: cmp.Or(speech.Short(v.Language), "en"),
		Output: output{Container: "raw", Encoding: "pcm_s16le", Rate: speech.Rate}, Timestamps: true,
	}}
	if rate != 1 {
		c.ask.Config = &config{Speed: rate}
	}
	w := &speech.Wired{
		Vendor: "cartesia", Script: c, Idle: y.o.Idle,
		Dial: func(ctx context.Context) (*wire.Socket, error) {
			return connect(ctx, y.client, y.o.Options, "/tts/websocket")
		},
	}
	if err := w.Open(ctx); err != nil {
		return nil, err
	}
	return speech.Speak(ctx, w, speech.Manner{Vendor: "cartesia", RateHz: speech.Rate, Timed: true}, y.o.Options), nil
}

// generation is a request to render.
type generation struct {
	Model      string  `json:"model_id"`
	Transcript string  `json:"transcript"`
	Voice      voice   `json:"voice"`
	Language   string  `json:"language"`
	Context    string  `json:"context_id"`
	Output     output  `json:"output_format"`
	Timestamps bool    `json:"add_timestamps"`
	Continue   bool    `json:"continue"`
	Config     *config `json:"generation_config,omitempty"`
}

type voice struct {
	Mode string `json:"mode"`
	ID   string `json:"id"`
}

type output struct {
	Container string `json:"container"`
	Encoding  string `json:"encoding"`
	Rate      int    `json:"sample_rate"`
}

type config struct {
	Speed float64 `json:"speed"`
}

// contexts is the script of /tts/websocket.
type contexts struct {
	ask   generation
	now   uint64 // the clause that words are of
	words []provider.Word
}

func name(n uint64) string { return "c" + strconv.FormatUint(n, 10) }

// Hello implements speech.Script.
func (c *contexts) Hello() []wire.Frame { return nil }

// Say implements speech.Script.
func (c *contexts) Say(n uint64, clause string) []wire.Frame {
	c.now, c.words = n, nil
	ask := c.ask
	ask.Transcript, ask.Context = clause, name(n)
	data, _ := json.Marshal(ask) //nolint:errchkjson // strings and finite numbers
	return []wire.Frame{{Data: data}}
}

// Stop implements speech.Script.
func (c *contexts) Stop(n uint64) []wire.Frame {
	return []wire.Frame{{Data: []byte(`{"context_id":"` + name(n) + `","cancel":true}`)}}
}

// Bye implements speech.Script: closing the socket is enough.
func (c *contexts) Bye() []wire.Frame { return nil }

// spoken is the union of the messages of a socket that matter here.
type spoken struct {
	Type    string `json:"type"`
	Context string `json:"context_id"`
	Data    string `json:"data"`
	Words   struct {
		Words []string  `json:"words"`
		Start []float64 `json:"start"` // seconds
		End   []float64 `json:"end"`
	} `json:"word_timestamps"`
	Code   string `json:"error_code"`
	Status int    `json:"status_code"`
}

// Read implements speech.Script.
func (c *contexts) Read(s *wire.Socket, f wire.Frame) (speech.Piece, error) {
	var m spoken
	if f.Binary || json.Unmarshal(f.Data, &m) != nil || m.Type == "" {
		return speech.Piece{}, s.Unreadable()
	}
	var p speech.Piece
	if m.Context != "" {
		n, err := strconv.ParseUint(strings.TrimPrefix(m.Context, "c"), 10, 64)
		if err != nil {
			return speech.Piece{}, s.Unreadable()
		}
		if p.Of = n; n != c.now {
			return p, nil // of a clause that was cancelled: what it says does not matter
		}
	}
	switch m.Type {
	case "chunk":
		pcm, err := base64.StdEncoding.DecodeString(m.Data)
		if err != nil {
			return speech.Piece{}, s.Unreadable()
		}
		p.PCM = pcm
	case "timestamps":
		if len(m.Words.Start) != len(m.Words.Words) || len(m.Words.End) != len(m.Words.Words) {
			return speech.Piece{}, s.Unreadable()
		}
		for i, w := range m.Words.Words {
			c.words = append(c.words, provider.Word{Text: w, Start: speech.Seconds(m.Words.Start[i]), End: speech.Seconds(m.Words.End[i])})
		}
		p.Words = c.words
	case "done":
		p.Words, p.Timed, p.End = c.words, true, true
	case "error":
		return speech.Piece{}, refused(s, m.Status, m.Code)
	}
	return p, nil
}
