package telephony_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/cluster/node"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/test/telephony"
)

func plain(t *testing.T, set map[string]string, env ...string) *telephony.Office {
	t.Helper()
	return telephony.Open(t, telephony.Plan{
		Agents: []string{telephony.Agent("board", "inbound_voice", env...), telephony.Agent("caller", "outbound_voice")}, Set: set,
	})
}

// socket is a stranger who sends bytes and keeps the answers.
type socket struct {
	conn *net.UDPConn
	work sync.WaitGroup

	mu   sync.Mutex // guards said
	said []string
}

func stranger(t *testing.T, host, to string) *socket {
	t.Helper()
	at, err := net.ResolveUDPAddr("udp", to)
	require.NoError(t, err)
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)}, at)
	require.NoError(t, err)
	s := &socket{conn: conn}
	s.work.Go(func() {
		buf := make([]byte, 65536)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				if strings.Contains(err.Error(), "closed") {
					return
				}
				continue
			}
			s.mu.Lock()
			if len(s.said) < 10_000 {
				s.said = append(s.said, string(buf[:n]))
			}
			s.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		s.work.Wait()
	})
	return s
}

// ask sends a message and gives the status of its final answer, 0 for none.
func (s *socket) ask(t *testing.T, text string) int {
	t.Helper()
	id, code := telephony.Header(text, "Call-ID"), 0
	_, err := s.conn.Write([]byte(text))
	require.NoError(t, err)
	for until := time.Now().Add(3 * time.Second); time.Now().Before(until); {
		s.mu.Lock()
		for _, a := range s.said {
			if telephony.Header(a, "Call-ID") == id && strings.HasPrefix(a, "SIP/2.0 ") && a[8] >= '2' {
				_, _ = fmt.Sscan(a[8:11], &code)
			}
		}
		s.mu.Unlock()
		if code != 0 {
			return code
		}
		time.Sleep(2 * time.Millisecond)
	}
	return 0
}

// message writes a request of a stranger.
func message(method, user, server, from, id, more, body string) string {
	return fmt.Sprintf("%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s\r\nFrom: <sip:eve@%s>;tag=e\r\nTo: <sip:%s@%s>\r\nCall-ID: %s\r\n"+
		"CSeq: 1 %s\r\nContact: <sip:eve@%s>\r\nMax-Forwards: 70\r\n%sContent-Length: %d\r\n\r\n%s",
		method, user, server, from, id, from, user, server, id, method, from, more, len(body), body)
}

const soundOf = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40404 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\n" +
	"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\n"

// 4,500 INVITEs with bytes changed, lost, doubled and moved by a seed: after
// every 150 of them somebody calls and is taken, and in the end nothing is held
// that was not held before. They are for nobody, so that none of them makes the
// server send to an address that chance has written.
func TestMutatedInvitesHarmNobody(t *testing.T) {
	if !apart(t) {
		return
	}
	o := plain(t, nil)
	phone := telephony.NewPhone(t, "anna", "127.0.0.1")
	require.Equal(t, 200, phone.Dial(o.SIP, "board"), "the first call makes what lasts")
	phone.Bye()
	o.Quiet(t, 5*time.Second)
	eve := stranger(t, "127.0.0.2", o.SIP)
	chance := rand.New(rand.NewPCG(4475, 1)) // it repeats itself by intent
	before := telephony.Holds(t)
	for batch := range 30 {
		for i := range 150 {
			text := message("INVITE", "nobody", o.SIP, eve.conn.LocalAddr().String(), fmt.Sprintf("m%d-%d", batch, i), "Content-Type: application/sdp\r\n", soundOf)
			_, err := eve.conn.Write(mutated(chance, []byte(text)))
			require.NoError(t, err)
		}
		require.Equal(t, 200, phone.Dial(o.SIP, "board"), "batch %d", batch)
		phone.Bye()
	}
	o.Quiet(t, 10*time.Second)
	waits(t)
	settled(t, before)
	eve.mu.Lock()
	defer eve.mu.Unlock()
	t.Logf("figure: 4500 mutated INVITEs, %d answers, 30 of 30 valid calls taken", len(eve.said))
}

func mutated(chance *rand.Rand, b []byte) []byte {
	for range 1 + chance.IntN(6) {
		at := chance.IntN(len(b))
		switch chance.IntN(6) {
		case 0:
			b[at] = byte(chance.IntN(256))
		case 1:
			b = append(b[:at:at], b[min(len(b), at+1+chance.IntN(20)):]...)
		case 2:
			b = append(b[:at:at], append([]byte(strings.Repeat(string(b[at]), 1+chance.IntN(400))), b[at:]...)...)
		case 3:
			to := chance.IntN(len(b))
			b[at], b[to] = b[to], b[at]
		case 4:
			b = append(b[:at:at], append([]byte([]string{"\r\n", "\x00", "%00", ";", "<", "\"", "\xff\xfe", "999999999999999999999"}[chance.IntN(8)]), b[at:]...)...)
		default:
			b = b[:max(1, at)]
		}
		if len(b) == 0 {
			return []byte{0}
		}
	}
	return b
}

// settled waits until no more is held than before.
func settled(t *testing.T, before telephony.Held) {
	t.Helper()
	var now telephony.Held
	// A 200 that nobody acknowledges is repeated for 32 s, and so is the BYE after it.
	for until := time.Now().Add(80 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now = telephony.Holds(t)
		if now.Sockets <= before.Sockets && now.Goroutines <= before.Goroutines+2 { // those of the runtime come and go
			break
		}
		if time.Now().After(until) {
			var who strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&who, 1)
			t.Fatalf("held before %+v, now %+v:\n%s", before, now, who.String()[:min(who.Len(), 6000)])
		}
	}
	t.Logf("figure: sockets %d before, %d after; goroutines %d before, %d after", before.Sockets, now.Sockets, before.Goroutines, now.Goroutines)
}

// A flood of 5,000 packets a second from one address for 10 s: everybody who
// calls from another address meanwhile is taken, hears the agent, and loses
// nothing of it.
func TestFloodLeavesOthersUnharmed(t *testing.T) {
	o := plain(t, nil)
	eve := stranger(t, "127.0.0.9", o.SIP)
	stop, sent := make(chan struct{}), 0
	var flood sync.WaitGroup
	begun := time.Now()
	flood.Go(func() {
		from := eve.conn.LocalAddr().String()
		for time.Since(begun) < howLong() {
			select {
			case <-stop:
				return
			default:
			}
			for due := int(time.Since(begun).Seconds() * 5000); sent < due; sent++ {
				_, _ = eve.conn.Write([]byte(message("INVITE", "board", o.SIP, from, fmt.Sprintf("flood%d", sent%7), "", "")))
			}
			time.Sleep(time.Millisecond)
		}
	})
	defer flood.Wait()
	defer close(stop)
	taken := 0
	for i := 0; time.Since(begun) < howLong(); i++ {
		phone := telephony.NewPhone(t, fmt.Sprintf("good%d", i), "127.0.0.1")
		require.Equal(t, 200, phone.Dial(o.SIP, "board"))
		require.Greater(t, telephony.Loudest(phone.Listen(25), telephony.AgentHz, telephony.LineHz), -6.0)
		phone.Bye()
		phone.Close()
		taken++
	}
	require.Greater(t, taken, 3)
	t.Logf("figure: %d packets in %v, meanwhile %d of %d calls taken and heard", sent, time.Since(begun).Round(time.Millisecond), taken, taken)
}

// What strangers may not do is refused and changes nothing: registering,
// transferring, and hanging up or changing somebody else's call.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	o := plain(t, nil)
	phone := telephony.NewPhone(t, "anna", "127.0.0.1")
	require.Equal(t, 200, phone.Dial(o.SIP, "board"))
	call, session := o.CallOf(t, "anna")
	eve := stranger(t, "127.0.0.2", o.SIP)
	from := eve.conn.LocalAddr().String()
	require.Equal(t, 405, eve.ask(t, message("REGISTER", "board", o.SIP, from, "r1", "Expires: 60\r\n", "")))
	require.GreaterOrEqual(t, eve.ask(t, message("REFER", "board", o.SIP, from, "r2", "Refer-To: <sip:+4490012345@127.0.0.1:9>\r\n", "")), 400)
	require.GreaterOrEqual(t, eve.ask(t, message("SUBSCRIBE", "board", o.SIP, from, "r3", "Event: presence\r\n", "")), 400)
	known := phone.ID() // even who knows the Call-ID does not know the tags
	for _, method := range []string{"BYE", "INFO", "UPDATE", "INVITE", "REFER"} {
		forged := strings.Replace(message(method, "board", o.SIP, from, known, "Refer-To: <sip:x@127.0.0.1:9>\r\n", ""), "<sip:board@"+o.SIP+">\r\n", "<sip:board@"+o.SIP+">;tag=guess\r\n", 1)
		require.Equal(t, 481, eve.ask(t, strings.Replace(forged, "z9hG4bK", "z9hG4bK"+method, 1)), "forged %s", method)
		eve.mu.Lock()
		eve.said = nil
		eve.mu.Unlock()
	}
	require.GreaterOrEqual(t, phone.Ask("REFER", "", "Refer-To: <sip:+4490012345@127.0.0.1:9>"), 400, "nor may who calls have the server call others")
	phone.Listen(10)
	phone.Bye()
	ended, _ := o.Ended(t, call, session)
	require.Equal(t, "hangup", ended.Reason)
}

// 200 premium, shared-cost, satellite and service numbers, as they are written
// and as they are hidden: none is dialled through a connection, whoever asks.
func TestPremiumNumbersAreNotDialled(t *testing.T) {
	t.Parallel()
	o := plain(t, nil)
	canary := telephony.NewPhone(t, "canary", "127.0.0.1")
	domain := canary.Addr()
	o.Connect(t, "trunk", "caller", false, map[string]string{"domain": domain, "user": "u", "register": "false", "country": "GB", "calls_per_second": "1000"}, "")
	tried := 0
	for _, to := range dear(domain) {
		p, err := o.CallPlace(t.Context(), node.CallForm{Agent: "caller", To: to, Connection: "trunk"})
		require.Error(t, err, "%s is dialled as %+v", to, p)
		require.Contains(t, []fault.Kind{fault.Denied, fault.Invalid}, fault.KindOf(err), "%s: %v", to, err)
		tried++
	}
	require.GreaterOrEqual(t, tried, 200)
	require.Empty(t, canary.Requests(), "the canary saw an INVITE")
	placed := o.Place(t, node.CallForm{Agent: "caller", To: "020 7946 0018", Connection: "trunk"})
	telephony.Of[event.CallAnswered](t, o, placed.Call, nil)
	require.Contains(t, canary.Requests()[0], "sip:+442079460018@", "the canary sings where it may")
	require.NoError(t, o.EndCall(t.Context(), placed.Call))
	o.Ended(t, placed.Call, placed.Session)
	t.Logf("figure: %d premium destinations, 0 dialled", tried)
}

// dear are numbers that cost a fortune, plain and hidden in addresses.
func dear(domain string) []string {
	var numbers []string
	for _, p := range []string{
		"+1900555%04d", "+44909879%04d", "+44871123%04d", "+49900112%04d", "+33899%06d", "+4190112%04d", "+3489912%04d", "+88161234%04d",
		"+88213123%04d", "+8835100%05d", "+8701234%05d", "+979123%05d", "+61190%07d", "+48701%06d",
	} {
		for i := range 10 {
			numbers = append(numbers, fmt.Sprintf(p, 100+i*7))
		}
	}
	out := numbers
	for i, n := range numbers {
		digits := strings.TrimPrefix(n, "+")
		out = append(out, []string{
			"sip:" + n + "@" + domain, "00" + digits, "tel:" + n, "sip:00" + digits + "@" + domain, "sip:" + n + ":password@" + domain,
			"sip:%2B" + digits + "@" + domain, "sip:" + n + ";phone-context=+44@" + domain, "<sip:" + n + "@" + domain + ";user=phone>",
			"sip:+" + escaped(digits) + "@" + domain, "sip:" + digits[:3] + "-" + digits[3:] + "@" + domain + "?Subject=x",
		}[i%10])
	}
	return out
}

// escaped writes digits in the way of RFC 3986 2.1.
func escaped(digits string) string {
	var b strings.Builder
	for _, d := range digits {
		fmt.Fprintf(&b, "%%%02X", d)
	}
	return b.String()
}

// howLong a flood lasts: by day it is shorter.
func howLong() time.Duration {
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		return 10 * time.Second
	}
	return 4 * time.Second
}
