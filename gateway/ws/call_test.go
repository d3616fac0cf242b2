package ws_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/gateway/auth"
	"flametree/gateway/gatewaytest"
	"flametree/gateway/ws"
)

// exchange takes calls and notes what it is told.
type exchange struct {
	mu    sync.Mutex // guards what follows
	taken []ws.CallIn
	left  []bool
	busy  bool
	fails error
	tell  func(ws.CallFrame)
}

func (e *exchange) Signal(_ auth.Agent, _ string, tell func(ws.CallFrame)) ws.Signalling {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tell = tell
	return e
}

func (e *exchange) Take(_ context.Context, in ws.CallIn) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.taken = append(e.taken, in)
	if e.fails == nil && in.Type == ws.CallOffer {
		e.tell(ws.CallFrame{Type: ws.CallAnswer, Call: "c", Session: "s", SDP: "v=0"})
	}
	return e.fails
}

func (e *exchange) Busy() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.busy
}

func (e *exchange) Leave(closed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left = append(e.left, closed)
}

func (e *exchange) seen() (taken []ws.CallIn, left []bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]ws.CallIn(nil), e.taken...), append([]bool(nil), e.left...)
}

func (e *exchange) say(f ws.CallFrame) {
	e.mu.Lock()
	tell := e.tell
	e.mu.Unlock()
	tell(f)
}

func calling(t *testing.T, e *exchange) (*gatewaytest.Site, string) {
	t.Helper()
	c := gatewaytest.Config{}
	if e != nil {
		c.Calls = e
	}
	s := gatewaytest.Start(t, gatewaytest.New(), c)
	return s, s.Session(t)
}

// next reads a frame as it is.
func next(t *testing.T, c *websocket.Conn) map[string]any {
	t.Helper()
	_, b, err := c.ReadMessage()
	require.NoError(t, err)
	out := map[string]any{}
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

func TestFramesAboutCallsHaveTheirOwnFieldsAndAllOfThem(t *testing.T) {
	for want, f := range map[string]ws.CallFrame{
		`{"type":"call.servers","ice_servers":[]}`: {Type: ws.CallServers},
		`{"type":"call.servers","ice_servers":[{"urls":["turn:a"],"username":"u","credential":"p"}]}`: {
			Type: ws.CallServers, ICEServers: []ws.ICEServer{{URLs: []string{"turn:a"}, Username: "u", Credential: "p"}},
		},
		`{"type":"call.answer","call":"c","session":"s","sdp":"v=0"}`:                            {Type: ws.CallAnswer, Call: "c", Session: "s", SDP: "v=0"},
		`{"type":"call.candidate","call":"c","candidate":"","mid":"0","mline":0}`:                {Type: ws.CallCandidate, Call: "c", Mid: "0"},
		`{"type":"call.state","call":"c","state":"ended","reason":"hangup"}`:                     {Type: ws.CallState, Call: "c", State: "ended", Reason: "hangup"},
		`{"type":"call.caption","call":"c","turn":3,"role":"AI","text":"So","final":false}`:      {Type: ws.CallCaption, Call: "c", Turn: 3, Role: "AI", Text: "So"},
		`{"type":"call.error","call":"c","kind":"invalid","message":"offer: there is no sound"}`: {Type: ws.CallError, Call: "c", Kind: "invalid", Message: "offer: there is no sound"},
	} {
		b, err := json.Marshal(f)
		require.NoError(t, err)
		assert.JSONEq(t, want, string(b))
	}
}

func TestFramesAboutCallsReachWhoTakesCalls(t *testing.T) {
	e := &exchange{}
	s, id := calling(t, e)
	c := s.Dial(t, path(id), nil)
	for _, in := range []string{
		`{"type":"call.offer","sdp":"v=0"}`, `{"type":"call.candidate","call":"c","candidate":"candidate:1","mid":"0","mline":0}`,
		`{"type":"call.mute","call":"c","on":true}`, `{"type":"call.digit","call":"c","digit":"5","ms":120}`,
		`{"type":"call.hangup","call":"c"}`, `{"type":"call.servers"}`,
	} {
		require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte(in)))
	}
	require.Equal(t, "call.answer", next(t, c)["type"])
	await(t, "all taken", func() bool { taken, _ := e.seen(); return len(taken) == 6 })
	taken, _ := e.seen()
	require.Equal(t, []ws.CallIn{
		{Type: "call.offer", SDP: "v=0"},
		{Type: "call.candidate", Call: "c", Candidate: "candidate:1", Mid: "0"},
		{Type: "call.mute", Call: "c", On: true},
		{Type: "call.digit", Call: "c", Digit: "5", MS: 120},
		{Type: "call.hangup", Call: "c"},
		{Type: "call.servers"},
	}, taken)
}

func TestAFrameAboutACallThatIsWrongIsToldAndEndsNothing(t *testing.T) {
	for name, in := range map[string]struct{ text, kind, says string }{
		"of no type":          {`{"type":"call.dance"}`, "invalid", "call.dance"},
		"without the offer":   {`{"type":"call.offer"}`, "invalid", "sdp"},
		"without the call":    {`{"type":"call.hangup"}`, "invalid", "call"},
		"of a long call":      {`{"type":"call.hangup","call":"` + strings.Repeat("x", 100) + `"}`, "invalid", "call"},
		"of the wrong shapes": {`{"type":"call.digit","call":"c","ms":"long"}`, "invalid", "ms"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &exchange{}
			s, id := calling(t, e)
			c := s.Dial(t, path(id), nil)
			require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte(in.text)))
			got := next(t, c)
			require.Equal(t, "call.error", got["type"])
			require.Equal(t, in.kind, got["kind"])
			require.Contains(t, got["message"], in.says)
			taken, left := e.seen()
			require.Empty(t, taken)
			require.Empty(t, left, "the socket goes on")
		})
	}
}

func TestWhyACallIsRefusedIsToldByKindAndBugsShowNothing(t *testing.T) {
	for kind, fails := range map[string]error{
		"exhausted":   fmt.Errorf("offer: too many: %w", fault.Exhausted),
		"not_found":   fmt.Errorf("no such call: %w", fault.NotFound),
		"unavailable": fmt.Errorf("the server is ending: %w", fault.Unavailable),
		"bug":         fmt.Errorf("the secret of the house: %w", fault.Bug),
	} {
		e := &exchange{fails: fails}
		s, id := calling(t, e)
		c := s.Dial(t, path(id), nil)
		require.NoError(t, c.WriteJSON(map[string]any{"type": "call.offer", "sdp": "v=0"}))
		got := next(t, c)
		assert.Equal(t, string(fault.KindOf(fails)), got["kind"], kind)
		assert.NotContains(t, got["message"], "secret")
	}
}

func TestAServerWithoutBrowserCallsSaysSo(t *testing.T) {
	s, id := calling(t, nil)
	c := s.Dial(t, path(id), nil)
	require.NoError(t, c.WriteJSON(map[string]any{"type": "call.offer", "sdp": "v=0"}))
	got := next(t, c)
	require.Equal(t, "unavailable", got["kind"])
	require.Contains(t, got["message"], "--webrtc")
}

func TestAPageThatIsLeftIsToldFromASocketThatIsLost(t *testing.T) {
	for name, closed := range map[string]bool{"left": true, "lost": false} {
		e := &exchange{}
		s, id := calling(t, e)
		c := s.Dial(t, path(id), nil)
		await(t, "attached", func() bool { return s.House.Following(id) == 1 })
		if closed {
			_ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""))
		} else {
			_ = c.NetConn().Close()
		}
		await(t, name, func() bool { _, left := e.seen(); return len(left) == 1 })
		_, left := e.seen()
		require.Equal(t, []bool{closed}, left, name)
	}
}

func TestASocketOutlivesItsSessionWhileACallGoesOn(t *testing.T) {
	e := &exchange{busy: true}
	s, id := calling(t, e)
	c := s.Dial(t, path(id), nil)
	await(t, "attached", func() bool { return s.House.Following(id) == 1 })
	require.Equal(t, 200, s.JSON(t, "DELETE", "/chatbot/card/session/"+id, "").Status)
	require.Equal(t, "close", next(t, c)["type"])
	await(t, "the session is over", func() bool { return s.House.Following(id) == 0 })
	e.say(ws.CallFrame{Type: ws.CallCaption, Call: "c", Role: "AI", Text: "still here"})
	require.Equal(t, "still here", next(t, c)["text"])
	e.say(ws.CallFrame{Type: ws.CallState, Call: "c", State: "ended", Reason: "hangup"})
	require.Equal(t, "ended", next(t, c)["state"])
	require.Equal(t, ws.CloseNormal, gatewaytest.CloseCode(t, c))
}
