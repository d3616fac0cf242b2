package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/url"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// Verified is the day on which the speech of this package was last tested
// against the vendor itself.
const Verified = "never"

// SpeechOptions of a Transcriber, a LiveTranscriber or a Synthesizer. A
// compatible server needs BaseURL and Model only.
type SpeechOptions struct {
	speech.Options
	Model string // "" = whisper-1, gpt-live-transcribe or gpt-4o-mini-tts
	Voice string // of a Synthesizer where a call names none; "" = alloy
}

func (o SpeechOptions) connector(model string) (connector, error) {
	c, err := o.Client("openai", DefaultURL, nil)
	if o.Model == "" {
		o.Model = model
	}
	return connector{client: c, o: o}, err
}

type connector struct {
	client *wire.Client
	o      SpeechOptions
}

// signed is out with the key, asked for now.
func (c connector) signed(ctx context.Context, out wire.Outgoing) (wire.Outgoing, error) {
	out, err := c.o.Signed(ctx, out, "Authorization", "Bearer ")
	if err != nil {
		return out, fmt.Errorf("openai: %w", err)
	}
	return out, nil
}

// Transcriber is a provider.Transcriber over requests, one for each utterance:
// every compatible server has that. It has no partials. Words have times where
// the model is a Whisper.
type Transcriber struct{ c connector }

var _ provider.Transcriber = (*Transcriber)(nil)

// NewTranscriber makes a Transcriber. It asks nothing yet.
func NewTranscriber(o SpeechOptions) (*Transcriber, error) {
	c, err := o.connector("whisper-1")
	if err != nil {
		return nil, err
	}
	return &Transcriber{c: c}, nil
}

// Open implements provider.Transcriber. It connects to nothing yet.
func (t *Transcriber) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	if err := speech.Hears("openai", f); err != nil {
		return nil, err
	}
	ask := func(ctx context.Context, pcm []int16, _ func(string)) (string, []provider.Word, error) {
		return t.ask(ctx, f, pcm)
	}
	return speech.HearBatch(ctx, speech.Batch{Ask: ask, Least: 100 * time.Millisecond}), nil // OpenAI refuses less
}

// maxTranscript bounds the answer to one request.
const maxTranscript = 1 << 20

func (t *Transcriber) ask(ctx context.Context, f provider.Format, pcm []int16) (string, []provider.Word, error) {
	whisper := strings.Contains(strings.ToLower(t.c.o.Model), "whisper")
	body, kind, err := form(t.c.o.Model, f, pcm, whisper)
	if err != nil {
		return "", nil, err
	}
	out, err := t.c.signed(ctx, wire.Outgoing{Path: "/audio/transcriptions", Type: kind, Body: body, Accept: "application/json"})
	if err != nil {
		return "", nil, err
	}
	in, err := t.c.client.Fetch(ctx, out)
	if err != nil {
		return "", nil, err
	}
	all, err := t.c.client.ReadAll(in, maxTranscript)
	if err != nil {
		return "", nil, err
	}
	var got transcript
	if json.Unmarshal(all, &got) != nil || got.Text == nil { // its error may quote the answer
		return "", nil, t.c.client.Unreadable()
	}
	return *got.Text, got.words(), nil
}

// form is the multipart body of a request.
func form(model string, f provider.Format, pcm []int16, times bool) (body []byte, kind string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	fields := [][2]string{{"model", model}, {"response_format", "json"}}
	if times {
		fields[1][1] = "verbose_json"
		fields = append(fields, [2]string{"timestamp_granularities[]", "word"})
	}
	if lang := speech.Short(f.Language); lang != "" {
		fields = append(fields, [2]string{"language", lang})
	}
	if terms := speech.Terms(f.Hints, 40); len(terms) > 0 {
		fields = append(fields, [2]string{"prompt", strings.Join(terms, ", ")})
	}
	for _, x := range fields {
		err = orFirst(err, w.WriteField(x[0], x[1]))
	}
	file, failed := w.CreateFormFile("file", "utterance.wav")
	if err = orFirst(err, failed); err == nil {
		_, failed = file.Write(append(speech.WAV(speech.Rate, 2*len(pcm)), speech.Bytes(pcm)...))
		err = orFirst(failed, w.Close())
	}
	if err != nil { // a buffer takes everything
		return nil, "", fmt.Errorf("openai: form: %w: %w", fault.Bug, err)
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

func orFirst(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// transcript is the answer in both of its forms.
type transcript struct {
	Text  *string `json:"text"`
	Words []struct {
		Word       string  `json:"word"`
		Start, End float64 // seconds
	} `json:"words"`
}

func (t transcript) words() []provider.Word {
	var out []provider.Word
	for _, w := range t.Words {
		out = append(out, provider.Word{Text: w.Word, Start: speech.Seconds(w.Start), End: speech.Seconds(w.End)})
	}
	return out
}

// Synthesizer is a provider.Synthesizer over requests whose answers stream. It
// knows no times of words.
type Synthesizer struct{ c connector }

var _ provider.Synthesizer = (*Synthesizer)(nil)

// NewSynthesizer makes a Synthesizer. It asks nothing yet.
func NewSynthesizer(o SpeechOptions) (*Synthesizer, error) {
	if o.Voice == "" {
		o.Voice = "alloy"
	}
	c, err := o.connector("gpt-4o-mini-tts")
	if err != nil {
		return nil, err
	}
	return &Synthesizer{c: c}, nil
}

// speechRate is that of OpenAI's pcm; another server tells its own in the type.
const speechRate = 24000

// speak is the body of a request for sound.
type speak struct {
	Model  string  `json:"model"`
	Input  string  `json:"input"`
	Voice  string  `json:"voice"`
	Format string  `json:"response_format"`
	Speed  float64 `json:"speed,omitempty"` // left out = 1; some models refuse it
}

// Open implements provider.Synthesizer. It connects to nothing yet.
func (s *Synthesizer) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	rate, err := speech.Pace("openai", v, 0.25, 4)
	if err != nil {
		return nil, err
	}
	ask := speak{Model: s.c.o.Model, Voice: s.c.o.Voice, Format: "pcm"}
	if v.Name != "" {
		ask.Voice = v.Name
	}
	if rate != 1 {
		ask.Speed = rate
	}
	fetch := func(ctx context.Context, text string) (*wire.Incoming, error) {
		ask.Input = text
		body, err := json.Marshal(ask)
		if err != nil { // strings and a number
			return nil, fmt.Errorf("openai: speech: %w: %w", fault.Bug, err)
		}
		out, err := s.c.signed(ctx, wire.Outgoing{Path: "/audio/speech", Body: body})
		if err != nil {
			return nil, err
		}
		return s.c.client.Fetch(ctx, out)
	}
	return speech.Speak(ctx, speech.Fetched(fetch), speech.Manner{Vendor: "openai", RateHz: speechRate}, s.c.o.Options), nil
}

// LiveTranscriber is a provider.Transcriber over the realtime socket.
type LiveTranscriber struct{ c connector }

var _ provider.Transcriber = (*LiveTranscriber)(nil)

// NewLiveTranscriber makes a LiveTranscriber. It asks nothing yet.
func NewLiveTranscriber(o SpeechOptions) (*LiveTranscriber, error) {
	c, err := o.connector("gpt-live-transcribe")
	if err != nil {
		return nil, err
	}
	return &LiveTranscriber{c: c}, nil
}

// Open implements provider.Transcriber. It connects.
func (t *LiveTranscriber) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	if err := speech.Hears("openai", f); err != nil {
		return nil, err
	}
	out, err := t.c.signed(ctx, wire.Outgoing{Path: "/realtime?" + url.Values{"intent": {"transcription"}}.Encode()})
	if err != nil {
		return nil, err
	}
	s, err := t.c.client.Connect(ctx, out)
	if err != nil {
		return nil, err
	}
	hello, err := json.Marshal(sessionOf(t.c.o.Model, f))
	if err != nil { // strings and numbers
		s.Close()
		return nil, fmt.Errorf("openai: session: %w: %w", fault.Bug, err)
	}
	l := speech.Line{Socket: s, Codec: &live{texts: map[string]string{}, done: map[string]bool{}}, Hello: []wire.Frame{{Data: hello}}, Chunk: 1600}
	return speech.Hear(ctx, l, t.c.o.Options), nil
}
