package wizard

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// manner is what the Behaviour answer says.
type manner struct {
	task     string
	style    string
	language tongue
	phrase   string // "" = compose one
}

// tongue is a language by its names.
type tongue struct {
	name  string   // English
	names []string // lower case, also its own
	hello string   // %n is the agent's name
	twin  string   // %n is the person's name
}

// tag is the language's tag (BCP 47); "" for English, which needs none, and for
// one that is known by its name alone.
func (t tongue) tag() string {
	all := tongues()
	for _, k := range all[1:] {
		if k.name == t.name {
			return k.names[len(k.names)-1]
		}
	}
	return ""
}

// tongues begins with English, which is assumed where nothing is said.
func tongues() []tongue {
	return []tongue{
		{"English", []string{"english", "en"}, "Hi! I am %n. How can I help you?", "Hi! I am the AI twin of %n. What would you like to talk about?"},
		{"German", []string{"german", "deutsch", "de"}, "Hallo! Ich bin %n. Wie kann ich Ihnen helfen?", "Hallo! Ich bin der KI-Zwilling von %n. Worüber möchten Sie sprechen?"},
		{"Spanish", []string{"spanish", "español", "espanol", "castellano", "es"}, "¡Hola! Soy %n. ¿En qué puedo ayudarle?", "¡Hola! Soy el gemelo digital de %n. ¿De qué le gustaría hablar?"},
		{"French", []string{"french", "français", "francais", "fr"}, "Bonjour ! Je suis %n. Comment puis-je vous aider ?", "Bonjour ! Je suis le jumeau numérique de %n. De quoi aimeriez-vous parler ?"},
		{"Italian", []string{"italian", "italiano", "it"}, "Ciao! Sono %n. Come posso aiutarla?", "Ciao! Sono il gemello digitale di %n. Di che cosa vorrebbe parlare?"},
		{"Portuguese", []string{"portuguese", "português", "pt"}, "Olá! Sou %n. Como posso ajudar?", "Olá! Sou o gêmeo digital de %n. Sobre o que gostaria de conversar?"},
		{"Russian", []string{"russian", "русский", "ru"}, "Здравствуйте! Меня зовут %n. Чем могу помочь?", "Здравствуйте! Я цифровой двойник: %n. О чём хотите поговорить?"},
		{"Arabic", []string{"arabic", "العربية", "ar"}, "مرحبًا! أنا %n. كيف يمكنني مساعدتك؟", "مرحبًا! أنا التوأم الرقمي لـ %n. عمَّ تود أن نتحدث؟"},
		{"Hindi", []string{"hindi", "हिन्दी", "हिंदी", "hi"}, "नमस्ते! मैं %n हूँ। मैं आपकी क्या मदद कर सकता हूँ?", "नमस्ते! मैं %n का डिजिटल ट्विन हूँ। आप किस बारे में बात करना चाहेंगे?"},
	}
}

// readManner sorts the lines of the Behaviour answer: language and starting
// phrase have labels, what stands under a heading of style is style. Of the
// rest, the twin makes its task and the others their style, too.
func readManner(text string) manner {
	m := manner{language: tongues()[0]}
	var task, style []string
	inStyle := false
	for line := range strings.SplitSeq(clean(text), "\n") {
		label, value := label(line)
		switch {
		case slices.Contains([]string{"greeting language", "language", "languages", "sprache", "язык"}, label) && value != "":
			m.setLanguage(value)
			continue
		case slices.Contains([]string{"starting phrase", "start phrase", "greeting phrase", "greeting", "welcome message", "first phrase"}, label):
			m.phrase = unquote(value)
			if slices.Contains([]string{"-", "none", "compose", "not sure"}, strings.ToLower(m.phrase)) {
				m.phrase = ""
			}
			continue
		case label != "" && (strings.HasSuffix(label, "style") || strings.HasSuffix(label, "tone of voice") || label == "tone" || label == "limitations" || label == "limits"):
			inStyle = true
			if value != "" {
				style = append(style, value)
				inStyle = false
			}
			continue
		case label != "" && value == "": // another heading
			inStyle = false
		}
		if inStyle {
			style = append(style, line)
		} else {
			task = append(task, line)
		}
	}
	m.task, m.style = strings.TrimSpace(strings.Join(task, "\n")), strings.TrimSpace(strings.Join(style, "\n"))
	return m
}

// setLanguage takes a language that is known; another one is named as written,
// and greeted in English.
func (m *manner) setLanguage(value string) {
	words := strings.FieldsFunc(strings.ToLower(value), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
	for _, w := range words {
		for _, t := range tongues() {
			if slices.Contains(t.names, w) {
				m.language = t
				return
			}
		}
	}
	if name := oneLine(value); name != "" {
		m.language.name = clip(name, 60)
	}
}

// label splits "Greeting language: English"; a label is short, in lower case.
func label(line string) (name, value string) {
	name, value, ok := strings.Cut(strings.TrimLeft(line, "-*• \t"), ":")
	name = strings.ToLower(strings.TrimSpace(name))
	if !ok || len(strings.Fields(name)) > 6 {
		return "", ""
	}
	return name, strings.TrimSpace(value)
}

// labelled finds the value of a label in a text, "" = none.
func labelled(text, want string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if name, value := label(line); name == want {
			return value
		}
	}
	return ""
}

func greeting(l tongue, t Template, name, person string) string {
	if t == CreatorTwin && person != "" {
		return strings.ReplaceAll(l.twin, "%n", person)
	}
	return strings.ReplaceAll(l.hello, "%n", name)
}

// address finds a link in a text and what is left beside it.
func address(text string) (link, rest string) {
	for word := range strings.FieldsSeq(text) {
		w := strings.Trim(word, ".,;()<>\"'“”")
		host := w
		if _, after, ok := strings.Cut(w, "://"); ok {
			host = after
		} else if !strings.HasPrefix(strings.ToLower(w), "www.") && len(strings.Fields(text)) > 1 {
			continue
		}
		name, _, _ := strings.Cut(host, "/")
		if !strings.Contains(name, ".") || strings.ContainsAny(name, "@\\{}") || strings.HasSuffix(name, ".") {
			continue
		}
		if scheme, _, ok := strings.Cut(w, "://"); !ok {
			w = "https://" + w
		} else if s := strings.ToLower(scheme); s != "http" && s != "https" {
			continue
		}
		return w, strings.TrimSpace(strings.Replace(text, word, "", 1))
	}
	return "", text
}

// clean brings line breaks into one form and takes control characters out.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || r == utf8.RuneError || r == 0xfeff || r == 0x2028 || r == 0x2029:
			return -1
		}
		return r
	}, s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// unquote takes quotation marks off a phrase.
func unquote(s string) string { return strings.TrimSpace(strings.Trim(s, "\"'“”„«»` ")) }

// clip takes at most n characters, whole lines or words where it can.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	cut := string(r[:n])
	if i := strings.LastIndexAny(cut, "\n "); i > len(cut)/2 {
		cut = cut[:i]
	}
	return strings.TrimSpace(cut)
}

// beyond is what clip leaves out.
func beyond(s string, n int) string {
	return strings.TrimSpace(strings.TrimPrefix(s, clip(s, n)))
}
