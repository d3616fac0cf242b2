package wizard

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
)

// Site is the text of a business' website, most important page first.
type Site struct {
	URL   string
	Pages []SitePage
}

// SitePage is one page of a Site.
type SitePage struct{ URL, Title, Text string }

// Phrase is something that a model may say better. Draft is good as it is.
type Phrase struct {
	Kind     string // greeting identity
	Language string // English name
	About    string // the person or business, shortened
	Style    string
	Draft    string
}

// Compose betters a phrase, or returns "" to leave it. What it returns is used
// only if it has one to three lines and is no longer than 600 characters.
type Compose func(Phrase) string

// Channel is what the new agent is to be connected to. Token is secret.
type Channel struct {
	Kind  string // telegram web
	Token string
}

// Built is a finished agent before it is saved.
type Built struct {
	File    string   // accepted by agent.Parse without a warning
	Media   []string // uploads whose words are not known: they are no knowledge yet
	Channel Channel
	Notes   []string // for the person: what was composed or left out
}

const (
	maxCore   = 6000 // characters: it stands in every prompt
	maxPhrase = 600
	maxHeard  = agent.MaxText - 1000 // of one stretch of a recording: clip cuts at a word
)

// Build makes the agent file of a template. site may be nil, and compose too.
// Answers that Validate refuses are refused alike. The same input gives the
// same file, as far as compose does.
func Build(t Template, a Answers, site *Site, compose Compose) (Built, error) {
	form, err := Find(t)
	if err != nil {
		return Built{}, err
	}
	if err := form.Validate(a); err != nil {
		return Built{}, err
	}
	b := builder{answers: a, template: t, compose: compose, manner: readManner(a.Behaviour)}
	b.subject(site)
	b.identity()
	b.conduct()
	b.greet()
	if t != CreatorTwin {
		b.results()
	}
	b.files()
	out := Built{File: b.file(), Media: b.media, Notes: b.notes, Channel: Channel{Kind: "web"}}
	if t != WebsiteSales {
		out.Channel = Channel{Kind: "telegram", Token: strings.TrimSpace(a.Token)}
	}
	_, warnings, err := agent.Parse([]byte(out.File))
	if err != nil {
		return Built{}, fmt.Errorf("the wizard made a file that is not right: %s: %w", err, fault.Bug) //nolint:errorlint // the fault is ours, not the answers'
	}
	if len(warnings) > 0 {
		return Built{}, fmt.Errorf("the wizard made a file that is not right: %s: %w", warnings[0], fault.Bug)
	}
	return out, nil
}

// builder gathers the parts of a file.
type builder struct {
	template Template
	answers  Answers
	compose  Compose
	manner   manner

	name    string // of the agent
	person  string // twin: whom it stands for
	about   string
	website string
	collect collected
	keys    []event.Pair // top-level text keys in order
	uploads []string
	texts   []event.Pair // title and text
	media   []string
	notes   []string
}

func (b *builder) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// subject finds out whom or what the agent speaks for.
func (b *builder) subject(site *Site) {
	b.about = clean(b.answers.About)
	if b.template == CreatorTwin {
		b.person = oneLine(labelled(b.about, "name"))
		b.name = "AI Twin"
		if b.person != "" {
			b.name = clip(b.person+" (AI twin)", agent.MaxTitle)
		}
		return
	}
	b.name = oneLine(b.answers.Name)
	link, rest := address(b.about)
	b.website = link
	if link == "" {
		return
	}
	b.about = rest
	if site == nil {
		b.note("the website %s is read when the agent is created", link)
	} else if text := site.text(); text != "" {
		b.about = strings.TrimSpace(b.about + "\n" + text)
	} else {
		b.note("the website %s has no text that could be read", link)
	}
	if b.about == "" {
		b.about = "The business has a website: " + link
	}
}

// text is the beginning of a site: what is said on the first pages.
func (s Site) text() string {
	var out strings.Builder
	for _, p := range s.Pages {
		if out.Len() > 4*maxCore {
			break
		}
		if title := oneLine(p.Title); title != "" {
			out.WriteString(title + "\n")
		}
		out.WriteString(clean(p.Text) + "\n\n")
	}
	return strings.TrimSpace(clip(out.String(), maxCore))
}

func (b *builder) identity() {
	var draft string
	switch {
	case b.template == CreatorTwin && b.person != "":
		draft = "You are the AI twin of " + b.person + ". You speak in the first person, as " + b.person + " would, and you do not hide that you are a digital assistant."
	case b.template == CreatorTwin:
		draft = "You are the AI twin of the person who is described below. You speak in the first person, as this person would, and you do not hide that you are a digital assistant."
	default:
		draft = "You are " + b.name + ", the assistant of the business that is described in your knowledge. You help people who write to it to find what suits them."
	}
	b.keys = append(b.keys,
		event.Pair{Key: "name", Value: b.name},
		event.Pair{Key: "type", Value: string(agent.InboundText)},
		event.Pair{Key: "identity", Value: b.better("identity", draft)})
}

// conduct writes speech style and task.
func (b *builder) conduct() {
	language := b.manner.language.name
	style := b.manner.style
	if style == "" {
		style = "Friendly, calm and clear. Short sentences."
	}
	style += "\nSpeak " + language + ". If the human writes in another language, answer in that one."
	task := b.manner.task
	if b.template != CreatorTwin {
		b.collect = readResults(b.answers.Results)
		task = "Help the human to choose among what the business offers. Answer from the knowledge only; if it does not say, say so openly. " +
			"Find out what the human needs, say what fits and why, and offer the next step. Never press."
		if titles := b.collect.titles(); len(titles) > 0 {
			task += "\nIn the course of the conversation, when it fits, ask for: " + strings.Join(titles, ", ") + "."
		}
	} else if task == "" {
		task = "Answer the questions of the human about the person you stand for and about what this person knows."
	}
	b.keys = append(b.keys, event.Pair{Key: "speech_style", Value: style}, event.Pair{Key: "task", Value: task})
}

func (b *builder) greet() {
	phrase := b.manner.phrase
	if phrase == "" {
		phrase = b.better("greeting", greeting(b.manner.language, b.template, b.name, b.person))
		b.note("the starting phrase was composed: %s", phrase)
	}
	b.keys = append(b.keys, event.Pair{Key: "welcome_message", Value: phrase})
}

// better lets a model say a draft better.
func (b *builder) better(kind, draft string) string {
	if b.compose == nil {
		return draft
	}
	said := clean(b.compose(Phrase{Kind: kind, Language: b.manner.language.name, About: clip(b.about, 1500), Style: clip(b.manner.style, 1500), Draft: draft}))
	if said == "" || utf8.RuneCountInString(said) > maxPhrase || strings.Count(said, "\n") > 2 || strings.ContainsAny(said, "{}") {
		return draft
	}
	return unquote(said)
}

func (b *builder) results() {
	if _, err := agent.ParseAddresses(b.collect.email); err != nil {
		b.note("the results cannot be sent to %s: it is no address that mail servers know", b.collect.email)
		b.collect.email = ""
	}
	if b.collect.email != "" {
		b.note("the results of each conversation go to %s by mail", b.collect.email)
	}
	if len(b.collect.fields) == 0 && clean(b.answers.Results) != "" {
		b.note("no details to collect were found in the text: name, e-mail, topic and summary are collected")
	}
	if len(b.collect.fields) == 0 {
		b.collect.fields = usual()
	}
}

func (b *builder) files() {
	media := b.answers.Media()
	for _, f := range b.answers.Files {
		if !slices.Contains(media, f) {
			b.uploads = append(b.uploads, f)
			continue
		}
		i := slices.IndexFunc(b.answers.Heard, func(h Heard) bool { return h.File == f })
		if i < 0 || clean(b.answers.Heard[i].Text) == "" {
			b.media = append(b.media, f)
			continue
		}
		b.say(path.Base(f), clean(b.answers.Heard[i].Text))
	}
}

// say makes the words of a recording knowledge, in stretches that a text may have.
func (b *builder) say(name, text string) {
	title := clip(oneLine(name), agent.MaxTitle-20)
	for n := 1; text != ""; n++ {
		part := clip(text, maxHeard)
		text = strings.TrimSpace(strings.TrimPrefix(text, part))
		if n > 1 {
			b.texts = append(b.texts, event.Pair{Key: fmt.Sprintf("%s, part %d", title, n), Value: part})
			continue
		}
		b.texts = append(b.texts, event.Pair{Key: title, Value: part})
	}
}

// file writes YAML.
func (b *builder) file() string {
	var w strings.Builder
	for _, k := range b.keys {
		w.WriteString(k.Key + ": " + agent.Scalar(k.Value, 2) + "\n")
	}
	w.WriteString("workflow:\n" + workflow(b.template))
	if len(b.collect.fields) > 0 {
		w.WriteString("conversation_result:\n")
	}
	for _, f := range b.collect.fields {
		w.WriteString("  - field_name: " + agent.Scalar(f.name, 6) + "\n    field_title: " + agent.Scalar(f.title, 6) +
			"\n    field_description: " + agent.Scalar(f.description, 6) + "\n    kind: FormInfoField\n")
	}
	w.WriteString("knowledge:\n  core: " + agent.Scalar(clip(b.about, maxCore), 4) + "\n")
	texts := b.texts
	if rest := beyond(b.about, maxCore); rest != "" {
		texts = append([]event.Pair{{Key: "About", Value: rest}}, texts...)
	}
	if len(texts) > 0 {
		w.WriteString("  texts:\n")
	}
	for _, t := range texts {
		w.WriteString("    - title: " + agent.Scalar(t.Key, 8) + "\n      text: " + agent.Scalar(t.Value, 8) + "\n")
	}
	if b.website != "" {
		w.WriteString("  websites:\n    - " + agent.Scalar(b.website, 6) + "\n")
	}
	if len(b.uploads) > 0 {
		w.WriteString("  files:\n")
	}
	for _, f := range b.uploads {
		w.WriteString("    - " + agent.Scalar(f, 6) + "\n")
	}
	var env []event.Pair
	if b.collect.email != "" {
		env = append(env, event.Pair{Key: "RESULTS_EMAIL_TO", Value: b.collect.email})
	}
	if tag := b.manner.language.tag(); tag != "" {
		env = append(env, event.Pair{Key: "VOICE_LANGUAGE", Value: tag})
	}
	if len(env) > 0 {
		w.WriteString("env:\n")
	}
	for _, v := range env {
		w.WriteString("  " + v.Key + ": " + agent.Scalar(v.Value, 4) + "\n")
	}
	return w.String()
}

func workflow(t Template) string {
	process, name, lines := "Sales", "SalesSupport", []string{
		"Answer questions about products and services from the knowledge.",
		"Find out what the human needs before you recommend anything.",
		"Collect the details that the task names, one at a time.",
	}
	if t == CreatorTwin {
		process, name, lines = "Twin", "Conversation", []string{
			"Talk with the human as the person you stand for would.",
			"Take facts from the knowledge; if it does not say, say so openly.",
		}
	}
	var w strings.Builder
	w.WriteString("  - process_name: " + process + "\n    name: " + name + "\n    kind: StateConfig\n    init_state: true\n    description: |\n")
	for _, l := range lines {
		w.WriteString("      - " + l + "\n")
	}
	w.WriteString("    available_tools:\n      SingleStatefulOutboundAgent:\n        - SendChatMessage\n        - FinishSession\n")
	w.WriteString("    transitions:\n      - name: goodbye\n        trigger: customer_input\n        next_state: END\n")
	w.WriteString("        description: the human says goodbye or has no more questions\n")
	return w.String()
}
