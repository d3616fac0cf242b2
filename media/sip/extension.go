package sip

import (
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
)

const (
	allowed    = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY"
	acceptable = "application/sdp"
	// extensions are all we have: reliable provisional responses (RFC 3262),
	// session timers (RFC 4028), Replaces (RFC 3891), and REFER without a
	// subscription (RFC 4488).
	extensions = "100rel, timer, replaces, norefersub"
	sipfrag    = "message/sipfrag"
)

// extended is what is known; the lists above and below must say the same.
func extended(tag string) bool {
	switch strings.ToLower(tag) {
	case "100rel", "timer", "replaces", "norefersub":
		return true
	}
	return false
}

// headed is a request or a response.
type headed interface {
	GetHeaders(name string) []sip.Header
}

// tokens gives the members of a header that is a list, in lower case.
func tokens(msg headed, name string) []string {
	var out []string
	for _, h := range msg.GetHeaders(name) {
		for tag := range strings.SplitSeq(h.Value(), ",") {
			if tag = strings.ToLower(strings.TrimSpace(tag)); tag != "" {
				out = append(out, tag)
			}
		}
	}
	return out
}

// supports reports whether the sender of a message has an extension.
func supports(msg headed, tag string) bool {
	return slices.Contains(tokens(msg, "supported"), tag) || requires(msg, tag)
}

// requires reports whether the sender of a message insists on an extension.
func requires(msg headed, tag string) bool {
	return slices.Contains(tokens(msg, "require"), tag)
}

// badExtension refuses a request that requires what we do not have
// (RFC 3261 8.2.2.3).
func (in *inbound) badExtension() bool {
	missing := slices.DeleteFunc(tokens(in.req, "require"), extended)
	if len(missing) == 0 {
		return false
	}
	in.respond(420, "Bad Extension", header{"Unsupported", strings.Join(missing, ", ")})
	return true
}

// headerOf is the value of a header, "" when there is none.
func headerOf(msg headed, name string) string {
	if all := msg.GetHeaders(name); len(all) > 0 {
		return strings.TrimSpace(all[0].Value())
	}
	return ""
}
