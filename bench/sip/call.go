package sip

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"flametree/engine/fault"
)

// Timers of RFC 3261 17.1 over UDP.
const (
	t1      = 500 * time.Millisecond
	t2      = 4 * time.Second
	giveUp  = 64 * t1
	newest  = 16 // messages of a call that may wait to be read
	cookie  = "z9hG4bK"
	maxHops = "Max-Forwards: 70\r\n"
)

// call is one call of a caller. It belongs to one goroutine, but for in.
type call struct {
	socket   *socket
	in       chan message
	id       string
	user     string
	hold     time.Duration
	n        int
	routes   string // header lines of requests within the dialog
	remote   string // their target
	to       string
	setup    time.Duration
	repeated int
}

func newCall(s *socket, p plan, n int) *call {
	c := &call{
		socket: s, in: make(chan message, newest), id: fmt.Sprintf("%d-%s", n, s.name), user: p.User, hold: p.Hold, n: n,
	}
	s.know(c)
	return c
}

// run makes the call and returns when it is over.
func (c *call) run(ctx context.Context) error {
	begun := time.Now()
	ok, err := c.ask(ctx, "INVITE", c.invite())
	if err != nil {
		return err
	}
	c.setup = time.Since(begun)
	c.confirm(ok)
	if err := c.talk(ctx); err != nil {
		return err
	}
	_, err = c.ask(ctx, "BYE", c.request("BYE", 2))
	return err
}

// confirm learns the dialog from the 200 and acknowledges it.
func (c *call) confirm(ok message) {
	c.to, c.remote = ok.to, ok.contact
	slices.Reverse(ok.routes) // RFC 3261 12.1.2
	for _, r := range ok.routes {
		c.routes += "Route: " + r + "\r\n"
	}
	c.socket.send(c.request("ACK", 1))
}

// talk waits until it is time to hang up; an answer that comes again is
// acknowledged again.
func (c *call) talk(ctx context.Context) error {
	over := time.NewTimer(c.hold)
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopped: %w", fault.Cancelled)
		case <-over.C:
			return nil
		case m := <-c.in:
			switch {
			case m.code == 0 && m.method == "BYE":
				return fmt.Errorf("the other side hung up: %w", fault.Unavailable)
			case m.code >= 200 && m.method == "INVITE":
				c.socket.send(c.request("ACK", 1))
			}
		}
	}
}

// ask sends a request, again while nothing is heard, and returns its 200.
func (c *call) ask(ctx context.Context, method string, text string) (message, error) {
	c.socket.send(text)
	wait, heard := t1, false
	again, late := time.NewTimer(wait), time.NewTimer(giveUp)
	defer again.Stop()
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return message{}, fmt.Errorf("%s stopped: %w", method, fault.Cancelled)
		case <-late.C:
			return message{}, fmt.Errorf("%s had no answer in %v: %w", method, giveUp, fault.Unavailable)
		case <-again.C:
			if !heard {
				c.repeated++
				c.socket.send(text)
			}
			if wait *= 2; method != "INVITE" {
				wait = min(wait, t2)
			}
			again.Reset(wait)
		case m := <-c.in:
			switch {
			case m.method != method || m.code == 0:
				c.stray(m)
			case m.code < 200:
				heard = method == "INVITE" // RFC 3261 17.1.1.2; others go on (17.1.2.2)
			case m.code == 200:
				return m, nil
			default:
				return m, c.refused(method, m)
			}
		}
	}
}

// stray is heard while something else is waited for.
func (c *call) stray(m message) {
	if m.method == "INVITE" && m.code >= 200 && c.to != "" {
		c.socket.send(c.request("ACK", 1))
	}
}

func (c *call) refused(method string, m message) error {
	if method == "INVITE" { // of the same transaction (RFC 3261 17.1.1.3)
		c.socket.send(fmt.Sprintf("ACK %s SIP/2.0\r\n%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 ACK\r\n%sContent-Length: 0\r\n\r\n",
			c.target(), c.via("INVITE"), c.from(), m.to, c.id, maxHops))
	}
	return fmt.Errorf("%s was answered by %d: %w", method, m.code, fault.Denied)
}

func (c *call) target() string { return "sip:" + c.user + "@" + c.socket.target }

func (c *call) from() string { return fmt.Sprintf("<sip:bench@%s>;tag=%d", c.socket.name, c.n) }

func (c *call) via(method string) string {
	return fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=%s%s%d\r\n", c.socket.name, cookie, method, c.n)
}

// invite is the first request, with an offer of G.711.
func (c *call) invite() string {
	host, _, _ := strings.Cut(c.socket.name, ":")
	sdp := fmt.Sprintf("v=0\r\no=- %d 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\n"+
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n", c.n, host, host, c.socket.sound())
	return fmt.Sprintf("INVITE %s SIP/2.0\r\n%sFrom: %s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\nContact: <sip:bench@%s>\r\n%s"+
		"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		c.target(), c.via("INVITE"), c.from(), c.target(), c.id, c.socket.name, maxHops, len(sdp), sdp)
}

// request is one within the dialog.
func (c *call) request(method string, seq int) string {
	return fmt.Sprintf("%s %s SIP/2.0\r\n%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n%s%sContent-Length: 0\r\n\r\n",
		method, c.remote, c.via(method), c.from(), c.to, c.id, seq, method, c.routes, maxHops)
}
