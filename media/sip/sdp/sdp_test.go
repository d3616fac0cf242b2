package sdp_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/media/sip/sdp"
)

const head = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"

func ours() sdp.Local {
	return sdp.Local{ID: 7, Version: 3, Addr: netip.MustParseAddr("198.51.100.1"), Port: 20000}
}

// What an offer leads to: the first codec of ours in the offer's order, and the
// answer with as many streams as the offer.
func TestNegotiate(t *testing.T) {
	for name, test := range map[string]struct {
		streams string
		codec   string
		pt      uint8
		dtmf    uint8
		ptime   int
		answer  string // the m= lines of ours
	}{
		"mu-law, nothing said":      {"m=audio 4000 RTP/AVP 0\r\n", "PCMU", 0, 255, 20, "m=audio 20000 RTP/AVP 0"},
		"the offer's order":         {"m=audio 4000 RTP/AVP 18 8 0\r\n", "PCMA", 8, 255, 20, "m=audio 20000 RTP/AVP 8"},
		"a dynamic type":            {"m=audio 4000 RTP/AVP 97 96\r\na=rtpmap:97 G729/8000\r\na=rtpmap:96 pcmu/8000/1\r\n", "PCMU", 96, 255, 20, "m=audio 20000 RTP/AVP 96"},
		"events at 8000":            {"m=audio 4000 RTP/AVP 0 96 97\r\na=rtpmap:96 telephone-event/48000\r\na=rtpmap:97 telephone-event/8000\r\n", "PCMU", 0, 97, 20, "m=audio 20000 RTP/AVP 0 97"},
		"zero mapped to another":    {"m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 G729/8000\r\n", "PCMA", 8, 255, 20, "m=audio 20000 RTP/AVP 8"},
		"packets of 10 ms":          {"m=audio 4000 RTP/AVP 0\r\na=ptime:10\r\n", "PCMU", 0, 255, 10, "m=audio 20000 RTP/AVP 0"},
		"packets of 60 ms":          {"m=audio 4000 RTP/AVP 0\r\na=ptime:60.0\r\n", "PCMU", 0, 255, 60, "m=audio 20000 RTP/AVP 0"},
		"packets too long":          {"m=audio 4000 RTP/AVP 0\r\na=ptime:200\r\n", "PCMU", 0, 255, 20, "m=audio 20000 RTP/AVP 0"},
		"video before audio":        {"m=video 4002 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 0\r\n", "PCMU", 0, 255, 20, "m=video 0 RTP/AVP 31 m=audio 20000 RTP/AVP 0"},
		"secure first, plain after": {"m=audio 4002 RTP/SAVP 0\r\nm=audio 4000 RTP/AVP 0\r\n", "PCMU", 0, 255, 20, "m=audio 0 RTP/SAVP 0 m=audio 20000 RTP/AVP 0"},
		"with feedback":             {"m=audio 4000 RTP/AVPF 0\r\n", "PCMU", 0, 255, 20, "m=audio 20000 RTP/AVPF 0"},
		"two audio streams":         {"m=audio 4000 RTP/AVP 18\r\nm=audio 4002 RTP/AVP 8\r\nm=audio 4004 RTP/AVP 0\r\n", "PCMA", 8, 255, 20, "m=audio 0 RTP/AVP 18 m=audio 20000 RTP/AVP 8 m=audio 0 RTP/AVP 0"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sdp.Parse([]byte(head + test.streams))
			require.NoError(t, err)
			c, err := sdp.Negotiate(s, sdp.Policy{})
			require.NoError(t, err)
			require.Equal(t, test.codec, c.Codec)
			require.Equal(t, test.pt, c.PayloadType)
			require.Equal(t, test.dtmf, c.DTMFType)
			require.Equal(t, test.ptime, c.PtimeMS)
			answer := string(sdp.Answer(s, c, ours()))
			var m []string
			for line := range strings.SplitSeq(answer, "\r\n") {
				if strings.HasPrefix(line, "m=") {
					m = append(m, line)
				}
			}
			require.Equal(t, test.answer, strings.Join(m, " "))
			require.Contains(t, answer, "o=- 7 3 IN IP4 198.51.100.1\r\n")
			require.Contains(t, answer, "a=ptime:20\r\na=sendrecv\r\n")
			back, err := sdp.Parse([]byte(answer))
			require.NoError(t, err)
			_, err = sdp.Settle(back, c.Index, sdp.Policy{})
			require.NoError(t, err, "the other side can read our answer")
		})
	}
}

// Offers without a stream we can do are refused: 488.
func TestNothingInCommon(t *testing.T) {
	for name, streams := range map[string]string{
		"no stream":           "",
		"other codecs":        "m=audio 4000 RTP/AVP 4 18\r\n",
		"switched off":        "m=audio 0 RTP/AVP 0\r\n",
		"only secure":         "m=audio 4000 RTP/SAVP 0\r\n",
		"only video":          "m=video 4000 RTP/AVP 0\r\n",
		"wide band":           "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMU/16000\r\n",
		"stereo":              "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000/2\r\n",
		"packets under 20 ms": "m=audio 4000 RTP/AVP 0\r\na=maxptime:10\r\n",
	} {
		s, err := sdp.Parse([]byte(head + streams))
		require.NoError(t, err, name)
		_, err = sdp.Negotiate(s, sdp.Policy{})
		require.ErrorIs(t, err, fault.Invalid, name)
	}
}

// Our direction for each of theirs, and for the address that means hold (RFC 3264 6.1, 8.4).
func TestDirections(t *testing.T) {
	for _, test := range []struct {
		session, host, stream string
		want                  sdp.Direction
	}{
		{"", "192.0.2.9", "", sdp.SendRecv},
		{"", "192.0.2.9", "sendonly", sdp.RecvOnly},
		{"", "192.0.2.9", "recvonly", sdp.SendOnly},
		{"", "192.0.2.9", "inactive", sdp.Inactive},
		{"sendonly", "192.0.2.9", "", sdp.RecvOnly},
		{"sendonly", "192.0.2.9", "sendrecv", sdp.SendRecv},
		{"", "0.0.0.0", "", sdp.RecvOnly},
		{"", "0.0.0.0", "sendonly", sdp.RecvOnly},
		{"", "0.0.0.0", "recvonly", sdp.Inactive},
		{"", "0.0.0.0", "inactive", sdp.Inactive},
	} {
		text := "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n"
		if test.session != "" {
			text += "a=" + test.session + "\r\n"
		}
		text += "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 " + test.host + "\r\n"
		if test.stream != "" {
			text += "a=" + test.stream + "\r\n"
		}
		s, err := sdp.Parse([]byte(text))
		require.NoError(t, err)
		c, err := sdp.Negotiate(s, sdp.Policy{})
		require.NoError(t, err)
		require.Equal(t, test.want, c.Direction, "%+v", test)
	}
}

// Where the peer wants its packets.
func TestRemote(t *testing.T) {
	for host, want := range map[string]string{
		"IP4 192.0.2.9":        "192.0.2.9:4000",
		"IP4 224.2.1.1/127":    "224.2.1.1:4000",
		"IP6 2001:db8::1":      "[2001:db8::1]:4000",
		"IP6 ::ffff:192.0.2.9": "192.0.2.9:4000",
		"IP4 pc.example.com":   "invalid AddrPort",
	} {
		s, err := sdp.Parse([]byte("v=0\ns=-\nt=0 0\nm=audio 4000/2 RTP/AVP 0\nc=IN " + host + "\n"))
		require.NoError(t, err, host)
		c, err := sdp.Negotiate(s, sdp.Policy{})
		require.NoError(t, err, host)
		require.Equal(t, want, c.Remote.String(), host)
		require.Equal(t, uint16(4000), c.Remote.Port(), host)
	}
}

// An error says which line is wrong and how.
func TestMalformed(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":              {"", "no v= line"},
		"no version":           {"o=- 1 1 IN IP4 x\r\n", "line 1: o= before v="},
		"other version":        {"v=1\r\n", `line 1: v="1", want 0`},
		"not a line":           {"v=0\r\nhello\r\n", "line 2: not key=value"},
		"origin too short":     {"v=0\r\no=- 1 1\r\n", "line 2: o= has 3 fields, want 6"},
		"port of words":        {head + "m=audio many RTP/AVP 0\r\n", `line 6: m= port "many"`},
		"port too high":        {head + "m=audio 65536 RTP/AVP 0\r\n", `line 6: m= port "65536"`},
		"stream without codec": {head + "m=audio 4000 RTP/AVP\r\n", "line 6: m= has 3 fields"},
		"address of atm":       {"v=0\r\nc=ATM NSAP 47\r\n", "line 2: c= is not IN IP4"},
		"address with a zone":  {"v=0\r\nc=IN IP6 fe80::1%eth0\r\n", "line 2: c= has a zone"},
		"map without a name":   {head + "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0\r\n", "line 7: a=rtpmap has no encoding"},
		"map of type 128":      {head + "m=audio 4000 RTP/AVP 0\r\na=rtpmap:128 X/8000\r\n", `line 7: a=rtpmap payload type "128"`},
		"time of words":        {head + "m=audio 4000 RTP/AVP 0\r\na=ptime:NaN\r\n", `line 7: a=ptime "NaN"`},
		"no address":           {"v=0\r\nm=audio 4000 RTP/AVP 0\r\n", "stream 1: no c= line"},
		"too many streams":     {head + strings.Repeat("m=audio 0 RTP/AVP 0\r\n", 17), "line 22: more than 16 streams"},
		"too many formats":     {head + "m=audio 4000 RTP/AVP" + strings.Repeat(" 0", 65) + "\r\n", "m= has 65 formats, most 64"},
		"too many lines":       {"v=0\r\n" + strings.Repeat("a=x\r\n", 1100), "lines, most 1024"},
		"too many bytes":       {"v=0\r\ns=" + strings.Repeat("x", 16<<10), "bytes, most 16384"},
	} {
		_, err := sdp.Parse([]byte(test.text))
		require.ErrorIs(t, err, fault.Invalid, name)
		require.Contains(t, err.Error(), test.want, name)
	}
}

// Our offer, and what the other side may answer to it.
func TestOfferAndSettle(t *testing.T) {
	l := ours()
	l.Addr, l.Codecs = netip.MustParseAddr("2001:db8::7"), []string{"PCMA", "PCMU"}
	require.Equal(t, "v=0\r\no=- 7 3 IN IP6 2001:db8::7\r\ns=-\r\nc=IN IP6 2001:db8::7\r\nt=0 0\r\n"+
		"m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"+
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendonly\r\n",
		string(sdp.Offer(sdp.SendOnly, l)))
	for _, text := range []string{head, head + "m=audio 0 RTP/AVP 0\r\n", head + "m=audio 4000 RTP/AVP 18\r\n"} {
		s, err := sdp.Parse([]byte(text))
		require.NoError(t, err)
		_, err = sdp.Settle(s, 0, sdp.Policy{})
		require.ErrorIs(t, err, fault.Invalid)
	}
}

// Whatever comes, it is refused or can be answered, and the answer can be read.
func FuzzSDP(f *testing.F) {
	f.Add([]byte(head + "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendonly\r\n"))
	f.Add([]byte(head + "m=video 1 RTP/AVP 31\r\nm=audio 4000/2 RTP/AVPF 96\r\na=rtpmap:96 PCMA/8000\r\nc=IN IP6 ::\r\n"))
	f.Add([]byte(head + "m=audio 9 UDP/TLS/RTP/SAVPF 111 13 110\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 x\r\na=fingerprint:sha-1 AA\r\na=setup:actpass\r\na=rtcp-mux\r\n"))
	f.Add([]byte(head + "m=audio 9 RTP/SAVP 9\r\na=crypto:1 S inline:fit\r\na=rtcp:1\r\nm=audio 1 RTP/AVP 13 0\r\n"))
	f.Add([]byte("v=0\nc=IN IP4 0.0.0.0\nm=audio 1 RTP/AVP 0\n"))
	f.Add([]byte(fmt.Sprintf("v=0\r\nc=IN IP4 %s\r\nm=audio 65535 RTP/AVP 8\r\na=maxptime:1e9\r\n", strings.Repeat("9", 300))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := sdp.Parse(raw)
		if err != nil {
			return
		}
		l := ours()
		l.Policy, l.Crypto = sealed(sdp.SealOptional), []string{"1 S inline:fit"}
		c, err := sdp.Negotiate(s, l.Policy)
		if err != nil {
			return
		}
		answer, err := sdp.Parse(sdp.Answer(s, c, l))
		if err != nil {
			t.Fatalf("our answer cannot be read: %v", err)
		}
		if len(answer.Streams) != len(s.Streams) {
			t.Fatalf("answer has %d streams, offer %d", len(answer.Streams), len(s.Streams))
		}
		if _, err := sdp.Settle(answer, c.Index, l.Policy); err != nil {
			t.Fatalf("our answer refuses the stream: %v", err)
		}
	})
}
