package turnd

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Servers is what a browser needs to use the relay, in the form of RTCIceServer
// (W3C WebRTC 4.2.4).
type Servers struct {
	URLs       []string  `json:"urls"`
	Username   string    `json:"username"`
	Credential string    `json:"credential"`
	Until      time.Time `json:"-"` // after it they open nothing any more
}

// Credentials makes credentials for a session, valid from now for Options.TTL.
// They are not remembered: what they open is decided from what they say. Safe
// for concurrent use.
func (s *Server) Credentials(session string, now time.Time) Servers {
	until := now.Add(s.o.TTL)
	name := strconv.FormatInt(until.Unix(), 10) + ":" + session
	return Servers{
		URLs:     slices.Clone(s.urls),
		Username: name, Credential: password(s.o.Secret, name), Until: time.Unix(until.Unix(), 0),
	}
}

// password is base64(HMAC(secret, name)). The draft says SHA-1, for servers that
// share the secret with others; ours is shared with nobody.
func password(secret []byte, name string) string {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(name))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// maxName bounds a user name: an expiry and an id.
const maxName = 256

// parseName takes a user name apart.
func parseName(name string) (until time.Time, session string, ok bool) {
	stamp, session, ok := strings.Cut(name, ":")
	n, err := strconv.ParseInt(stamp, 10, 64)
	if !ok || err != nil || n < 0 || session == "" || len(name) > maxName {
		return time.Time{}, "", false
	}
	return time.Unix(n, 0), session, true
}
