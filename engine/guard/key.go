package guard

import (
	"strings"
	"unicode/utf8"
)

// shape is how one vendor's keys look: a beginning, and at least least characters
// of the alphabet after it.
type shape struct {
	head  string
	least int
}

// keyShapes are published by those who issue the keys, so that leaked ones can be
// found: OpenAI, Anthropic, Stripe, AWS, Google, GitHub, GitLab, Slack, SendGrid,
// npm, Hugging Face, age.
func keyShapes() []shape {
	return []shape{
		{"sk-", 16},
		{"sk_live_", 16},
		{"sk_test_", 16},
		{"rk_live_", 16},
		{"pk_live_", 16},
		{"whsec_", 16},
		{"AKIA", 16},
		{"ASIA", 16},
		{"AIza", 30},
		{"ya29.", 20},
		{"ghp_", 30},
		{"gho_", 30},
		{"ghs_", 30},
		{"github_pat_", 22},
		{"glpat-", 20},
		{"xoxb-", 10},
		{"xoxp-", 10},
		{"xapp-", 10},
		{"SG.", 30},
		{"npm_", 30},
		{"hf_", 30},
		{"AGE-SECRET-KEY-1", 20},
		{"eyJ", 17},
	}
}

const (
	pemHead    = "-----BEGIN "
	pemTail    = "PRIVATE KEY"
	bearerWord = "bearer"
	bearerSize = 16
)

// keys finds strings shaped like keys, tokens and private keys.
func keys(text string) []span {
	var out []span
	for i := 0; i < len(text); i++ {
		if i > 0 && (alnum(text[i-1]) || text[i-1] == '_') || !alnum(text[i]) && text[i] != '-' {
			continue
		}
		if end := keyAt(text, i); end > 0 {
			out = append(out, span{start: i, end: end, label: labelKey})
			i = end - 1
		}
	}
	return out
}

// keyAt is the end of the key that begins at i, 0 if none does.
func keyAt(text string, i int) int {
	rest := text[i:]
	switch rest[0] {
	case '-':
		if strings.HasPrefix(rest, pemHead) {
			return pemEnd(text, i)
		}
	case 'b', 'B':
		return bearerEnd(text, i)
	case 's', 'r', 'p', 'w', 'A', 'y', 'g', 'x', 'S', 'n', 'h', 'e':
		for _, k := range keyShapes() {
			if run := k.run(rest); run > 0 {
				return i + run
			}
		}
	}
	return 0
}

// run is how long the key is that text begins with, 0 if it does not.
func (k shape) run(text string) int {
	if text[0] != k.head[0] || !strings.HasPrefix(text, k.head) {
		return 0
	}
	body := text[len(k.head):]
	body = body[:keyRun(body)]
	if len(body) < k.least || k.head == "eyJ" && !strings.Contains(body, ".") || plainWords(body) {
		return 0
	}
	return len(k.head) + len(body)
}

// bearerEnd is the end of a bearer's token (RFC 6750), the word before it
// included.
func bearerEnd(text string, i int) int {
	if len(text)-i <= len(bearerWord) || !strings.EqualFold(text[i:i+len(bearerWord)], bearerWord) {
		return 0
	}
	token := strings.TrimLeft(text[i+len(bearerWord):], " :")
	run := keyRun(token)
	if run < bearerSize || !strings.ContainsAny(token[:run], "0123456789_-.") {
		return 0
	}
	return len(text) - len(token) + run
}

// plainWords reports whether a run is words with hyphens, not chance.
func plainWords(run string) bool {
	return strings.Contains(run, "-") && strings.IndexFunc(run, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') }) < 0
}

// keyRun counts the characters that keys are made of.
func keyRun(s string) int {
	for i := range len(s) {
		if !alnum(s[i]) && strings.IndexByte("_-.~+/=", s[i]) < 0 {
			return i
		}
	}
	return len(s)
}

// pemEnd is the end of a private key: its last line, or the end of the text.
func pemEnd(text string, i int) int {
	line := text[i+len(pemHead):]
	line = line[:min(len(line), 40)]
	if !strings.Contains(line, pemTail) {
		return 0
	}
	if end := strings.Index(text[i:], "-----END "); end >= 0 {
		last := i + end + len("-----END ")
		if close := strings.Index(text[last:], "-----"); close >= 0 && close < 40 {
			return last + close + len("-----")
		}
	}
	return len(text)
}

// openKey is where a key may have begun that is not whole yet.
func openKey(text string) int {
	at := wordStart(text, len(text))
	if head := strings.LastIndex(text, pemHead); head >= 0 && (len(text)-head < len(pemHead)+40 || pemEnd(text, head) == len(text)) {
		at = min(at, head)
	}
	for n := range len(pemHead) {
		if n > 0 && strings.HasSuffix(text, pemHead[:n]) {
			at = min(at, len(text)-n)
		}
	}
	before := strings.TrimRight(text[:at], " ")
	before = strings.TrimSuffix(before, ":")
	if start := wordStart(before, len(before)); len(before)-start >= len(bearerWord) && strings.HasSuffix(strings.ToLower(before), bearerWord) {
		at = min(at, start)
	}
	return runeStart(text, at)
}

// confidential is a rule of kind Secrets: keys by shape, and known values.
type confidential struct{}

func (confidential) find(v *view) []span {
	out := keys(v.text)
	for _, s := range v.scene.secrets {
		out = append(out, s.find(v.bare())...)
	}
	return out
}

func (confidential) open(v *view) int {
	at := openKey(v.text)
	for _, s := range v.scene.secrets {
		at = min(at, s.open(v.bare(), len(v.text)))
	}
	return at
}

// private is the check that texts written for the model are not recited.
type private struct{}

func (private) find(v *view) []span {
	if v.scene.private == nil {
		return nil
	}
	return v.scene.private.find(v.bare())
}

func (private) open(v *view) int {
	if v.scene.private == nil {
		return len(v.text)
	}
	return v.scene.private.open(v.bare(), len(v.text))
}

// links is the check that a reply carries no address that the model made up: an
// address can take the conversation with it.
type links struct{}

func (links) find(v *view) []span {
	var out []span
	for from := 0; ; {
		i := strings.Index(v.text[from:], "://")
		if i < 0 {
			return out
		}
		i += from
		from = i + 3
		start := i
		for start > 0 && letter(v.text[start-1]) {
			start--
		}
		end := from
		for end < len(v.text) {
			r, n := utf8.DecodeRuneInString(v.text[end:])
			if blank(r) || strings.ContainsRune("<>\"`|\\^{}", r) {
				break
			}
			end += n
		}
		end = start + len(strings.TrimRight(v.text[start:end], ".,;:!?)]}*_'"))
		if start < i && end > from && !v.scene.stands(v.text[start:end]) {
			out = append(out, span{start: start, end: end, label: labelLink})
		}
		from = max(from, end)
	}
}

func (links) open(v *view) int { return wordStart(v.text, len(v.text)) }
