package rtp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"flametree/media/g711"
	"flametree/media/srtp"
)

// share is how much of a sound at 8 kHz is a tone of 400 Hz.
func share(samples []int16) float64 {
	var re, im, all float64
	for i, s := range samples {
		v, at := float64(s), 2*math.Pi*400*float64(i)/8000
		re, im, all = re+v*math.Cos(at), im+v*math.Sin(at), all+v*v
	}
	if all == 0 {
		return 0
	}
	return 2 * (re*re + im*im) / float64(len(samples)) / all
}

// ffmpegSuites are those that ffmpeg has.
func ffmpegSuites() []srtp.Suite { return []srtp.Suite{srtp.AES128CM80, srtp.AES128CM32} }

func TestWeHearWhatFfmpegSeals(t *testing.T) {
	for _, suite := range ffmpegSuites() {
		t.Run(string(suite), func(t *testing.T) {
			c := open(t)
			c.Expect(0, 0)
			our, _ := sealKey(t, suite)
			peer, secret := sealKey(t, suite)
			if err := c.Seal(our, peer); err != nil {
				t.Fatal(err)
			}
			c.SetRemote(netip.MustParseAddrPort("127.0.0.1:9"))
			var mu sync.Mutex
			var sound []byte
			c.Start(func(p *Packet) {
				mu.Lock()
				sound = append(sound, p.Payload...)
				mu.Unlock()
			})
			out, err := exec.Command("ffmpeg", "-hide_banner", "-loglevel", "error", "-re", "-f", "lavfi",
				"-i", "sine=frequency=400:sample_rate=8000:duration=1", "-acodec", "pcm_mulaw", "-f", "rtp",
				"-srtp_out_suite", string(suite), "-srtp_out_params", base64.StdEncoding.EncodeToString(secret.Reveal()),
				fmt.Sprintf("srtp://127.0.0.1:%d", c.Local().Port())).CombinedOutput()
			if err != nil {
				t.Fatalf("ffmpeg (apt: ffmpeg): %v\n%s", err, out)
			}
			mu.Lock()
			defer mu.Unlock()
			decoded := make([]int16, len(sound))
			g711.MuLaw.Decode(decoded, sound)
			if got := share(decoded); len(decoded) < 7000 || got < 0.95 {
				t.Errorf("%d samples, %.2f of them the tone", len(decoded), got)
			}
			// With the short suite ffmpeg cuts the tag of its one report as well,
			// which RFC 4568 6.2.2 does not allow: that is refused.
			short := suite == srtp.AES128CM32
			if s := c.Stats(); s.Lost != 0 || (s.Refused == 1) != short {
				t.Errorf("stats %+v", s)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.controlTo.IsValid() == short {
				t.Errorf("ffmpeg's report was taken: %v", c.controlTo)
			}
		})
	}
}

func TestFfmpegHearsWhatWeSeal(t *testing.T) {
	_, coded := tone()
	for _, suite := range ffmpegSuites() {
		t.Run(string(suite), func(t *testing.T) {
			c := open(t)
			c.Expect(0, 0)
			our, secret := sealKey(t, suite)
			peer, _ := sealKey(t, suite)
			if err := c.Seal(our, peer); err != nil {
				t.Fatal(err)
			}
			port := evenPort(t)
			c.SetRemote(netip.AddrPortFrom(loopback, port))
			listenTo(c)
			line := srtp.Attribute{Tag: 1, Key: secret}.Line()
			description := filepath.Join(t.TempDir(), "call.sdp")
			if err := os.WriteFile(description, fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"+
				"m=audio %d RTP/SAVP 0\r\na=crypto:%s\r\n", port, line), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("ffmpeg", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "file,rtp,udp,srtp,crypto",
				"-i", description, "-t", "0.5", "-f", "s16le", "-")
			var sound, said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &sound, &said
			if err := cmd.Start(); err != nil {
				t.Fatalf("ffmpeg (apt: ffmpeg): %v", err)
			}
			over := make(chan error, 1)
			go func() { over <- cmd.Wait() }()
			speak(t, c, coded, over, cmd.Process)
			samples := make([]int16, sound.Len()/2)
			if err := binary.Read(&sound, binary.LittleEndian, samples); err != nil {
				t.Fatal(err)
			}
			if got := share(samples); len(samples) < 3000 || got < 0.95 {
				t.Errorf("%d samples, %.2f of them the tone\n%s", len(samples), got, &said)
			}
		})
	}
}

// speak sends the tone each 20 ms until the peer has heard enough.
func speak(t *testing.T, c *Conn, coded []byte, over <-chan error, peer *os.Process) {
	t.Helper()
	beat := time.NewTicker(20 * time.Millisecond)
	defer beat.Stop()
	for n := range 1000 {
		at := n % 50 * 160
		c.Write(time.Now(), Head{Timestamp: uint32(n) * 160}, coded[at:at+160])
		select {
		case err := <-over:
			if err != nil {
				t.Error(err)
			}
			return
		case <-beat.C:
		}
	}
	_ = peer.Kill()
	<-over
	t.Error("ffmpeg heard nothing in 20 s")
}

// evenPort is one the kernel has just given and taken back.
func evenPort(t *testing.T) uint16 {
	t.Helper()
	ports, err := pool(t, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ports.Open(loopback)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.Local().Port()
}
