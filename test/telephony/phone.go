package telephony

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/g711"
)

// LineHz is of all sound on a Phone.
const LineHz = 8000

const frameSize = LineHz / 50

// Phone is a telephone for one call at a time over UDP and µ-law, as rude as a
// test needs it. It is safe for concurrent use.
type Phone struct {
	t    testing.TB
	name string
	sip  *net.UDPConn
	rtp  *net.UDPConn
	work sync.WaitGroup

	mu     sync.Mutex // guards what follows
	more   chan struct{}
	closed bool
	dialog dialog
	status map[string]string // head of the last final response, by CSeq
	got    []string          // requests, in order
	told   []string          // what NOTIFYs said, in order
	sdp    string            // of the other side, the last
	hz     float64           // of our tone, 0 = silence
	mute   bool              // sends no packets at all
	say    []int16           // what is still to be said over the tone
	via    *Road             // between us and the other side's sound, nil = nothing
	at     int               // samples sent
	seq    uint16
	ssrc   uint32
	queue  [][]byte // packets to be sent in place of sound
	target *net.UDPAddr
	heard  []int16
	frames int
	ended  bool // by a BYE of the other side
	// Rules of a phone that is called.
	refuse int                     // the status it answers with, 0 = it takes the call
	ringer bool                    // it rings and never answers
	refer  func(head string) []int // what it reports about a REFER; nil: 405
}

// dialog is what a phone knows of its call.
type dialog struct {
	id, ours, theirs string // Call-ID and the URIs with tags
	peer             string // request URI of later requests
	to               *net.UDPAddr
	cseq             int
	callee           bool
}

// NewPhone makes a telephone at an address.
func NewPhone(t testing.TB, name, host string) *Phone {
	t.Helper()
	p := &Phone{t: t, name: name, more: make(chan struct{}), status: make(map[string]string), ssrc: 0x1234, seq: 65000}
	var err error
	p.sip, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
	require.NoError(t, err)
	p.rtp, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
	require.NoError(t, err)
	p.work.Go(p.signals)
	p.work.Go(p.listen)
	p.work.Go(p.speak)
	t.Cleanup(p.Close)
	return p
}

// Addr is where the phone speaks SIP.
func (p *Phone) Addr() string { return p.sip.LocalAddr().String() }

// Media is where the phone wants packets.
func (p *Phone) Media() *net.UDPAddr {
	a, _ := p.rtp.LocalAddr().(*net.UDPAddr)
	return a
}

// Close gives the phone up without a word.
func (p *Phone) Close() {
	p.mu.Lock()
	was := p.closed
	p.closed = true
	p.mu.Unlock()
	if !was {
		_ = p.sip.Close()
		_ = p.rtp.Close()
	}
	p.work.Wait()
}

// Offer is the phone's description of its sound.
func (p *Phone) Offer(direction string) string {
	at := p.Media()
	if p.via != nil {
		at = p.via.Addr()
	}
	return fmt.Sprintf("v=0\r\no=- 1 %d IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"+
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=%s\r\n", time.Now().UnixNano()%1e9, at.IP, at.IP, at.Port, direction)
}

// Dial calls a user of a server and gives the final status; 200 is acknowledged.
func (p *Phone) Dial(server, user string, headers ...string) int {
	p.t.Helper()
	p.Begin(server, user, headers...)
	return p.Taken()
}

// Begin sends the INVITE and returns at once.
func (p *Phone) Begin(server, user string, headers ...string) {
	to, err := net.ResolveUDPAddr("udp", server)
	require.NoError(p.t, err)
	p.mu.Lock()
	p.dialog = dialog{
		id: fmt.Sprintf("%s-%d", p.name, time.Now().UnixNano()), ours: fmt.Sprintf("<sip:%s@%s>;tag=h1", p.name, p.Addr()),
		theirs: fmt.Sprintf("<sip:%s@%s>", user, server), peer: fmt.Sprintf("sip:%s@%s", user, server), to: to, cseq: 1,
	}
	p.ended, p.target, p.got, p.told = false, nil, nil, nil
	clear(p.status)
	p.mu.Unlock()
	p.Send("INVITE", p.Offer("sendrecv"), headers...)
}

// Taken waits for the final answer to the INVITE of Begin.
func (p *Phone) Taken() int {
	p.t.Helper()
	code := p.Final("INVITE", 10*time.Second)
	if code != 0 {
		p.Send("ACK", "")
	}
	if code == 200 {
		p.connect()
	}
	return code
}

// connect begins to send sound where the other side wants it.
func (p *Phone) connect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := mediaOf(p.sdp); at != nil {
		if p.target = at; p.via != nil {
			p.target = p.via.between(p.Media(), at)
		}
	}
}

// Ask sends a request within the call and gives its final status, 0 when none
// comes.
func (p *Phone) Ask(method, body string, headers ...string) int {
	p.mu.Lock()
	p.dialog.cseq++
	p.mu.Unlock()
	p.Send(method, body, headers...)
	code := p.Final(method, 6*time.Second)
	if method == "INVITE" && code != 0 {
		p.Send("ACK", "")
		if code == 200 {
			p.connect()
		}
	}
	return code
}

// Final waits for the final response to the request that was sent last.
func (p *Phone) Final(method string, most time.Duration) int {
	code := 0
	_ = p.Wait(most, func() bool {
		code, _ = strconv.Atoi(p.status[fmt.Sprintf("%d %s", p.dialog.cseq, method)])
		return code >= 200
	})
	return code
}

// Send sends a request of the call. ACK and CANCEL carry the number of the
// INVITE.
func (p *Phone) Send(method, body string, headers ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.dialog
	if len(body) > 0 {
		headers = append(headers, "Content-Type: application/sdp")
	}
	branch := fmt.Sprintf("%s%d", d.id, d.cseq)
	if method == "ACK" && strings.HasPrefix(p.status[fmt.Sprintf("%d INVITE", d.cseq)], "200") {
		branch += "ack"
	}
	text := fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n"+
		"Contact: <sip:%s@%s>\r\nMax-Forwards: 70\r\n", method, d.peer, p.Addr(), branch, d.ours, d.theirs, d.id, d.cseq, method, p.name, p.Addr())
	for _, h := range headers {
		text += h + "\r\n"
	}
	_, _ = p.sip.WriteToUDP([]byte(text+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)), d.to)
}

// Bye hangs up.
func (p *Phone) Bye() {
	p.t.Helper()
	require.Equal(p.t, 200, p.Ask("BYE", ""), "%s hangs up", p.name)
	p.mu.Lock()
	p.target = nil
	p.mu.Unlock()
}

// Gone waits until the other side has hung up.
func (p *Phone) Gone(most time.Duration) {
	p.t.Helper()
	require.NoError(p.t, p.Wait(most, func() bool { return p.ended }), "nobody hangs up on %s", p.name)
}

// ID is the Call-ID of the phone's call.
func (p *Phone) ID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dialog.id
}

// Requests are the heads of what the other side asked for within the call.
func (p *Phone) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.got...)
}

// Told are the first lines of what the other side reported, in order.
func (p *Phone) Told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.told...)
}

// Replacing is the header by which somebody takes the place of the phone in its
// call.
func (p *Phone) Replacing() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, theirs, _ := strings.Cut(p.dialog.theirs, ";tag=")
	_, ours, _ := strings.Cut(p.dialog.ours, ";tag=")
	return fmt.Sprintf("Replaces: %s;to-tag=%s;from-tag=%s", p.dialog.id, theirs, ours)
}

// Up reports whether a call of the phone is answered and goes on.
func (p *Phone) Up() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target != nil && !p.ended
}

// Sing sends a tone from now on, 0 is silence.
func (p *Phone) Sing(hz float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hz = hz
}

// Say says samples at LineHz and waits until they are sent.
func (p *Phone) Say(pcm []int16) {
	p.t.Helper()
	p.mu.Lock()
	p.say = append(p.say, pcm...)
	p.mu.Unlock()
	require.Eventually(p.t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.say) == 0
	}, time.Duration(len(pcm))*time.Second/LineHz+10*time.Second, 10*time.Millisecond)
}

// Intrude has the phone send its sound into another's call, as if it were the
// other: with its source, and with what its next packets will say.
func (p *Phone) Intrude(other *Phone) {
	other.mu.Lock()
	target, seq, ssrc, at := other.target, other.seq, other.ssrc, other.at
	other.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target, p.seq, p.ssrc, p.at = target, seq+2, ssrc, at+2*frameSize
}

// Mute has the phone send no packets at all, or again.
func (p *Phone) Mute(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = on
}

// Refuse sets what a phone that is called answers, 0 takes the call.
func (p *Phone) Refuse(code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = code
}

// Ring has a phone that is called ring and never answer.
func (p *Phone) Ring() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ringer = true
}

// Refers sets what the phone reports about a REFER.
func (p *Phone) Refers(report func(head string) []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refer = report
}

// Sound is what was heard so far.
func (p *Phone) Sound() []int16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard[:len(p.heard):len(p.heard)]
}

// Listen waits for the next so many frames of 20 ms and gives them.
func (p *Phone) Listen(frames int) []int16 {
	p.t.Helper()
	p.mu.Lock()
	from := len(p.heard)
	p.mu.Unlock()
	require.NoError(p.t, p.Wait(10*time.Second, func() bool { return len(p.heard)-from >= frames*frameSize }), "no sound reaches %s", p.name)
	return p.Sound()[from:]
}

// Wait waits until cond, which is asked with the lock held.
func (p *Phone) Wait(most time.Duration, cond func() bool) error {
	late := time.After(most)
	for {
		p.mu.Lock()
		ok, more := cond(), p.more
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-more:
		case <-late:
			return errors.New("waited in vain")
		}
	}
}

func (p *Phone) changed() {
	close(p.more)
	p.more = make(chan struct{})
}

func (p *Phone) listen() {
	buf := make([]byte, 2048)
	for {
		n, err := p.rtp.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n < 12+frameSize || buf[1]&0x7f != 0 {
			continue
		}
		frame := make([]int16, n-12)
		g711.MuLaw.Decode(frame, buf[12:n])
		p.mu.Lock()
		p.heard = append(p.heard, frame...)
		p.frames++
		p.changed()
		p.mu.Unlock()
	}
}

// speak sends a packet every 20 ms.
func (p *Phone) speak() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return
		}
		to, packet := p.target, p.packet()
		if p.mute {
			packet = nil
		}
		p.mu.Unlock()
		if to != nil && packet != nil {
			_, _ = p.rtp.WriteToUDP(packet, to)
		}
	}
}

// packet is the next to be sent; the lock is held.
func (p *Phone) packet() []byte {
	frame := make([]int16, frameSize)
	if p.hz > 0 {
		frame = Tone(p.hz, LineHz, p.at, frameSize)
	}
	if len(p.say) > 0 {
		clear(frame)
		p.say = p.say[copy(frame, p.say):]
	}
	stamp := uint32(p.at)
	p.at += frameSize
	if len(p.queue) > 0 {
		q := p.queue[0]
		p.queue = p.queue[1:]
		if q != nil { // nil: a packet that is lost
			q[2], q[3] = byte(p.seq>>8), byte(p.seq)
		}
		p.seq++
		return q
	}
	b := make([]byte, frameSize)
	g711.MuLaw.Encode(b, frame)
	h := append(RTP(0, p.seq, stamp, p.ssrc), b...)
	p.seq++
	return h
}

// RTP writes the head of a packet (RFC 3550 5.1).
func RTP(kind byte, seq uint16, stamp, ssrc uint32) []byte {
	return []byte{
		0x80, kind, byte(seq >> 8), byte(seq), byte(stamp >> 24), byte(stamp >> 16), byte(stamp >> 8), byte(stamp),
		byte(ssrc >> 24), byte(ssrc >> 16), byte(ssrc >> 8), byte(ssrc),
	}
}

// Pressing says how keys are pressed.
type Pressing struct {
	LoseEnd bool // the packets that end a key are lost (RFC 4733 2.5.1.4)
	Jump    bool // another synchronisation source from the second key on
}

// Press presses keys by RFC 4733 and waits until all packets are sent.
func (p *Phone) Press(keys string, how Pressing) {
	p.t.Helper()
	p.mu.Lock()
	for i, key := range keys {
		if how.Jump && i == 1 {
			p.ssrc += 0x01010101
		}
		start := uint32(p.at + len(p.queue)*frameSize)
		for n := range 9 {
			length, end := min(n+1, 6)*frameSize, byte(0)
			if n >= 6 {
				end = 0x80
			}
			head := RTP(101, 0, start, p.ssrc)
			if n == 0 {
				head[1] |= 0x80
			}
			q := append(head, byte(strings.IndexRune("0123456789*#ABCD", key)), end|10, byte(length>>8), byte(length))
			if end != 0 && how.LoseEnd {
				q = nil
			}
			p.queue = append(p.queue, q)
		}
		for range 4 {
			p.queue = append(p.queue, append(RTP(0, 0, uint32(p.at+len(p.queue)*frameSize), p.ssrc), bytes.Repeat([]byte{0xff}, frameSize)...))
		}
	}
	p.mu.Unlock()
	require.Eventually(p.t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.queue) == 0
	}, 10*time.Second, 10*time.Millisecond)
}
