package azure

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// Synthesizer is a provider.Synthesizer. A Voice's Name is one of Azure's, such
// as en-GB-SoniaNeural.
type Synthesizer struct {
	client *wire.Client
	o      Options
}

var _ provider.Synthesizer = (*Synthesizer)(nil)

// NewSynthesizer makes a Synthesizer. It asks nothing yet; faults of o are
// fault.Invalid.
func NewSynthesizer(o Options) (*Synthesizer, error) {
	c, err := o.client("tts")
	if err != nil {
		return nil, err
	}
	o.Voice = cmp.Or(o.Voice, "en-US-JennyNeural")
	return &Synthesizer{client: c, o: o}, nil
}

// speakRate is that of the output format which is asked for.
const speakRate = 24000

// Open implements provider.Synthesizer. It connects to nothing yet.
func (y *Synthesizer) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	rate, err := speech.Pace("azure", v, 0.5, 2)
	if err != nil {
		return nil, err
	}
	voice := cmp.Or(v.Name, y.o.Voice)
	fetch := func(ctx context.Context, clause string) (*wire.Incoming, error) {
		body, err := ssml(voice, v.Language, rate, clause)
		if err != nil {
			return nil, err
		}
		out, err := y.o.signed(ctx, wire.Outgoing{
			Path: "/cognitiveservices/v1", Type: "application/ssml+xml", Body: body,
			Header: http.Header{"X-Microsoft-Outputformat": {"raw-24khz-16bit-mono-pcm"}, "User-Agent": {"flametree"}},
		})
		if err != nil {
			return nil, err
		}
		return y.client.Fetch(ctx, out)
	}
	return speech.Speak(ctx, speech.Fetched(fetch), speech.Manner{Vendor: "azure", RateHz: speakRate}, y.o.Options), nil
}

// ssml writes a clause (W3C SSML 1.1). What is said cannot become markup.
func ssml(voice, language string, rate float64, clause string) ([]byte, error) {
	if language == "" || !strings.Contains(language, "-") { // a voice begins with its own
		if parts := strings.SplitN(voice, "-", 3); len(parts) == 3 {
			language = parts[0] + "-" + parts[1]
		}
	}
	var b bytes.Buffer
	escape := func(s string) string {
		var e bytes.Buffer
		if xml.EscapeText(&e, []byte(s)) != nil { // a buffer takes everything
			return ""
		}
		return e.String()
	}
	fmt.Fprintf(&b, `<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="%s"><voice name="%s">`, escape(locale(language)), escape(voice))
	if rate == 1 {
		b.WriteString(escape(clause))
	} else {
		fmt.Fprintf(&b, `<prosody rate="%s">%s</prosody>`, strconv.FormatFloat(rate, 'f', -1, 64), escape(clause))
	}
	b.WriteString("</voice></speak>")
	if b.Len() > 64<<10 {
		return nil, fmt.Errorf("azure: a clause of %d bytes is too long: %w", len(clause), fault.Invalid)
	}
	return b.Bytes(), nil
}
