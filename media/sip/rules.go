package sip

import (
	"context"
	"errors"
	"time"
)

// Rules are what an endpoint allows within and around its calls. The zero value
// is usable: it refuses to be transferred and to be replaced.
type Rules struct {
	// Refer decides about a REFER within a call and may block; nil error is 202,
	// and whoever said so carries it out and tells how by Referral.Report. The
	// kind of an error chooses the code as for Answer. A nil Refer declines: 603.
	Refer func(ctx context.Context, r Referral) error
	// TakeOver lets an INVITE with Replaces (RFC 3891) reach Answer, with
	// Invite.Replaces set, when it comes from the side that call is with: by the
	// same account, trunk or login, or from the same address. Others are told that
	// there is no such call: 481. Without it such an INVITE is declined: 603.
	TakeOver bool
	// NeedReliable refuses callers without reliable provisional responses
	// (RFC 3262) with 421.
	NeedReliable bool
	// SessionExpires is how long a call may go on without a refresh (RFC 4028);
	// zero is 30 minutes, less than zero asks for no session timer, though one
	// the peer asks for is kept.
	SessionExpires time.Duration
	// MinSE is the shortest session timer taken; zero is 90 s, the least that
	// RFC 4028 4 allows.
	MinSE time.Duration
}

// leastMinSE is the least of RFC 4028 4.
const leastMinSE = 90 * time.Second

func (r *Rules) fill() error {
	r.SessionExpires = orDefault(r.SessionExpires, 30*time.Minute)
	r.MinSE = orDefault(r.MinSE, leastMinSE)
	if r.MinSE < leastMinSE {
		return errors.New("MinSE below the 90 s of RFC 4028")
	}
	if r.SessionExpires > 0 && r.SessionExpires < r.MinSE {
		return errors.New("SessionExpires below MinSE")
	}
	return nil
}
