package agent

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/language"

	"flametree/engine/event"
	"flametree/engine/workflow/located"
)

// MaxLanguages is how many languages an agent may speak.
const MaxLanguages = 20

// Speech is what a Model that hears or speaks has besides.
type Speech struct {
	Voice    string       // tts: the vendor's own name or id of one, "" = its default
	Voices   []event.Pair // tts: language (BCP 47) → voice, for agents with several
	Language string       // in place of the conversation's, "" = that one; multi = any, where the vendor offers it
	Rate     float64      // tts: how fast, 1 = the voice's own; 0 means 1
	Options  []event.Pair // what only this vendor has: see SpeechVendors
}

// Option finds one of the vendor's own options, "" if it is not set.
func (s Speech) Option(name string) string {
	for _, p := range s.Options {
		if p.Key == name {
			return p.Value
		}
	}
	return ""
}

// SpeechVendor says what an agent file may set for a vendor of speech.
type SpeechVendor struct {
	Name          string
	Hears, Speaks bool
	Inside        bool     // part of this program: no key, no address, English only
	Keyed         bool     // its own service wants a key
	STT, TTS      []string // options
	Must          []string // of those, what has to be set: "stt." or "tts." before it, or both; not where base_url is
	Needs         bool     // base_url
}

// SpeechVendors are the vendors that speech.stt and speech.tts may name.
func SpeechVendors() []SpeechVendor {
	return []SpeechVendor{
		{Name: "builtin", Hears: true, Speaks: true, Inside: true},
		{Name: "pocketsphinx", Hears: true, Inside: true},
		{Name: "flite", Speaks: true, Inside: true},
		{Name: "openai", Hears: true, Speaks: true, Keyed: true, STT: []string{"live"}},
		{Name: "openai_compatible", Hears: true, Speaks: true, Needs: true, STT: []string{"live"}},
		{Name: "deepgram", Hears: true, Speaks: true, Keyed: true, STT: []string{"endpointing_ms"}},
		{Name: "elevenlabs", Hears: true, Speaks: true, Keyed: true, TTS: []string{"hold_words_ms"}},
		{Name: "cartesia", Hears: true, Speaks: true, Keyed: true, TTS: []string{"hold_words_ms"}},
		{Name: "azure", Hears: true, Speaks: true, Keyed: true, STT: []string{"region"}, TTS: []string{"region"}, Must: []string{"stt.region", "tts.region"}},
		{Name: "google", Hears: true, Speaks: true, Keyed: true, STT: []string{"project", "location", "token_url"}, TTS: []string{"token_url"}, Must: []string{"stt.project"}},
	}
}

func speechVendor(name string) (SpeechVendor, bool) {
	all := SpeechVendors()
	i := slices.IndexFunc(all, func(v SpeechVendor) bool { return v.Name == strings.ToLower(name) })
	if i < 0 {
		return SpeechVendor{}, false
	}
	return all[i], true
}

// speech reads who hears and speaks: lists in their order of preference.
func (p *parser) speech(n located.Node) {
	s := p.spec
	list := func(kind string, to *Model) func(located.Node) {
		return func(v located.Node) {
			if p.twice(kind, v, to) {
				return
			}
			var all []Model
			p.several("speech."+kind, func(v located.Node) {
				if m := p.speaker(kind, v, false, true); m.Provider != "" {
					all = append(all, m)
				}
			})(v)
			if len(all) > 0 {
				*to = all[0]
				to.Fallback = all[1:]
			}
		}
	}
	p.Map(n, "speech",
		located.Key{Name: "stt", Read: list("stt", &s.STT)},
		located.Key{Name: "tts", Read: list("tts", &s.TTS)},
		located.Key{Name: "realtime", Read: p.realtime},
		located.Key{Name: "languages", Read: p.several("languages", p.spoken)},
	)
}

// twice tells of one who is named under models and under speech.
func (p *parser) twice(kind string, n located.Node, to *Model) bool {
	if n.Kind == located.Absent || to.Provider == "" {
		return false
	}
	p.Fault(n, "%s stands under models and under speech: name it in one place", kind)
	return true
}

// alone reads models.stt and models.tts: one, with its fallbacks. A vendor that
// is not known here may be known to the program.
func (p *parser) alone(kind string, n located.Node, to *Model) {
	if !p.twice(kind, n, to) {
		*to = p.speaker(kind, n, true, false)
	}
}

func (p *parser) spoken(n located.Node) {
	var tag string
	if p.language("a language", n, &tag); tag == "" {
		return
	}
	switch {
	case slices.Contains(p.spec.Languages, tag):
		p.Fault(n, "the language %s is listed already", tag)
	case len(p.spec.Languages) == MaxLanguages:
		p.Fault(n, "an agent speaks at most %d languages", MaxLanguages)
	default:
		p.spec.Languages = append(p.spec.Languages, tag)
	}
}

// language reads a tag (BCP 47) that names a language there is.
func (p *parser) language(what string, n located.Node, to *string) {
	var s string
	if p.String(what, 35, &s)(n); s == "" {
		return
	}
	if _, err := language.Parse(s); err != nil || strings.EqualFold(s, "und") {
		p.Fault(n, "%s must be a language tag such as en or pt-BR; %s is none that is known", what, located.Describe(n))
		return
	}
	*to = s
}

// speaker reads one who hears or speaks: a mapping, or just the name of a
// vendor. Its vendor must be known where strict.
func (p *parser) speaker(kind string, n located.Node, first, strict bool) Model {
	var m Model
	if n.Kind == located.Text {
		p.String(kind, MaxTitle, &m.Provider)(n)
		p.vendorFits(kind, n, n, m, strict)
		return m
	}
	name := func(v located.Node) { p.String("vendor", MaxTitle, &m.Provider)(v) }
	keys := []located.Key{
		{Name: "vendor", Read: name},
		{Name: "provider", Read: name},
		{Name: "base_url", Read: func(v located.Node) { p.address("base_url", v, &m.BaseURL) }},
		{Name: "model", Read: p.String("model", MaxTitle, &m.Model)},
		{Name: "key_env", Read: func(v located.Node) { p.variable("key_env", v, &m.KeyEnv) }},
		{Name: "price", Read: func(v located.Node) { p.price(v, &m.Price) }},
		{Name: "language", Read: func(v located.Node) { p.heardIn(kind, v, &m.Speech.Language) }},
		{Name: "options", Read: func(v located.Node) { m.Speech.Options, _ = p.pairs("options", v, nil) }},
	}
	if kind == "tts" {
		keys = append(keys,
			located.Key{Name: "voice", Read: p.String("voice", MaxTitle, &m.Speech.Voice)},
			located.Key{Name: "voices", Read: func(v located.Node) { m.Speech.Voices = p.voices(v) }},
			located.Key{Name: "rate", Read: func(v located.Node) { p.rate(v, &m.Speech.Rate) }},
		)
	}
	if first {
		keys = append(keys, located.Key{Name: "fallback", Read: func(v located.Node) {
			p.several("fallback", func(i located.Node) {
				if f := p.speaker(kind, i, false, strict); f.Provider != "" {
					m.Fallback = append(m.Fallback, f)
				}
			})(v)
		}})
	}
	p.Map(n, kind, keys...)
	if n.Kind != located.Map {
		return m
	}
	if m.Provider == "" {
		p.Fault(n, "%s needs a vendor", kind)
		return m
	}
	at := n.Get("vendor")
	if at.Kind == located.Absent {
		at = n.Get("provider")
	}
	p.vendorFits(kind, n, at, m, strict)
	return m
}

// heardIn reads the language of one vendor; a recogniser may know several at a time.
func (p *parser) heardIn(kind string, n located.Node, to *string) {
	if kind == "stt" && n.Text == "multi" {
		*to = n.Text
		return
	}
	p.language("language", n, to)
}

func (p *parser) voices(n located.Node) []event.Pair {
	all, _ := p.pairs("voices", n, func(key, value located.Node, _ bool) {
		var tag string
		p.language("a language of voices", key, &tag)
		if strings.TrimSpace(value.Text) == "" {
			p.Fault(value, "the voice for %s is empty", clip(key.Text))
		}
	})
	return all
}

func (p *parser) rate(n located.Node, to *float64) {
	var s string
	if p.String("rate", 16, &s)(n); s == "" {
		return
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0.25 || f > 4 {
		p.Fault(n, "rate must be a number from 0.25 to 4, 1 is the voice's own; this is %s", located.Describe(n))
		return
	}
	*to = f
}

// vendorFits says what of m its vendor does not have. at is where its name stands.
func (p *parser) vendorFits(kind string, n, at located.Node, m Model, strict bool) {
	v, ok := speechVendor(m.Provider)
	if !ok {
		if strict && m.Provider != "" {
			known := vendorsOf(kind)
			p.Fault(at, "%s: the vendor must be one of %s, this is %q%s", kind, strings.Join(known, ", "), clip(m.Provider), located.Suggest(m.Provider, known))
		}
		return
	}
	options := v.STT
	if kind == "tts" {
		options = v.TTS
	}
	switch {
	case kind == "stt" && !v.Hears:
		p.Fault(at, "%s speaks and does not hear: name it under tts", v.Name)
	case kind == "tts" && !v.Speaks:
		p.Fault(at, "%s hears and does not speak: name it under stt", v.Name)
	case v.Inside && (m.KeyEnv != "" || m.BaseURL != ""):
		p.Fault(at, "%s is part of this program: it has neither key_env nor base_url", v.Name)
	case v.Needs && m.BaseURL == "":
		p.Fault(at, "%s needs a base_url", v.Name)
	case v.Keyed && m.KeyEnv == "" && m.BaseURL == "":
		p.Fault(at, "%s needs key_env: the name of the variable that holds the key", v.Name)
	}
	for _, o := range m.Speech.Options {
		p.optionFits(n.Get("options").Get(o.Key), v.Name, o, options)
	}
	for _, must := range v.Must {
		of, name, _ := strings.Cut(must, ".")
		if of == kind && m.Speech.Option(name) == "" && (name != "region" || m.BaseURL == "") {
			p.Fault(at, "%s needs the option %s", v.Name, name)
		}
	}
	p.voiceFits(n, v, m)
}

func (p *parser) optionFits(at located.Node, vendor string, o event.Pair, known []string) {
	if !slices.Contains(known, o.Key) {
		if len(known) == 0 {
			p.Fault(at, "%s has no option %q here", vendor, clip(o.Key))
			return
		}
		p.Fault(at, "%s has no option %q here; there is %s%s", vendor, clip(o.Key), strings.Join(known, ", "), located.Suggest(o.Key, known))
		return
	}
	switch {
	case strings.HasSuffix(o.Key, "_ms"):
		if n, err := strconv.Atoi(o.Value); err != nil || n < 0 || n > 10_000 {
			p.Fault(at, "%s must be milliseconds from 0 to 10000, this is %s", o.Key, located.Describe(at))
		}
	case o.Key == "live":
		if _, ok := truth(o.Value); !ok {
			p.Fault(at, "live must be true or false, this is %s", located.Describe(at))
		}
	case o.Key == "token_url" && !isAddress(o.Value):
		p.Fault(at, "token_url must be an http or https address, this is %s", located.Describe(at))
	}
}

// vendorsOf are the names of those who hear, or speak.
func vendorsOf(kind string) []string {
	var out []string
	for _, v := range SpeechVendors() {
		if kind == "stt" && v.Hears || kind == "tts" && v.Speaks {
			out = append(out, v.Name)
		}
	}
	return out
}

// voiceFits refuses voices and languages that the vendor cannot have, and warns
// of those that it had not when this was written: vendors add voices.
func (p *parser) voiceFits(n located.Node, v SpeechVendor, m Model) {
	p.oneVoice(n.Get("voice"), v, m.Speech.Voice, "")
	for _, x := range m.Speech.Voices {
		p.oneVoice(n.Get("voices").Get(x.Key), v, x.Value, x.Key)
	}
	if l := m.Speech.Language; v.Inside && l != "" && primary(l) != "en" {
		p.Fault(n.Get("language"), "%s knows English only, not %s", v.Name, l)
	}
}

func (p *parser) oneVoice(at located.Node, v SpeechVendor, voice, lang string) {
	if voice == "" {
		return
	}
	inside := []string{"slt", "rms", "awb", "kal16"}
	openai := []string{"alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse"}
	own := "" // the language that the voice's name begins with
	switch {
	case v.Inside && !slices.Contains(inside, voice):
		p.Fault(at, "%s has no voice %q; there is %s%s", v.Name, clip(voice), strings.Join(inside, ", "), located.Suggest(voice, inside))
	case v.Inside:
		own = "en"
	case v.Name == "openai" && !slices.Contains(openai, voice):
		p.Warn(at, "openai had no voice %q when this was written%s", clip(voice), located.Suggest(voice, openai))
	case v.Name == "google" || v.Name == "azure":
		parts := regexp.MustCompile(`^([a-z]{2,3})-[A-Za-z0-9-]*[A-Za-z0-9]$`).FindStringSubmatch(voice)
		if parts == nil || strings.Count(voice, "-") < 2 {
			example := map[string]string{"google": "en-US-Neural2-F", "azure": "en-US-JennyNeural"}[v.Name]
			p.Fault(at, "a voice of %s is named like %s, this is %q", v.Name, example, clip(voice))
			return
		}
		own = parts[1]
	}
	if own != "" && lang != "" && !strings.Contains(strings.ToLower(voice), "multilingual") && own != primary(lang) {
		p.Fault(at, "the voice %q speaks %s, not %s", clip(voice), own, lang)
	}
}

// primary is the language of a tag without script and region, in lower case.
func primary(tag string) string {
	short, _, _ := strings.Cut(strings.ToLower(tag), "-")
	return short
}

// Speaks reports which of the agent's languages a tag means: itself, or the one
// that has the same primary language. An agent without a list speaks the one of
// its settings alone.
func (s *Spec) Speaks(tag string) (string, bool) {
	all := s.Languages
	if len(all) == 0 {
		all = []string{cmp.Or(s.Settings.Language, "en")}
	}
	for _, l := range all {
		if strings.EqualFold(l, tag) {
			return l, true
		}
	}
	for _, l := range all {
		if tag != "" && primary(l) == primary(tag) {
			return l, true
		}
	}
	return "", false
}
