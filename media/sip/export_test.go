package sip

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/media/srtp"
)

// Datagrams lets tests give a socket in memory.
type Datagrams = datagrams

// ServeOn is Listen on sockets the test made.
func ServeOn(ctx context.Context, o Options, socket Datagrams, listener net.Listener) (*Endpoint, error) {
	if o.UDP == "" {
		o.UDP = "memory"
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	places := []place{{network: netUDP, socket: socket}}
	if listener != nil {
		places = append(places, place{network: netTCP, listener: listener})
	}
	side, err := o.TLS.build(o.Log)
	if err != nil {
		return nil, err
	}
	return serve(ctx, o, side, places), nil
}

// Refuse is the table of codes.
func Refuse(err error) (code int, reason string, retrySeconds float64) {
	a := refuse(err)
	return a.code, a.reason, a.retryAfter.Seconds()
}

// Gate lets tests count without sockets.
type Gate struct{ g *gate }

// NewGate makes a gate of the options' Limits and Trunks.
func NewGate(o Options) *Gate { return &Gate{g: newGate(&o)} }

// Pass takes a token.
func (g *Gate) Pass(now time.Time, from netip.Addr, invite bool) (ok, tell bool) {
	return g.g.pass(now, from, invite)
}

// Sources is how many are counted apart.
func (g *Gate) Sources() int { return len(g.g.sources) }

// ParseCrypto reads a line and gives what it says; the key is hidden otherwise.
func ParseCrypto(line string) (tag int, suite string, key []byte, err error) {
	a, err := srtp.ParseCrypto(line)
	return a.Tag, string(a.Key.Suite()), a.Key.Reveal(), err
}

// ReadRoutes reads one Service-Route value.
func ReadRoutes(value string) []string {
	var out []string
	for _, uri := range readRoutes([]sip.Header{sip.NewHeader("Service-Route", value)}) {
		out = append(out, uri.String())
	}
	return out
}

// Masked is a message as the trace keeps it.
func Masked(raw []byte) string { return masked(raw) }

// Remembered counts the calls whose signalling is being noted.
func (e *Endpoint) Remembered() int {
	e.traces.mu.Lock()
	defer e.traces.mu.Unlock()
	return len(e.traces.calls) + len(e.traces.waiting)
}
