package builtin

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider"
)

const (
	moveLine = 0.5 // a transition fits from here on
	maxMoves = 2   // in one turn; more would be wandering
)

var (
	saysYes    = regexp.MustCompile(`(?i)\b(agrees?|agreed|confirms?|confirmed|accepts?|accepted|says? yes|answers? yes|is (correct|right)|consents?|affirms?|positive)\b`)
	saysNo     = regexp.MustCompile(`(?i)\b(declines?|declined|refuses?|denies|denied|rejects?|says? no|answers? no|not interested|(does not|doesn't|do not|don't) (want|need|wish|agree|confirm)|wrong (person|number)|disagrees?|is not the)\b`)
	saysBye    = regexp.MustCompile(`(?i)\b(goodbye|good bye|bye|ends? the (call|conversation|chat)|wants? to (end|finish|leave|stop)|no (more|further|other) questions?|nothing else|finished|is done|is satisfied|hangs? up|(does not|doesn't) need anything)\b`)
	saysThanks = regexp.MustCompile(`(?i)\bthank`)
	saysHuman  = regexp.MustCompile(`(?i)\b(human agent|operator|real person|colleague|representative|speak (to|with) (a|an|the|some)|transfer)\b`)
	answered   = regexp.MustCompile(`(?i)\b(questions?|request|enquiry|inquiry) (is|are|was|were|has been|have been) (answered|resolved)\b`)
	anyAsk     = regexp.MustCompile(`(?i)\b(asks?|has|have) (a|any|some|another|more|other)? ?(general |further |other )?questions?\b(?: (about|on|regarding))?`)
	asksAbout  = regexp.MustCompile(`(?i)\b(asks?|asking|inquir\w+|enquir\w+|questions?) (about|for information|for details|on|regarding|what|how|when|where|which|whether|if)\b`)
	wishes     = regexp.MustCompile(`(?i)\b(wants?|needs?|would like|wishes|asks? to|requests?|ready|decides?|chooses?|reports?|intends?|like to)\b`)
	everything = regexp.MustCompile(`(?i)\b(all|everything|details?|information|info|data|both|answers?)\b`)
)

// move chooses the transition that fits best, if any does.
func (t *turn) move() (provider.ToolCall, bool) {
	made := 0
	for _, m := range t.after {
		made += len(m.Calls)
	}
	if made >= maxMoves {
		return provider.ToolCall{}, false
	}
	best, score := "", moveLine
	for _, o := range t.tools {
		if !o.Move {
			continue
		}
		if s := t.fits(o, made > 0); s > score || s == score && best == "" {
			best, score = o.Name, s
		}
	}
	if best == "" {
		return provider.ToolCall{}, false
	}
	return t.called(best, nil), true
}

// called makes a call of a tool with its arguments.
func (t *turn) called(name string, args map[string]string) provider.ToolCall {
	if args == nil {
		args = map[string]string{}
	}
	raw, err := json.Marshal(args)
	if err != nil {
		raw = []byte("{}") // a map of strings always marshals
	}
	id := "b" + strconv.Itoa(len(t.lines)) + "-" + strconv.Itoa(len(t.said)) + "-" + strconv.Itoa(len(t.after))
	return provider.ToolCall{ID: id, Name: name, Args: string(raw)}
}

// fits says how well a transition's description fits the conversation, 0..1. An
// alternative (… or …) counts by itself.
func (t *turn) fits(o provider.Tool, moved bool) float64 {
	text := o.Description
	if strings.TrimSpace(text) == "" {
		text = camel(strings.TrimPrefix(o.Name, "to_"))
	}
	best, verb := 0.0, ""
	for part := range strings.SplitSeq(strings.ReplaceAll(text, ", or ", " or "), " or ") {
		if m := someVerb.FindStringIndex(part); m != nil {
			verb = part[:m[1]]
		} else {
			part = verb + " " + part // wants a lesson or (wants) a course
		}
		best = max(best, t.fitsOne(part, moved))
	}
	return best
}

// someVerb is what the customer does in a description.
var someVerb = regexp.MustCompile(`(?i)\b(wants?|needs?|would like|wishes|asks?|requests?|ready|decides?|chooses?|reports?|intends?|has|have|had|says?|is|are|was|were|been|agrees?|confirms?|accepts?|declines?|refuses?|denies|rejects?|does|do|gives?|gave|provides?|ends?|thanks?|likes?|mentions?|speaks?|talks?|describes?|calls?)\b`)

func (t *turn) fitsOne(text string, moved bool) float64 {
	if allGiven.MatchString(text) && !saysYes.MatchString(text) || everything.MatchString(text) && allGiven.MatchString(text) {
		if named := t.fieldsIn(text); len(named) > 0 || everything.MatchString(text) {
			if t.given(text) || len(named) == 0 && t.settled() {
				return 1
			}
			return 0
		}
	}
	if moved || !t.have {
		return 0
	}
	_, offered := t.offer()
	switch {
	case saysHuman.MatchString(text):
		return score(actHuman.MatchString(t.last.norm), 0.95)
	case saysBye.MatchString(text):
		return score(t.leaving(), 0.95)
	case answered.MatchString(text):
		return score(len(t.said) > 1 && (actThanks.MatchString(t.last.norm) || t.leaving()), 0.8)
	case saysNo.MatchString(text):
		return score(no(t.last) && t.last.prev != "" || t.echo(text) >= 0.99, 0.9)
	case saysYes.MatchString(text):
		return score(yes(t.last) && t.last.prev != "" || t.echo(text) >= 0.99, 0.9)
	case saysThanks.MatchString(text):
		return score(actThanks.MatchString(t.last.norm), 0.8)
	}
	return t.intent(text, offered)
}

func score(ok bool, s float64) float64 {
	if ok {
		return s
	}
	return 0
}

// echo is the share of a description's own words that the customer used.
func (t *turn) echo(text string) float64 { return t.whole(t.topic(text), t.terms(t.last.text)) }

// topic are the words of a description that say what about.
func (t *turn) topic(text string) []lexis.Term {
	for _, r := range []*regexp.Regexp{saysNo, saysYes, asksAbout, anyAsk, wishes} {
		text = r.ReplaceAllString(text, " ")
	}
	return without(t.terms(text), func(x lexis.Term) bool {
		return x.Weight < lexis.Content || x.Stem == "converts" || x.Stem == "state" || x.Stem == "agent"
	})
}

// intent compares what the customer wants with what a description says they want.
func (t *turn) intent(text string, offered bool) float64 {
	own := t.topic(text)
	question := t.last.question
	if len(own) == 0 {
		return score(anyAsk.MatchString(text) && question && !actWant.MatchString(t.last.norm), 0.6)
	}
	said := t.terms(t.last.text)
	if yes(t.last) && offered {
		said = t.terms(request(t.last.prev))
		question = false
	}
	s := t.whole(own, said)
	if len(own) == 1 && s < 0.99 {
		s *= 0.5 // one related word is too little
	}
	if wishes.MatchString(text) && !asksAbout.MatchString(text) && question && pureAsk.MatchString(t.last.norm) {
		s *= 0.4 // wanting to know is not wanting to do
	}
	if no(t.last) {
		s *= 0.3
	}
	return s
}

var pureAsk = regexp.MustCompile(`^(so |and |but |well |ok |okay |hi |hello |please |excuse me )*(how|what|whats|when|where|who|why|which|is|are|does|do|did|will|would|has|have|am|was)\b`)

// offer is what the agent's last question was about, when it was no request for
// a result.
func (t *turn) offer() (string, bool) {
	q := request(t.last.prev)
	return q, q != "" && t.last.asked == ""
}

// leaving reports whether the customer wants to end.
func (t *turn) leaving() bool {
	if t.last.question && social(t.last.norm) != "" {
		return false
	}
	if actBye.MatchString(t.last.norm) {
		return true
	}
	return anythingElse.MatchString(normal(t.last.prev)) && no(t.last) && short(social(t.last.norm), 4)
}

var anythingElse = regexp.MustCompile(`\b(anything|something) else\b`)
