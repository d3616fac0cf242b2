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
)

// A 200 without ACK is sent again after T1, doubling up to T2, for 64 T1; then
// the call is ended by BYE (RFC 3261 13.3.1.4).
func TestLostAckRepeatsThe200ThenBye(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		start := time.Now()
		require.Equal(t, []string{"200 OK"}, statuses(s.say(invite().String())))
		time.Sleep(31 * time.Second)
		synctest.Wait()
		var at []time.Duration
		for _, p := range s.sent {
			require.Equal(t, "200 OK", status(p.text))
			at = append(at, p.at.Sub(start))
		}
		ms := time.Millisecond
		require.Equal(t, []time.Duration{500 * ms, 1500 * ms, 3500 * ms, 7500 * ms, 11500 * ms, 15500 * ms, 19500 * ms, 23500 * ms, 27500 * ms}, at)
		s.heard()
		time.Sleep(time.Second + time.Millisecond)
		got := s.heard()
		require.Equal(t, "BYE sip:alice@192.0.2.9:5060 SIP/2.0", status(got[len(got)-1]))
		require.Equal(t, "failed", s.ear.Facts()[0].Reason)
		require.Equal(t, 1, s.studio.Made()[0].Closed())
	})
}

// A repeated INVITE opens one call only, and is answered alike.
func TestRepeatedInviteIsOneCall(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		first := s.say(invite().String())
		for range 3 {
			require.Empty(t, s.say(invite().String()), "the accepted transaction absorbs it, the 200 has its own clock")
		}
		require.Len(t, s.invites, 1)
		s.say(ask{method: "ACK", to: toTag(first[0])}.String())
		require.Empty(t, s.say(invite().String()))
		require.Len(t, s.invites, 1)
	})
}

// The same request by another way is merged: 482 (RFC 3261 8.2.2.2).
func TestMergedRequest(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		s.say(invite().String())
		again := invite()
		again.branch = "elsewhere"
		require.Equal(t, []string{"482 Loop Detected"}, statuses(s.say(again.String())))
		require.Len(t, s.invites, 1)
	})
}

// CANCEL before the answer: 200 for itself, 487 for the INVITE, one tag for
// both, and the decision is told that nobody waits.
func TestCancel(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		var reason error
		s.answer = func(ctx context.Context, _ sip.Invite) error {
			<-ctx.Done()
			reason = ctx.Err()
			return reason
		}
		require.Empty(t, s.say(invite().String()))
		got := s.say(ask{method: "CANCEL", branch: "INVITE1"}.String())
		require.ElementsMatch(t, []string{"200 OK", "487 Request Terminated"}, statuses(got))
		require.Equal(t, toTag(got[0]), toTag(got[1]))
		require.ErrorIs(t, reason, context.Canceled)
		require.Equal(t, "canceled", s.ear.Facts()[0].Reason)
		require.Empty(t, s.say(ask{method: "ACK", branch: "INVITE1", to: toTag(got[1])}.String()))
		time.Sleep(time.Minute)
		require.Empty(t, s.heard(), "the ACK ended the repetition of 487")
	})
}

// A CANCEL after the answer changes nothing, one for nothing is 481.
func TestCancelTooLateAndStray(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		s.up(t)
		require.Equal(t, []string{"200 OK"}, statuses(s.say(ask{method: "CANCEL", branch: "INVITE1"}.String())))
		require.Equal(t, []actors.FactKind{actors.FactLineUp}, s.ear.Kinds())
		require.Equal(t, []string{"481 Call/Transaction Does Not Exist"},
			statuses(s.say(ask{method: "CANCEL", branch: "never"}.String())))
	})
}

// Requests in dialogs we do not know: 481, and an ACK is never answered.
func TestStrangersInDialog(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		tag := s.up(t)
		for _, method := range []string{"BYE", "INVITE", "INFO", "OPTIONS", "UPDATE"} {
			require.Equal(t, []string{"481 Call/Transaction Does Not Exist"},
				statuses(s.say(ask{method: method, cseq: 7, to: ";tag=foreign"}.String())), method)
		}
		require.Equal(t, []string{"481 Call/Transaction Does Not Exist"},
			statuses(s.say(ask{method: "BYE", cseq: 8, to: tag, call: "other"}.String())), "same tag, other Call-ID")
		require.Empty(t, s.say(ask{method: "ACK", cseq: 9, to: ";tag=foreign"}.String()))
		require.Equal(t, []string{"481 Call/Transaction Does Not Exist"},
			statuses(s.say(ask{method: "BYE", cseq: 10}.String())), "BYE outside of any dialog")
		require.Equal(t, []actors.FactKind{actors.FactLineUp}, s.ear.Kinds())
	})
}

// BYE ends the call, and an older request is refused.
func TestByeAndOrder(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		tag := s.up(t)
		require.Equal(t, []string{"500 CSeq out of order"}, statuses(s.say(ask{method: "INFO", cseq: 1, branch: "old", to: tag}.String())))
		require.Equal(t, []string{"200 OK"}, statuses(s.say(ask{method: "BYE", cseq: 2, to: tag}.String())))
		require.Equal(t, "hangup", s.ear.Facts()[1].Reason)
		require.Equal(t, []string{"200 OK"}, statuses(s.say(ask{method: "BYE", cseq: 2, to: tag}.String())), "repeated")
		require.Equal(t, []string{"481 Call/Transaction Does Not Exist"}, statuses(s.say(ask{method: "BYE", cseq: 3, to: tag}.String())))
	})
}

// A BYE before the answer ends the INVITE too.
func TestByeBeforeTheAnswer(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		s.answer = func(ctx context.Context, _ sip.Invite) error { <-ctx.Done(); return ctx.Err() }
		s.say(invite().String())
		time.Sleep(300 * time.Millisecond)
		got := s.heard()
		require.Equal(t, []string{"100 Trying", "180 Ringing"}, statuses(got))
		tag := toTag(got[1])
		require.Equal(t, []string{"500 Server Internal Error"}, statuses(s.say(ask{method: "INVITE", cseq: 2, to: tag, body: offer}.String())))
		require.Equal(t, []string{"200 OK"}, statuses(s.say(ask{method: "OPTIONS", cseq: 3, to: tag}.String())))
		require.ElementsMatch(t, []string{"200 OK", "487 Request Terminated"}, statuses(s.say(ask{method: "BYE", cseq: 4, to: tag}.String())))
	})
}

// An INVITE nobody decides about ends when its Expires says so.
func TestInviteExpires(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		s.answer = func(ctx context.Context, _ sip.Invite) error { <-ctx.Done(); return ctx.Err() }
		in := invite()
		in.headers = []string{"Expires: 5"}
		s.say(in.String())
		time.Sleep(4 * time.Second)
		require.Equal(t, []string{"100 Trying", "180 Ringing"}, statuses(s.heard()))
		time.Sleep(1100 * time.Millisecond)
		require.Contains(t, statuses(s.heard()), "487 Request Terminated")
	})
}

// A Hangup before the ACK waits for it: no BYE may come before (RFC 3261 15).
func TestHangupWaitsForTheAck(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		got := s.say(invite().String())
		s.invites[0].Line.Hangup("completed")
		require.Empty(t, s.heard())
		got = s.say(ask{method: "ACK", to: toTag(got[0])}.String())
		require.Len(t, got, 1)
		require.True(t, strings.HasPrefix(got[0], "BYE sip:alice@192.0.2.9:5060 SIP/2.0\r\n"))
		require.Equal(t, 1, s.studio.Made()[0].Closed(), "media ends with BYE, not with its answer")
	})
}

// A BYE of ours nobody answers is repeated, and given up after 64 T1.
func TestByeIsGivenUp(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		s.up(t)
		s.invites[0].Line.Hangup("completed")
		require.Len(t, s.heard(), 1)
		time.Sleep(33 * time.Second)
		require.GreaterOrEqual(t, len(s.heard()), 9)
		require.Zero(t, s.e.Stats().Live)
	})
}

// Without an offer in the INVITE ours is in the 200, and the ACK answers it.
func TestLateOffer(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		in := invite()
		in.body = ""
		got := s.say(in.String())
		require.Equal(t, []string{"200 OK"}, statuses(got))
		require.Contains(t, got[0], "m=audio 20000 RTP/AVP 111 9 0 8 101 110\r\n")
		require.Equal(t, []string{"491 Request Pending"},
			statuses(s.say(ask{method: "INVITE", cseq: 2, to: toTag(got[0]), body: offer}.String())), "a second offer in flight")
		s.say(ask{method: "ACK", to: toTag(got[0]), body: strings.Replace(offer, "8 0 101", "8 101", 1)}.String())
		require.Equal(t, "PCMA", s.studio.Made()[0].Last().Codec)
		require.Equal(t, "192.0.2.9:4000", s.studio.Made()[0].Last().Remote.String())
		require.Equal(t, []actors.FactKind{actors.FactLineUp}, s.ear.Kinds())
	})
}

// A late answer that answers nothing ends the call by BYE.
func TestLateAnswerMissing(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		in := invite()
		in.body = ""
		got := s.say(in.String())
		got = s.say(ask{method: "ACK", to: toTag(got[0])}.String())
		require.Equal(t, "BYE sip:alice@192.0.2.9:5060 SIP/2.0", status(got[0]))
		require.Equal(t, "failed", s.ear.Facts()[0].Reason)
	})
}

// The ways to hold and to come back, each with the answer RFC 3264 8.4 asks for.
func TestReinvite(t *testing.T) {
	hold := func(replace ...string) string { return strings.NewReplacer(replace...).Replace(offer) }
	video := "m=video 5000 RTP/AVP 31\r\n"
	onStage(t, nil, func(t *testing.T, s *stage) {
		tag := s.up(t)
		for i, step := range []struct {
			name, body, direction string
			held                  bool
		}{
			{"sendonly", offer + "a=sendonly\r\n", "recvonly", true},
			{"back", offer, "sendrecv", false},
			{"inactive", offer + "a=inactive\r\n", "inactive", true},
			{"the old way, from inactive", hold("c=IN IP4 192.0.2.9", "c=IN IP4 0.0.0.0"), "recvonly", true},
			{"the old way, inactive", hold("c=IN IP4 192.0.2.9", "c=IN IP4 0.0.0.0") + "a=inactive\r\n", "inactive", true},
			{"back with a video stream", offer + video, "sendrecv", false},
		} {
			got := s.say(ask{method: "INVITE", cseq: i + 2, to: tag, body: step.body}.String())
			require.Equal(t, []string{"200 OK"}, statuses(got), step.name)
			require.Contains(t, got[0], "\r\na="+step.direction+"\r\n", step.name)
			require.Contains(t, got[0], fmt.Sprintf(" %d IN IP4 192.0.2.1\r\n", i+2), "%s: version of o=", step.name)
			require.Equal(t, strings.Count(step.body, "m="), strings.Count(got[0], "\r\nm="), step.name)
			require.Equal(t, step.direction, s.studio.Made()[0].Last().Direction, step.name)
			s.say(ask{method: "ACK", cseq: i + 2, to: tag}.String())
			kinds := s.ear.Kinds()
			require.Equal(t, step.held, kinds[len(kinds)-1] == actors.FactLineHeld, step.name)
		}
		require.Equal(t, []actors.FactKind{
			actors.FactLineUp, actors.FactLineHeld, actors.FactLineResumed, actors.FactLineHeld, actors.FactLineResumed,
		}, s.ear.Kinds(), "only changes are told")
	})
}

// What a re-INVITE asks in vain leaves the call as it was.
func TestReinviteRefused(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		tag := s.up(t)
		before := s.studio.Made()[0].Last()
		for i, step := range []struct{ name, body, want string }{
			{"no common codec", strings.Replace(offer, "8 0 101", "18 101", 1), "488 Not Acceptable Here"},
			{"audio taken away", strings.Replace(offer, "m=audio 4000", "m=audio 0", 1), "488 Not Acceptable Here"},
			{"not sdp", "hello", "488 Not Acceptable Here"},
		} {
			got := s.say(ask{method: "INVITE", cseq: i + 2, to: tag, body: step.body}.String())
			require.Equal(t, []string{step.want}, statuses(got), step.name)
			s.say(ask{method: "ACK", cseq: i + 2, branch: fmt.Sprintf("INVITE%d", i+2), to: tag}.String())
		}
		s.studio.Made()[0].Refuse(fault.Unavailable)
		require.Equal(t, []string{"488 Not Acceptable Here"},
			statuses(s.say(ask{method: "INVITE", cseq: 20, to: tag, body: offer}.String())), "media refuses")
		s.studio.Made()[0].Refuse(nil)
		require.Equal(t, before, s.studio.Made()[0].Last())
		require.Equal(t, []string{"200 OK"}, statuses(s.say(ask{method: "BYE", cseq: 30, to: tag}.String())))
	})
}

// A re-INVITE without SDP gets our offer, with the streams of the call.
func TestReinviteWithoutOffer(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		tag := s.up(t)
		got := s.say(ask{method: "INVITE", cseq: 2, to: tag}.String())
		require.Contains(t, got[0], "m=audio 20000 RTP/AVP 8 101\r\n")
		require.Empty(t, s.say(ask{method: "ACK", cseq: 2, to: tag, body: offer + "a=sendonly\r\n"}.String()))
		require.Equal(t, "recvonly", s.studio.Made()[0].Last().Direction)
		require.Equal(t, actors.FactLineHeld, s.ear.Kinds()[1])
	})
}

// Digits by INFO, in the bodies phones use.
func TestInfoDigits(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		tag := s.up(t)
		for i, step := range []struct {
			name, kind, body, want string
			digit                  byte
			length                 time.Duration
		}{
			{"relay", "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "200 OK", '5', 160 * time.Millisecond},
			{"relay with spaces", "application/dtmf-relay", "Signal= #\nDuration= 80", "200 OK", '#', 80 * time.Millisecond},
			{"star as a number", "application/dtmf-relay", "Signal=10\r\n", "200 OK", '*', 100 * time.Millisecond},
			{"plain", "application/dtmf", "d", "200 OK", 'D', 100 * time.Millisecond},
			{"keep-alive", "", "", "200 OK", 0, 0},
			{"no digit", "application/dtmf-relay", "Signal=x\r\n", "400 Malformed DTMF body", 0, 0},
			{"bad duration", "application/dtmf-relay", "Signal=1\r\nDuration=long\r\n", "400 Malformed DTMF body", 0, 0},
			{"something else", "text/plain", "5", "415 Unsupported Media Type", 0, 0},
		} {
			before := len(s.ear.Facts())
			a := ask{method: "INFO", cseq: i + 2, to: tag, body: step.body}
			if step.kind != "" {
				a.headers = []string{"Content-Type: " + step.kind}
			}
			require.Equal(t, []string{step.want}, statuses(s.say(a.String())), step.name)
			facts := s.ear.Facts()[before:]
			if step.digit == 0 {
				require.Empty(t, facts, step.name)
				continue
			}
			require.Len(t, facts, 1, step.name)
			require.Equal(t, actors.FactDigit, facts[0].Kind)
			require.Equal(t, step.digit, facts[0].Digit, step.name)
			require.Equal(t, step.length, facts[0].Length, step.name)
		}
	})
}

// What a dialog has no use for is refused, each with the answer that says why.
func TestMethodsWithinTheDialog(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		tag := s.up(t)
		for i, step := range []struct{ method, want string }{
			{"PRACK", "481 Call/Transaction Does Not Exist"},
			{"REFER", "400 Malformed Refer-To or Replaces"},
			{"NOTIFY", "489 Bad Event"},
			{"SUBSCRIBE", "405 Method Not Allowed"},
			{"MESSAGE", "405 Method Not Allowed"},
		} {
			got := s.say(ask{method: step.method, cseq: i + 2, to: tag}.String())
			require.Equal(t, []string{step.want}, statuses(got), step.method)
			if strings.HasPrefix(step.want, "405") {
				require.Contains(t, value(got[0], "Allow"), "INVITE")
			}
		}
		require.Equal(t, []string{"501 Not Implemented"}, statuses(s.say(ask{method: "FROBNICATE", cseq: 9, to: tag}.String())))
		require.Equal(t, []string{"420 Bad Extension"},
			statuses(s.say(ask{method: "INVITE", cseq: 10, to: tag, headers: []string{"Require: gruu"}, body: offer}.String())))
	})
}
