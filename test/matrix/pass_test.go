package matrix_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/cluster/node"
	"flametree/engine/event"
	"flametree/test/telephony"
)

func start(t *testing.T, x *exchange, name string) {
	t.Helper()
	_, err := x.ChannelDo(t.Context(), name, &actors.StartChannel{})
	require.NoError(t, err)
}

func stop(t *testing.T, x *exchange, name string) {
	t.Helper()
	_, err := x.ChannelDo(t.Context(), name, &actors.StopChannel{Reason: "done"})
	require.NoError(t, err)
}

// notes are those of the music on hold, low enough to be nobody's tone.
func notes() []float64 { return []float64{220, 261.63, 329.63, 392, 440, 523.25} }

// passRows are calls that are passed on, keys that are pressed, and a browser.
func passRows() []row {
	return []row{
		{"REFER blind,RFC 4733 in", "baresip, kamailio, sipp", "udp", func(t *testing.T, x *exchange) {
			c := taker(t, x, "blind")
			b := telephony.StartBaresip(t, telephony.BaresipPlan{Hz: 2100})
			b.Do(t, "dial", "sip:blind@"+x.SIP)
			call, session := x.CallOf(t, "bare2100")
			telephony.Of[event.ReplySpoken](t, x.Office, session, nil)
			b.Press(t, "1#")
			done := telephony.Of[event.TransferCompleted](t, x.Office, call, nil)
			require.Equal(t, "blind", done.Mode)
			require.False(t, done.Joined)
			_, ended := x.Ended(t, call, session)
			require.Equal(t, event.Transferred, ended.Status)
			b.Do(t, "hangup", "")
			require.NoError(t, c.Wait(patience), "%s", c.Said())
		}},
		{"REFER attended,RFC 4733 in", "two linphone, kamailio", "udp", func(t *testing.T, x *exchange) {
			telephony.StartLinphone(t, telephony.LinphonePlan{Name: "operator", Port: x.passes["attended"], Sealing: "none", Answer: true, Hz: 2150})
			caller := telephony.StartLinphone(t, telephony.LinphonePlan{Name: "linda", Sealing: "none", Hz: 2200})
			caller.Enter(t, "call sip:attended@"+x.SIP)
			call, session := x.CallOf(t, "linda")
			telephony.Of[event.ReplySpoken](t, x.Office, session, nil)
			caller.Enter(t, "1")
			caller.Enter(t, "#")
			done := telephony.Of[event.TransferCompleted](t, x.Office, call, nil)
			require.Equal(t, "attended", done.Mode)
			require.False(t, done.Joined, "linphone takes our place by Replaces")
			_, ended := x.Ended(t, call, session)
			require.Equal(t, event.Transferred, ended.Status)
			time.Sleep(2 * time.Second) // the two hear each other without us
			require.Greater(t, caller.Heard(t, 2150), float64(audible-10), "the caller hears the operator")
		}},
		{"REFER in", "baresip, sipp", "udp", func(t *testing.T, x *exchange) {
			c, at := callee(t, taken(), "udp")
			x.Connect(t, "refers", "board", true, map[string]string{"domain": at, "user": "100", "register": "false", "sources": "127.0.0.9", "refer": "true"}, "")
			b := telephony.StartBaresip(t, telephony.BaresipPlan{Host: "127.0.0.9", Hz: 2120})
			b.Do(t, "dial", "sip:100@"+x.SIP)
			call, session := x.CallOf(t, "bare2120")
			telephony.Of[event.ReplySpoken](t, x.Office, session, nil)
			b.Do(t, "transfer", "sip:desk@"+at)
			require.Equal(t, "refer", telephony.Of[event.CallReplaced](t, x.Office, call, nil).How)
			b.Tells(t, "CALL_CLOSED", 5*time.Second)
			require.NoError(t, x.EndCall(t.Context(), call))
			x.Ended(t, call, session)
			require.NoError(t, c.Wait(patience), "%s", c.Said())
		}},
		{"Replaces in", "two linphone", "udp", func(t *testing.T, x *exchange) {
			rita := telephony.StartLinphone(t, telephony.LinphonePlan{Name: "rita", Sealing: "none", Answer: true, Hz: 2160})
			lena := telephony.StartLinphone(t, telephony.LinphonePlan{Name: "lena", Sealing: "none", Hz: 2180})
			lena.Enter(t, "call sip:board@"+x.usual) // it leaves the port out when it transfers
			call, session := x.CallOf(t, "lena")
			telephony.Of[event.ReplySpoken](t, x.Office, session, nil)
			x.hears(t, 2180)
			lena.Enter(t, "pause")
			telephony.Of[event.CallHeld](t, x.Office, call, nil)
			lena.Enter(t, "call sip:rita@"+rita.Addr())
			lena.Says(t, "Call 2 with sip:rita@"+rita.Addr()+" connected", 10*time.Second)
			lena.Enter(t, "transfer 2 --to-call 1")
			told := telephony.Of[event.CallReplaced](t, x.Office, call, nil)
			require.Equal(t, "replaces", told.How)
			x.hears(t, 2160)
			rita.Enter(t, "terminate")
			x.Ended(t, call, session)
			require.Greater(t, rita.Heard(t, telephony.AgentHz), -120.0)
		}},
		{"music on hold", "baresip, kamailio, sipp", "udp", func(t *testing.T, x *exchange) {
			taker(t, x, "warm")
			b := telephony.StartBaresip(t, telephony.BaresipPlan{Hz: 2250})
			b.Do(t, "dial", "sip:warm@"+x.SIP)
			call, session := x.CallOf(t, "bare2250")
			telephony.Of[event.ReplySpoken](t, x.Office, session, nil)
			b.Press(t, "1#")
			require.True(t, telephony.Of[event.TransferCompleted](t, x.Office, call, nil).Joined)
			b.Do(t, "hangup", "")
			x.Ended(t, call, session)
			require.Greater(t, b.Heard(t, notes()...), -25.0, "baresip hears music while the person is told")
		}},
		{"RFC 4733 out,RFC 4733 in", "linphone", "udp", func(t *testing.T, x *exchange) {
			l := telephony.StartLinphone(t, telephony.LinphonePlan{Name: "keys", Sealing: "none", Answer: true, Hz: 2300})
			p := x.Place(t, node.CallForm{Agent: "caller", To: "sip:keys@" + l.Addr()})
			telephony.Of[event.ReplySpoken](t, x.Office, p.Session, nil)
			l.Enter(t, "2")
			l.Enter(t, "#")
			for _, key := range []string{"1", "5", "9"} {
				l.Says(t, "Receiving tone "+key, 10*time.Second)
			}
			require.NoError(t, x.EndCall(t.Context(), p.Call))
			x.Ended(t, p.Call, p.Session)
		}},
		{"SDES-SRTP,RFC 4733 in", "linphone", "udp", func(t *testing.T, x *exchange) {
			l := telephony.StartLinphone(t, telephony.LinphonePlan{Name: "sealed", Sealing: "srtp", Hz: 2350})
			l.Enter(t, "call sip:board@"+x.SIP)
			call, session := x.CallOf(t, "sealed")
			telephony.Of[event.ReplySpoken](t, x.Office, session, nil)
			x.hears(t, 2350)
			l.Enter(t, "4")
			l.Enter(t, "#")
			require.Equal(t, "4", telephony.Of(t, x.Office, session, func(u event.UtteranceHeard) bool { return u.Digits }).Text.Text)
			l.Enter(t, "terminate")
			x.Ended(t, call, session)
			require.Greater(t, l.Heard(t, telephony.AgentHz), float64(audible))
		}},
		{"RTCP", "baresip", "udp", func(t *testing.T, x *exchange) {
			b := telephony.StartBaresip(t, telephony.BaresipPlan{Hz: 2400})
			b.Do(t, "dial", "sip:board@"+x.SIP)
			call, session := x.CallOf(t, "bare2400")
			time.Sleep(11 * time.Second) // baresip reports every 5 s
			b.Do(t, "hangup", "")
			ended, _ := x.Ended(t, call, session)
			b.Says(t, "EX=BareSip;CS=", 5*time.Second)
			require.Positive(t, ended.Quality)
			t.Logf("figure: MOS %.2f here; baresip says %s", ended.Quality, lineWith(b.Said(), "EX=BareSip;CS="))
		}},
		{"WebSocket", "chromium", "ws", browser},
	}
}

func lineWith(text, what string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, what) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// taker is a sipp that takes the call that an agent passes on, at the port its
// agent knows.
func taker(t *testing.T, x *exchange, agent string) *telephony.Child {
	t.Helper()
	at := fmt.Sprintf("127.0.0.1:%d", x.passes[agent])
	c := taken().Sipp(t, "", "-i", "127.0.0.1", "-p", portOf(at), "-t", "u1")
	telephony.Listens(t, "udp", at)
	return c
}

// page is a browser's SIP: it calls, is taken, and hangs up.
const page = `<script>
const to = "sip:board@%[1]s", id = "browser-" + Math.random().toString(36);
let tag = "", steps = [];
const ws = new WebSocket("ws://%[1]s", "sip");
function send(method, n, body) {
  ws.send([method + " " + to + " SIP/2.0", "Via: SIP/2.0/WS browser.invalid;branch=z9hG4bK" + method + n + id, "From: <sip:browser@browser.invalid>;tag=b",
    "To: <" + to + ">" + tag, "Call-ID: " + id, "CSeq: " + n + " " + method, "Contact: <sip:browser@browser.invalid;transport=ws>", "Max-Forwards: 70",
    ...(body ? ["Content-Type: application/sdp"] : []), "Content-Length: " + body.length, "", body].join("\r\n"));
}
function tell(what) { fetch("/done", {method: "POST", body: what}); }
ws.onopen = () => send("INVITE", 1, ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 40404 RTP/AVP 0", ""].join("\r\n"));
ws.onerror = () => tell("error");
ws.onclose = () => tell("closed");
ws.onmessage = (m) => {
  const text = m.data, code = text.slice(8, 11), method = (text.match(/^CSeq: *\d+ (\w+)/im) || [])[1];
  if (!text.startsWith("SIP/2.0 ") || code < "200") return;
  steps.push(code + " " + method);
  if (method == "INVITE" && code == "200") { tag = ";tag=" + text.match(/^To:.*;tag=([^;\s]+)/im)[1]; send("ACK", 1, ""); setTimeout(() => send("BYE", 2, ""), 300); return; }
  tell(steps.join(", "));
};
</script>`

// browser has a real browser speak SIP over its own WebSocket.
func browser(t *testing.T, x *exchange) {
	said := make(chan string, 16)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/done" {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintf(w, page, x.ws)
			return
		}
		text := make([]byte, 200)
		n, _ := r.Body.Read(text)
		select {
		case said <- string(text[:n]):
		default:
		}
	}))
	defer site.Close()
	name, err := exec.LookPath("chromium")
	require.NoError(t, err)
	dir := t.TempDir()
	telephony.Run(t, dir, name, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir="+dir, site.URL)
	select {
	case got := <-said:
		require.Equal(t, "200 INVITE, 200 BYE", got)
	case <-time.After(patience):
		t.Fatal("the browser tells nothing")
	}
	call, session := x.CallOf(t, "browser")
	ended, _ := x.Ended(t, call, session)
	require.Equal(t, "hangup", ended.Reason)
}
