package webrtc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/media/webrtc/page"
	"flametree/test/telephony"
)

// offers counts the calls that were offered, as the journal tells them.
func offers(h *house) int {
	n := 0
	for _, e := range h.Events() {
		if _, ok := e.Body.(event.CallOffered); ok {
			n++
		}
	}
	return n
}

// A page may say anything: it is told what is wrong, nothing begins, and the
// socket and the next call work as before.
func TestOffersThatAreNoneAreRefusedAndNothingBegins(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{})
	p := h.page(t, nil)
	send := func(kind, says string, frame map[string]any) {
		t.Helper()
		n := len(p.Frames())
		require.NoError(t, p.Send(frame))
		require.Contains(t, refused(t, p, n, kind).Message, says)
	}
	send("invalid", "SDP", map[string]any{"type": "call.offer", "sdp": "\x01 junk"})
	send("invalid", "microphone", map[string]any{"type": "call.offer", "sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"})
	send("invalid", "bytes", map[string]any{"type": "call.offer", "sdp": strings.Repeat("a", 20<<10)})
	send("invalid", "sdp", map[string]any{"type": "call.offer"})
	send("invalid", "call.dance", map[string]any{"type": "call.dance"})
	send("not found", "no such call", map[string]any{"type": "call.offer", "call": "stranger", "sdp": "v=0"})
	send("not found", "no such call", map[string]any{"type": "call.candidate", "call": "stranger", "candidate": ""})
	send("not found", "no such call", map[string]any{"type": "call.hangup", "call": "stranger"})
	require.Zero(t, offers(h))
	c, err := p.Call(within(t, patience))
	require.NoError(t, err)
	greeted(t, c)
	send("invalid", "candidate", map[string]any{"type": "call.candidate", "call": c.ID, "candidate": "candidate:nobody"})
	send("invalid", "key", map[string]any{"type": "call.digit", "call": c.ID, "digit": "x"})
	send("invalid", "SDP", map[string]any{"type": "call.offer", "call": c.ID, "sdp": "junk"})
	require.NoError(t, c.Hangup(within(t, patience)))
}

// An offer of 10 MB does not even get as far as a parser; the call that runs on
// the socket has its grace.
func TestAnOfferOfTenMegabytesClosesItsSocketAlone(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{})
	_, bystander := h.call(t, nil)
	p := h.page(t, nil)
	_ = p.SendText(fmt.Appendf(nil, `{"type":"call.offer","sdp":%q}`, strings.Repeat("a", 10<<20))) // the server may hang up before it has all
	_, err := p.Until(within(t, patience), 0, func(page.Frame) bool { return false })
	require.Error(t, err)
	if websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
		t.Log("it was told why")
	}
	greeted(t, bystander)
	require.Equal(t, 1, offers(h))
	require.NoError(t, bystander.Hangup(within(t, patience)))
}

// Another session's call does not exist for a page, whatever it knows of it.
func TestNobodyTouchesAnothersCall(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{})
	_, c := h.call(t, nil)
	greeted(t, c)
	thief := h.page(t, nil)
	for _, frame := range []map[string]any{
		{"type": "call.hangup", "call": c.ID},
		{"type": "call.candidate", "call": c.ID, "candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host"},
		{"type": "call.mute", "call": c.ID, "on": true},
		{"type": "call.digit", "call": c.ID, "digit": "1"},
		{"type": "call.offer", "call": c.ID, "sdp": "v=0"},
	} {
		n := len(thief.Frames())
		require.NoError(t, thief.Send(frame))
		refused(t, thief, n, "not found")
	}
	since := time.Now()
	require.NoError(t, c.Digit("3")) // the call goes on
	require.NoError(t, c.WaitVoice(within(t, patience), since, 200*time.Millisecond))
	require.NoError(t, c.Hangup(within(t, patience)))
}

// One session has one call; two offers at once make one, and a flood of them a
// few.
func TestASessionHasOneCallAndMayNotFlood(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{})
	p, c := h.call(t, nil)
	twin := h.page(t, func(o *page.Options) { o.Session = p.Session() })
	_, err := twin.Call(within(t, patience))
	require.ErrorContains(t, err, "conflict")
	require.Equal(t, 1, offers(h))
	require.NoError(t, c.Hangup(within(t, patience)))
	over(t, h, c)
	flood := h.page(t, nil)
	for n := range 30 {
		_ = flood.Send(map[string]any{"type": "call.offer", "sdp": "junk"})
		if n%10 == 9 {
			time.Sleep(300 * time.Millisecond) // under what closes any socket
		}
	}
	f := frame(t, flood, func(f page.Frame) bool { return f.Kind == "exhausted" })
	require.Contains(t, f.Message, "wait")
	require.Equal(t, 1, offers(h))
}

// Calls of browsers are admitted as those by SIP are: by the same count, and not
// while the server ends.
func TestBrowsersAreAdmittedAsPhonesAre(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{Set: map[string]string{"sip.max-calls": "1"}})
	_, c := h.call(t, nil)
	greeted(t, c)
	p := h.page(t, nil)
	_, err := p.Call(within(t, patience))
	require.ErrorContains(t, err, "1 calls are running")
	require.NoError(t, c.Hangup(within(t, patience)))
	over(t, h, c)
	require.Eventually(t, func() bool {
		again, err := p.Call(within(t, patience))
		return err == nil && again.Hangup(within(t, patience)) == nil
	}, patience, 100*time.Millisecond, "there is room again")
}

// An agent's own limit holds, too. A page and its call are one conversation: it
// counts once, and as long as either of them lasts.
func TestAnAgentHasItsOpenSessionsOfBrowsers(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{Agents: []string{telephony.Agent("desk", "inbound_voice") + "limits:\n  open_sessions: 1\n"}})
	p, c := h.call(t, nil)
	greeted(t, c)
	a := h.Agents()[0]
	another := func() error {
		n, err := page.Open(within(t, patience), page.Options{HTTP: h.Addresses().HTTP, Agent: a.ID, Token: a.Token, Phone: h.phone})
		if err == nil {
			require.NoError(t, n.Close())
		}
		return err
	}
	require.ErrorContains(t, another(), "429")
	require.NoError(t, c.Hangup(within(t, patience)))
	over(t, h, c)
	require.ErrorContains(t, another(), "429", "the page is there still")
	again, err := p.Call(within(t, patience))
	require.NoError(t, err)
	require.NoError(t, again.Hangup(within(t, patience)))
	require.Equal(t, 2, offers(h))
}

// A server that ends hangs up what is left of its calls and says how.
func TestAServerThatEndsHangsUpItsCalls(t *testing.T) {
	t.Parallel()
	var p *page.Page
	var c *page.Call
	t.Cleanup(func() { // after the server's end
		select {
		case <-c.Ended():
		case <-time.After(patience):
			t.Errorf("the page was not told: %+v", p.Frames())
		}
		_ = p.Close()
	})
	h := open(t, telephony.Plan{})
	a := h.Agents()[0]
	var err error
	p, err = page.Open(within(t, patience), page.Options{HTTP: h.Addresses().HTTP, Agent: a.ID, Token: a.Token, Phone: h.phone})
	require.NoError(t, err)
	c, err = p.Call(within(t, patience))
	require.NoError(t, err)
	greeted(t, c)
}
