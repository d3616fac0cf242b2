package actors

import (
	"context"

	"flametree/engine/tenant"
)

// Lender is a Casting that wants to know how long a cast is worked with: what
// its tools need stays open until then, and no longer than somebody needs it.
type Lender interface {
	// Lend is Cast for somebody who goes on to work with it.
	Lend(ctx context.Context, t tenant.ID, agentID string, revision uint64) (Lease, error)
}

// Lease is a cast on loan. It is safe for concurrent use.
type Lease interface {
	// Cast is the newest form of the cast: a server of tools that was away may be
	// there by now. It is quick enough to be called inside an actor.
	Cast() *Cast
	// Return ends the loan; it may be called twice.
	Return()
}

// engage borrows the cast of a revision in place of what was borrowed before.
func (s *Session) engage(agentID string, revision uint64) error {
	lender, ok := s.Casting.(Lender)
	if !ok {
		cast, err := s.Casting.Cast(s.life, s.id.Tenant, agentID, revision)
		if err == nil {
			s.cast = cast
		}
		return err
	}
	l, err := lender.Lend(s.life, s.id.Tenant, agentID, revision)
	if err != nil {
		return err
	}
	s.dismiss()
	s.lease, s.cast = l, l.Cast()
	return nil
}

// renew takes the newest form of the cast. It is called where a turn begins:
// within one the model's answers go by what it was offered.
func (s *Session) renew() {
	if s.lease != nil {
		s.cast = s.lease.Cast()
	}
}

// dismiss gives the cast back.
func (s *Session) dismiss() {
	if s.lease != nil {
		s.lease.Return()
		s.lease = nil
	}
}
