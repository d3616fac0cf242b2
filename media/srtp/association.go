package srtp

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/dtls/v3"

	"flametree/engine/fault"
)

const (
	// Patience is how long a handshake may take. The peer begins when it has
	// our answer, which a lost SIP message delays by seconds.
	Patience = 15 * time.Second

	// firstRepeat is the time after which an unanswered flight is sent again,
	// doubled each time. RFC 6347 4.2.4.1 has a second; on a call that is heard.
	firstRepeat = 250 * time.Millisecond

	exporter = "EXTRACTOR-dtls_srtp" // RFC 5764 4.2
)

// Terms say how to shake hands and with whom.
type Terms struct {
	Identity *Identity
	Peer     Fingerprint
	Active   bool // we send the ClientHello
}

// Association is one DTLS association over somebody else's socket: that one
// calls Deliver with what it read, and send writes. It is kept until the end
// of the call, to answer a peer that missed the last flight.
type Association struct {
	road *road
	once sync.Once

	mu     sync.Mutex
	conn   *dtls.Conn
	closed bool
}

// NewAssociation makes one. What is delivered before Run waits, up to a few
// datagrams: a peer's ClientHello may overtake its SDP (RFC 5763 5). Send must
// not block for long and must not call back; it does not keep the bytes.
func NewAssociation(send func([]byte)) *Association {
	return &Association{road: newRoad(send)}
}

// IsDTLS says whether a datagram is DTLS by its first byte (RFC 7983 7).
func IsDTLS(b []byte) bool { return len(b) > 0 && b[0] >= 20 && b[0] <= 63 }

// Deliver takes a datagram in; it copies it. When too many wait it is dropped,
// and the peer repeats it.
func (a *Association) Deliver(b []byte) { a.road.deliver(b) }

// Run shakes hands and gives the keys: what we seal with and what the peer
// does. It is called once. It fails with fault.Denied when the certificate is
// not the one signalling spoke of, fault.Unavailable when the peer did not
// answer within Patience, fault.Cancelled when ctx ended, fault.Invalid for
// everything else the peer did wrong.
func (a *Association) Run(ctx context.Context, t Terms) (our, peer Key, err error) {
	if t.Identity == nil || !t.Peer.Valid() {
		return Key{}, Key{}, fmt.Errorf("dtls: no certificate or no fingerprint: %w", fault.Invalid)
	}
	within, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	var stranger bool
	conn, err := a.open(t, &stranger)
	if err != nil {
		return Key{}, Key{}, err
	}
	err = conn.HandshakeContext(within)
	switch {
	case err == nil:
		return export(conn, t.Active)
	case stranger:
		return Key{}, Key{}, fmt.Errorf("dtls: the peer's certificate is not the one its SDP names: %w", fault.Denied)
	case ctx.Err() != nil:
		return Key{}, Key{}, fmt.Errorf("dtls: given up: %w", fault.Cancelled)
	case within.Err() != nil:
		return Key{}, Key{}, fmt.Errorf("dtls: no handshake within %v: %w", Patience, fault.Unavailable)
	}
	return Key{}, Key{}, fmt.Errorf("dtls: handshake: %w: %w", fault.Invalid, err)
}

// open makes the library's end. It sets stranger when the certificate is wrong.
func (a *Association) open(t Terms, stranger *bool) (*dtls.Conn, error) {
	check := func(chain [][]byte, _ [][]*x509.Certificate) error {
		// The first one is the peer's own, whose key signed the handshake.
		if len(chain) == 0 || !t.Peer.matches(chain[0]) {
			*stranger = true
			return fault.Denied
		}
		return nil
	}
	shared := []dtls.Option{
		dtls.WithCertificates(t.Identity.certificate),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM,
			dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AES128_CM_HMAC_SHA1_32),
		// Nobody signs these certificates: the fingerprint is what is checked.
		dtls.WithInsecureSkipVerify(true),
		dtls.WithVerifyPeerCertificate(check),
		dtls.WithFlightInterval(firstRepeat),
	}
	var conn *dtls.Conn
	var err error
	if t.Active {
		var options []dtls.ClientOption
		for _, o := range shared {
			options = append(options, o)
		}
		conn, err = dtls.ClientWithOptions(a.road, a.road.LocalAddr(), options...)
	} else {
		options := []dtls.ServerOption{dtls.WithClientAuth(dtls.RequireAnyClientCert)}
		for _, o := range shared {
			options = append(options, o)
		}
		conn, err = dtls.ServerWithOptions(a.road, a.road.LocalAddr(), options...)
	}
	if err != nil {
		return nil, fmt.Errorf("dtls: %w: %w", fault.Bug, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, errors.Join(fmt.Errorf("dtls: closed: %w", fault.Cancelled), conn.Close())
	}
	a.conn = conn
	return conn, nil
}

// export takes the keys out of a finished handshake (RFC 5764 4.2): client key,
// server key, client salt, server salt.
func export(conn *dtls.Conn, client bool) (our, peer Key, err error) {
	profile, ok := conn.SelectedSRTPProtectionProfile()
	suite, known := suiteOf(profile)
	if !ok || !known {
		return Key{}, Key{}, fmt.Errorf("dtls: the peer takes none of our SRTP profiles: %w", fault.Invalid)
	}
	state, ok := conn.ConnectionState()
	if !ok {
		return Key{}, Key{}, fmt.Errorf("dtls: no state after the handshake: %w", fault.Bug)
	}
	material, err := state.ExportKeyingMaterial(exporter, nil, 2*suite.Len())
	if err != nil {
		return Key{}, Key{}, fmt.Errorf("dtls: export keys: %w: %w", fault.Bug, err)
	}
	defer clear(material)
	key, salt := suite.parts()
	cut := func(n int) (Key, error) {
		master := make([]byte, 0, key+salt)
		master = append(master, material[n*key:(n+1)*key]...)
		master = append(master, material[2*key+n*salt:2*key+(n+1)*salt]...)
		defer clear(master)
		return NewKey(suite, master)
	}
	first, err := cut(0)
	if err != nil {
		return Key{}, Key{}, err
	}
	second, err := cut(1)
	if err != nil {
		return Key{}, Key{}, err
	}
	if client {
		return first, second, nil
	}
	return second, first, nil
}

func suiteOf(p dtls.SRTPProtectionProfile) (Suite, bool) {
	switch p {
	case dtls.SRTP_AEAD_AES_256_GCM:
		return AES256GCM, true
	case dtls.SRTP_AEAD_AES_128_GCM:
		return AES128GCM, true
	case dtls.SRTP_AES128_CM_HMAC_SHA1_80:
		return AES128CM80, true
	case dtls.SRTP_AES128_CM_HMAC_SHA1_32:
		return AES128CM32, true
	case dtls.SRTP_AES256_CM_SHA1_80, dtls.SRTP_AES256_CM_SHA1_32, dtls.SRTP_NULL_HMAC_SHA1_80, dtls.SRTP_NULL_HMAC_SHA1_32:
		// Never registered, or no seal at all: we offer none of them.
	}
	return "", false
}

// Close ends the association and a Run under way. The peer is not told by an
// alert when quiet is set: a new association takes this one's place, and some
// peers take the alert for the end of the call.
func (a *Association) Close(quiet bool) {
	a.once.Do(func() {
		if quiet {
			a.road.hush()
		}
		a.mu.Lock()
		a.closed = true
		conn := a.conn
		a.mu.Unlock()
		if conn != nil {
			_ = conn.Close() // closes the road; what it could say nobody can use
		}
		_ = a.road.Close()
	})
}
