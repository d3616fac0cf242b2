package azure

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// Options of a Transcriber and a Synthesizer.
type Options struct {
	speech.Options
	Region string // such as westeurope; required unless BaseURL is set
	Voice  string // of a Synthesizer where a call names none; "" = en-US-JennyNeural
}

// client is for one of the two services of a region: stt or tts.
func (o Options) client(service string) (*wire.Client, error) {
	if o.BaseURL == "" && !regexp.MustCompile(`^[a-z0-9]{3,40}$`).MatchString(o.Region) {
		return nil, fmt.Errorf("azure: the region must be set, as in westeurope: %w", fault.Invalid)
	}
	return o.Client("azure", "https://"+o.Region+"."+service+".speech.microsoft.com", nil)
}

// signed is out with the key, asked for now.
func (o Options) signed(ctx context.Context, out wire.Outgoing) (wire.Outgoing, error) {
	out, err := o.Signed(ctx, out, "Ocp-Apim-Subscription-Key", "")
	if err != nil {
		return out, fmt.Errorf("azure: %w", err)
	}
	return out, nil
}

// id is a new one, as the protocol wants it: a UUID without dashes.
func id() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return hex.EncodeToString(b[:])
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
	c, err := o.client("stt")
	if err != nil {
		return nil, err
	}
	return &Transcriber{client: c, o: o}, nil
}

// Open implements provider.Transcriber. It connects.
func (t *Transcriber) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	if err := speech.Hears("azure", f); err != nil {
		return nil, err
	}
	q := url.Values{"language": {locale(f.Language)}, "format": {"detailed"}, "wordLevelTimestamps": {"true"}}
	out, err := t.o.signed(ctx, wire.Outgoing{
		Path:   "/speech/recognition/conversation/cognitiveservices/v1?" + q.Encode(),
		Header: http.Header{"X-Connectionid": {id()}},
	})
	if err != nil {
		return nil, err
	}
	s, err := t.client.Connect(ctx, out)
	if err != nil {
		return nil, err
	}
	return speech.Hear(ctx, speech.Line{Socket: s, Codec: &turns{}, Hello: []wire.Frame{config()}, Chunk: 640}, t.o.Options), nil
}

// locale is a language with a region, which Azure wants.
func locale(language string) string {
	short := speech.Short(language)
	if len(language) > len(short) {
		return language
	}
	// The most spoken region of each language that an agent may be set to.
	regions := map[string]string{"": "en-US", "en": "en-US", "de": "de-DE", "es": "es-ES", "fr": "fr-FR", "ru": "ru-RU", "ar": "ar-EG", "hi": "hi-IN", "it": "it-IT", "pt": "pt-BR", "kk": "kk-KZ"}
	return cmp.Or(regions[short], language)
}
