package sip

import (
	"fmt"
	"strings"

	"flametree/engine/fault"
)

// replacing is the value of a Replaces header (RFC 3891 6.1): a call as its
// receiver sees it.
type replacing struct {
	callID, toTag, fromTag string
	earlyOnly              bool
}

func parseReplaces(v string) (r replacing, err error) {
	id, params, _ := strings.Cut(v, ";")
	r.callID = strings.TrimSpace(id)
	seen := 0
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "to-tag":
			r.toTag = strings.TrimSpace(value)
			seen++
		case "from-tag":
			r.fromTag = strings.TrimSpace(value)
			seen++
		case "early-only":
			r.earlyOnly = true
		}
	}
	if seen != 2 || r.callID == "" || r.toTag == "" || r.fromTag == "" || strings.ContainsAny(v, "\r\n,<>\"") {
		return r, fmt.Errorf("malformed Replaces: %w", fault.Invalid)
	}
	return r, nil
}

// replaced finds the call an INVITE is to take the place of, nil when it names
// none; ok is false when the INVITE was refused (RFC 3891 3). Whoever knows both
// tags of a call has been told them by one of its sides; whether that is enough
// is for the owner to say.
func (e *Endpoint) replaced(in *inbound) (old *Call, ok bool) {
	all := in.req.GetHeaders("replaces")
	if len(all) == 0 {
		return nil, true
	}
	if !e.opt.Rules.TakeOver {
		in.respond(603, "Decline")
		return nil, false
	}
	r, err := parseReplaces(strings.TrimSpace(all[0].Value()))
	if err != nil || len(all) > 1 || len(in.req.GetHeaders("join")) > 0 {
		in.respond(400, "Malformed Replaces")
		return nil, false
	}
	e.mu.Lock()
	old = e.calls[r.toTag]
	e.mu.Unlock()
	if old == nil || old.id != r.callID || !old.speaksTo(r.fromTag) {
		in.respond(481, "Call/Transaction Does Not Exist")
		return nil, false
	}
	switch old.stage.Load() {
	case stageUp:
		if r.earlyOnly {
			in.respond(486, "Busy Here")
			return nil, false
		}
	case stageOut: // an early dialog of our own making may be replaced
	case stageIn:
		in.respond(481, "Call/Transaction Does Not Exist")
		return nil, false
	default:
		in.respond(603, "Decline")
		return nil, false
	}
	return old, true
}

// needs refuses a caller without an extension we insist on (RFC 3261 21.4.16).
func (in *inbound) needs() bool {
	if !in.e.opt.Rules.NeedReliable || supports(in.req, "100rel") {
		return false
	}
	in.respond(421, "Extension Required", header{"Require", "100rel"})
	return true
}
