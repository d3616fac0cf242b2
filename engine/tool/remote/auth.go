// Package remote is what the edges to other people's tools (MCP servers, OpenAPI
// services) share: how we say who calls, how a stranger's schema is vetted, and
// how a stranger's words are shown. It is pure; whoever sends is above it.
package remote

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"flametree/engine/fault"
)

// AuthKind is how a service is told who calls.
type AuthKind string

// The kinds; "" is AuthNone.
const (
	AuthNone   AuthKind = "none"
	AuthBearer AuthKind = "bearer" // RFC 6750, section 2.1
	AuthBasic  AuthKind = "basic"  // RFC 7617
	AuthHeader AuthKind = "header"
)

// Auth is sent with each request to the scheme, host and port that it is for, and
// to no other; whoever sends sees to that.
type Auth struct {
	Kind   AuthKind
	Header string // of AuthHeader: its name
	Value  string // secret: the token, "user:password", or the header's value
}

// Alphanumeric are the letters and digits of ASCII.
const Alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// Validate says what is wrong, without the value; fault.Invalid.
func (a Auth) Validate() error {
	why := ""
	switch a.Kind {
	case "", AuthNone:
		return nil
	case AuthBearer, AuthBasic, AuthHeader:
	default:
		why = fmt.Sprintf("%q is none of none, bearer, basic, header", Printable(string(a.Kind), 20))
	}
	switch {
	case why != "":
	case a.Value == "" || strings.ContainsFunc(a.Value, unicode.IsControl):
		why = "the value is empty or breaks its line"
	case a.Kind == AuthBasic && !strings.Contains(a.Value, ":"):
		why = "the value of basic is user:password"
	case a.Kind == AuthHeader && (a.Header == "" || strings.Trim(a.Header, Alphanumeric+"-_") != ""):
		why = "the header's name is letters, digits, - and _"
	default:
		return nil
	}
	return fmt.Errorf("the authentication: %s: %w", why, fault.Invalid)
}

// Field is the header field that carries the secret; "", "" for none.
func (a Auth) Field() (name, value string) {
	switch a.Kind {
	case AuthBearer:
		return "Authorization", "Bearer " + a.Value
	case AuthBasic:
		return "Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(a.Value))
	case AuthHeader:
		return a.Header, a.Value
	case AuthNone:
	}
	return "", ""
}

// Hide takes the secret out of a stranger's text, also where it stands in JSON,
// in base64, or without the user.
func (a Auth) Hide(text string) string {
	if a.Value == "" {
		return text
	}
	words := []string{a.Value}
	if _, password, ok := strings.Cut(a.Value, ":"); ok && a.Kind == AuthBasic && password != "" {
		words = append(words, password)
	}
	var pairs []string
	for _, w := range words {
		pairs = append(pairs, w, "***", base64.StdEncoding.EncodeToString([]byte(w)), "***")
		if quoted, err := json.Marshal(w); err == nil {
			pairs = append(pairs, strings.Trim(string(quoted), `"`), "***")
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Printable keeps at most n characters of a stranger's text, without those that
// move a cursor or hide others.
func Printable(text string, n int) string {
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
