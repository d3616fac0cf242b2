package digest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Verdict is what a Guard found out about a request.
type Verdict uint8

// The verdicts.
const (
	Good  Verdict = iota
	Wrong         // challenge again: no credentials for us, or wrong ones
	Stale         // challenge again with stale=true: right but for an old nonce
)

// Guard is the server side for one realm. Its nonces carry their time under a
// seal, so that only the counts of those in use are kept. It is for one
// goroutine at a time.
type Guard struct {
	realm string
	life  time.Duration
	weak  bool
	key   [32]byte
	used  map[string]*count // by nonce
	floor time.Time         // nonces up to here may have been dropped from used
}

// count guards against replay: each nonce count is good once (RFC 7616 3.4.5).
type count struct {
	born   time.Time
	high   uint32
	recent uint64 // the 64 counts below high that came, for requests that overtook
}

const (
	// maxUsed bounds the nonces whose counts are kept; the oldest go first and are
	// stale from then on.
	maxUsed    = 4096
	nonceBytes = 8 + 8 + 16 // time, chance, seal
)

// NewGuard makes a guard whose nonces live for life; zero is 5 minutes. weak
// adds a challenge in MD5 for clients that know no other (RFC 8760 2.3).
func NewGuard(realm string, life time.Duration, weak bool) *Guard {
	if life <= 0 {
		life = 5 * time.Minute
	}
	g := &Guard{realm: realm, life: life, weak: weak, used: make(map[string]*count)}
	_, _ = rand.Read(g.key[:]) // never fails since Go 1.24
	return g
}

// Challenges gives what to send with 401 or 407, the strongest first
// (RFC 8760 2.3).
func (g *Guard) Challenges(now time.Time, stale bool) []Challenge {
	c := Challenge{Realm: g.realm, Nonce: g.nonce(now), QOP: []string{"auth"}, Algorithm: SHA256, Stale: stale}
	if !g.weak {
		return []Challenge{c}
	}
	second := c
	second.Algorithm = MD5
	return []Challenge{c, second}
}

func (g *Guard) nonce(now time.Time) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, nonceBytes), uint64(now.UnixNano()))
	b = b[:16]
	_, _ = rand.Read(b[8:16])
	return base64.RawURLEncoding.EncodeToString(append(b, g.seal(b)...))
}

func (g *Guard) seal(b []byte) []byte {
	mac := hmac.New(sha256.New, g.key[:])
	mac.Write(b)
	return mac.Sum(nil)[:16]
}

// born reads the time of a nonce of ours; false for any other.
func (g *Guard) born(nonce string) (time.Time, bool) {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != nonceBytes || !hmac.Equal(g.seal(b[:16]), b[16:]) {
		return time.Time{}, false
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b))), true
}

// Check judges the credentials of a request. password gives that of a user; for
// an unknown one as much is computed as for a known one, so that the time tells
// nothing. uri is that of the request: credentials for another are wrong.
func (g *Guard) Check(now time.Time, c Credentials, method, uri string, password func(user string) (string, bool)) Verdict {
	secret, known := password(c.User)
	want, err := c.response(method, secret)
	right := err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(c.Response)) == 1
	name, session, _ := base(c.Algorithm)
	if !right || !known || c.Realm != g.realm || c.URI != uri || c.QOP != "auth" || session || name != SHA256 && (!g.weak || name != MD5) {
		return Wrong
	}
	born, ours := g.born(c.Nonce)
	if !ours {
		return Wrong
	}
	if age := now.Sub(born); age > g.life || age < -time.Minute {
		return Stale
	}
	return g.fresh(now, c, born)
}

// fresh takes a nonce count once.
func (g *Guard) fresh(now time.Time, c Credentials, born time.Time) Verdict {
	n := g.used[c.Nonce]
	if n == nil {
		if !born.After(g.floor) { // it may be one we dropped, and its counts with it
			return Stale
		}
		g.makeRoom(now)
		n = &count{born: born}
		g.used[c.Nonce] = n
	}
	switch {
	case c.NC == 0:
		return Wrong
	case c.NC > n.high:
		if ahead := c.NC - n.high; n.high == 0 || ahead > 64 {
			n.recent = 0
		} else {
			n.recent = n.recent<<ahead | 1<<(ahead-1)
		}
		n.high = c.NC
		return Good
	case c.NC == n.high || n.high-c.NC > 64:
		return Stale
	}
	bit := uint64(1) << (n.high - c.NC - 1)
	if n.recent&bit != 0 {
		return Stale
	}
	n.recent |= bit
	return Good
}

// makeRoom drops counts whose nonces are over, and the oldest when that is not
// enough.
func (g *Guard) makeRoom(now time.Time) {
	if len(g.used) < maxUsed {
		return
	}
	oldest, at := "", now
	for nonce, n := range g.used {
		if now.Sub(n.born) > g.life {
			delete(g.used, nonce)
			continue
		}
		if n.born.Before(at) {
			oldest, at = nonce, n.born
		}
	}
	if len(g.used) >= maxUsed {
		delete(g.used, oldest)
		g.floor = at
	}
}
