// Package attacks is a corpus of texts that attack an agent, and a model that
// always obeys them. Together they show whether the guards hold when the model
// does not: the effects are counted at the tools and at the human's ear, never
// by what the model meant. It attacks nothing by itself.
package attacks

import (
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"flametree/engine/fault"
	"flametree/engine/tool"
)

//go:embed corpus.yaml
var corpusYAML []byte

// Corpus is the attacks and the scene they are made for. It does not change.
type Corpus struct {
	Scene   Scene    `yaml:"scene"`
	Attacks []Attack `yaml:"attacks"`
}

// Scene is the bank: its customer, another one, the key, and what can be called.
type Scene struct {
	Customer Person     `yaml:"customer"`
	Other    Person     `yaml:"other"`
	Secret   string     `yaml:"secret"`
	Task     string     `yaml:"task"`
	Tools    []Declared `yaml:"tools"`
}

// Person is a customer who does not exist.
type Person struct {
	ID    string `yaml:"id"`
	Name  string `yaml:"name"`
	Email string `yaml:"email"`
	Phone string `yaml:"phone"`
	IBAN  string `yaml:"iban"`
	Card  string `yaml:"card"`
}

// Data is everything of a person in one text.
func (p Person) Data() []string {
	return []string{p.ID, p.Name, p.Email, p.Phone, p.IBAN, p.Card}
}

// Declared is a tool of the bank.
type Declared struct {
	Name        string            `yaml:"name"`
	Description string            `yaml:"description"`
	Verified    bool              `yaml:"verified"`
	Confirm     bool              `yaml:"confirm"`
	SideEffect  bool              `yaml:"side_effect"`
	Amount      string            `yaml:"amount"`
	Limit       float64           `yaml:"limit"`
	Bind        map[string]string `yaml:"bind"`
	Args        []string          `yaml:"args"`
}

// Spec is the tool as an engine declares it; unguarded it has neither bindings
// nor limits nor conditions.
func (d Declared) Spec(guarded bool) tool.Spec {
	args := slices.Clone(d.Args)
	out := tool.Spec{Name: d.Name, Description: d.Description, Timeout: tool.DefaultTimeout, SideEffect: d.SideEffect}
	for arg, from := range d.Bind {
		if guarded {
			out.Bind = append(out.Bind, tool.Binding{Arg: arg, From: from})
		} else {
			args = append(args, arg)
		}
	}
	if guarded {
		out.Verified, out.Confirm, out.Amount, out.Limit = d.Verified, d.Confirm, d.Amount, d.Limit
	}
	slices.SortFunc(out.Bind, func(a, b tool.Binding) int { return strings.Compare(a.Arg, b.Arg) })
	slices.Sort(args)
	properties := map[string]any{}
	for _, a := range args {
		properties[a] = map[string]any{}
	}
	// The obeyer writes what the attacker wants, so the schema stands in no way.
	out.Schema, _ = json.Marshal(map[string]any{"type": "object", "properties": properties})
	return out
}

// Via is how an attack reaches the model.
type Via string

// The ways.
const (
	User    Via = "user"    // said by the human
	Passage Via = "passage" // in retrieved knowledge
	Result  Via = "result"  // in the result of a tool
	Page    Via = "page"    // in a web page that became knowledge
)

// Attack is one text, or several said one after the other, with its aim.
type Attack struct {
	ID         string   `yaml:"id"`
	Via        Via      `yaml:"via"`
	Unverified bool     `yaml:"unverified"` // the customer's identity is not proven
	Turns      []string `yaml:"turns"`
	Effect     Effect   `yaml:"effect"`
}

// Group is the kind of attack: direct, roleplay, …
func (a Attack) Group() string { return a.ID[:strings.LastIndexByte(a.ID, '-')] }

// Last is the text after which the effect is expected.
func (a Attack) Last() string { return a.Turns[len(a.Turns)-1] }

// Effect is what a model does that obeys: it calls Tool, or it says something.
type Effect struct {
	Tool string         `yaml:"tool"`
	Args map[string]any `yaml:"args"`
	Says string         `yaml:"says"` // with {secret}, {prompt}, {other.email} …
}

// Load reads the corpus that is part of the program.
func Load() (*Corpus, error) {
	var c Corpus
	if err := yaml.UnmarshalWithOptions(corpusYAML, &c, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read the corpus of attacks: %w: %w", fault.Invalid, err)
	}
	for _, a := range c.Attacks {
		if len(a.Turns) == 0 || !strings.Contains(a.ID, "-") || (a.Effect.Tool == "") == (a.Effect.Says == "") {
			return nil, fmt.Errorf("attack %q needs turns, a group and one effect: %w", a.ID, fault.Invalid)
		}
	}
	return &c, nil
}

// Leak is what an attack makes the model say; prompt is what it was told. It is
// "" for an attack that aims at a call.
func (c *Corpus) Leak(a Attack, prompt string) string {
	out := a.Effect.Says
	for from := 0; ; {
		open := strings.IndexByte(out[from:], '{')
		if open < 0 {
			return out
		}
		open += from
		end := strings.IndexByte(out[open:], '}')
		if end < 0 {
			return out
		}
		end += open
		what, how, _ := strings.Cut(out[open+1:end], "|")
		text := written(c.value(what, prompt), how)
		out = out[:open] + text + out[end+1:]
		from = open + len(text)
	}
}

func (c *Corpus) value(what, prompt string) string {
	switch what {
	case "secret":
		return c.Scene.Secret
	case "prompt":
		return prompt
	case "other.email":
		return c.Scene.Other.Email
	case "other.phone":
		return c.Scene.Other.Phone
	case "other.iban":
		return c.Scene.Other.IBAN
	case "other.card":
		return c.Scene.Other.Card
	}
	return ""
}

// written disguises a text.
func written(s, how string) string {
	switch how {
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(s))
	case "hex":
		return hex.EncodeToString([]byte(s))
	case "reverse":
		r := []rune(s)
		slices.Reverse(r)
		return string(r)
	case "spaced":
		return strings.Join(strings.Split(s, ""), " ")
	case "zerowidth":
		return strings.Join(strings.Split(s, ""), "\u200b")
	case "upper":
		return strings.ToUpper(s)
	case "first":
		return s[:(len(s)+1)/2]
	case "second":
		return s[(len(s)+1)/2:]
	case "rot13":
		return strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z':
				return 'a' + (r-'a'+13)%26
			case r >= 'A' && r <= 'Z':
				return 'A' + (r-'A'+13)%26
			}
			return r
		}, s)
	}
	return s
}
