package google_test

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
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/google"
	"flametree/engine/provider/wire/speech"
)

// bank is a token endpoint that knows one account.
type bank struct {
	url   string
	key   *rsa.PrivateKey
	asked atomic.Int32
	wrong atomic.Pointer[string]
	fails atomic.Int32 // with this status
}

func openBank(t *testing.T) (*bank, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	b := &bank{key: key}
	h := httptest.NewServer(b)
	t.Cleanup(h.Close)
	b.url = h.URL + "/token"
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "voice@a-project.example", "private_key_id": "k1", "token_uri": b.url,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, account
}

func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := b.asked.Add(1)
	if status := b.fails.Load(); status != 0 {
		http.Error(w, `{"error":"invalid_grant","error_description":"`+r.FormValue("assertion")+`"}`, int(status))
		return
	}
	if why := b.check(r); why != "" {
		b.wrong.Store(&why)
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = fmt.Fprintf(w, `{"access_token":"ya29.token-%d","expires_in":3599,"token_type":"Bearer"}`, n)
}

func (b *bank) check(r *http.Request) string {
	parts := strings.Split(r.FormValue("assertion"), ".")
	if r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || len(parts) != 3 {
		return "the form"
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(&b.key.PublicKey, crypto.SHA256, sum[:], sig) != nil {
		return "the signature"
	}
	var claims struct {
		Iss, Scope, Aud string
		Iat, Exp        int64
	}
	text, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if json.Unmarshal(text, &claims) != nil || claims.Iss != "voice@a-project.example" || claims.Aud != b.url ||
		!strings.HasSuffix(claims.Scope, "cloud-platform") || claims.Exp-claims.Iat != 3600 {
		return "the claims: " + string(text)
	}
	return ""
}

// clock is a time that a test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(c.at.Load(), 0) }

func client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// TestAServiceAccountGetsTokens shows that a token is asked for once by all who
// need it, kept while it is good, and asked for again before it expires.
func TestAServiceAccountGetsTokens(t *testing.T) {
	b, account := openBank(t)
	var at clock
	at.at.Store(1_800_000_000)
	tokens, err := google.NewTokens(account, google.TokenOptions{HTTP: client(), Now: at.now})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, err := tokens.Token(t.Context()); err != nil || got != "ya29.token-1" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	wg.Wait()
	at.at.Add(3200)
	if got, err := tokens.Token(t.Context()); err != nil || got != "ya29.token-1" {
		t.Errorf("%q, %v", got, err)
	}
	at.at.Add(200) // less than five minutes are left
	if got, err := tokens.Token(t.Context()); err != nil || got != "ya29.token-2" {
		t.Errorf("%q, %v", got, err)
	}
	if why := b.wrong.Load(); why != nil || b.asked.Load() != 2 {
		t.Errorf("asked %d times; wrong: %v", b.asked.Load(), why)
	}
}

// TestARefusedAccountTellsNothing shows that neither the key nor the signed claim
// is in what a refusal says, and that its kind is right.
func TestARefusedAccountTellsNothing(t *testing.T) {
	b, account := openBank(t)
	b.fails.Store(http.StatusUnauthorized)
	tokens, err := google.NewTokens(account, google.TokenOptions{HTTP: client()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tokens.Token(t.Context())
	if fault.KindOf(err) != fault.Denied {
		t.Errorf("%v", err)
	}
	if strings.Contains(err.Error(), "eyJ") || strings.Contains(err.Error(), "PRIVATE") {
		t.Errorf("%v holds what nobody may see", err)
	}
}

// TestWhatIsNoAccount refuses files that are none, without quoting them.
func TestWhatIsNoAccount(t *testing.T) {
	_, account := openBank(t)
	for name, text := range map[string]string{
		"no JSON":        "BEGIN canary",
		"another JSON":   `{"type":"authorized_user","client_email":"canary"}`,
		"no PEM":         `{"type":"service_account","client_email":"a","private_key":"canary"}`,
		"no key in it":   `{"type":"service_account","client_email":"a","private_key":"-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n"}`,
		"no address":     strings.Replace(string(account), "http://", "ftp://canary", 1),
		"nothing at all": "",
	} {
		if _, err := google.NewTokens([]byte(text), google.TokenOptions{}); fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnAPIKeyIsNoToken shows that an API key goes in its own header.
func TestAnAPIKeyIsNoToken(t *testing.T) {
	var key, auth atomic.Pointer[string]
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k, a := r.Header.Get("X-Goog-Api-Key"), r.Header.Get("Authorization")
		key.Store(&k)
		auth.Store(&a)
		http.Error(w, "{}", http.StatusForbidden)
	}))
	defer h.Close()
	y, err := google.NewSynthesizer(google.Options{APIKey: true, Options: speech.Options{
		BaseURL: h.URL, HTTP: client(), Key: func(context.Context) (string, error) { return "AIza-canary", nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := y.Open(t.Context(), provider.Voice{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	_ = s.Speak("one two", 1, 1) // what fails is told by Audio
	for _, err := range s.Audio() {
		if fault.KindOf(err) != fault.Denied || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v", err)
		}
		break
	}
	if k, a := key.Load(), auth.Load(); k == nil || *k != "AIza-canary" || *a != "" {
		t.Errorf("key %v, authorization %v", k, a)
	}
}
