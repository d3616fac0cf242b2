package ws

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever writes a client finds each frame about calls, and each field that it
// carries, in the package's text.
func TestTheFramesOfCallsAreDescribed(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	line := func(way, kind string) string {
		all := regexp.MustCompile(`(?m)^//\t`+way+` +`+regexp.QuoteMeta(kind)+`( .*|)$`).FindAllString(string(text), -1)
		require.NotEmpty(t, all, "%s %s", way, kind)
		return strings.Join(all, " ")
	}
	for _, kind := range []string{CallServers, CallOffer, CallCandidate, CallMute, CallDigit, CallHangup} {
		line("in", kind)
		_, err := parseCall([]byte(`{"type":"` + kind + `","call":"c","sdp":"v=0"}`))
		require.NoError(t, err, "%s comes in", kind)
	}
	for _, kind := range []string{CallServers, CallAnswer, CallCandidate, CallState, CallCaption, CallError} {
		b, err := json.Marshal(CallFrame{Type: kind, Call: "c"})
		require.NoError(t, err)
		var fields map[string]any
		require.NoError(t, json.Unmarshal(b, &fields))
		says := line("out", kind)
		for field := range fields {
			if field != "type" {
				require.Regexp(t, `\b`+field+`\b`, says, kind)
			}
		}
	}
}
