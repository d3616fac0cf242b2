package sip_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/sip"
	"flametree/media/sip/siptest"
)

// A call that forks: the branch that spoke last is heard, 199 ends one branch and
// nothing else, the first 2xx is the call, and each further one is acknowledged
// and ended, as often as it comes (RFC 3261 13.2.2.4, RFC 6228).
func TestForkedCall(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		from := func(port string) string { return strings.Replace(offer, "4000", port, 1) }
		var steps []sip.ProgressKind
		d, inv := s.dialWith(t.Context(), "sip:bob@192.0.2.9", sip.DialOptions{
			Progress: func(p sip.Progress) { steps = append(steps, p.Kind) },
		})
		s.say(answerTo(inv, "180 Ringing", "desk", ""))
		s.say(answerTo(inv, "183 Session Progress", "cell", from("4002")))
		require.Equal(t, uint16(4002), s.studio.Made()[0].Last().Remote.Port())
		s.say(answerTo(inv, "183 Session Progress", "home", from("4004")))
		require.Equal(t, uint16(4004), s.studio.Made()[0].Last().Remote.Port())
		require.Equal(t, []string{"200 OK"}, statuses(s.say(ask{method: "OPTIONS", cseq: 1}.as(inv, "home"))))
		require.Empty(t, s.say(answerTo(inv, "199 Early Dialog Terminated", "home", "")))
		require.Equal(t, []string{"481 Call/Transaction Does Not Exist"},
			statuses(s.say(ask{method: "OPTIONS", cseq: 2}.as(inv, "home"))), "that branch is over")
		got := s.say(answerTo(inv, "200 OK", "cell", from("4002")))
		require.Equal(t, []string{"ACK"}, methods(got))
		require.Contains(t, value(got[0], "To"), ";tag=cell")
		require.NoError(t, d.err)
		require.Equal(t, uint16(4002), s.studio.Made()[0].Last().Remote.Port())

		got = s.say(answerTo(inv, "200 OK", "desk", from("4000")))
		require.ElementsMatch(t, []string{"ACK", "BYE"}, methods(got))
		for _, text := range got {
			require.Contains(t, value(text, "To"), ";tag=desk")
		}
		s.say(reply(of(got, "BYE")[0], "200 OK", ""))
		require.Equal(t, []string{"ACK"}, methods(s.say(answerTo(inv, "200 OK", "desk", from("4000")))), "repeated")
		require.Equal(t, []string{"ACK"}, methods(s.say(answerTo(inv, "200 OK", "cell", from("4002")))), "repeated")
		require.Equal(t, []string{"481 Call/Transaction Does Not Exist"},
			statuses(s.say(ask{method: "BYE", cseq: 9}.as(inv, "desk"))), "only the one that was taken is the call")
		require.Equal(t, []sip.ProgressKind{sip.Ringing, sip.Early, sip.Early, sip.Answered}, steps)

		var ear siptest.Ear
		d.call.Start(ear.Hear)
		require.Equal(t, []actors.FactKind{actors.FactLineEarly, actors.FactLineUp}, ear.Kinds())
	})
}

// Contacts of 302 are tried in turn, up to the bound, never twice and never by
// another scheme; otherwise the refusal names them.
func TestMovedCallee(t *testing.T) {
	moved := func(inv, status string, contacts ...string) string {
		text := answerTo(inv, status, "", "")
		return strings.Replace(text, "Contact: <sip:bob@192.0.2.9:5060>\r\n", "Contact: "+strings.Join(contacts, "\r\nContact: ")+"\r\n", 1)
	}
	dial := func(s *stage, n int) (*dialling, string) {
		return s.dialWith(s.t.Context(), "sip:bob@192.0.2.9", sip.DialOptions{Redirects: n})
	}
	t.Run("followed", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			s.t = t
			d, inv := dial(s, 2)
			got := s.say(moved(inv, "302 Moved Temporarily", "<sip:carol@192.0.2.9:5070>"))
			require.Equal(t, []string{"ACK", "INVITE"}, methods(got))
			require.True(t, strings.HasPrefix(got[1], "INVITE sip:carol@192.0.2.9:5070 SIP/2.0\r\n"))
			require.Equal(t, value(inv, "To"), value(got[1], "To"))
			require.Equal(t, value(inv, "Call-ID"), value(got[1], "Call-ID"))
			s.say(reply(got[1], "200 OK", offer))
			require.NoError(t, d.err)
		})
	})
	t.Run("the best first, as many as allowed", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			s.t = t
			d, inv := dial(s, 2)
			got := s.say(moved(inv, "302 Moved Temporarily", "<sip:low@192.0.2.9>;q=0.1", "<sip:good@192.0.2.9>;q=0.9, <sip:best@192.0.2.9>"))
			require.True(t, strings.HasPrefix(got[1], "INVITE sip:best@192.0.2.9 SIP/2.0\r\n"))
			got = s.say(moved(got[1], "302 Moved Temporarily", "<sip:good@192.0.2.9>"))
			require.True(t, strings.HasPrefix(got[1], "INVITE sip:good@192.0.2.9 SIP/2.0\r\n"))
			require.Equal(t, []string{"ACK"}, methods(s.say(moved(got[1], "302 Moved Temporarily", "<sip:fourth@192.0.2.9>"))))
			var refused *sip.Refused
			require.ErrorAs(t, d.err, &refused)
		})
	})
	t.Run("a loop ends", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			s.t = t
			d, inv := dial(s, 5)
			got := s.say(moved(inv, "302 Moved Temporarily", "<sip:carol@192.0.2.9:5070>"))
			got = s.say(moved(got[1], "301 Moved Permanently", "<sip:bob@192.0.2.9>"))
			require.Equal(t, []string{"ACK"}, methods(got))
			var refused *sip.Refused
			require.ErrorAs(t, d.err, &refused)
			require.Equal(t, 301, refused.Code)
			require.Equal(t, []string{"sip:bob@192.0.2.9"}, refused.Contacts)
		})
	})
	for name, test := range map[string]struct {
		n               int
		status, contact string
	}{
		"not allowed":           {0, "302 Moved Temporarily", "<sip:carol@192.0.2.9>"},
		"use proxy":             {3, "305 Use Proxy", "<sip:proxy@192.0.2.9>"},
		"alternative service":   {3, "380 Alternative Service", "<sip:carol@192.0.2.9>"},
		"to a web page":         {3, "302 Moved Temporarily", "<http://192.0.2.9/>"},
		"to a telephone number": {3, "302 Moved Temporarily", "<tel:+15550100>"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				s.t = t
				d, inv := dial(s, test.n)
				s.say(moved(inv, test.status, test.contact))
				synctest.Wait()
				if !d.done { // the guard lets no URI through that is not SIP; then nobody has answered
					return
				}
				var refused *sip.Refused
				require.ErrorAs(t, d.err, &refused)
				require.Empty(t, of(s.heard(), "INVITE"))
			})
		})
	}
}

// Every way a call comes to nothing has its status.
func TestOutcomesOfDialling(t *testing.T) {
	for _, test := range []struct {
		status  string
		outcome sip.Outcome
		kind    error
	}{
		{"486 Busy Here", sip.Busy, fault.Exhausted},
		{"600 Busy Everywhere", sip.Busy, fault.Exhausted},
		{"480 Temporarily Unavailable", sip.NoAnswer, fault.Unavailable},
		{"408 Request Timeout", sip.NoAnswer, fault.Unavailable},
		{"403 Forbidden", sip.Declined, fault.Denied},
		{"603 Decline", sip.Declined, fault.Denied},
		{"487 Request Terminated", sip.Canceled, fault.Cancelled},
		{"404 Not Found", sip.Failed, fault.NotFound},
		{"488 Not Acceptable Here", sip.Failed, fault.Invalid},
		{"503 Service Unavailable", sip.Failed, fault.Unavailable},
		{"420 Bad Extension", sip.Failed, fault.Invalid},
		{"401 Unauthorized", sip.Failed, fault.Denied},
	} {
		t.Run(test.status, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				d, inv := s.dial(t.Context())
				s.say(reply(inv, test.status, ""))
				synctest.Wait()
				var failed *sip.DialError
				require.ErrorAs(t, d.err, &failed)
				require.Equal(t, test.outcome, failed.Outcome)
				require.ErrorIs(t, d.err, test.kind)
			})
		})
	}
}

// Nobody picks up: the call is cancelled when Ring or the context says so, and
// told as no answer; hung up by its own line it is canceled.
func TestRingsForTooLong(t *testing.T) {
	for name, test := range map[string]struct {
		o       sip.DialOptions
		target  string
		within  time.Duration
		hang    bool
		outcome sip.Outcome
		expires string
	}{
		"ring":                {o: sip.DialOptions{Ring: 20 * time.Second}, outcome: sip.NoAnswer, expires: "20"},
		"of the target":       {target: "sip:bob@192.0.2.9;transport=udp;timeout=20", outcome: sip.NoAnswer, expires: "20"},
		"deadline of context": {within: 20 * time.Second, outcome: sip.NoAnswer},
		"hung up":             {hang: true, outcome: sip.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				ctx := t.Context()
				if test.within > 0 {
					var stop func()
					ctx, stop = context.WithTimeout(ctx, test.within)
					defer stop()
				}
				if test.target == "" {
					test.target = "sip:bob@192.0.2.9"
				}
				var call *sip.Call
				test.o.Progress = func(p sip.Progress) { call = p.Call }
				d, inv := s.dialWith(ctx, test.target, test.o)
				require.NotContains(t, inv, "timeout=")
				require.Equal(t, test.expires, value(inv, "Expires"))
				s.say(reply(inv, "180 Ringing", ""))
				time.Sleep(19 * time.Second)
				require.Empty(t, s.heard())
				if test.hang {
					call.Hangup("canceled")
				}
				time.Sleep(1100 * time.Millisecond)
				got := s.heard()
				require.Equal(t, "CANCEL", methods(got)[0])
				s.say(reply(got[0], "200 OK", ""))
				require.Equal(t, []string{"ACK"}, methods(s.say(reply(inv, "487 Request Terminated", ""))))
				var failed *sip.DialError
				require.ErrorAs(t, d.err, &failed)
				require.Equal(t, test.outcome, failed.Outcome)
			})
		})
	}
}

// The callee's clock is as good as ours: a call that it ends with 487 when our
// Expires has run out there has rung for too long; before that somebody took it back.
func TestWhoseClockEndsTheRinging(t *testing.T) {
	for name, test := range map[string]struct {
		after   time.Duration
		outcome sip.Outcome
	}{
		"theirs, a moment before ours": {19900 * time.Millisecond, sip.NoAnswer},
		"nobody's":                     {15 * time.Second, sip.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				d, inv := s.dialWith(t.Context(), "sip:bob@192.0.2.9", sip.DialOptions{Ring: 20 * time.Second})
				s.say(reply(inv, "180 Ringing", ""))
				time.Sleep(test.after)
				s.say(reply(inv, "487 Request Terminated", ""))
				var failed *sip.DialError
				require.ErrorAs(t, d.err, &failed)
				require.Equal(t, test.outcome, failed.Outcome)
			})
		})
	}
}

// Parameters as a campaign has them, and those that are refused by name.
func TestSIPParameters(t *testing.T) {
	var o sip.DialOptions
	require.NoError(t, o.Apply(" transport=tls; Timeout=30 ;"))
	require.Equal(t, "TLS", o.Transport)
	require.Equal(t, 30*time.Second, o.Ring)
	for _, bad := range []string{"transport=pigeon", "timeout=0", "timeout=soon", "timeout=601", "color=red", "udp"} {
		before := o
		err := o.Apply("timeout=5;" + bad)
		require.ErrorIs(t, err, fault.Invalid, bad)
		word, _, _ := strings.Cut(bad, "=")
		require.ErrorContains(t, err, word)
		require.Equal(t, before, o, "nothing is changed by %q", bad)
	}
}

// Who calls is said in each header a trunk may look for, and kept from the callee
// when asked; nothing can be smuggled in.
func TestCallerIdentity(t *testing.T) {
	for name, test := range map[string]struct {
		id   sip.Identity
		want map[string]string
	}{
		"none": {sip.Identity{}, map[string]string{"From": `"Bank" <sip:desk@192.0.2.1>`, "P-Asserted-Identity": "", "Privacy": ""}},
		"asserted": {sip.Identity{Asserted: "sip:+15550100@trunk.example", RemoteParty: true}, map[string]string{
			"From": `"Bank" <sip:desk@192.0.2.1>`, "P-Asserted-Identity": `"Bank" <sip:+15550100@trunk.example>`, "Privacy": "",
			"Remote-Party-ID": `"Bank" <sip:+15550100@trunk.example>;party=calling;privacy=off;screen=yes`,
		}},
		"private": {sip.Identity{Asserted: "tel:+15550100", Private: true}, map[string]string{
			"From": `"Anonymous" <sip:anonymous@anonymous.invalid>`, "P-Asserted-Identity": `"Bank" <tel:+15550100>`,
			"Privacy": "id", "Remote-Party-ID": "",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				_, inv := s.dialWith(t.Context(), "sip:bob@192.0.2.9", sip.DialOptions{From: "desk", Display: "Bank", Identity: test.id})
				for header, want := range test.want {
					got, _, _ := strings.Cut(value(inv, header), ";tag=")
					require.Equal(t, want, got, header)
				}
				s.say(reply(inv, "486 Busy Here", ""))
			})
		})
	}
	h := open(t, nil)
	for _, bad := range []string{"bob", "sip:", "http://x", "sip:a@b>\r\nEvil: 1", "sip:a b@c"} {
		_, err := h.Dial(t.Context(), "sip:x@127.0.0.1:9", sip.DialOptions{Identity: sip.Identity{Asserted: bad}})
		require.ErrorIs(t, err, fault.Invalid, bad)
	}
	_, err := h.Dial(t.Context(), "sip:x@127.0.0.1:9", sip.DialOptions{Replaces: "a;to-tag=1;from-tag=2\r\nEvil: 1"})
	require.ErrorIs(t, err, fault.Invalid)
}

// A challenge is answered with what Auth gives, with the next number and the same
// Call-ID; to every method of the call; not for ever, and not by a panic.
func TestChallengesAreAnswered(t *testing.T) {
	var asked []string
	auth := func(method, uri string, challenge *gosip.Response) (gosip.Header, error) {
		asked = append(asked, method+" "+uri)
		name := "Authorization"
		if challenge.StatusCode == 407 {
			name = "Proxy-Authorization"
		}
		return gosip.NewHeader(name, fmt.Sprintf("Digest of %d", len(asked))), nil
	}
	onStage(t, nil, func(t *testing.T, s *stage) {
		asked = nil
		d, inv := s.dialWith(t.Context(), "sip:bob@192.0.2.9", sip.DialOptions{Auth: auth})
		got := s.say(answerTo(inv, "407 Proxy Authentication Required", "", "", `Proxy-Authenticate: Digest realm="p", nonce="n"`))
		require.Equal(t, []string{"ACK", "INVITE"}, methods(got))
		require.Equal(t, "2 INVITE", value(got[1], "CSeq"))
		require.Equal(t, value(inv, "Call-ID"), value(got[1], "Call-ID"))
		require.Equal(t, "Digest of 1", value(got[1], "Proxy-Authorization"))
		got = s.say(answerTo(got[1], "401 Unauthorized", "", "", `WWW-Authenticate: Digest realm="u", nonce="n"`))
		require.Equal(t, "Digest of 1", value(got[1], "Proxy-Authorization"), "the proxy still wants its own")
		require.Equal(t, "Digest of 2", value(got[1], "Authorization"))
		got = s.say(answerTo(got[1], "200 OK", "", offer, "Allow: UPDATE"))
		require.Equal(t, "3 ACK", value(got[0], "CSeq"))
		require.NoError(t, d.err)
		require.Equal(t, []string{"INVITE sip:bob@192.0.2.9", "INVITE sip:bob@192.0.2.9"}, asked)

		for _, step := range []struct {
			method string
			do     func() error
			body   string
		}{
			{"INVITE", func() error { return d.call.Hold(t.Context()) }, offer},
			{"INFO", func() error { return d.call.Info(t.Context(), '5', 0) }, ""},
			{"REFER", func() error { return d.call.Refer(t.Context(), "sip:c@d", sip.ReferOptions{Blindly: true}) }, ""},
		} {
			var err error
			done := false
			go func() { err = step.do(); done = true }()
			first := of(s.heard(), step.method)
			again := of(s.say(answerTo(first[0], "401 Unauthorized", "", "", `WWW-Authenticate: Digest realm="u", nonce="n"`)), step.method)
			require.Len(t, again, 1, step.method)
			require.Contains(t, value(again[0], "Authorization"), "Digest of")
			s.say(answerTo(again[0], "200 OK", "", step.body, "Refer-Sub: false"))
			synctest.Wait()
			require.True(t, done, step.method)
			require.NoError(t, err, step.method)
		}
		d.call.Hangup("completed")
		bye := of(s.heard(), "BYE")
		bye = of(s.say(answerTo(bye[0], "401 Unauthorized", "", "", `WWW-Authenticate: Digest realm="u", nonce="n"`)), "BYE")
		require.Contains(t, value(bye[0], "Authorization"), "Digest of")
		s.say(reply(bye[0], "200 OK", ""))
		require.Zero(t, s.e.Stats().Live)
	})
	for name, test := range map[string]struct {
		auth func(string, string, *gosip.Response) (gosip.Header, error)
		most int
	}{
		"never enough":   {auth, 4},
		"no credentials": {func(string, string, *gosip.Response) (gosip.Header, error) { return nil, errors.New("none") }, 1},
		"nobody":         {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				d, inv := s.dialWith(t.Context(), "sip:bob@192.0.2.9", sip.DialOptions{Auth: test.auth})
				sent := 1
				for range 10 {
					next := of(s.say(answerTo(inv, "401 Unauthorized", "", "", `WWW-Authenticate: Digest realm="u", nonce="n"`)), "INVITE")
					if len(next) == 0 {
						break
					}
					inv = next[0]
					sent++
				}
				require.Equal(t, test.most, sent)
				require.ErrorIs(t, d.err, fault.Denied)
			})
		})
	}
}
