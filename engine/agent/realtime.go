package agent

import (
	"slices"
	"strings"

	"flametree/engine/workflow/located"
)

// RealtimeVendors are those that speech.realtime may name: models that hear and
// speak by themselves.
func RealtimeVendors() []string { return []string{"openai", "gemini"} }

// RealtimeName is what the journal calls a vendor of RealtimeVendors: its models
// that hear and speak are others than those that write.
func RealtimeName(vendor string) string {
	switch vendor {
	case "openai":
		return "openai_realtime"
	case "gemini":
		return "gemini_live"
	}
	return ""
}

// Options of speech.realtime, as Speech.Options has them.
const (
	RealtimeTranscribe = "transcribe" // openai: the model that writes down what is heard
)

// realtime reads the model that hears and speaks by itself. Beside it the agent
// keeps its ordinary recogniser, model and voice: calls fall back on them.
func (p *parser) realtime(n located.Node) {
	var m Model
	p.Map(n, "realtime",
		located.Key{Name: "vendor", Read: p.String("vendor", MaxTitle, &m.Provider)},
		located.Key{Name: "base_url", Read: func(v located.Node) { p.address("base_url", v, &m.BaseURL) }},
		located.Key{Name: "model", Read: p.String("model", MaxTitle, &m.Model)},
		located.Key{Name: "voice", Read: p.String("voice", MaxTitle, &m.Speech.Voice)},
		located.Key{Name: "key_env", Read: func(v located.Node) { p.variable("key_env", v, &m.KeyEnv) }},
		located.Key{Name: "price", Read: func(v located.Node) { p.soundPrice(v, &m.Price) }},
		located.Key{Name: "options", Read: func(v located.Node) { m.Speech.Options, _ = p.pairs("options", v, nil) }},
	)
	if n.Kind != located.Map {
		return
	}
	m.Provider = strings.ToLower(m.Provider)
	at := n.Get("vendor")
	switch {
	case m.Provider == "":
		p.Fault(n, "realtime needs a vendor: %s", strings.Join(RealtimeVendors(), " or "))
	case !slices.Contains(RealtimeVendors(), m.Provider):
		p.Fault(at, "realtime: the vendor must be %s, this is %q", strings.Join(RealtimeVendors(), " or "), clip(m.Provider))
	case m.KeyEnv == "" && m.BaseURL == "":
		p.Fault(at, "%s needs key_env: the name of the variable that holds the key", m.Provider)
	}
	for _, o := range m.Speech.Options {
		if o.Key != RealtimeTranscribe || m.Provider != "openai" {
			p.Fault(n.Get("options").Get(o.Key), "realtime of %s has no option %q", m.Provider, clip(o.Key))
		}
	}
	p.spec.Realtime = m
}

// soundPrice reads what a million tokens of text and of sound cost.
func (p *parser) soundPrice(n located.Node, to *Price) {
	p.Map(n, "price", p.amount("input", &to.Input), p.amount("output", &to.Output),
		p.amount("audio_input", &to.AudioInput), p.amount("audio_output", &to.AudioOutput))
}
