package guard

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Scene is what a text is measured by. The caller keeps it; a Set reads it only
// while it is called, a Stream until it is closed.
type Scene struct {
	Knowledge []string // passages shown, the core text, and what else anybody may be told
	Said      []string // the conversation so far, both sides
	Own       []string // this customer's own data: name, phone, e-mail, parameters, results of tools whose customer the session bound
	Results   []string // other results of tools: figures may be taken from them, people's data may not
	Secrets   []string // of this session, besides those of the Set: values of parameters that begin with "_"
	Language  string   // the reply should be in it, "de" or "de-AT"; "" = any
}

// scene is a Scene, prepared for one text or one stream. One goroutine uses it.
type scene struct {
	Scene
	secrets []*shared
	private *shared

	public  []string // Knowledge, Said, Own; in lower case, made when first needed
	numbers []string // runs of digits in them
	facts   *facts   // of everything, see ground.go
}

func (s *Set) scene(of Scene) *scene {
	out := &scene{Scene: of, private: s.private}
	for _, known := range []*shared{s.secrets, newSecrets(of.Secrets)} {
		if known != nil {
			out.secrets = append(out.secrets, known)
		}
	}
	return out
}

// open lists the texts in which what concerns people may stand.
func (s *scene) open() []string {
	if s.public == nil {
		s.public = []string{}
		for _, t := range slices.Concat(s.Knowledge, s.Said, s.Own) {
			s.public = append(s.public, strings.ToLower(t))
			for _, d := range digitRuns(t, 6) {
				s.numbers = append(s.numbers, string(d.value))
			}
		}
	}
	return s.public
}

// known reports whether a person's datum is this customer's, or public.
func (s *scene) known(text, label string) bool {
	texts := s.open()
	switch label {
	case labelEmail:
		text = strings.ToLower(text)
		return slices.ContainsFunc(texts, func(t string) bool { return standsAlone(t, text) })
	case labelCard, labelID, labelPhone:
		runs := digitRuns(text, 6)
		if len(runs) == 0 || strings.ContainsFunc(text, unicode.IsLetter) {
			break // an id with letters
		}
		key := string(runs[0].value)
		if label == labelPhone {
			key = key[max(0, len(key)-8):] // with or without the country's code
		}
		return slices.ContainsFunc(s.numbers, func(n string) bool { return strings.Contains(n, key) })
	}
	key := string(bareOf(text).text)
	return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(string(bareOf(t).text), key) })
}

// standsAlone reports whether word stands in text and is not the end of a longer
// word, so that bob@ is not taken for jimbob@.
func standsAlone(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(word)
		if (i == 0 || !alnum(text[i-1]) && strings.IndexByte("._%+-", text[i-1]) < 0) && (end == len(text) || !alnum(text[end])) {
			return true
		}
		from = i + 1
	}
}

// stands reports whether an address was given to the agent as it is, or is of a
// known site and carries nothing.
func (s *scene) stands(address string) bool {
	texts := s.open()
	for _, r := range s.Results {
		texts = append(slices.Clip(texts), strings.ToLower(r))
	}
	has := func(part string) bool {
		part = strings.ToLower(part)
		return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(t, part) })
	}
	if whole(texts, strings.ToLower(address)) {
		return true
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !has("://"+u.Host) {
		return false
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if len(part) > 24 && !has(part) {
			return false
		}
	}
	return true
}

// whole reports whether an address stands in a text and does not go on there.
func whole(texts []string, address string) bool {
	return slices.ContainsFunc(texts, func(t string) bool {
		for from := 0; ; {
			i := strings.Index(t[from:], address)
			if i < 0 {
				return false
			}
			end := from + i + len(address)
			if end == len(t) || !alnum(t[end]) && strings.IndexByte("/?#&=%-_", t[end]) < 0 {
				return true
			}
			from = end
		}
	})
}

// view is a text while it is looked at.
type view struct {
	text   string
	scene  *scene
	cut    bool // it is not the beginning of the reply
	before int  // characters of the reply before it
	made   *bare
}

func (v *view) bare() *bare {
	if v.made == nil {
		v.made = bareOf(v.text)
	}
	return v.made
}
