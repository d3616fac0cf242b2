package sip_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/media/sip"
)

// A stranger who knows the Call-ID but not both tags gets 481 for every method,
// and the call does not notice; nor does it by a request that is repeated or late.
func TestForgedRequestsWithinACall(t *testing.T) {
	onStage(t, func(o *sip.Options) { o.Rules.TakeOver = true }, func(t *testing.T, s *stage) {
		tag := s.up(t)
		extra := []string{"RAck: 1 1 INVITE", "Refer-To: <sip:evil@x>", "Event: refer", "Subscription-State: active"}
		for i, method := range []string{"BYE", "REFER", "UPDATE", "PRACK", "NOTIFY", "INFO", "INVITE", "OPTIONS"} {
			for what, forged := range map[string]string{
				"our tag":    ask{method: method, cseq: 50 + i, to: ";tag=guess", headers: extra}.String(),
				"their tag":  strings.Replace(ask{method: method, cseq: 70 + i, to: tag, headers: extra}.String(), ";tag=al", ";tag=guess", 1),
				"the call":   ask{method: method, cseq: 90 + i, to: tag, call: "another", headers: extra}.String(),
				"tags apart": strings.Replace(ask{method: method, cseq: 110 + i, to: ";tag=al", headers: extra}.String(), ";tag=al\r\nTo", tag+"\r\nTo", 1),
			} {
				got := s.say(forged)
				require.Equal(t, []string{"481 Call/Transaction Does Not Exist"}, statuses(got), "%s without %s", method, what)
				if method == "INVITE" {
					s.say(strings.Replace(strings.ReplaceAll(forged, method, "ACK"), "z9hG4bKACK", "z9hG4bK"+method, 1))
				}
			}
		}
		require.Equal(t, []string{"481 Call/Transaction Does Not Exist"}, statuses(s.say(ask{method: "CANCEL", branch: "guess"}.String())))
		got := s.say(ask{method: "INFO", cseq: 5, to: tag}.String())
		require.Equal(t, got, s.say(ask{method: "INFO", cseq: 5, to: tag}.String()), "what is repeated is answered as before")
		for _, old := range []int{1, 4, 5} {
			require.Equal(t, []string{"500 CSeq out of order"},
				statuses(s.say(ask{method: "BYE", cseq: old, branch: "late", call: "c1", to: tag, via: "SIP/2.0/UDP 192.0.2.9:" + []string{"", "1", "", "", "4", "5"}[old]}.String())))
		}
		require.Equal(t, []actors.FactKind{actors.FactLineUp}, s.ear.Kinds())
		require.Equal(t, 1, s.e.Stats().Live)
	})
}

// A CANCEL that is repeated is answered each time, and is forgotten in the end.
func TestRepeatedCancel(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		for range 3 {
			require.Equal(t, []string{"481 Call/Transaction Does Not Exist"}, statuses(s.say(ask{method: "CANCEL", branch: "stray"}.String())))
		}
		servers, _, _, _, _ := sip.Held(s.e)
		require.Equal(t, 1, servers)
		time.Sleep(33 * time.Second)
		servers, _, _, _, _ = sip.Held(s.e)
		require.Zero(t, servers)
	})
}

// Random requests within a call, in random order and with random numbers and
// bodies, are each answered once and end the call only when it is a BYE.
func TestRandomRequestsWithinACall(t *testing.T) {
	bodies := []string{"", offer, offer + "a=sendonly\r\n", "v=0", "SIP/2.0 200 OK\r\n", strings.Replace(offer, "8 0 101", "18", 1)}
	headers := []string{
		"Session-Expires: 600;refresher=uas", "Session-Expires: -1", "Supported: timer, 100rel", "Require: 100rel", "Require: nonsense",
		"RAck: 1 1 INVITE", "Event: refer", "Refer-To: <sip:x@y?Replaces=a>", "Refer-Sub: false", "Min-SE: 0", "Replaces: c1;to-tag=a;from-tag=al",
		"Record-Route: <sip:192.0.2.9;lr>", "Expires: 0", "Allow: BYE",
	}
	for seed := range uint64(20) {
		onStage(t, nil, func(t *testing.T, s *stage) {
			rng := rand.New(rand.NewPCG(seed, 0))
			tag := s.up(t)
			cseq := 1
			for range 60 {
				method := []string{"INVITE", "UPDATE", "PRACK", "REFER", "NOTIFY", "INFO", "OPTIONS", "MESSAGE"}[rng.IntN(8)]
				if rng.IntN(4) > 0 {
					cseq++
				}
				a := ask{method: method, cseq: cseq, to: tag, body: bodies[rng.IntN(len(bodies))], branch: method + string(rune('a'+rng.IntN(26))) + time.Now().Format(".000000")}
				for range rng.IntN(4) {
					a.headers = append(a.headers, headers[rng.IntN(len(headers))])
				}
				got := s.say(a.String())
				answers := 0
				for _, text := range got {
					if strings.HasPrefix(text, "SIP/2.0 ") && value(text, "CSeq") == value(a.String(), "CSeq") {
						answers++
					}
				}
				require.Equal(t, 1, answers, "%s\n%s", a.String(), strings.Join(got, "\n"))
				if method == "INVITE" {
					ack := ask{method: "ACK", cseq: cseq, to: tag, branch: a.branch}
					if len(a.body) == 0 {
						ack.body = offer
					}
					s.say(ack.String())
				}
				time.Sleep(time.Millisecond)
			}
			require.Equal(t, 1, s.e.Stats().Live)
			require.Equal(t, []string{"200 OK"}, statuses(of(s.say(ask{method: "BYE", cseq: cseq + 1, to: tag}.String()), "SIP/2.0 2")))
		})
	}
}

// What reads headers of the other side neither panics nor gives nonsense.
func FuzzHeadersOfCalls(f *testing.F) {
	for _, seed := range []string{
		"1 1 INVITE", "4294967295 2147483647 INVITE", "SIP/2.0 200 OK\r\n", "SIP/2.0 100 Trying", "SIP/2.0 999",
		"c1;to-tag=a;from-tag=b", "c1;to-tag=a;from-tag=b;early-only", ";;;=;to-tag", "1800;refresher=uac",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		sip.ParseRAck(v)
		if code, reason, ok := sip.ParseFrag(v); ok && (code < 100 || code > 699 || strings.Contains(reason, "\n")) {
			t.Errorf("sipfrag %q gives %d %q", v, code, reason)
		}
		again, err := sip.ParseReplaces(v)
		if err != nil {
			return
		}
		if twice, err := sip.ParseReplaces(again); err != nil || twice != again {
			t.Errorf("replaces %q is read as %q, then as %q, %v", v, again, twice, err)
		}
		if strings.ContainsAny(again, "\r\n,<>") {
			t.Errorf("replaces %q smuggles %q", v, again)
		}
	})
}
