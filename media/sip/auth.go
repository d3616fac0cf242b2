package sip

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
	"flametree/media/sip/digest"
)

// Authorizer meets a challenge: it gives the header to send the request again
// with. challenge is the 401 or 407; the request goes out again with the header
// beside those of earlier challenges, a new branch and a higher CSeq. nil asks
// for credentials ahead of any challenge, and the answer may be nil. The error
// is of kind fault.Denied when there is no password for the realm or the one
// there was refused: sending again is no use. It may be called from any
// goroutine.
type Authorizer func(method, uri string, challenge *sip.Response) (sip.Header, error)

// Credentials are a login for one realm. They print themselves without the
// password.
type Credentials struct {
	Realm    string // "" is any
	User     string
	Password string
}

// String implements fmt.Stringer.
func (c Credentials) String() string { return fmt.Sprintf("credentials of %q", c.Realm) }

// GoString implements fmt.GoStringer.
func (c Credentials) GoString() string { return c.String() }

// LogValue implements slog.LogValuer.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Authorize gives an Authorizer for logins, tried by realm. The strongest
// algorithm a server offers is taken (RFC 8760 2.4); qop is auth or, for servers
// of RFC 2069, none.
func Authorize(logins ...Credentials) Authorizer {
	a := &authorizer{logins: logins}
	return a.header
}

// authorizer remembers the challenge it met last, so that requests after the
// first come with credentials at once.
type authorizer struct {
	logins []Credentials

	mu    sync.Mutex // guards what follows
	met   digest.Challenge
	login Credentials
	name  string // of the header, "" before the first challenge
	nonce string // client nonce for met
	count uint32
}

func (a *authorizer) header(method, uri string, challenge *sip.Response) (sip.Header, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if challenge != nil {
		if err := a.meet(challenge); err != nil {
			return nil, err
		}
	}
	if a.name == "" {
		return nil, nil
	}
	a.count++
	c, err := a.met.Answer(a.login.User, a.login.Password, digest.Request{
		Method: method, URI: uri, CNonce: a.nonce, NC: a.count,
	})
	if err != nil {
		return nil, err
	}
	return sip.NewHeader(a.name, c.String()), nil
}

// meet chooses among the challenges of a response. One that comes back with the
// nonce just used, and not as stale, refuses our password (RFC 7616 3.3).
func (a *authorizer) meet(res *sip.Response) error {
	from, name := "WWW-Authenticate", "Authorization"
	if res.StatusCode == 407 {
		from, name = "Proxy-Authenticate", "Proxy-Authorization"
	}
	var all []digest.Challenge
	for _, h := range res.GetHeaders(from) {
		some, err := digest.ParseChallenges(h.Value())
		if err != nil {
			return fmt.Errorf("challenge: %w", err)
		}
		all = append(all, some...)
	}
	for _, login := range a.logins {
		c, ok := digest.Strongest(all, login.Realm)
		if !ok {
			continue
		}
		if c.Nonce == a.met.Nonce && name == a.name && !c.Stale {
			return fmt.Errorf("realm %q refuses the credentials: %w", c.Realm, fault.Denied)
		}
		a.met, a.login, a.name, a.nonce, a.count = c, login, name, rand.Text(), 0
		return nil
	}
	return fmt.Errorf("no login for the realms of %d challenges: %w", len(all), fault.Denied)
}
