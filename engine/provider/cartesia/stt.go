package cartesia

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// Cartesia's own address and the version of its messages that is spoken here.
const (
	DefaultURL = "https://api.cartesia.ai"
	version    = "2026-03-01"
)

// Options of a Transcriber and a Synthesizer.
type Options struct {
	speech.Options
	Model      string // of a Transcriber; "" = ink-2 for English, ink-whisper for the rest
	VoiceModel string // of a Synthesizer; "" = sonic-3
	Voice      string // the id of one, where a call names none; "" = one of Cartesia's samples
}

func (o Options) client() (*wire.Client, error) {
	return o.Client("cartesia", DefaultURL, http.Header{"Cartesia-Version": {version}})
}

func connect(ctx context.Context, c *wire.Client, o speech.Options, path string) (*wire.Socket, error) {
	out, err := o.Signed(ctx, wire.Outgoing{Path: path}, "X-Api-Key", "")
	if err != nil {
		return nil, fmt.Errorf("cartesia: %w", err)
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
	c, err := o.client()
	if err != nil {
		return nil, err
	}
	return &Transcriber{client: c, o: o}, nil
}

// Open implements provider.Transcriber. It connects.
func (t *Transcriber) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	if err := speech.Hears("cartesia", f); err != nil {
		return nil, err
	}
	lang := speech.Short(f.Language)
	model := t.o.Model
	switch {
	case model == "" && (lang == "" || lang == "en"):
		model = "ink-2"
	case model == "":
		model = "ink-whisper"
	}
	q := url.Values{"model": {model}, "encoding": {"pcm_s16le"}, "sample_rate": {strconv.Itoa(speech.Rate)}}
	if lang != "" {
		q.Set("language", lang)
	}
	s, err := connect(ctx, t.client, t.o.Options, "/stt/websocket?"+q.Encode())
	if err != nil {
		return nil, err
	}
	return speech.Hear(ctx, speech.Line{Socket: s, Codec: &ink{}}, t.o.Options), nil
}

// ink is the codec of a stream.
type ink struct {
	text  string // settled since the last flush_done, as it came
	words []provider.Word
	end   time.Duration // of the last word that was settled
}

// longest bounds what is put together, in bytes.
const longest = 1 << 20

// Audio implements speech.Codec.
func (c *ink) Audio(pcm []int16) []wire.Frame {
	return []wire.Frame{{Binary: true, Data: speech.Bytes(pcm)}}
}

// Finalize implements speech.Codec.
func (c *ink) Finalize(int) []wire.Frame { return []wire.Frame{{Data: []byte("finalize")}} }

// End implements speech.Codec.
func (c *ink) End() []wire.Frame { return []wire.Frame{{Data: []byte("close")}} }

// transcript is the union of the messages of a stream that matter here.
type transcript struct {
	Type  string `json:"type"`
	Final bool   `json:"is_final"`
	Text  string `json:"text"`
	Words []struct {
		Word       string  `json:"word"`
		Start, End float64 // seconds
	} `json:"words"`
	Code   string `json:"error_code"`  // error only
	Status int    `json:"status_code"` // likewise
}

// Read implements speech.Codec.
func (c *ink) Read(s *wire.Socket, f wire.Frame) ([]speech.Said, error) {
	var m transcript
	if f.Binary || json.Unmarshal(f.Data, &m) != nil || m.Type == "" {
		return nil, s.Unreadable()
	}
	switch m.Type {
	case "transcript":
		return c.heard(s, m)
	case "flush_done":
		said := speech.Said{Text: c.text, Words: c.words, Final: true, Answer: true}
		c.text, c.words = "", nil
		return []speech.Said{said}, nil
	case "error":
		return nil, refused(s, m.Status, m.Code)
	}
	return nil, nil // done
}

func (c *ink) heard(s *wire.Socket, m transcript) ([]speech.Said, error) {
	var words []provider.Word
	for _, w := range m.Words {
		words = append(words, provider.Word{Text: w.Word, Start: speech.Seconds(w.Start), End: speech.Seconds(w.End)})
	}
	if !m.Final {
		return []speech.Said{{Text: c.text + m.Text, Words: append(slices.Clip(c.words), words...)}}, nil
	}
	if n := len(words); n > 0 {
		if words[n-1].End <= c.end { // it repeats itself
			return nil, nil
		}
		c.end = words[n-1].End
	}
	if c.text += m.Text; len(c.text) > longest {
		return nil, s.Unreadable()
	}
	c.words = append(c.words, words...)
	return []speech.Said{{Text: c.text, Words: c.words}}, nil
}

// refused reads an error message of either socket.
func refused(s *wire.Socket, status int, code string) error {
	var known fault.Kind
	if status < 400 {
		known = fault.Unavailable
	}
	return s.Refused(status, code, known)
}
