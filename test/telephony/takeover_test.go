package telephony_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/test/telephony"
)

// taken has a phone, called dave, on a line with the agent of a PBX, whose
// settings change what the connection is by default.
func taken(t *testing.T, set map[string]string, desk *telephony.Phone) (o *telephony.Office, dave *telephony.Phone, call, session string) {
	t.Helper()
	o = plain(t, map[string]string{"egress.allow": desk.Addr()})
	settings := map[string]string{
		"domain": desk.Addr(), "user": "100", "register": "false", "sources": "127.0.0.0/31", "country": "GB",
	}
	maps.Copy(settings, set)
	o.Connect(t, "pbx", "board", true, settings, "")
	dave = telephony.NewPhone(t, "dave", "127.0.0.1")
	require.Equal(t, 200, dave.Dial(o.SIP, "100"))
	call, session = o.CallOf(t, "dave")
	telephony.Of[event.ReplySpoken](t, o, session, nil)
	return o, dave, call, session
}

// goesOn proves that who has the call speaks with the agent, and hangs up.
func goesOn(t *testing.T, o *telephony.Office, p *telephony.Phone, call, session string) event.CallEnded {
	t.Helper()
	p.Sing(personHz)
	require.Eventually(t, func() bool { return o.Brain.Heard(personHz) > -6 }, 5*time.Second, 20*time.Millisecond, "the agent hears who came")
	p.Sing(0)
	from := len(p.Sound())
	p.Press("7#", telephony.Pressing{})
	telephony.Of(t, o, session, func(u event.UtteranceHeard) bool { return u.Text.Text == "7" })
	require.Eventually(t, func() bool {
		return telephony.Loudest(p.Sound()[from:], telephony.AgentHz, telephony.LineHz) > -6
	}, 5*time.Second, 20*time.Millisecond, "who came hears the agent")
	p.Bye()
	ended, over := o.Ended(t, call, session)
	require.Equal(t, event.Completed, over.Status)
	o.Quiet(t, 5*time.Second)
	return ended
}

// A PBX puts another of its people in the place of who is on the call
// (RFC 3891): he speaks with the same agent in the same conversation, who was
// there is hung up, and sound comes to the new one at once.
func TestAPBXPutsSomebodyElseOnTheLine(t *testing.T) {
	t.Parallel()
	desk, anna := telephony.NewPhone(t, "desk", "127.0.0.1"), telephony.NewPhone(t, "anna", "127.0.0.1")
	o, dave, call, session := taken(t, map[string]string{"max_calls": "1"}, desk)
	require.Equal(t, 200, anna.Dial(o.SIP, "100", dave.Replacing()), "it is no call more")
	answered := time.Now()
	anna.Listen(1)
	took := time.Since(answered)
	t.Logf("figure: the first packet %v after the answer", took.Round(time.Millisecond))
	require.Less(t, took, 300*time.Millisecond)
	dave.Gone(2 * time.Second)
	told := telephony.Of[event.CallReplaced](t, o, call, nil)
	require.Equal(t, []string{"replaces", anna.ID(), "udp", "PCMU"}, []string{told.How, told.SIPCallID, told.Transport, told.Codec})
	require.Contains(t, told.From.Text, "sip:anna@")
	require.Equal(t, 1, o.Active(), "one conversation")
	goesOn(t, o, anna, call, session)
	require.Equal(t, 481, telephony.NewPhone(t, "eric", "127.0.0.1").Dial(o.SIP, "100", anna.Replacing()), "it is over")
}

// Who knows everything about a call and is not of its PBX learns nothing by
// asking for its place, and changes nothing.
func TestStrangersTakeNoPlaces(t *testing.T) {
	t.Parallel()
	desk := telephony.NewPhone(t, "desk", "127.0.0.1")
	o, dave, call, session := taken(t, nil, desk)
	eve := telephony.NewPhone(t, "eve", "127.0.0.2")
	there := eve.Dial(o.SIP, "board", dave.Replacing())
	not := eve.Dial(o.SIP, "board", "Replaces: nobody;to-tag=1;from-tag=2")
	require.Equal(t, []int{481, 481}, []int{there, not})
	require.Equal(t, 400, eve.Dial(o.SIP, "board", dave.Replacing(), dave.Replacing()))
	friend := telephony.NewPhone(t, "fred", "127.0.0.1")
	require.Equal(t, 486, friend.Dial(o.SIP, "board", dave.Replacing()+";early-only"))
	require.Equal(t, 481, friend.Dial(o.SIP, "board", dave.Replacing()+"x"))
	goesOn(t, o, dave, call, session)
	for _, e := range o.Events() {
		_, is := e.Body.(event.CallReplaced)
		require.False(t, is)
	}
}

// Who is on the call asks for somebody else in his place (RFC 3515): blindly, and
// for the place in another call of his (RFC 3891).
func TestAPBXHasUsCallSomebodyInItsPlace(t *testing.T) {
	for name, test := range map[string]struct {
		replaces string
		bye      bool
		quiet    bool
	}{
		"blind":                      {},
		"blind, and hangs up":        {bye: true},
		"attended":                   {replaces: "c9@pbx;to-tag=a;from-tag=b"},
		"without reports (RFC 4488)": {quiet: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := telephony.NewPhone(t, "desk", "127.0.0.1")
			o, dave, call, session := taken(t, map[string]string{"refer": "true"}, desk)
			target := "sip:desk@" + desk.Addr()
			if test.replaces != "" {
				target += "?Replaces=" + url.QueryEscape(test.replaces)
			}
			headers := []string{"Refer-To: <" + target + ">", "Referred-By: <sip:dave@pbx>"}
			want := 202
			if test.quiet {
				headers, want = append(headers, "Refer-Sub: false"), 200
			}
			require.Equal(t, want, dave.Ask("REFER", "", headers...))
			if test.bye {
				dave.Bye()
			}
			require.Eventually(t, desk.Up, 5*time.Second, 10*time.Millisecond)
			telephony.Of(t, o, call, func(r event.CallReplaced) bool { return r.How == "refer" })
			begun := telephony.Of[event.TransferBegun](t, o, call, nil)
			require.Equal(t, []string{"referred", "sip:desk@" + desk.Addr()}, []string{begun.Mode, begun.Target.Text})
			invite := desk.Requests()[0]
			require.Equal(t, test.replaces, telephony.Header(invite, "Replaces"))
			require.Equal(t, "<sip:dave@pbx>", telephony.Header(invite, "Referred-By"))
			if !test.bye {
				at := time.Now()
				dave.Gone(4 * time.Second)
				t.Logf("figure: who asked is hung up %v later", time.Since(at).Round(100*time.Millisecond))
			}
			if !test.bye && !test.quiet {
				told := dave.Told()
				require.Equal(t, "SIP/2.0 100 Trying", told[0])
				require.Equal(t, "SIP/2.0 200 OK", told[len(told)-1])
			}
			if test.quiet {
				require.Empty(t, dave.Told())
			}
			goesOn(t, o, desk, call, session)
		})
	}
}

// What comes to nothing leaves the call where it was, and who asked is told.
func TestAReferralThatFailsIsTold(t *testing.T) {
	t.Parallel()
	desk := telephony.NewPhone(t, "desk", "127.0.0.1")
	o, dave, call, session := taken(t, map[string]string{"refer": "true"}, desk)
	desk.Refuse(486)
	require.Equal(t, 202, dave.Ask("REFER", "", "Refer-To: <sip:desk@"+desk.Addr()+">"))
	require.Eventually(t, func() bool { return slices.Contains(dave.Told(), "SIP/2.0 486 Busy Here") }, 5*time.Second, 10*time.Millisecond)
	failed := telephony.Of[event.TransferFailed](t, o, call, nil)
	require.Equal(t, uint32(486), failed.Code)
	goesOn(t, o, dave, call, session)
}

// Whom a PBX may have us call its connection says, as for every call of it: off
// it is declined, dear numbers and strange addresses are refused, and nothing is
// dialled.
func TestAPBXHasUsCallNobodyElse(t *testing.T) {
	t.Parallel()
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		desk := telephony.NewPhone(t, "desk", "127.0.0.1")
		o, dave, call, session := taken(t, nil, desk)
		require.Equal(t, 603, dave.Ask("REFER", "", "Refer-To: <sip:desk@"+desk.Addr()+">"))
		require.Empty(t, desk.Requests())
		goesOn(t, o, dave, call, session)
	})
	t.Run("on", func(t *testing.T) {
		t.Parallel()
		desk := telephony.NewPhone(t, "desk", "127.0.0.1")
		canary := telephony.NewPhone(t, "canary", "127.0.0.2")
		o, dave, call, session := taken(t, map[string]string{"refer": "true"}, desk)
		for i, test := range []struct {
			to   string
			code int
		}{
			{"sip:canary@" + canary.Addr(), 403}, // not of the connection
			{"tel:+449098790000", 403},
			{"sip:+44909879%30000@" + desk.Addr(), 403},
			{"sip:+88161234000@" + desk.Addr(), 403},
			{"http://" + canary.Addr(), 416},
			{"sip:@", 400},
			{"sip:desk@" + desk.Addr() + "?Replaces=x", 400},
		} {
			require.Equal(t, test.code, dave.Ask("REFER", "", "Refer-To: <"+test.to+">"), "%d: %s", i, test.to)
		}
		require.Equal(t, 400, dave.Ask("REFER", ""))
		require.Equal(t, 400, dave.Ask("REFER", "", "Refer-To: <sip:a@b>", "Refer-To: <sip:c@d>"))
		require.Equal(t, 202, dave.Ask("REFER", "", "Refer-To: <sip:board@"+o.SIP+">"), "we ourselves")
		require.Eventually(t, func() bool { return slices.Contains(dave.Told(), "SIP/2.0 482 Loop Detected") }, 5*time.Second, 10*time.Millisecond)
		require.Empty(t, canary.Requests())
		require.Empty(t, desk.Requests(), "the canary of the connection saw nothing")
		goesOn(t, o, dave, call, session)
	})
}

// A thousand wishes in one call are one at a time, and few in all.
func TestAThousandReferrals(t *testing.T) {
	t.Parallel()
	desk := telephony.NewPhone(t, "desk", "127.0.0.1")
	o, dave, call, session := taken(t, map[string]string{"refer": "true"}, desk)
	desk.Ring()
	count := map[int]int{}
	for range 1000 {
		count[dave.Ask("REFER", "", "Refer-To: <sip:desk@"+desk.Addr()+">")]++
	}
	t.Logf("figure: %v", count)
	require.Equal(t, map[int]int{202: 1, 491: 999}, count)
	invites := 0
	for _, head := range desk.Requests() {
		if strings.HasPrefix(head, "INVITE") {
			invites++
		}
	}
	require.Equal(t, 1, invites)
	require.Equal(t, 1, len(eventsOf[event.TransferBegun](o)))
	require.NoError(t, o.EndCall(t.Context(), call))
	desk.Gone(5 * time.Second)
	o.Ended(t, call, session)
	o.Quiet(t, 5*time.Second)
}

func eventsOf[E event.Event](o *telephony.Office) []E {
	var out []E
	for _, e := range o.Events() {
		if b, ok := e.Body.(E); ok {
			out = append(out, b)
		}
	}
	return out
}

// A foreign telephone that has us and a colleague on two lines joins the two: we
// are asked to take its place with him (REFER with Replaces), and do.
func TestLinphoneJoinsItsTwoCalls(t *testing.T) {
	t.Parallel()
	desk := telephony.Loopback() // at the usual port: linphone leaves ports out
	called := new(telephony.Scenario).Gets("INVITE", "").Answer("200 OK", telephony.Sound(1, "0 101", "sendrecv")).Gets("ACK", "").
		Gets("BYE", "").Reply("200 OK", "")
	colleague := called.Sipp(t, "", "-i", desk, "-p", "5060", "-t", "u1", "-m", "2")
	telephony.Listens(t, "udp", desk+":5060")
	o := plain(t, nil)
	o.Connect(t, "pbx", "board", true, map[string]string{
		"domain": desk, "user": "100", "register": "false", "sources": "127.0.0.1", "refer": "true",
	}, "")
	lena := telephony.StartLinphone(t, telephony.LinphonePlan{Name: "lena", Sealing: "none", Hz: callerHz})
	lena.Enter(t, "call sip:100@"+o.SIP)
	call, session := o.CallOf(t, "lena")
	telephony.Of[event.ReplySpoken](t, o, session, nil)
	lena.Enter(t, "pause")
	telephony.Of[event.CallHeld](t, o, call, nil)
	lena.Says(t, "is now paused", 10*time.Second) // one that is placed before waits for ever
	lena.Enter(t, "call sip:colleague@"+desk)
	lena.Says(t, "Call 2 with sip:colleague@"+desk+" connected", 10*time.Second)
	lena.Enter(t, "transfer 1 --to-call 2")
	require.Equal(t, "refer", telephony.Of[event.CallReplaced](t, o, call, nil).How)
	require.Contains(t, telephony.Of[event.TransferBegun](t, o, call, nil).Target.Text, "sip:colleague@"+desk)
	require.NoError(t, o.EndCall(t.Context(), call))
	o.Ended(t, call, session)
	lena.Enter(t, "terminate all")
	require.NoError(t, colleague.Wait(25*time.Second), "%s", colleague.Said())
	o.Quiet(t, 5*time.Second)
}
