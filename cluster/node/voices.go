package node

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/azure"
	"flametree/engine/provider/cartesia"
	"flametree/engine/provider/deepgram"
	"flametree/engine/provider/elevenlabs"
	"flametree/engine/provider/geminilive"
	"flametree/engine/provider/google"
	"flametree/engine/provider/openai"
	"flametree/engine/provider/openairealtime"
	"flametree/engine/provider/pocketsphinx"
	"flametree/engine/provider/policy"
	"flametree/engine/provider/wire/speech"
	"flametree/media/denoise"
)

// Verification is when a vendor's connector was last tested against the vendor
// itself; "never" until somebody with a key has run its TestLive.
type Verification struct{ Vendor, Last string }

// SpeechVerified lists the vendors of speech.
func SpeechVerified() []Verification {
	return []Verification{
		{"azure", azure.Verified},
		{"cartesia", cartesia.Verified},
		{"deepgram", deepgram.Verified},
		{"elevenlabs", elevenlabs.Verified},
		{"gemini live", geminilive.Verified},
		{"google", google.Verified},
		{"openai", openai.Verified},
		{"openai realtime", openairealtime.Verified},
	}
}

// speaker is one recogniser or voice with its policies. All agents that use it
// with one key share it.
type speaker struct {
	kind   string // stt tts
	name   string
	asks   string         // the model's own name
	health *policy.Health // nil for what runs inside the program
	finals *policy.Finals // stt outside of the program
	hears  provider.Transcriber
	speaks provider.Synthesizer
}

// ears make the recogniser of an agent: its own, then its fallbacks.
func (c *connectors) ears(s *agent.Spec) (provider.Transcriber, error) {
	list, err := c.speakers("stt", s, s.STT)
	if err != nil {
		return nil, err
	}
	if len(list) == 1 && list[0].health == nil {
		return quieted(s, list[0]), nil
	}
	all := make([]policy.Ear, len(list))
	for i, x := range list {
		m := chosen(s.STT, i)
		all[i] = policy.Ear{Name: x.name, Transcriber: quieted(s, x), Language: m.Speech.Language}
		if x.finals != nil {
			all[i].Within = x.finals.P99
		}
	}
	return policy.Ears(all, c.lined("stt")), nil
}

// quieted is a recogniser that is given a line without its steady noise, where
// the agent wants that. Left to itself it is the built-in one that gets it, which
// was measured to gain by it (media/denoise); vendors train theirs on noise.
func quieted(s *agent.Spec, x *speaker) provider.Transcriber {
	want := s.Settings.NoiseSuppression
	if _, gains := x.hears.(*pocketsphinx.Transcriber); want == "on" || want == "auto" && gains {
		return denoise.Ears(x.hears, denoise.DefaultDB)
	}
	return x.hears
}

// mouths make the voice of an agent: its own, then its fallbacks.
func (c *connectors) mouths(s *agent.Spec, keep func(maker string, s provider.Synthesizer) provider.Synthesizer) (provider.Synthesizer, error) {
	list, err := c.speakers("tts", s, s.TTS)
	if err != nil {
		return nil, err
	}
	first := s.TTS.Speech
	if len(list) == 1 && list[0].health == nil && first.Voice == "" && first.Rate == 0 && first.Language == "" && len(first.Voices) == 0 {
		return keep(makerOf(list[0], s.TTS), list[0].speaks), nil
	}
	all := make([]policy.Mouth, len(list))
	for i, x := range list {
		m := chosen(s.TTS, i).Speech
		all[i] = policy.Mouth{
			Name: x.name, Synthesizer: keep(makerOf(x, chosen(s.TTS, i)), x.speaks), Voices: make(map[string]string, len(m.Voices)),
			Voice: provider.Voice{Name: m.Voice, Language: m.Language, Rate: m.Rate},
		}
		for _, v := range m.Voices {
			all[i].Voices[v.Key] = v.Value
		}
	}
	return policy.Mouths(all, c.lined("tts")), nil
}

// makerOf tells apart those who sound otherwise.
func makerOf(x *speaker, m agent.Model) string {
	return strings.Join([]string{x.name, m.BaseURL, m.Model, optionsOf(m)}, "\x00")
}

func (c *connectors) lined(kind string) policy.LineOptions {
	o := policy.LineOptions{Rest: c.rest}
	if c.fell != nil {
		o.Fell = func(from, to string) { c.fell(kind, from, to) }
	}
	return o
}

// chosen is the i-th of a model and its fallbacks.
func chosen(m agent.Model, i int) agent.Model {
	if i == 0 {
		return m
	}
	return m.Fallback[i-1]
}

func (c *connectors) speakers(kind string, s *agent.Spec, m agent.Model) ([]*speaker, error) {
	var out []*speaker
	for i := range 1 + len(m.Fallback) {
		x, err := c.speaker(kind, s, chosen(m, i))
		if err != nil {
			where := "speech." + kind
			if len(m.Fallback) > 0 {
				where += " " + strconv.Itoa(i+1)
			}
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		out = append(out, x)
	}
	return out, nil
}

func (c *connectors) speaker(kind string, s *agent.Spec, m agent.Model) (*speaker, error) {
	name := strings.ToLower(m.Provider)
	if name == "" {
		name = "builtin"
	}
	x := &speaker{kind: kind, name: name, asks: m.Model}
	if kind == "stt" {
		x.hears = c.known.Transcribers[name]
	} else {
		x.speaks = c.known.Synthesizers[name]
	}
	if x.hears != nil || x.speaks != nil {
		return x, nil
	}
	key, ours := c.keyed(s, m.KeyEnv)
	if m.KeyEnv != "" && key == "" {
		return nil, fmt.Errorf("the variable %s, which holds the key, is not set: %w", m.KeyEnv, fault.Invalid)
	}
	id := sha256.Sum256([]byte(strings.Join([]string{kind, name, m.BaseURL, m.Model, key, strconv.FormatBool(ours), optionsOf(m)}, "\x00")))
	c.mu.Lock()
	defer c.mu.Unlock()
	if have := c.voices[id]; have != nil {
		return have, nil
	}
	if err := c.outside(x, m, credential{value: key, ours: ours}); err != nil {
		return nil, err
	}
	if c.voices == nil {
		c.voices = make(map[[32]byte]*speaker)
	}
	c.voices[id] = x
	if c.watch != nil {
		c.watch(x.health)
	}
	return x, nil
}

func optionsOf(m agent.Model) string {
	var b strings.Builder
	for _, o := range m.Speech.Options {
		b.WriteString(o.Key + "=" + o.Value + "\x00")
	}
	return b.String()
}

// keyed is key, and whether the process's environment has it and not the agent.
func (c *connectors) keyed(s *agent.Spec, name string) (value string, ours bool) {
	value = c.key(s, name)
	return value, value != "" && !slices.ContainsFunc(s.Env, func(p event.Pair) bool { return p.Key == name })
}

// outside puts a vendor and the policies around it into x. Policies stand in the
// order that package policy gives.
func (c *connectors) outside(x *speaker, m agent.Model, k credential) error {
	breaker := policy.NewBreaker(policy.BreakerOptions{})
	if x.kind == "stt" {
		bare, err := c.recogniser(x.name, m, k)
		if err != nil {
			return err
		}
		x.health, x.finals = policy.NewHealth(policy.HealthOptions{Probe: policy.PingEars(bare)}), new(policy.Finals)
		x.hears = x.finals.Transcriber(breaker.Transcriber(x.health.Transcriber(bare)))
		return nil
	}
	bare, err := c.voice(x.name, m, k)
	if err != nil {
		return err
	}
	x.health = policy.NewHealth(policy.HealthOptions{Probe: policy.PingMouth(bare, provider.Voice{Name: m.Speech.Voice, Language: m.Speech.Language})})
	x.speaks = breaker.Synthesizer(x.health.Synthesizer(bare))
	return nil
}

// credential is what a variable holds. ours: it is the process's own.
type credential struct {
	value string
	ours  bool
}

// silentAfter is how long a recogniser may say nothing: short enough that the
// next one has heard the words before the turn machine gives them up (3 s).
const silentAfter = 2 * time.Second

// reached are the options of how any vendor is reached: through the guard.
func (c *connectors) reached(m agent.Model, k credential) speech.Options {
	o := speech.Options{BaseURL: m.BaseURL, HTTP: c.out, Dial: c.dial, SilentAfter: silentAfter}
	if k.value != "" {
		o.Key = func(context.Context) (string, error) { return k.value, nil }
	}
	if ms, err := strconv.Atoi(m.Speech.Option("hold_words_ms")); err == nil {
		o.HoldWords = time.Duration(ms) * time.Millisecond
	}
	return o
}

func (c *connectors) recogniser(name string, m agent.Model, k credential) (provider.Transcriber, error) {
	o := c.reached(m, k)
	switch name {
	case "openai", "openai_compatible":
		if live, err := strconv.ParseBool(m.Speech.Option("live")); err == nil && live {
			return openai.NewLiveTranscriber(openai.SpeechOptions{Options: o, Model: m.Model})
		}
		return openai.NewTranscriber(openai.SpeechOptions{Options: o, Model: m.Model})
	case "deepgram":
		ms, _ := strconv.Atoi(m.Speech.Option("endpointing_ms")) // the file was checked; 0 = its default
		return deepgram.NewTranscriber(deepgram.Options{Options: o, Model: m.Model, Endpointing: time.Duration(ms) * time.Millisecond})
	case "elevenlabs":
		return elevenlabs.NewTranscriber(elevenlabs.Options{Options: o, Model: m.Model})
	case "cartesia":
		return cartesia.NewTranscriber(cartesia.Options{Options: o, Model: m.Model})
	case "azure":
		return azure.NewTranscriber(azure.Options{Options: o, Region: m.Speech.Option("region")})
	case "google":
		g, err := c.google(m, k)
		if err != nil {
			return nil, err
		}
		return google.NewTranscriber(g)
	}
	return nil, c.stranger("stt", name)
}

func (c *connectors) voice(name string, m agent.Model, k credential) (provider.Synthesizer, error) {
	o := c.reached(m, k)
	switch name {
	case "openai", "openai_compatible":
		return openai.NewSynthesizer(openai.SpeechOptions{Options: o, Model: m.Model})
	case "deepgram":
		return deepgram.NewSynthesizer(deepgram.Options{Options: o, Voice: m.Model}) // a voice is a model there
	case "elevenlabs":
		return elevenlabs.NewSynthesizer(elevenlabs.Options{Options: o, VoiceModel: m.Model})
	case "cartesia":
		return cartesia.NewSynthesizer(cartesia.Options{Options: o, VoiceModel: m.Model})
	case "azure":
		return azure.NewSynthesizer(azure.Options{Options: o, Region: m.Speech.Option("region")})
	case "google":
		g, err := c.google(m, k)
		if err != nil {
			return nil, err
		}
		return google.NewSynthesizer(g)
	}
	return nil, c.stranger("tts", name)
}

func (c *connectors) stranger(kind, name string) error {
	var known []string
	for _, v := range agent.SpeechVendors() {
		if kind == "stt" && v.Hears || kind == "tts" && v.Speaks {
			known = append(known, v.Name)
		}
	}
	return fmt.Errorf("vendor %q is not known; there are %s: %w", name, strings.Join(known, ", "), fault.Invalid)
}

// maxAccount bounds the file of a service account.
const maxAccount = 64 << 10

// google reads what Google takes in place of a key: an API key, an access token,
// the JSON of a service account, or, from the process's own environment, the path
// of its file. An agent's own variable names no file: it would be anybody's.
func (c *connectors) google(m agent.Model, k credential) (google.Options, error) {
	g := google.Options{
		Options: c.reached(m, k), Project: m.Speech.Option("project"), Location: m.Speech.Option("location"), Model: m.Model,
	}
	text := strings.TrimSpace(k.value)
	if k.ours && filepath.IsAbs(text) {
		b, err := os.ReadFile(text)
		if err != nil || len(b) > maxAccount { // its error names the path, which is the owner's affair
			return g, fmt.Errorf("the file that the variable %s names cannot be read: %w", m.KeyEnv, fault.Invalid)
		}
		text = strings.TrimSpace(string(b))
	}
	switch {
	case strings.HasPrefix(text, "{"):
		tokens, err := google.NewTokens([]byte(text), google.TokenOptions{URL: m.Speech.Option("token_url"), HTTP: c.out})
		if err != nil {
			return g, err
		}
		g.Key = tokens.Token
	case strings.HasPrefix(text, "AIza"):
		g.APIKey = true
	}
	return g, nil
}
