package cmd

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/cluster/node"
	"flametree/engine/event"
)

func TestALadderPointsFromWhoSentToWhoGot(t *testing.T) {
	a, b, c := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060"), netip.MustParseAddrPort("192.0.2.3:5061")
	now := time.Unix(0, 0)
	all := []actors.Signal{
		{At: now, From: a, To: b, Transport: "udp", Text: "INVITE sip:x@y SIP/2.0\r\nA: b\r\n\r\nv=0\r\n"},
		{At: now.Add(20 * time.Millisecond), From: b, To: a, Transport: "udp", Text: "SIP/2.0 200 OK\r\n\r\n"},
		{At: now.Add(time.Second), From: b, To: c, Transport: "tls", Text: "BYE sip:\x1b[2J SIP/2.0\r\n\x1b]0;x\r\n\r\n", Dropped: 7},
	}
	var out strings.Builder
	ladder(&out, all, true)
	lines := strings.Split(out.String(), "\n")
	t.Log("\n" + out.String())
	require.Regexp(t, `192\.0\.2\.1:5060 +192\.0\.2\.2:5060 +192\.0\.2\.3:5061`, lines[0])
	require.Regexp(t, `0\.000s\|-+ INVITE \(SDP\) udp -+>`, out.String())
	require.Regexp(t, `0\.020s<-+ 200 OK udp -+\|`, out.String())
	require.Regexp(t, `1\.000s {34}\|-+ BYE tls -+>`, out.String())
	require.Contains(t, out.String(), "7 messages were not kept")
	require.NotContains(t, out.String(), "\x1b", "strangers do not move the cursor")
	ladder(&out, nil, false)
}

func TestBarsAreToOneScaleAndSayWhy(t *testing.T) {
	var out strings.Builder
	bars(&out, []node.TurnBar{
		{Turn: 1, Whole: 600 * time.Millisecond, Waited: "stt_final", Stages: []event.Stage{{Name: "eot", Took: 200 * time.Millisecond}, {Name: "llm_ttft", Took: 400 * time.Millisecond}}},
		{Turn: 2, Whole: 60 * time.Millisecond, Stages: []event.Stage{{Name: "queue", Took: 60 * time.Millisecond}}},
		{Turn: 3},
	})
	t.Log("\n" + out.String())
	require.Contains(t, out.String(), "waited for stt_final")
	require.Contains(t, out.String(), "|"+strings.Repeat("a", 21)+strings.Repeat("b", 41)+"|")
	require.Contains(t, out.String(), "|"+strings.Repeat("a", 7)+"|")
	require.Contains(t, out.String(), "llm_ttft 400 ms")
}
