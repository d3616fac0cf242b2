package matrix_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/test/telephony"
)

// talk has baresip call the board, checks that each hears the other and with
// what codec, and hangs up.
func talk(t *testing.T, x *exchange, p telephony.BaresipPlan, target, codec string) {
	t.Helper()
	b := telephony.StartBaresip(t, p)
	b.Do(t, "dial", target)
	b.Tells(t, "CALL_ESTABLISHED", 10*time.Second)
	call, session := x.CallOf(t, fmt.Sprintf("bare%d", p.Hz))
	require.Equal(t, codec, telephony.Of[event.CallAnswered](t, x.Office, call, nil).Codec)
	greeting := telephony.Of[event.ReplySpoken](t, x.Office, session, nil)
	require.False(t, greeting.Interrupted, "%q of %q", greeting.Text.Text, greeting.Full.Text)
	x.hears(t, float64(p.Hz))
	b.Do(t, "hangup", "")
	b.Tells(t, "CALL_CLOSED", 5*time.Second)
	ended, _ := x.Ended(t, call, session)
	require.Equal(t, "hangup", ended.Reason)
	require.Greater(t, b.Heard(t, telephony.AgentHz), float64(audible), "baresip hears the agent")
}

func phoneRows() []row {
	board := func(x *exchange) string { return "sip:board@" + x.SIP }
	var out []row
	for i, c := range [][2]string{{"PCMU", "PCMU/8000/1"}, {"PCMA", "PCMA/8000/1"}, {"G722", "G722/16000/1"}, {"opus", "opus/48000/2"}} {
		out = append(out, row{c[0] + ",UDP", "baresip", "udp", func(t *testing.T, x *exchange) {
			talk(t, x, telephony.BaresipPlan{Codec: c[1], Hz: 1500 + 50*i}, board(x), c[0])
		}})
	}
	return append(out,
		row{"TCP", "baresip", "tcp", func(t *testing.T, x *exchange) {
			talk(t, x, telephony.BaresipPlan{Transport: "tcp", Hz: 1750}, board(x)+";transport=tcp", "PCMU")
		}},
		row{"TLS", "baresip", "tls", func(t *testing.T, x *exchange) {
			talk(t, x, telephony.BaresipPlan{Transport: "tls", Hz: 1800, Papers: x.papers}, "sip:board@"+x.tls+";transport=tls", "PCMU")
		}},
		row{"IPv6", "baresip", "udp", func(t *testing.T, x *exchange) {
			talk(t, x, telephony.BaresipPlan{Host: "::1", Hz: 1850}, "sip:board@"+x.six, "PCMU")
		}},
	)
}

func sealedRows() []row {
	var out []row
	for i, how := range []string{"srtp-mand", "dtls_srtp"} {
		name := map[string]string{"srtp-mand": "SDES-SRTP", "dtls_srtp": "DTLS-SRTP"}[how]
		out = append(out, row{name, "baresip", "udp", func(t *testing.T, x *exchange) {
			talk(t, x, telephony.BaresipPlan{Sealing: how, Hz: 1900 + 50*i}, "sip:board@"+x.SIP, "PCMU")
		}})
	}
	return out
}
