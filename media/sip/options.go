package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/sip/locate"
	"flametree/media/sip/sdp"
)

// MediaParams is what both sides of a call agreed on, seen from ours.
type MediaParams struct {
	Codec       string // PCMU PCMA G722 opus, as RTP names them (RFC 3551, RFC 7587)
	PayloadType uint8
	Format      string // the peer's a=fmtp of the codec, "" when not said
	DTMFType    uint8  // of telephone-event, 255: none
	DTMFHz      int    // the clock of telephone-event: 8000, or 48000 beside Opus
	NoiseType   uint8  // of comfort noise (RFC 3389), 255: none
	Security    Security
	// Remote is where the peer wants RTP, the source address of its SIP with the
	// port of its SDP when c= named a host. It is not valid before a late answer
	// came; its address is unspecified when the peer wants no packets at all.
	Remote     netip.AddrPort
	RemoteRTCP netip.AddrPort // where it wants RTCP, as far as it is known
	Mux        bool           // RTCP goes both ways on the ports of RTP (RFC 5761)
	Local      netip.Addr     // our address as the peer is told it
	Direction  string         // sendrecv sendonly recvonly inactive, ours
	PtimeMS    int            // the peer's wish, 10 to 60; 20 without one
}

// Security is how the packets of a call are sealed. The zero value is plain RTP.
type Security struct {
	Kind string // "" plain, "sdes" (RFC 4568), "dtls" (RFC 5764)
	// Suite names the profile of sdes, such as AES_CM_128_HMAC_SHA1_80.
	Suite string
	// OurKey and PeerKey are master key and salt of sdes, 30 bytes for the suite
	// above. PeerKey is empty before a late answer came. They never reach a log.
	OurKey, PeerKey []byte
	// PeerMKI is the identifier that the peer's packets carry for its key (RFC 4568
	// 6.1); most have none. Ours never carry one.
	PeerMKI []byte
	// PeerFingerprint is that of the peer's certificate for dtls, "sha-256 AB:…".
	PeerFingerprint string
	// Active says that we send the ClientHello.
	Active bool
}

// String implements fmt.Stringer without the keys.
func (s Security) String() string {
	if s.Kind == "" {
		return "plain"
	}
	return strings.TrimSpace(s.Kind + " " + s.Suite)
}

// GoString implements fmt.GoStringer without the keys.
func (s Security) GoString() string { return s.String() }

// LogValue implements slog.LogValuer without the keys.
func (s Security) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Media is the media of one call. The endpoint closes it exactly once, at the
// end of the call, whatever way it ends.
type Media interface {
	// Port is the UDP port RTP is received on, for the SDP.
	Port() int
	// Renegotiate changes what was agreed; it must not block for long.
	Renegotiate(p MediaParams) error
	// Leg is what the call actor speaks and hears through.
	Leg() actors.Leg
	// Close ends it.
	Close() error
}

// Invite is an incoming call that awaits a decision. Its media is there already
// and may be started before the caller's ACK.
type Invite struct {
	CallID    string
	From, To  string // URIs
	User      string // of the request URI, unescaped
	Display   string // the caller's display name, may be empty
	UserAgent string
	Source    netip.AddrPort
	Transport string      // UDP TCP TLS WS WSS
	Trunk     string      // the trunk whose address it comes from, "" of none
	Account   string      // the account of ours it was called by, "" of none
	Login     string      // the user it proved to be by digest, "" without
	Media     MediaParams // as negotiated, or our offer when the caller sent none
	Leg       actors.Leg
	Line      actors.Line
	Call      *Call // the same as Line, for Early and the like
	// Replaces is the call this one is to take the place of (RFC 3891), nil for
	// most. When Answer returns nil that call is told FactLineReplaced and ends.
	Replaces *Call
}

// RetryAfter gives a refusal its Retry-After header. It wraps the reason.
type RetryAfter struct {
	Err   error
	After time.Duration // rounded up to seconds
}

// Error implements error.
func (r *RetryAfter) Error() string { return fmt.Sprintf("%v; retry after %v", r.Err, r.After) }

// Unwrap gives the reason.
func (r *RetryAfter) Unwrap() error { return r.Err }

// Options configure an endpoint. There must be an address to listen on.
type Options struct {
	UDP, TCP string // listen addresses; "" is off, port 0 chooses one
	// Listen are further ones: udp://, tcp://, tls://, ws:// or wss:// and
	// address:port, of IPv4 or [IPv6].
	Listen []string
	// TLS has the certificate of tls:// and wss:// and what we trust when we
	// connect; nil trusts the authorities of the system.
	TLS *TLS
	// PublicIP is the address told to peers in Contact, Via and SDP. Not valid:
	// the address of the socket, or the one that reaches the peer.
	PublicIP netip.Addr
	// Answer decides about an incoming call and may block; nil error is 200 OK.
	// The kind of an error chooses the code, see refuse. ctx ends when the caller
	// gives up, which the Line then also reports, and when the endpoint closes:
	// Answer must return then. A nil Answer takes no calls: 404.
	Answer func(ctx context.Context, inv Invite) error
	// Busy says whether a call would be refused now for want of room, and when it
	// is worth trying again; OPTIONS are answered by it. Nil: never. It must not block.
	Busy func() (after time.Duration, busy bool)
	// NewMedia makes the media of a call, before Answer is asked. Required.
	NewMedia func(MediaParams) (Media, error)
	// Allow, when set, is asked about the source of each datagram or connection
	// before its bytes are looked at; false drops it. It must not block.
	Allow func(netip.Addr) bool
	Log   *slog.Logger // nil: none

	// Admit says who may call besides trunks and registrars of accounts; "" is
	// AdmitOpen.
	Admit  Admit
	Trunks []Trunk
	// Realm and Password are for AdmitDigest. Password gives that of a user and is
	// asked from one goroutine at a time; it must not block.
	Realm    string
	Password func(user string) (password string, known bool)
	// WeakDigest offers MD5 beside SHA-256, for phones that know no other.
	WeakDigest bool
	Limits     Limits // of a source that is no trunk

	// Resolver finds the addresses of names; nil asks as the system does.
	Resolver locate.Resolver

	// Codecs are taken and offered in this order; nil is all, wide band first.
	Codecs []string
	Noise  bool // offer comfort noise (RFC 3389)
	Mux    bool // the media takes RTCP on its RTP port; peers that ask are told so
	// Seal says whether packets are sealed; "" is SealOff. NewMedia must do what
	// MediaParams.Security says.
	Seal Sealing
	// SealBy is how: "" by SDES, and by DTLS where the peer knows only that;
	// "dtls" by nothing else.
	SealBy string
	// Fingerprint is that of the certificate NewMedia's DTLS shows, "sha-256 AB:…";
	// "": no DTLS.
	Fingerprint string

	// T1 is the round trip estimate of RFC 3261 17; zero is 500 ms. It times the
	// repetition of a 200 and our patience for a BYE.
	T1 time.Duration
	// MaxTransactions bounds the server transactions held; over it new requests
	// get 503. Zero is 100000, about 600 MB; a call over UDP holds two for 32 s.
	MaxTransactions int
	// MaxConns bounds connections; zero is 4096. MaxConnsPerSource bounds those
	// of one address; zero is 512.
	MaxConns, MaxConnsPerSource int
	// Rules are what calls may do beyond coming and going.
	Rules Rules
	// Grace is how long Close waits for the answers to its BYEs; zero is 2 s.
	Grace time.Duration
}

func (o *Options) fill() error {
	var errs []error
	if _, err := o.addresses(); err != nil {
		errs = append(errs, err)
	}
	if o.NewMedia == nil {
		errs = append(errs, errors.New("no NewMedia"))
	}
	errs = append(errs, o.checkMedia()...)
	errs = append(errs, o.checkAdmission()...)
	if o.T1 < 0 || o.Grace < 0 || o.MaxTransactions < 0 || o.MaxConns < 0 || o.MaxConnsPerSource < 0 {
		errs = append(errs, errors.New("negative limit"))
	}
	if err := o.Rules.fill(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("sip options: %w: %w", errors.Join(errs...), fault.Invalid)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Resolver == nil {
		o.Resolver = locate.DNS{}
	}
	o.Seal = orDefault(o.Seal, SealOff)
	o.T1 = orDefault(o.T1, 500*time.Millisecond)
	o.Grace = orDefault(o.Grace, 2*time.Second)
	o.MaxTransactions = orDefault(o.MaxTransactions, 100_000)
	o.MaxConns = orDefault(o.MaxConns, 4096)
	o.MaxConnsPerSource = orDefault(o.MaxConnsPerSource, 512)
	return nil
}

// Sealing says whether the packets of a call are sealed.
type Sealing = sdp.Sealing

// The sealings, see package sdp.
const (
	SealOff      = sdp.SealOff
	SealOptional = sdp.SealOptional
	SealRequired = sdp.SealRequired
)

// checkMedia reports what is wrong with the options about media.
func (o *Options) checkMedia() []error {
	var errs []error
	if o.Codecs != nil {
		if _, err := checkCodecs(o.Codecs); err != nil || len(o.Codecs) == 0 {
			errs = append(errs, fmt.Errorf("codecs %q: want some of %v", o.Codecs, sdp.Codecs()))
		}
	}
	switch o.Seal {
	case "", SealOff, SealOptional, SealRequired:
	default:
		errs = append(errs, fmt.Errorf("seal %q: want off, optional or required", o.Seal))
	}
	if o.SealBy != "" && o.SealBy != "dtls" {
		errs = append(errs, fmt.Errorf("seal by %q: want dtls or nothing", o.SealBy))
	}
	if o.SealBy == "dtls" && o.Fingerprint == "" {
		errs = append(errs, errors.New("seal by dtls without a fingerprint"))
	}
	return errs
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// answerTo is the answer to an INVITE that a refusal of Options.Answer becomes.
type answerTo struct {
	code       int
	reason     string
	retryAfter time.Duration // 0: no header
}

// ErrDecline is, within the error of Options.Answer or Rules.Refer, a plain no: 603.
var ErrDecline = fmt.Errorf("declined: %w", fault.Denied)

// refuse is the one table from kinds of trouble to SIP codes.
func refuse(err error) answerTo {
	if errors.Is(err, ErrDecline) {
		return answerTo{code: 603, reason: "Decline"}
	}
	a := answerTo{code: 500, reason: "Server Internal Error"}
	switch fault.KindOf(err) {
	case fault.NotFound:
		a = answerTo{code: 404, reason: "Not Found"}
	case fault.Exhausted:
		a = answerTo{code: 486, reason: "Busy Here", retryAfter: busyRetry}
	case fault.Unavailable:
		a = answerTo{code: 503, reason: "Service Unavailable", retryAfter: busyRetry}
	case fault.Denied:
		a = answerTo{code: 403, reason: "Forbidden"}
	case fault.Invalid:
		a = answerTo{code: 400, reason: "Bad Request"}
	case fault.Cancelled:
		a = answerTo{code: 487, reason: "Request Terminated"}
	case fault.Conflict:
		a = answerTo{code: 491, reason: "Request Pending"}
	case fault.Bug:
	}
	if retry, ok := errors.AsType[*RetryAfter](err); ok {
		a.retryAfter = retry.After
	}
	return a
}

// busyRetry is the Retry-After of a refusal that does not say when.
const busyRetry = 10 * time.Second

// Refused is the error of a call that the other side did not take. It wraps the
// kind that fits the code.
type Refused struct {
	Code   int
	Reason string
	// Contacts are where a 3xx says the callee is, the best first.
	Contacts []string
}

// Error implements error.
func (r *Refused) Error() string { return fmt.Sprintf("refused: %d %s", r.Code, r.Reason) }

// Unwrap gives the kind of trouble the code stands for.
func (r *Refused) Unwrap() error {
	switch r.Code {
	case 404, 410, 604:
		return fault.NotFound
	case 486, 600:
		return fault.Exhausted
	case 401, 403, 407, 603:
		return fault.Denied
	case 487:
		return fault.Cancelled
	case 491:
		return fault.Conflict
	}
	if r.Code >= 500 || r.Code == 408 || r.Code == 480 {
		return fault.Unavailable
	}
	return fault.Invalid
}

// checkCodecs refuses names we do not know; an empty list is nil, which is all.
func checkCodecs(names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	for _, name := range names {
		if !slices.Contains(sdp.Codecs(), name) {
			return nil, fmt.Errorf("codec %q: %w", name, fault.Invalid)
		}
	}
	return names, nil
}
