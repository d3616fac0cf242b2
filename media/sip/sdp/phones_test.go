package sdp_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/media/sip/sdp"
)

// Offers in the shape phones and carriers send them, and the whole answer each
// gets. Attributes of ICE, bundling and feedback are read over; the key of our
// answer stands for whatever the caller of this package makes.
func TestAnswersToPhones(t *testing.T) {
	const (
		plain   = "plain"
		sealing = "sealing"
	)
	for name, test := range map[string]struct {
		policy string
		offer  []string
		answer []string // from the first m= on
	}{
		"linphone: opus, old codecs, its own fmtp": {
			plain,
			[]string{
				"v=0", "o=alice 1273 3212 IN IP4 192.0.2.9", "s=Talk", "c=IN IP4 192.0.2.9", "t=0 0",
				"a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics",
				"a=record:off", "m=audio 7078 RTP/AVPF 96 97 98 0 8 18 101 99",
				"a=rtpmap:96 opus/48000/2", "a=fmtp:96 useinbandfec=1", "a=rtpmap:97 speex/16000", "a=fmtp:97 vbr=on",
				"a=rtpmap:98 speex/8000", "a=fmtp:98 vbr=on", "a=fmtp:18 annexb=yes",
				"a=rtpmap:101 telephone-event/48000", "a=rtpmap:99 telephone-event/8000",
				"a=rtcp-fb:* trr-int 1000", "a=rtcp-fb:* ccm tmmbr",
			},
			[]string{
				"m=audio 20000 RTP/AVPF 96 101", "a=rtpmap:96 opus/48000/2", opusFormat(96),
				"a=rtpmap:101 telephone-event/48000", "a=fmtp:101 0-15", "a=ptime:20", "a=sendrecv",
			},
		},
		"baresip: opus last, SDES optional": {
			sealing,
			[]string{
				"v=0", "o=- 3849275 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0", "a=tool:baresip 1.0.0",
				"m=audio 10020 RTP/AVP 0 8 9 101", "b=AS:125", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:9 G722/8000",
				"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=rtcp:10021", "a=label:1",
				"a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:unfit", "a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:fit|2^31",
				"a=sendrecv", "a=ssrc:1422 cname:sip:alice@192.0.2.9", "a=rtcp-mux", "a=ptime:20", "a=minptime:10",
			},
			[]string{
				"m=audio 20000 RTP/AVP 9 101", "a=rtpmap:9 G722/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15",
				"a=crypto:OURS", "a=rtcp-mux", "a=ptime:20", "a=sendrecv",
			},
		},
		"desk phone with video: savp and avp beside each other": {
			sealing,
			[]string{
				"v=0", "o=Z 0 0 IN IP4 192.0.2.9", "s=Z", "c=IN IP4 192.0.2.9", "t=0 0",
				"m=audio 8000 RTP/AVP 3 0 8 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16",
				"m=audio 8002 RTP/SAVP 3 0 8 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=crypto:1 X inline:fit",
				"m=video 8004 RTP/AVP 99", "a=rtpmap:99 H264/90000",
			},
			[]string{
				"m=audio 0 RTP/AVP 3", "m=audio 20000 RTP/SAVP 0 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15",
				"a=crypto:OURS", "a=ptime:20", "a=sendrecv", "m=video 0 RTP/AVP 99",
			},
		},
		"gateway of an old network: comfort noise, 30 ms, x-attributes": {
			plain,
			[]string{
				"v=0", "o=Gateway-Agent 7233 5234 IN IP4 192.0.2.9", "s=SIP Call", "c=IN IP4 192.0.2.9", "t=0 0",
				"m=audio 16604 RTP/AVP 18 8 0 13 101", "c=IN IP4 192.0.2.10", "a=rtpmap:18 G729/8000", "a=fmtp:18 annexb=no",
				"a=rtpmap:8 PCMA/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:13 CN/8000", "a=rtpmap:101 telephone-event/8000",
				"a=fmtp:101 0-15", "a=ptime:30", "a=X-sqn:0", "a=X-cap: 1 image udptl t38",
			},
			[]string{
				"m=audio 20000 RTP/AVP 8 13 101", "a=rtpmap:8 PCMA/8000", "a=rtpmap:13 CN/8000",
				"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", "a=sendrecv",
			},
		},
		"PBX: g722 second, maxptime, t.38 beside": {
			plain,
			[]string{
				"v=0", "o=- 1820 1820 IN IP4 192.0.2.9", "s=PBX", "c=IN IP4 192.0.2.9", "t=0 0",
				"m=audio 14236 RTP/AVP 8 9 0 3 101", "a=rtpmap:8 PCMA/8000", "a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:3 GSM/8000",
				"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:20", "a=maxptime:150", "a=sendrecv",
				"m=image 14238 udptl t38", "a=T38FaxVersion:0",
			},
			[]string{
				"m=audio 20000 RTP/AVP 9 101", "a=rtpmap:9 G722/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15",
				"a=ptime:20", "a=sendrecv", "m=image 0 udptl t38",
			},
		},
		"switch: rtpmaps without need, 40 ms, sendonly": {
			plain,
			[]string{
				"v=0", "o=Switch 1668 1669 IN IP6 2001:db8::9", "s=Switch", "c=IN IP6 2001:db8::9", "t=0 0",
				"m=audio 21484 RTP/AVP 102 0 103 104", "a=rtpmap:102 opus/48000/2", "a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40",
				"a=rtpmap:0 PCMU/8000", "a=rtpmap:103 telephone-event/48000", "a=fmtp:103 0-15", "a=rtpmap:104 telephone-event/8000", "a=fmtp:104 0-15",
				"a=ptime:40", "a=sendonly",
			},
			[]string{
				"m=audio 20000 RTP/AVP 102 103", "a=rtpmap:102 opus/48000/2", opusFormat(102), "a=rtpmap:103 telephone-event/48000", "a=fmtp:103 0-15",
				"a=ptime:20", "a=recvonly",
			},
		},
		"carrier: G.711 alone": {
			plain,
			[]string{
				"v=0", "o=root 1925 1925 IN IP4 192.0.2.9", "s=Media Gateway", "c=IN IP4 192.0.2.9", "t=0 0",
				"m=audio 12834 RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16",
				"a=ptime:20", "a=maxptime:150", "a=sendrecv",
			},
			[]string{
				"m=audio 20000 RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15",
				"a=ptime:20", "a=sendrecv",
			},
		},
		"office suite: SAVP alone, ICE, wide events": {
			sealing,
			[]string{
				"v=0", "o=- 1123 0 IN IP4 192.0.2.9", "s=session", "c=IN IP4 192.0.2.9", "b=CT:1000", "t=0 0",
				"m=audio 52338 RTP/SAVP 111 103 104 9 0 8 97 13 118 101", "c=IN IP4 192.0.2.9", "a=rtcp:52339",
				"a=ice-ufrag:zB1e", "a=ice-pwd:Cs2qNpHXXDWmTzMGIMSpyVk8", "a=candidate:1 1 UDP 2130706431 192.0.2.9 52338 typ srflx raddr 10.0.0.1 rport 50000",
				"a=candidate:1 2 UDP 2130705918 192.0.2.9 52339 typ srflx", "a=label:main-audio", "a=mid:1",
				"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:fit|2^31", "a=sendrecv",
				"a=rtpmap:111 SILK/16000", "a=rtpmap:103 SILK/8000", "a=rtpmap:104 SILK/16000", "a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000",
				"a=rtpmap:8 PCMA/8000", "a=rtpmap:97 RED/8000", "a=rtpmap:13 CN/8000", "a=rtpmap:118 CN/16000", "a=rtpmap:101 telephone-event/8000",
				"a=fmtp:101 0-16", "a=ptime:20",
			},
			[]string{
				"m=audio 20000 RTP/SAVP 9 13 101", "a=rtpmap:9 G722/8000", "a=rtpmap:13 CN/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15",
				"a=crypto:OURS", "a=ptime:20", "a=sendrecv",
			},
		},
		"browser: DTLS, bundle of audio and video": {
			sealing,
			[]string{
				"v=0", "o=- 4611 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1", "a=fingerprint:SHA-256 ab:cd", "a=setup:actpass",
				"m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
				"a=ice-ufrag:Vx", "a=ice-pwd:yh", "a=ice-options:trickle", "a=mid:0", "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
				"a=sendrecv", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc", "a=fmtp:111 minptime=10;useinbandfec=1",
				"a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111", "a=rtpmap:110 telephone-event/48000", "a=rtpmap:126 telephone-event/8000",
				"a=ssrc:36 cname:x", "m=video 9 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=rtpmap:96 VP8/90000",
			},
			[]string{
				"m=audio 20000 UDP/TLS/RTP/SAVPF 111 110", "a=rtpmap:111 opus/48000/2", opusFormat(111), "a=rtpmap:110 telephone-event/48000", "a=fmtp:110 0-15",
				"a=setup:active", "a=fingerprint:sha-256 OURS", "a=rtcp-mux", "a=ptime:20", "a=recvonly", "m=video 0 UDP/TLS/RTP/SAVPF 96",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			offer, err := sdp.Parse([]byte(strings.Join(test.offer, "\r\n") + "\r\n"))
			require.NoError(t, err)
			l := ours()
			if test.policy == sealing {
				l.Policy, l.Crypto = sealed(sdp.SealOptional), []string{"OURS"}
			}
			c, err := sdp.Negotiate(offer, l.Policy)
			require.NoError(t, err)
			answer := string(sdp.Answer(offer, c, l))
			_, media, _ := strings.Cut(answer, "t=0 0\r\n")
			require.Equal(t, test.answer, strings.Split(strings.TrimSuffix(media, "\r\n"), "\r\n"))
			require.True(t, strings.HasPrefix(answer, "v=0\r\no=- 7 3 IN IP4 198.51.100.1\r\n"))
		})
	}
}

func opusFormat(pt int) string {
	return "a=fmtp:" + map[int]string{96: "96", 102: "102", 111: "111"}[pt] +
		" maxplaybackrate=16000;sprop-maxcapturerate=16000;stereo=0;useinbandfec=1;usedtx=1"
}

// sealed is a policy whose SDES takes any line with a key that says fit.
func sealed(s sdp.Sealing) sdp.Policy {
	return sdp.Policy{Seal: s, Mux: true, Fingerprint: "sha-256 OURS", Pick: func(lines []string) int {
		for i, line := range lines {
			if strings.Contains(line, "inline:fit") {
				return i
			}
		}
		return -1
	}}
}

// Which streams are taken under which policy.
func TestSealing(t *testing.T) {
	const (
		avp  = "m=audio 4000 RTP/AVP 0\r\n"
		savp = "m=audio 4000 RTP/SAVP 0\r\n"
		tls  = "m=audio 4000 UDP/TLS/RTP/SAVP 0\r\n"
		key  = "a=crypto:1 S inline:fit\r\n"
		bad  = "a=crypto:1 S inline:unknown\r\n"
		cert = "a=fingerprint:sha-256 AA\r\na=setup:actpass\r\n"
	)
	for name, test := range map[string]struct{ off, optional, required, streams string }{
		"plain":                        {"plain", "plain", "no", avp},
		"plain with keys":              {"plain", "sdes", "sdes", avp + key},
		"plain with keys of strangers": {"plain", "plain", "no", avp + bad},
		"plain with a certificate":     {"plain", "dtls", "dtls", avp + cert},
		"sealed":                       {"no", "sdes", "sdes", savp + key},
		"sealed by strangers' keys":    {"no", "no", "no", savp + bad},
		"sealed without keys":          {"no", "no", "no", savp},
		"sealed, both ways to do it":   {"no", "sdes", "sdes", savp + key + cert},
		"DTLS":                         {"no", "dtls", "dtls", tls + cert},
		"DTLS whose keys are SDES":     {"no", "no", "no", tls + key},
		"another profile":              {"no", "no", "no", "m=audio 4000 TCP/RTP/AVP 0\r\n"},
	} {
		s, err := sdp.Parse([]byte(head + test.streams))
		require.NoError(t, err, name)
		for seal, want := range map[sdp.Sealing]string{sdp.SealOff: test.off, sdp.SealOptional: test.optional, sdp.SealRequired: test.required} {
			c, err := sdp.Negotiate(s, sealed(seal))
			got := "plain"
			switch {
			case err != nil:
				got = "no"
			case c.Crypto != "":
				got = "sdes"
			case c.Fingerprint != "":
				got = "dtls"
			}
			require.Equal(t, want, got, "%s, sealing %s", name, seal)
		}
	}
}

// Who begins the handshake (RFC 5763 5).
func TestDTLSRoles(t *testing.T) {
	for setup, active := range map[string]bool{"actpass": true, "passive": true, "active": false, "": true} {
		text := head + "a=fingerprint:sha-256 AA\r\nm=audio 4000 UDP/TLS/RTP/SAVP 0\r\n"
		if setup != "" {
			text += "a=setup:" + setup + "\r\n"
		}
		s, err := sdp.Parse([]byte(text))
		require.NoError(t, err)
		c, err := sdp.Negotiate(s, sealed(sdp.SealOptional))
		require.NoError(t, err)
		require.Equal(t, active, c.Active, setup)
	}
}

// Our order decides, and between the laws of G.711 theirs unless ours is given.
func TestPreference(t *testing.T) {
	const all = "m=audio 4000 RTP/AVP 8 0 9 96\r\na=rtpmap:96 opus/48000/2\r\n"
	for name, test := range map[string]struct {
		ours []string
		want string
	}{
		"wide first":          {nil, "opus"},
		"a list of ours":      {[]string{"PCMU", "PCMA", "opus"}, "PCMU"},
		"one codec":           {[]string{"G722"}, "G722"},
		"what they have less": {[]string{"PCMA", "PCMU"}, "PCMA"},
	} {
		s, err := sdp.Parse([]byte(head + all))
		require.NoError(t, err)
		c, err := sdp.Negotiate(s, sdp.Policy{Codecs: test.ours})
		require.NoError(t, err)
		require.Equal(t, test.want, c.Codec, name)
		// An answer is read as it stands: its first codec is the one they send.
		c, err = sdp.Settle(s, 0, sdp.Policy{Codecs: test.ours})
		require.NoError(t, err)
		if test.ours == nil {
			require.Equal(t, "PCMA", c.Codec, name)
		}
	}
	for name, line := range map[string]string{
		"opus of one channel": "a=rtpmap:96 opus/48000\r\n", "opus at 16000": "a=rtpmap:96 opus/16000/2\r\n", "wide G722": "a=rtpmap:96 G722/16000\r\n",
	} {
		s, err := sdp.Parse([]byte(head + "m=audio 4000 RTP/AVP 96\r\n" + line))
		require.NoError(t, err)
		_, err = sdp.Negotiate(s, sdp.Policy{})
		require.Error(t, err, name)
	}
}

// Where RTCP goes.
func TestControlPort(t *testing.T) {
	for lines, want := range map[string]uint16{"": 4001, "a=rtcp:5000 IN IP4 192.0.2.9\r\n": 5000, "a=rtcp-mux\r\na=rtcp:5000\r\n": 4000} {
		s, err := sdp.Parse([]byte(head + "m=audio 4000 RTP/AVP 0\r\n" + lines))
		require.NoError(t, err)
		c, err := sdp.Negotiate(s, sdp.Policy{Mux: true})
		require.NoError(t, err)
		require.Equal(t, want, c.RTCPPort, lines)
	}
	s, err := sdp.Parse([]byte(head + "m=audio 4000 RTP/AVP 0\r\na=rtcp-mux\r\n"))
	require.NoError(t, err)
	c, err := sdp.Negotiate(s, sdp.Policy{})
	require.NoError(t, err)
	require.False(t, c.Mux, "we promise only what our media can")
	require.NotContains(t, string(sdp.Answer(s, c, ours())), "mux")
}

// Our own offers, and that we can answer and settle them ourselves.
func TestOurOffers(t *testing.T) {
	for name, test := range map[string]struct {
		policy sdp.Policy
		crypto []string
		want   []string
		not    string
	}{
		"everything": {sdp.Policy{}, nil, []string{"m=audio 20000 RTP/AVP 111 9 0 8 101 110\r\n", "a=rtpmap:111 opus/48000/2\r\n", "a=rtpmap:9 G722/8000\r\n", "a=rtpmap:110 telephone-event/48000\r\n"}, "crypto"},
		"noise":      {sdp.Policy{Codecs: []string{"PCMA"}, Noise: true}, nil, []string{"m=audio 20000 RTP/AVP 8 13 101\r\n", "a=rtpmap:13 CN/8000\r\n"}, "48000"},
		"best effort": {
			sealed(sdp.SealOptional),
			[]string{"1 S inline:fit"},
			[]string{"RTP/AVP 111", "a=crypto:1 S inline:fit\r\n", "a=rtcp-mux\r\n"},
			"SAVP",
		},
		"sealed":         {sealed(sdp.SealRequired), []string{"1 S inline:fit"}, []string{"RTP/SAVP 111", "a=crypto:1 S inline:fit\r\n"}, "fingerprint"},
		"sealed by DTLS": {sealed(sdp.SealRequired), nil, []string{"UDP/TLS/RTP/SAVP 111", "a=setup:actpass\r\n", "a=fingerprint:sha-256 OURS\r\n"}, "crypto"},
	} {
		t.Run(name, func(t *testing.T) {
			l := ours()
			l.Policy, l.Crypto = test.policy, test.crypto
			text := string(sdp.Offer(sdp.SendRecv, l))
			for _, want := range test.want {
				require.Contains(t, text, want)
			}
			require.NotContains(t, text, test.not)
			offer, err := sdp.Parse([]byte(text))
			require.NoError(t, err)
			there, err := sdp.Negotiate(offer, l.Policy)
			require.NoError(t, err)
			answer, err := sdp.Parse(sdp.Answer(offer, there, l))
			require.NoError(t, err)
			here, err := sdp.Settle(answer, 0, l.Policy)
			require.NoError(t, err)
			require.Equal(t, there.Codec, here.Codec)
			require.Equal(t, there.Crypto != "", here.Crypto != "")
			if here.Fingerprint != "" {
				require.NotEqual(t, there.Active, here.Active, "one side begins, the other waits")
			}
			first, shape := sdp.Offered(l)
			require.Len(t, shape.Streams, 1)
			require.Equal(t, there.Codec, first.Codec)
		})
	}
}
