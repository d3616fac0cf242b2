package ws

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/gateway/auth"
	"flametree/gateway/httpd"
)

// Options gives the agent's socket what it stands on.
type Options struct {
	Agents  auth.Agents
	Sockets Sockets
	Tickets *auth.Tickets
	Calls   Calls // nil: no calls are taken
}

// askTime bounds every question a socket asks on behalf of its peer.
const askTime = 10 * time.Second

// Mount adds /chatbot/{agent}/ws/{session} to s, with sockets kept by h.
func Mount(s *httpd.Server, h *Hub, o Options) {
	s.Route(httpd.Route{Method: http.MethodGet, Pattern: "/chatbot/{agent}/ws/{session}", Handle: func(r *httpd.Request) {
		p := &peer{o: o, hub: h, agentID: r.Param("agent"), session: r.Param("session"), log: r.Logger()}
		p.credentials(r)
		after, err := position(r.Query("after"))
		if err != nil {
			r.Fail(err)
			return
		}
		p.after = after
		h.Upgrade(r, p.protocol, p.serve)
	}})
}

// position reads ?after=; without it a socket begins with what comes.
func position(s string) (uint64, error) {
	if s == "" {
		return FromNow, nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, httpd.Invalid("query.after", "expected the seq of a frame")
	}
	return n, nil
}

// credentials takes the first that is there: header, subprotocol, ticket.
func (p *peer) credentials(r *httpd.Request) {
	if t, ok := auth.Bearer(r.Header("Authorization")); ok {
		p.token = t
	} else if t, ok := auth.Subprotocol(r.Header("Sec-WebSocket-Protocol")); ok {
		p.token = t
	} else {
		p.ticket = r.Query("ticket")
	}
	if name, _, _ := strings.Cut(r.Header("Sec-WebSocket-Protocol"), ","); strings.TrimSpace(name) == auth.Protocol {
		p.protocol = auth.Protocol
	}
}

// authorise proves the peer's right to the session, or says why not.
func (p *peer) authorise(ctx context.Context) (auth.Agent, error) {
	if p.token != "" {
		ctx, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		return p.o.Agents.Authorize(ctx, p.agentID, p.token)
	}
	if p.ticket == "" {
		return auth.Agent{}, fmt.Errorf("open a socket: no token and no ticket: %w", fault.Denied)
	}
	g, err := p.o.Tickets.Redeem(time.Now(), p.ticket)
	if err != nil {
		return auth.Agent{}, err
	}
	if g.Agent.ID != p.agentID || g.Session != p.session {
		return auth.Agent{}, fmt.Errorf("open a socket: the ticket is for another session: %w", fault.Denied)
	}
	return g.Agent, nil
}

// closeCode is the table from fault kinds to close codes.
func closeCode(k fault.Kind) int {
	switch k {
	case "", fault.Cancelled:
		return CloseNormal
	case fault.Denied:
		return CloseDenied
	case fault.NotFound:
		return CloseNotFound
	case fault.Exhausted:
		return CloseExhausted
	case fault.Unavailable:
		return CloseUnavailable
	case fault.Invalid, fault.Conflict, fault.Bug:
	}
	return CloseBug
}

// refuse closes a socket for err. Our own faults show nothing of themselves.
func (p *peer) refuse(c *Conn, err error) {
	k := fault.KindOf(err)
	code := closeCode(k)
	reason := string(k)
	if code == CloseBug {
		p.log.Error("socket failed", "session", p.session, "err", err)
		reason = "internal error"
	}
	c.Close(code, reason)
}

// encode writes a frame; frames are ours and always marshal.
func encode(f any) []byte {
	b, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	return b
}

// pump moves frames of a session to the socket until either ends.
type pump struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (u *pump) stop() {
	u.cancel()
	u.done.Wait()
}
