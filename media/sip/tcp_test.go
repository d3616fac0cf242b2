package sip_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/sip"
)

// line is a TCP connection of a phone.
type line struct {
	net.Conn
	t *testing.T
}

func (h *house) connect(t *testing.T) *line {
	t.Helper()
	_, tcp := h.Addrs()
	conn, err := net.Dial("tcp", tcp.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &line{Conn: conn, t: t}
}

func (l *line) say(text string) {
	l.t.Helper()
	_, err := io.WriteString(l, text)
	require.NoError(l.t, err)
}

// hears reads until the connection brought all of the texts, in order.
func (l *line) hears(texts ...string) string {
	l.t.Helper()
	require.NoError(l.t, l.SetReadDeadline(time.Now().Add(3*time.Second)))
	var got strings.Builder
	buf := make([]byte, 4096)
	for {
		rest, ok := got.String(), true
		for _, text := range texts {
			_, after, found := strings.Cut(rest, text)
			rest, ok = after, ok && found
		}
		if ok {
			return got.String()
		}
		n, err := l.Read(buf)
		got.Write(buf[:n])
		require.NoError(l.t, err, "heard %q, want %q", got.String(), texts)
	}
}

// ends says that the server closes the connection.
func (l *line) ends() {
	l.t.Helper()
	require.NoError(l.t, l.SetReadDeadline(time.Now().Add(3*time.Second)))
	_, err := io.Copy(io.Discard, l)
	require.NoError(l.t, err)
}

func tcpAsk(method, call string) string {
	return ask{method: method, via: "SIP/2.0/TCP 127.0.0.1:9", call: call, branch: call}.String()
}

// Messages in pieces and messages in one write are the same messages.
func TestStreamOfMessages(t *testing.T) {
	h := open(t, nil)
	l := h.connect(t)
	text := tcpAsk("OPTIONS", "one")
	for i := range len(text) {
		l.say(text[i : i+1])
	}
	l.hears("SIP/2.0 200 OK", "Call-ID: one")
	l.say(tcpAsk("OPTIONS", "two") + "\r\n" + tcpAsk("FROBNICATE", "three") + tcpAsk("OPTIONS", "four"))
	l.hears("200 OK", "Call-ID: two", "501 Not Implemented", "Call-ID: three", "200 OK", "Call-ID: four")
}

// Two line ends are a ping, answered by one; a single NUL or line end is not.
func TestKeepAlives(t *testing.T) {
	h := open(t, nil)
	l := h.connect(t)
	l.say("\r\n\r\n")
	l.hears("\r\n")
	l.say("\x00")
	l.say("\r\n")
	l.say(tcpAsk("OPTIONS", "after"))
	require.True(t, strings.HasPrefix(l.hears("Call-ID: after"), "SIP/2.0 200 OK"))
}

// A malformed message that can be measured is refused and the stream goes on;
// one that cannot ends the connection, with an answer where there is one.
func TestBrokenStreams(t *testing.T) {
	h := open(t, nil)
	l := h.connect(t)
	l.say(strings.Replace(tcpAsk("OPTIONS", "bad"), "CSeq: 1 OPTIONS", "CSeq: 1 INVITE", 1))
	l.hears("400 CSeq method does not match the request line")
	l.say(tcpAsk("OPTIONS", "good"))
	l.hears("200 OK")
	for name, test := range map[string]struct{ send, hears string }{
		"negative length":  {strings.Replace(tcpAsk("OPTIONS", "n"), "Length: 0", "Length: -1", 1), "400 Content-Length is not a number"},
		"no length":        {strings.Replace(tcpAsk("OPTIONS", "m"), "Content-Length: 0\r\n", "", 1), "400 Missing Content-Length header"},
		"two lengths":      {strings.Replace(tcpAsk("OPTIONS", "d"), "Length: 0", "Length: 0\r\nl: 5", 1), "400 More than one Content-Length header"},
		"huge body":        {strings.Replace(tcpAsk("OPTIONS", "h"), "Length: 0", "Length: 70000", 1), "513 Message Too Large"},
		"absurd body":      {strings.Replace(tcpAsk("OPTIONS", "a"), "Length: 0", "Length: 99999999999999999999", 1), "400 Content-Length is not a number"},
		"endless header":   {"OPTIONS sip:x@y SIP/2.0\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 70), ""},
		"another protocol": {"GET / HTTP/1.1\r\n", ""},
		"noise":            {strings.Repeat("\x16\x03", 6000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := h.connect(t)
			l.say(test.send)
			if test.hears != "" {
				l.hears(test.hears)
			}
			l.ends()
		})
	}
}

// A call over a connection that broke is ended over a new one.
func TestConnectionLostDuringCall(t *testing.T) {
	h := open(t, nil)
	back, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer back.Close()
	l := h.connect(t)
	text := invite()
	text.via = "SIP/2.0/TCP 127.0.0.1:9"
	l.say(strings.Replace(text.String(), "<sip:alice@192.0.2.9:5060>", "<sip:alice@"+back.Addr().String()+";transport=tcp>", 1))
	got := l.hears("SIP/2.0 200 OK", "\r\n\r\n")
	l.say(ask{method: "ACK", via: text.via, to: toTag(got)}.String())
	inv, ear := <-h.invites, <-h.ears
	eventually(t, "up", func() bool { return len(ear.Kinds()) == 1 })
	require.NoError(t, l.Close())
	eventually(t, "the loss is noticed", func() bool { return h.Stats().Conns == 0 })
	require.Equal(t, 1, h.Stats().Live, "the call outlives its connection")
	inv.Line.Hangup("completed")
	conn, err := back.Accept()
	require.NoError(t, err)
	again := &line{Conn: conn, t: t}
	defer conn.Close()
	bye := again.hears("BYE sip:alice@", "\r\n\r\n")
	again.say("SIP/2.0 200 OK\r\nVia: " + value(bye, "Via") + "\r\nFrom: " + value(bye, "From") + "\r\nTo: " + value(bye, "To") +
		"\r\nCall-ID: c1\r\nCSeq: " + value(bye, "CSeq") + "\r\nContent-Length: 0\r\n\r\n")
	eventually(t, "over", func() bool { return h.Stats().Live == 0 })
}

// More connections than allowed are closed at once.
func TestConnectionsAreBounded(t *testing.T) {
	h := open(t, func(o *sip.Options) { o.MaxConns = 1 })
	first := h.connect(t)
	first.say(tcpAsk("OPTIONS", "one"))
	first.hears("200 OK")
	h.connect(t).ends()
	first.say(tcpAsk("OPTIONS", "two"))
	first.hears("200 OK")
}

// The 200 is repeated over TCP too (RFC 3261 13.3.1.4): the ACK may be lost at a
// proxy further on.
func TestLostAckOverTCP(t *testing.T) {
	h := open(t, nil)
	l := h.connect(t)
	text := invite()
	text.via = "SIP/2.0/TCP 127.0.0.1:9"
	l.say(text.String())
	l.hears("SIP/2.0 200 OK", "SIP/2.0 200 OK", "SIP/2.0 200 OK", "BYE sip:alice@")
}
