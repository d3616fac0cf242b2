package node

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/actors"
	"flametree/cluster/config"
	"flametree/engine/event"
	"flametree/persist/vault"
)

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// Checksums add up as the receiver's do, for both families and any length.
func TestDatagramsHaveRightChecksums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload")
		from, to := at("192.0.2.1:5060"), at("192.0.2.2:40000")
		if rapid.Bool().Draw(t, "v6") {
			from, to = at("[2001:db8::1]:5060"), at("[2001:db8::2]:40000")
		}
		b := datagram(from, to, payload)
		ip := b[14:]
		udp, src := ip[20:], ip[12:20]
		if from.Addr().Is6() {
			udp, src = ip[40:], ip[8:40]
		} else if folded(0, ip[:20]) != 0 {
			t.Fatal("the IP header does not add up")
		}
		pseudo := append(append([]byte(nil), src...), 0, 17)
		pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(len(udp)))
		if folded(summed(pseudo), udp) != 0 {
			t.Fatalf("the UDP checksum of %x is wrong", payload)
		}
		if !bytes.Equal(udp[8:], payload) || int(binary.BigEndian.Uint16(udp[4:])) != len(udp) {
			t.Fatal("the payload is another")
		}
	})
	require.Nil(t, datagram(at("192.0.2.1:1"), at("[2001:db8::1]:1"), nil), "addresses of two families")
	require.Nil(t, datagram(netip.AddrPort{}, at("192.0.2.1:1"), nil))
	require.NotPanics(t, func() { datagram(at("192.0.2.1:1"), at("192.0.2.2:1"), make([]byte, 1<<17)) })
}

// A capture is in order of time, signalling among the packets, and bounded.
func TestACaptureIsInOrderAndBounded(t *testing.T) {
	c := new(taking)
	now := time.Unix(1000, 0)
	for i := range 3 {
		c.take(actors.Packet{At: now.Add(time.Duration(2*i) * time.Second), From: at("192.0.2.1:1"), To: at("192.0.2.2:2"), Raw: []byte{byte(i)}})
	}
	b, err := io.ReadAll(c.file([]actors.Signal{{At: now.Add(time.Second), From: at("192.0.2.1:5060"), To: at("192.0.2.2:5060"), Text: "INVITE"}}))
	require.NoError(t, err)
	require.Equal(t, uint32(pcapMagic), binary.LittleEndian.Uint32(b))
	var seconds []uint32
	for rest := b[24:]; len(rest) > 0; {
		seconds = append(seconds, binary.LittleEndian.Uint32(rest))
		rest = rest[16+binary.LittleEndian.Uint32(rest[8:]):]
	}
	require.Equal(t, []uint32{1000, 1001, 1002, 1004}, seconds)
	c.take(actors.Packet{At: now, From: at("192.0.2.1:1"), To: at("192.0.2.2:2"), Raw: []byte{9}})
	require.Len(t, c.frames, 3, "what comes after the end is not kept")

	full := &taking{bytes: captureMost - 10}
	full.take(actors.Packet{At: now, From: at("192.0.2.1:1"), To: at("192.0.2.2:2"), Raw: []byte{9}})
	require.True(t, full.full)
	require.Empty(t, full.frames)
}

// What has expired is deleted, by a process that was not there when it was taken,
// too; what has not stays, and nothing else is touched.
func TestCapturesExpireAlsoAfterARestart(t *testing.T) {
	n := &Node{cfg: config.Config{Data: t.TempDir()}, log: slog.New(slog.DiscardHandler)}
	require.NoError(t, os.MkdirAll(n.captureDir(), 0o700))
	now := time.Now()
	var sub vault.Key
	sub.AEAD = vaultKey(t)
	require.NoError(t, n.keepCapture("old", now.Add(-time.Second), sub, bytes.NewReader([]byte("secret pcap"))))
	require.NoError(t, n.keepCapture("young", now.Add(time.Hour), sub, bytes.NewReader([]byte("secret pcap"))))
	for _, name := range []string{"broken.part", "stranger"} {
		require.NoError(t, os.WriteFile(filepath.Join(n.captureDir(), name), nil, 0o600))
	}
	ctx, cancel := context.WithCancel(t.Context())
	n.life = ctx
	require.NoError(t, n.startCaptures())
	cancel()
	n.done.Wait()
	left, err := filepath.Glob(filepath.Join(n.captureDir(), "*"))
	require.NoError(t, err)
	require.Len(t, left, 2)
	for _, path := range left {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotContains(t, string(b), "secret", "sealed at rest")
		if c, ok := readCaptured(path); ok {
			require.Equal(t, "young", c.session)
		}
	}
	n.expireCaptures(now.Add(2 * time.Hour))
	left, err = filepath.Glob(filepath.Join(n.captureDir(), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(n.captureDir(), "stranger")}, left)
}

// A worse line is never said to sound better.
func TestTheEstimateFallsWithTheLine(t *testing.T) {
	require.Zero(t, estimate(actors.LegStats{Codec: "PCMU"}), "nothing was received: nothing to judge by")
	last := 5.0
	for lost := range uint64(10) {
		mos := estimate(actors.LegStats{Codec: "PCMU", Received: 1000, Lost: lost * 20, Jitter: time.Duration(lost) * 10 * time.Millisecond})
		t.Logf("figure: %d lost of %d: MOS %.2f", lost*20, 1000+lost*20, mos)
		require.Less(t, mos, last)
		require.GreaterOrEqual(t, mos, 1.0)
		last = mos
	}
	require.Greater(t, estimate(actors.LegStats{Codec: "PCMU", Received: 1000}), 4.2)
	require.Less(t, estimate(actors.LegStats{Codec: "PCMU", Received: 1000, Late: 100}), estimate(actors.LegStats{Codec: "PCMU", Received: 1000}), "late is as bad as lost")
}

func TestStereoKeepsTheSidesApart(t *testing.T) {
	require.Equal(t, []byte{1, 0, 0, 0, 2, 0, 0xFF, 0xFF}, stereo([]int16{1, 2}, []int16{0, -1}, 2))
	require.Equal(t, []byte{0, 0, 0, 0}, stereo(nil, nil, 1), "nobody's sound is silence")
}

func TestTurnsAreBarsOfTheirStages(t *testing.T) {
	var b bars
	for _, e := range []event.Event{
		event.UtteranceHeard{Turn: 1, Text: event.P("hello")},
		event.ReplySpoken{Turn: 1, Text: event.P("hi")},
		event.TurnTimed{Turn: 1, Waited: "stt_final", Stages: []event.Stage{{Name: "eot", Took: 200 * time.Millisecond}, {Name: "llm_ttft", Took: 300 * time.Millisecond}}},
	} {
		b.take(e, time.Second)
	}
	require.Equal(t, "[{1 1s hello hi 500ms stt_final [{eot 200ms} {llm_ttft 300ms}]}]", fmt.Sprint(b.all))
}

// vaultKey is some person's key.
func vaultKey(t *testing.T) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead
}
