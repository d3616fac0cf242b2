package webrtc

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/fault"
)

// caller is a peer connection of pion's with a track of Opus.
type caller struct {
	*webrtc.PeerConnection
	track *webrtc.TrackLocalStaticRTP
	heard chan *rtp.Packet
	wire  *net.UDPConn // all that it sends and hears
}

func dial(t *testing.T) *caller {
	t.Helper()
	var set webrtc.SettingEngine
	set.SetIncludeLoopbackCandidate(true)
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	wire, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: wire})
	set.SetICEUDPMux(mux)
	t.Cleanup(func() { _ = mux.Close() })
	var media webrtc.MediaEngine
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	require.NoError(t, media.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: opus}, webrtc.RTPCodecTypeAudio))
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(set), webrtc.WithMediaEngine(&media),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{})).NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	c := &caller{PeerConnection: pc, heard: make(chan *rtp.Packet, 1024), wire: wire}
	c.track, err = webrtc.NewTrackLocalStaticRTP(opus, "a", "a")
	require.NoError(t, err)
	_, err = pc.AddTrack(c.track)
	require.NoError(t, err)
	pc.OnTrack(func(r *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := r.ReadRTP()
			if err != nil {
				return
			}
			select {
			case c.heard <- p:
			default:
			}
		}
	})
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return c
}

// offer is the caller's, with all of its candidates.
func (c *caller) offer(t *testing.T, o *webrtc.OfferOptions) string {
	t.Helper()
	offer, err := c.CreateOffer(o)
	require.NoError(t, err)
	all := webrtc.GatheringCompletePromise(c.PeerConnection)
	require.NoError(t, c.SetLocalDescription(offer))
	<-all
	return c.LocalDescription().SDP
}

func (c *caller) take(t *testing.T, answer string) {
	t.Helper()
	require.NoError(t, c.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
}

// watched collects what a peer tells.
type watched struct {
	mu     sync.Mutex
	states []string
	more   chan string
	line   chan actors.Fact
}

func watching() *watched {
	return &watched{more: make(chan string, 64), line: make(chan actors.Fact, 64)}
}

func (w *watched) watcher() Watcher {
	return Watcher{State: func(s State, reason string) {
		text := strings.TrimSpace(string(s) + " " + reason)
		w.mu.Lock()
		w.states = append(w.states, text)
		w.mu.Unlock()
		w.more <- text
	}}
}

func (w *watched) until(t *testing.T, state string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case got := <-w.more:
			if got == state {
				return
			}
		case <-late:
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Fatalf("never %q, but %v", state, w.states)
		}
	}
}

func (w *watched) begin(t *testing.T, p *Peer) {
	t.Helper()
	p.Line().Start(func(f actors.Fact) { w.line <- f })
	p.Leg().Start(func(actors.Fact) {})
	t.Cleanup(func() { _ = p.Leg().Close() })
}

// fact waits for a fact of the line.
func (w *watched) fact(t *testing.T) actors.Fact {
	t.Helper()
	select {
	case f := <-w.line:
		return f
	case <-time.After(20 * time.Second):
		t.Fatal("the line says nothing")
		return actors.Fact{}
	}
}

// canary is a stranger who must hear nothing: a socket of each kind.
type canary struct {
	at   uint16
	seen chan string
}

func newCanary(t *testing.T) *canary {
	t.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	c := &canary{at: udp.LocalAddr().(*net.UDPAddr).AddrPort().Port(), seen: make(chan string, 16)}
	tcp, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(c.at))))
	require.NoError(t, err)
	var work sync.WaitGroup
	work.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			c.seen <- "a datagram of " + strconv.Itoa(n) + " bytes from " + from.String()
		}
	})
	work.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			c.seen <- "a connection from " + conn.RemoteAddr().String()
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_, _ = udp.Close(), tcp.Close()
		work.Wait()
		close(c.seen)
		for what := range c.seen {
			t.Errorf("a stranger got %s", what)
		}
	})
	return c
}

// The offer names strangers, and more of them come one by one. Only the browser
// itself, whose checks prove where it is, is sent anything; nothing plain is.
func TestStrangersInAnOfferAreSentNothing(t *testing.T) {
	s := serve(t, Options{})
	stranger := newCanary(t)
	port := strconv.Itoa(int(stranger.at))
	c, w := dial(t), watching()
	text := c.offer(t, nil)
	named := strings.Replace(text, "a=setup", "a=candidate:1 1 udp 2122260223 127.0.0.1 "+port+" typ host\r\n"+
		"a=candidate:2 1 tcp 2122260222 127.0.0.1 "+port+" typ host tcptype passive\r\na=setup", 1)
	p, err := s.Answer(t.Context(), named, w.watcher())
	require.NoError(t, err)
	w.begin(t, p)
	require.NoError(t, p.Candidate("candidate:3 1 udp 2122260221 127.0.0.1 "+port+" typ host"))
	require.NoError(t, p.Candidate("candidate:4 1 tcp 2122260221 127.0.0.1 "+port+" typ host tcptype passive"))
	_, _, open := p.carrier.Way()
	require.False(t, open, "before ICE and DTLS nothing can be sent")
	require.Zero(t, p.Leg().Stats().Sent)
	c.take(t, p.Text())
	w.until(t, "up")
	_, there, open := p.carrier.Way()
	require.True(t, open)
	require.NotEqual(t, stranger.at, there.Port())
	for range 10 { // a call is under way, and strangers would have been checked by now
		select {
		case <-c.heard:
		case <-time.After(20 * time.Second):
			t.Fatal("the caller hears nothing")
		}
	}
}

func TestTheLineIsUpWhenTheBrowserHearsAndEndsOnce(t *testing.T) {
	for name, end := range map[string]struct {
		do     func(*caller, *Peer)
		reason string
	}{
		"the page hangs up": {func(_ *caller, p *Peer) { p.End("hangup") }, "hangup"},
		"the page is closed": {func(c *caller, _ *Peer) {
			<-c.heard // its DTLS is through, too
			_ = c.GracefulClose()
		}, "hangup"},
		"the page hangs up twice":   {func(_ *caller, p *Peer) { p.End("hangup"); p.End("failed") }, "hangup"},
		"signalling has given up":   {func(_ *caller, p *Peer) { p.End("failed") }, "failed"},
		"the server ends meanwhile": {func(_ *caller, p *Peer) { p.s.Close() }, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{})
			c, w := dial(t), watching()
			p, err := s.Answer(t.Context(), c.offer(t, nil), w.watcher())
			require.NoError(t, err)
			w.begin(t, p)
			require.Equal(t, Ringing, p.State())
			c.take(t, p.Text())
			require.Equal(t, actors.FactLineUp, w.fact(t).Kind)
			require.NoError(t, p.Digit("5", 0))
			f := w.fact(t)
			require.Equal(t, byte('5'), f.Digit)
			end.do(c, p)
			f = w.fact(t)
			require.Equal(t, actors.FactLineEnded, f.Kind)
			require.Equal(t, end.reason, f.Reason)
			require.NoError(t, p.Leg().Close())
			require.Equal(t, Ended, p.State())
			require.Empty(t, w.line, "a call ends once")
		})
	}
}

func TestABrowserThatGivesNoSignIsLost(t *testing.T) {
	s := serve(t, Options{Lost: 3 * time.Second})
	c, w := dial(t), watching()
	p, err := s.Answer(t.Context(), c.offer(t, nil), w.watcher())
	require.NoError(t, err)
	w.begin(t, p)
	c.take(t, p.Text())
	w.until(t, "up")
	require.NoError(t, c.wire.Close())
	w.until(t, "reconnecting")
	require.False(t, p.carrier.way.Load().open, "what is to be said waits")
	w.until(t, "ended media_lost")
}

func TestWhoeverNeverComesThroughIsGivenUp(t *testing.T) {
	s := serve(t, Options{Lost: 300 * time.Millisecond})
	c, w := dial(t), watching()
	p, err := s.Answer(t.Context(), c.offer(t, nil), w.watcher())
	require.NoError(t, err)
	w.begin(t, p)
	w.until(t, "ended failed") // the answer never arrived
	require.Equal(t, "failed", w.fact(t).Reason)
}

func TestARestartFindsAnotherWayForTheSameCall(t *testing.T) {
	s := serve(t, Options{})
	c, w := dial(t), watching()
	p, err := s.Answer(t.Context(), c.offer(t, nil), w.watcher())
	require.NoError(t, err)
	w.begin(t, p)
	c.take(t, p.Text())
	w.until(t, "up")
	_, before, _ := p.carrier.Way()
	again, err := p.Restart(t.Context(), c.offer(t, &webrtc.OfferOptions{ICERestart: true}))
	require.NoError(t, err)
	c.take(t, again)
	for len(c.heard) > 0 {
		<-c.heard
	}
	late := time.After(20 * time.Second)
	for range 20 {
		select {
		case <-c.heard:
		case <-late:
			t.Fatal("after the restart nothing is heard")
		}
	}
	require.NotEqual(t, Ended, p.State())
	t.Logf("before %v", before)
}

func TestWhatARestartMayNotBe(t *testing.T) {
	s := serve(t, Options{})
	c, w := dial(t), watching()
	p, err := s.Answer(t.Context(), c.offer(t, nil), w.watcher())
	require.NoError(t, err)
	w.begin(t, p)
	_, err = p.Restart(t.Context(), "v=0")
	require.ErrorIs(t, err, fault.Invalid, "junk")
	_, err = p.Restart(t.Context(), strings.NewReplacer(" 111", " 96", ":111", ":96").Replace(c.LocalDescription().SDP))
	require.ErrorIs(t, err, fault.Invalid, "other formats")
	p.agreeing.Lock()
	_, err = p.Restart(t.Context(), c.LocalDescription().SDP)
	require.ErrorIs(t, err, fault.Conflict, "two at once")
	p.agreeing.Unlock()
	require.NoError(t, p.Leg().Close())
	_, err = p.Restart(t.Context(), c.LocalDescription().SDP)
	require.ErrorIs(t, err, fault.NotFound, "after its end")
}

func TestWhatABrowserMayNotSay(t *testing.T) {
	s := serve(t, Options{})
	c, w := dial(t), watching()
	p, err := s.Answer(t.Context(), c.offer(t, nil), w.watcher())
	require.NoError(t, err)
	w.begin(t, p)
	require.ErrorIs(t, p.Digit("x", 0), fault.Invalid)
	require.ErrorIs(t, p.Digit("55", 0), fault.Invalid)
	require.ErrorIs(t, p.Digit("5", time.Hour), fault.Invalid)
	require.ErrorIs(t, p.Candidate("candidate:nobody"), fault.Invalid)
	require.NoError(t, p.Candidate(""), "the end of candidates")
	for range mostCandidate {
		err = p.Candidate("candidate:3 1 udp 2122260221 192.0.2.1 9 typ host")
	}
	require.ErrorIs(t, err, fault.Exhausted)
}

func TestTheAnswerNamesThePublicAddressAndOnePort(t *testing.T) {
	s := serve(t, Options{PublicIP: netip.MustParseAddr("203.0.113.7")})
	c := dial(t)
	p, err := s.Answer(t.Context(), c.offer(t, nil), Watcher{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Leg().Close() })
	port := strconv.Itoa(int(s.Addr().Port()))
	udp, tcp := 0, 0
	for line := range strings.Lines(p.Text()) {
		if !strings.HasPrefix(line, "a=candidate:") {
			continue
		}
		require.Contains(t, line, " 203.0.113.7 "+port+" typ host")
		if strings.Contains(line, " udp ") {
			udp++
		} else if strings.Contains(line, "tcptype passive") {
			tcp++
		}
	}
	require.NotZero(t, udp, p.Text())
	require.NotZero(t, tcp, p.Text())
	require.Equal(t, []Way{{Shown: netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), s.Addr().Port()), At: s.Addr()}}, s.Ways())
}

func TestAServerThatIsEndingAnswersNobody(t *testing.T) {
	s := serve(t, Options{})
	c := dial(t)
	text := c.offer(t, nil)
	require.NoError(t, s.Close())
	_, err := s.Answer(context.Background(), text, Watcher{})
	require.Error(t, err)
}

func TestAPortThatIsTakenIsSaid(t *testing.T) {
	s := serve(t, Options{})
	_, err := Listen(Options{Listen: s.Addr(), Pacer: s.opt.Pacer})
	require.ErrorIs(t, err, fault.Unavailable)
}
