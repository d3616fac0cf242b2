package turnd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"flametree/engine/fault"
)

// peers are the only addresses there are.
type peers struct {
	at    map[netip.AddrPort]netip.AddrPort // shown → where it is reached
	shown map[netip.AddrPort]netip.AddrPort // where it is reached → shown
	hosts map[netip.Addr]bool               // shown
}

func newPeers(list []Peer) peers {
	p := peers{map[netip.AddrPort]netip.AddrPort{}, map[netip.AddrPort]netip.AddrPort{}, map[netip.Addr]bool{}}
	for _, one := range list {
		at := plain(one.At)
		if !at.IsValid() {
			at = plain(one.Shown)
		}
		p.at[plain(one.Shown)], p.shown[at], p.hosts[plain(one.Shown).Addr()] = at, plain(one.Shown), true
	}
	return p
}

// plain is an address without the form of a mapped one and without a zone.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// permit decides on permissions and channels. Ports are the relay's part.
func (s *Server) permit(_ net.Addr, ip net.IP) bool {
	addr, ok := netip.AddrFromSlice(ip)
	if ok && !addr.Is4In6() && s.peers.hosts[addr] {
		return true
	}
	s.forbidden.Add(1)
	return false
}

// authenticate gives the key that a request must have been signed with. What it
// refuses and what is signed with another key look alike from outside.
func (s *Server) authenticate(r *turn.RequestAttributes) (userID string, key []byte, ok bool) {
	session, ok := s.admit(r.Username, r.Method == stun.MethodAllocate, time.Now())
	if !ok {
		s.denied.Add(1)
		return "", nil, false
	}
	return session, turn.GenerateAuthKey(r.Username, s.o.Realm, password(s.o.Secret, r.Username)), true
}

// admit says whose name it is, when that one may go on. Credentials that have
// run out open nothing, but serve what is open.
func (s *Server) admit(name string, opens bool, now time.Time) (session string, ok bool) {
	until, session, ok := parseName(name)
	if !ok || until.After(now.Add(s.o.TTL+time.Second)) { // none of ours is valid for longer
		return "", false
	}
	if now.Before(until) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, gone := s.gone[session]
		return session, !gone
	}
	return session, !opens && s.has(session) > 0
}

// has counts the allocations of a session.
func (s *Server) has(session string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count(session)
}

func (s *Server) count(session string) int {
	n := 0
	for r := range s.relays {
		if r.session == session {
			n++
		}
	}
	return n
}

// quota answers 486 where an allocation would be refused for its number.
func (s *Server) quota(session, _ string, _ net.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room(session) {
		return true
	}
	s.exhausted.Add(1)
	return false
}

func (s *Server) room(session string) bool {
	_, gone := s.gone[session]
	return !gone && len(s.relays) < s.o.Total && s.count(session) < s.o.PerSession
}

// Validate implements turn.RelayAddressGenerator.
func (s *Server) Validate() error { return nil }

// AllocatePacketConn implements turn.RelayAddressGenerator: it opens the
// relayed socket of a session.
func (s *Server) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	if c.UserID == "" || c.RequestedPort != 0 { // an even port, tried out or reserved
		return nil, nil, fmt.Errorf("turn allocation with a port of the client's choice: %w", fault.Denied)
	}
	if (c.Network == "udp4") != s.bind.Is4() {
		return nil, nil, fmt.Errorf("turn allocation on %s: the server is on %v: %w", c.Network, s.bind, fault.Invalid)
	}
	pc, err := net.ListenUDP(c.Network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.bind, 0)))
	if err != nil {
		return nil, nil, fmt.Errorf("turn allocation: %w: %w", fault.Unavailable, err)
	}
	now := time.Now()
	r := &relay{UDPConn: pc, server: s, session: c.UserID, upward: bucket{rate: s.o.Rate}, downward: bucket{rate: s.o.Rate}}
	r.upward.fill(now)
	r.downward.fill(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() || !s.room(c.UserID) { // another stream was quicker
		_ = pc.Close()
		s.exhausted.Add(1)
		return nil, nil, fmt.Errorf("turn allocation: no room: %w", fault.Exhausted)
	}
	s.relays[r] = struct{}{}
	s.going.Add(1)
	s.opened.Add(1)
	r.end = time.AfterFunc(s.o.Life, func() { _ = pc.Close() })
	addr := pc.LocalAddr().(*net.UDPAddr)
	if s.o.Public.IsValid() {
		addr = &net.UDPAddr{IP: s.o.Public.AsSlice(), Port: addr.Port}
	}
	return r, addr, nil
}

// AllocateListener implements turn.RelayAddressGenerator: there is no TCP
// towards peers.
func (s *Server) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, fmt.Errorf("turn allocation over tcp: %w", fault.Denied)
}

// AllocateConn implements turn.RelayAddressGenerator, as AllocateListener.
func (s *Server) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) {
	return nil, fmt.Errorf("turn connection to a peer: %w", fault.Denied)
}

// relay is the relayed socket of one allocation. It knows peers only. One
// goroutine reads, any may write.
type relay struct {
	*net.UDPConn
	server  *Server
	session string
	end     *time.Timer
	closed  sync.Once
	gone    sync.Once

	downward bucket // the reader's

	mu     sync.Mutex // guards upward
	upward bucket
}

// ReadFrom implements net.PacketConn: the next packet of a peer, under the
// address by which the browser knows it. Its end is the allocation's.
func (r *relay) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := r.ReadFromUDPAddrPort(b)
		if err != nil {
			r.leave()
			return 0, nil, err
		}
		shown, ok := r.server.peers.shown[plain(from)]
		switch {
		case !ok:
			r.server.strayed.Add(1)
		case !r.downward.take(time.Now(), n):
			r.server.throttled.Add(1)
		default:
			r.server.down.Add(uint64(n))
			return n, net.UDPAddrFromAddrPort(shown), nil
		}
	}
}

// WriteTo implements net.PacketConn. What is not for a peer, or too much, is
// dropped as the network would drop it: the sender must not learn which ports
// there are.
func (r *relay) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("relay to %T: %w", to, fault.Bug)
	}
	at, ok := r.server.peers.at[plain(u.AddrPort())]
	if !ok {
		r.server.strayed.Add(1)
		return len(b), nil
	}
	r.mu.Lock()
	free := r.upward.take(time.Now(), len(b))
	r.mu.Unlock()
	if !free {
		r.server.throttled.Add(1)
		return len(b), nil
	}
	r.server.up.Add(uint64(len(b)))
	if n, err := r.WriteToUDPAddrPort(b, at); errors.Is(err, net.ErrClosed) {
		return n, err
	}
	return len(b), nil // a refusal that came back by ICMP is not the sender's to know
}

// leave counts the allocation out.
func (r *relay) leave() {
	r.closed.Do(func() {
		r.end.Stop()
		r.server.mu.Lock()
		delete(r.server.relays, r)
		r.server.mu.Unlock()
	})
}

// Close implements net.PacketConn: pion calls it when the allocation goes, once
// or more.
func (r *relay) Close() error {
	r.leave()
	r.gone.Do(r.server.going.Done)
	return r.UDPConn.Close()
}

// bucket lets rate bytes a second through, and what two seconds held.
type bucket struct {
	rate  int
	since time.Time
	left  float64
}

func (b *bucket) fill(now time.Time) { b.since, b.left = now, 2*float64(b.rate) }

func (b *bucket) take(now time.Time, n int) bool {
	b.left = min(b.left+now.Sub(b.since).Seconds()*float64(b.rate), 2*float64(b.rate))
	b.since = now
	if b.left < float64(n) {
		return false
	}
	b.left -= float64(n)
	return true
}
