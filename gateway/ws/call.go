package ws

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"flametree/engine/fault"
	"flametree/gateway/auth"
	"flametree/gateway/httpd"
)

// Calls takes calls of browsers, whose signalling is frames on an agent's socket.
type Calls interface {
	// Signal begins the signalling of one socket of a session; the agent has been
	// authorised. tell sends a frame to the browser; it may be called from any
	// goroutine and does not block.
	Signal(a auth.Agent, session string, tell func(CallFrame)) Signalling
}

// Signalling is the signalling of one socket.
type Signalling interface {
	// Take handles a frame whose type begins with call. Errors are told to the
	// browser and concern this frame alone.
	Take(ctx context.Context, in CallIn) error
	// Busy reports whether a call of this socket is running: the socket then
	// outlives its session.
	Busy() bool
	// Leave says that the socket is gone. Closed: the page closed it itself, as it
	// does when it is left; otherwise its call may go on by another one.
	Leave(closed bool)
}

// The types of frames about calls, in and out.
const (
	CallServers   = "call.servers" // in: which relays are there; out: these
	CallOffer     = "call.offer"
	CallCandidate = "call.candidate" // in and out
	CallMute      = "call.mute"
	CallDigit     = "call.digit"
	CallHangup    = "call.hangup"

	CallAnswer  = "call.answer"
	CallState   = "call.state"
	CallCaption = "call.caption"
	CallError   = "call.error"
)

// CallIn is one frame about a call from the browser.
type CallIn struct {
	Type      string `json:"type"`
	Call      string `json:"call"`
	SDP       string `json:"sdp"`
	Candidate string `json:"candidate"` // "" = no more
	Mid       string `json:"mid"`
	MLine     int    `json:"mline"`
	On        bool   `json:"on"`
	Digit     string `json:"digit"`
	MS        int64  `json:"ms"`
}

// CallFrame is one frame about a call to the browser; which fields count depends
// on its type.
type CallFrame struct {
	Type       string
	Call       string
	Session    string      // answer: the session of the call, which is another one than the socket's
	SDP        string      // answer
	Candidate  string      // candidate; "" = no more
	Mid        string      // candidate
	MLine      int         // candidate
	State      string      // state: ringing up reconnecting ended
	Reason     string      // state: of ended
	Turn       uint64      // caption
	Role       string      // caption: USER AI
	Text       string      // caption
	Final      bool        // caption
	Kind       string      // error: a fault.Kind
	Message    string      // error: what to do
	ICEServers []ICEServer // servers
}

// ICEServer is a relay, as RTCPeerConnection wants it.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// MarshalJSON implements json.Marshaler: each type of frame has its own fields,
// and all of those are always there.
func (f CallFrame) MarshalJSON() ([]byte, error) {
	out := map[string]any{"type": f.Type}
	if f.Type != CallServers && f.Call != "" {
		out["call"] = f.Call
	}
	switch f.Type {
	case CallServers:
		out["ice_servers"] = append([]ICEServer{}, f.ICEServers...)
	case CallAnswer:
		out["session"], out["sdp"] = f.Session, f.SDP
	case CallCandidate:
		out["candidate"], out["mid"], out["mline"] = f.Candidate, f.Mid, f.MLine
	case CallState:
		out["state"], out["reason"] = f.State, f.Reason
	case CallCaption:
		out["turn"], out["role"], out["text"], out["final"] = f.Turn, f.Role, f.Text, f.Final
	case CallError:
		out["kind"], out["message"] = f.Kind, f.Message
	}
	return json.Marshal(out)
}

// parseCall reads a frame about a call. Its errors are fault.Invalid and name
// the place.
func parseCall(b []byte) (CallIn, error) {
	var in CallIn
	if err := json.Unmarshal(b, &in); err != nil {
		return in, invalid("frame", err.Error())
	}
	if len(in.Call) > 64 {
		in.Call = ""
		return in, invalid("call", "at most 64 bytes")
	}
	switch in.Type {
	case CallServers:
		return in, nil
	case CallOffer:
		if in.SDP == "" {
			return in, invalid("sdp", "is missing")
		}
		return in, nil
	case CallCandidate, CallMute, CallDigit, CallHangup:
		if in.Call == "" {
			return in, invalid("call", "is missing: it stands in call.answer")
		}
		return in, nil
	}
	return in, invalid("type", fmt.Sprintf("unknown type %.40q: expected call.servers, call.offer, call.candidate, call.mute, call.digit or call.hangup", in.Type))
}

// isCall reports whether a frame's type is one about calls.
func isCall(kind string) bool { return strings.HasPrefix(kind, "call.") }

// tell sends the browser a frame about a call. The socket of a session that has
// ended goes with its call.
func (p *peer) tell(c *Conn, f CallFrame) {
	_ = c.Write(encode(f)) // a lost socket ends at the next read
	p.mu.Lock()
	over := p.parted && f.Type == CallState && f.State == "ended"
	p.mu.Unlock()
	if over {
		c.Close(CloseNormal, "session ended")
	}
}

// stays reports whether the socket outlives its session, because a call goes on.
func (p *peer) stays() bool {
	if p.calls == nil {
		return false
	}
	p.mu.Lock()
	p.parted = true
	p.mu.Unlock()
	return p.calls.Busy() // asked after: a call that ended meanwhile closes the socket itself
}

// signal handles a frame about a call, or says in a frame why not.
func (p *peer) signal(ctx context.Context, c *Conn, b []byte) {
	in, err := parseCall(b)
	if err == nil && p.calls == nil {
		err = fmt.Errorf("this server takes no calls of browsers: start it with --webrtc ADDRESS: %w", fault.Unavailable)
	}
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		err = p.calls.Take(ctx, in)
	}
	if err == nil {
		return
	}
	k := fault.KindOf(err)
	f := CallFrame{Type: CallError, Call: in.Call, Kind: string(k), Message: httpd.ProblemOf(err).Detail}
	if k == fault.Bug || k == "" {
		p.log.Error("call frame failed", "session", p.session, "err", err)
		f.Kind = string(fault.Bug)
	}
	_ = c.Write(encode(f))
}
