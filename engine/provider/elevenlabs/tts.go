package elevenlabs

import (
	"cmp"
	"context"
	"encoding/base64"
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

// Synthesizer is a provider.Synthesizer. A Voice's Name is the id of a voice of
// ElevenLabs'.
type Synthesizer struct {
	client *wire.Client
	o      Options
}

var _ provider.Synthesizer = (*Synthesizer)(nil)

// NewSynthesizer makes a Synthesizer. It asks nothing yet; faults of o are
// fault.Invalid.
func NewSynthesizer(o Options) (*Synthesizer, error) {
	c, err := o.Client("elevenlabs", DefaultURL, nil)
	if err != nil {
		return nil, err
	}
	o.VoiceModel = cmp.Or(o.VoiceModel, "eleven_flash_v2_5")
	o.Voice = cmp.Or(o.Voice, "21m00Tcm4TlvDq8ikWAM")
	return &Synthesizer{client: c, o: o}, nil
}

// Open implements provider.Synthesizer. It connects.
func (y *Synthesizer) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	rate, err := speech.Pace("elevenlabs", v, 0.7, 1.2)
	if err != nil {
		return nil, err
	}
	q := url.Values{
		"model_id": {y.o.VoiceModel}, "output_format": {"pcm_16000"}, "auto_mode": {"true"}, "sync_alignment": {"true"},
		"inactivity_timeout": {"180"}, // seconds, the most there is
	}
	if lang := speech.Short(v.Language); lang != "" && strings.Contains(y.o.VoiceModel, "v2_5") { // others refuse it
		q.Set("language_code", lang)
	}
	path := "/v1/text-to-speech/" + url.PathEscape(cmp.Or(v.Name, y.o.Voice)) + "/multi-stream-input?" + q.Encode()
	w := &speech.Wired{
		Vendor: "elevenlabs", Script: &contexts{speed: rate}, Idle: y.o.Idle,
		Dial: func(ctx context.Context) (*wire.Socket, error) { return connect(ctx, y.client, y.o.Options, path) },
	}
	if err := w.Open(ctx); err != nil {
		return nil, err
	}
	return speech.Speak(ctx, w, speech.Manner{Vendor: "elevenlabs", RateHz: 16000, Timed: true}, y.o.Options), nil
}

// contexts is the script of multi-stream-input.
type contexts struct {
	speed float64
	now   uint64 // the clause that chars are of
	chars aligned
}

type settings struct {
	Speed float64 `json:"speed"`
}

type text struct {
	Text     string    `json:"text"`
	Context  string    `json:"context_id"`
	Settings *settings `json:"voice_settings,omitempty"`
	Flush    bool      `json:"flush,omitempty"`
}

func name(n uint64) string { return "c" + strconv.FormatUint(n, 10) }

// Hello implements speech.Script.
func (c *contexts) Hello() []wire.Frame { return nil }

// Say implements speech.Script.
func (c *contexts) Say(n uint64, clause string) []wire.Frame {
	c.now, c.chars = n, aligned{}
	first := text{Text: " ", Context: name(n)}
	if c.speed != 1 {
		first.Settings = &settings{Speed: c.speed}
	}
	return []wire.Frame{
		encode(first),
		encode(text{Text: clause + " ", Context: name(n), Flush: true}), // a text must end in a space
		{Data: []byte(`{"context_id":"` + name(n) + `","close_context":true}`)},
	}
}

// Stop implements speech.Script: the context is closed already.
func (c *contexts) Stop(uint64) []wire.Frame { return nil }

// Bye implements speech.Script.
func (c *contexts) Bye() []wire.Frame { return []wire.Frame{{Data: []byte(`{"close_socket":true}`)}} }

// spokenMessage is what a context says.
type spokenMessage struct {
	Audio     string     `json:"audio"`
	Final     bool       `json:"isFinal"`
	Context   string     `json:"contextId"`
	Alignment *alignment `json:"alignment"`
	Error     string     `json:"error"`
}

type alignment struct {
	Chars     []string  `json:"chars"`
	Starts    []float64 `json:"charStartTimesMs"`
	Durations []float64 `json:"charDurationsMs"`
}

// Read implements speech.Script.
func (c *contexts) Read(s *wire.Socket, f wire.Frame) (speech.Piece, error) {
	var m spokenMessage
	if f.Binary || json.Unmarshal(f.Data, &m) != nil {
		return speech.Piece{}, s.Unreadable()
	}
	if m.Error != "" {
		k, known := refusals()[m.Error]
		if !known {
			k = fault.Unavailable
		}
		return speech.Piece{}, s.Refused(0, m.Error, k)
	}
	p := speech.Piece{End: m.Final}
	if m.Context != "" {
		n, err := strconv.ParseUint(strings.TrimPrefix(m.Context, "c"), 10, 64)
		if err != nil {
			return speech.Piece{}, s.Unreadable()
		}
		if p.Of = n; n != c.now {
			return p, nil // of a clause that was cancelled: what it says does not matter
		}
	}
	var err error
	if p.PCM, err = base64.StdEncoding.DecodeString(m.Audio); err != nil {
		return speech.Piece{}, s.Unreadable()
	}
	if a := m.Alignment; a != nil {
		if len(a.Starts) != len(a.Chars) || len(a.Durations) != len(a.Chars) {
			return speech.Piece{}, s.Unreadable()
		}
		c.chars.add(a)
		p.Words = c.chars.words(m.Final)
	}
	if m.Final {
		p.Words, p.Timed = c.chars.words(true), true
	}
	return p, nil
}

// aligned is the timed characters of a clause so far.
type aligned struct {
	text       []string
	start, end []time.Duration
}

func (a *aligned) add(m *alignment) {
	if len(m.Chars) == 0 {
		return
	}
	base := time.Duration(0)
	if n := len(a.end); n > 0 && ms(m.Starts[0]) < a.start[n-1] { // it begins anew with each message
		base = a.end[n-1]
	}
	for i, c := range m.Chars {
		a.text = append(a.text, c)
		a.start = append(a.start, base+ms(m.Starts[i]))
		a.end = append(a.end, base+ms(m.Starts[i])+ms(m.Durations[i]))
	}
}

func ms(v float64) time.Duration { return speech.Seconds(v / 1000) }

// words are what the characters spell; the last may go on unless all are there.
func (a *aligned) words(all bool) []provider.Word {
	var out []provider.Word
	var w *provider.Word
	for i, c := range a.text {
		if strings.TrimSpace(c) == "" {
			w = nil
			continue
		}
		if w == nil {
			out = append(out, provider.Word{Start: a.start[i]})
			w = &out[len(out)-1]
		}
		w.Text, w.End = w.Text+c, a.end[i]
	}
	if w != nil && !all {
		out = out[:len(out)-1]
	}
	return out
}
