package sip

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/sip/sdp"
)

// inOrder refuses a request that is older than one already seen
// (RFC 3261 12.2.2).
func (c *Call) inOrder(in *inbound) bool {
	seq := in.req.CSeq().SeqNo
	if seq <= c.dlg.remoteSeq {
		in.respond(500, "CSeq out of order")
		return false
	}
	c.dlg.remoteSeq = seq
	return true
}

// within answers a request of the dialog (RFC 3261 12.2.2).
func (c *Call) within(ctx context.Context, in *inbound) {
	req := in.req
	if !c.inOrder(in) {
		return
	}
	if c.leaving && req.Method != sip.BYE {
		in.respond(481, "Call/Transaction Does Not Exist")
		return
	}
	if in.badExtension() {
		return
	}
	switch req.Method {
	case sip.BYE:
		in.respond(200, "OK")
		c.facts.tell(actors.Fact{Kind: actors.FactLineEnded, Reason: "hangup"})
		c.over = true
	case sip.INVITE:
		c.reinvite(ctx, in)
	case sip.UPDATE:
		c.update(in)
	case sip.PRACK: // nothing of ours awaits one any more
		in.respond(481, "Call/Transaction Does Not Exist")
	case sip.INFO:
		c.info(in)
	case sip.REFER:
		c.refer(ctx, in)
	case sip.NOTIFY:
		c.notified(in)
	case sip.OPTIONS:
		in.options()
	default:
		in.notAllowed()
	}
}

// reinvite answers a change of the session; whatever is refused leaves the call
// as it was (RFC 3261 14.2).
func (c *Call) reinvite(ctx context.Context, in *inbound) {
	if c.offering || c.unacked != nil && c.unacked.offer {
		in.respond(491, "Request Pending")
		return
	}
	if in.badContent() || in.badExpiry() {
		return
	}
	in.call.Store(c)
	c.moved(in)
	if c.unacked != nil && !c.up { // the ACK was lost, but the peer has our 200
		c.onAck(ctx, ackOf(c.unacked.seq))
	}
	if len(in.req.Body()) == 0 { // the peer wants our offer, and the answer comes in its ACK
		c.local.Version++
		choice := c.choice
		choice.Direction = sdp.SendRecv
		c.accept(in, sdp.Answer(c.shape, choice, c.local), true, c.expiry.agree(in.req, &c.e.opt.Rules)...)
		return
	}
	answer, err := c.takeOffer(in.req.Body())
	if err != nil {
		in.respond(488, "Not Acceptable Here")
		return
	}
	c.accept(in, answer, false, c.expiry.agree(in.req, &c.e.opt.Rules)...)
}

// moved takes what a request that may change the dialog says of its sender
// (RFC 3261 12.2.2).
func (c *Call) moved(in *inbound) {
	c.dlg.refresh(in.req.Contact())
	if methods := tokens(in.req, "allow"); len(methods) > 0 {
		c.canUpdate = slices.Contains(methods, "update")
	}
	c.seen(peer{network: in.link.network(), addr: in.link.source()})
}

// takeOffer changes the session by an offer of the peer and gives the answer.
// After an error the session is as it was.
func (c *Call) takeOffer(body []byte) ([]byte, error) {
	shape, err := sdp.Parse(body)
	if err == nil && len(shape.Streams) < len(c.shape.Streams) {
		err = fmt.Errorf("offer has fewer streams than the call: %w", fault.Invalid) // RFC 3264 8
	}
	var choice sdp.Choice
	if err == nil {
		choice, err = c.agree(shape)
	}
	if err != nil {
		c.e.log.Debug("sip offer refused", "call", c.id, "err", err)
		return nil, err
	}
	oldShape, oldChoice := c.shape, c.choice
	c.shape, c.choice = shape, choice
	if err := c.media.Renegotiate(c.params()); err != nil {
		c.shape, c.choice = oldShape, oldChoice
		c.e.log.Warn("sip media refused", "call", c.id, "err", err)
		return nil, err
	}
	c.local.Version++
	c.tellHold()
	return sdp.Answer(c.shape, c.choice, c.local), nil
}

// update answers UPDATE: it refreshes the target and the session timer, and may
// change the session, early or late in a call (RFC 3311 5.2). The caller has
// seen to it that no offer of the peer awaits its answer.
func (c *Call) update(in *inbound) {
	body := in.req.Body()
	if len(body) > 0 && (c.offering || c.unacked != nil && c.unacked.offer || c.reliable != nil && c.reliable.offer) {
		in.respond(491, "Request Pending")
		return
	}
	if in.badContent() || in.badExpiry() {
		return
	}
	var answer []byte
	if len(body) > 0 {
		var err error
		if answer, err = c.takeOffer(body); err != nil {
			in.respond(488, "Not Acceptable Here")
			return
		}
	}
	c.moved(in)
	extra := []header{
		{"Contact", c.dlg.contactHeader(c.e, in.link).Value()}, {"Allow", allowed}, {"Supported", extensions},
	}
	if c.up || c.unacked != nil { // the timer of a call that is not answered is settled by its 200
		extra = append(extra, c.expiry.agree(in.req, &c.e.opt.Rules)...)
	}
	in.answerWith(answer, extra...)
}

// ackOf stands for an ACK that must have been sent.
func ackOf(seq uint32) *sip.Request {
	req := sip.NewRequest(sip.ACK, sip.Uri{})
	req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: sip.ACK})
	return req
}

// info takes digits in the two bodies phones use for them.
func (c *Call) info(in *inbound) {
	req := in.req
	if len(req.Body()) == 0 { // some peers keep a dialog alive with it
		in.respond(200, "OK")
		return
	}
	kind := ""
	if h := req.ContentType(); h != nil {
		kind = mediaType(h.Value())
	}
	var digit byte
	var length time.Duration
	var ok bool
	switch kind {
	case "application/dtmf-relay":
		digit, length, ok = parseRelay(string(req.Body()))
	case "application/dtmf":
		digit, ok = parseDigit(string(req.Body()))
		length = defaultDigit
	default:
		in.respond(415, "Unsupported Media Type", header{"Accept", "application/dtmf-relay, application/dtmf"})
		return
	}
	if !ok {
		in.respond(400, "Malformed DTMF body")
		return
	}
	in.respond(200, "OK")
	c.facts.tell(actors.Fact{Kind: actors.FactDigit, Digit: digit, Length: length})
}

// defaultDigit is the length of a digit that does not say it.
const defaultDigit = 100 * time.Millisecond

// parseRelay reads "Signal=5" and "Duration=160" (milliseconds), in any order.
func parseRelay(body string) (digit byte, length time.Duration, ok bool) {
	length = defaultDigit
	for line := range strings.Lines(body) {
		key, value, found := strings.Cut(line, "=")
		if !found {
			continue
		}
		switch value = strings.TrimSpace(value); strings.ToLower(strings.TrimSpace(key)) {
		case "signal":
			digit, ok = parseDigit(value)
		case "duration":
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil {
				return 0, 0, false
			}
			length = time.Duration(n) * time.Millisecond
		}
	}
	return digit, length, ok
}

// parseDigit reads 0-9 * # A-D, and 10 and 11 for * and #, as RFC 4733 counts.
func parseDigit(s string) (byte, bool) {
	switch s = strings.ToUpper(strings.TrimSpace(s)); s {
	case "10":
		return '*', true
	case "11":
		return '#', true
	}
	if len(s) != 1 || !strings.Contains("0123456789*#ABCD", s) {
		return 0, false
	}
	return s[0], true
}
