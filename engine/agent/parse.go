package agent

import (
	"slices"
	"strings"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/turn"
	"flametree/engine/workflow"
	"flametree/engine/workflow/located"
)

// Parse reads an agent file. An error is a *located.Faults with every fault and
// its place ("file 14:3: …") and is fault.Invalid; warnings come in any case.
func Parse(file []byte) (*Spec, []Warning, error) {
	r := located.NewReport("file")
	if len(file) > MaxBytes {
		r.Fault(located.Node{}, "an agent file has at most %d MB, this one has %d", MaxBytes>>20, len(file)>>20)
		return nil, nil, r.Err()
	}
	root := located.Parse(file, r)
	if r.Err() == nil && root.Kind == located.Absent {
		r.Fault(root, "the file is empty: an agent needs at least a name")
	}
	p := parser{Report: r, spec: &Spec{Type: InboundText, Settings: Defaults()}}
	p.agent(root)
	if err := r.Err(); err != nil {
		return nil, r.Warnings(), err
	}
	return p.spec, r.Warnings(), nil
}

// parser fills a Spec.
type parser struct {
	*located.Report
	spec *Spec
}

func (p *parser) agent(n located.Node) {
	s := p.spec
	text := func(key string, to *string) located.Key {
		return located.Key{Name: key, Read: p.String(key, MaxText, to)}
	}
	p.Map(n, "the agent file",
		located.Key{Name: "name", Read: p.String("name", MaxTitle, &s.Name)},
		located.Key{Name: "alias", Read: p.alias},
		located.Key{Name: "type", Read: p.kind},
		text("identity", &s.Identity),
		text("speech_style", &s.SpeechStyle),
		text("task", &s.Task),
		text("welcome_message", &s.Welcome),
		located.Key{Name: "workflow", Read: func(v located.Node) { s.Flow = workflow.From(v, p.Report) }},
		located.Key{Name: "conversation_result", Read: p.results},
		located.Key{Name: "knowledge", Read: p.knowledge},
		located.Key{Name: "tool_groups", Read: p.toolGroups},
		located.Key{Name: "models", Read: p.models},
		located.Key{Name: "env", Read: p.env},
		located.Key{Name: "limits", Read: p.limits},
	)
	if n.Kind == located.Map {
		p.whole(n)
	}
}

// whole looks at what only the whole file can show.
func (p *parser) whole(n located.Node) {
	s := p.spec
	if s.Name == "" {
		p.Fault(n, "the agent needs a name")
	}
	if n.Get("type").Kind == located.Absent {
		p.Warn(n, "no type is given: taken for %s", s.Type)
	}
	if s.Core == "" && len(s.FAQs) == 0 && len(s.Texts) == 0 && len(s.Files) == 0 && s.Type != CallAnalytics {
		p.Warn(n, "the agent knows nothing: it needs at least one source of knowledge to answer questions")
	}
	if s.Type == CallAnalytics {
		p.Warn(n.Get("type"), "this build does not analyse recorded calls yet")
	}
}

// alias reads a SIP user part (RFC 3261 25.1, user) without escapes and
// without "/" and "?", so that it can stand in an address of the API as well.
func (p *parser) alias(n located.Node) {
	var s string
	p.String("alias", MaxAlias, &s)(n)
	if strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("-_.!~*'()&=+$,;", r)
	}) {
		p.Fault(n, "alias %q cannot be a SIP user: letters, digits and - _ . ! ~ * ' ( ) & = + $ , ; only", s)
		return
	}
	p.spec.Alias = s
}

func (p *parser) kind(n located.Node) {
	var s string
	p.String("type", MaxTitle, &s)(n)
	if s == "" {
		return
	}
	types := []Type{InboundText, OutboundText, InboundVoice, OutboundVoice, CallAnalytics}
	key := strings.TrimSuffix(strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return r == ' ' || r == '-' || r == '_'
	}), "_"), "_agent")
	if i := slices.Index(types, Type(key)); i >= 0 {
		p.spec.Type = types[i]
		return
	}
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t)
	}
	p.Fault(n, "type must be one of %s, this is %q%s", strings.Join(names, ", "), s, located.Suggest(s, names))
}

func (p *parser) knowledge(n located.Node) {
	s := p.spec
	p.Map(n, "knowledge",
		located.Key{Name: "core", Read: p.String("core", MaxText, &s.Core)},
		located.Key{Name: "faqs", Read: p.Each("faqs", p.faq)},
		located.Key{Name: "texts", Read: p.Each("texts", p.text)},
		located.Key{Name: "files", Read: func(v located.Node) {
			p.Strings("files", MaxText, &s.Files)(v)
			p.later(v, len(s.Files), "files", "index files")
		}},
		located.Key{Name: "websites", Read: func(v located.Node) {
			p.Strings("websites", MaxText, &s.Websites)(v)
			p.later(v, len(s.Websites), "websites", "read websites")
		}},
	)
}

func (p *parser) later(n located.Node, count int, key, what string) {
	if count > 0 {
		p.Warn(n, "%s: accepted, but this build does not %s yet", key, what)
	}
}

func (p *parser) faq(n located.Node) {
	var f FAQ
	p.Map(n, "a FAQ",
		located.Key{Name: "question", Read: p.String("question", MaxText, &f.Question)},
		located.Key{Name: "answer", Read: p.String("answer", MaxText, &f.Answer)},
	)
	switch {
	case n.Kind == located.Absent:
	case n.Kind == located.Map && f.Question == "":
		p.Fault(n, "a FAQ needs a question")
	case n.Kind == located.Map && f.Answer == "":
		p.Fault(n, "the question %q needs an answer", clip(f.Question))
	default:
		p.spec.FAQs = append(p.spec.FAQs, f)
	}
}

func (p *parser) text(n located.Node) {
	var t Text
	p.Map(n, "a text",
		located.Key{Name: "title", Read: p.String("title", MaxTitle, &t.Title)},
		located.Key{Name: "text", Read: p.String("text", MaxText, &t.Text)},
	)
	switch {
	case n.Kind == located.Absent:
	case n.Kind == located.Map && t.Text == "":
		p.Fault(n, "the text %q is empty", clip(t.Title))
	case n.Kind == located.Map && t.Title == "":
		p.Warn(n, "a text without a title is harder to find")
		fallthrough
	default:
		p.spec.Texts = append(p.spec.Texts, t)
	}
}

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// toolGroups reads names, or mappings with a name.
func (p *parser) toolGroups(n located.Node) {
	p.Each("tool_groups", func(v located.Node) {
		if v.Kind == located.Map {
			v = v.Get("name")
		}
		var s string
		if p.String("tool_groups", MaxTitle, &s)(v); s != "" {
			p.spec.ToolGroups = append(p.spec.ToolGroups, s)
		}
	})(n)
	p.later(n, len(n.Items), "tool_groups", "run tool groups")
}

func (p *parser) models(n located.Node) {
	s := p.spec
	p.Map(n, "models",
		located.Key{Name: "llm", Read: func(v located.Node) { s.LLM = p.model("llm", v, true) }},
		located.Key{Name: "stt", Read: func(v located.Node) { s.STT = p.model("stt", v, true) }},
		located.Key{Name: "tts", Read: func(v located.Node) { s.TTS = p.model("tts", v, true) }},
	)
}

// model reads a mapping, or just the name of a provider. A fallback is one
// such model or a list of them, and has no fallback of its own.
func (p *parser) model(what string, n located.Node, first bool) Model {
	var m Model
	if n.Kind == located.Text {
		p.String(what, MaxTitle, &m.Provider)(n)
		return m
	}
	keys := []located.Key{
		{Name: "provider", Read: p.String("provider", MaxTitle, &m.Provider)},
		{Name: "base_url", Read: func(v located.Node) { p.address(v, &m.BaseURL) }},
		{Name: "model", Read: p.String("model", MaxTitle, &m.Model)},
		{Name: "key_env", Read: func(v located.Node) { p.variable(v, &m.KeyEnv) }},
	}
	if first {
		keys = append(keys, located.Key{Name: "fallback", Read: func(v located.Node) {
			if v.Kind != located.List {
				v = located.Node{Kind: located.List, Items: []located.Node{v}}
			}
			for _, i := range v.Items {
				if i.Kind != located.Absent {
					m.Fallback = append(m.Fallback, p.model("fallback", i, false))
				}
			}
		}})
	}
	p.Map(n, what, keys...)
	if n.Kind == located.Map && m.Provider == "" {
		p.Fault(n, "%s needs a provider", what)
	}
	return m
}

func (p *parser) address(n located.Node, to *string) {
	var s string
	if p.String("base_url", MaxText, &s)(n); s == "" {
		return
	}
	_, host, ok := strings.Cut(s, "://")
	scheme := strings.ToLower(s[:max(0, len(s)-len(host)-len("://"))])
	if !ok || scheme != "http" && scheme != "https" || host == "" || host[0] == '/' || strings.ContainsAny(s, " \t\n") {
		p.Fault(n, "base_url must be an http or https address, this is %s", located.Describe(n))
		return
	}
	*to = s
}

// variable reads the name of an environment variable. A key that was pasted in
// its place is caught here, and not repeated in the message.
func (p *parser) variable(n located.Node, to *string) {
	var s string
	p.String("key_env", MaxTitle, &s)(n)
	for i, r := range s {
		letter := r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			p.Fault(n, "key_env must name an environment variable: letters, digits and _ only; the key itself does not belong into the file")
			return
		}
	}
	*to = s
}

func (p *parser) env(n located.Node) {
	if n.Kind == located.Absent {
		return
	}
	if n.Kind != located.Map {
		p.Fault(n, "env must be a mapping from variable to value, this is %s", located.Describe(n))
		return
	}
	for _, pair := range n.Pairs {
		if v := pair.Value; v.Kind == located.List || v.Kind == located.Map {
			p.Fault(v, "%s must be a text, this is %s", pair.Key.Text, v.Kind)
			continue
		}
		p.spec.Env = append(p.spec.Env, event.Pair{Key: pair.Key.Text, Value: pair.Value.Text})
		if pair.Value.Kind == located.Text { // nothing after the colon leaves the default
			p.setting(pair)
		}
	}
}

// setting gives a variable to whoever understands it: this package, the turn
// machine, or both. What the turn machine would refuse is refused here, where
// its place is known.
func (p *parser) setting(pair located.Pair) {
	key, value := pair.Key.Text, strings.TrimSpace(pair.Value.Text)
	known, err := p.spec.Settings.put(key, value)
	timers := turn.Timers()
	if slices.ContainsFunc(timers, func(t turn.Timer) bool { return t.Env == key }) {
		c := turn.Default()
		known = true
		if err == nil {
			err = c.Set(key, value)
		}
		p.spec.Settings.Voice = append(p.spec.Settings.Voice, event.Pair{Key: key, Value: value})
	}
	switch {
	case err != nil:
		p.Fault(pair.Value, "%s", strings.TrimSuffix(err.Error(), ": "+fault.Invalid.Error())) // the whole file is that
	case !known:
		var names []string
		for _, s := range Table() {
			names = append(names, s.Key)
		}
		for _, t := range timers {
			names = append(names, t.Env)
		}
		p.Warn(pair.Key, "unknown variable %s is kept and changes nothing%s", key, located.Suggest(key, names))
	}
}

func (p *parser) limits(n located.Node) {
	const most = 1_000_000
	p.Map(n, "limits",
		located.Key{Name: "open_sessions", Read: p.Int("open_sessions", 1, most, &p.spec.Limits.OpenSessions)},
		located.Key{Name: "daily", Read: p.Int("daily", 0, most, &p.spec.Limits.Daily)},
	)
}
