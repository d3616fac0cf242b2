package scenario

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"flametree/engine/workflow/located"
)

// Parse reads a scenario. An error is a *located.Faults with every fault and its
// place, and is fault.Invalid. Notes tell what is accepted though hardly meant,
// such as a key nobody knows. Among expectations such a key is a fault: a
// misspelt one must not pass silently.
func Parse(text []byte) (*Scenario, []located.Note, error) {
	r := located.NewReport("scenario")
	if len(text) > MaxBytes {
		r.Fault(located.Node{}, "a scenario has at most %d KB, this one has %d", MaxBytes>>10, len(text)>>10)
		return nil, nil, r.Err()
	}
	root := located.Parse(text, r)
	p := parser{Report: r, s: &Scenario{Timeout: defaultTimeout, Quiet: defaultQuiet, Right: defaultRight, Line: Line{Transport: "udp"}}}
	if r.Err() == nil {
		p.root(root)
	}
	if err := r.Err(); err != nil {
		return nil, r.Warnings(), err
	}
	return p.s, r.Warnings(), nil
}

type parser struct {
	*located.Report
	s     *Scenario
	acted bool // a step before this one did something
}

func (p *parser) root(n located.Node) {
	if n.Kind != located.Map {
		p.Fault(n, "a scenario must be a mapping with agent and steps, this is %s", located.Describe(n))
		return
	}
	s, seed := p.s, 0
	p.Map(n, "the scenario",
		located.Key{Name: "name", Read: p.String("name", maxName, &s.Name)},
		located.Key{Name: "agent", Read: p.String("agent", maxName, &s.Agent)},
		located.Key{Name: "voice", Read: p.String("voice", maxName, &s.Voice)},
		located.Key{Name: "line", Read: p.line},
		located.Key{Name: "noise", Read: p.noise},
		located.Key{Name: "seed", Read: p.Int("seed", 0, 1<<53, &seed)},
		located.Key{Name: "timeout", Read: p.length("timeout", &s.Timeout)},
		located.Key{Name: "quiet", Read: p.length("quiet", &s.Quiet)},
		located.Key{Name: "words_right", Read: p.share("words_right", &s.Right)},
		located.Key{Name: "steps", Read: p.steps},
		located.Key{Name: "end", Read: func(v located.Node) { p.expect(v, &s.End, true) }},
	)
	s.Seed = uint64(seed)
	if s.Agent == "" {
		p.Fault(n, "agent is missing: name an agent file, such as bank.yaml, or the alias of an agent that is served")
	}
	if n.Get("steps").Line == 0 {
		p.Fault(n, "steps are missing: a scenario needs at least one, such as - say: Hello")
	}
	if n.Get("words_right").Line != 0 && s.Right == 0 {
		p.Fault(n.Get("words_right"), "words_right of 0 checks nothing")
	}
	if n.Get("timeout").Line != 0 && s.Timeout == 0 {
		p.Fault(n.Get("timeout"), "timeout must be longer than 0")
	}
}

// choice reads one of some words, however they are capitalised.
func (p *parser) choice(what string, to *string, words ...string) func(located.Node) {
	return func(n located.Node) {
		i := slices.IndexFunc(words, func(w string) bool { return n.Kind == located.Text && strings.EqualFold(w, n.Text) })
		if i < 0 {
			p.Fault(n, "%s must be one of %s; this is %s%s", what, strings.Join(words, ", "), located.Describe(n), located.Suggest(n.Text, words))
			return
		}
		*to = words[i]
	}
}

func (p *parser) line(n located.Node) {
	l := &p.s.Line
	p.Map(n, "line",
		located.Key{Name: "codec", Read: p.choice("codec", &l.Codec, "PCMU", "PCMA", "G722", "opus")},
		located.Key{Name: "transport", Read: p.choice("transport", &l.Transport, "udp", "tcp")},
		located.Key{Name: "loss", Read: p.share("loss", &l.Loss)},
		located.Key{Name: "reorder", Read: p.share("reorder", &l.Reorder)},
		located.Key{Name: "delay", Read: p.length("delay", &l.Delay)},
		located.Key{Name: "jitter", Read: p.length("jitter", &l.Jitter)},
	)
	const most = 5e9
	if l.Delay > most || l.Jitter > most {
		p.Fault(n, "delay and jitter are at most 5s each")
	}
}

func (p *parser) noise(n located.Node) {
	s := &p.s.Noise
	s.SNR = 20
	p.Map(n, "noise",
		located.Key{Name: "kind", Read: p.String("kind", maxName, &s.Kind)},
		located.Key{Name: "snr", Read: p.decibels("snr", &s.SNR)},
	)
	kinds := []string{"white", "pink", "hum", "babble"}
	if n.Kind == located.Map && !slices.Contains(kinds, s.Kind) && path.Ext(s.Kind) != ".wav" {
		p.Fault(cmpNode(n.Get("kind"), n), "the kind of noise must be one of %s or a .wav file%s", strings.Join(kinds, ", "), located.Suggest(s.Kind, kinds))
	}
}

// cmpNode is the first node that stands somewhere.
func cmpNode(a, b located.Node) located.Node {
	if a.Line != 0 {
		return a
	}
	return b
}

func (p *parser) steps(n located.Node) {
	if n.Kind != located.List || len(n.Items) == 0 {
		p.Fault(n, "steps must be a list of at least one step, such as - say: Hello; this is %s", located.Describe(n))
		return
	}
	if len(n.Items) > MaxSteps {
		p.Fault(n.Items[MaxSteps], "more than %d steps", MaxSteps)
		return
	}
	for i, item := range n.Items {
		if len(p.s.Steps) > 0 && p.s.Steps[len(p.s.Steps)-1].Act == HangUp {
			p.Fault(item, "the call is over: nothing can come after hang_up")
			return
		}
		p.step(item, i == 0)
	}
}

func (p *parser) step(n located.Node, first bool) {
	if n.Kind == located.Text && n.Text == "hang_up" {
		p.s.Steps = append(p.s.Steps, Step{Place: place(n), Act: HangUp})
		return
	}
	if n.Kind != located.Map {
		p.Fault(n, "a step must be a mapping such as say: Hello, this is %s", located.Describe(n))
		return
	}
	s := Step{Place: place(n)}
	acts := 0
	act := func(a Act, read func(located.Node)) func(located.Node) {
		return func(v located.Node) {
			acts++
			if acts > 1 {
				p.Fault(v, "a step does one thing: write another step for this one")
			}
			s.Act = a
			read(v)
		}
	}
	p.Map(n, "a step",
		located.Key{Name: "say", Read: act(Say, p.filled("say", &s.Text))},
		located.Key{Name: "wav", Read: act(Play, p.filled("wav", &s.Text))},
		located.Key{Name: "sound", Read: act(Sound, p.choice("sound", &s.Text, "cough", "click", "breath"))},
		located.Key{Name: "digits", Read: act(Press, func(v located.Node) { p.digits(v, &s.Text) })},
		located.Key{Name: "wait", Read: act(Wait, func(v located.Node) { p.wait(v, &s) })},
		located.Key{Name: "hang_up", Read: act(HangUp, func(v located.Node) { p.hangUp(v) })},
		located.Key{Name: "voice", Read: p.String("voice", maxName, &s.Voice)},
		located.Key{Name: "when", Read: func(v located.Node) { p.when(v, &s.When) }},
		located.Key{Name: "expect", Read: func(v located.Node) { p.expect(v, &s.Expect, false) }},
	)
	p.whole(n, &s, first)
	p.s.Steps = append(p.s.Steps, s)
	p.acted = p.acted || s.Act != Listen && s.Act != Wait
}

// whole checks what only the whole step shows.
func (p *parser) whole(n located.Node, s *Step, first bool) {
	at, expect := n.Get("when"), n.Get("expect")
	switch {
	case s.Act == Listen && expect.Line == 0:
		p.Fault(n, "the step neither does nor expects anything: it needs say, wav, sound, digits, wait, hang_up or expect")
	case s.Act == Listen && !first && at.Line == 0:
		p.Fault(n, "expect belongs to the step before; only the first step may stand without an act, it looks at the greeting")
	case s.Act == Wait && at.Line == 0, s.Act == Await && at.Line == 0:
		s.When.Trigger = AtOnce
	case s.Voice != "" && s.Act != Say:
		p.Warn(n.Get("voice"), "voice changes nothing here: it is for say")
	}
	e := s.Expect
	if !p.acted && (s.Act == Listen || s.Act == Wait) && cmp.Or(e.Answers.Of, e.Silences.Of, e.GoesOn.Of) > 0 {
		p.Fault(expect, "answers_within, silent_within and goes_on_for are measured from what the caller said: here nobody has said anything yet")
	}
}

func (p *parser) filled(what string, to *string) func(located.Node) {
	return func(n located.Node) {
		p.String(what, maxText, to)(n)
		if n.Kind != located.List && n.Kind != located.Map && *to == "" {
			p.Fault(n, "%s is empty", what)
		}
	}
}

func (p *parser) digits(n located.Node, to *string) {
	p.filled("digits", to)(n)
	*to = strings.ReplaceAll(*to, " ", "")
	if i := strings.IndexFunc(*to, func(r rune) bool { return !strings.ContainsRune("0123456789*#ABCDabcd", r) }); i >= 0 {
		p.Fault(n, "%q is not a key of a telephone: digits are 0 to 9, *, # and A to D", (*to)[i:i+1])
	}
	if len(*to) > 64 {
		p.Fault(n, "more than 64 digits")
	}
}

func (p *parser) wait(n located.Node, s *Step) {
	if n.Kind == located.Text && strings.Contains(strings.ReplaceAll(n.Text, "_", " "), "hang") {
		s.Act = Await
		return
	}
	d, ok := duration(n.Text)
	if n.Kind != located.Text || !ok {
		p.Fault(n, "wait must be a duration such as 2s, or %q; this is %s", "until the agent hangs up", located.Describe(n))
		return
	}
	s.For = d
}

func (p *parser) hangUp(n located.Node) {
	on := true
	if n.Kind != located.Absent {
		p.Bool("hang_up", &on)(n)
	}
	if !on {
		p.Fault(n, "hang_up: false does nothing: leave the step out")
	}
}

func (p *parser) when(n located.Node, to *When) {
	text := n.Text
	if n.Kind == located.Map && len(n.Pairs) == 1 && n.Pairs[0].Value.Kind == located.Text {
		text = n.Pairs[0].Key.Text + " " + n.Pairs[0].Value.Text // "while the agent speaks: after 700ms"
	} else if n.Kind != located.Text {
		p.Fault(n, "when must be a text, one of %s; this is %s", whenForms, located.Describe(n))
		return
	}
	w, ok := when(text)
	if !ok {
		p.Fault(n, "when %q is not understood: write %s", text, whenForms)
		return
	}
	*to = w
}
