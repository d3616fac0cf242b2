// Package caller is a telephone for demonstrations, benches and tests: it
// places calls over real SIP and RTP, says what it is given, keeps what it
// hears and notes when each packet came. Beyond sockets, codecs and SIP it
// shares nothing with the side it calls, so that a fault of the media core does
// not hide from it.
package caller

import (
	"context"
	"log/slog"
	"net/netip"

	"flametree/actors"
	"flametree/media/impair"
	"flametree/media/rtp"
	"flametree/media/sip"
)

// RateHz is of all audio here.
const RateHz = 8000

// Phone places calls. It is safe for concurrent use.
type Phone struct {
	endpoint *sip.Endpoint
	ports    *rtp.Pool
	clock    *clock
	keep     bool
	weather  impair.Weather
}

// Options of a Phone.
type Options struct {
	At      netip.Addr     // local address; default 127.0.0.1
	Keep    bool           // keep all audio, for Call.Audio and Call.Sent; without it only levels are kept
	Weather impair.Weather // of the road that the packets of its calls take
	Log     *slog.Logger
}

// New opens a phone on a free port.
func New(ctx context.Context, opt Options) (*Phone, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if !opt.At.IsValid() {
		opt.At = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	ports, err := rtp.NewPool(0, 0)
	if err != nil {
		return nil, err
	}
	p := &Phone{ports: ports, clock: newClock(), keep: opt.Keep, weather: opt.Weather}
	at := netip.AddrPortFrom(opt.At, 0).String()
	p.endpoint, err = sip.Listen(ctx, sip.Options{UDP: at, TCP: at, NewMedia: p.media, Log: opt.Log})
	if err != nil {
		p.clock.stop()
		return nil, err
	}
	return p, nil
}

// Close hangs up all calls.
func (p *Phone) Close() error {
	err := p.endpoint.Close()
	p.clock.stop()
	return err
}

// Call places a call and returns when it was answered. A refusal is a *sip.Refused.
func (p *Phone) Call(ctx context.Context, target string, o sip.DialOptions) (*Call, error) {
	sc, err := p.endpoint.Dial(ctx, target, o)
	if err != nil {
		return nil, err
	}
	c := &Call{sip: sc, sound: sc.Media().(*sound)}
	sc.Start(func(f actors.Fact) {
		if f.Kind == actors.FactLineEnded {
			c.sound.end(f.Reason)
		}
	})
	return c, nil
}

// Call is one call of ours.
type Call struct {
	*sound
	sip *sip.Call
}

// Hangup ends the call and waits for its end.
func (c *Call) Hangup() {
	c.sip.Hangup("completed")
	<-c.sip.Gone()
}

// Gone is closed when the call has ended, whoever ended it.
func (c *Call) Gone() <-chan struct{} { return c.sip.Gone() }

// SIP is the call's signalling, for hold and the like.
func (c *Call) SIP() *sip.Call { return c.sip }
