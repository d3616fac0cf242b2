package sip_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/media/sip"
)

// script is a scenario for sipp, the foreign phone, step by step.
type script struct{ strings.Builder }

const foreignSDP = "v=0\no=u 1 %d IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 8 0 101\na=rtpmap:101 telephone-event/8000\n%s"

// request lets the phone that calls send one.
func (s *script) request(method string, cseq int, body string, headers ...string) *script {
	to := "[peer_tag_param]"
	if method == "INVITE" && cseq == 1 {
		to = ""
	}
	retrans := ` retrans="500"`
	if method == "ACK" {
		retrans = ""
	}
	fmt.Fprintf(s, "<send%s><![CDATA[\n\n%s sip:bank@[remote_ip]:[remote_port] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"+
		"From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]\nTo: <sip:bank@[remote_ip]:[remote_port]>%s\nCall-ID: [call_id]\nCSeq: %d %s\n"+
		"Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\nMax-Forwards: 70\n%s", retrans, method, to, cseq, method, lines(headers))
	return s.body(body)
}

// response lets the phone that is called answer what came last.
func (s *script) response(status, body string, headers ...string) *script {
	retrans := ""
	if status == "200 OK" && body != "" {
		retrans = ` retrans="500"`
	}
	fmt.Fprintf(s, "<send%s><![CDATA[\n\nSIP/2.0 %s\n[last_Via:]\n[last_From:]\n[last_To:];tag=[call_number]\n[last_Call-ID:]\n[last_CSeq:]\n"+
		"Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n%s", retrans, status, lines(headers))
	return s.body(body)
}

// reply is response within the dialog: the tag is there already.
func (s *script) reply(status string) *script {
	fmt.Fprintf(s, "<send><![CDATA[\n\nSIP/2.0 %s\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n", status)
	return s.body("")
}

func (s *script) body(body string) *script {
	if body != "" {
		s.WriteString("Content-Type: application/sdp\n")
	}
	fmt.Fprintf(s, "Content-Length: [len]\n\n%s\n]]></send>\n", body)
	return s
}

// gets lets the phone wait for a response (a number) or a request; inside holds
// actions.
func (s *script) gets(what, inside string) *script {
	kind := "request"
	if what[0] <= '9' {
		kind = "response"
	}
	fmt.Fprintf(s, "<recv %s=%q>%s</recv>\n", kind, what, inside)
	return s
}

// maybe lets it pass over one.
func (s *script) maybe(what string) *script {
	fmt.Fprintf(s, "<recv response=%q optional=\"true\"/>\n", what)
	return s
}

func (s *script) pause() *script {
	s.WriteString("<pause milliseconds=\"30\"/>\n")
	return s
}

func lines(headers []string) string {
	var b strings.Builder
	for _, h := range headers {
		b.WriteString(h + "\n")
	}
	return b.String()
}

func sdp(version int, more string) string { return fmt.Sprintf(foreignSDP, version, more) }

// wants is an action that fails the scenario unless a header matches.
func wants(header, regexp string) string {
	return fmt.Sprintf("<action><ereg regexp=%q search_in=\"hdr\" header=%q check_it=\"true\" assign_to=\"1\"/></action>", regexp, header)
}

// play starts sipp with a scenario; the channel gives its complaint, "" for none.
func (s *script) play(t *testing.T, args ...string) <-chan string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "scenario.xml")
	text := "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"s\">\n" + s.String()
	for _, v := range []string{"1", "3", "4"} { // sipp insists that each is used
		if strings.Contains(text, `assign_to="`+v+`"`) {
			text += `<Reference variables="` + v + "\"/>\n"
		}
	}
	require.NoError(t, os.WriteFile(file, []byte(text+"</scenario>\n"), 0o600))
	all := append([]string{
		"-sf", file, "-i", "127.0.0.1", "-nostdin", "-m", "1", "-timeout", "20s", "-timeout_error",
		"-trace_err", "-error_file", filepath.Join(dir, "errors"),
	}, args...)
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	cmd := exec.CommandContext(ctx, "sipp", all...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TERM=xterm")
	done := make(chan string, 1)
	go func() {
		defer stop()
		out, err := cmd.CombinedOutput()
		if err == nil {
			done <- ""
			return
		}
		complaint, _ := os.ReadFile(filepath.Join(dir, "errors"))
		done <- fmt.Sprintf("%v\n%s\n%s", err, complaint, out[max(0, len(out)-1500):])
	}()
	return done
}

// mode is sipp's word for a transport.
func mode(transport string) string { return strings.ToLower(transport[:1]) + "1" }

// A foreign phone calls us and does what RFC 3262, 3311, 4028 and 3515 let it do
// within a call.
func TestForeignCallerWithinACall(t *testing.T) {
	begin := func(headers ...string) *script {
		s := &script{}
		return s.request("INVITE", 1, sdp(1, ""), headers...).maybe("100").maybe("180")
	}
	for name, test := range map[string]struct {
		script *script
		change func(*sip.Options)
		facts  []actors.FactKind
	}{
		"prack": {
			script: begin("Supported: 100rel").
				gets("183", `<action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="1"/></action>`).
				request("PRACK", 2, "", "RAck: [$1] 1 INVITE").gets("200", "").gets("200", "").
				request("ACK", 1, "").pause().request("BYE", 3, "").gets("200", ""),
			change: func(o *sip.Options) {
				answer := o.Answer
				o.Answer = func(ctx context.Context, inv sip.Invite) error {
					if err := inv.Call.Early(ctx); err != nil {
						return err
					}
					select { // its answer to the PRACK and the 200 are told apart by their order
					case <-time.After(20 * time.Millisecond):
					case <-ctx.Done():
					}
					return answer(ctx, inv)
				}
			},
			facts: []actors.FactKind{actors.FactLineUp, actors.FactLineEnded},
		},
		"update": {
			script: begin("Supported: timer", "Session-Expires: 600").gets("200", wants("Session-Expires:", "600;refresher=uac")).
				request("ACK", 1, "").pause().
				request("UPDATE", 2, sdp(2, "a=sendonly\n"), "Supported: timer", "Session-Expires: 600;refresher=uac").gets("200", wants("Session-Expires:", "600;refresher=uac")).
				request("UPDATE", 3, sdp(3, "")).gets("200", "").
				request("BYE", 4, "").gets("200", ""),
			facts: []actors.FactKind{actors.FactLineUp, actors.FactLineHeld, actors.FactLineResumed, actors.FactLineEnded},
		},
		"session timer too short": {
			script: begin("Supported: timer", "Session-Expires: 30").gets("422", wants("Min-SE:", "90")).request("ACK", 1, ""),
		},
		"transfer": {
			script: begin().gets("200", "").request("ACK", 1, "").pause().
				request("REFER", 2, "", "Refer-To: <sip:desk@127.0.0.1>").gets("202", "").
				gets("NOTIFY", wants("Subscription-State:", "active")).reply("200 OK").
				gets("NOTIFY", wants("Subscription-State:", "terminated")).reply("200 OK").
				request("BYE", 3, "").gets("200", ""),
			change: func(o *sip.Options) {
				o.Rules.Refer = func(_ context.Context, r sip.Referral) error { r.Report(200, "OK"); return nil }
			},
			facts: []actors.FactKind{actors.FactLineUp, actors.FactLineEnded},
		},
	} {
		transports(t, func(t *testing.T, transport string) {
			t.Run(name, func(t *testing.T) {
				h := open(t, test.change)
				at, tcp := h.Addrs()
				if transport == "TCP" {
					at = tcp
				}
				require.Empty(t, <-test.script.play(t, "-t", mode(transport), at.String()))
				if test.facts != nil {
					ear := <-h.ears
					eventually(t, "facts", func() bool { return len(ear.Kinds()) >= len(test.facts) })
					require.Equal(t, test.facts, ear.Kinds())
				}
			})
		})
	}
}

// first keeps what a phone that is called needs of the INVITE later on.
func first(more string) string {
	return "<action><ereg regexp=\".*\" search_in=\"hdr\" header=\"Via:\" assign_to=\"3\"/>" +
		"<ereg regexp=\".*\" search_in=\"hdr\" header=\"From:\" assign_to=\"4\"/>" + strings.TrimPrefix(more, "<action>")
}

// late answers the INVITE after other requests have come.
func (s *script) late(status, body string) *script {
	fmt.Fprintf(s, "<send><![CDATA[\n\nSIP/2.0 %s\nVia: [$3]\nFrom: [$4]\nTo: <sip:desk@[local_ip]>;tag=[call_number]\n[last_Call-ID:]\nCSeq: 1 INVITE\n"+
		"Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n", status)
	return s.body(body)
}

// notify tells us how our transfer goes.
func (s *script) notify(cseq int, state, frag string) *script {
	fmt.Fprintf(s, "<send><![CDATA[\n\nNOTIFY sip:caller@[local_ip] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"+
		"From: <sip:desk@[local_ip]>;tag=[call_number]\nTo: [$4]\n[last_Call-ID:]\nCSeq: %d NOTIFY\nMax-Forwards: 70\n"+
		"Event: refer\nSubscription-State: %s\nContent-Type: message/sipfrag\nContent-Length: [len]\n\nSIP/2.0 %s\n\n]]></send>\n<recv response=\"200\"/>\n", cseq, state, frag)
	return s
}

// We call a foreign phone: reliable early media with PRACK, a transfer with its
// NOTIFYs, and a busy line.
func TestForeignCallee(t *testing.T) {
	const nothing = "<action></action>"
	for name, test := range map[string]struct {
		script  *script
		outcome sip.Outcome // "" is a call
		within  func(t *testing.T, c *sip.Call)
	}{
		"prack": {script: (&script{}).gets("INVITE", first(wants("Supported:", "100rel"))).
			response("183 Session Progress", sdp(1, ""), "Require: 100rel", "RSeq: 5").
			gets("PRACK", wants("RAck:", "5 1 INVITE")).reply("200 OK").
			late("200 OK", "").gets("ACK", "").gets("BYE", "").reply("200 OK")},
		"busy": {script: (&script{}).gets("INVITE", "").response("486 Busy Here", "").gets("ACK", ""), outcome: sip.Busy},
		"transfer": {
			script: (&script{}).gets("INVITE", first(nothing)).response("200 OK", sdp(1, "")).gets("ACK", "").
				gets("REFER", wants("Refer-To:", "sip:desk@127.0.0.1")).reply("202 Accepted").
				notify(1, "active;expires=60", "180 Ringing").notify(2, "terminated;reason=noresource", "200 OK").
				gets("BYE", "").reply("200 OK"),
			within: func(t *testing.T, c *sip.Call) {
				var steps []int
				require.NoError(t, c.Refer(t.Context(), "sip:desk@127.0.0.1", sip.ReferOptions{
					Wait:     5 * time.Second,
					Progress: func(code int, _ string) { steps = append(steps, code) },
				}))
				require.Equal(t, []int{180, 200}, steps)
			},
		},
	} {
		transports(t, func(t *testing.T, transport string) {
			t.Run(name, func(t *testing.T) {
				h := open(t, nil)
				at := freePort(t, strings.ToLower(transport))
				_, port, _ := strings.Cut(at, ":")
				done := test.script.play(t, "-t", mode(transport), "-p", port)
				target := "sip:desk@" + at + ";transport=" + strings.ToLower(transport)
				var call *sip.Call
				var err error
				for range 500 { // until sipp listens
					call, err = h.Dial(t.Context(), target, sip.DialOptions{Transport: transport})
					var failed *sip.DialError
					if err == nil || errors.As(err, &failed) && failed.Outcome == test.outcome {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				if test.outcome == "" {
					require.NoError(t, err)
					if test.within != nil {
						test.within(t, call)
					}
					call.Hangup("completed")
				}
				require.Empty(t, <-done)
			})
		})
	}
}
