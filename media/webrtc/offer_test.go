package webrtc

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
)

// chromium's offer of a call with sound alone, shortened.
const offer = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=extmap-allow-mixed\r\n" +
	"a=msid-semantic: WMS stream\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n" +
	"a=ice-ufrag:Vjbp\r\na=ice-pwd:rJ4mQ4pWkH5Oc7lqJXWz0oNu\r\na=ice-options:trickle\r\n" +
	"a=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r\n" +
	"a=setup:actpass\r\na=mid:0\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendrecv\r\na=msid:stream track\r\na=rtcp-mux\r\na=rtcp-rsize\r\n" +
	"a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n" +
	"a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n" +
	"a=rtpmap:126 telephone-event/8000\r\na=ssrc:3735928559 cname:x\r\na=ssrc:3735928559 msid:stream track\r\n"

// badOffers are what may come in the place of an offer, by what is wrong with it,
// with a word of the answer.
func badOffers() map[string]struct{ sdp, says string } {
	without := func(s string) string { return strings.Replace(offer, s, "", 1) }
	instead := func(a, b string) string { return strings.Replace(offer, a, b, 1) }
	return map[string]struct{ sdp, says string }{
		"nothing at all":              {"", "microphone"},
		"junk":                        {"\x00\x01\x02 this is no offer", "SDP"},
		"JSON":                        {`{"type":"offer"}`, "SDP"},
		"no media":                    {offer[:strings.Index(offer, "m=audio")], "microphone"},
		"a film instead":              {instead("m=audio", "m=video"), "video"},
		"a film beside":               {offer + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n", "nothing else"},
		"a data channel beside":       {offer + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n", "nothing else"},
		"two lines of sound":          {offer + offer[strings.Index(offer, "m=audio"):], "nothing else"},
		"sound that is switched off":  {instead("m=audio 9", "m=audio 0"), "port"},
		"plain RTP":                   {instead("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "SAVPF"},
		"no Opus":                     {without("a=rtpmap:111 opus/48000/2\r\n"), "Opus"},
		"Opus that is not in m=":      {instead("SAVPF 111", "SAVPF 112"), "Opus"},
		"no name for ICE":             {without("a=ice-ufrag:Vjbp\r\n"), "ice-ufrag"},
		"a short password":            {instead("rJ4mQ4pWkH5Oc7lqJXWz0oNu", "hush"), "ice-pwd"},
		"no certificate":              {without(offer[strings.Index(offer, "a=fingerprint"):strings.Index(offer, "a=setup")]), "fingerprint"},
		"a certificate by SHA-1":      {instead("sha-256", "sha-1"), "fingerprint"},
		"reports on another port":     {without("a=rtcp-mux\r\n"), "rtcp-mux"},
		"a peer that only listens":    {instead("a=sendrecv", "a=recvonly"), "both ways"},
		"a peer that does neither":    {instead("a=sendrecv", "a=inactive"), "both ways"},
		"a part that nobody plays":    {instead("a=setup:actpass", "a=setup:holdconn"), "setup"},
		"a candidate that is none":    {offer + "a=candidate:1 1 udp nobody\r\n", "candidate"},
		"more candidates than a sane": {offer + strings.Repeat("a=candidate:1 1 udp 2122260223 192.0.2.1 9 typ host\r\n", mostCandidate+1), "candidates"},
		"too long":                    {offer + "a=x:" + strings.Repeat("y", MaxOffer) + "\r\n", "bytes"},
		"a long format":               {instead("a=fmtp:111 ", "a=fmtp:111 "+strings.Repeat("z", 300)), "fmtp"},
	}
}

func TestAnOfferThatIsNoneOfACallIsRefusedWithWhatToDo(t *testing.T) {
	for name, c := range badOffers() {
		t.Run(name, func(t *testing.T) {
			_, err := readOffer(c.sdp)
			require.ErrorIs(t, err, fault.Invalid)
			require.ErrorContains(t, err, c.says)
			require.Less(t, len(err.Error()), 400, "a refusal does not send the offer back")
		})
	}
}

func TestABrowsersOfferIsRead(t *testing.T) {
	got, err := readOffer(offer)
	require.NoError(t, err)
	require.Equal(t, terms{opus: 111, format: "minptime=10;useinbandfec=1", events: 110, eventsHz: 48000}, got)
}

func TestCandidatesAreTakenOutOfAnOffer(t *testing.T) {
	with := strings.Replace(offer, "a=setup", "a=candidate:1 1 udp 2122260223 192.0.2.1 9 typ host\r\na=end-of-candidates\r\na=setup", 1)
	require.Equal(t, offer, withoutCandidates(with))
}

// FuzzOffer: whatever comes, it is an offer or refused; what is read can be
// given to a peer without a panic.
func FuzzOffer(f *testing.F) {
	f.Add(offer)
	for _, c := range badOffers() {
		f.Add(c.sdp)
	}
	s := serve(f, Options{})
	f.Fuzz(func(t *testing.T, text string) {
		read, err := readOffer(text)
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
			return
		}
		require.NotZero(t, read.opus)
		p, err := s.Answer(t.Context(), text, Watcher{})
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
			return
		}
		require.NoError(t, p.Leg().Close())
	})
}

// FuzzCandidate: whatever comes, it is a candidate or refused.
func FuzzCandidate(f *testing.F) {
	for _, s := range []string{
		"candidate:1 1 udp 2122260223 192.0.2.1 9 typ host", "candidate:842163049 1 tcp 1518280447 10.0.0.1 9 typ host tcptype active",
		"candidate:1 1 udp 1 ab.local 9 typ host", "candidate:", "candidate:1 1 udp 1 ::1 70000 typ relay raddr 0.0.0.0 rport 0", "\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := checkCandidate(text); err != nil {
			require.ErrorIs(t, err, fault.Invalid)
		}
	})
}
