package webrtc

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"flametree/engine/fault"
	media "flametree/media/rtp"
)

const (
	mtu      = 1500
	patience = 1000 // errors in a row after which a stream is taken for dead
)

// Carrier moves a call's packets over a peer connection, from either end. It
// implements rtp.Carrier, and is the track that the connection sends.
type Carrier struct {
	pc     *webrtc.PeerConnection
	sender atomic.Pointer[webrtc.RTPSender] // nil before Join
	out    atomic.Pointer[webrtc.TrackLocalWriter]
	way    atomic.Pointer[way]
	closed chan struct{}
	once   sync.Once
	err    error

	begun   chan struct{} // closed by Begin
	media   func(at time.Time, raw []byte)
	control func(at time.Time, raw []byte)

	mu      sync.Mutex // guards what follows
	over    bool
	readers sync.WaitGroup
	putting sync.Mutex // held while a packet of sound is put in
	telling sync.Mutex // held while a report is
}

type way struct {
	here, there netip.AddrPort
	open        bool
}

var (
	_ media.Carrier     = (*Carrier)(nil)
	_ webrtc.TrackLocal = (*Carrier)(nil)
)

// NewCarrier makes a Carrier on a connection whose tracks it takes from now on.
func NewCarrier(pc *webrtc.PeerConnection) *Carrier {
	c := &Carrier{pc: pc, closed: make(chan struct{}), begun: make(chan struct{})}
	c.way.Store(new(way))
	pc.OnTrack(c.hear)
	return c
}

// Join adds our track to the connection, before its description is made, and
// gives the source of what it sends.
func (c *Carrier) Join() (ssrc uint32, err error) {
	sender, err := c.pc.AddTrack(c)
	if err != nil {
		return 0, fmt.Errorf("webrtc: %w: %w", fault.Bug, err)
	}
	c.sender.Store(sender)
	sending := sender.GetParameters().Encodings
	if len(sending) == 0 {
		return 0, fmt.Errorf("webrtc: a sender without a source: %w", fault.Bug)
	}
	return uint32(sending[0].SSRC), nil
}

// Begin implements rtp.Carrier.
func (c *Carrier) Begin(sound, control func(at time.Time, raw []byte)) {
	c.media, c.control = sound, control
	close(c.begun)
	if sender := c.sender.Load(); sender != nil {
		c.run(func() { c.read(sender.Read, nil) })
	}
}

// run starts a reader unless all is over.
func (c *Carrier) run(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.readers.Go(f)
	}
}

// hear reads a track of the browser's and its reports until they end.
func (c *Carrier) hear(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	c.run(func() { c.read(track.Read, c.put) })
	c.run(func() { c.read(receiver.Read, nil) })
}

func (c *Carrier) put(raw []byte) {
	c.putting.Lock()
	defer c.putting.Unlock()
	c.media(time.Now(), raw)
}

func (c *Carrier) tell(raw []byte) {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.control(time.Now(), raw)
}

// Carry implements rtp.Carrier.
func (c *Carrier) Carry(h *rtp.Header, payload []byte) error {
	out := c.out.Load()
	if out == nil {
		return fmt.Errorf("webrtc: no way yet: %w", fault.Unavailable)
	}
	_, err := (*out).WriteRTP(h, payload)
	return err
}

// Report implements rtp.Carrier.
func (c *Carrier) Report(raw []byte) error {
	packets, err := rtcp.Unmarshal(raw)
	if err != nil {
		return fmt.Errorf("webrtc: %w: %w", fault.Bug, err)
	}
	return c.pc.WriteRTCP(packets)
}

// Way implements rtp.Carrier.
func (c *Carrier) Way() (here, there netip.AddrPort, open bool) {
	w := c.way.Load()
	return w.here, w.there, w.open && c.out.Load() != nil
}

// Close implements rtp.Carrier. It must not be called from a callback of the
// connection's.
func (c *Carrier) Close() error {
	c.once.Do(func() {
		c.mu.Lock()
		c.over = true
		c.mu.Unlock()
		close(c.closed)
		c.err = c.pc.GracefulClose()
	})
	c.readers.Wait()
	return c.err
}

// Open notes whether packets can be sent, and where they go. Who follows the
// state of the connection calls it; before, nothing is sent.
func (c *Carrier) Open(on bool) {
	w := way{open: on}
	if sender := c.sender.Load(); sender != nil { // none: an offer that could not be answered
		if pair, err := sender.Transport().ICETransport().GetSelectedCandidatePair(); err == nil && pair != nil {
			w.here, w.there = addrOf(pair.Local), addrOf(pair.Remote)
		}
	}
	c.way.Store(&w)
}

func addrOf(c *webrtc.ICECandidate) netip.AddrPort {
	if c == nil {
		return netip.AddrPort{}
	}
	ip, _ := netip.ParseAddr(c.Address)
	return netip.AddrPortFrom(ip.Unmap(), c.Port)
}

// Bind implements webrtc.TrackLocal.
func (c *Carrier) Bind(t webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, codec := range t.CodecParameters() {
		if codec.MimeType == webrtc.MimeTypeOpus {
			out := t.WriteStream()
			c.out.Store(&out)
			return codec, nil
		}
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements webrtc.TrackLocal.
func (c *Carrier) Unbind(webrtc.TrackLocalContext) error {
	c.out.Store(nil)
	return nil
}

// ID implements webrtc.TrackLocal.
func (c *Carrier) ID() string { return "agent" }

// RID implements webrtc.TrackLocal.
func (c *Carrier) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (c *Carrier) StreamID() string { return "agent" }

// Kind implements webrtc.TrackLocal.
func (c *Carrier) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

// ended says that a stream will give nothing any more.
func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) }

// read puts in what a stream gives, until it ends; put nil means reports.
func (c *Carrier) read(next func([]byte) (int, interceptor.Attributes, error), put func([]byte)) {
	select {
	case <-c.begun:
	case <-c.closed:
		return
	}
	if put == nil {
		put = c.tell
	}
	raw := make([]byte, mtu)
	for failed := 0; failed < patience; {
		n, _, err := next(raw)
		switch {
		case err == nil:
			failed = 0
			put(raw[:n])
		case ended(err):
			return
		default: // such as a payload type that was not agreed on
			failed++
		}
	}
}
