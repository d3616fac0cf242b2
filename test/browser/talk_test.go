package browser_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/test/browser/cdp"
	"flametree/test/house"
)

// question and answer are of the island's knowledge.
const (
	question = "when does the ferry leave"
	answer   = "The ferry leaves at nine in the morning."
)

// A visitor presses the button, asks, and hears the answer, by whatever way the
// network leaves open. By day a browser takes the shortest way and the longest;
// test/webrtc takes all of them then, with a caller that is no browser.
func TestAVisitorAsksAndHears(t *testing.T) {
	for name, c := range map[string]struct {
		night    bool   // by night alone
		blocked  bool   // the network carries no UDP
		relay    string // transport to the relay, "" = none
		local    string // candidate types that the browser may end up with
		protocol string
	}{
		"a free network":                  {local: "host", protocol: "udp"},
		"a network without UDP":           {night: true, blocked: true, local: "host prflx", protocol: "tcp"},
		"only the relay, by UDP":          {night: true, relay: "udp", local: "relay", protocol: "udp"},
		"only the relay, and only by TCP": {night: true, relay: "tcp", local: "relay", protocol: "udp"},
		"only the relay, and only by TLS": {relay: "tls", local: "relay", protocol: "udp"},
	} {
		if c.night && os.Getenv("FLAMETREE_TEST_LONG") == "" {
			continue
		}
		t.Run(name, func(t *testing.T) { // one after the other: two browsers on two processors swallow words
			if c.blocked {
				if !alone(t) {
					return
				}
				withoutUDP(t)
			}
			s, believe := serveSafe(t)
			o := cdp.Options{Trust: believe, Microphone: microphone(t, spoken{4 * time.Second, question}, spoken{9 * time.Second, question}, spoken{9 * time.Second, question})}
			v := visit(t, s, o, fmt.Sprintf("window.earRelay = %q;", c.relay))
			v.call()
			// A busy machine may swallow a word of the first.
			answered := s.Until(t, "the question is answered", 60*time.Second, func(e house.Event) bool { return e.Kind == "reply.spoken.v1" && e.Text == answer })
			v.Wait("the answer's caption", `[...document.querySelectorAll(".box:not([hidden]) .caption:not(.coming)")].some((c) => c.textContent.includes("nine in the morning"))`)
			sound := v.heard()
			st := v.stats()
			assert.Contains(t, c.local, st.Local, show(st))
			assert.Equal(t, c.protocol, st.Protocol, show(st))
			assert.Equal(t, c.relay, st.RelayProtocol)
			require.NotEmpty(t, answered.Session)
			lines, said := told(t, s, answered.Pos)
			shown := v.captions()
			assert.Subset(t, shown, lines, "the page shows what the journal tells")
			rightly(t, said, words(t, s, sound), 60)
			v.press(".button.bad")
			v.state("ended")
			e := v.ended()
			assert.Equal(t, "hangup", e.Reason)
			assert.Equal(t, "peer", e.By)
			assert.Zero(t, e.Lost)
			assert.Empty(t, v.Said(), "the page complains of nothing")
			t.Logf("figure: %s: set-up as the browser sees it %.0f ms, jitter buffer %.0f ms, %.0f packets received, %.0f lost, %.2f %% concealed",
				name, number(v.Page, "ear.pcs[0].connected - ear.pcs[0].made"), st.JitterBufferMS, st.Received, st.Lost, 100*st.Concealed/st.Samples)
		})
	}
}

// withoutUDP forbids UDP in a network of our own.
func withoutUDP(t *testing.T) {
	t.Helper()
	for _, line := range []string{
		"link set lo up", "rule add pref 100 lookup local", "rule del pref 0", "rule add pref 10 ipproto udp prohibit",
	} {
		execute(t, "ip", strings.Fields(line)...)
	}
	_, err := net.Dial("udp", "127.0.0.1:9")
	require.Error(t, err, "UDP is forbidden")
}

// told is what the journal tells of a call up to a position: its lines, and what
// the agent said of them.
func told(t *testing.T, s *house.Server, to uint64) (lines []caption, said string) {
	t.Helper()
	events, err := s.Events(t.Context(), 1)
	require.NoError(t, err)
	for _, e := range events {
		switch {
		case e.Pos > to || e.Text == "":
		case e.Kind == "utterance.heard.v1":
			lines = append(lines, caption{"USER", e.Text})
		case e.Kind == "reply.spoken.v1":
			lines, said = append(lines, caption{"AI", e.Text}), said+" "+e.Text
		}
	}
	return lines, said
}
