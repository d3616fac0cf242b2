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
	"fmt"
	"net/url"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/tool"
	"flametree/engine/tool/remote"
)

// Transport is how a server is spoken to.
type Transport string

// The transports.
const (
	HTTPSSE        Transport = "http_sse"        // revision 2024-11-05: one stream, and posts beside it
	StreamableHTTP Transport = "streamable_http" // since revision 2025-03-26
	Stdio          Transport = "stdio"           // a command, one line a message
)

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
	// Auth is of an endpoint over HTTP. A command started for stdio has its
	// secrets from whoever starts it.
	Auth   remote.Auth
	Rename Rename
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
	if s.Code == "" || len(s.Code) > maxCode || strings.Trim(s.Code, remote.Alphanumeric) != "" {
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
		if err := s.Auth.Validate(); err != nil {
			return fmt.Errorf("mcp: server %q: %w", s.Code, err)
		}
		return nil
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
	if s.Auth.Kind != "" && s.Auth.Kind != remote.AuthNone {
		return bad("stdio has no authentication; give the command its secrets as variables")
	}
	return nil
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
