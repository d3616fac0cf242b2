package openapi

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"flametree/engine/fault"
)

// AuthKind is how a service is told who calls.
type AuthKind string

// The kinds; "" is AuthNone.
const (
	AuthNone   AuthKind = "none"
	AuthBearer AuthKind = "bearer"
	AuthBasic  AuthKind = "basic"
	AuthHeader AuthKind = "header"
)

// Auth is sent with each request to the base's own scheme, host and port, and
// to no other.
type Auth struct {
	Kind   AuthKind
	Header string // of AuthHeader: its name
	Value  string // secret: the token, "user:password", or the header's value
}

const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func (a Auth) validate() error {
	why := ""
	switch a.Kind {
	case "", AuthNone:
		return nil
	case AuthBearer, AuthBasic, AuthHeader:
	default:
		why = fmt.Sprintf("%q is none of none, bearer, basic, header", printable(string(a.Kind), 20))
	}
	switch {
	case why != "":
	case a.Value == "" || strings.ContainsFunc(a.Value, unicode.IsControl):
		why = "the value is empty or breaks its line"
	case a.Kind == AuthBasic && !strings.Contains(a.Value, ":"):
		why = "the value of basic is user:password"
	case a.Kind == AuthHeader && (a.Header == "" || strings.Trim(a.Header, alphanumeric+"-_") != ""):
		why = "the header's name is letters, digits, - and _"
	default:
		return nil
	}
	return fmt.Errorf("openapi: the authentication: %s: %w", why, fault.Invalid)
}

// header is the one that carries the secret, "" for none.
func (a Auth) header() string {
	switch a.Kind {
	case AuthBearer, AuthBasic:
		return "Authorization"
	case AuthHeader:
		return http.CanonicalHeaderKey(a.Header)
	case AuthNone:
	}
	return ""
}

func (a Auth) put(h http.Header) {
	switch a.Kind {
	case AuthBearer:
		h.Set("Authorization", "Bearer "+a.Value)
	case AuthBasic:
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(a.Value)))
	case AuthHeader:
		h.Set(a.Header, a.Value)
	case AuthNone:
	}
}

// hide takes our secrets out of a stranger's text.
func (a Auth) hide(text string) string {
	if a.Value == "" {
		return text
	}
	return strings.NewReplacer(a.Value, "***", base64.StdEncoding.EncodeToString([]byte(a.Value)), "***").Replace(text)
}

// printable keeps at most n characters of a stranger's text, without those that
// move a cursor or hide others.
func printable(text string, n int) string {
	var b strings.Builder
	for _, r := range text {
		if n--; n < 0 {
			break
		}
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String())
}
