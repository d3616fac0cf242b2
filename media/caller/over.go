package caller

import (
	"sync"

	"flametree/media/rtp"
	"flametree/media/sip"
)

// Voice is the sound of a call that somebody else has set up.
type Voice struct{ *sound }

// Over joins the phone to such a call on conn, which the Voice closes; codec and
// payload types stand in m. If it fails the Conn stays the caller's.
func (p *Phone) Over(conn *rtp.Conn, m sip.MediaParams) (*Voice, error) {
	s := &sound{phone: p, conn: conn}
	s.changed = sync.NewCond(&s.mu)
	if err := s.Renegotiate(m); err != nil {
		return nil, err
	}
	conn.Start(s.hear)
	s.seat = p.clock.join(s)
	return &Voice{s}, nil
}

// End says that the call is over, and why: who waits for sound learns it.
func (v *Voice) End(reason string) { v.end(reason) }
