// Package dialplan decides what may be called: it brings a number into its
// international form and refuses what costs a fortune unless that was allowed
// (toll fraud). It is pure; what numbers are it asks of the numbering plans in
// nyaruka/phonenumbers. It does not know connections or calls.
package dialplan

import (
	"fmt"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"flametree/engine/fault"
)

// Plan is what a connection may call.
type Plan struct {
	Country  string   // region of numbers without a country code, "" = none: they go out as they are
	Prefixes []string // +44 …; empty = any
	Premium  bool     // premium-rate, shared-cost, satellite and service numbers too
}

// internal is the most digits of an extension of a PBX.
const internal = 6

// Number brings what was asked for into the form it is dialled in: +E.164, or
// digits as they are for extensions and numbers of no known country. What may
// not be called is fault.Denied, what is no number fault.Invalid.
func (p Plan) Number(text string) (string, error) {
	n, plus, err := digits(text)
	if err != nil {
		return "", err
	}
	if !plus && strings.HasPrefix(n, "00") && len(n) > internal+2 {
		n, plus = n[2:], true
	}
	if !plus && len(n) <= internal {
		return p.short(n)
	}
	return p.long(n, plus)
}

// digits strips the marks people write into numbers.
func digits(text string) (n string, plus bool, err error) {
	text = strings.TrimSpace(text)
	for _, scheme := range []string{"tel:", "callto:"} {
		if rest, ok := strings.CutPrefix(strings.ToLower(text), scheme); ok {
			text = rest
		}
	}
	text, plus = strings.CutPrefix(text, "+")
	var b strings.Builder
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9', r == '*', r == '#':
			b.WriteRune(r)
		case !strings.ContainsRune(" -()./\u00a0", r):
			return "", false, fmt.Errorf("%q is not a telephone number: %w", text, fault.Invalid)
		}
	}
	if n = b.String(); n == "" || len(n) > 32 {
		return "", false, fmt.Errorf("%q is not a telephone number: %w", text, fault.Invalid)
	}
	return n, plus, nil
}

// short decides about extensions and services of few digits. Emergency numbers
// are never called by a machine.
func (p Plan) short(n string) (string, error) {
	if p.Country != "" && phonenumbers.IsEmergencyNumber(n, p.Country) {
		return "", fmt.Errorf("%s is an emergency number: %w", n, fault.Denied)
	}
	if n == "112" || n == "911" || n == "999" {
		return "", fmt.Errorf("%s is an emergency number: %w", n, fault.Denied)
	}
	return n, nil
}

func (p Plan) long(n string, plus bool) (string, error) {
	raw := n
	if plus {
		raw = "+" + n
	}
	parsed, err := phonenumbers.Parse(raw, p.Country)
	if err != nil {
		if plus || p.Country != "" {
			return "", fmt.Errorf("%s is not a number of any country: %w", raw, fault.Denied)
		}
		// Nothing is known of it: what the far end makes of it nobody can say, so
		// only a plan that allows everything sends it.
		if p.Premium && len(p.Prefixes) == 0 {
			return n, nil
		}
		return "", fmt.Errorf("%s has no country code: write it with + or set the connection's country: %w", raw, fault.Denied)
	}
	out := phonenumbers.Format(parsed, phonenumbers.E164)
	if !p.allows(out) {
		return "", fmt.Errorf("%s is not among the destinations of the connection: %w", out, fault.Denied)
	}
	if why := costly(parsed); why != "" && !p.Premium {
		return "", fmt.Errorf("%s is %s: the connection needs the permission premium for it: %w", out, why, fault.Denied)
	}
	return out, nil
}

func (p Plan) allows(number string) bool {
	for _, prefix := range p.Prefixes {
		if strings.HasPrefix(number, strings.TrimSpace(prefix)) {
			return true
		}
	}
	return len(p.Prefixes) == 0
}

// costly names what is dear about a number, "" for an ordinary one. A number
// that no plan knows is taken for dear: that is where fraud lives.
func costly(n *phonenumbers.PhoneNumber) string {
	switch n.GetCountryCode() {
	case 870, 878, 881, 882, 883, 888, 979, 991:
		return "a satellite or international network number"
	}
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.PREMIUM_RATE:
		return "a premium-rate number"
	case phonenumbers.SHARED_COST:
		return "a shared-cost number"
	case phonenumbers.PAGER:
		return "a pager"
	case phonenumbers.PERSONAL_NUMBER:
		return "a personal number"
	case phonenumbers.UNKNOWN:
		return "not known to be an ordinary number"
	default:
		return ""
	}
}
