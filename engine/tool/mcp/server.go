// Package mcp is the edge to servers of tools that speak the Model Context
// Protocol (modelcontextprotocol.io, revisions 2024-11-05 to 2026-07-28), on
// the official Go SDK. It lists a server's tools, gives them names of ours and
// runs them under the names the server knows. A server is a stranger: what it
// says is vetted, bounded and never repeated by itself.
//
// It refuses to be a guard of addresses or processes: the way out and the start
// of a command are given in. It decides nothing about whether a call may happen,
// and offers a server neither models, nor files, nor the human.
package mcp

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/tool"
)

// Transport is how a server is spoken to.
type Transport string

// The transports.
const (
	HTTPSSE        Transport = "http_sse"        // revision 2024-11-05: one stream, and posts beside it
	StreamableHTTP Transport = "streamable_http" // since revision 2025-03-26
	Stdio          Transport = "stdio"           // a command, one line a message
)

// AuthKind is how a server is told who calls.
type AuthKind string

// The kinds; "" is AuthNone.
const (
	AuthNone   AuthKind = "none"
	AuthBearer AuthKind = "bearer"
	AuthBasic  AuthKind = "basic"
	AuthHeader AuthKind = "header"
)

// Auth is sent with each request to the endpoint's own scheme, host and port,
// and to no other. A command started for stdio has its secrets from whoever
// starts it.
type Auth struct {
	Kind   AuthKind
	Header string // of AuthHeader: its name
	Value  string // secret: the token, "user:password", or the header's value
}

// Replacement changes every Old in a name to New.
type Replacement struct{ Old, New string }

// Rename makes our names from the server's: Names for single tools, where
// nothing else is applied; else the Replace in order, then Prefix and Suffix.
type Rename struct {
	Names          map[string]string
	Replace        []Replacement
	Prefix, Suffix string
}

// Apply gives the new name of a tool.
func (r Rename) Apply(name string) string {
	if to, ok := r.Names[name]; ok {
		return to
	}
	for _, one := range r.Replace {
		if one.Old != "" {
			name = strings.ReplaceAll(name, one.Old, one.New)
		}
	}
	return r.Prefix + name + r.Suffix
}

// Server is one server as its integration declares it.
type Server struct {
	Name, Description string
	// Code stands before each tool's name, "WEATHER_forecast". Letters and
	// digits; unique in an agent, see Codes.
	Code string
	// Endpoint is an http or https URL, or the command of a stdio server, its
	// words parted by spaces, quotes as in a shell. No shell reads it.
	Endpoint  string
	Transport Transport
	Auth      Auth
	Rename    Rename
	// Include and Exclude choose tools by the names that Rename gave, before the
	// code is put in front; "*" stands for any characters. No Include = all. What
	// both name is excluded.
	Include, Exclude []string
	// Timeout of a call, at most tool.MaxTimeout; 0 = tool.DefaultTimeout.
	Timeout time.Duration
}

const maxCode = 32 // leaves half of tool.MaxName to the tool

// Validate says what is wrong with the declaration; fault.Invalid.
func (s Server) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("mcp: server %q: %s: %w", s.Code, fmt.Sprintf(format, args...), fault.Invalid)
	}
	if s.Code == "" || len(s.Code) > maxCode || strings.Trim(s.Code, alphanumeric) != "" {
		return bad("the code is 1 to %d letters and digits, such as WEATHER", maxCode)
	}
	if s.Timeout < 0 || s.Timeout > tool.MaxTimeout {
		return bad("the timeout is between 0 and %v", tool.MaxTimeout)
	}
	switch s.Transport {
	case Stdio:
		return s.command(bad)
	case HTTPSSE, StreamableHTTP:
		u, err := url.Parse(s.Endpoint)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return bad("the endpoint of %s is a URL that starts with http:// or https://", s.Transport)
		}
		if u.User != nil {
			return bad("the endpoint carries a user; put it into the authentication")
		}
		return s.Auth.validate(bad)
	}
	return bad("the transport %q is none of %s, %s, %s", s.Transport, HTTPSSE, StreamableHTTP, Stdio)
}

func (s Server) command(bad func(string, ...any) error) error {
	if u, err := url.Parse(s.Endpoint); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return bad("the endpoint of stdio is a command, not a URL; use %s or %s", StreamableHTTP, HTTPSSE)
	}
	if argv, err := split(s.Endpoint); err != nil || len(argv) == 0 {
		return bad("the endpoint is no command: %v", cmp.Or(err, errNoCommand))
	}
	if s.Auth.Kind != "" && s.Auth.Kind != AuthNone {
		return bad("stdio has no authentication; give the command its secrets as variables")
	}
	return nil
}

const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func (a Auth) validate(bad func(string, ...any) error) error {
	switch a.Kind {
	case "", AuthNone:
		return nil
	case AuthBearer, AuthBasic, AuthHeader:
	default:
		return bad("the authentication %q is none of none, bearer, basic, header", a.Kind)
	}
	if a.Value == "" || strings.ContainsFunc(a.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return bad("the authentication's value is empty or breaks its line")
	}
	if a.Kind == AuthBasic && !strings.Contains(a.Value, ":") {
		return bad("the value of basic is user:password")
	}
	if a.Kind == AuthHeader && (a.Header == "" || strings.Trim(a.Header, alphanumeric+"-_") != "") {
		return bad("the name of the authentication's header is letters, digits, - and _")
	}
	return nil
}

// put writes the authentication into a request.
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

// Codes says which code two servers of one agent share; fault.Conflict. Case
// does not tell codes apart.
func Codes(servers []Server) error {
	seen := make(map[string]string, len(servers))
	for _, s := range servers {
		low := strings.ToLower(s.Code)
		if other, ok := seen[low]; ok {
			return fmt.Errorf("mcp: servers %q and %q share the code %q; give each its own: %w", other, s.Name, s.Code, fault.Conflict)
		}
		seen[low] = s.Name
	}
	return nil
}

// wanted is the filter of tools.
func (s Server) wanted(name string) bool {
	return (len(s.Include) == 0 || anyOf(s.Include, name)) && !anyOf(s.Exclude, name)
}

func anyOf(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(p, name) {
			return true
		}
	}
	return false
}

// matches compares with "*" as any characters. Going back to the last star is
// enough, so the time is bounded by the product of the lengths.
func matches(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
