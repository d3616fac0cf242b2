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
// none; ok is false when the INVITE was refused (RFC 3891 3). To who is not on the
// other side of that call it does not exist, as to who guesses at its tags.
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
	if old == nil || old.id != r.callID || !old.speaksTo(r.fromTag) || !e.fellow(old, in) {
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

// fellow reports whether a request comes from the side that a call is with: by
// its account, its trunk or its login, or, where one of the two has none of
// these, from its address. The tags of a call are told to others than its sides.
func (e *Endpoint) fellow(c *Call, in *inbound) bool {
	p := c.peer.Load()
	if p == nil {
		return false
	}
	was, now := c.from, in.from
	if was.trunk == "" { // a call of ours: it went where a trunk is
		if t := trunkOf(*e.gate.trunks.Load(), p.addr.Addr()); t != nil {
			was.trunk = t.Name
		}
	}
	for _, by := range [][2]string{{was.account, now.account}, {was.trunk, now.trunk}, {was.user, now.user}} {
		if by[0] != "" && by[1] != "" {
			return by[0] == by[1]
		}
	}
	return p.addr.Addr().Unmap() == in.link.source().Addr().Unmap()
}

// needs refuses a caller without an extension we insist on (RFC 3261 21.4.16).
func (in *inbound) needs() bool {
	if !in.e.opt.Rules.NeedReliable || supports(in.req, "100rel") {
		return false
	}
	in.respond(421, "Extension Required", header{"Require", "100rel"})
	return true
}
