package sip_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/media/sip"
)

func key30() string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 30)) }

// Lines of SDES as phones write them, and what is refused of them.
func TestParseCrypto(t *testing.T) {
	for _, line := range []string{
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30(), "1 aes_cm_128_hmac_sha1_80 inline:" + key30() + "|2^31", "1 AES_CM_128_HMAC_SHA1_32 inline:" + key30() + "|1048576 WSH=64 KDR=0",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + key30() + "|2^31|1:1",
	} {
		tag, suite, key, err := sip.ParseCrypto(line)
		require.NoError(t, err, line)
		require.Equal(t, 1, tag)
		require.True(t, strings.HasPrefix(suite, "AES_CM_128_HMAC_SHA1_"), suite)
		require.Len(t, key, 30)
	}
	for name, line := range map[string]string{
		"nothing": "", "no key": "1 AES_CM_128_HMAC_SHA1_80", "a tag of words": "x AES_CM_128_HMAC_SHA1_80 inline:" + key30(),
		"an endless tag": "12345678901 AES_CM_128_HMAC_SHA1_80 inline:" + key30(), "an unknown suite": "1 F8_128_HMAC_SHA1_80 inline:" + key30(),
		"a short key": "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA", "no base64": "1 AES_CM_128_HMAC_SHA1_80 inline:!" + key30()[1:],
		"an index without its length": "1 AES_CM_128_HMAC_SHA1_80 inline:" + key30() + "|2^20|1", "two keys": "1 AES_CM_128_HMAC_SHA1_80 inline:" + key30() + ";inline:" + key30(),
		"plain packets all the same": "1 AES_CM_128_HMAC_SHA1_80 inline:" + key30() + " UNENCRYPTED_SRTP", "a key elsewhere": "1 AES_CM_128_HMAC_SHA1_80 uri:http://x",
	} {
		_, _, _, err := sip.ParseCrypto(line)
		require.ErrorIs(t, err, fault.Invalid, name)
		require.NotContains(t, err.Error(), key30()[:8], name)
	}
}

// Keys come out as they went in, and nothing crashes.
func FuzzCrypto(f *testing.F) {
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + key30() + "|2^31|1:4")
	f.Add("2 AEAD_AES_256_GCM inline:AAAA WSH=1")
	f.Fuzz(func(t *testing.T, line string) {
		_, suite, key, err := sip.ParseCrypto(line)
		if err == nil && (suite == "" || len(key) < 28) {
			t.Fatalf("%q has %d bytes of key", suite, len(key))
		}
	})
}

// Both sides of a sealed call know the same two keys, crosswise; no key is in a log.
func TestSealedCall(t *testing.T) {
	var log lockedBuffer
	with := func(s sip.Sealing) func(*sip.Options) {
		return func(o *sip.Options) {
			o.Seal, o.Codecs = s, []string{"PCMA"}
			o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
	}
	for _, test := range []struct {
		caller, callee sip.Sealing
		kind           string // "" plain, "no" refused
	}{
		{sip.SealRequired, sip.SealRequired, "sdes"},
		{sip.SealRequired, sip.SealOptional, "sdes"},
		{sip.SealOptional, sip.SealRequired, "sdes"},
		{sip.SealOptional, sip.SealOptional, "sdes"},
		{sip.SealOptional, sip.SealOff, ""},
		{sip.SealOff, sip.SealOptional, ""},
		{sip.SealOff, sip.SealRequired, "no"},
		{sip.SealRequired, sip.SealOff, "no"},
	} {
		t.Run(fmt.Sprintf("%s to %s", test.caller, test.callee), func(t *testing.T) {
			caller, callee := open(t, with(test.caller)), open(t, with(test.callee))
			call, err := caller.Dial(t.Context(), callee.uri("bank", "UDP"), sip.DialOptions{})
			if test.kind == "no" {
				refused := &sip.Refused{}
				require.ErrorAs(t, err, &refused)
				require.Equal(t, 488, refused.Code)
				return
			}
			require.NoError(t, err)
			ours, theirs := caller.studio.Made()[0].Last().Security, callee.studio.Made()[0].Last().Security
			require.Equal(t, test.kind, ours.Kind)
			require.Equal(t, test.kind, theirs.Kind)
			if test.kind != "" {
				require.Len(t, ours.OurKey, 30)
				require.Equal(t, ours.OurKey, theirs.PeerKey)
				require.Equal(t, theirs.OurKey, ours.PeerKey)
				require.NotEqual(t, ours.OurKey, theirs.OurKey)
				require.Equal(t, "AES_CM_128_HMAC_SHA1_80", ours.Suite)
				// A hold keeps the keys: nothing is cut.
				require.NoError(t, call.Hold(t.Context()))
				again := callee.studio.Made()[0].Last().Security
				require.Equal(t, theirs, again)
				require.NotContains(t, log.String(), base64.StdEncoding.EncodeToString(ours.OurKey))
			}
			call.Hangup("completed")
			<-call.Gone()
		})
	}
}

// A call can be sealed though the endpoint does not ask for it, and codecs are
// chosen for the endpoint or the call.
func TestPerCallChoices(t *testing.T) {
	callee := open(t, func(o *sip.Options) { o.Seal = sip.SealOptional })
	caller := open(t, nil)
	for _, test := range []struct {
		o     sip.DialOptions
		codec string
		kind  string
	}{
		{sip.DialOptions{}, "opus", ""},
		{sip.DialOptions{Codecs: []string{"PCMU", "G722"}}, "G722", ""},
		{sip.DialOptions{Codecs: []string{"PCMU"}, Seal: sip.SealRequired}, "PCMU", "sdes"},
	} {
		call, err := caller.Dial(t.Context(), callee.uri("bank", "UDP"), test.o)
		require.NoError(t, err)
		inv := <-callee.invites
		require.Equal(t, test.codec, inv.Media.Codec)
		require.Equal(t, test.kind, inv.Media.Security.Kind)
		if test.codec == "opus" {
			require.Equal(t, 48000, inv.Media.DTMFHz)
			require.Contains(t, inv.Media.Format, "useinbandfec=1")
		}
		call.Hangup("completed")
		<-call.Gone()
	}
	_, err := caller.Dial(t.Context(), callee.uri("bank", "UDP"), sip.DialOptions{Codecs: []string{"G729"}})
	require.ErrorIs(t, err, fault.Invalid)
}

// A key may have an identifier that the peer's packets carry (RFC 4568 6.1):
// softswitches offer no other. A line with several keys is passed over for the
// next; where there is no other, the call is refused.
func TestKeysWithAnIdentifierAreTaken(t *testing.T) {
	const suite = "AES_CM_128_HMAC_SHA1_80 inline:"
	several := "a=crypto:1 " + suite + key30() + "|2^31|1:1;inline:" + key30() + "|2^31|2:1\r\n"
	for name, c := range map[string]struct {
		lines, status string
		tag           string
		mki           []byte
	}{
		"one identified":           {"a=crypto:7 " + suite + key30() + "|2^31|258:4\r\n", "200 OK", "7", []byte{0, 0, 1, 2}},
		"several keys, then one":   {several + "a=crypto:2 " + suite + key30() + "|1:1\r\n", "200 OK", "2", []byte{1}},
		"several keys, then plain": {several + "a=crypto:3 " + suite + key30() + "\r\n", "200 OK", "3", nil},
		"nothing but several keys": {lines: several, status: "488 Not Acceptable Here"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(o *sip.Options) { o.Seal = sip.SealRequired }, func(t *testing.T, s *stage) {
				got := s.say(ask{method: "INVITE", body: strings.Replace(offer, "RTP/AVP", "RTP/SAVP", 1) + c.lines}.String())
				require.Equal(t, []string{c.status}, statuses(got))
				if c.tag == "" {
					return
				}
				_, line, _ := strings.Cut(got[0], "\r\na=crypto:"+c.tag+" "+suite)
				line, _, _ = strings.Cut(line, "\r\n")
				require.NotEmpty(t, line)
				require.NotContains(t, line, "|", "our packets carry none")
				security := s.studio.Made()[0].Last().Security
				require.Equal(t, c.mki, security.PeerMKI)
				require.Equal(t, key30(), base64.StdEncoding.EncodeToString(security.PeerKey))
				s.say(ask{method: "ACK", to: toTag(got[0])}.String())
			})
		})
	}
}
