package node

import (
	"fmt"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/fault"
	"flametree/engine/provider/geminilive"
	"flametree/engine/provider/openairealtime"
	"flametree/engine/provider/realtime"
)

// duplex puts a model that hears and speaks by itself before the others of a
// cast, where the agent's file names one. Calls find it; everything else goes on
// with the others.
func (c *connectors) duplex(s *agent.Spec, cast *actors.Cast) error {
	if s.Realtime.Provider == "" {
		return nil
	}
	m, err := c.duplexModel(s, s.Realtime)
	if err != nil {
		return fmt.Errorf("speech.realtime: %w", err)
	}
	o := realtime.Options{Model: m, Language: s.Settings.Language, First: s.Settings.FirstToken}
	if c.fell != nil {
		vendor, _ := m.About()
		o.Lost = func() { c.fell("realtime", vendor, "ordinary") }
	}
	cast.Thinks = realtime.NewExchange(cast.Thinks, o, &c.calls)
	return nil
}

func (c *connectors) duplexModel(s *agent.Spec, m agent.Model) (realtime.Model, error) {
	key := c.key(s, m.KeyEnv)
	if m.KeyEnv != "" && key == "" {
		return nil, fmt.Errorf("the variable %s, which holds the key, is not set: %w", m.KeyEnv, fault.Invalid)
	}
	switch m.Provider {
	case "openai":
		return openairealtime.New(openairealtime.Options{
			BaseURL: m.BaseURL, Key: key, Model: m.Model, Voice: m.Speech.Voice,
			Transcribe: m.Speech.Option(agent.RealtimeTranscribe), HTTP: c.out, Dial: c.dial,
		})
	case "gemini":
		return geminilive.New(geminilive.Options{BaseURL: m.BaseURL, Key: key, Model: m.Model, Voice: m.Speech.Voice, HTTP: c.out, Dial: c.dial})
	}
	return nil, fmt.Errorf("vendor %q is not known: %w", m.Provider, fault.Invalid)
}
