package sip_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/sip"
	"flametree/media/sip/siptest"
)

// wire is a UDP socket in memory, and the phone at its other end. It works
// inside a synctest bubble, where time only passes when everybody waits.
type wire struct {
	in     chan []byte
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex // guards sent
	sent []packet
}

type packet struct {
	at   time.Time
	text string
	to   netip.AddrPort
}

func phone() netip.AddrPort { return netip.MustParseAddrPort("192.0.2.9:5060") }

func (w *wire) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case p := <-w.in:
		return copy(b, p), phone(), nil
	case <-w.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (w *wire) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, packet{at: time.Now(), text: string(b), to: to})
	return len(b), nil
}

func (w *wire) LocalAddr() net.Addr {
	return net.UDPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:5060"))
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

// say sends a message to the endpoint and gives what came back at once.
func (w *wire) say(text string) []string {
	w.in <- []byte(text)
	return w.heard()
}

// heard gives what the endpoint sent since the last time.
func (w *wire) heard() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, p := range w.sent {
		out = append(out, p.text)
	}
	w.sent = nil
	return out
}

// stage is an endpoint on a wire, inside a bubble.
type stage struct {
	*wire
	e       *sip.Endpoint
	studio  siptest.Studio
	invites []sip.Invite
	ear     siptest.Ear
	answer  func(context.Context, sip.Invite) error
	t       *testing.T
}

// onStage runs a test in a bubble, with an endpoint that takes every call.
func onStage(t *testing.T, change func(*sip.Options), f func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{wire: &wire{in: make(chan []byte), closed: make(chan struct{})}}
		o := sip.Options{NewMedia: s.studio.NewMedia, Answer: func(ctx context.Context, inv sip.Invite) error {
			s.invites = append(s.invites, inv)
			inv.Line.Start(s.ear.Hear)
			if s.answer != nil {
				return s.answer(ctx, inv)
			}
			return nil
		}}
		if change != nil {
			change(&o)
		}
		e, err := sip.ServeOn(t.Context(), o, s.wire, nil)
		require.NoError(t, err)
		s.e = e
		defer func() {
			require.NoError(t, e.Close())
			require.Zero(t, s.studio.Unbalanced(), "media not closed exactly once")
			require.Zero(t, e.Stats().Bugs)
		}()
		f(t, s)
	})
}

// ask is one request of the phone; empty fields get usual values.
type ask struct {
	method, branch, uri, to, via string
	cseq                         int
	headers                      []string
	body                         string
	call                         string
	noType                       bool
}

const offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n" +
	"m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"

func (a ask) String() string {
	or := func(v, d string) string {
		if v == "" {
			return d
		}
		return v
	}
	if a.cseq == 0 {
		a.cseq = 1
	}
	a.branch = or(a.branch, fmt.Sprintf("%s%d", a.method, a.cseq))
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\n", a.method, or(a.uri, "sip:bank@192.0.2.1"))
	fmt.Fprintf(&b, "Via: %s;branch=z9hG4bK%s\r\n", or(a.via, "SIP/2.0/UDP 192.0.2.9:5060"), a.branch)
	fmt.Fprintf(&b, "From: \"A\" <sip:alice@192.0.2.9>;tag=al\r\nTo: <sip:bank@192.0.2.1>%s\r\n", a.to)
	fmt.Fprintf(&b, "Call-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:alice@192.0.2.9:5060>\r\n", or(a.call, "c1"), a.cseq, a.method)
	for _, h := range a.headers {
		b.WriteString(h + "\r\n")
	}
	if a.body != "" && !a.noType && !strings.Contains(strings.Join(a.headers, "\n"), "Content-Type") {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(a.body), a.body)
	return b.String()
}

func invite() ask { return ask{method: "INVITE", body: offer} }

// status is the code and phrase of a response.
func status(text string) string {
	line, _, _ := strings.Cut(text, "\r\n")
	return strings.TrimPrefix(line, "SIP/2.0 ")
}

func statuses(texts []string) []string {
	var out []string
	for _, text := range texts {
		line, _, _ := strings.Cut(status(text), " sip:")
		out = append(out, line)
	}
	return out
}

// value is the first header of a name in a message.
func value(text, name string) string {
	for line := range strings.SplitSeq(text, "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return v
		}
	}
	return ""
}

// toTag gives the tag parameter of the To header, with its semicolon.
func toTag(text string) string {
	_, tag, _ := strings.Cut(value(text, "To"), ";")
	return ";" + tag
}

// up brings a call up and gives the To tag of its dialog.
func (s *stage) up(t *testing.T) string {
	t.Helper()
	got := s.say(invite().String())
	require.Equal(t, []string{"200 OK"}, statuses(got))
	tag := toTag(got[0])
	require.Empty(t, s.say(ask{method: "ACK", to: tag}.String()))
	return tag
}
