package sip_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/sip"
)

// A peer asks for one thing at a time: what it asks for meanwhile is refused, and
// nobody hears of it. Once the outcome is told it may ask again, a few times.
func TestOneReferralAtATime(t *testing.T) {
	var asked []sip.Referral
	onStage(t, func(o *sip.Options) {
		o.Rules.Refer = func(_ context.Context, r sip.Referral) error { asked = append(asked, r); return nil }
	}, func(t *testing.T, s *stage) {
		tag, seq := s.up(t), 1
		refer := func() string {
			seq++
			got := s.say(ask{method: "REFER", cseq: seq, to: tag, headers: []string{"Refer-To: <sip:carol@x>"}}.String())
			for _, notify := range of(got, "NOTIFY") {
				s.say(reply(notify, "200 OK", ""))
			}
			return status(got[0])
		}
		require.Equal(t, "202 Accepted", refer())
		for range 1000 {
			require.Equal(t, "491 Request Pending", refer())
		}
		require.Len(t, asked, 1)
		for i := range 15 {
			asked[i].Report(486, "")
			last := of(s.heard(), "NOTIFY")
			require.Len(t, last, 1)
			require.Contains(t, last[0], "\r\n\r\nSIP/2.0 486 Busy Here\r\n", "the usual words")
			s.say(reply(last[0], "200 OK", ""))
			require.Equal(t, "202 Accepted", refer())
			asked[i].Report(200, "") // a second outcome is none
			require.Empty(t, s.heard())
			require.Equal(t, "491 Request Pending", refer(), "nor does it end the next one")
		}
		asked[15].Report(200, "")
		s.say(reply(of(s.heard(), "NOTIFY")[0], "200 OK", ""))
		require.Equal(t, "486 Busy Here", refer(), "enough is enough")
		require.Len(t, asked, 16)
	})
}

// A REFER that was refused leaves room for the next.
func TestARefusedReferralIsOver(t *testing.T) {
	callee := open(t, func(o *sip.Options) {
		o.Rules.Refer = func(context.Context, sip.Referral) error { return fmt.Errorf("no: %w", sip.ErrDecline) }
	})
	call, err := open(t, nil).Dial(t.Context(), callee.uri("bank", "UDP"), sip.DialOptions{})
	require.NoError(t, err)
	for range 3 {
		err = call.Refer(t.Context(), "sip:desk@127.0.0.1", sip.ReferOptions{})
		var no *sip.NotTransferred
		require.ErrorAs(t, err, &no)
		require.Equal(t, "603 Decline", fmt.Sprintf("%d %s", no.Code, no.Reason))
	}
	call.Hangup("completed")
	<-call.Gone()
}

// A peer that answers no NOTIFY is told nothing more, holds nobody up, and may ask
// again when what it asked for is over; its call goes on.
func TestNotifyThatNobodyAnswers(t *testing.T) {
	var asked []sip.Referral
	onStage(t, func(o *sip.Options) {
		o.Rules.Refer = func(_ context.Context, r sip.Referral) error { asked = append(asked, r); return nil }
	}, func(t *testing.T, s *stage) {
		tag := s.up(t)
		refer := func(seq int) []string {
			return s.say(ask{method: "REFER", cseq: seq, to: tag, headers: []string{"Refer-To: <sip:carol@x>"}}.String())
		}
		require.Equal(t, "202 Accepted", status(refer(2)[0]))
		time.Sleep(40 * time.Second) // 64 T1 and more
		sent := len(of(s.heard(), "NOTIFY"))
		require.Positive(t, sent)
		require.LessOrEqual(t, sent, 11, "it is repeated as RFC 3261 17.1.2 says")
		for range 100 { // nor does who reports wait for anybody
			asked[0].Report(180, "")
		}
		require.Equal(t, "491 Request Pending", status(refer(3)[0]))
		asked[0].Report(200, "")
		require.Empty(t, of(s.heard(), "NOTIFY"))
		require.Equal(t, "202 Accepted", status(refer(4)[0]))
		require.Equal(t, "200 OK", status(of(s.say(ask{method: "OPTIONS", cseq: 5, to: tag}.String()), "SIP/2.0")[0]), "the call goes on")
	})
}

// What others choose is not called where it leads to ourselves.
func TestWeDoNotCallOurselves(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*sip.Options)
		to     func(h *house) string
		other  bool
	}{
		"over UDP": {to: func(h *house) string { return h.uri("bank", "UDP") }},
		"over TCP": {to: func(h *house) string { return h.uri("bank", "TCP") }},
		"by the wildcard": {
			change: func(o *sip.Options) { o.UDP, o.TCP = "0.0.0.0:0", "" },
			to: func(h *house) string {
				udp, _ := h.Addrs()
				return fmt.Sprintf("sip:bank@127.0.0.1:%d", udp.Port())
			},
		},
		"by the public address": {
			change: func(o *sip.Options) { o.PublicIP = netip.MustParseAddr("192.0.2.7") },
			to: func(h *house) string {
				udp, _ := h.Addrs()
				return fmt.Sprintf("sip:bank@192.0.2.7:%d", udp.Port())
			},
		},
		"others are called": {to: func(*house) string { return "" }, other: true},
	} {
		t.Run(name, func(t *testing.T) {
			us, friend := open(t, test.change), open(t, nil)
			to := test.to(us)
			if test.other {
				to = friend.uri("bob", "UDP")
			}
			call, err := us.Dial(t.Context(), to, sip.DialOptions{Elsewhere: true, Ring: time.Second})
			if test.other {
				require.NoError(t, err)
				call.Hangup("completed")
				<-call.Gone()
				return
			}
			var no *sip.Refused
			require.ErrorAs(t, err, &no)
			require.Equal(t, 482, no.Code)
			require.Empty(t, us.invites)
			require.Zero(t, us.Stats().Requests)
		})
	}
}
