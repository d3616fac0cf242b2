package google

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// Synthesizer is a provider.Synthesizer. A Voice's Name is one of Google's, such
// as en-GB-Neural2-A.
type Synthesizer struct {
	client *wire.Client
	o      Options
}

var _ provider.Synthesizer = (*Synthesizer)(nil)

// NewSynthesizer makes a Synthesizer. It asks nothing yet; faults of o are
// fault.Invalid.
func NewSynthesizer(o Options) (*Synthesizer, error) {
	c, err := o.Client("google", "https://texttospeech.googleapis.com", nil)
	if err != nil {
		return nil, err
	}
	o.Voice = cmp.Or(o.Voice, "en-US-Neural2-F")
	return &Synthesizer{client: c, o: o}, nil
}

const speakRate = 24000

// Open implements provider.Synthesizer. It connects to nothing yet.
func (y *Synthesizer) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	rate, err := speech.Pace("google", v, 0.25, 2)
	if err != nil {
		return nil, err
	}
	name := cmp.Or(v.Name, y.o.Voice)
	parts := strings.SplitN(name, "-", 3)
	if len(parts) < 3 {
		return nil, fmt.Errorf("google: voice %q is not named like en-US-Neural2-F: %w", name, fault.Invalid)
	}
	r := &rendering{client: y.client, o: y.o, marks: !strings.Contains(name, "Chirp")}
	r.ask.Voice.Language, r.ask.Voice.Name = parts[0]+"-"+parts[1], name
	r.ask.Audio = audioConfig{Encoding: "LINEAR16", Rate: speakRate}
	if rate != 1 {
		r.ask.Audio.Speed = rate
	}
	return speech.Speak(ctx, r, speech.Manner{Vendor: "google", RateHz: speakRate, Timed: r.marks}, y.o.Options), nil
}

// synthesize is the body of a request.
type synthesize struct {
	Input struct {
		Text string `json:"text,omitempty"`
		SSML string `json:"ssml,omitempty"`
	} `json:"input"`
	Voice struct {
		Language string `json:"languageCode"`
		Name     string `json:"name"`
	} `json:"voice"`
	Audio audioConfig `json:"audioConfig"`
	Times []string    `json:"enableTimePointing,omitempty"`
}

type audioConfig struct {
	Encoding string  `json:"audioEncoding"`
	Rate     int     `json:"sampleRateHertz"`
	Speed    float64 `json:"speakingRate,omitempty"`
}

// synthesized is the answer.
type synthesized struct {
	Audio []byte `json:"audioContent"` // base64 in JSON
	Times []struct {
		Mark string  `json:"markName"`
		At   float64 `json:"timeSeconds"`
	} `json:"timepoints"`
}

// maxSound bounds an answer: two minutes at 24 kHz in base64.
const maxSound = 16 << 20

// rendering implements speech.Renderer: one request a clause.
type rendering struct {
	client *wire.Client
	o      Options
	ask    synthesize
	marks  bool
}

// Render implements speech.Renderer.
func (r *rendering) Render(ctx context.Context, text string, emit func(speech.Sound) error) error {
	ask, path := r.ask, "/v1/text:synthesize"
	words := strings.Fields(text)
	if r.marks {
		path, ask.Times = "/v1beta1/text:synthesize", []string{"SSML_MARK"}
		ask.Input.SSML = marked(words)
	} else {
		ask.Input.Text = text
	}
	var got synthesized
	if err := post(ctx, r.client, r.o, path, ask, &got, maxSound); err != nil {
		return err
	}
	pcm, rate, err := unwrap(got.Audio)
	if err != nil {
		return err
	}
	s := speech.Sound{PCM: pcm, RateHz: rate, Timed: true}
	if r.marks {
		length := time.Duration(len(pcm)/2) * time.Second / time.Duration(cmp.Or(rate, speakRate))
		s.Words = got.words(words, length)
	}
	return emit(s)
}

// Close implements speech.Renderer: requests leave nothing behind.
func (r *rendering) Close() {}

// marked writes a clause with a mark before every word and one at the end. What
// is said cannot become markup.
func marked(words []string) string {
	var b bytes.Buffer
	b.WriteString("<speak>")
	for i, w := range words {
		fmt.Fprintf(&b, `<mark name="%d"/>`, i)
		_ = xml.EscapeText(&b, []byte(w)) // a buffer takes everything
		b.WriteByte(' ')
	}
	fmt.Fprintf(&b, `<mark name="%d"/></speak>`, len(words))
	return b.String()
}

// words are those whose marks were timed; a word ends where the next begins.
func (s synthesized) words(words []string, length time.Duration) []provider.Word {
	at := make([]time.Duration, len(words)+1)
	known := make([]bool, len(words)+1)
	for _, t := range s.Times {
		if i, err := strconv.Atoi(t.Mark); err == nil && i >= 0 && i < len(at) {
			at[i], known[i] = min(speech.Seconds(t.At), length), true
		}
	}
	if !known[len(words)] {
		at[len(words)] = length
	}
	var out []provider.Word
	for i, w := range words {
		if !known[i] {
			return nil // times with holes are worse than none
		}
		end := at[i+1]
		if i+1 < len(words) && !known[i+1] {
			end = length
		}
		out = append(out, provider.Word{Text: w, Start: at[i], End: end})
	}
	return out
}

// unwrap takes the samples out of a WAV. Sound without a header is taken as
// samples of the rate that was asked for.
func unwrap(b []byte) (pcm []byte, rate int, err error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return b, 0, nil
	}
	le := binary.LittleEndian
	for rest := b[12:]; len(rest) >= 8; {
		name, n := string(rest[:4]), uint64(le.Uint32(rest[4:]))
		rest = rest[8:]
		switch {
		case name == "data":
			return rest[:min(n, uint64(len(rest)))], rate, nil
		case name == "fmt " && n >= 16 && len(rest) >= 16:
			if le.Uint16(rest) != 1 || le.Uint16(rest[2:]) != 1 || le.Uint16(rest[14:]) != 16 {
				return nil, 0, fmt.Errorf("google: the sound is not 16-bit mono PCM: %w", fault.Unavailable)
			}
			rate = int(min(le.Uint32(rest[4:]), 1<<20))
		}
		rest = rest[min(n+n%2, uint64(len(rest))):]
	}
	return nil, 0, fmt.Errorf("google: the sound is a WAV without data: %w", fault.Unavailable)
}
