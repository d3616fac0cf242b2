package sip

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// Identity says who calls, beside From, for trunks that take a number only so.
// The zero value says nothing.
type Identity struct {
	// Asserted is the URI of P-Asserted-Identity (RFC 3325), such as
	// sip:+15550100@trunk.example or tel:+15550100; "" is none.
	Asserted string
	// RemoteParty says the same by Remote-Party-ID, which older trunks read.
	RemoteParty bool
	// Private hides the caller from the callee: Privacy: id (RFC 3323), and an
	// anonymous From. The trunk still learns Asserted.
	Private bool
}

func (i Identity) check() error {
	if i.Asserted == "" {
		if i.RemoteParty {
			return fmt.Errorf("remote party without an asserted identity: %w", fault.Invalid)
		}
		return nil
	}
	scheme, rest, ok := strings.Cut(i.Asserted, ":")
	switch strings.ToLower(scheme) {
	case "sip", "sips", "tel":
	default:
		ok = false
	}
	if !ok || rest == "" || strings.ContainsAny(i.Asserted, "<>\"\\\r\n\t ,") {
		return fmt.Errorf("asserted identity is not a sip or tel uri: %w", fault.Invalid)
	}
	return nil
}

// from is our From, without its tag.
func (i Identity) from(user, display string, at netip.Addr) sip.FromHeader {
	if i.Private { // RFC 3323 4.1.1.3
		return sip.FromHeader{
			DisplayName: "Anonymous", Address: sip.Uri{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"},
		}
	}
	return sip.FromHeader{DisplayName: display, Address: sip.Uri{Scheme: "sip", User: user, Host: at.String()}}
}

// apply puts the identity into an INVITE.
func (i Identity) apply(req *sip.Request, display string) {
	if i.Asserted != "" {
		value := "<" + i.Asserted + ">"
		if display != "" {
			value = `"` + display + `" ` + value
		}
		req.AppendHeader(sip.NewHeader("P-Asserted-Identity", value))
		if i.RemoteParty {
			privacy := "off"
			if i.Private {
				privacy = "full"
			}
			req.AppendHeader(sip.NewHeader("Remote-Party-ID", value+";party=calling;privacy="+privacy+";screen=yes"))
		}
	}
	if i.Private {
		req.AppendHeader(sip.NewHeader("Privacy", "id"))
	}
}

// Apply takes parameters as a campaign has them, key=value with semicolons
// between, such as transport=udp;timeout=30. Unknown keys are of kind
// fault.Invalid and named; then nothing is changed.
func (o *DialOptions) Apply(parameters string) error {
	changed := *o
	for part := range strings.SplitSeq(parameters, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			return fmt.Errorf("sip parameter %q is not key=value: %w", part, fault.Invalid)
		}
		if err := changed.parameter(strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)); err != nil {
			return err
		}
	}
	*o = changed
	return nil
}

// mostRing is the longest a timeout parameter may ask for.
const mostRing = 600

func (o *DialOptions) parameter(key, value string) error {
	switch key {
	case "transport":
		if !isNetwork(strings.ToUpper(value)) {
			return fmt.Errorf("sip parameter transport=%q, want udp, tcp, tls, ws or wss: %w", value, fault.Invalid)
		}
		o.Transport = strings.ToUpper(value)
	case "timeout":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil || n < 1 || n > mostRing {
			return fmt.Errorf("sip parameter timeout=%q, want seconds from 1 to %d: %w", value, mostRing, fault.Invalid)
		}
		o.Ring = time.Duration(n) * time.Second
	default:
		return fmt.Errorf("sip parameter %q is not known, want transport or timeout: %w", key, fault.Invalid)
	}
	return nil
}
