package sip

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// outgoing is a client transaction and whether anything came back.
type outgoing struct {
	tx   *sip.ClientTx
	link link
	seen atomic.Bool
}

// hurried is a link whose transactions end early when nobody shows itself: there
// is another address to try (RFC 3263 4.3).
type hurried struct {
	link
	within time.Duration
}

// client starts a client transaction; again is called when a 2xx to an INVITE
// comes again, and may be nil.
func (e *Endpoint) client(l link, req *sip.Request, again func(*sip.Response)) (*sip.ClientTx, error) {
	l, quick := plainLink(l)
	l = e.congestionFree(l, req)
	key, err := sip.ClientTxKeyMake(req)
	if err != nil {
		return nil, fmt.Errorf("sip request: %w: %w", err, fault.Bug)
	}
	out := &outgoing{tx: sip.NewClientTx(key, req, l, e.quiet), link: l}
	tx := out.tx
	var impatient *time.Timer
	if quick > 0 {
		impatient = time.AfterFunc(quick, func() {
			if !out.seen.Load() {
				tx.Terminate()
			}
		})
	}
	tx.OnTerminate(func(string, error) {
		if impatient != nil {
			impatient.Stop()
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.clients, key)
	})
	if again != nil {
		tx.OnRetransmission(again)
	}
	e.mu.Lock()
	sealed := e.sealed
	if !sealed {
		e.clients[key] = out
	}
	e.mu.Unlock()
	if sealed {
		tx.Terminate()
		return nil, errCallOver()
	}
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, fmt.Errorf("send sip request: %w: %w", err, fault.Unavailable)
	}
	return tx, nil
}

func plainLink(l link) (link, time.Duration) {
	if h, ok := l.(hurried); ok {
		return h.link, h.within
	}
	return l, 0
}

// mostDatagram is the longest request sent in a datagram when nothing is known
// of the path (RFC 3261 18.1.1).
const mostDatagram = 1300

// congestionFree moves a request that is too long for a datagram to TCP
// (RFC 3261 18.1.1), when we listen there and the peer does too; otherwise it
// stays and is cut into fragments. CANCEL follows its INVITE.
func (e *Endpoint) congestionFree(l link, req *sip.Request) link {
	if l.network() != netUDP {
		return l
	}
	if req.Method == sip.CANCEL {
		return e.linkOfInvite(l, req)
	}
	var b bytes.Buffer
	req.StringWrite(&b)
	_, tcp := e.Addrs()
	if b.Len() <= mostDatagram || !tcp.IsValid() || e.noTCP(l.source()) {
		return l
	}
	ctx, stop := context.WithTimeout(context.Background(), longWait) // the request has no context of its own
	defer stop()
	t, err := e.linkTo(ctx, netTCP, l.source())
	if err != nil {
		e.rememberNoTCP(l.source())
		e.log.Debug("sip peer takes no tcp: long request in fragments", "err", err)
		return l
	}
	req.SetTransport(netTCP)
	if via := req.Via(); via != nil {
		via.Transport, via.Port = netTCP, e.contactPort(t)
	}
	return t
}

const (
	// longWait is short: most peers without TCP refuse at once, the rest sit behind
	// a firewall that says nothing while the caller waits.
	longWait = 750 * time.Millisecond
	// noTCPFor is how long a refusal is remembered.
	noTCPFor = 10 * time.Minute
)

func (e *Endpoint) noTCP(to netip.AddrPort) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Now().Before(e.udpOnly[to])
}

func (e *Endpoint) rememberNoTCP(to netip.AddrPort) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.udpOnly) > 1024 || e.udpOnly == nil {
		e.udpOnly = make(map[netip.AddrPort]time.Time)
	}
	e.udpOnly[to] = time.Now().Add(noTCPFor)
}

// linkOfInvite is the way the INVITE went that a CANCEL is for.
func (e *Endpoint) linkOfInvite(l link, cancel *sip.Request) link {
	branch, _ := cancel.Via().Params.Get("branch")
	key := branch + sip.TxSeperator + string(sip.INVITE) // as sip.ClientTxKeyMake writes it
	e.mu.Lock()
	defer e.mu.Unlock()
	if out := e.clients[key]; out != nil {
		return out.link
	}
	return l
}

// ask sends a request other than INVITE and ACK and waits for its final
// response, 64 T1 at most.
func (e *Endpoint) ask(l link, req *sip.Request) (*sip.Response, error) {
	tx, err := e.client(l, req, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	most := time.NewTimer(64 * e.opt.T1)
	defer most.Stop()
	for {
		select {
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				return res, nil
			}
		case <-tx.Done():
			return nil, noAnswer(tx.Err())
		case <-most.C:
			return nil, fmt.Errorf("no answer: %w", fault.Unavailable)
		}
	}
}
