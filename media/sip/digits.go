package sip

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// Info presses a digit by INFO, for a peer without telephone-event (RFC 4733):
// Invite.Media.DTMFType 255 says so. It returns when the peer has taken it; a
// peer that does not know the body refuses with 415.
func (c *Call) Info(ctx context.Context, digit byte, length time.Duration) error {
	if !strings.ContainsRune("0123456789*#ABCD", rune(digit)) {
		return fmt.Errorf("digit %q, want 0-9 * # A-D: %w", digit, fault.Invalid)
	}
	if c.stage.Load() != stageUp {
		return errCallOver()
	}
	length = orDefault(length, defaultDigit)
	res, err := c.exchange(ctx, *c.view.Load(), sip.INFO, func(req *sip.Request) {
		req.AppendHeader(sip.NewHeader("Content-Type", "application/dtmf-relay"))
		req.SetBody(fmt.Appendf(nil, "Signal=%c\r\nDuration=%d\r\n", digit, length.Milliseconds()))
	})
	if err := outcome(res, err); err != nil {
		return fmt.Errorf("digit by info: %w", err)
	}
	return nil
}
