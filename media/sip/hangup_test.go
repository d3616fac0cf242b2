package sip_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/media/sip"
	"flametree/media/sip/siptest"
)

// crowd is a socket in memory with many phones behind it, told apart by Call-ID,
// and a listener for those that come by connection.
type crowd struct {
	in     chan []byte
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex // guards phones
	phones map[string]chan string
}

func newCrowd() *crowd {
	return &crowd{
		in: make(chan []byte), conns: make(chan net.Conn), closed: make(chan struct{}), phones: make(map[string]chan string),
	}
}

func (c *crowd) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case p := <-c.in:
		return copy(b, p), phone(), nil
	case <-c.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (c *crowd) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	c.mu.Lock()
	to := c.phones[value(string(b), "Call-ID")]
	c.mu.Unlock()
	select {
	case to <- string(b):
	default: // nobody reads there
	}
	return len(b), nil
}

func (c *crowd) LocalAddr() net.Addr {
	return net.UDPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:5060"))
}

func (c *crowd) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// crowdListener is the listener half of a crowd.
type crowdListener struct{ *crowd }

func (c crowdListener) Accept() (net.Conn, error) {
	select {
	case conn := <-c.conns:
		return conn, nil
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

func (c crowdListener) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:5060"))
}

// pipe is a connection in memory that has addresses.
type pipe struct {
	net.Conn
	remote netip.AddrPort
}

func (p pipe) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:5060"))
}
func (p pipe) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(p.remote) }

// rude is a caller who leaves at a random moment, in a random way.
type rude struct {
	rng     *rand.Rand
	id      string
	way     int // 0 BYE or CANCEL, 1 silence, 2 a closed socket
	via     string
	contact string
	heard   chan string
	say     func(string)
	leave   func() // closes the socket
	tag     string
	up      bool
}

// The ways to leave.
const (
	leavePolitely = iota
	leaveSilently
	leaveBrutally
	waysToLeave
)

// connect gives a phone its way to the endpoint, by datagram or by connection.
func (c *crowd) connect(i int, rng *rand.Rand) *rude {
	r := &rude{
		rng: rng, id: fmt.Sprintf("call%d", i), way: rng.IntN(waysToLeave), heard: make(chan string, 256), leave: func() {},
	}
	if i%2 == 0 {
		r.via, r.contact = "SIP/2.0/UDP 192.0.2.9:5060", "<sip:alice@192.0.2.9:5060>"
		c.mu.Lock()
		c.phones[r.id] = r.heard
		c.mu.Unlock()
		r.say = func(text string) { c.in <- []byte(text) }
		return r
	}
	near, far := net.Pipe()
	// Who has closed its connection is called back in vain: nobody listens there.
	c.conns <- pipe{far, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(10000+i))}
	r.via, r.contact = "SIP/2.0/TCP 127.0.0.1:1", "<sip:alice@127.0.0.1:1;transport=tcp>"
	r.say = func(text string) { _, _ = io.WriteString(near, text) }
	r.leave = func() { _ = near.Close() }
	go func() { // every message here fits one write of the endpoint
		buf := make([]byte, 64<<10)
		for {
			n, err := near.Read(buf)
			if err != nil {
				return
			}
			select {
			case r.heard <- string(buf[:n]):
			default:
			}
		}
	}()
	return r
}

func (r *rude) ask(method string, cseq int, headers ...string) string {
	a := ask{method: method, cseq: cseq, call: r.id, branch: fmt.Sprintf("%s%s%d", r.id, method, cseq), via: r.via, to: r.tag, headers: headers}
	if method == "INVITE" {
		a.body = offer
	}
	if method == "CANCEL" {
		a.branch, a.to = r.id+"INVITE1", ""
	}
	return strings.Replace(a.String(), "<sip:alice@192.0.2.9:5060>", r.contact, 1)
}

// live is one call of a rude caller.
func (r *rude) live() {
	var extra []string
	if r.rng.IntN(2) == 0 {
		extra = []string{"Supported: 100rel, timer"}
	}
	r.say(r.ask("INVITE", 1, extra...))
	gone := time.NewTimer(time.Duration(r.rng.IntN(700)) * time.Millisecond)
	defer gone.Stop()
	cseq := 1
	left := false
	end := time.NewTimer(5 * time.Second)
	defer end.Stop()
	for {
		select {
		case text := <-r.heard:
			r.react(text, left, &cseq)
		case <-gone.C:
			left = true
			switch {
			case r.way == leaveSilently:
				r.linger()
				return
			case r.way == leaveBrutally:
				r.leave()
				return
			case r.up:
				cseq++
				r.say(r.ask("BYE", cseq))
			default:
				r.say(r.ask("CANCEL", 1))
			}
		case <-end.C:
			r.leave()
			return
		}
	}
}

// linger keeps the connection open without a word, as a phone without power does.
func (r *rude) linger() {
	time.Sleep(3 * time.Second)
	r.leave()
}

// react answers as a phone does.
func (r *rude) react(text string, left bool, cseq *int) {
	switch first := status(text); {
	case strings.HasPrefix(first, "BYE"), strings.HasPrefix(first, "UPDATE"):
		r.say(reply(text, "200 OK", ""))
	case value(text, "RSeq") != "":
		r.tag = toTag(text)
		*cseq++
		r.say(r.ask("PRACK", *cseq, "RAck: "+value(text, "RSeq")+" 1 INVITE"))
	case strings.HasSuffix(value(text, "CSeq"), " INVITE") && strings.HasPrefix(first, "2"):
		r.tag = toTag(text)
		r.say(r.ask("ACK", 1))
		if left && !r.up { // it crossed our CANCEL
			*cseq++
			r.say(r.ask("BYE", *cseq))
		}
		r.up = true
	case strings.HasSuffix(value(text, "CSeq"), " INVITE") && first[0] > '2':
		r.tag = toTag(text)
		ack := ask{method: "ACK", call: r.id, branch: r.id + "INVITE1", via: r.via, to: r.tag}
		r.say(ack.String())
	}
}

// ending is what one call told about its end.
type ending struct {
	ear  siptest.Ear
	hung atomic.Bool // its owner missed its media and hung up
}

// Five hundred callers leave at random moments by CANCEL, BYE, silence and closed
// sockets, over UDP and TCP: afterwards nothing is left of them, neither call,
// transaction, connection nor goroutine, and each left one end.
func TestCallersLeaveAtRandomMoments(t *testing.T) {
	const callers = 500
	for _, seed := range []uint64{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd()
			var studio siptest.Studio
			var mu sync.Mutex
			ends := map[string]*ending{}
			e, err := sip.ServeOn(t.Context(), sip.Options{
				NewMedia: studio.NewMedia,
				Answer: func(ctx context.Context, inv sip.Invite) error {
					end := &ending{}
					mu.Lock()
					ends[inv.CallID] = end
					rng := rand.New(rand.NewPCG(seed, uint64(len(ends))))
					mu.Unlock()
					inv.Line.Start(end.ear.Hear)
					if rng.IntN(3) == 0 {
						_ = inv.Call.Early(ctx)
					}
					patience := []time.Duration{time.Second, 40 * time.Second}[rng.IntN(2)]
					time.AfterFunc(patience, func() { // who hears nothing for long hangs up
						end.hung.Store(true)
						inv.Line.Hangup("media_lost")
					})
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(time.Duration(rng.IntN(500)) * time.Millisecond):
						return nil
					}
				},
				MaxConns: callers, MaxConnsPerSource: callers,
			}, c, crowdListener{c})
			require.NoError(t, err)
			var phones sync.WaitGroup
			for i := range callers {
				rng := rand.New(rand.NewPCG(seed, uint64(i)))
				time.Sleep(time.Duration(rng.IntN(5)) * time.Millisecond)
				r := c.connect(i, rng)
				phones.Go(r.live)
			}
			phones.Wait()
			time.Sleep(3 * time.Minute)
			servers, merged, clients, lanes, calls := sip.Held(e)
			require.Zero(t, servers, "server transactions")
			require.Zero(t, merged, "merge keys")
			require.Zero(t, clients, "client transactions")
			require.Zero(t, lanes, "responses in line")
			require.Zero(t, calls, "calls")
			require.Zero(t, e.Stats().Conns, "connections")
			require.Zero(t, e.Stats().Bugs)
			require.Zero(t, studio.Unbalanced(), "media not closed exactly once")
			require.Len(t, ends, callers)
			how := map[string]int{}
			for id, end := range ends {
				told := 0
				for _, f := range end.ear.Facts() {
					if f.Kind == actors.FactLineEnded {
						told++
						how[f.Reason]++
					}
				}
				if told == 0 {
					require.True(t, end.hung.Load(), "%s ended in silence", id)
					how["hung up by us"]++
				}
				require.LessOrEqual(t, told, 1, id)
			}
			for _, way := range []string{"hangup", "canceled", "failed", "hung up by us"} {
				require.Positive(t, how[way], way)
			}
			t.Logf("figure: seed %d, %d callers left: %v", seed, callers, how)
			require.NoError(t, e.Close())
		})
	}
}
