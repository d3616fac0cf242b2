package google

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// Options of a Transcriber and a Synthesizer. Key gives an access token, as
// Tokens does, or, with APIKey, an API key.
type Options struct {
	speech.Options
	APIKey   bool   // Key gives an API key (cloud.google.com/docs/authentication/api-keys-use)
	Project  string // of a Transcriber; required
	Location string // of a Transcriber; "" = global
	Model    string // of a Transcriber; "" = telephony_short on a telephone line, else short
	Voice    string // of a Synthesizer where a call names none; "" = en-US-Neural2-F
}

// signed is out with the token, asked for now.
func (o Options) signed(ctx context.Context, out wire.Outgoing) (wire.Outgoing, error) {
	header, prefix := "Authorization", "Bearer "
	if o.APIKey {
		header, prefix = "X-Goog-Api-Key", ""
	}
	out, err := o.Signed(ctx, out, header, prefix)
	if err != nil {
		return out, fmt.Errorf("google: %w", err)
	}
	return out, nil
}

// post asks and reads the JSON of the answer, at most most bytes.
func post(ctx context.Context, c *wire.Client, o Options, path string, ask, answer any, most int) error { //nolint:revive // one request is as wide as that
	body, err := json.Marshal(ask)
	if err != nil { // strings and finite numbers
		return fmt.Errorf("google: request: %w: %w", fault.Bug, err)
	}
	out, err := o.signed(ctx, wire.Outgoing{Path: path, Body: body, Accept: "application/json"})
	if err != nil {
		return err
	}
	in, err := c.Fetch(ctx, out)
	if err != nil {
		return err
	}
	all, err := c.ReadAll(in, most)
	if err != nil {
		return err
	}
	if json.Unmarshal(all, answer) != nil { // its error may quote the answer
		return c.Unreadable()
	}
	return nil
}

// Transcriber is a provider.Transcriber over requests, one for each utterance.
type Transcriber struct {
	client *wire.Client
	o      Options
}

var _ provider.Transcriber = (*Transcriber)(nil)

// NewTranscriber makes a Transcriber. It asks nothing yet; faults of o are
// fault.Invalid.
func NewTranscriber(o Options) (*Transcriber, error) {
	o.Location = cmp.Or(o.Location, "global")
	for name, v := range map[string]string{"project": o.Project, "location": o.Location} {
		if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`).MatchString(v) {
			return nil, fmt.Errorf("google: the %s must be set to the name it has at Google: %w", name, fault.Invalid)
		}
	}
	address := "https://speech.googleapis.com"
	if o.Location != "global" {
		address = "https://" + o.Location + "-speech.googleapis.com"
	}
	c, err := o.Client("google", address, nil)
	if err != nil {
		return nil, err
	}
	return &Transcriber{client: c, o: o}, nil
}

// longest is how much one request may hold; Google's bound is a minute.
const longest = 50 * time.Second

// Open implements provider.Transcriber. It connects to nothing yet.
func (t *Transcriber) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	if err := speech.Hears("google", f); err != nil {
		return nil, err
	}
	ask := func(ctx context.Context, pcm []int16, _ func(string)) (string, []provider.Word, error) {
		return t.ask(ctx, f, pcm)
	}
	return speech.HearBatch(ctx, speech.Batch{Ask: ask, Longest: longest}), nil
}

// recognize is the body of a request.
type recognize struct {
	Config  recognition `json:"config"`
	Content []byte      `json:"content"` // base64 in JSON
}

type recognition struct {
	Decoding   decoding    `json:"explicitDecodingConfig"`
	Model      string      `json:"model"`
	Languages  []string    `json:"languageCodes"`
	Features   features    `json:"features"`
	Adaptation *adaptation `json:"adaptation,omitempty"`
}

type decoding struct {
	Encoding string `json:"encoding"`
	Rate     int    `json:"sampleRateHertz"`
	Channels int    `json:"audioChannelCount"`
}

type features struct {
	Times bool `json:"enableWordTimeOffsets"`
}

type adaptation struct {
	Sets []phraseSet `json:"phraseSets"`
}

type phraseSet struct {
	Inline struct {
		Phrases []phrase `json:"phrases"`
	} `json:"inlinePhraseSet"`
}

type phrase struct {
	Value string  `json:"value"`
	Boost float64 `json:"boost"`
}

// recognized is the answer.
type recognized struct {
	Results []struct {
		Alternatives []struct {
			Transcript string `json:"transcript"`
			Words      []struct {
				Start string `json:"startOffset"` // "1.500s"; left out = 0
				End   string `json:"endOffset"`
				Word  string `json:"word"`
			} `json:"words"`
		} `json:"alternatives"`
	} `json:"results"`
}

// maxTranscript bounds an answer; mostTerms and boost are what Google advises for
// names.
const (
	maxTranscript = 4 << 20
	mostTerms     = 100
	boost         = 10
)

func (t *Transcriber) ask(ctx context.Context, f provider.Format, pcm []int16) (string, []provider.Word, error) {
	model := t.o.Model
	switch {
	case model == "" && f.BandHz > 0 && f.BandHz <= 8000:
		model = "telephony_short"
	case model == "":
		model = "short"
	}
	r := recognize{Content: speech.Bytes(pcm), Config: recognition{
		Decoding: decoding{Encoding: "LINEAR16", Rate: speech.Rate, Channels: 1},
		Model:    model, Languages: []string{cmp.Or(f.Language, "en-US")}, Features: features{Times: true},
	}}
	if terms := speech.Terms(f.Hints, mostTerms); len(terms) > 0 {
		var set phraseSet
		for _, term := range terms {
			set.Inline.Phrases = append(set.Inline.Phrases, phrase{Value: term, Boost: boost})
		}
		r.Config.Adaptation = &adaptation{Sets: []phraseSet{set}}
	}
	var got recognized
	path := "/v2/projects/" + t.o.Project + "/locations/" + t.o.Location + "/recognizers/_:recognize"
	if err := post(ctx, t.client, t.o, path, r, &got, maxTranscript); err != nil {
		return "", nil, err
	}
	text, words := got.said()
	return text, words, nil
}

func (r recognized) said() (text string, words []provider.Word) {
	var parts []string
	for _, x := range r.Results {
		if len(x.Alternatives) == 0 {
			continue
		}
		parts = append(parts, x.Alternatives[0].Transcript)
		for _, w := range x.Alternatives[0].Words {
			words = append(words, provider.Word{Text: w.Word, Start: offset(w.Start), End: offset(w.End)})
		}
	}
	return strings.Join(parts, " "), words
}

// offset reads a protobuf Duration in JSON: seconds with an s.
func offset(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil || !strings.HasSuffix(s, "s") {
		return 0
	}
	return max(0, min(d, time.Hour))
}
