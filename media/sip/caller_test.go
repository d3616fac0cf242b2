package sip_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/media/sip"
)

// reply answers a request of the endpoint.
func reply(req, status, body string) string {
	to := value(req, "To")
	if !strings.Contains(to, ";tag=") {
		to += ";tag=bob"
	}
	text := "SIP/2.0 " + status + "\r\nVia: " + value(req, "Via") + "\r\nFrom: " + value(req, "From") + "\r\nTo: " + to +
		"\r\nCall-ID: " + value(req, "Call-ID") + "\r\nCSeq: " + value(req, "CSeq") +
		"\r\nContact: <sip:bob@192.0.2.9:5060>\r\n"
	if body != "" {
		text += "Content-Type: application/sdp\r\n"
	}
	return text + "\r\n" + body
}

// dialling is a Dial under way.
type dialling struct {
	call *sip.Call
	err  error
	done bool
}

// dial starts a Dial and gives the INVITE it sent.
func (s *stage) dial(ctx context.Context) (*dialling, string) {
	d := &dialling{}
	go func() {
		d.call, d.err = s.e.Dial(ctx, "sip:bob@192.0.2.9", sip.DialOptions{})
		d.done = true
	}()
	return d, s.heard()[0]
}

// methods are the first words of what the endpoint sent.
func methods(texts []string) []string {
	var out []string
	for _, text := range texts {
		word, _, _ := strings.Cut(text, " ")
		out = append(out, word)
	}
	return out
}

// A 200 that comes again is acknowledged again, with the number of its INVITE.
func TestRepeated200IsAcknowledgedAgain(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		d, inv := s.dial(t.Context())
		require.Contains(t, inv, "m=audio 20000 RTP/AVP 111 9 0 8 101 110\r\n")
		for range 3 {
			got := s.say(reply(inv, "200 OK", offer))
			require.Equal(t, []string{"ACK"}, methods(got))
			require.Equal(t, "1 ACK", value(got[0], "CSeq"))
			require.NotEqual(t, value(inv, "Via"), value(got[0], "Via"), "an ACK of a 2xx has a branch of its own")
		}
		require.True(t, d.done)
		require.NoError(t, d.err)
		d.call.Hangup("completed")
		got := s.heard()
		require.Equal(t, "2 BYE", value(got[0], "CSeq"))
		s.say(reply(got[0], "200 OK", ""))
		require.Zero(t, s.e.Stats().Live)
	})
}

// An answer that takes none of our codecs is acknowledged and ended by BYE.
func TestAnswerThatAnswersNothing(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		d, inv := s.dial(t.Context())
		got := s.say(reply(inv, "200 OK", strings.Replace(offer, "8 0 101", "18", 1)))
		require.ElementsMatch(t, []string{"ACK", "BYE"}, methods(got))
		require.ErrorIs(t, d.err, fault.Invalid)
	})
}

// A refusal is acknowledged by the transaction, and its kind reaches the caller.
func TestRefusalIsAcknowledged(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		d, inv := s.dial(t.Context())
		got := s.say(reply(inv, "486 Busy Here", ""))
		require.Equal(t, []string{"ACK"}, methods(got))
		require.Equal(t, value(inv, "Via"), value(got[0], "Via"))
		require.ErrorIs(t, d.err, fault.Exhausted)
	})
}

// Nobody there: the INVITE is repeated and given up after 64 T1.
func TestNobodyAnswers(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		d, _ := s.dial(t.Context())
		time.Sleep(33 * time.Second)
		require.Len(t, s.heard(), 6)
		require.ErrorIs(t, d.err, fault.Unavailable)
	})
}

// CANCEL waits for a provisional response (RFC 3261 9.1); a 200 that crosses it
// is acknowledged and ended.
func TestCancelByTheCaller(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		ctx, stop := context.WithCancel(t.Context())
		d, inv := s.dial(ctx)
		stop()
		require.Empty(t, s.heard(), "nothing may be cancelled before the callee has shown itself")
		got := s.say(reply(inv, "180 Ringing", ""))
		require.Equal(t, []string{"CANCEL"}, methods(got))
		require.Equal(t, value(inv, "Via"), value(got[0], "Via"))
		require.Equal(t, "1 CANCEL", value(got[0], "CSeq"))
		s.say(reply(got[0], "200 OK", ""))
		got = s.say(reply(inv, "200 OK", offer))
		require.ElementsMatch(t, []string{"ACK", "BYE"}, methods(got))
		require.ErrorIs(t, d.err, context.Canceled)
	})
}

// Two re-INVITEs at once: theirs is refused with 491. A 491 to ours is a reason
// to ask again, between 2.1 and 4 s later for it is we who called
// (RFC 3261 14.1); when that meets 491 for ever it is told as a conflict.
func TestGlare(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		d, inv := s.dial(t.Context())
		ack := s.say(reply(inv, "200 OK", offer))[0]
		var err error
		go func() { err = d.call.Hold(t.Context()) }()
		ours := s.heard()[0]
		require.Contains(t, ours, "a=sendonly\r\n")
		_, tag, _ := strings.Cut(value(ack, "From"), ";tag=")
		theirs := ask{method: "INVITE", cseq: 7, to: ";tag=" + tag, call: value(inv, "Call-ID"), body: offer}.String()
		theirs = strings.Replace(theirs, ";tag=al", ";tag=bob", 1)
		require.Equal(t, []string{"491 Request Pending"}, statuses(s.say(theirs)))
		s.say(strings.ReplaceAll(strings.Replace(theirs, "INVITE sip", "ACK sip", 1), "7 INVITE", "7 ACK"))
		for range 5 {
			require.Equal(t, []string{"ACK"}, methods(s.say(reply(ours, "491 Request Pending", ""))))
			require.NoError(t, err)
			time.Sleep(2090 * time.Millisecond)
			require.Empty(t, s.heard(), "too soon")
			time.Sleep(2020 * time.Millisecond)
			again := s.heard()
			require.Equal(t, "INVITE", methods(again)[0])
			ours = again[0]
		}
		require.Equal(t, []string{"ACK"}, methods(s.say(reply(ours, "491 Request Pending", ""))))
		synctest.Wait()
		require.ErrorIs(t, err, fault.Conflict)
	})
}
