package retrieval

import (
	_ "embed" // for the grammar
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"flametree/engine/fault"
	"flametree/engine/knowledge"
)

//go:embed grammar.yaml
var tunedFile []byte

//go:embed heldout.yaml
var heldOutFile []byte

// vocabulary is a grammar with the seed that is used unless another is given.
type vocabulary struct {
	file []byte
	seed uint64
}

// The vocabularies. The search was tuned on the first, at its own seed, and
// never on the second.
func tuned() vocabulary   { return vocabulary{tunedFile, 2026} }
func heldOut() vocabulary { return vocabulary{heldOutFile, 1974} }

// grammar is what the file of a vocabulary says.
type grammar struct {
	Names, Places struct{ First, Second, Last []string }
	People        []string
	Domains       []struct{ Kinds, Nouns []string }
	Fillers       []string
	Aspects       []struct {
		Head       string
		Says, Asks []string
	}
	Strange, Beside, Unknown []string
	StrangeNames             []string `yaml:"strangeNames"`
	Forms                    map[string]string
}

// pair is a question with the words of the one passage that answers it.
type pair struct {
	question string
	source   string // id of the passage's source
	answer   string // a sentence that stands in the passage only
	style    string // as asked, inflected, misspelled
}

// corpus is a generated library with questions about it.
type corpus struct {
	sources      []knowledge.Source
	passages     int
	pairs        []pair
	unanswerable []string
}

// The styles of questions.
const (
	styleAsIs      = "as asked"
	styleInflected = "inflected"
	styleTypo      = "misspelled"
)

// author writes a corpus; the same seed writes the same one.
type author struct {
	grammar
	rng *rand.Rand
}

// write makes a library of about so many passages and so many questions of each
// sort. Each source is one product of a domain; each of its passages tells one
// aspect of it, about 80 words long.
func (v vocabulary) write(passages, pairs, unanswerable int) (corpus, error) {
	var a author
	if err := yaml.Unmarshal(v.file, &a.grammar); err != nil {
		return corpus{}, fmt.Errorf("bench retrieval: the grammar cannot be read: %w: %w", err, fault.Bug)
	}
	a.rng = rand.New(rand.NewPCG(v.seed, 11))
	var c corpus
	var things []string
	var can []pair
	names := len(a.Names.First) * len(a.Names.Second)
	kinds := 0
	for _, d := range a.Domains {
		kinds += len(d.Kinds)
	}
	order := a.rng.Perm(names * kinds)
	for i := 0; c.passages < passages && i < len(order); i++ {
		name, kind := order[i]%names, order[i]/names
		domain, kindName := a.kind(kind)
		thing := a.Names.First[name%len(a.Names.First)] + " " + a.Names.Second[name/len(a.Names.First)] + " " + kindName
		id := fmt.Sprintf("s%d", i)
		text, told := a.tell(domain, kindName, thing, passages-c.passages)
		for _, p := range told {
			p.source = id
			can = append(can, p)
		}
		things = append(things, thing)
		c.sources = append(c.sources, knowledge.Source{ID: id, Kind: knowledge.Text, Title: thing, Text: text})
		c.passages += len(told)
	}
	styles := []string{styleAsIs, styleInflected, styleTypo}
	for i := range pairs {
		p := can[a.rng.IntN(len(can))]
		p.style = styles[i%len(styles)]
		p.question = a.bend(p.question, p.style)
		c.pairs = append(c.pairs, p)
	}
	c.unanswerable = a.unanswerable(things, unanswerable)
	return c, nil
}

func (a *author) kind(k int) (domain int, name string) {
	for i, d := range a.Domains {
		if k < len(d.Kinds) {
			return i, d.Kinds[k]
		}
		k -= len(d.Kinds)
	}
	return 0, ""
}

// tell writes what there is to say about a thing, one section an aspect.
func (a *author) tell(domain int, kind, thing string, most int) (string, []pair) {
	var b strings.Builder
	var out []pair
	for i, n := range a.rng.Perm(len(a.Aspects)) {
		if i == most {
			break
		}
		aspect := a.Aspects[n]
		said := a.fill(pick(a.rng, aspect.Says), domain, kind, thing)
		out = append(out, pair{question: a.fill(pick(a.rng, aspect.Asks), domain, kind, thing), answer: said})
		fmt.Fprintf(&b, "# %s\n%s", aspect.Head, said)
		words := len(strings.Fields(said))
		for words < 80 {
			f := a.fill(pick(a.rng, a.Fillers), domain, kind, thing)
			words += len(strings.Fields(f))
			b.WriteString(" " + f)
		}
		b.WriteString("\n")
	}
	return b.String(), out
}

// fill puts words into a sentence of the grammar, each hole on its own.
func (a *author) fill(sentence string, domain int, kind, thing string) string {
	var b strings.Builder
	nouns := a.Domains[domain].Nouns
	for {
		head, rest, ok := strings.Cut(sentence, "{")
		b.WriteString(head)
		if !ok {
			return b.String()
		}
		hole, tail, _ := strings.Cut(rest, "}")
		switch hole {
		case "thing":
			b.WriteString(thing)
		case "kind":
			b.WriteString(kind)
		case "n":
			fmt.Fprint(&b, 3+a.rng.IntN(90))
		case "m":
			fmt.Fprintf(&b, "%02d", a.rng.IntN(100))
		case "h":
			fmt.Fprint(&b, 6+a.rng.IntN(5))
		case "k":
			fmt.Fprint(&b, 2+a.rng.IntN(10))
		case "place":
			b.WriteString(pick(a.rng, a.Places.First) + pick(a.rng, a.Places.Last))
		case "person":
			b.WriteString("Mrs " + pick(a.rng, a.People))
		case "code":
			fmt.Fprintf(&b, "%c%c-%d", 'A'+a.rng.IntN(26), 'A'+a.rng.IntN(26), 100+a.rng.IntN(900))
		case "strange":
			b.WriteString(pick(a.rng, a.StrangeNames))
		default:
			b.WriteString(pick(a.rng, nouns))
		}
		sentence = tail
	}
}

// bend asks a question in another style: with words in other forms and the thing
// in the plural; or with two words misspelled, now and then two run together.
func (a *author) bend(question, style string) string {
	words := strings.Fields(question)
	switch style {
	case styleInflected:
		for i, w := range words {
			if f, ok := a.Forms[w]; ok {
				words[i] = f
			}
		}
		if last := len(words) - 1; !strings.HasSuffix(words[last], "s") {
			words[last] += "s"
		}
		return "hello, i have a question about your offers: " + strings.Join(words, " ") + "?"
	case styleTypo:
		for range 2 {
			i := a.rng.IntN(len(words))
			for len(words[i]) < 4 {
				i = (i + 1) % len(words)
			}
			words[i] = a.misspell(words[i])
		}
		if i := len(words) - 2; a.rng.IntN(4) == 0 {
			words = append(words[:i], words[i]+words[i+1])
		}
	}
	return strings.Join(words, " ")
}

// misspell leaves out, doubles or swaps one letter, never the first.
func (a *author) misspell(w string) string {
	i := 1 + a.rng.IntN(len(w)-2)
	switch a.rng.IntN(3) {
	case 0:
		return w[:i] + w[i+1:]
	case 1:
		return w[:i] + w[i:i+1] + w[i:]
	}
	return w[:i] + w[i+1:i+2] + w[i:i+1] + w[i+2:]
}

// unanswerable are questions that nothing in the library answers: half about
// the rest of the world, a quarter about things that are there and what nobody
// wrote about them, a quarter about things that are not there.
func (a *author) unanswerable(things []string, n int) []string {
	var out []string
	for _, s := range a.Strange {
		out = append(out, a.fill(s, 0, "", ""))
	}
	for _, s := range slices.Concat(a.Beside, a.Unknown) {
		out = append(out, a.fill(s, 0, "", pick(a.rng, things)))
	}
	return out[:min(n, len(out))]
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
