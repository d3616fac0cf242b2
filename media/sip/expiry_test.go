package sip_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/sip"
)

// How the session timer of an incoming call is settled (RFC 4028 9, table 2).
func TestSessionTimerOfACaller(t *testing.T) {
	for name, test := range map[string]struct {
		headers         []string
		change          func(*sip.Options)
		want, se, needs string
		minSE           string
	}{
		"wants none, knows none":        {nil, nil, "200 OK", "1800;refresher=uas", "", ""},
		"wants none, knows it":          {[]string{"Supported: timer"}, nil, "200 OK", "1800;refresher=uac", "timer", ""},
		"does not say who":              {[]string{"Supported: timer", "Session-Expires: 600"}, nil, "200 OK", "600;refresher=uac", "timer", ""},
		"in compact form":               {[]string{"k: timer", "x: 600"}, nil, "200 OK", "600;refresher=uac", "timer", ""},
		"says we":                       {[]string{"Supported: timer", "Session-Expires: 600 ; Refresher=uas"}, nil, "200 OK", "600;refresher=uas", "timer", ""},
		"says it":                       {[]string{"Supported: timer", "Session-Expires: 90;refresher=uac"}, nil, "200 OK", "90;refresher=uac", "timer", ""},
		"a proxy wants it":              {[]string{"Session-Expires: 600"}, nil, "200 OK", "600;refresher=uas", "", ""},
		"longer than ours":              {[]string{"Supported: timer", "Session-Expires: 7200"}, nil, "200 OK", "1800;refresher=uac", "timer", ""},
		"longer, and may not be less":   {[]string{"Supported: timer", "Session-Expires: 7200", "Min-SE: 3600"}, nil, "200 OK", "3600;refresher=uac", "timer", ""},
		"too short":                     {[]string{"Supported: timer", "Session-Expires: 60"}, nil, "422 Session Interval Too Small", "", "", "90"},
		"too short for us":              {[]string{"Supported: timer", "Session-Expires: 200"}, func(o *sip.Options) { o.Rules.MinSE = 5 * time.Minute }, "422 Session Interval Too Small", "", "", "300"},
		"too short, and cannot help it": {[]string{"Session-Expires: 60"}, nil, "200 OK", "60;refresher=uas", "", ""},
		"switched off":                  {[]string{"Supported: timer"}, func(o *sip.Options) { o.Rules.SessionExpires = -1 }, "200 OK", "", "", ""},
		"off, but asked for":            {[]string{"Supported: timer", "Session-Expires: 7200"}, func(o *sip.Options) { o.Rules.SessionExpires = -1 }, "200 OK", "7200;refresher=uac", "timer", ""},
		"not a number":                  {[]string{"Supported: timer", "Session-Expires: soon"}, nil, "400 Malformed Session-Expires", "", "", ""},
		"nothing":                       {[]string{"Supported: timer", "Session-Expires: 0"}, nil, "400 Malformed Session-Expires", "", "", ""},
		"negative":                      {[]string{"Supported: timer", "Session-Expires: -600"}, nil, "400 Malformed Session-Expires", "", "", ""},
		"more than fits":                {[]string{"Supported: timer", "Session-Expires: 99999999999"}, nil, "400 Malformed Session-Expires", "", "", ""},
		"nobody refreshes":              {[]string{"Supported: timer", "Session-Expires: 600;refresher=me"}, nil, "400 Malformed Session-Expires", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, test.change, func(t *testing.T, s *stage) {
				in := invite()
				in.headers = test.headers
				got := s.say(in.String())
				require.Equal(t, []string{test.want}, statuses(got))
				require.Equal(t, test.se, value(got[0], "Session-Expires"))
				require.Equal(t, test.needs, value(got[0], "Require"))
				require.Equal(t, test.minSE, value(got[0], "Min-SE"))
			})
		})
	}
}

// A caller who promised to refresh and never does: the call ends by BYE a little
// before the time is over (RFC 4028 10), once and as failed.
func TestCallerNeverRefreshes(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		in := invite()
		in.headers = []string{"Supported: timer", "Session-Expires: 600;refresher=uac"}
		tag := toTag(s.say(in.String())[0])
		s.say(ask{method: "ACK", to: tag}.String())
		time.Sleep(567 * time.Second)
		require.Empty(t, s.heard())
		time.Sleep(time.Second)
		got := s.heard()
		require.Equal(t, []string{"BYE"}, methods(got))
		require.Contains(t, value(got[0], "Reason"), "the session timer expired")
		s.say(reply(got[0], "200 OK", ""))
		facts := s.ear.Facts()
		require.Equal(t, []actors.FactKind{actors.FactLineUp, actors.FactLineEnded}, s.ear.Kinds())
		require.Equal(t, "failed", facts[1].Reason)
		require.Equal(t, "the session timer expired", s.invites[0].Call.Why())
		require.Zero(t, s.e.Stats().Live)
	})
}

// A caller who does refresh, by UPDATE and by re-INVITE, is not cut off.
func TestCallerRefreshes(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		in := invite()
		in.headers = []string{"Supported: timer", "Session-Expires: 600;refresher=uac"}
		tag := toTag(s.say(in.String())[0])
		s.say(ask{method: "ACK", to: tag}.String())
		for i := range 6 {
			time.Sleep(300 * time.Second)
			a := ask{method: "UPDATE", cseq: i + 2, to: tag, headers: in.headers}
			if i%2 == 1 {
				a.method, a.body = "INVITE", offer
			}
			got := s.say(a.String())
			require.Equal(t, []string{"200 OK"}, statuses(got))
			require.Equal(t, "600;refresher=uac", value(got[0], "Session-Expires"))
			if i%2 == 1 {
				s.say(ask{method: "ACK", cseq: i + 2, to: tag}.String())
			}
		}
		require.Equal(t, []string{"422 Session Interval Too Small"}, statuses(s.say(ask{
			method: "UPDATE", cseq: 20, to: tag, headers: []string{"Supported: timer", "Session-Expires: 10"},
		}.String())))
		require.Equal(t, 1, s.e.Stats().Live)
	})
}

// When it is us, we refresh at half the time: by UPDATE to who takes it, else by
// a re-INVITE that changes nothing.
func TestWeRefresh(t *testing.T) {
	for name, test := range map[string]struct{ allow, method string }{
		"by update":    {"Allow: INVITE, ACK, BYE, UPDATE", "UPDATE"},
		"by re-invite": {"Allow: INVITE, ACK, BYE", "INVITE"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				in := invite()
				in.headers = []string{"Supported: timer", "Session-Expires: 600;refresher=uas", test.allow}
				first := s.say(in.String())[0]
				tag := toTag(first)
				s.say(ask{method: "ACK", to: tag}.String())
				for range 3 {
					time.Sleep(299 * time.Second)
					require.Empty(t, s.heard())
					time.Sleep(1500 * time.Millisecond)
					got := s.heard()
					require.Equal(t, test.method, methods(got)[0])
					require.Equal(t, "600;refresher=uac", value(got[0], "Session-Expires"), "who sends it is its uac")
					body := ""
					if test.method == "INVITE" {
						body = offer
						_, sdp, _ := strings.Cut(first, "\r\n\r\n")
						require.Contains(t, got[0], sdp, "nothing new, not even the version")
					}
					s.say(answerTo(got[0], "200 OK", "", body, "Session-Expires: 600;refresher=uac", "Require: timer"))
				}
				require.Equal(t, []actors.FactKind{actors.FactLineUp}, s.ear.Kinds())
			})
		})
	}
}

// A refresh that finds no call any more, or no answer, ends the call; another
// refusal does not before the time is over; one that does not know UPDATE is
// asked by re-INVITE.
func TestRefreshRefused(t *testing.T) {
	start := func(s *stage) {
		in := invite()
		in.headers = []string{"Supported: timer", "Session-Expires: 600;refresher=uas", "Allow: UPDATE"}
		tag := toTag(s.say(in.String())[0])
		s.say(ask{method: "ACK", to: tag}.String())
		time.Sleep(300*time.Second + time.Millisecond)
	}
	t.Run("no such call", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			start(s)
			got := s.say(reply(s.heard()[0], "481 Call/Transaction Does Not Exist", ""))
			require.Equal(t, []string{"BYE"}, methods(got))
			require.Equal(t, "failed", s.ear.Facts()[1].Reason)
		})
	})
	t.Run("no answer", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			start(s)
			time.Sleep(33 * time.Second)
			require.NotEmpty(t, of(s.heard(), "BYE"))
		})
	})
	t.Run("a server error goes on for ever", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			start(s)
			tries := 0
			for range 300 {
				for _, req := range s.heard() {
					if strings.HasPrefix(req, "BYE") {
						require.Greater(t, tries, 3)
						return
					}
					tries++
					s.say(reply(req, "500 Server Internal Error", ""))
				}
				time.Sleep(time.Second)
			}
			t.Fatal("the call outlived its session timer")
		})
	})
	t.Run("update is not known", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			start(s)
			s.say(reply(s.heard()[0], "405 Method Not Allowed", ""))
			time.Sleep(40 * time.Second)
			require.Equal(t, "INVITE", methods(s.heard())[0])
		})
	})
	t.Run("too short", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			start(s)
			s.say(answerTo(s.heard()[0], "422 Session Interval Too Small", "", "", "Min-SE: 900"))
			time.Sleep(60 * time.Second)
			got := s.heard()
			require.Equal(t, "UPDATE", methods(got)[0])
			require.Equal(t, "900;refresher=uac", value(got[0], "Session-Expires"))
			require.Equal(t, "900", value(got[0], "Min-SE"))
		})
	})
}

// A callee that finds our timer too short is called again with the one it wants,
// with a bound; what its 2xx settles is kept.
func TestCalleeWantsALongerTimer(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		d, inv := s.dial(t.Context())
		require.Equal(t, "1800", value(inv, "Session-Expires"))
		require.Equal(t, "90", value(inv, "Min-SE"))
		got := s.say(answerTo(inv, "422 Session Interval Too Small", "", "", "Min-SE: 3600"))
		require.Equal(t, []string{"ACK", "INVITE"}, methods(got))
		require.Equal(t, "3600", value(got[1], "Session-Expires"))
		require.Equal(t, "3600", value(got[1], "Min-SE"))
		require.Equal(t, "2 INVITE", value(got[1], "CSeq"))
		require.Equal(t, value(inv, "Call-ID"), value(got[1], "Call-ID"))
		require.NotContains(t, value(got[1], "To"), "tag=")
		ack := s.say(answerTo(got[1], "200 OK", "", offer, "Session-Expires: 3600;refresher=uac", "Require: timer"))
		require.Equal(t, "2 ACK", value(ack[0], "CSeq"))
		require.NoError(t, d.err)
		time.Sleep(1800*time.Second + time.Millisecond)
		require.Equal(t, "INVITE", methods(s.heard())[0], "it did not say that it takes UPDATE")
	})
	onStage(t, nil, func(t *testing.T, s *stage) {
		d, inv := s.dial(t.Context())
		for _, least := range []string{"3600", "7200", "9000"} {
			got := s.say(answerTo(inv, "422 Session Interval Too Small", "", "", "Min-SE: "+least))
			inv = got[len(got)-1]
		}
		synctest.Wait()
		require.True(t, d.done)
		require.ErrorIs(t, d.err, fault.Invalid)
	})
}
