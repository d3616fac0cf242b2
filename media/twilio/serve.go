package twilio

import (
	"errors"
	"fmt"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
)

const (
	greetWithin = 10 * time.Second
	mostJunk    = 100 // frames in a row that cannot be read before a socket is given up
)

// Greet reads the first two frames of a socket of Media Streams, connected and
// start, and tells what stream it is. Anything else first closes the socket, and
// so does a peer that says nothing: fault.Invalid, or what Read failed with.
func Greet(c Conn) (Started, error) {
	late := time.AfterFunc(greetWithin, func() { c.Close(closePolicy, "no start of a stream") })
	defer late.Stop()
	connected := false
	for {
		b, err := c.Read()
		if err != nil {
			return Started{}, fmt.Errorf("stream: before its start: %w", err)
		}
		m, err := parse(b)
		switch {
		case err != nil:
		case m.other:
			continue
		case m.connected && !connected:
			connected = true
			continue
		case m.start != nil && connected:
			return *m.start, nil
		default:
			err = fmt.Errorf("stream: frames before connected and start: %w", fault.Invalid)
		}
		c.Close(closePolicy, "want connected, then start")
		return Started{}, err
	}
}

// Serve runs the leg on a socket whose start was read by Greet until the socket
// ends. It returns nil when Twilio said stop or the leg was closed, and why not
// otherwise. A leg is served by one socket at a time; whether the call is over
// when its socket is, is for the caller to say.
func (s *Stream) Serve(c Conn, start Started) error {
	if err := s.attach(c, start.Stream); err != nil {
		c.Close(closePolicy, "no such call")
		return err
	}
	defer s.detach(c)
	for junk := 0; ; {
		b, err := c.Read()
		if err != nil {
			return s.lost(err)
		}
		m, err := parse(b)
		if err != nil {
			s.in.refuse()
			if junk++; junk >= mostJunk {
				c.Close(closePolicy, "frames that cannot be read")
				return fmt.Errorf("stream: %d frames in a row: %w", junk, err)
			}
			continue
		}
		junk = 0
		if m.stop {
			return nil
		}
		s.take(&m)
		s.facts.deliver()
	}
}

func (s *Stream) attach(c Conn, stream string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("stream: the call is over: %w", fault.NotFound)
	case s.conn != nil:
		return fmt.Errorf("stream: the call has its socket: %w", fault.Conflict)
	}
	s.conn, s.stream = c, stream
	s.in.fresh()
	return nil
}

// detach forgets the socket: what was on its way is as good as cleared.
func (s *Stream) detach(c Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == c {
		s.conn = nil
	}
	s.play.sent = s.play.heard
	s.play.cleared(time.Now())
	s.copies.n = 0
}

// lost says why a socket ended: nothing is wrong with it when we closed it.
func (s *Stream) lost(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	return fmt.Errorf("stream: lost: %w", errors.Join(fault.Unavailable, err))
}

// take does what a frame asks for.
func (s *Stream) take(m *message) {
	now := time.Now()
	switch {
	case !s.in.follows(m.sequence):
	case m.sound != nil:
		s.in.take(now, m.sound, &s.facts)
	case m.digit != 0:
		s.facts.add(actors.Fact{Kind: actors.FactDigit, At: now, Digit: m.digit, Length: digitLength})
	case m.mark != "":
		s.returned(now, m.mark)
	case m.connected, m.start != nil:
		s.in.refuse() // a stream starts once
	}
}

// digitLength is what a key is taken to have been held: Twilio does not say.
const digitLength = 100 * time.Millisecond

func (s *Stream) returned(now time.Time, name string) {
	n, ok := number(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok {
		return
	}
	due, known := s.play.due(n)
	if s.play.reachedMark(now, n) && known {
		s.trip = (3*s.trip + roundTrip(now, due)) / 4
	}
	if s.started && !s.closed {
		s.pump(now)
	}
}

// number reads the name of a mark of ours.
func number(name string) (n uint64, ok bool) {
	if name == "" || len(name) > 19 {
		return 0, false
	}
	for i := range len(name) {
		if name[i] < '0' || name[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(name[i]-'0')
	}
	return n, true
}
