// Package page is a browser's page for benches and tests: it opens an agent's
// socket, calls by it with a peer connection of pion's, and says and hears what a
// caller.Phone says and hears. It speaks the frames of the page and shares the
// packets' way with the server's side, no more; a real browser is another
// matter. It shows nothing.
package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"flametree/engine/fault"
	"flametree/media/caller"
)

// Options of a Page. HTTP, Agent, Token and Phone have no default.
type Options struct {
	HTTP    string // host:port of the front door
	Agent   string
	Token   string
	Session string        // one that there is; "" makes one
	Phone   *caller.Phone // whose clock and ears the calls have
	TCP     bool          // offers no UDP
	Relay   bool          // goes by the server's relay alone
}

// Page is a socket of a session. Its methods may be called from any goroutine.
type Page struct {
	opt     Options
	session string
	sock    *websocket.Conn
	api     *webrtc.API
	reading sync.WaitGroup

	writing sync.Mutex

	mu     sync.Mutex // guards what follows
	more   chan struct{}
	frames []Frame
	calls  map[string]*Call
	gone   error // why the socket ended
}

// Frame is one frame about a call, as it came.
type Frame struct {
	At         time.Time          `json:"-"`
	Type       string             `json:"type"`
	Call       string             `json:"call"`
	Session    string             `json:"session"`
	SDP        string             `json:"sdp"`
	Candidate  string             `json:"candidate"`
	Mid        string             `json:"mid"`
	MLine      uint16             `json:"mline"`
	State      string             `json:"state"`
	Reason     string             `json:"reason"`
	Turn       uint64             `json:"turn"`
	Role       string             `json:"role"`
	Text       string             `json:"text"`
	Final      bool               `json:"final"`
	Kind       string             `json:"kind"`
	Message    string             `json:"message"`
	ICEServers []webrtc.ICEServer `json:"ice_servers"`
}

// Open makes a session and its socket.
func Open(ctx context.Context, opt Options) (*Page, error) {
	p := &Page{opt: opt, session: opt.Session, more: make(chan struct{}), calls: make(map[string]*Call)}
	if err := p.engine(); err != nil {
		return nil, err
	}
	if p.session == "" {
		if err := p.begin(ctx); err != nil {
			return nil, err
		}
	}
	url := fmt.Sprintf("ws://%s/chatbot/%s/ws/%s", opt.HTTP, opt.Agent, p.session)
	sock, res, err := websocket.DefaultDialer.DialContext(ctx, url, http.Header{"Authorization": {"Bearer " + opt.Token}})
	if err != nil {
		return nil, fmt.Errorf("page: socket: %w: %w", fault.Unavailable, err)
	}
	_ = res.Body.Close()
	p.sock = sock
	p.reading.Go(p.read)
	return p, nil
}

// begin makes a session.
func (p *Page) begin(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://%s/chatbot/%s/session", p.opt.HTTP, p.opt.Agent), bytes.NewReader([]byte(`{"user_id":"page"}`)))
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+p.opt.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("page: session: %w: %w", fault.Unavailable, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil || res.StatusCode/100 != 2 {
		return fmt.Errorf("page: session: %s %.200s: %w", res.Status, body, fault.Unavailable)
	}
	var made struct {
		ID string `json:"session_id"`
	}
	if err := json.Unmarshal(body, &made); err != nil || made.ID == "" {
		return fmt.Errorf("page: session: %.200s: %w", body, fault.Bug)
	}
	p.session = made.ID
	return nil
}

// engine makes what the peer connections are made of.
func (p *Page) engine() error {
	var set webrtc.SettingEngine
	set.LoggerFactory = &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	set.SetIncludeLoopbackCandidate(true)
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	kinds := []webrtc.NetworkType{webrtc.NetworkTypeUDP4}
	if p.opt.TCP {
		kinds = []webrtc.NetworkType{webrtc.NetworkTypeTCP4}
	}
	set.SetNetworkTypes(kinds)
	set.SetRelayAcceptanceMinWait(0)
	var media webrtc.MediaEngine
	for _, c := range []webrtc.RTPCodecParameters{
		{PayloadType: opusType, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: format,
		}},
		{PayloadType: 110, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 48000}},
	} {
		if err := media.RegisterCodec(c, webrtc.RTPCodecTypeAudio); err != nil {
			return fmt.Errorf("page: %w: %w", fault.Bug, err)
		}
	}
	p.api = webrtc.NewAPI(webrtc.WithSettingEngine(set), webrtc.WithMediaEngine(&media), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	return nil
}

const (
	opusType = 111
	format   = "minptime=10;useinbandfec=1"
)

// Session is the socket's.
func (p *Page) Session() string { return p.session }

// Send sends a frame of any kind.
func (p *Page) Send(v any) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	return p.sock.WriteJSON(v)
}

// SendText sends text as it is.
func (p *Page) SendText(b []byte) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	return p.sock.WriteMessage(websocket.TextMessage, b)
}

// read keeps the frames that come, and gives calls theirs.
func (p *Page) read() {
	for {
		_, b, err := p.sock.ReadMessage()
		p.mu.Lock()
		if err != nil {
			p.gone = err
			close(p.more)
			p.more = nil
			p.mu.Unlock()
			return
		}
		f := Frame{At: time.Now()}
		if json.Unmarshal(b, &f) == nil {
			p.frames = append(p.frames, f)
			close(p.more)
			p.more = make(chan struct{})
		}
		c := p.calls[f.Call]
		p.mu.Unlock()
		if c != nil {
			c.told(f)
		}
	}
}

// Frames are those that came so far.
func (p *Page) Frames() []Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clip(p.frames)
}

// Until waits for a frame that fits, from the nth that ever came on.
func (p *Page) Until(ctx context.Context, from int, fits func(Frame) bool) (Frame, error) {
	for {
		p.mu.Lock()
		for ; from < len(p.frames); from++ {
			if fits(p.frames[from]) {
				f := p.frames[from]
				p.mu.Unlock()
				return f, nil
			}
		}
		more, gone := p.more, p.gone
		p.mu.Unlock()
		if gone != nil {
			return Frame{}, fmt.Errorf("page: the socket has ended: %w: %w", fault.Unavailable, gone)
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Frame{}, fmt.Errorf("page: no such frame came: %w: %w", fault.Unavailable, ctx.Err())
		}
	}
}

// Drop cuts the socket off, as a lost network does; the calls go on.
func (p *Page) Drop() {
	_ = p.sock.NetConn().Close()
	p.reading.Wait()
}

// Close ends the calls without a word and the socket with a goodbye.
func (p *Page) Close() error {
	p.mu.Lock()
	calls := p.calls
	p.calls = make(map[string]*Call)
	p.mu.Unlock()
	var errs []error
	for _, c := range calls {
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, p.Leave())...)
}

// Leave ends the socket with a goodbye, as a browser does whose page is left;
// the connections of its calls stay.
func (p *Page) Leave() error {
	p.writing.Lock()
	_ = p.sock.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(time.Second))
	p.writing.Unlock()
	err := p.sock.Close()
	p.reading.Wait()
	if errors.Is(err, net.ErrClosed) { // left already
		return nil
	}
	return err
}
