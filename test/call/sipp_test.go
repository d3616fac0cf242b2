package call_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// sippCall is a call by sipp that plays a sound from its answer to its end.
type sippCall struct {
	agent string // SIP user
	from  string // SIP user of the caller
	law   *law
	sound []int16
	id    string // Call-ID
}

// sippScenario is INVITE, ACK, sound, BYE; all that varies is filled in.
const sippScenario = `<?xml version="1.0" encoding="UTF-8"?>
<scenario name="talk">
  <send retrans="500"><![CDATA[

INVITE sip:AGENT@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:FROM@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:AGENT@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:FROM@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=FROM 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP PAYLOAD 101
a=rtpmap:PAYLOAD CODEC/8000
a=rtpmap:101 telephone-event/8000

]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200"/>
  <send><![CDATA[

ACK sip:AGENT@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:FROM@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:AGENT@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Contact: <sip:FROM@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

]]></send>
  <nop><action><exec rtp_stream="FILE,1,PAYLOAD,CODEC/8000"/></action></nop>
  <pause milliseconds="LENGTH"/>
  <send retrans="500"><![CDATA[

BYE sip:AGENT@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:FROM@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:AGENT@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Contact: <sip:FROM@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
`

// run makes the call and returns when it is over.
func (c sippCall) run(t *testing.T, s *house.Server) {
	t.Helper()
	dir := t.TempDir()
	sound, scenario := filepath.Join(dir, "sound.raw"), filepath.Join(dir, "talk.xml")
	require.NoError(t, os.WriteFile(sound, c.law.encode(c.sound), 0o600))
	text := strings.NewReplacer(
		"AGENT", c.agent, "FROM", c.from, "PAYLOAD", fmt.Sprint(c.law.payload), "CODEC", c.law.name, "FILE", sound,
		"LENGTH", fmt.Sprint(lasts(c.sound).Milliseconds()),
	).Replace(sippScenario)
	require.NoError(t, os.WriteFile(scenario, []byte(text), 0o600))
	ctx, stop := context.WithTimeout(t.Context(), lasts(c.sound)+20*time.Second)
	defer stop()
	cmd := exec.CommandContext(ctx, "sipp", s.SIP, "-sf", scenario, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-t", "u1", "-m", "1",
		"-mp", fmt.Sprint(mediaPort(t)), "-cid_str", c.id, "-nostdin", "-timeout", fmt.Sprint(int(lasts(c.sound).Seconds())+15), "-timeout_error",
		"-trace_err", "-error_file", filepath.Join(dir, "errors"))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TERM=xterm")
	out, err := cmd.CombinedOutput()
	if err != nil {
		wrong, _ := os.ReadFile(filepath.Join(dir, "errors"))
		t.Fatalf("sipp: %v\n%s\n%s", err, wrong, out[max(0, len(out)-2000):])
	}
}

// mediaPort finds a port that is free for sipp's sound.
func mediaPort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	a, _ := c.LocalAddr().(*net.UDPAddr)
	return a.Port &^ 1
}
