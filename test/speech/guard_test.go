package speech_test

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/test/telephony"
)

// spoken waits for the line that was interrupted.
func spoken(c *caller) event.ReplySpoken {
	c.t.Helper()
	return telephony.Of(c.t, c.o, c.session, func(b event.ReplySpoken) bool { return b.Interrupted })
}

// canary listens on loopback and counts who comes.
func canary(t *testing.T) (address string, came *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	came = new(atomic.Int32)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String(), came
}

// TestAVendorInsideTheHouseIsNotReachedUnlessAllowed points an agent's speech at
// addresses on loopback that nobody allowed: neither a socket nor a request nor a
// token is asked for there, the built-in speech takes the call, and the journal
// says why.
func TestAVendorInsideTheHouseIsNotReachedUnlessAllowed(t *testing.T) {
	t.Parallel()
	at, came := canary(t)
	var agents []string
	for alias, line := range map[string]string{
		"socket":  `{vendor: deepgram, key_env: VENDOR_KEY, base_url: "http://` + at + `"}`,
		"request": `{vendor: openai, key_env: VENDOR_KEY, base_url: "http://` + at + `/v1"}`,
		"wrapped": `{vendor: elevenlabs, key_env: VENDOR_KEY, base_url: "http://[::ffff:127.0.0.1]:` + strings.Split(at, ":")[1] + `"}`,
		"odd":     `{vendor: cartesia, key_env: VENDOR_KEY, base_url: "http://0x7f000001:` + strings.Split(at, ":")[1] + `"}`,
	} {
		agents = append(agents, file(alias, []string{line, "builtin"}, []string{line, "builtin"}, ""))
	}
	o := telephony.Open(t, telephony.Plan{Agents: agents, Builtin: true})
	t.Run("calls", func(t *testing.T) {
		for _, alias := range []string{"socket", "request", "wrapped", "odd"} {
			t.Run(alias, func(t *testing.T) {
				t.Parallel()
				c := dial(t, o, alias, "caller-"+alias)
				quietly(c)
				got := telephony.Of(t, o, c.call, func(b event.CallSpeechChanged) bool { return b.Role == "tts" })
				require.Equal(t, "builtin", got.To)
				require.True(t, strings.HasPrefix(got.Fault, "denied: "), got.Fault)
				c.ends()
			})
		}
	})
	require.Zero(t, came.Load(), "the address was dialled")
}
