package telephony

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/wav"
)

// Linphone is a foreign telephone that is typed at.
type Linphone struct {
	*Child
	port int
	wav  string // what it hears
}

// LinphonePlan says how one speaks.
type LinphonePlan struct {
	Name    string
	Port    int     // of SIP, 0 = any
	Sealing string  // none or srtp
	Answer  bool    // it takes every call
	Hz      float64 // the tone it plays
}

// StartLinphone runs one until the test ends.
func StartLinphone(t testing.TB, p LinphonePlan) *Linphone {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".local", "share", "linphone"), 0o700))
	l := &Linphone{port: p.Port, wav: filepath.Join(dir, "heard.wav")}
	if l.port == 0 {
		l.port = FreePort(t, "127.0.0.1")
	}
	rc, say := filepath.Join(dir, "rc"), filepath.Join(dir, "say.wav")
	text := fmt.Sprintf("[sip]\nsip_port=%d\nsip_tcp_port=0\nsip_tls_port=0\nuse_ipv6=0\nmedia_encryption=%s\ncontact=sip:%s@127.0.0.1\n[rtp]\naudio_rtp_port=%d\n"+
		"[video]\nenabled=0\n[sound]\nec=0\n", l.port, p.Sealing, p.Name, FreePort(t, "127.0.0.1"))
	require.NoError(t, os.WriteFile(rc, []byte(text), 0o600))
	f, err := os.Create(say)
	require.NoError(t, err)
	require.NoError(t, wav.Write(f, wav.Audio{RateHz: LineHz, Channels: 1, PCM: Tone(p.Hz, LineHz, 0, 20*LineHz)}))
	require.NoError(t, f.Close())
	args := []string{"-c", rc}
	if p.Answer {
		args = append(args, "-a")
	}
	l.Child = Run(t, dir, "linphonec", args...)
	l.Enter(t, "soundcard use files")
	l.Says(t, "Using wav files", 15*time.Second)
	l.Enter(t, "play "+say)
	l.Enter(t, "record "+l.wav)
	return l
}

// Addr is where it speaks SIP.
func (l *Linphone) Addr() string { return fmt.Sprintf("127.0.0.1:%d", l.port) }

// Heard is how loud a tone was in what it heard, in its loudest quarter of a
// second, in dB. It ends the program first.
func (l *Linphone) Heard(t testing.TB, hz float64) float64 {
	t.Helper()
	l.Enter(t, "quit")
	_ = l.Wait(5 * time.Second) // its exit status says nothing
	a := sound(t, l.wav)
	return Loudest(a.Mono(), hz, a.RateHz)
}

// sound reads a WAV file of a program that does not get its sizes right, or has
// not come to write them.
func sound(t testing.TB, name string) wav.Audio {
	t.Helper()
	raw, err := os.ReadFile(name)
	require.NoError(t, err)
	if at := bytes.Index(raw, []byte("data")); at > 0 && at+8 <= len(raw) {
		binary.LittleEndian.PutUint32(raw[at+4:], uint32(len(raw)-at-8))
		binary.LittleEndian.PutUint32(raw[4:], uint32(len(raw)-8))
	}
	a, err := wav.Decode(raw)
	require.NoError(t, err)
	return a
}
