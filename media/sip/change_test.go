package sip_test

import (
	"context"
	"errors"
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

// Both directions can be put on hold and taken off it by either side, again and
// again, and other codecs agreed on, with the media following each time.
func TestChangesWithinACall(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		callee, caller := open(t, nil), open(t, nil)
		call, err := caller.Dial(t.Context(), callee.uri("bank", transport), sip.DialOptions{Codecs: []string{"PCMU"}})
		require.NoError(t, err)
		inv := <-callee.invites
		ours, theirs := caller.studio.Made()[0], callee.studio.Made()[0]
		eventually(t, "up", func() bool { return len((<-callee.ears).Kinds()) >= 0 && callee.Stats().Live == 1 })
		both := []*sip.Call{call, inv.Call}
		for i, c := range append(both, both...) {
			mine, other := ours, theirs
			if i%2 == 1 {
				mine, other = theirs, ours
			}
			for _, step := range []struct {
				do          func(context.Context) error
				mine, other string
			}{
				{c.Hold, "sendonly", "recvonly"}, {c.Silence, "inactive", "inactive"}, {c.Resume, "sendrecv", "sendrecv"},
			} {
				until(t, func() error { return step.do(t.Context()) })
				require.Equal(t, step.mine, mine.Last().Direction)
				require.Equal(t, step.other, other.Last().Direction)
			}
		}
		until(t, func() error { return call.Renegotiate(t.Context(), []string{"PCMA"}) })
		require.Equal(t, "PCMA", ours.Last().Codec)
		require.Equal(t, "PCMA", theirs.Last().Codec)
		until(t, func() error { return inv.Call.Renegotiate(t.Context(), []string{"PCMU", "PCMA"}) })
		require.Equal(t, ours.Last().Codec, theirs.Last().Codec)
		require.ErrorIs(t, call.Renegotiate(t.Context(), []string{"MP3"}), fault.Invalid)
		theirs.Refuse(errors.New("no more ports"))
		before := ours.Last()
		require.Error(t, call.Renegotiate(t.Context(), []string{"PCMA"}))
		require.Equal(t, before, ours.Last(), "a refusal changes nothing")
		call.Hangup("completed")
		<-call.Gone()
		require.Error(t, call.Hold(t.Context()))
	})
}

// until does something that may meet the ACK or an offer of the other side, for
// as long as it does.
func until(t *testing.T, do func() error) {
	t.Helper()
	var err error
	for range 1000 {
		if err = do(); !errors.Is(err, fault.Conflict) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	require.NoError(t, err)
}

// Both sides offer at the same moment, many times: the RFC's random wait lets
// each get through.
func TestBothSidesOfferAtOnce(t *testing.T) {
	callee, caller := open(t, nil), open(t, nil)
	call, err := caller.Dial(t.Context(), callee.uri("bank", "TCP"), sip.DialOptions{})
	require.NoError(t, err)
	inv, ear := <-callee.invites, <-callee.ears
	eventually(t, "up", func() bool { return len(ear.Kinds()) == 1 })
	for range 3 {
		done := make(chan error, 2)
		go func() { done <- call.Hold(t.Context()) }()
		go func() { done <- inv.Call.Resume(t.Context()) }()
		for range 2 {
			if err := <-done; err != nil { // an offer just taken is not yet acknowledged: the one conflict of our own
				require.ErrorIs(t, err, fault.Conflict)
				require.NotErrorIs(t, err, context.DeadlineExceeded)
			}
		}
		until(t, func() error { return call.Resume(t.Context()) })
	}
	require.Equal(t, "sendrecv", caller.studio.Made()[0].Last().Direction)
	require.Equal(t, "sendrecv", callee.studio.Made()[0].Last().Direction)
}

// The waits after 491: whoever owns the Call-ID waits 2.1 to 4 s, the other up to
// 2 s (RFC 3261 14.1).
func TestWaitAfterGlare(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		s.up(t)
		var err error
		go func() { err = s.invites[0].Call.Hold(t.Context()) }()
		ours := s.heard()[0]
		require.Equal(t, []string{"ACK"}, methods(s.say(reply(ours, "491 Request Pending", ""))))
		time.Sleep(2010 * time.Millisecond)
		again := s.heard()
		require.NotEmpty(t, again, "it is asked again")
		require.Equal(t, "INVITE", methods(again)[0])
		s.say(reply(again[0], "200 OK", offer+"a=recvonly\r\n"))
		synctest.Wait()
		require.NoError(t, err)
	})
}

// Who waits for an offer of ours to be answered is told when the call ends first,
// and nobody offers for who went away.
func TestChangeOfACallThatEnds(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		tag := s.up(t)
		var err error
		go func() { err = s.invites[0].Call.Hold(t.Context()) }()
		ours := s.heard()[0]
		s.say(ask{method: "BYE", cseq: 2, to: tag}.String())
		synctest.Wait()
		require.ErrorIs(t, err, fault.Unavailable)
		require.Equal(t, []string{"ACK"}, methods(s.say(reply(ours, "200 OK", offer))), "an ACK is due all the same")
		require.Equal(t, []actors.FactKind{actors.FactLineUp, actors.FactLineEnded}, s.ear.Kinds())
	})
}

// Digits go out by INFO, and what is no digit does not.
func TestDigitsByInfo(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		callee, caller := open(t, nil), open(t, nil)
		call, err := caller.Dial(t.Context(), callee.uri("bank", transport), sip.DialOptions{Transport: transport})
		require.NoError(t, err)
		ear := <-callee.ears
		for i, digit := range []byte("0*#D") {
			require.NoError(t, call.Info(t.Context(), digit, time.Duration(i)*50*time.Millisecond))
		}
		require.ErrorIs(t, call.Info(t.Context(), 'x', 0), fault.Invalid)
		heard := func() string {
			var got strings.Builder
			for _, f := range ear.Facts() {
				if f.Kind == actors.FactDigit {
					fmt.Fprintf(&got, "%c%d ", f.Digit, f.Length.Milliseconds())
				}
			}
			return got.String()
		}
		eventually(t, "all digits", func() bool { return heard() == "0100 *50 #100 D150 " })
		call.Hangup("completed")
		<-call.Gone()
		require.ErrorIs(t, call.Info(t.Context(), '1', 0), fault.Unavailable)
	})
}

// Requests of a call follow its route set: through loose routers in order, to a
// strict one by its own address (RFC 3261 12.2.1.1, 16.12), both as caller and
// as callee, over the transport the first hop names.
func TestRouteSet(t *testing.T) {
	const (
		loose1, loose2 = "<sip:192.0.2.9:5061;lr>", "<sip:192.0.2.9:5062;lr>"
		strict         = "<sip:strict@192.0.2.9:5063>"
	)
	routes := func(text string) []string {
		var out []string
		for line := range strings.SplitSeq(text, "\r\n") {
			if v, ok := strings.CutPrefix(line, "Route: "); ok {
				out = append(out, v)
			}
		}
		return out
	}
	for name, test := range map[string]struct {
		record []string // as the message has them
		callee bool     // we are
		uri    string
		want   []string
	}{
		"two loose, we are called": {[]string{loose1, loose2}, true, "sip:alice@192.0.2.9:5060", []string{loose1, loose2}},
		"two loose, we call":       {[]string{loose1, loose2}, false, "sip:bob@192.0.2.9:5060", []string{loose2, loose1}},
		"strict first, called":     {[]string{strict, loose1}, true, "sip:strict@192.0.2.9:5063", []string{loose1, "<sip:alice@192.0.2.9:5060>"}},
		"strict last, we call":     {[]string{loose1, strict}, false, "sip:strict@192.0.2.9:5063", []string{loose1, "<sip:bob@192.0.2.9:5060>"}},
		"many in one header":       {[]string{loose1 + ", " + loose2 + "," + loose1}, true, "sip:alice@192.0.2.9:5060", []string{loose1, loose2, loose1}},
		"none":                     {nil, true, "sip:alice@192.0.2.9:5060", nil},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				var record []string
				for _, r := range test.record {
					record = append(record, "Record-Route: "+r)
				}
				if test.callee {
					in := invite()
					in.headers = record
					got := s.say(in.String())
					for _, r := range record {
						require.Contains(t, strings.ReplaceAll(got[0], "\r\nRecord-Route: ", ", "), strings.Split(strings.TrimPrefix(r, "Record-Route: "), ",")[0])
					}
					s.say(ask{method: "ACK", to: toTag(got[0])}.String())
					s.invites[0].Line.Hangup("completed")
				} else {
					d, inv := s.dial(t.Context())
					ack := s.say(answerTo(inv, "200 OK", "", offer, record...))
					require.Equal(t, test.want, routes(ack[0]), "the ACK goes the same way")
					d.call.Hangup("completed")
				}
				got := s.heard()
				require.True(t, strings.HasPrefix(got[0], "BYE "+test.uri+" SIP/2.0\r\n"), got[0])
				require.Equal(t, test.want, routes(got[0]))
				s.say(reply(got[0], "200 OK", ""))
			})
		})
	}
}

// A route over TCP is taken by a call that came over UDP, and the contact a peer
// moves to is where its requests go from then on.
func TestRouteOverAnotherTransport(t *testing.T) {
	h := open(t, nil)
	proxy := listen(t)
	udp, _ := h.Addrs()
	phone := newPhone(t, udp)
	in := invite()
	in.via = "SIP/2.0/UDP " + phone.addr()
	in.headers = []string{"Record-Route: <sip:" + proxy.Addr().String() + ";transport=tcp;lr>"}
	got := phone.ask(strings.ReplaceAll(in.String(), "192.0.2.9:5060", phone.addr()))
	require.Equal(t, "200 OK", status(got))
	phone.send(ask{method: "ACK", to: toTag(got), via: in.via}.String())
	inv := <-h.invites
	var ear siptest.Ear
	inv.Line.Start(ear.Hear)
	inv.Line.Hangup("completed")
	conn, err := proxy.Accept()
	require.NoError(t, err)
	l := &line{Conn: conn, t: t}
	bye := l.hears("BYE sip:alice@", "\r\n\r\n")
	require.Contains(t, bye, "Via: SIP/2.0/TCP ")
	l.say(reply(bye, "200 OK", ""))
	require.NoError(t, conn.Close())
}

// A peer that is trying for ever to answer our offer is given up, and nothing of
// the request is left.
func TestOfferIsNeverAnswered(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		s.up(t)
		var err error
		go func() { err = s.invites[0].Call.Hold(t.Context()) }()
		s.say(reply(s.heard()[0], "100 Trying", ""))
		time.Sleep(33 * time.Second)
		synctest.Wait()
		require.ErrorIs(t, err, fault.Unavailable)
		bye := of(s.heard(), "BYE")
		require.NotEmpty(t, bye)
		s.say(reply(bye[0], "200 OK", ""))
		require.Equal(t, "failed", s.ear.Facts()[1].Reason)
		time.Sleep(time.Minute)
		_, _, clients, _, calls := sip.Held(s.e)
		require.Zero(t, clients+calls)
	})
}
