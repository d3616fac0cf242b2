package google

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider/wire"
)

// scope is what a token is good for (developers.google.com/identity/protocols/oauth2/scopes).
const scope = "https://www.googleapis.com/auth/cloud-platform"

// Tokens are access tokens of a service account: asked for when one is needed,
// kept for as long as they are good. They are safe for concurrent use.
//
// Published: developers.google.com/identity/protocols/oauth2/service-account
// ("HTTP/REST"), 2026, read in November 2026 in public copies; RFC 7523.
type Tokens struct {
	client   *wire.Client
	email    string
	id       string // of the key
	audience string
	key      *rsa.PrivateKey
	now      func() time.Time

	one   sync.Mutex // asks
	mu    sync.Mutex // guards what follows
	token string
	until time.Time
}

// TokenOptions of Tokens.
type TokenOptions struct {
	URL  string           // in place of the account's own token_uri, "" = that one
	HTTP *http.Client     // nil = one of its own; the place for an egress guard
	Now  func() time.Time // nil = time.Now
}

// NewTokens reads the JSON of a service account's key, as Google's console gives
// it. It asks nothing yet. What is wrong is fault.Invalid and quotes nothing.
func NewTokens(account []byte, o TokenOptions) (*Tokens, error) {
	var a struct {
		Type  string `json:"type"`
		Email string `json:"client_email"`
		ID    string `json:"private_key_id"`
		Key   string `json:"private_key"`
		URL   string `json:"token_uri"`
	}
	if json.Unmarshal(account, &a) != nil { // its error might quote the key
		return nil, fmt.Errorf("google: the service account is no JSON: %w", fault.Invalid)
	}
	if a.Type != "service_account" || a.Email == "" {
		return nil, fmt.Errorf("google: the JSON is not the key of a service account: %w", fault.Invalid)
	}
	block, _ := pem.Decode([]byte(a.Key))
	if block == nil {
		return nil, fmt.Errorf("google: the private_key of the service account is no PEM: %w", fault.Invalid)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("google: the private_key of the service account is no RSA key in PKCS #8: %w", fault.Invalid)
	}
	if o.URL != "" {
		a.URL = o.URL
	}
	if a.URL == "" {
		a.URL = "https://oauth2.googleapis.com/token"
	}
	c, err := wire.New(wire.Options{Vendor: "google", BaseURL: a.URL, HTTP: o.HTTP, Idle: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Tokens{client: c, email: a.Email, id: a.ID, audience: a.URL, key: key, now: o.Now}, nil
}

// early is how long before its end a token is no longer used.
const early = 5 * time.Minute

// Token gives an access token; it is the Key of Options. Callers beside each
// other wait for one request.
func (t *Tokens) Token(ctx context.Context) (string, error) {
	if token, ok := t.kept(); ok {
		return token, nil
	}
	t.one.Lock()
	defer t.one.Unlock()
	if token, ok := t.kept(); ok {
		return token, nil
	}
	now := t.now()
	claim, err := t.assertion(now)
	if err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {claim}}
	in, err := t.client.Fetch(ctx, wire.Outgoing{Type: "application/x-www-form-urlencoded", Body: []byte(form.Encode()), Accept: "application/json", Secret: claim})
	if err != nil {
		return "", err
	}
	all, err := t.client.ReadAll(in, 64<<10)
	if err != nil {
		return "", err
	}
	var got struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"` // seconds
	}
	if json.Unmarshal(all, &got) != nil || got.Token == "" || strings.ContainsAny(got.Token, "\r\n") {
		return "", t.client.Unreadable()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.until = got.Token, now.Add(time.Duration(min(max(got.Expires, 0), 86400))*time.Second)
	return t.token, nil
}

func (t *Tokens) kept() (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token, t.token != "" && t.now().Before(t.until.Add(-early))
}

// assertion is the signed claim (RFC 7523, 3; RFC 7518, 3.3).
func (t *Tokens) assertion(now time.Time) (string, error) {
	head := map[string]any{"alg": "RS256", "typ": "JWT"}
	if t.id != "" {
		head["kid"] = t.id
	}
	claims := map[string]any{"iss": t.email, "scope": scope, "aud": t.audience, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	var parts []string
	for _, v := range []any{head, claims} {
		b, err := json.Marshal(v)
		if err != nil { // strings and numbers
			return "", fmt.Errorf("google: claim: %w: %w", fault.Bug, err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	signed := strings.Join(parts, ".")
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, t.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("google: the key of the service account cannot sign: %w", fault.Invalid)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}
