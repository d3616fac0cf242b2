// Package wizard makes an agent file out of a few answers (spec 2, Wizard). It
// has three templates, says step by step what an answer lacks, and composes by
// rules what nobody gave: a greeting, the task, the results to collect. It asks
// no model, reads no website, hears no upload, and stores nothing: a model may
// better its phrases through a function that is given in, and what a website or
// a recording says comes in as text.
package wizard

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"flametree/engine/agent"
	"flametree/engine/fault"
)

// The limits of answers.
const (
	MaxAnswer = 20_000 // characters of any one text
	MaxFiles  = 10
)

// Template says what kind of agent is made.
type Template string

// The templates.
const (
	CreatorTwin   Template = "creator_ai_twin"
	TelegramSales Template = "telegram_ai_sales"
	WebsiteSales  Template = "website_ai_sales"
)

// Step names one page of a wizard.
type Step string

// The steps.
const (
	Name      Step = "name"
	About     Step = "about"
	Behaviour Step = "behaviour"
	Knowledge Step = "knowledge"
	Results   Step = "results"
	Telegram  Step = "telegram"
	Review    Step = "review"
)

// Page describes a step for whoever shows it.
type Page struct {
	Step     Step
	Title    string
	Help     string
	Example  string // may be taken as it is, text in [brackets] replaced
	Required bool
	Accepts  []string // endings of files, Knowledge only
}

// Form is a template with its pages in their order.
type Form struct {
	Template    Template
	Title       string
	Description string
	Pages       []Page
}

// Answers are what a person entered. Which fields count depends on the
// template.
type Answers struct {
	Name      string   // sales: the agent's
	About     string   // twin: the person; sales: the business, or the address of its website
	Behaviour string   // twin: task, language, tone, limits; sales: tone, greeting language, starting phrase
	Files     []string // paths of uploads
	Results   string   // sales: what to collect, and an e-mail address it goes to
	Token     string   // of the Telegram bot; secret

	Heard []Heard `json:"-"` // what is said in Files of sound; found, not entered
}

// Heard is what is said in an upload, whole.
type Heard struct{ File, Text string }

// Media lists the Files whose words have to be heard before they are knowledge.
func (a Answers) Media() []string {
	var out []string
	for _, f := range a.Files {
		if !slices.Contains([]string{"pdf", "txt", "md"}, ending(f)) {
			out = append(out, f)
		}
	}
	return out
}

// ending is that of a file's name, in lower case.
func ending(file string) string { return strings.ToLower(strings.TrimPrefix(path.Ext(file), ".")) }

// Fault is what is wrong with the answers of one step.
type Fault struct {
	Step Step
	Text string
}

// Faults are all of them, in the order of the pages; fault.Invalid.
type Faults struct{ All []Fault }

// Error writes one fault a line: "about: …".
func (f *Faults) Error() string {
	lines := make([]string, len(f.All))
	for i, a := range f.All {
		lines[i] = string(a.Step) + ": " + a.Text
	}
	return strings.Join(lines, "\n")
}

// Unwrap says that the answers must change.
func (*Faults) Unwrap() error { return fault.Invalid }

// Find is the form of a template.
func Find(t Template) (Form, error) {
	all := Templates()
	i := slices.IndexFunc(all, func(f Form) bool { return f.Template == t })
	if i < 0 {
		return Form{}, fmt.Errorf("there is no template %q; there are %s, %s and %s: %w", t, CreatorTwin, TelegramSales, WebsiteSales, fault.NotFound)
	}
	return all[i], nil
}

// Check looks at the answer of one step; nil if one may go on. A step that the
// template does not have is fault.NotFound.
func (f Form) Check(s Step, a Answers) error {
	i := slices.IndexFunc(f.Pages, func(p Page) bool { return p.Step == s })
	if i < 0 {
		return fmt.Errorf("the template %s has no step %q: %w", f.Template, s, fault.NotFound)
	}
	if faults := f.Pages[i].check(f.Template, a); len(faults) > 0 {
		return &Faults{faults}
	}
	return nil
}

// Validate looks at all answers; an error is *Faults.
func (f Form) Validate(a Answers) error {
	var all []Fault
	for _, p := range f.Pages {
		all = append(all, p.check(f.Template, a)...)
	}
	if len(all) > 0 {
		return &Faults{all}
	}
	return nil
}

func (p Page) check(t Template, a Answers) []Fault {
	var out []Fault
	say := func(format string, args ...any) { out = append(out, Fault{p.Step, fmt.Sprintf(format, args...)}) }
	switch p.Step {
	case Knowledge:
		p.checkFiles(a.Files, say)
		return out
	case Review:
		return nil
	case Telegram:
		if token := strings.TrimSpace(a.Token); token != "" && !isBotToken(token) {
			say("this is no bot token: it looks like 1234567890:AA… and comes from @BotFather")
			return out
		}
	case Name, About, Behaviour, Results:
	}
	text, limit := a.of(p.Step)
	n := utf8.RuneCountInString(strings.TrimSpace(text))
	switch {
	case !utf8.ValidString(text):
		say("this is not UTF-8 text")
	case oneLine(text) == "" && p.Required:
		say("this is required: %s", p.Title)
	case n > limit:
		say("%d characters, %d are allowed", n, limit)
	case p.Step == Name && strings.ContainsAny(strings.TrimSpace(text), "\n\r"):
		say("a name has one line")
	case p.Step == About && t == CreatorTwin && placeholder(text) != "":
		say("replace the text in square brackets: %s", placeholder(text))
	}
	return out
}

// of is the text of a step and how long it may be.
func (a Answers) of(s Step) (text string, limit int) {
	switch s {
	case Name:
		return a.Name, agent.MaxTitle
	case About:
		return a.About, MaxAnswer
	case Behaviour:
		return a.Behaviour, MaxAnswer
	case Results:
		return a.Results, MaxAnswer
	case Telegram:
		return a.Token, MaxAnswer
	case Knowledge, Review:
	}
	return "", 0
}

func (p Page) checkFiles(files []string, say func(string, ...any)) {
	if len(files) > MaxFiles {
		say("%d files, %d are allowed", len(files), MaxFiles)
	}
	for i, f := range files {
		switch {
		case !slices.Contains(p.Accepts, ending(f)):
			say("the file %.100q cannot be taken: allowed are %s", path.Base(f), strings.Join(p.Accepts, ", "))
		case slices.Contains(files[:i], f):
			say("the file %.100q is there twice", path.Base(f))
		}
	}
}

// placeholder finds a "[…]" that was left of the template, "" = none.
func placeholder(s string) string {
	_, rest, ok := strings.Cut(s, "[")
	inside, _, closed := strings.Cut(rest, "]")
	if !ok || !closed || strings.Contains(inside, "\n") || len(inside) > 200 {
		return ""
	}
	return "[" + inside + "]"
}

// isBotToken knows the form of Telegram's tokens: the bot's number, a colon, 35
// letters, figures, - or _ (core.telegram.org/bots/api, "Authorizing your bot").
func isBotToken(s string) bool {
	number, secret, ok := strings.Cut(s, ":")
	return ok && len(number) >= 6 && len(number) <= 16 && strings.Trim(number, "0123456789") == "" && len(secret) >= 30 && len(secret) <= 60 &&
		!strings.ContainsFunc(secret, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
}
