package agent

import (
	"errors"
	"slices"
	"strconv"
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
	p := parser{Report: r, spec: &Spec{Type: InboundText, FAQMode: FAQAuto, Settings: Defaults()}}
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
		located.Key{Name: "handoff", Read: p.handoff},
		located.Key{Name: "workflow", Read: func(v located.Node) { s.Flow = workflow.From(v, p.Report) }},
		located.Key{Name: "conversation_result", Read: p.results},
		located.Key{Name: "knowledge", Read: p.knowledge},
		located.Key{Name: "catalogs", Read: p.several("catalogs", p.catalog)},
		located.Key{Name: "show_rag_sources", Read: p.Bool("show_rag_sources", &s.ShowSources)},
		located.Key{Name: "guardrails", Read: func(v located.Node) { s.Guardrails = located.Unfold(v, p.Report) }},
		located.Key{Name: "tool_groups", Read: p.several("tool_groups", p.toolGroup)},
		located.Key{Name: "mcp", Read: p.several("mcp", p.mcp)},
		located.Key{Name: "openapi", Read: p.several("openapi", p.openapi)},
		located.Key{Name: "verification", Read: p.verification},
		located.Key{Name: "models", Read: p.models},
		located.Key{Name: "speech", Read: p.speech},
		located.Key{Name: "env", Read: p.env},
		located.Key{Name: "limits", Read: p.limits},
		located.Key{Name: "require_publish", Read: p.Bool("require_publish", &s.RequirePublish)},
		located.Key{Name: "default_operators", Read: p.Strings("default_operators", MaxTitle, &s.Operators)},
		located.Key{Name: "copilot_hours", Read: p.hours("copilot_hours", &s.Copilot)},
		located.Key{Name: "push", Read: p.push},
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
	if !s.knows() && s.Type != CallAnalytics {
		p.Warn(n, "the agent knows nothing: it needs at least one source of knowledge to answer questions")
	}
	if s.Settings.Language == "" && len(s.Languages) > 0 {
		s.Settings.Language = s.Languages[0]
	}
	if _, ok := s.Speaks(s.Settings.Language); !ok && len(s.Languages) > 0 {
		p.Warn(n.Get("speech").Get("languages"), "VOICE_LANGUAGE is %s, which is not among the languages of the agent", s.Settings.Language)
	}
	var results []string
	for _, f := range s.Results {
		results = append(results, f.Name)
	}
	for _, w := range s.Flow.CheckResults(results) {
		p.Warn(located.Node{Line: w.Line, Col: w.Col}, "%s", w.Text)
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
		located.Key{Name: "faq_mode", Read: p.choice("faq_mode", (*string)(&s.FAQMode), string(FAQAuto), string(FAQPrompt), string(FAQVector))},
		located.Key{Name: "files", Read: p.several("files", func(v located.Node) { p.Strings("files", MaxText, &s.Files)(v) })},
		located.Key{Name: "websites", Read: p.several("websites", p.website)},
		located.Key{Name: "youtube", Read: p.several("youtube", p.video)},
		located.Key{Name: "sources", Read: p.several("sources", func(v located.Node) { p.Strings("sources", MaxTitle, &s.Library)(v) })},
	)
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

func (p *parser) models(n located.Node) {
	s := p.spec
	p.Map(n, "models",
		located.Key{Name: "llm", Read: func(v located.Node) { s.LLM = p.model("llm", v, true) }},
		located.Key{Name: "stt", Read: func(v located.Node) { p.alone("stt", v, &s.STT) }},
		located.Key{Name: "tts", Read: func(v located.Node) { p.alone("tts", v, &s.TTS) }},
		located.Key{Name: "embedder", Read: func(v located.Node) { s.Embedder = p.model("embedder", v, true) }},
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
		{Name: "base_url", Read: func(v located.Node) { p.address("base_url", v, &m.BaseURL) }},
		{Name: "model", Read: p.String("model", MaxTitle, &m.Model)},
		{Name: "key_env", Read: func(v located.Node) { p.variable("key_env", v, &m.KeyEnv) }},
		{Name: "price", Read: func(v located.Node) { p.price(v, &m.Price) }},
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

// price reads what a million tokens cost.
func (p *parser) price(n located.Node, to *Price) {
	p.Map(n, "price", p.amount("input", &to.Input), p.amount("output", &to.Output))
}

func (p *parser) amount(name string, to *float64) located.Key {
	return located.Key{Name: name, Read: func(v located.Node) {
		var text string
		if p.String(name, 32, &text)(v); text == "" {
			return
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f < 0 || f > 1e6 {
			p.Fault(v, "%s must be what a million tokens cost, such as 0.15; this is %s", name, located.Describe(v))
			return
		}
		*to = f
	}}
}

func (p *parser) address(what string, n located.Node, to *string) {
	var s string
	if p.String(what, MaxText, &s)(n); s == "" {
		return
	}
	if !isAddress(s) {
		p.Fault(n, "%s must be an http or https address, this is %s", what, located.Describe(n))
		return
	}
	*to = s
}

func isAddress(s string) bool {
	scheme, host, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	return ok && (scheme == "http" || scheme == "https") && host != "" && host[0] != '/' && !strings.ContainsAny(s, " \t\n")
}

// variable reads the name of an environment variable. A key that was pasted in
// its place is caught here, and not repeated in the message.
func (p *parser) variable(what string, n located.Node, to *string) {
	var s string
	p.String(what, MaxTitle, &s)(n)
	for i, r := range s {
		letter := r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			p.Fault(n, "%s must name an environment variable: letters, digits and _ only; the key itself does not belong into the file", what)
			return
		}
	}
	*to = s
}

func (p *parser) env(n located.Node) {
	p.spec.Env, p.spec.Secrets = p.pairs("env", n, p.setting)
}

// setting gives a variable to whoever understands it: this package, the turn
// machine, or both. What the turn machine would refuse is refused here, where
// its place is known.
func (p *parser) setting(name, at located.Node, secret bool) {
	key, value := name.Text, strings.TrimSpace(at.Text)
	if value == Masked {
		p.Warn(name, "the value of %s was taken out: enter it again", key)
		return
	}
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
	case err != nil && secret: // the error would repeat the value
		p.Fault(at, "%s has a value that is not allowed; it is secret and not shown", key)
	case err != nil:
		p.Fault(faultAt(at, err), "%s", strings.TrimSuffix(err.Error(), ": "+fault.Invalid.Error())) // the whole file is that
	case !known && !secret: // a secret is for tools and models
		p.unknown(name)
	}
}

// faultAt is the place in a value that an error is about.
func faultAt(at located.Node, err error) located.Node {
	if f, ok := errors.AsType[*AddressFault](err); ok {
		return at.Within(strings.Index(at.Text, strings.TrimSpace(at.Text)) + f.At)
	}
	return at
}

// unknown warns of a variable that nothing here reads: a tool may. A likely slip
// of the pen is told.
func (p *parser) unknown(name located.Node) {
	var names []string
	for _, v := range Variables() {
		if v.Key == name.Text {
			p.Warn(name, "%s is read by %s: set it there", name.Text, v.On)
			return
		}
		names = append(names, v.Key)
	}
	p.Warn(name, "unknown variable %s is kept and changes nothing%s", name.Text, located.Suggest(name.Text, names))
}

func (p *parser) limits(n located.Node) {
	const most = 1_000_000
	p.Map(n, "limits",
		located.Key{Name: "open_sessions", Read: p.Int("open_sessions", 1, most, &p.spec.Limits.OpenSessions)},
		located.Key{Name: "daily", Read: p.Int("daily", 0, most, &p.spec.Limits.Daily)},
	)
}
