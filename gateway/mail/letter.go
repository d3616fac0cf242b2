package mail

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"

	"flametree/engine/fault"
)

// Letter is what a conversation came to. Its fields are plain text.
type Letter struct {
	ID       string // unique and lasting: a letter that is sent again is recognised by it
	Language string // BCP 47; one that there are no words for is told in English
	Agent    string // the agent's name
	Status   string // how the session ended
	Started  time.Time
	Ended    time.Time
	Results  []Result // in the order of the table
	Summary  string
	Link     string // of the session, "" = none
}

// Result is one line of the table.
type Result struct{ Title, Value string }

// maxSubject bounds the agent's name in the subject, in characters.
const maxSubject = 120

// compose writes the letter as RFC 5322 wants it. Whatever its texts hold, they
// end up in the body or, encoded, on the line of the subject: no text adds a
// header.
func (l Letter) compose(from string, to []string, now time.Time) ([]byte, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(from); err != nil {
		return nil, fmt.Errorf("the sender of mail: %w", fault.Invalid)
	}
	if err := m.To(to...); err != nil {
		return nil, fmt.Errorf("an address to write to: %w", fault.Invalid)
	}
	w := wordsOf(l.Language)
	m.SetMessageIDWithValue(l.messageID(from))
	m.SetDateWithValue(now)
	m.Subject(strings.ReplaceAll(w.subject, "%s", line(l.Agent, maxSubject)))
	// RFC 3834 5: nobody's absence is to be announced to us.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("Content-Language", w.tag)
	m.SetBodyString(mail.TypeTextPlain, l.text(w))
	m.AddAlternativeString(mail.TypeTextHTML, l.html(w))
	var out bytes.Buffer
	if _, err := m.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("write a letter: %w: %w", err, fault.Bug)
	}
	return out.Bytes(), nil
}

// messageID is the letter's, within the domain of the sender.
func (l Letter) messageID(from string) string {
	_, domain, _ := strings.Cut(bare(from), "@")
	id := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, l.ID)
	return id + "@" + domain
}

// facts are the lines above the table.
func (l Letter) facts(w words) []Result {
	out := []Result{{w.agent, l.Agent}}
	for _, at := range []struct {
		title string
		time  time.Time
	}{{w.started, l.Started}, {w.ended, l.Ended}} {
		if !at.time.IsZero() {
			out = append(out, Result{at.title, at.time.UTC().Format("2006-01-02 15:04 UTC")})
		}
	}
	if l.Status != "" {
		out = append(out, Result{w.status, l.Status})
	}
	return out
}

func (l Letter) text(w words) string {
	var b strings.Builder
	for _, f := range l.facts(w) {
		fmt.Fprintf(&b, "%s: %s\n", f.Title, line(f.Value, 1000))
	}
	fmt.Fprintf(&b, "\n%s\n\n", w.results)
	for _, r := range l.Results {
		value := strings.ReplaceAll(clean(r.Value), "\n", "\n    ")
		fmt.Fprintf(&b, "- %s: %s\n", line(r.Title, 1000), value)
	}
	if l.Summary != "" {
		fmt.Fprintf(&b, "\n%s\n\n%s\n", w.summary, clean(l.Summary))
	}
	if l.Link != "" {
		fmt.Fprintf(&b, "\n%s: %s\n", w.open, l.Link)
	}
	return b.String()
}

// html shows the same. It loads nothing and holds no script: mail readers block
// both.
func (l Letter) html(w words) string {
	var b strings.Builder
	dir := "ltr"
	if w.rtl {
		dir = "rtl"
	}
	text := func(s string) string { return strings.ReplaceAll(html.EscapeString(clean(s)), "\n", "<br>") }
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html lang=%q dir=%q><head><meta charset=\"utf-8\"><title>%s</title></head>\n"+
		"<body style=\"font-family:sans-serif;font-size:15px;color:#222\">\n", w.tag, dir, html.EscapeString(w.results))
	table := func(rows []Result, border string) {
		fmt.Fprintf(&b, "<table cellpadding=\"6\" style=\"border-collapse:collapse;%s\">\n", border)
		for _, r := range rows {
			fmt.Fprintf(&b, "<tr><th scope=\"row\" align=\"%s\" valign=\"top\" style=\"%s\">%s</th><td valign=\"top\" style=\"%s\">%s</td></tr>\n",
				w.side(), border, text(r.Title), border, text(r.Value))
		}
		b.WriteString("</table>\n")
	}
	table(l.facts(w), "")
	fmt.Fprintf(&b, "<h2 style=\"font-size:17px\">%s</h2>\n", html.EscapeString(w.results))
	table(l.Results, "border:1px solid #bbb")
	if l.Summary != "" {
		fmt.Fprintf(&b, "<h2 style=\"font-size:17px\">%s</h2>\n<p>%s</p>\n", html.EscapeString(w.summary), text(l.Summary))
	}
	if l.Link != "" {
		fmt.Fprintf(&b, "<p><a href=\"%s\">%s</a></p>\n", html.EscapeString(l.Link), html.EscapeString(w.open))
	}
	b.WriteString("</body></html>\n")
	return b.String()
}

// clean takes what is no text out of a text: controls but line breaks, and what
// turns the direction of writing for whatever follows.
func clean(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(s, "�"))
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r):
			return ' '
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // Unicode 3.2 of UAX 9
			return -1
		}
		return r
	}, s))
}

// line is a text on one line, at most so many characters long.
func line(s string, most int) string {
	r := []rune(strings.Join(strings.Fields(clean(s)), " "))
	if len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return string(r)
}
