package sip

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/sip/sdp"
)

// within answers a request of the dialog (RFC 3261 12.2.2).
func (c *Call) within(ctx context.Context, in *inbound) {
	req := in.req
	if req.CSeq().SeqNo <= c.dlg.remoteSeq {
		in.respond(500, "CSeq out of order")
		return
	}
	c.dlg.remoteSeq = req.CSeq().SeqNo
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
	case sip.INFO:
		c.info(in)
	case sip.OPTIONS:
		in.options()
	default:
		in.notAllowed()
	}
}

// reinvite answers a change of the session; whatever is refused leaves the call
// as it was (RFC 3261 14.2).
func (c *Call) reinvite(ctx context.Context, in *inbound) {
	if c.asked != nil || c.unacked != nil && c.unacked.offer {
		in.respond(491, "Request Pending")
		return
	}
	if in.badContent() {
		return
	}
	in.call.Store(c)
	c.dlg.refresh(in.req.Contact())
	c.seen(peer{network: in.link.network(), addr: in.link.source()})
	if c.unacked != nil && !c.up { // the ACK was lost, but the peer has our 200
		c.onAck(ctx, ackOf(c.unacked.seq))
	}
	if len(in.req.Body()) == 0 { // the peer wants our offer, and the answer comes in its ACK
		c.local.Version++
		choice := c.choice
		choice.Direction = sdp.SendRecv
		c.accept(in, sdp.Answer(c.shape, choice, c.local), true)
		return
	}
	shape, err := sdp.Parse(in.req.Body())
	if err == nil && len(shape.Streams) < len(c.shape.Streams) {
		err = fmt.Errorf("offer has fewer streams than the call: %w", fault.Invalid) // RFC 3264 8
	}
	var choice sdp.Choice
	if err == nil {
		choice, err = sdp.Negotiate(shape)
	}
	if err != nil {
		c.e.log.Debug("sip offer refused", "call", c.id, "err", err)
		in.respond(488, "Not Acceptable Here")
		return
	}
	oldShape, oldChoice := c.shape, c.choice
	c.shape, c.choice = shape, choice
	if err := c.media.Renegotiate(c.params()); err != nil {
		c.shape, c.choice = oldShape, oldChoice
		c.e.log.Warn("sip media refused", "call", c.id, "err", err)
		in.respond(488, "Not Acceptable Here")
		return
	}
	c.local.Version++
	c.tellHold()
	c.accept(in, sdp.Answer(c.shape, c.choice, c.local), false)
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
