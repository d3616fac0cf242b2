package node

import (
	"context"
	"fmt"
	"strings"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/sip"
)

// replace gives a call that takes the place of another to whose that one is
// (RFC 3891): the conversation goes on with who calls now.
func (p *phone) replace(ctx context.Context, inv sip.Invite) error {
	id, ok := p.n.exchange.Owner(inv.Replaces)
	if !ok { // the second call of a transfer, or an operator's
		return sip.ErrDecline
	}
	line, err := p.n.exchange.Enter(inv)
	if err != nil {
		return err
	}
	_, err = ask[*actors.Accepted](ctx, p.n.dir, id, &actors.Replace{
		Leg: inv.Leg, Line: line, From: inv.From, SIPCallID: inv.CallID, Transport: strings.ToLower(inv.Transport),
	})
	return ofRunning(err)
}

// refer has a call's agent call somebody in place of who is on it, where the
// connection lets him choose (RFC 3515).
func (p *phone) refer(ctx context.Context, r sip.Referral) error {
	id, d, err := p.n.exchange.Referred(ctx, r)
	if err != nil {
		return err
	}
	_, err = ask[*actors.Accepted](ctx, p.n.dir, id, &actors.Referred{
		Dial: d, Report: func(code int) { r.Report(code, "") },
	})
	return ofRunning(err)
}

// ofRunning is an answer of a call as its line is told it: one that is over
// declines.
func ofRunning(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return fmt.Errorf("%w: %w", sip.ErrDecline, err)
	}
	return err
}
