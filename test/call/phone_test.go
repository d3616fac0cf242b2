package call_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// handset is a telephone of our own hand: it shares nothing with the program,
// not even a codec table, and can be as rude as a test needs it.
type handset struct {
	t      *testing.T
	sip    *net.UDPConn
	rtp    *net.UDPConn
	agent  string
	from   string
	server string
	id     string
	law    *law

	mu     sync.Mutex
	cseq   int
	remote string // tag
	target *net.UDPAddr
	say    []int16
	keys   []event // packets of pressed keys
	mute   bool    // sends nothing at all
	quit   bool
	heard  side
	last   string // of the responses
	header string
	ended  bool // the other side sent BYE
	body   string
	more   chan struct{}
	work   sync.WaitGroup
	stamp  uint32
	seq    uint16
	laws   map[uint8]*law
}

// event is one packet of a pressed key (RFC 4733 2.3).
type event struct {
	data   [4]byte
	marker bool
	first  bool // its timestamp is that of the frame it replaces
}

// dialling is what a handset may say otherwise than usual.
type dialling struct {
	agent, from string
	law         *law
	offer       string // description in place of the usual
}

// dial makes a handset and places a call; it returns the final status.
func dial(t *testing.T, s *house.Server, d dialling) (*handset, int) {
	t.Helper()
	if d.law == nil {
		d.law = muLaw()
	}
	h := &handset{
		t: t, agent: d.agent, from: d.from, server: s.SIP, law: d.law, id: fmt.Sprintf("%s-%d@handset", d.from, time.Now().UnixNano()),
		more: make(chan struct{}), laws: laws(), stamp: 1000, seq: 65500,
	}
	to, err := net.ResolveUDPAddr("udp", s.SIP)
	require.NoError(t, err)
	h.sip, err = net.DialUDP("udp", nil, to)
	require.NoError(t, err)
	h.rtp, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	h.work.Go(h.signals)
	h.work.Go(h.listen)
	h.work.Go(h.speak)
	t.Cleanup(h.close)
	if d.offer == "" {
		d.offer = h.describe("sendrecv")
	}
	code := h.invite(d.offer)
	return h, code
}

func (h *handset) describe(direction string) string {
	return fmt.Sprintf("v=0\r\no=- 1 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %s RTP/AVP %d 101\r\n"+
		"a=rtpmap:%d %s/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=%s\r\n",
		h.cseq+1, port(h.t, h.rtp.LocalAddr().String()), h.law.payload, h.law.payload, h.law.name, direction)
}

// invite sends an INVITE within or outside of the call and acknowledges the answer.
func (h *handset) invite(offer string) int {
	h.t.Helper()
	code := h.ask("INVITE", offer)
	h.send("ACK", "")
	if code == 200 {
		h.mu.Lock()
		defer h.mu.Unlock()
		p, err := strconv.Atoi(field([]byte(h.body), `(?m)^m=audio (\d+) `))
		require.NoError(h.t, err, "%s", h.body)
		h.target = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p}
	}
	return code
}

// ask sends a request until a final response comes and returns its status.
func (h *handset) ask(method, body string) int {
	h.t.Helper()
	h.mu.Lock()
	h.cseq++
	h.last = ""
	h.mu.Unlock()
	until := time.Now().Add(8 * time.Second)
	for time.Now().Before(until) {
		h.send(method, body)
		code := 0
		_ = h.wait(500*time.Millisecond, func() bool {
			code, _ = strconv.Atoi(h.last)
			return code >= 200
		})
		if code >= 200 {
			return code
		}
	}
	h.t.Fatalf("no answer to %s", method)
	return 0
}

func (h *handset) send(method, body string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	tag := ""
	if h.remote != "" {
		tag = ";tag=" + h.remote
	}
	typ := ""
	if body != "" {
		typ = "Content-Type: application/sdp\r\n"
	}
	local := h.sip.LocalAddr().String()
	_, _ = fmt.Fprintf(h.sip, "%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s%d\r\nFrom: \"%s\" <sip:%s@%s>;tag=h1\r\n"+ // it is repeated when it is lost
		"To: <sip:%s@%s>%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:%s@%s>\r\nMax-Forwards: 70\r\n%sContent-Length: %d\r\n\r\n%s",
		method, h.agent, h.server, local, strings.TrimSuffix(h.id, "@handset"), h.cseq, h.from, h.from, local,
		h.agent, h.server, tag, h.id, h.cseq, method, h.from, local, typ, len(body), body)
}

// signals reads responses, and answers requests of the other side.
func (h *handset) signals() {
	buf := make([]byte, 8192)
	for {
		n, err := h.sip.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // nobody listens there any more
		}
		text := string(buf[:n])
		head, body, _ := strings.Cut(text, "\r\n\r\n")
		h.mu.Lock()
		if strings.HasPrefix(text, "SIP/2.0 ") {
			if field(buf[:n], `(?im)^CSeq:\s*(\d+)`) == strconv.Itoa(h.cseq) {
				h.last, h.header = text[8:11], head
				if tag := field(buf[:n], `(?im)^To:.*;tag=([^;\s]+)`); tag != "" {
					h.remote = tag
				}
				if body != "" {
					h.body = body
				}
			}
		} else if !strings.HasPrefix(text, "ACK") {
			h.ended = h.ended || strings.HasPrefix(text, "BYE")
			_, _ = h.sip.Write([]byte(respond(head)))
		}
		h.changed()
		h.mu.Unlock()
	}
}

// respond says 200 to a request.
func respond(head string) string {
	out := "SIP/2.0 200 OK\r\n"
	for line := range strings.SplitSeq(head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "via", "from", "to", "call-id", "cseq":
			out += line + "\r\n"
		}
	}
	return out + "Content-Length: 0\r\n\r\n"
}

// changed wakes who waits; the lock is held.
func (h *handset) changed() {
	close(h.more)
	h.more = make(chan struct{})
}

// wait waits until cond, which is asked with the lock held.
func (h *handset) wait(most time.Duration, cond func() bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for {
		h.mu.Lock()
		ok, more := cond(), h.more
		h.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *handset) listen() {
	buf := make([]byte, 2048)
	for {
		n, _, err := h.rtp.ReadFromUDP(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if p, ok := parseRTP(time.Now(), buf[:n], h.laws); ok {
			h.mu.Lock()
			h.heard = append(h.heard, p)
			h.changed()
			h.mu.Unlock()
		}
	}
}

// speak sends a packet every 20 ms: a key, sound or silence.
func (h *handset) speak() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	started := uint32(0) // timestamp of the key that is down
	for range tick.C {
		h.mu.Lock()
		if h.quit {
			h.mu.Unlock()
			return
		}
		to, mute, stamp := h.target, h.mute, h.stamp
		h.stamp += frameSize
		kind, marker, payload := h.law.payload, false, []byte(nil)
		if len(h.keys) > 0 {
			k := h.keys[0]
			h.keys = h.keys[1:]
			if k.first {
				started = stamp
			}
			kind, marker, payload, stamp = 101, k.marker, k.data[:], started
		} else {
			frame := make([]int16, frameSize)
			n := copy(frame, h.say)
			h.say = h.say[n:]
			payload = h.law.encode(frame)
		}
		if to == nil || mute {
			h.mu.Unlock()
			continue
		}
		b := []byte{
			0x80, kind, byte(h.seq >> 8), byte(h.seq), byte(stamp >> 24), byte(stamp >> 16), byte(stamp >> 8), byte(stamp), 0xca, 0xfe, 0, 1,
		}
		if marker {
			b[1] |= 0x80
		}
		h.seq++
		h.changed()
		h.mu.Unlock()
		_, _ = h.rtp.WriteToUDP(append(b, payload...), to)
	}
}

// press queues the packets of a key: eight while it is down, three for its end.
func (h *handset) press(key byte, marker bool) {
	code := byte(strings.IndexByte("0123456789*#ABCD", key))
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range 11 {
		d, end := min(i+1, 8)*frameSize, byte(0)
		if i >= 8 {
			end = 0x80
		}
		h.keys = append(h.keys, event{data: [4]byte{code, end | 10, byte(d >> 8), byte(d)}, marker: marker && i == 0, first: i == 0})
	}
}

// pressed waits until all keys were sent.
func (h *handset) pressed() {
	require.NoError(h.t, h.wait(5*time.Second, func() bool { return len(h.keys) == 0 }))
}

// talk says something and waits until it was sent.
func (h *handset) talk(pcm []int16) {
	h.t.Helper()
	h.mu.Lock()
	h.say = append(h.say, pcm...)
	h.mu.Unlock()
	require.NoError(h.t, h.wait(lasts(pcm)+5*time.Second, func() bool { return len(h.say) == 0 }))
}

// silence switches the sending of packets off and on.
func (h *handset) silence(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mute = on
}

// sound is what was heard so far.
func (h *handset) sound() side {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(side(nil), h.heard...)
}

// spoken waits until the other side has spoken since then and been quiet for a while.
func (h *handset) spoken(since time.Time, quiet time.Duration) spurt {
	h.t.Helper()
	var got spurt
	err := h.wait(20*time.Second, func() bool {
		n := len(h.heard)
		if n == 0 {
			return false
		}
		s := h.heard.since(since).spurts(quiet)
		if len(s) == 0 || h.heard[n-1].at.Sub(s[0].last) < quiet {
			return false
		}
		got = s[0]
		return true
	})
	require.NoError(h.t, err, "the agent did not speak")
	return got
}

// bye hangs up.
func (h *handset) bye() {
	h.t.Helper()
	require.Equal(h.t, 200, h.ask("BYE", ""))
	h.mu.Lock()
	h.target = nil
	h.mu.Unlock()
}

// hungUp waits for the other side to end the call.
func (h *handset) hungUp(most time.Duration) {
	h.t.Helper()
	require.NoError(h.t, h.wait(most, func() bool { return h.ended }), "the agent did not hang up")
}

func (h *handset) close() {
	h.mu.Lock()
	h.quit = true
	h.mu.Unlock()
	_ = h.sip.Close()
	_ = h.rtp.Close()
	h.work.Wait()
}
