package sip

import (
	"context"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// outside answers a request that belongs to no dialog, in the order of
// RFC 3261 8.2: method, headers, content.
func (e *Endpoint) outside(ctx context.Context, in *inbound) {
	switch in.req.Method {
	case sip.INVITE, sip.OPTIONS:
	case sip.BYE, sip.INFO, sip.UPDATE, sip.PRACK, sip.NOTIFY:
		in.respond(481, "Call/Transaction Does Not Exist")
		return
	case sip.REFER: // nobody but the other side of a call may send us elsewhere
		in.respond(403, "Forbidden")
		return
	default:
		in.notAllowed()
		return
	}
	if forwards := in.req.MaxForwards(); forwards != nil && forwards.Val() == 0 {
		in.respond(483, "Too Many Hops")
		return
	}
	if in.badExtension() {
		return
	}
	if e.draining.Load() {
		in.respond(503, "Service Unavailable", retryAfter(busyRetry))
		return
	}
	if in.req.Method == sip.OPTIONS {
		if after, busy := e.busy(); busy { // so that a trunk looks elsewhere before it calls
			in.respond(503, "Service Unavailable", retryAfter(after))
			return
		}
		in.options()
		return
	}
	if in.badContent() || in.badExpiry() || in.needs() {
		return
	}
	old, ok := e.replaced(in)
	if !ok {
		return
	}
	e.invited(ctx, in, old)
}

// busy asks whether new calls would be refused, and for how long.
func (e *Endpoint) busy() (time.Duration, bool) {
	if e.opt.Busy == nil {
		return 0, false
	}
	return e.opt.Busy()
}

// notAllowed tells methods of SIP that we do not do (405) from words that are no
// method at all (501), RFC 3261 8.2.1 and 21.5.2.
func (in *inbound) notAllowed() {
	allow := header{"Allow", allowed}
	switch in.req.Method {
	case sip.REGISTER, sip.SUBSCRIBE, sip.MESSAGE, sip.PUBLISH:
		in.respond(405, "Method Not Allowed", allow)
	default:
		in.respond(501, "Not Implemented", allow)
	}
}

// options tells what an INVITE could count on (RFC 3261 11.2).
func (in *inbound) options() {
	in.respond(200, "OK",
		header{"Allow", allowed}, header{"Accept", acceptable},
		header{"Accept-Encoding", "identity"}, header{"Accept-Language", "en"}, header{"Supported", extensions})
}

// badContent refuses a body we cannot read, and a caller that could not read our
// answer (RFC 3261 8.2.3, 21.4.7).
func (in *inbound) badContent() bool {
	req := in.req
	for _, h := range req.GetHeaders("content-encoding") {
		if !strings.EqualFold(strings.TrimSpace(h.Value()), "identity") && len(req.Body()) > 0 {
			in.respond(415, "Unsupported Media Type", header{"Accept-Encoding", "identity"})
			return true
		}
	}
	switch kind := req.ContentType(); {
	case len(req.Body()) == 0:
	case kind == nil:
		in.respond(400, "Body without Content-Type")
		return true
	case mediaType(kind.Value()) != acceptable:
		in.respond(415, "Unsupported Media Type", header{"Accept", acceptable})
		return true
	}
	if !acceptsSDP(req) {
		in.respond(406, "Not Acceptable", header{"Accept", acceptable})
		return true
	}
	return false
}

// acceptsSDP reads Accept; without the header SDP is accepted (RFC 3261 20.1).
func acceptsSDP(req *sip.Request) bool {
	headers := req.GetHeaders("accept")
	for _, h := range headers {
		for kind := range strings.SplitSeq(h.Value(), ",") {
			switch mediaType(kind) {
			case acceptable, "application/*", "*/*":
				return true
			}
		}
	}
	return len(headers) == 0
}

// mediaType is a content type without parameters, in lower case.
func mediaType(v string) string {
	kind, _, _ := strings.Cut(v, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}
