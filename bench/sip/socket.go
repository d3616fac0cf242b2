package sip

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"flametree/engine/fault"
)

// socket is where some of the callers are.
type socket struct {
	name   string // address:port
	target string
	at     netip.AddrPort
	conn   *net.UDPConn
	media  *net.UDPConn // takes the sound of all its calls; nobody listens to it
	done   chan struct{}

	mu    sync.Mutex // guards calls
	calls map[string]*call
}

// room is for bursts while the reader is not scheduled.
const room = 4 << 20

// open binds a socket on an address of the loopback of its own, so that what one
// source may send is no limit here.
func open(target netip.AddrPort, i int) (*socket, error) {
	at := &net.UDPAddr{IP: net.IPv4(127, 0, 0, byte(1+i))}
	conn, err := net.ListenUDP("udp4", at)
	if err != nil {
		return nil, fmt.Errorf("callers: %w: %w", fault.Unavailable, err)
	}
	media, err := net.ListenUDP("udp4", at)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("callers: %w: %w", fault.Unavailable, err)
	}
	_ = conn.SetReadBuffer(room)     // less is a loss that retransmission shows
	_ = media.SetReadBuffer(1 << 12) // what is not read is thrown away
	s := &socket{
		name: conn.LocalAddr().String(), target: target.String(), at: target, conn: conn, media: media,
		done: make(chan struct{}), calls: make(map[string]*call),
	}
	go s.listen()
	return s, nil
}

// sound is the port that callers name for RTP.
func (s *socket) sound() int { return s.media.LocalAddr().(*net.UDPAddr).Port }

func (s *socket) close() {
	_, _ = s.conn.Close(), s.media.Close()
	<-s.done
}

func (s *socket) know(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[c.id] = c
}

func (s *socket) drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, id)
}

func (s *socket) send(text string) {
	_, _ = s.conn.WriteToUDPAddrPort([]byte(text), s.at) // what is lost is sent again
}

// listen gives each message to its call until the socket is closed.
func (s *socket) listen() {
	defer close(s.done)
	buf := make([]byte, 1<<16)
	for {
		n, _, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		m, ok := read(buf[:n])
		if !ok {
			continue
		}
		if m.code == 0 && m.method != "ACK" {
			s.send("SIP/2.0 200 OK\r\n" + strings.Join(m.echo, "\r\n") + "\r\nContent-Length: 0\r\n\r\n")
		}
		s.mu.Lock()
		c := s.calls[m.callID]
		s.mu.Unlock()
		if c == nil {
			continue
		}
		select {
		case c.in <- m:
		default: // a call that does not read is lost anyway
		}
	}
}
