package sip_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/sip"
	"flametree/media/sip/siptest"
)

// A call is put through blindly: the other side reports how it goes, the outcome
// is that of the target, and the call goes on until somebody hangs up.
func TestBlindTransfer(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		target := open(t, nil)
		wishes := make(chan sip.Referral, 1)
		var callee *house
		callee = open(t, func(o *sip.Options) {
			o.Rules.Refer = func(ctx context.Context, r sip.Referral) error {
				wishes <- r
				go func() {
					r.Report(180, "Ringing")
					call, err := callee.Dial(context.WithoutCancel(ctx), r.Target, sip.DialOptions{ReferredBy: r.By})
					if err != nil {
						r.Report(486, "Busy Here")
						return
					}
					r.Report(200, "OK")
					<-r.Call.Gone()
					call.Hangup("completed")
				}()
				return nil
			}
		})
		caller := open(t, nil)
		call, err := caller.Dial(t.Context(), callee.uri("bank", transport), sip.DialOptions{Transport: transport})
		require.NoError(t, err)
		var steps []int
		require.NoError(t, call.Refer(t.Context(), target.uri("desk", "UDP"), sip.ReferOptions{
			Progress: func(code int, _ string) { steps = append(steps, code) },
		}))
		require.Equal(t, []int{100, 180, 200}, steps)
		asked := <-wishes
		require.True(t, strings.HasPrefix(asked.By, "<sip:caller@127.0.0.1"), asked.By)
		require.Empty(t, asked.Replaces)
		require.Equal(t, "desk", (<-target.invites).User)
		require.Equal(t, 2, callee.Stats().Live, "the first call goes on until its owner hangs up")
		call.Hangup("transferred")
		<-call.Gone()
		eventually(t, "all over", func() bool { return callee.Stats().Live == 0 && target.Stats().Live == 0 })
	})
}

// Three parties: the one in the middle asks the caller to take its place with the
// operator, whose call then is with the caller; every side is told, once.
func TestAttendedTransfer(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		operator := open(t, func(o *sip.Options) { o.Rules.TakeOver = true })
		var caller *house
		joined := make(chan *sip.Call, 1)
		caller = open(t, func(o *sip.Options) {
			o.Rules.Refer = func(ctx context.Context, r sip.Referral) error {
				go func() {
					call, err := caller.Dial(context.WithoutCancel(ctx), r.Target, sip.DialOptions{Replaces: r.Replaces, ReferredBy: r.By})
					if err != nil {
						r.Report(500, "Server Internal Error")
						return
					}
					joined <- call
					r.Report(200, "OK")
				}()
				return nil
			}
		})
		middle := open(t, nil)
		toCaller, err := middle.Dial(t.Context(), caller.uri("alice", transport), sip.DialOptions{Transport: transport})
		require.NoError(t, err)
		toOperator, err := middle.Dial(t.Context(), operator.uri("desk", transport), sip.DialOptions{Transport: transport})
		require.NoError(t, err)
		var first siptest.Ear
		toOperator.Start(first.Hear)
		atDesk := <-operator.ears
		old := <-operator.invites
		require.NoError(t, toCaller.ReferTo(t.Context(), toOperator, sip.ReferOptions{}))
		taking := <-operator.invites
		require.Equal(t, old.Call, taking.Replaces, "the operator is told whose place is taken")
		eventually(t, "the replaced call ends", func() bool { return len(atDesk.Kinds()) == 3 })
		require.Equal(t, []actors.FactKind{actors.FactLineUp, actors.FactLineReplaced, actors.FactLineEnded}, atDesk.Kinds())
		<-toOperator.Gone()
		require.Equal(t, []actors.FactKind{actors.FactLineUp, actors.FactLineEnded}, first.Kinds())
		toCaller.Hangup("transferred")
		<-toCaller.Gone()
		call := <-joined
		eventually(t, "one call is left", func() bool { return operator.Stats().Live == 1 && middle.Stats().Live == 0 })
		call.Hangup("completed")
		<-call.Gone()
	})
}

// Transfers that come to nothing leave the call as it was and say whether the
// other side or the target said no.
func TestTransferRefused(t *testing.T) {
	for name, test := range map[string]struct {
		refer    func(context.Context, sip.Referral) error
		o        sip.ReferOptions
		target   string
		code     int
		accepted bool
		kind     error
	}{
		"declined by default": {target: "sip:desk@127.0.0.1", code: 603, kind: fault.Denied},
		"forbidden": {
			refer:  func(context.Context, sip.Referral) error { return fault.Denied },
			target: "sip:desk@127.0.0.1", code: 403, kind: fault.Denied,
		},
		"target is busy": {
			refer:  func(_ context.Context, r sip.Referral) error { r.Report(486, "Busy Here"); return nil },
			target: "sip:desk@127.0.0.1", code: 486, accepted: true, kind: fault.Exhausted,
		},
		"nothing is heard of it": {
			refer:  func(context.Context, sip.Referral) error { return nil },
			target: "sip:desk@127.0.0.1", o: sip.ReferOptions{Wait: 50 * time.Millisecond}, kind: fault.Unavailable,
		},
		"not a uri":         {target: "desk", kind: fault.Invalid},
		"a web page":        {target: "https://127.0.0.1", kind: fault.Invalid},
		"smuggled header":   {target: "sip:a@b>\r\nEvil: 1", kind: fault.Invalid},
		"smuggled referrer": {target: "sip:a@b", o: sip.ReferOptions{By: "sip:x>\r\nEvil: 1"}, kind: fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			callee, caller := open(t, func(o *sip.Options) { o.Rules.Refer = test.refer }), open(t, nil)
			call, err := caller.Dial(t.Context(), callee.uri("bank", "UDP"), sip.DialOptions{})
			require.NoError(t, err)
			err = call.Refer(t.Context(), test.target, test.o)
			require.ErrorIs(t, err, test.kind)
			if test.code != 0 {
				var no *sip.NotTransferred
				require.ErrorAs(t, err, &no)
				require.Equal(t, test.code, no.Code)
				require.Equal(t, test.accepted, no.Accepted)
			}
			require.NoError(t, call.Hold(t.Context()), "the call goes on")
			call.Hangup("completed")
			<-call.Gone()
			require.Error(t, call.Refer(t.Context(), "sip:desk@127.0.0.1", sip.ReferOptions{}), "a call that is over")
		})
	}
}

// Without a subscription (RFC 4488) nothing is reported, and accepting is all.
func TestTransferWithoutReports(t *testing.T) {
	callee, caller := open(t, func(o *sip.Options) {
		o.Rules.Refer = func(_ context.Context, r sip.Referral) error { r.Report(486, "Busy Here"); return nil }
	}), open(t, nil)
	call, err := caller.Dial(t.Context(), callee.uri("bank", "TCP"), sip.DialOptions{})
	require.NoError(t, err)
	before := caller.Stats().Requests
	require.NoError(t, call.Refer(t.Context(), "sip:desk@127.0.0.1", sip.ReferOptions{Blindly: true}))
	call.Hangup("transferred")
	<-call.Gone()
	require.Equal(t, before, caller.Stats().Requests, "no NOTIFY came")
}

// A REFER as a stranger's phone writes it: what the owner is told, what is
// refused, and the NOTIFYs that follow, in order (RFC 3515 2.4.4).
func TestReferOfAPhone(t *testing.T) {
	for name, test := range map[string]struct {
		headers []string
		want    string
		target  string
		rep     string
	}{
		"plain":             {[]string{"Refer-To: <sip:carol@example.net>"}, "202 Accepted", "sip:carol@example.net", ""},
		"compact":           {[]string{"r: sip:carol@example.net"}, "202 Accepted", "sip:carol@example.net", ""},
		"with a name":       {[]string{`Refer-To: "C" <sip:carol@example.net;transport=tcp>`}, "202 Accepted", "sip:carol@example.net;transport=tcp", ""},
		"a telephone":       {[]string{"Refer-To: <tel:+15550100>"}, "202 Accepted", "tel:+15550100", ""},
		"attended":          {[]string{"Refer-To: <sip:carol@example.net?Replaces=" + url.QueryEscape("9@x;to-tag=t;from-tag=f") + "&Evil=1>"}, "202 Accepted", "sip:carol@example.net", "9@x;to-tag=t;from-tag=f"},
		"nowhere":           {nil, "400 Malformed Refer-To or Replaces", "", ""},
		"twice":             {[]string{"Refer-To: <sip:a@b>", "Refer-To: <sip:c@d>"}, "400 Malformed Refer-To or Replaces", "", ""},
		"to a web page":     {[]string{"Refer-To: <http://example.net>"}, "416 Unsupported URI Scheme", "", ""},
		"replaces nothing":  {[]string{"Refer-To: <sip:carol@example.net?Replaces=abc>"}, "400 Malformed Refer-To or Replaces", "", ""},
		"replaces smuggles": {[]string{"Refer-To: <sip:carol@example.net?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2%0D%0AEvil%3A1>"}, "400 Malformed Refer-To or Replaces", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []sip.Referral
			onStage(t, func(o *sip.Options) {
				o.Rules.Refer = func(_ context.Context, r sip.Referral) error { asked = append(asked, r); return nil }
			}, func(t *testing.T, s *stage) {
				tag := s.up(t)
				got := s.say(ask{method: "REFER", cseq: 2, to: tag, headers: append(test.headers, "Referred-By: <sip:alice@x>")}.String())
				require.Equal(t, test.want, status(got[0]))
				if test.target == "" {
					require.Empty(t, asked)
					require.Len(t, got, 1)
					return
				}
				require.Equal(t, test.target, asked[0].Target)
				require.Equal(t, test.rep, asked[0].Replaces)
				require.Equal(t, "<sip:alice@x>", asked[0].By)
				for i, step := range []struct {
					code  int
					state string
				}{{100, "active;expires=180"}, {183, "active;expires=180"}, {200, "terminated;reason=noresource"}} {
					if i > 0 {
						asked[0].Report(step.code, "So")
						got = s.heard()
					}
					notify := of(got, "NOTIFY")
					require.Len(t, notify, 1)
					require.Equal(t, "refer", value(notify[0], "Event"))
					require.Equal(t, step.state, value(notify[0], "Subscription-State"))
					require.Equal(t, "message/sipfrag", value(notify[0], "Content-Type"))
					require.Contains(t, notify[0], fmt.Sprintf("\r\n\r\nSIP/2.0 %d ", step.code))
					s.say(reply(notify[0], "200 OK", ""))
				}
				asked[0].Report(486, "too late")
				require.Empty(t, s.heard(), "the last report was the last")
				got = s.say(ask{method: "REFER", cseq: 9, to: tag, headers: test.headers}.String())
				require.Equal(t, "refer;id=9", value(of(got, "NOTIFY")[0], "Event"), "the second says which")
			})
		})
	}
}

// A NOTIFY that nobody asked for, or that says nonsense, is refused and ends no
// wait; one that is late or repeated neither.
func TestForgedNotify(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		tag := s.up(t)
		call := s.invites[0].Call
		seq := 1
		notify := func(body string, headers ...string) string {
			seq++
			headers = append(headers, "Content-Type: message/sipfrag")
			return statuses(s.say(ask{method: "NOTIFY", cseq: seq, to: tag, headers: headers, body: body}.String()))[0]
		}
		const active = "Subscription-State: active;expires=60"
		require.Equal(t, "481 Subscription does not exist", notify("SIP/2.0 200 OK\r\n", "Event: refer", active))
		var err error
		done := false
		go func() { err = call.Refer(t.Context(), "sip:carol@x", sip.ReferOptions{}); done = true }()
		refer := s.heard()[0]
		s.say(reply(refer, "202 Accepted", ""))
		require.Equal(t, "1 REFER", value(refer, "CSeq"))
		require.Equal(t, "<sip:carol@x>", value(refer, "Refer-To"))
		for _, step := range []struct{ event, body, want string }{
			{"Event: presence", "SIP/2.0 200 OK\r\n", "489 Bad Event"},
			{"Event: refer;id=77", "SIP/2.0 200 OK\r\n", "481 Subscription does not exist"},
			{"Event: refer", "HTTP/1.1 200 OK\r\n", "400 Malformed message/sipfrag"},
			{"Event: refer", "SIP/2.0 999 What\r\n", "400 Malformed message/sipfrag"},
			{"Event: refer", "SIP/2.0 100 Trying\r\n", "200 OK"},
			{"o: refer;id=1", "SIP/2.0 180 Ringing\r\n", "200 OK"},
		} {
			require.Equal(t, step.want, notify(step.body, step.event, active), step.event+step.body)
			require.False(t, done)
		}
		require.Equal(t, "200 OK", notify("SIP/2.0 404 Not Found\r\n", "Event: refer", "Subscription-State: terminated;reason=noresource"))
		synctest.Wait()
		require.ErrorIs(t, err, fault.NotFound)
		require.Equal(t, "481 Subscription does not exist", notify("SIP/2.0 200 OK\r\n", "Event: refer", active), "late")
		require.Equal(t, []string{"481 Call/Transaction Does Not Exist"}, statuses(s.say(ask{
			method: "NOTIFY", cseq: 99, to: ";tag=forged", headers: []string{"Event: refer"},
		}.String())))
	})
}

// The other side hangs up as soon as it has told the outcome, or before it.
func TestTransferThenBye(t *testing.T) {
	for name, test := range map[string]struct {
		last string
		kind error
	}{"told": {"SIP/2.0 200 OK\r\n", nil}, "not told": {"SIP/2.0 180 Ringing\r\n", fault.Unavailable}} {
		t.Run(name, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				tag := s.up(t)
				var err error
				go func() { err = s.invites[0].Call.Refer(t.Context(), "sip:carol@x", sip.ReferOptions{}) }()
				s.say(reply(s.heard()[0], "202 Accepted", ""))
				s.in <- []byte(ask{method: "NOTIFY", cseq: 2, to: tag, body: test.last, headers: []string{
					"Event: refer", "Content-Type: message/sipfrag", "Subscription-State: active",
				}}.String())
				s.in <- []byte(ask{method: "BYE", cseq: 3, to: tag}.String())
				synctest.Wait()
				if test.kind == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, test.kind)
				}
				require.Equal(t, "hangup", s.ear.Facts()[1].Reason)
			})
		})
	}
}

// An INVITE with Replaces is taken only for the very call it names
// (RFC 3891 3); nobody takes over a call by guessing at it.
func TestReplacesOfAStranger(t *testing.T) {
	for name, test := range map[string]struct {
		header func(tag string) string // Replaces
		off    bool
		want   string
	}{
		"the call":         {func(tag string) string { return "c1;to-tag=" + tag + ";from-tag=al" }, false, "200 OK"},
		"in another order": {func(tag string) string { return "c1; from-tag=al ;to-tag=" + tag }, false, "200 OK"},
		"not allowed":      {func(tag string) string { return "c1;to-tag=" + tag + ";from-tag=al" }, true, "603 Decline"},
		"early only":       {func(tag string) string { return "c1;to-tag=" + tag + ";from-tag=al;early-only" }, false, "486 Busy Here"},
		"wrong from-tag":   {func(tag string) string { return "c1;to-tag=" + tag + ";from-tag=al2" }, false, "481 Call/Transaction Does Not Exist"},
		"wrong to-tag":     {func(string) string { return "c1;to-tag=x;from-tag=al" }, false, "481 Call/Transaction Does Not Exist"},
		"wrong call":       {func(tag string) string { return "c2;to-tag=" + tag + ";from-tag=al" }, false, "481 Call/Transaction Does Not Exist"},
		"tags swapped":     {func(tag string) string { return "c1;to-tag=al;from-tag=" + tag }, false, "481 Call/Transaction Does Not Exist"},
		"one tag":          {func(tag string) string { return "c1;to-tag=" + tag }, false, "400 Malformed Replaces"},
		"three tags":       {func(tag string) string { return "c1;to-tag=" + tag + ";to-tag=" + tag + ";from-tag=al" }, false, "400 Malformed Replaces"},
		"nothing":          {func(string) string { return "" }, false, "400 Malformed Replaces"},
		"two of them": {func(tag string) string {
			return "c1;to-tag=" + tag + ";from-tag=al\r\nReplaces: c1;to-tag=x;from-tag=al"
		}, false, "400 Malformed Replaces"},
		"beside a join":            {func(tag string) string { return "c1;to-tag=" + tag + ";from-tag=al\r\nJoin: c1;to-tag=x;from-tag=al" }, false, "400 Malformed Replaces"},
		"a list in one":            {func(tag string) string { return "c1;to-tag=" + tag + ";from-tag=al,c1;to-tag=x;from-tag=al" }, false, "400 Malformed Replaces"},
		"of a call that never was": {func(string) string { return "gone;to-tag=1;from-tag=2" }, false, "481 Call/Transaction Does Not Exist"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(o *sip.Options) { o.Rules.TakeOver = !test.off }, func(t *testing.T, s *stage) {
				tag := s.up(t)
				_, plain, _ := strings.Cut(tag, "=")
				in := ask{method: "INVITE", call: "second", branch: "second", body: offer, headers: []string{"Replaces: " + test.header(plain)}}
				got := s.say(in.String())
				require.Equal(t, test.want, status(got[0]))
				if test.want != "200 OK" {
					require.Equal(t, []actors.FactKind{actors.FactLineUp}, s.ear.Kinds(), "the call was not touched")
					require.Equal(t, 1, s.e.Stats().Live)
					return
				}
				bye := of(append(got, s.heard()...), "BYE")
				require.Len(t, bye, 1)
				require.Equal(t, "c1", value(bye[0], "Call-ID"))
				require.Equal(t, s.invites[0].Call, s.invites[1].Replaces)
				s.say(reply(bye[0], "200 OK", ""))
				require.Equal(t, []actors.FactKind{actors.FactLineUp, actors.FactLineReplaced, actors.FactLineEnded}, s.ear.Kinds())
			})
		})
	}
}

// A call that is still being decided about cannot be replaced; one of our own
// that rings can: it is cancelled.
func TestReplacesOfAnEarlyCall(t *testing.T) {
	onStage(t, func(o *sip.Options) { o.Rules.TakeOver = true }, func(t *testing.T, s *stage) {
		s.answer = func(ctx context.Context, _ sip.Invite) error { <-ctx.Done(); return ctx.Err() }
		s.say(invite().String())
		time.Sleep(300 * time.Millisecond)
		_, tag, _ := strings.Cut(toTag(s.heard()[1]), "=")
		in := ask{method: "INVITE", call: "second", branch: "second", body: offer, headers: []string{"Replaces: c1;to-tag=" + tag + ";from-tag=al"}}
		require.Equal(t, []string{"481 Call/Transaction Does Not Exist"}, statuses(s.say(in.String())))

		s.answer = nil
		d, out := s.dial(t.Context())
		s.say(reply(out, "180 Ringing", ""))
		_, ours, _ := strings.Cut(value(out, "From"), ";tag=")
		in = ask{method: "INVITE", call: "third", branch: "third", body: offer, headers: []string{
			"Replaces: " + value(out, "Call-ID") + ";to-tag=" + ours + ";from-tag=bob;early-only",
		}}
		got := append(s.say(in.String()), s.heard()...)
		require.Contains(t, statuses(got), "200 OK")
		cancel := of(got, "CANCEL")
		require.Len(t, cancel, 1)
		s.say(reply(cancel[0], "200 OK", ""))
		s.say(reply(out, "487 Request Terminated", ""))
		var failed *sip.DialError
		require.ErrorAs(t, d.err, &failed)
		require.Equal(t, sip.Canceled, failed.Outcome)
	})
}
