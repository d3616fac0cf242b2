// Package auth knows how a caller of the front door proves who it is: an
// agent's token, or a ticket bought with one. It does not know which tokens are
// right; whoever implements Agents does. It keeps no users and no passwords.
package auth

import (
	"context"
	"strings"

	"flametree/engine/tenant"
)

// Agent is an agent as the front door sees it.
type Agent struct {
	ID      string
	Tenant  tenant.ID
	Name    string
	Alias   string // "" when it has none
	SIP     string // what a phone dials, such as sip:card@127.0.0.1:5060; "" when it has no voice
	Running bool
}

// Agents is what the front door asks about agents. Methods may be called from
// any goroutine.
type Agents interface {
	// Authorize says whose token this is. It fails with fault.NotFound when there
	// is no such agent, fault.Denied when the token is another's (the comparison
	// takes constant time), and fault.Unavailable when the agent is stopped.
	Authorize(ctx context.Context, agentID, token string) (Agent, error)
	// List gives all agents of the installation, in the order they are shown.
	List(ctx context.Context) []Agent
}

// maxToken bounds what is taken for a token at all.
const maxToken = 512

// Bearer reads an Authorization header (RFC 6750 2.1).
func Bearer(header string) (token string, ok bool) {
	scheme, token, found := strings.Cut(strings.TrimSpace(header), " ")
	token = strings.TrimSpace(token)
	if !found || !strings.EqualFold(scheme, "bearer") || !isToken(token) {
		return "", false
	}
	return token, true
}

// Protocol is the subprotocol a socket speaks when its token comes as one.
const Protocol = "bearer"

// Subprotocol reads a Sec-WebSocket-Protocol header of the form "bearer, <token>".
func Subprotocol(header string) (token string, ok bool) {
	name, token, found := strings.Cut(header, ",")
	name, token = strings.TrimSpace(name), strings.TrimSpace(token)
	if !found || name != Protocol || !isToken(token) {
		return "", false
	}
	return token, true
}

// isToken admits visible ASCII without separators that would end it.
func isToken(s string) bool {
	if s == "" || len(s) > maxToken {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ',' || s[i] == '"' {
			return false
		}
	}
	return true
}
