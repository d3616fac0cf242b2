package sip_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/media/sip"
)

// ladder is the signalling of a call, one word a message and way.
func ladder(all []actors.Signal) []string {
	var out []string
	for _, s := range all {
		arrow := "<"
		if s.Out {
			arrow = ">"
		}
		first, _, _ := strings.Cut(s.Text, "\r\n")
		word, rest, _ := strings.Cut(first, " ")
		if word == "SIP/2.0" {
			word, _, _ = strings.Cut(rest, " ")
		}
		out = append(out, arrow+word)
	}
	return out
}

// Every message of a call is remembered, both ways, with who sent it to whom,
// also the answer to its BYE.
func TestACallRemembersItsSignalling(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		d, inv := s.dial(t.Context())
		s.say(reply(inv, "180 Ringing", ""))
		s.say(reply(inv, "200 OK", offer))
		require.NoError(t, d.err)
		d.call.Hangup("completed")
		bye := s.heard()
		s.say(reply(bye[0], "200 OK", ""))
		all := d.call.Signals()
		require.Equal(t, []string{">INVITE", "<180", "<200", ">ACK", ">BYE", "<200"}, ladder(all))
		require.Equal(t, inv, all[0].Text, "as it was on the wire")
		require.Equal(t, "192.0.2.9:5060", all[0].To.String())
		require.Equal(t, all[0].To, all[1].From)
		require.Equal(t, "udp", all[0].Transport)
		require.False(t, all[0].At.IsZero())
		require.Zero(t, s.e.Remembered(), "nothing is left behind")
	})
}

func TestACallThatCameInRemembersItsInvite(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		first := s.say(invite().String())
		s.say(ask{method: "ACK", to: toTag(first[0])}.String())
		call := s.invites[0].Call
		require.Equal(t, []string{"<INVITE", ">200", "<ACK"}, ladder(call.Signals()))
		s.say(ask{method: "BYE", cseq: 2, to: toTag(first[0])}.String())
		require.Equal(t, []string{"<INVITE", ">200", "<ACK", "<BYE", ">200"}, ladder(call.Signals()))
		require.Zero(t, s.e.Remembered())
	})
}

func TestWhyACallCameToNothingIsRemembered(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		d, inv := s.dial(t.Context())
		s.say(reply(inv, "486 Busy Here", ""))
		var told actors.Signalling
		require.True(t, errors.As(d.err, &told))
		require.Equal(t, []string{">INVITE", "<486", ">ACK"}, ladder(told.Signals()))
	})
}

// A peer that talks without end costs no more than the bound, and what was left
// out is told.
func TestTheMiddleOfALongCallIsDropped(t *testing.T) {
	for name, body := range map[string]string{"many": "", "long": strings.Repeat("v=long\r\n", 200)} {
		t.Run(name, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				first := s.say(invite().String())
				s.say(ask{method: "ACK", to: toTag(first[0])}.String())
				call := s.invites[0].Call
				for i := range 400 {
					s.say(ask{method: "OPTIONS", cseq: i + 2, to: toTag(first[0]), body: body}.String())
				}
				s.say(ask{method: "BYE", cseq: 900, to: toTag(first[0])}.String())
				all := call.Signals()
				bytes, dropped := 0, 0
				for _, m := range all {
					bytes, dropped = bytes+len(m.Text), dropped+m.Dropped
				}
				require.LessOrEqual(t, len(all), 200)
				require.LessOrEqual(t, bytes, 64<<10)
				require.Equal(t, 805, len(all)+dropped, "3 of the beginning, 800 of OPTIONS, 2 of the end")
				l := ladder(all)
				require.Equal(t, "<INVITE", l[0])
				require.Equal(t, []string{"<BYE", ">200"}, l[len(l)-2:])
			})
		})
	}
}

func TestCredentialsAreMasked(t *testing.T) {
	message := "INVITE sip:bob:hunter2@example.org SIP/2.0\r\n" +
		"Authorization: Digest username=\"bob\", response=\"5ecre7\",\r\n more=\"5ecre7\"\r\n" +
		"PROXY-authorization : Digest nonce=\"5ecre7\"\r\n" +
		"WWW-Authenticate: Digest realm=\"shown\"\r\n" +
		"Content-Type: application/sdp\r\n\r\n" +
		"v=0\r\nc=IN IP4 192.0.2.1\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ecre7|2^31\r\na=Crypto:2 X 5ecre7\r\nk=clear:5ecre7\r\na=ice-pwd:5ecre7\r\na=sendrecv\r\n"
	got := sip.Masked([]byte(message))
	require.NotContains(t, got, "5ecre7")
	require.NotContains(t, got, "hunter2")
	for _, kept := range []string{"sip:bob:[masked]@example.org", "Authorization: Digest [masked]\r\n", "realm=\"shown\"", "c=IN IP4 192.0.2.1\r\n", "inline:[masked]\r\n", "a=sendrecv\r\n"} {
		require.Contains(t, got, kept)
	}
	for _, kind := range []string{"application/dtmf-relay", "application/dtmf", "Application/KPML-response+xml"} {
		got = sip.Masked(fmt.Appendf(nil, "INFO sip:a@b SIP/2.0\r\nContent-Type: %s\r\n\r\nSignal=7\r\nDuration=160\r\n", kind))
		require.NotContains(t, got, "7\r\n", "a key is nobody's business")
	}
}

var password = regexp.MustCompile(`(?i)sips?:[^\s:@<>;"]+:([^\s@<>"]+)@`)

func TestPasswordsAreMaskedWhereverTheyStand(t *testing.T) {
	for name, tt := range map[string]struct{ line, want string }{
		"of a user":                {"To: \"Bob: <1>\" <sip:bob:pass@a.example>", "To: \"Bob: <1>\" <sip:bob:[masked]@a.example>"},
		"with colons":              {"Route: <SIPS:bob:a:b:c@a.example:5061;lr>", "Route: <SIPS:bob:[masked]@a.example:5061;lr>"},
		"behind another":           {"P-X: sip:a@b,sip:bob:pass@c", "P-X: sip:a@b,sip:bob:[masked]@c"},
		"without a space":          {"f:sip:bob:pass@c", "f:sip:bob:[masked]@c"},
		"none: a port":             {"Contact: <sip:a@b:5060>", "Contact: <sip:a@b:5060>"},
		"none: a time and an mail": {"Date: 10:11:12 a@b", "Date: 10:11:12 a@b"},
	} {
		got := sip.Masked([]byte("OPTIONS sip:x SIP/2.0\r\n" + tt.line + "\r\n\r\n"))
		require.Equal(t, "OPTIONS sip:x SIP/2.0\r\n"+tt.want+"\r\n\r\n", got, name)
	}
}

// Whatever comes, what follows Authorization or inline: is not in the trace, and
// no password is.
func FuzzMasked(f *testing.F) {
	f.Add("INVITE sip:a@b SIP/2.0\r\nAuthorization: Digest X\r\n\r\na=crypto:1 S inline:K\r\n")
	f.Add("Authorization")
	f.Add("To: <sip:a:b:c@d>, sips:e@f;g:h@i")
	f.Add("\r\nauthorization: \r\n :\r\n\r\nsignal=")
	f.Fuzz(func(t *testing.T, text string) {
		got := sip.Masked([]byte("OPTIONS sip:a@b SIP/2.0\r\nAuthorization: Digest 5ecre7Z\r\nX: " + text))
		if strings.Contains(got, "5ecre7Z") && !strings.Contains(text, "5ecre7Z") {
			t.Fatalf("%q", got)
		}
		head, _, _ := strings.Cut(sip.Masked([]byte(text)), "\r\n\r\n")
		for line := range strings.SplitSeq(head, "\r\n") {
			for _, found := range password.FindAllStringSubmatch(line, -1) {
				if found[1] != "[masked]" {
					t.Fatalf("%q", line)
				}
			}
		}
	})
}

// BenchmarkMasked is what an INVITE costs to remember.
func BenchmarkMasked(b *testing.B) {
	raw := []byte(invite().String())
	for b.Loop() {
		_ = sip.Masked(raw)
	}
}
