package call_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// A handset of our own hand does what handsets do, in calls of its own.
func TestHandset(t *testing.T) {
	t.Parallel()
	s := serve(t, "harbour", "single", "patient", "deaf")
	for name, test := range map[string]func(*testing.T, *house.Server){
		"keys":            keys,
		"hold and resume": holdAndResume,
		"nobody there":    unknownAgent,
		"no codec":        noCodec,
		"limit":           limit,
		"silent caller":   silentCaller,
		"sound lost":      soundLost,
		"gives up":        givesUp,
		"ended by us":     endedByCommand,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// call places a call that has to be answered and waits for the greeting.
func call(t *testing.T, s *house.Server, d dialling) *handset {
	t.Helper()
	h, code := dial(t, s, d)
	require.Equal(t, 200, code)
	h.spoken(time.Time{}, 700*time.Millisecond)
	return h
}

// Keys by RFC 4733, with and without the marker bit, are a turn when the
// terminator comes, and stop the agent at once.
func keys(t *testing.T, s *house.Server) {
	t.Helper()
	h := call(t, s, dialling{agent: "harbour", from: "keypad", law: aLaw()})
	begun := time.Now()
	for i, key := range []byte("4052#") {
		h.press(key, i%2 == 0)
		h.talk(pause(100 * time.Millisecond))
	}
	h.pressed()
	require.NoError(t, h.wait(8*time.Second, func() bool {
		last := h.heard.since(begun).spurts(time.Second)
		return len(last) > 0 && last[0].lasts() > 500*time.Millisecond
	}), "the answer to the keys began")
	begun = time.Now()
	for _, key := range []byte("99") { // a pause ends them too
		h.press(key, false)
		h.talk(pause(100 * time.Millisecond))
	}
	h.pressed()
	after := h.sound().since(begun.Add(300 * time.Millisecond)).until(begun.Add(1500 * time.Millisecond))
	require.Empty(t, after.spurts(time.Second), "a key silences the agent")
	h.spoken(begun.Add(time.Second), 700*time.Millisecond)
	h.bye()
	k := told(t, s, "keypad")
	require.Equal(t, []string{"4052", "99"}, k.heard())
	pressed := ""
	for _, e := range k.of("call.digit.v1") {
		var b struct{ Digit struct{ Text string } }
		e.Into(t, &b)
		pressed += b.Digit.Text
	}
	require.Equal(t, "4052#99", pressed, "each key once")
	k.codec(t, "PCMA")
	lines := k.said(t)
	require.Len(t, lines, 3)
	require.True(t, lines[1].Interrupted)
	k.equal(t, s)
}

// On hold the agent is not heard and does not listen; resumed, it goes on.
func holdAndResume(t *testing.T, s *house.Server) {
	t.Helper()
	h := call(t, s, dialling{agent: "harbour", from: "holder"})
	h.talk(utter(t, "slt", "what are the rules of the harbour"))
	require.NoError(t, h.wait(8*time.Second, func() bool {
		last := h.heard.since(time.Now().Add(-2 * time.Second)).spurts(time.Second)
		return len(last) > 0 && last[len(last)-1].lasts() > time.Second
	}), "the answer began")
	require.Equal(t, 200, h.invite(h.describe("sendonly")))
	require.Contains(t, h.body, "a=recvonly")
	begun := time.Now()
	h.talk(pause(1500 * time.Millisecond))
	require.Empty(t, h.sound().since(begun.Add(300*time.Millisecond)).spurts(time.Second), "the agent is silent on hold")
	require.Equal(t, 200, h.invite(h.describe("sendrecv")))
	require.Contains(t, h.body, "a=sendrecv")
	resumed := time.Now()
	h.spoken(resumed, 700*time.Millisecond)
	h.bye()
	k := told(t, s, "holder")
	require.Len(t, k.of("call.held.v1"), 1)
	require.Len(t, k.of("call.resumed.v1"), 1)
	require.Equal(t, "completed", k.status(t))
	k.equal(t, s)
}

func unknownAgent(t *testing.T, s *house.Server) {
	t.Helper()
	_, code := dial(t, s, dialling{agent: "nobody", from: "stray"})
	require.Equal(t, 404, code)
}

func noCodec(t *testing.T, s *house.Server) {
	t.Helper()
	h, code := dial(t, s, dialling{agent: "harbour", from: "speex", offer: "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 97\r\na=rtpmap:97 speex/16000\r\n"})
	require.Equal(t, 488, code)
	_ = h
}

// An agent at its limit is busy, and says when to try again; when the call has
// ended there is room. Its other line, the chat, counts too.
func limit(t *testing.T, s *house.Server) {
	t.Helper()
	first := call(t, s, dialling{agent: "single", from: "first"})
	second, code := dial(t, s, dialling{agent: "single", from: "second"})
	require.Equal(t, 486, code)
	after, err := strconv.Atoi(field([]byte(second.header), `(?im)^Retry-After:\s*(\d+)`))
	require.NoError(t, err, "%s", second.header)
	require.Positive(t, after)
	_, err = s.Chat(s.Agent(t, "Single")).Open(t.Context(), "chat", "")
	require.Error(t, err)
	first.bye()
	told(t, s, "first")
	require.Eventually(t, func() bool {
		h, code := dial(t, s, dialling{agent: "single", from: "third"})
		if code == 200 {
			h.bye()
		}
		return code == 200
	}, 5*time.Second, 200*time.Millisecond)
	k := told(t, s, "third")
	k.equal(t, s)
}

// A caller who says nothing is asked once, then the call ends.
func silentCaller(t *testing.T, s *house.Server) {
	t.Helper()
	h := call(t, s, dialling{agent: "patient", from: "silent"})
	h.hungUp(12 * time.Second)
	k := told(t, s, "silent")
	lines := k.said(t)
	require.Len(t, lines, 2)
	require.Equal(t, "Are you there?", lines[1].Text.Text)
	require.Equal(t, "user_timeout", k.status(t))
	require.Equal(t, "agent", k.ending(t).By)
	k.equal(t, s)
}

// A call whose sound stays away ends as failed.
func soundLost(t *testing.T, s *house.Server) {
	t.Helper()
	h := call(t, s, dialling{agent: "deaf", from: "lost"})
	begun := time.Now()
	h.silence(true)
	h.hungUp(8 * time.Second)
	t.Logf("figure: a call without packets ended after %v (1 s and 400 ms are set)", time.Since(begun).Round(time.Millisecond))
	k := told(t, s, "lost")
	require.Equal(t, "failed", k.status(t))
	require.Contains(t, k.ending(t).Reason, "media")
	k.equal(t, s)
}

// A caller who hangs up in the middle of the greeting: what was heard of it is
// in the journal.
func givesUp(t *testing.T, s *house.Server) {
	t.Helper()
	h, code := dial(t, s, dialling{agent: "harbour", from: "hasty"})
	require.Equal(t, 200, code)
	require.NoError(t, h.wait(5*time.Second, func() bool {
		got := h.heard.spurts(time.Second)
		return len(got) > 0 && got[0].lasts() > 700*time.Millisecond
	}))
	h.bye()
	k := told(t, s, "hasty")
	lines := k.said(t)
	require.Len(t, lines, 1)
	require.True(t, lines[0].Interrupted)
	require.Less(t, len(lines[0].Text.Text), len(lines[0].Full.Text))
	require.Equal(t, "completed", k.status(t))
	e := k.ending(t)
	require.Equal(t, "hangup", e.Reason)
	require.NotZero(t, e.Received)
	require.NotZero(t, e.Sent)
	require.Zero(t, e.Lost)
	k.equal(t, s)
}

// calls list shows a running call and calls end hangs it up.
func endedByCommand(t *testing.T, s *house.Server) {
	t.Helper()
	h := call(t, s, dialling{agent: "harbour", from: "ruled"})
	var k story
	events, err := s.Events(t.Context(), 1)
	require.NoError(t, err)
	k.find(t, events, "ruled")
	require.Contains(t, house.Must(t, "--data", s.Data, "calls", "list"), k.call)
	house.Must(t, "--data", s.Data, "calls", "end", k.session)
	h.hungUp(5 * time.Second)
	k = told(t, s, "ruled")
	require.Equal(t, "completed", k.status(t))
	require.Equal(t, "agent", k.ending(t).By)
	require.NotContains(t, house.Must(t, "--data", s.Data, "calls", "list"), k.call)
}
