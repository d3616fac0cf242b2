package api

import (
	"bytes"
	"context"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"flametree/engine/fault"
	"flametree/gateway/httpd"
)

// maxSpoken bounds a text to speak, in characters.
const maxSpoken = 4000

type capabilitiesOut struct {
	Body struct {
		HasSTT bool `json:"has_stt" doc:"transcribe works."`
		HasTTS bool `json:"has_tts" doc:"synthesize works."`
	}
}

type transcribeIn struct {
	InAgent
	Type string `header:"Content-Type" doc:"audio/wav."`
}

// raw is a body that is not JSON.
type raw struct {
	Type string `header:"Content-Type" hidden:"true"`
	Body []byte
}

type synthesizeIn struct {
	InAgent
	InSpeech
}

type synthesizeSessionIn struct {
	InSession
	InSpeech
}

// InSpeech is what a text to speak is asked with.
type InSpeech struct {
	Text   string `query:"text" required:"true" doc:"What to say, at most 4000 characters."`
	Format string `query:"format" default:"wav" doc:"wav; mp4 needs a converter this server does not have yet."`
	Voice  string `query:"voice_name" maxLength:"128" doc:"A voice of the agent's speech provider."`
}

func (c *chat) speech() {
	const tag = "Speech"
	op := c.operation("capabilities", http.MethodGet, "/capabilities", "What the agent can hear and speak")
	op.Tags = []string{tag}
	register(c, op, c.capabilities)

	op = also(c.operation("transcribe", http.MethodPost, "/transcribe", "Speech to text"),
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests)
	op.Tags = []string{tag}
	op.Description = "The body is a WAV file, the answer its words as plain text."
	op.Middlewares = huma.Middlewares{c.authorise}
	op.Metadata[httpd.TimeLimit] = c.o.SpeechTime
	op.Responses["200"] = &huma.Response{Description: "The words.", Content: map[string]*huma.MediaType{
		"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}
	register(c, op, c.transcribe)
	c.api.OpenAPI().Paths[op.Path].Post.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"audio/wav": binary()}}

	op = c.speakOperation("synthesize", "/synthesize", "Text to speech")
	register(c, op, func(ctx context.Context, in *synthesizeIn) (*raw, error) {
		return c.synthesize(ctx, "", in.InSpeech)
	})
	op = c.speakOperation("synthesize-in-session", "/session/{session}/synthesize", "Text to speech in a session's voice")
	register(c, op, func(ctx context.Context, in *synthesizeSessionIn) (*raw, error) {
		if _, err := c.o.Sessions.Get(ctx, agentOf(ctx), in.Session); err != nil {
			return nil, err
		}
		return c.synthesize(ctx, in.Session, in.InSpeech)
	})
}

func (c *chat) speakOperation(id, path, summary string) huma.Operation {
	op := also(c.operation(id, http.MethodGet, path, summary), http.StatusTooManyRequests)
	op.Tags = []string{"Speech"}
	op.Metadata[httpd.TimeLimit] = c.o.SpeechTime
	op.Responses["200"] = &huma.Response{Description: "A WAV file.", Content: map[string]*huma.MediaType{"audio/wav": binary()}}
	return op
}

func binary() *huma.MediaType {
	return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
}

func (c *chat) capabilities(ctx context.Context, _ *InAgent) (*capabilitiesOut, error) {
	caps, err := c.o.Speech.Capabilities(ctx, agentOf(ctx))
	if err != nil {
		return nil, err
	}
	out := &capabilitiesOut{}
	out.Body.HasSTT, out.Body.HasTTS = caps.HasSTT, caps.HasTTS
	return out, nil
}

func (c *chat) transcribe(ctx context.Context, in *transcribeIn) (*raw, error) {
	if err := c.able(ctx, func(caps Capabilities) bool { return caps.HasSTT }, "recognise speech (has_stt is false)"); err != nil {
		return nil, err
	}
	if err := audioType(in.Type); err != nil {
		return nil, err
	}
	b, err := httpd.RequestOf(ctx).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(b) < 12 || !bytes.Equal(b[:4], []byte("RIFF")) || !bytes.Equal(b[8:12], []byte("WAVE")) {
		return nil, httpd.Invalid("body", "is not a WAV file (RIFF … WAVE)")
	}
	words, err := c.o.Speech.Transcribe(ctx, agentOf(ctx), b)
	if err != nil {
		return nil, err
	}
	return &raw{Type: "text/plain; charset=utf-8", Body: []byte(words)}, nil
}

// audioType admits WAV. The other documented types are refused as something
// that is known and missing, everything else as something unknown.
func audioType(header string) error {
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		media = header
	}
	switch media {
	case "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave":
		return nil
	case "audio/mp4", "audio/m4a", "audio/x-m4a", "audio/webm":
		return httpd.Invalid("header.Content-Type", media+" needs a converter this server does not have yet; send audio/wav")
	}
	return httpd.Refuse(http.StatusUnsupportedMediaType, "unsupported_media_type",
		"send the audio as audio/wav", httpd.Located{Location: "header.Content-Type", Message: "expected audio/wav"})
}

func (c *chat) synthesize(ctx context.Context, session string, in InSpeech) (*raw, error) {
	switch in.Format {
	case "wav":
	case "mp4":
		return nil, httpd.Invalid("query.format", "mp4 needs a converter this server does not have yet; ask for wav")
	default:
		return nil, httpd.Invalid("query.format", "expected wav or mp4")
	}
	if !accepts(httpd.RequestOf(ctx).Header("Accept")) {
		return nil, httpd.Invalid("header.Accept", "does not admit audio/wav, the format asked for")
	}
	if blank(in.Text) {
		return nil, httpd.Invalid("query.text", "required query parameter is missing or blank")
	}
	if n := utf8.RuneCountInString(in.Text); n > maxSpoken || !utf8.ValidString(in.Text) {
		return nil, httpd.Invalid("query.text", "expected at most 4000 characters of UTF-8")
	}
	if err := c.able(ctx, func(caps Capabilities) bool { return caps.HasTTS }, "speak (has_tts is false)"); err != nil {
		return nil, err
	}
	wav, err := c.o.Speech.Synthesize(ctx, agentOf(ctx), Utterance{Session: session, Text: in.Text, Voice: in.Voice})
	if err != nil {
		return nil, err
	}
	return &raw{Type: "audio/wav", Body: wav}, nil
}

// able refuses what the agent has no provider for.
func (c *chat) able(ctx context.Context, has func(Capabilities) bool, what string) error {
	caps, err := c.o.Speech.Capabilities(ctx, agentOf(ctx))
	if err != nil {
		return err
	}
	if !has(caps) {
		p := httpd.ProblemOf(fault.Invalid)
		p.Code, p.Detail = "not_capable", "this agent cannot "+what
		return p
	}
	return nil
}

// accepts reports whether an Accept header (RFC 9110 12.5.1) admits a WAV file.
// Weights are ignored but for zero, which excludes.
func accepts(header string) bool {
	if blank(header) {
		return true
	}
	for part := range strings.SplitSeq(header, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil || strings.Trim(params["q"], "0.") == "" && params["q"] != "" {
			continue
		}
		switch media {
		case "*/*", "audio/*", "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave":
			return true
		}
	}
	return false
}
