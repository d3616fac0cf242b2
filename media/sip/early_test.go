package sip_test

import (
	"context"
	"fmt"
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

// transports are those every scenario between two endpoints runs over.
func transports(t *testing.T, f func(t *testing.T, transport string)) {
	t.Helper()
	for _, transport := range []string{"UDP", "TCP"} {
		t.Run(transport, func(t *testing.T) { f(t, transport) })
	}
}

// answerTo builds a response of the phone, with a tag and headers of its own.
func answerTo(req, status, tag, body string, headers ...string) string {
	text := reply(req, status, body)
	if tag != "" {
		text = strings.Replace(text, ";tag=bob", ";tag="+tag, 1)
	}
	if len(headers) > 0 {
		text = strings.Replace(text, "\r\nCSeq:", "\r\n"+strings.Join(headers, "\r\n")+"\r\nCSeq:", 1)
	}
	return text
}

// dialWith is dial with options of the test's own.
func (s *stage) dialWith(ctx context.Context, target string, o sip.DialOptions) (*dialling, string) {
	d := &dialling{}
	go func() {
		d.call, d.err = s.e.Dial(ctx, target, o)
		d.done = true
	}()
	if got := s.heard(); len(got) > 0 {
		return d, got[0]
	}
	return d, ""
}

// as gives a request of the stage's phone in a dialog that the endpoint opened by
// its INVITE.
func (a ask) as(inv, tag string) string {
	_, ours, _ := strings.Cut(value(inv, "From"), ";tag=")
	a.to, a.call = ";tag="+ours, value(inv, "Call-ID")
	return strings.Replace(a.String(), ";tag=al", ";tag="+tag, 1)
}

// of picks the messages that begin with a word, with what else came left out.
func of(texts []string, word string) []string {
	var out []string
	for _, text := range texts {
		if strings.HasPrefix(text, word) {
			out = append(out, text)
		}
	}
	return out
}

// What the callee plays before it answers is heard: the 183 is confirmed, the
// caller's media follows it, and the 200 needs no SDP.
func TestEarlyMediaIsHeardBeforeTheAnswer(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		pickUp := make(chan struct{})
		callee := open(t, func(o *sip.Options) {
			answer := o.Answer
			o.Answer = func(ctx context.Context, inv sip.Invite) error {
				if err := inv.Call.Early(ctx); err != nil {
					return err
				}
				if err := inv.Call.Early(ctx); err != nil { // the second does nothing
					return err
				}
				<-pickUp
				return answer(ctx, inv)
			}
		})
		caller := open(t, nil)
		var ear siptest.Ear
		steps := make(chan sip.Progress, 16)
		call, err := caller.Dial(t.Context(), callee.uri("bank", transport), sip.DialOptions{
			Transport: transport, Reliable: true,
			Progress: func(p sip.Progress) {
				steps <- p
				if p.Kind != sip.Early {
					return
				}
				p.Call.Start(ear.Hear)
				require.Equal(t, callee.studio.Made()[0].Port(), int(caller.studio.Made()[0].Last().Remote.Port()),
					"the media goes to the callee before the answer")
				close(pickUp)
			},
		})
		require.NoError(t, err)
		require.Equal(t, []actors.FactKind{actors.FactLineEarly, actors.FactLineUp}, ear.Kinds())
		var kinds []sip.ProgressKind
		for len(steps) > 0 {
			p := <-steps
			require.False(t, p.At.IsZero())
			kinds = append(kinds, p.Kind)
		}
		require.Contains(t, kinds, sip.Early)
		require.Equal(t, sip.Answered, kinds[len(kinds)-1])
		require.Len(t, caller.studio.Made()[0].Params(), 2, "the 200 changed nothing")
		call.Hangup("completed")
		<-call.Gone()
	})
}

// A reliable 183 is repeated at growing intervals until its PRACK comes; only the
// PRACK that names it confirms it, and the 200 waits for it (RFC 3262 3).
func TestReliableResponseWaitsForItsPrack(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		s.answer = func(ctx context.Context, inv sip.Invite) error { return inv.Call.Early(ctx) }
		in := invite()
		in.headers = []string{"Supported: 100rel"}
		got := s.say(in.String())
		require.Equal(t, []string{"183 Session Progress"}, statuses(got))
		require.Equal(t, "100rel", value(got[0], "Require"))
		require.Contains(t, got[0], "m=audio 20000")
		require.Equal(t, "<sip:bank@192.0.2.1:5060>", value(got[0], "Contact"))
		rseq, tag := value(got[0], "RSeq"), toTag(got[0])
		time.Sleep(3600 * time.Millisecond)
		require.Len(t, of(s.heard(), "SIP/2.0 183"), 3, "after 0.5, 1.5 and 3.5 s")
		for i, rack := range []string{"", "1", rseq + " 2 INVITE", rseq + "9 1 INVITE", "1 1 INVITE", rseq + " 1 BYE", "-1 1 INVITE"} {
			got := s.say(ask{method: "PRACK", cseq: i + 2, to: tag, headers: []string{"RAck: " + rack}}.String())
			require.Len(t, got, 1, rack)
			require.True(t, strings.HasPrefix(status(got[0]), "481") || strings.HasPrefix(status(got[0]), "400"), "%q: %s", rack, got[0])
		}
		got = s.say(ask{method: "PRACK", cseq: 20, to: tag, headers: []string{"RAck: " + rseq + " 1 INVITE"}}.String())
		require.Equal(t, []string{"200 OK", "200 OK"}, statuses(got), "of the PRACK, then of the INVITE")
		require.Equal(t, "1 INVITE", value(got[1], "CSeq"))
		require.NotContains(t, got[1], "m=audio", "the answer was given already")
		require.Equal(t, []string{"481 Call/Transaction Does Not Exist"},
			statuses(s.say(ask{method: "PRACK", cseq: 21, to: tag, headers: []string{"RAck: " + rseq + " 1 INVITE"}}.String())))
		s.say(ask{method: "ACK", to: tag}.String())
		require.Equal(t, []actors.FactKind{actors.FactLineUp}, s.ear.Kinds())
	})
}

// An owner who takes the call before the caller has confirmed the 183 is patient:
// no 200 overtakes the SDP before it (RFC 3262 3).
func TestAnswerWaitsForThePrack(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		s.answer = func(ctx context.Context, inv sip.Invite) error {
			go func() { _ = inv.Call.Early(ctx) }()
			time.Sleep(100 * time.Millisecond)
			return nil
		}
		in := invite()
		in.headers = []string{"Supported: 100rel"}
		got := s.say(in.String())
		time.Sleep(time.Second)
		require.Equal(t, []string{"183 Session Progress"}, statuses(s.heard()), "repeated, and nothing else")
		got = s.say(ask{method: "PRACK", cseq: 2, to: toTag(got[0]), headers: []string{"RAck: " + value(got[0], "RSeq") + " 1 INVITE"}}.String())
		require.Equal(t, []string{"200 OK", "200 OK"}, statuses(got))
	})
}

// A caller who never confirms a reliable response is given up after 64 T1.
func TestReliableResponseIsNeverConfirmed(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		var err error
		s.answer = func(ctx context.Context, inv sip.Invite) error { err = inv.Call.Early(ctx); return err }
		in := invite()
		in.headers = []string{"Supported: 100rel"}
		s.say(in.String())
		time.Sleep(32100 * time.Millisecond)
		require.Len(t, of(s.heard(), "SIP/2.0 504 Server Time-out"), 1)
		require.Error(t, err)
		require.Equal(t, "failed", s.ear.Facts()[0].Reason)
		require.Equal(t, "the caller does not confirm our response", s.invites[0].Call.Why())
	})
}

// Offers and answers in PRACK (RFC 3262 5): our offer in the 183 to an INVITE
// without one is answered by the PRACK; a new offer in a PRACK by its 200.
func TestOfferAndAnswerInPrack(t *testing.T) {
	prack := func(s *stage, got, body string, cseq int) []string {
		return s.say(ask{
			method: "PRACK", cseq: cseq, to: toTag(got), body: body, headers: []string{"RAck: " + value(got, "RSeq") + " 1 INVITE"},
		}.String())
	}
	early := func(ctx context.Context, inv sip.Invite) error { return inv.Call.Early(ctx) }
	t.Run("answer", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			s.answer = early
			got := s.say(ask{method: "INVITE", headers: []string{"Supported: 100rel"}}.String())
			require.Contains(t, got[0], "m=audio 20000")
			both := prack(s, got[0], strings.Replace(offer, "8 0 101", "8 101", 1), 2)
			require.Equal(t, []string{"200 OK", "200 OK"}, statuses(both))
			require.NotContains(t, both[0], "m=audio")
			require.NotContains(t, both[1], "m=audio")
			require.Equal(t, "192.0.2.9:4000", s.studio.Made()[0].Last().Remote.String())
			require.Equal(t, "PCMA", s.studio.Made()[0].Last().Codec)
		})
	})
	t.Run("no answer at all", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			s.answer = early
			got := s.say(ask{method: "INVITE", headers: []string{"Supported: 100rel"}}.String())
			require.Equal(t, []string{"488 Not Acceptable Here", "488 Not Acceptable Here"}, statuses(prack(s, got[0], "", 2)))
		})
	})
	t.Run("offer", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			s.answer = early
			in := invite()
			in.headers = []string{"Supported: 100rel"}
			got := s.say(in.String())
			both := prack(s, got[0], offer+"a=sendonly\r\n", 2)
			require.Contains(t, both[0], "a=recvonly\r\n")
			require.Equal(t, "recvonly", s.studio.Made()[0].Last().Direction)
		})
	})
	t.Run("the caller can neither offer nor confirm", func(t *testing.T) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			var err error
			s.answer = func(ctx context.Context, inv sip.Invite) error { err = inv.Call.Early(ctx); return nil }
			require.Equal(t, []string{"200 OK"}, statuses(s.say(ask{method: "INVITE"}.String())))
			require.ErrorIs(t, err, fault.Invalid)
		})
	})
}

// Who insists on reliable responses gets them, who does not know them is sent
// plain ones, and an endpoint may insist too: 421.
func TestWhoConfirmsResponses(t *testing.T) {
	slow := func(ctx context.Context, _ sip.Invite) error { <-ctx.Done(); return ctx.Err() }
	for name, test := range map[string]struct {
		header, want, require string
		need                  bool
	}{
		"required":              {"Require: 100rel", "180 Ringing", "100rel", false},
		"supported":             {"Supported: 100rel", "180 Ringing", "", false},
		"unknown":               {"Supported: timer", "180 Ringing", "", false},
		"needed, and supported": {"Supported: foo, 100REL", "180 Ringing", "", true},
		"needed, and unknown":   {"Supported: timer", "421 Extension Required", "100rel", true},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(o *sip.Options) { o.Rules.NeedReliable = test.need }, func(t *testing.T, s *stage) {
				s.answer = slow
				in := invite()
				in.headers = []string{test.header}
				got := s.say(in.String())
				time.Sleep(300 * time.Millisecond)
				got = append(got, s.heard()...)
				last := got[len(got)-1]
				require.Equal(t, test.want, status(last))
				require.Equal(t, test.require, value(last, "Require"))
				require.Equal(t, test.require != "" && !test.need, value(last, "RSeq") != "")
			})
		})
	}
}

// As caller we confirm each reliable response once and in order, in the dialog of
// the branch it came from (RFC 3262 4).
func TestCallerConfirmsResponses(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		_, inv := s.dial(t.Context())
		require.Contains(t, value(inv, "Supported"), "100rel")
		rel := func(rseq int) []string { return []string{"Require: 100rel", fmt.Sprintf("RSeq: %d", rseq)} }
		got := s.say(answerTo(inv, "183 Session Progress", "", offer, rel(7)...))
		require.Equal(t, []string{"PRACK"}, methods(got))
		require.Equal(t, "7 1 INVITE", value(got[0], "RAck"))
		require.Equal(t, "2 PRACK", value(got[0], "CSeq"))
		require.True(t, strings.HasPrefix(got[0], "PRACK sip:bob@192.0.2.9:5060 SIP/2.0\r\n"), "to its Contact")
		s.say(reply(got[0], "200 OK", ""))
		require.Empty(t, s.say(answerTo(inv, "183 Session Progress", "", offer, rel(7)...)), "repeated")
		require.Empty(t, s.say(answerTo(inv, "180 Ringing", "", "", rel(9)...)), "one is missing")
		require.Empty(t, s.say(answerTo(inv, "180 Ringing", "", "", "Require: 100rel")), "no number")
		got = s.say(answerTo(inv, "180 Ringing", "", "", rel(8)...))
		require.Equal(t, "8 1 INVITE", value(got[0], "RAck"))
		s.say(reply(got[0], "200 OK", ""))
		got = s.say(answerTo(inv, "180 Ringing", "carol", "", rel(100)...))
		require.Equal(t, "100 1 INVITE", value(got[0], "RAck"), "another branch counts on its own")
		require.Contains(t, value(got[0], "To"), ";tag=carol")
		s.say(reply(got[0], "200 OK", ""))
		got = s.say(answerTo(inv, "200 OK", "", ""))
		require.Equal(t, []string{"ACK"}, methods(got), "the answer came with the 183")
		require.Equal(t, "1 ACK", value(got[0], "CSeq"))
		require.Equal(t, "192.0.2.9:4000", s.studio.Made()[0].Last().Remote.String())
	})
}

// UPDATE before the answer changes the session both ways once an answer is known
// to both sides, and never earlier (RFC 3311 5.1, 5.2).
func TestUpdateBeforeTheAnswer(t *testing.T) {
	rel := []string{"Require: 100rel", "RSeq: 1", "Allow: INVITE, UPDATE"}
	onStage(t, nil, func(t *testing.T, s *stage) {
		var call *sip.Call
		d, inv := s.dialWith(t.Context(), "sip:bob@192.0.2.9", sip.DialOptions{Progress: func(p sip.Progress) { call = p.Call }})
		s.say(answerTo(inv, "180 Ringing", "", ""))
		require.Equal(t, []string{"491 Request Pending"},
			statuses(s.say(ask{method: "UPDATE", cseq: 1, body: offer}.as(inv, "bob"))), "our offer is not answered yet")
		prack := s.say(answerTo(inv, "183 Session Progress", "", offer, rel...))
		s.say(reply(prack[0], "200 OK", ""))
		got := s.say(ask{method: "UPDATE", cseq: 2, body: offer + "a=sendonly\r\n"}.as(inv, "bob"))
		require.Equal(t, []string{"200 OK"}, statuses(got))
		require.Contains(t, got[0], "a=recvonly\r\n")
		require.Equal(t, []string{"481 Call/Transaction Does Not Exist"},
			statuses(s.say(ask{method: "UPDATE", cseq: 3, body: offer}.as(inv, "mallory"))))
		var err error
		go func() { err = call.Hold(t.Context()) }()
		ours := s.heard()
		require.Equal(t, []string{"UPDATE"}, methods(ours))
		require.Contains(t, ours[0], "a=sendonly\r\n")
		s.say(reply(ours[0], "200 OK", offer+"a=recvonly\r\n"))
		synctest.Wait()
		require.NoError(t, err)
		require.Equal(t, "sendonly", s.studio.Made()[0].Last().Direction)
		got = s.say(answerTo(inv, "200 OK", "", ""))
		require.Equal(t, []string{"ACK"}, methods(got))
		require.NoError(t, d.err)
		require.Equal(t, "sendonly", s.studio.Made()[0].Last().Direction, "what was changed stays changed")
	})
}

// UPDATE of a caller: before our answer it may not offer; afterwards it holds and
// resumes as a re-INVITE does, and refreshes the target.
func TestUpdateOfTheCaller(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		let := make(chan struct{})
		s.answer = func(context.Context, sip.Invite) error { <-let; return nil }
		s.say(invite().String())
		time.Sleep(300 * time.Millisecond)
		tag := toTag(s.heard()[1])
		got := s.say(ask{method: "UPDATE", cseq: 2, to: tag, body: offer}.String())
		require.Equal(t, []string{"500 Server Internal Error"}, statuses(got))
		require.NotEmpty(t, value(got[0], "Retry-After"))
		require.Equal(t, []string{"200 OK"}, statuses(s.say(ask{method: "UPDATE", cseq: 3, to: tag}.String())))
		close(let)
		require.Equal(t, []string{"200 OK"}, statuses(s.heard()))
		s.say(ask{method: "ACK", to: tag}.String())
		for i, step := range []struct{ body, want, direction string }{
			{offer + "a=inactive\r\n", "200 OK", "inactive"},
			{strings.Replace(offer, "8 0 101", "18", 1), "488 Not Acceptable Here", "inactive"},
			{offer, "200 OK", "sendrecv"},
			{"", "200 OK", "sendrecv"},
		} {
			got := s.say(ask{method: "UPDATE", cseq: 4 + i, to: tag, body: step.body}.String())
			require.Equal(t, []string{step.want}, statuses(got))
			require.Equal(t, step.direction, s.studio.Made()[0].Last().Direction)
			if step.want == "200 OK" {
				require.NotEmpty(t, value(got[0], "Contact"))
			}
		}
		moved := strings.Replace(ask{method: "UPDATE", cseq: 10, to: tag}.String(), "Contact: <sip:alice@192.0.2.9:5060>", "Contact: <sip:moved@192.0.2.9:5077>", 1)
		s.say(moved)
		s.invites[0].Line.Hangup("completed")
		require.True(t, strings.HasPrefix(s.heard()[0], "BYE sip:moved@192.0.2.9:5077 SIP/2.0\r\n"))
	})
}
