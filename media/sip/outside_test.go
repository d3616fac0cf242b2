package sip_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/media/sip"
)

// What a request outside of any call is answered with, and the header that
// answer must carry.
func TestAnswersOutsideOfCalls(t *testing.T) {
	type want struct{ status, header, contains string }
	for name, test := range map[string]struct {
		ask  ask
		want want
	}{
		"options":              {ask{method: "OPTIONS"}, want{"200 OK", "Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"}},
		"options, formats":     {ask{method: "OPTIONS"}, want{"200 OK", "Accept", "application/sdp"}},
		"options, no hops":     {ask{method: "OPTIONS", headers: []string{"Max-Forwards: 0"}}, want{"483 Too Many Hops", "", ""}},
		"invite, no hops":      {ask{method: "INVITE", headers: []string{"Max-Forwards: 0"}, body: offer}, want{"483 Too Many Hops", "", ""}},
		"unknown extension":    {ask{method: "INVITE", headers: []string{"Require: 100rel, gruu, path"}, body: offer}, want{"420 Bad Extension", "Unsupported", "gruu, path"}},
		"register":             {ask{method: "REGISTER"}, want{"405 Method Not Allowed", "Allow", "INVITE"}},
		"refer":                {ask{method: "REFER"}, want{"403 Forbidden", "", ""}},
		"no method at all":     {ask{method: "FROBNICATE"}, want{"501 Not Implemented", "Allow", "INVITE"}},
		"bye without a call":   {ask{method: "BYE"}, want{"481 Call/Transaction Does Not Exist", "", ""}},
		"telephone uri":        {ask{method: "INVITE", uri: "tel:+15551234", body: offer}, want{"416 Unsupported URI Scheme", "", ""}},
		"other body":           {ask{method: "INVITE", headers: []string{"Content-Type: text/plain"}, body: "hello"}, want{"415 Unsupported Media Type", "Accept", "application/sdp"}},
		"packed body":          {ask{method: "INVITE", headers: []string{"e: gzip"}, body: offer}, want{"415 Unsupported Media Type", "Accept-Encoding", "identity"}},
		"body without a type":  {ask{method: "INVITE", body: offer, noType: true}, want{"400 Body without Content-Type", "", ""}},
		"wants no sdp":         {ask{method: "INVITE", headers: []string{"Accept: text/html"}, body: offer}, want{"406 Not Acceptable", "Accept", "application/sdp"}},
		"no common codec":      {ask{method: "INVITE", body: strings.Replace(offer, "8 0 101", "4 18", 1)}, want{"488 Not Acceptable Here", "Warning", "304"}},
		"broken sdp":           {ask{method: "INVITE", body: "v=0\r\nm=audio x RTP/AVP 0\r\n"}, want{"488 Not Acceptable Here", "", ""}},
		"malformed":            {ask{method: "INVITE", headers: []string{"Max-Forwards: many"}, body: offer}, want{"400 Max-Forwards is not a number from 0 to 255", "", ""}},
		"newer version":        {ask{method: "OPTIONS", uri: "sip:x@y SIP/3.0 "}, want{"400 Request line is not method, URI and version with one space between", "", ""}},
		"any accept will do":   {ask{method: "INVITE", headers: []string{"Accept: text/html, */*"}, body: offer}, want{"200 OK", "Contact", "<sip:bank@192.0.2.1:5060>"}},
		"compact supported":    {ask{method: "INVITE", headers: []string{"k: timer"}, body: offer}, want{"200 OK", "Content-Type", "application/sdp"}},
		"a route that is ours": {ask{method: "INVITE", headers: []string{"Route: <sip:192.0.2.1;lr>"}, body: offer}, want{"200 OK", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				got := s.say(test.ask.String())
				require.Equal(t, []string{test.want.status}, statuses(got))
				require.Contains(t, value(got[0], test.want.header), test.want.contains)
				require.NotEqual(t, ";", toTag(got[0]), "every answer has a To tag")
			})
		})
	}
}

// The one table from kinds of trouble to codes, with Retry-After where due.
func TestRefusalTable(t *testing.T) {
	for _, test := range []struct {
		err   error
		code  int
		retry float64
	}{
		{fault.NotFound, 404, 0},
		{fault.Exhausted, 486, 10},
		{fault.Unavailable, 503, 10},
		{fault.Denied, 403, 0},
		{fault.Invalid, 400, 0},
		{fault.Conflict, 491, 0},
		{fault.Cancelled, 487, 0},
		{fault.Bug, 500, 0},
		{errors.New("nobody said what"), 500, 0},
		{fmt.Errorf("limit: %w", &sip.RetryAfter{Err: fault.Exhausted, After: 90 * time.Second}), 486, 90},
	} {
		code, reason, retry := sip.Refuse(test.err)
		require.Equal(t, test.code, code, "%v", test.err)
		require.Equal(t, test.retry, retry, "%v", test.err)
		require.NotEmpty(t, reason)
	}
}

// A full agent says when to come back, on the wire.
func TestBusyCarriesRetryAfter(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		s.answer = func(context.Context, sip.Invite) error {
			return &sip.RetryAfter{Err: fault.Exhausted, After: 1500 * time.Millisecond}
		}
		got := s.say(invite().String())
		require.Equal(t, []string{"486 Busy Here"}, statuses(got))
		require.Equal(t, "2", value(got[0], "Retry-After"))
		require.Empty(t, s.ear.Facts(), "who refused needs no fact")
	})
}

// Media that cannot be made is the server's trouble: 503.
func TestNoMedia(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		s.studio.Err = fault.Unavailable
		require.Equal(t, []string{"503 Service Unavailable"}, statuses(s.say(invite().String())))
		require.Empty(t, s.invites)
	})
}

// Draining: 503 with Retry-After to new calls and to OPTIONS.
func TestDraining(t *testing.T) {
	onStage(t, nil, func(t *testing.T, s *stage) {
		tag := s.up(t)
		s.e.Drain()
		in := invite()
		in.call = "c2"
		got := s.say(in.String())
		require.Equal(t, []string{"503 Service Unavailable"}, statuses(got))
		require.Equal(t, "10", value(got[0], "Retry-After"))
		require.Equal(t, []string{"503 Service Unavailable"}, statuses(s.say(ask{method: "OPTIONS", call: "c3"}.String())))
		require.Equal(t, []string{"200 OK"}, statuses(s.say(ask{method: "OPTIONS", cseq: 2, to: tag}.String())), "a running call lives")
	})
}

// Over its bound of transactions the endpoint refuses without keeping anything.
func TestOverload(t *testing.T) {
	onStage(t, func(o *sip.Options) { o.MaxTransactions = 1 }, func(t *testing.T, s *stage) {
		require.Equal(t, []string{"200 OK"}, statuses(s.say(ask{method: "OPTIONS"}.String())))
		got := s.say(ask{method: "OPTIONS", call: "c2", cseq: 2}.String())
		require.Equal(t, []string{"503 Service Unavailable"}, statuses(got))
		require.Equal(t, "5", value(got[0], "Retry-After"))
		time.Sleep(33 * time.Second) // timer J
		require.Equal(t, []string{"200 OK"}, statuses(s.say(ask{method: "OPTIONS", call: "c3", cseq: 3}.String())))
	})
}

// A source that is not allowed is not even read.
func TestAllow(t *testing.T) {
	onStage(t, func(o *sip.Options) {
		o.Allow = func(a netip.Addr) bool { return a != phone().Addr() }
	}, func(t *testing.T, s *stage) {
		require.Empty(t, s.say(ask{method: "OPTIONS"}.String()))
		require.Equal(t, uint64(1), s.e.Stats().Dropped)
	})
}

// Where an answer goes: the port of sent-by, or with rport where it came from;
// received tells a sender behind a NAT its address (RFC 3261 18.2, RFC 3581).
func TestWhereAnswersGo(t *testing.T) {
	for name, test := range map[string]struct{ via, wantVia, to string }{
		"as sent-by says":   {"SIP/2.0/UDP 192.0.2.9:5999", "SIP/2.0/UDP 192.0.2.9:5999;branch=z9hG4bKx", "192.0.2.9:5999"},
		"default port":      {"SIP/2.0/UDP 192.0.2.9", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx", "192.0.2.9:5060"},
		"behind a nat":      {"SIP/2.0/UDP 10.0.0.7:7777", "SIP/2.0/UDP 10.0.0.7:7777;branch=z9hG4bKx;received=192.0.2.9", "192.0.2.9:7777"},
		"nat with rport":    {"SIP/2.0/UDP 10.0.0.7:7777;rport", "SIP/2.0/UDP 10.0.0.7:7777;rport=5060;branch=z9hG4bKx;received=192.0.2.9", "192.0.2.9:5060"},
		"a name":            {"SIP/2.0/UDP pc.example.com", "SIP/2.0/UDP pc.example.com;branch=z9hG4bKx;received=192.0.2.9", "192.0.2.9:5060"},
		"written with case": {"sip/2.0/udp 192.0.2.9;RPORT", "sip/2.0/udp 192.0.2.9;rport=5060;branch=z9hG4bKx;received=192.0.2.9", "192.0.2.9:5060"},
	} {
		for _, broken := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, refused by the guard %v", name, broken), func(t *testing.T) {
				onStage(t, nil, func(t *testing.T, s *stage) {
					a := ask{method: "OPTIONS", via: test.via, branch: "x"}
					if broken {
						a.headers = []string{"Date: yesterday"}
					}
					s.in <- []byte(a.String())
					time.Sleep(time.Millisecond)
					s.mu.Lock()
					got := s.sent[0]
					s.mu.Unlock()
					require.Equal(t, test.to, got.to.String())
					if broken {
						require.Equal(t, "400 Malformed Date", status(got.text))
					}
					require.ElementsMatch(t, strings.Split(test.wantVia, ";"), strings.Split(value(got.text, "Via"), ";"))
				})
			})
		}
	}
}

// Requests of ours go where the dialog says: by the route set, to the Contact,
// or back to where the caller came from when it is behind a NAT.
func TestWhereRequestsGo(t *testing.T) {
	for name, test := range map[string]struct {
		contact, route string
		line, routeOut string
		to             string
	}{
		"to the contact": {"<sip:alice@192.0.2.9:6000>", "", "BYE sip:alice@192.0.2.9:6000 SIP/2.0", "", "192.0.2.9:6000"},
		"elsewhere":      {"<sip:alice@198.51.100.7>", "", "BYE sip:alice@198.51.100.7 SIP/2.0", "", "198.51.100.7:5060"},
		"behind a nat":   {"<sip:alice@10.1.2.3:6000>", "", "BYE sip:alice@10.1.2.3:6000 SIP/2.0", "", "192.0.2.9:5060"},
		"a name":         {"<sip:alice@pc.example.com>", "", "BYE sip:alice@pc.example.com SIP/2.0", "", "192.0.2.9:5060"},
		"by a proxy":     {"<sip:alice@198.51.100.7>", "<sip:203.0.113.1;lr>", "BYE sip:alice@198.51.100.7 SIP/2.0", "<sip:203.0.113.1;lr>", "203.0.113.1:5060"},
		"strict router":  {"<sip:alice@198.51.100.7>", "<sip:203.0.113.1>", "BYE sip:203.0.113.1 SIP/2.0", "<sip:alice@198.51.100.7>", "203.0.113.1:5060"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, nil, func(t *testing.T, s *stage) {
				text := strings.Replace(invite().String(), "<sip:alice@192.0.2.9:5060>", test.contact, 1)
				if test.route != "" {
					text = strings.Replace(text, "Content-Type", "Record-Route: "+test.route+"\r\nContent-Type", 1)
				}
				got := s.say(text)
				require.Equal(t, test.route, value(got[0], "Record-Route"))
				s.say(ask{method: "ACK", to: toTag(got[0])}.String())
				s.invites[0].Line.Hangup("completed")
				time.Sleep(time.Millisecond)
				s.mu.Lock()
				bye := s.sent[0]
				s.mu.Unlock()
				require.Equal(t, test.line, status(bye.text))
				require.Equal(t, test.routeOut, value(bye.text, "Route"))
				require.Equal(t, test.to, bye.to.String())
			})
		})
	}
}
