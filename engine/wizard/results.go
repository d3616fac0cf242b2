package wizard

import (
	"slices"
	"strings"
	"unicode"
)

// collected is what the Results answer asks for.
type collected struct {
	fields []field
	email  string // where results go, "" = nowhere
}

type field struct{ name, title, description string }

func (c collected) titles() []string {
	var out []string
	for _, f := range c.fields {
		if f.name != "Topic" && f.name != "ConversationSummary" { // nobody is asked for these
			first := []rune(f.title)
			out = append(out, string(unicode.ToLower(first[0]))+string(first[1:]))
		}
	}
	return out
}

// known are fields that a word in the text means, the standard ones first
// (spec D30).
func known() []struct {
	field
	words []string
} {
	return []struct {
		field
		words []string
	}{
		{field{"HumanEmail", "Email", "The e-mail address of the human"}, []string{"email", "e-mail", "mail", "почта", "correo"}},
		{field{"HumanPhoneNumber", "Phone", "The telephone number of the human"}, []string{"phone", "telephone", "mobile", "telefon", "teléfono", "téléphone", "телефон"}},
		{field{"Company", "Company", "The company of the human"}, []string{"company", "organisation", "organization", "firma"}},
		{field{"HumanFullName", "Full name", "The full name of the human"}, []string{"name", "names", "nombre", "nom", "имя"}},
		{field{"Topic", "Topic", "The main subject of the conversation, in a few words"}, []string{"topic", "subject", "thema", "tema", "тема"}},
		{field{"ConversationSummary", "Summary", "What was said and agreed so far, in one or two sentences"}, []string{"summary", "zusammenfassung", "resumen"}},
		{field{"Budget", "Budget", "How much the human wants to spend"}, []string{"budget", "presupuesto", "бюджет"}},
	}
}

// usual are collected where the text names nothing.
func usual() []field {
	var out []field
	for _, k := range known() {
		if slices.Contains([]string{"HumanFullName", "HumanEmail", "Topic", "ConversationSummary"}, k.name) {
			out = append(out, k.field)
		}
	}
	return out
}

const (
	maxFields    = 20
	maxItemWords = 25
)

// readResults takes a free text apart: an address that details are sent to, and
// the list of details, each a known field or one made of its own words.
func readResults(text string) collected {
	var c collected
	for line := range strings.SplitSeq(clean(text), "\n") {
		line = c.mail(line)
		if _, list, ok := strings.Cut(line, ":"); ok {
			line = list
		} else if i := verb(line); i > 0 {
			line = line[i:]
		}
		for item := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ',' || r == ';' }) {
			c.item(item)
		}
	}
	return c
}

// verb is where the list begins in a sentence such as "Please collect name and
// phone"; 0 = there is no such word.
func verb(line string) int {
	lower := strings.ToLower(line)
	for _, v := range []string{"collect ", "ask for ", "find out ", "gather ", "save "} {
		if i := strings.Index(lower, v); i >= 0 && len(lower) == len(line) {
			return i + len(v)
		}
	}
	return 0
}

// mail takes an e-mail address out of a line, together with the words that say
// to send something there.
func (c *collected) mail(line string) string {
	for word := range strings.FieldsSeq(line) {
		w := strings.Trim(word, ".,;:()<>\"'“”")
		local, host, ok := strings.Cut(w, "@")
		if !ok || local == "" || !strings.Contains(host, ".") || strings.ContainsAny(host, "@") || strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") ||
			strings.ContainsFunc(w, func(r rune) bool {
				return r > unicode.MaxASCII || unicode.IsSpace(r) || strings.ContainsRune("\"\\(),:;<>[]", r)
			}) {
			continue
		}
		if c.email == "" {
			c.email = w
		}
		at := strings.Index(line, word)
		before, after := line[:at], line[at+len(word):]
		if lower := strings.ToLower(before); len(lower) == len(before) {
			for _, v := range []string{"send", "sent", "forward", "mail it", "report"} {
				if i := strings.LastIndex(lower, v); i >= 0 {
					before = clause(before[:i])
					break
				}
			}
		}
		return before + " " + after
	}
	return line
}

// clause leaves out what begins the sentence that a line ends in: "The
// collected details must be " names nothing to collect.
func clause(s string) string {
	i := strings.LastIndexAny(s, ".;")
	head, tail := "", s
	if i >= 0 {
		head, tail = s[:i+1], s[i+1:]
	}
	for w := range strings.FieldsSeq(strings.ToLower(tail)) {
		if slices.Contains([]string{"must", "should", "shall", "will", "are"}, w) {
			return head
		}
	}
	tail = strings.TrimSpace(tail)
	for _, and := range []string{" and", " then"} {
		tail = strings.TrimSuffix(tail, and)
	}
	return head + tail
}

// item adds one detail.
func (c *collected) item(text string) {
	text = strings.Trim(strings.TrimSpace(text), "-*•. ")
	if parts := strings.Split(text, " and "); len(parts) > 1 && allKnown(parts) {
		for _, p := range parts {
			c.item(p)
		}
		return
	}
	words := strings.Fields(text)
	for len(words) > 0 && slices.Contains([]string{"and", "also", "the", "a", "an", "their", "his", "her", "human's", "human’s", "customer's", "customer’s", "client's", "client’s"}, strings.ToLower(words[0])) {
		words = words[1:]
	}
	if len(words) == 0 || len(words) > maxItemWords || len(c.fields) >= maxFields {
		return
	}
	f, ok := meaning(words)
	if !ok {
		f = own(words)
	}
	if f.name == "" || slices.ContainsFunc(c.fields, func(g field) bool { return g.name == f.name }) {
		return
	}
	c.fields = append(c.fields, f)
}

func allKnown(parts []string) bool {
	return !slices.ContainsFunc(parts, func(p string) bool {
		_, ok := meaning(strings.Fields(p))
		return !ok
	})
}

// meaning finds a known field in a few words. A longer phrase says something of
// its own: "the reason why the email was wrong" is no e-mail address.
func meaning(words []string) (field, bool) {
	const short = 4
	if len(words) > short {
		return field{}, false
	}
	for _, k := range known() {
		for _, w := range words {
			if slices.Contains(k.words, strings.Trim(strings.ToLower(w), ".,:()\"'")) {
				return k.field, true
			}
		}
	}
	return field{}, false
}

// own makes a field of words: "preferred date of the visit" is PreferredDate,
// with all the words as its description.
func own(words []string) field {
	var name strings.Builder
	var title []string
	for _, w := range words {
		plain := strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return r
			}
			return -1
		}, w)
		switch lower := strings.ToLower(plain); {
		case plain == "", slices.Contains([]string{"the", "a", "an", "his", "her", "their"}, lower):
			continue
		case slices.Contains([]string{"of", "why", "for", "that", "which", "who", "when", "if", "in", "to"}, lower) && len(title) > 0:
			return named(name.String(), title, words)
		}
		r := []rune(plain)
		name.WriteString(string(unicode.ToUpper(r[0])) + string(r[1:]))
		if title = append(title, plain); len(title) == 4 {
			break
		}
	}
	return named(name.String(), title, words)
}

func named(id string, title, words []string) field {
	if id == "" {
		return field{}
	}
	if unicode.IsDigit([]rune(id)[0]) {
		id = "Field" + id
	}
	first := []rune(strings.Join(title, " "))
	return field{
		name: clip(id, 60), title: clip(string(unicode.ToUpper(first[0]))+string(first[1:]), 100),
		description: clip("What the human says of this: "+strings.Join(words, " "), 500),
	}
}
