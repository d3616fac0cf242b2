package matrix_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/cluster/node"
	"flametree/engine/event"
	"flametree/test/telephony"
)

// patience bounds a scenario of sipp.
const patience = 25 * time.Second

// calls begins a scenario of somebody who calls a user and is taken.
func calls(user, types string, headers ...string) *telephony.Scenario {
	return rings(user, types, headers...).Gets("200", "").Request("ACK", user, 1, "")
}

func rings(user, types string, headers ...string) *telephony.Scenario {
	return new(telephony.Scenario).Request("INVITE", user, 1, telephony.Sound(1, types, "sendrecv"), headers...).Maybe("100", "180")
}

// plays runs a scenario of a caller to its end and gives the call.
func plays(t *testing.T, x *exchange, s *telephony.Scenario, from string, args ...string) (call, session string) {
	t.Helper()
	c := s.Sipp(t, from, args...)
	call, session = x.CallOf(t, from)
	require.NoError(t, c.Wait(patience), "%s", c.Said())
	x.Ended(t, call, session)
	return call, session
}

// mode is sipp's word for a transport, with the address of the server.
func mode(x *exchange, transport string, more ...string) []string {
	return append([]string{x.SIP, "-t", transport[:1] + "1", "-i", "127.0.0.1"}, more...)
}

func dialogRows() []row {
	var out []row
	for _, transport := range []string{"udp", "tcp"} {
		out = append(out,
			row{"UPDATE,hold and resume,session timer," + strings.ToUpper(transport), "sipp", transport, func(t *testing.T, x *exchange) {
				s := rings("board", "0 101", "Supported: timer", "Session-Expires: 600").Gets("200", telephony.Wants("Session-Expires:", "600;refresher=uac")).
					Request("ACK", "board", 1, "").Pause(100*time.Millisecond).
					Request("UPDATE", "board", 2, telephony.Sound(2, "0 101", "sendonly"), "Supported: timer", "Session-Expires: 600;refresher=uac").
					Gets("200", telephony.Wants("Session-Expires:", "600;refresher=uac")).Pause(100*time.Millisecond).
					Request("UPDATE", "board", 3, telephony.Sound(3, "0 101", "sendrecv")).Gets("200", "").
					Request("BYE", "board", 4, "").Gets("200", "")
				call, _ := plays(t, x, s, "update"+transport, mode(x, transport)...)
				telephony.Of[event.CallHeld](t, x.Office, call, nil)
				telephony.Of[event.CallResumed](t, x.Office, call, nil)
			}},
			row{"hold and resume,re-negotiation", "sipp", transport, func(t *testing.T, x *exchange) {
				s := calls("board", "0 101").Pause(100*time.Millisecond).
					Request("INVITE", "board", 2, telephony.Sound(2, "0 101", "sendonly")).Maybe("100").
					Gets("200", telephony.WantsText("a=recvonly")).Request("ACK", "board", 2, "").Pause(100*time.Millisecond).
					Request("INVITE", "board", 3, telephony.Sound(3, "8 101", "sendrecv")).Maybe("100").
					Gets("200", telephony.WantsText("RTP/AVP 8")).Request("ACK", "board", 3, "").Pause(100*time.Millisecond).
					Request("BYE", "board", 4, "").Gets("200", "")
				call, _ := plays(t, x, s, "hold"+transport, mode(x, transport)...)
				telephony.Of[event.CallHeld](t, x.Office, call, nil)
				telephony.Of[event.CallResumed](t, x.Office, call, nil)
			}},
			row{"INFO digits", "sipp", transport, func(t *testing.T, x *exchange) {
				s := calls("board", "0 101")
				for i, key := range []string{"4", "2", "#"} {
					s.Pause(50*time.Millisecond).Request("INFO", "board", 2+i, fmt.Sprintf("Signal=%s\nDuration=160\n", key), "Content-Type: application/dtmf-relay").Gets("200", "")
				}
				s.Pause(500*time.Millisecond).Request("BYE", "board", 9, "").Gets("200", "")
				_, session := plays(t, x, s, "info"+transport, mode(x, transport)...)
				require.Equal(t, "42", telephony.Of[event.UtteranceHeard](t, x.Office, session, nil).Text.Text)
			}},
		)
	}
	return append(out,
		row{"session timer", "sipp", "udp", func(t *testing.T, x *exchange) {
			s := rings("board", "0 101", "Supported: timer", "Session-Expires: 30").Gets("422", telephony.Wants("Min-SE:", "90")).Request("ACK", "board", 1, "")
			c := s.Sipp(t, "short", mode(x, "udp")...)
			require.NoError(t, c.Wait(patience), "%s", c.Said())
		}},
		row{"comfort noise", "sipp", "udp", func(t *testing.T, x *exchange) {
			s := rings("board", "0 13 101").Gets("200", telephony.WantsText("RTP/AVP 0[0-9 ]* 13")).Request("ACK", "board", 1, "").
				Pause(200*time.Millisecond).Request("BYE", "board", 2, "").Gets("200", "")
			plays(t, x, s, "noise", mode(x, "udp")...)
		}},
		row{"multi-hop Record-Route", "sipp, two kamailio", "udp", hops},
		row{"UDP", "sipp", "udp", func(t *testing.T, x *exchange) {
			plays(t, x, calls("board", "0 101").Pause(200*time.Millisecond).Request("BYE", "board", 2, "").Gets("200", ""), "plain", mode(x, "udp")...)
		}},
	)
}

// hops leads a call over two proxies, and our BYE back over both.
func hops(t *testing.T, x *exchange) {
	user := fmt.Sprintf("hop-%s-%s-board", portOf(x.sha.UDP), portOf(x.SIP))
	s := rings(user, "0 101").Gets("200", telephony.WantsText("Record-Route:.*Record-Route:")).Request("ACK", user, 1, "").
		Raw(`<recv request="BYE"></recv>`).Reply("200 OK", "")
	c := s.Sipp(t, "hopper", x.md5.UDP, "-t", "u1", "-i", "127.0.0.1")
	call, session := x.CallOf(t, "hopper")
	telephony.Of[event.ReplySpoken](t, x.Office, session, nil)
	require.NoError(t, x.EndCall(t.Context(), call))
	require.NoError(t, c.Wait(patience), "our BYE goes over both proxies: %s", c.Said())
	x.Ended(t, call, session)
}

func portOf(address string) string { return address[strings.LastIndex(address, ":")+1:] }

// callee runs sipp as somebody who is called; it gives where.
func callee(t *testing.T, s *telephony.Scenario, transport string) (*telephony.Child, string) {
	t.Helper()
	at := fmt.Sprintf("127.0.0.1:%d", telephony.FreePort(t, "127.0.0.1"))
	c := s.Sipp(t, "", "-i", "127.0.0.1", "-p", portOf(at), "-t", transport[:1]+"1")
	telephony.Listens(t, transport, at)
	return c, at
}

// place has the agent call a SIP address, and gives the session's end.
func place(t *testing.T, x *exchange, f node.CallForm, c *telephony.Child, during func(node.Placed)) event.SessionEnded {
	t.Helper()
	f.Agent = "caller"
	p := x.Place(t, f)
	if during != nil {
		during(p)
	}
	if c != nil {
		require.NoError(t, c.Wait(patience), "%s", c.Said())
	}
	_, ended := x.Ended(t, p.Call, p.Session)
	return ended
}

// taken is a callee that takes the call and waits until we hang up.
func taken() *telephony.Scenario {
	return new(telephony.Scenario).Gets("INVITE", "").Answer("180 Ringing", "").Answer("200 OK", telephony.Sound(1, "0 101", "sendrecv")).Gets("ACK", "").
		Gets("BYE", "").Reply("200 OK", "")
}

// hangsUp ends a placed call once it is answered.
func hangsUp(t *testing.T, x *exchange) func(node.Placed) {
	return func(p node.Placed) {
		telephony.Of[event.CallAnswered](t, x.Office, p.Call, nil)
		telephony.Of[event.ReplySpoken](t, x.Office, p.Session, nil)
		require.NoError(t, x.EndCall(t.Context(), p.Call))
	}
}

// linesRows are calls that we place, and what becomes of them.
func linesRows() []row {
	var out []row
	for feature, to := range map[string]struct {
		code   string
		status event.Status
	}{"busy": {"486 Busy Here", event.Busy}, "declined": {"603 Decline", event.Declined}, "failed": {"500 Server Internal Error", event.Failed}} {
		for _, transport := range []string{"udp", "tcp"} {
			out = append(out, row{feature, "sipp", transport, func(t *testing.T, x *exchange) {
				c, at := callee(t, new(telephony.Scenario).Gets("INVITE", "").Answer(to.code, "").Gets("ACK", ""), transport)
				got := place(t, x, node.CallForm{To: "sip:anna@" + at, Parameters: "transport=" + transport}, c, nil)
				require.Equal(t, to.status, got.Status)
			}})
		}
	}
	ringing := func() *telephony.Scenario {
		return new(telephony.Scenario).Gets("INVITE", telephony.First).Answer("180 Ringing", "").
			Gets("CANCEL", "").Reply("200 OK", "").Late("487 Request Terminated", "").Gets("ACK", "")
	}
	return append(out,
		row{"no answer,server and parameters", "sipp", "udp", func(t *testing.T, x *exchange) {
			c, at := callee(t, ringing(), "udp")
			require.Equal(t, event.NoAnswer, place(t, x, node.CallForm{To: "sip:anna@" + at, Parameters: "transport=udp;timeout=1"}, c, nil).Status)
		}},
		row{"canceled", "sipp", "udp", func(t *testing.T, x *exchange) {
			c, at := callee(t, new(telephony.Scenario).Gets("INVITE", "").Answer("180 Ringing", "").Answer("487 Request Terminated", "").Gets("ACK", ""), "udp")
			require.Equal(t, event.Canceled, place(t, x, node.CallForm{To: "sip:anna@" + at}, c, nil).Status)
		}},
		row{"TCP,server and parameters", "sipp", "tcp", func(t *testing.T, x *exchange) {
			c, at := callee(t, taken(), "tcp")
			require.Equal(t, event.Completed, place(t, x, node.CallForm{To: "sip:anna@" + at, Parameters: "transport=tcp;timeout=5"}, c, hangsUp(t, x)).Status)
		}},
		row{"early media", "sipp", "udp", func(t *testing.T, x *exchange) {
			c, at := callee(t, new(telephony.Scenario).Gets("INVITE", "").Answer("183 Session Progress", telephony.Sound(1, "0 101", "sendrecv")).
				Pause(300*time.Millisecond).Answer("200 OK", telephony.Sound(1, "0 101", "sendrecv")).Gets("ACK", "").Gets("BYE", "").Reply("200 OK", ""), "udp")
			place(t, x, node.CallForm{To: "sip:anna@" + at}, c, func(p node.Placed) {
				telephony.Of(t, x.Office, p.Call, func(e event.CallProgressed) bool { return e.Stage == "early" })
				hangsUp(t, x)(p)
			})
		}},
		row{"PRACK", "sipp", "udp", func(t *testing.T, x *exchange) {
			c, at := callee(t, new(telephony.Scenario).
				Gets("INVITE", strings.TrimSuffix(telephony.First, "</action>")+strings.TrimPrefix(telephony.Wants("Supported:", "100rel"), "<action>")).
				Answer("183 Session Progress", telephony.Sound(1, "0 101", "sendrecv"), "Require: 100rel", "RSeq: 5").
				Gets("PRACK", telephony.Wants("RAck:", "5 1 INVITE")).Reply("200 OK", "").Late("200 OK", "").Gets("ACK", "").Gets("BYE", "").Reply("200 OK", ""), "udp")
			require.Equal(t, event.Completed, place(t, x, node.CallForm{To: "sip:anna@" + at}, c, hangsUp(t, x)).Status)
		}},
		row{"302", "sipp", "udp", func(t *testing.T, x *exchange) {
			there, at := callee(t, taken(), "udp")
			moved := strings.Replace(new(telephony.Scenario).Gets("INVITE", "").Answer("302 Moved Temporarily", "").Gets("ACK", "").String(),
				"Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>", "Contact: <sip:desk@"+at+">", 1)
			here, from := callee(t, new(telephony.Scenario).Raw(moved), "udp")
			require.Equal(t, event.Completed, place(t, x, node.CallForm{To: "sip:anna@" + from}, there, hangsUp(t, x)).Status)
			require.NoError(t, here.Wait(patience))
		}},
		row{"forked answers", "two sipp, kamailio", "udp", func(t *testing.T, x *exchange) {
			first, a := callee(t, new(telephony.Scenario).Gets("INVITE", "").Answer("183 Session Progress", telephony.Sound(1, "8 101", "sendrecv")).
				Pause(400*time.Millisecond).Answer("480 Temporarily Unavailable", "").Gets("ACK", ""), "udp")
			second, b := callee(t, new(telephony.Scenario).Gets("INVITE", "").Answer("180 Ringing", "").Pause(800*time.Millisecond).
				Answer("200 OK", telephony.Sound(1, "0 101", "sendrecv")).Gets("ACK", "").Gets("BYE", "").Reply("200 OK", ""), "udp")
			to := fmt.Sprintf("sip:fork-%s-%s@%s", portOf(a), portOf(b), x.md5.UDP)
			require.Equal(t, event.Completed, place(t, x, node.CallForm{To: to}, second, func(p node.Placed) {
				require.Equal(t, "PCMU", telephony.Of[event.CallAnswered](t, x.Office, p.Call, nil).Codec, "that of the fork that answered")
				hangsUp(t, x)(p)
			}).Status)
			require.NoError(t, first.Wait(patience))
		}},
		row{"WebSocket", "kamailio", "ws", func(t *testing.T, x *exchange) {
			c, at := callee(t, taken(), "udp")
			to := fmt.Sprintf("sip:uas-%s@%s", portOf(at), x.md5.WS)
			require.Equal(t, event.Completed, place(t, x, node.CallForm{To: to, Parameters: "transport=ws"}, c, hangsUp(t, x)).Status)
		}},
		row{"SDES-SRTP", "baresip", "udp", func(t *testing.T, x *exchange) {
			b := telephony.StartBaresip(t, telephony.BaresipPlan{Sealing: "srtp-mand", Hz: 2050})
			got := place(t, x, node.CallForm{To: "sip:bare2050@" + b.Addr(), Parameters: "srtp=required"}, nil, func(p node.Placed) {
				x.hears(t, 2050)
				hangsUp(t, x)(p)
			})
			require.Equal(t, event.Completed, got.Status)
			require.Greater(t, b.Heard(t, telephony.AgentHz), float64(audible))
		}},
	)
}
