package call_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/wav"
	"flametree/test/house"
)

// linphone is one more foreign phone: it asks a question, presses keys, is
// understood and hangs up.
func linphone(t *testing.T, s *house.Server) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".local", "share", "linphone"), 0o700))
	rc, sound := filepath.Join(dir, "rc"), filepath.Join(dir, "say.wav")
	text := fmt.Sprintf("[sip]\nsip_port=%d\nsip_tcp_port=0\nsip_tls_port=0\nuse_ipv6=0\n[rtp]\naudio_rtp_port=%d\n[video]\nenabled=0\n[sound]\nec=0\n",
		mediaPort(t), mediaPort(t))
	require.NoError(t, os.WriteFile(rc, []byte(text), 0o600))
	f, err := os.Create(sound)
	require.NoError(t, err)
	question := "when does the harbour office open"
	require.NoError(t, wav.Write(f, wav.Audio{RateHz: rateHz, Channels: 1, PCM: join(pause(200*time.Millisecond), utter(t, "awb", question), pause(6*time.Second))}))
	require.NoError(t, f.Close())

	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "linphonec", "-c", rc)
	cmd.Env, cmd.Dir = append(os.Environ(), "HOME="+dir), dir
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := os.Create(filepath.Join(dir, "out")) // a file: it is read while it is written
	require.NoError(t, err)
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	enter := func(line, until string, done func() bool) {
		t.Helper()
		_, err := io.WriteString(in, line+"\n")
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			said, err := os.ReadFile(out.Name())
			return err == nil && strings.Contains(string(said), until) && (done == nil || done())
		}, 20*time.Second, 50*time.Millisecond, "after %s", line)
	}
	var k story
	heard := func(n int) func() bool {
		return func() bool {
			events, err := s.Events(t.Context(), 1)
			require.NoError(t, err)
			k.find(t, events, "linphone")
			return len(k.heard()) >= n && len(k.said(t)) >= n
		}
	}
	enter("soundcard use files", "Using wav files", nil)
	enter("call sip:harbour@"+s.SIP, "Media streams established", heard(0))
	asked, right, all := 0, 0, 0
	for try := 1; try <= 3 && (all == 0 || right*100 < all*40); try++ { // a busy machine swallows words, of linphone and of ours
		asked = len(k.heard()) + 1
		enter("play "+sound, "", heard(asked))
		right, all = understood(t, []string{question}, k.heard()[asked-1:])
	}
	t.Logf("figure: linphone: %d of %d words right", right, all)
	require.GreaterOrEqual(t, right*100, all*40) // one sentence: a word is 14 percent
	asked = len(k.heard())
	enter("4", "", nil)
	enter("2", "", nil)
	enter("#", "", heard(asked+1))
	enter("terminate", "ended", nil)
	enter("quit", "Terminating", nil)
	require.NoError(t, in.Close())
	_ = cmd.Wait() // its exit status says nothing
	k = told(t, s, "linphone")
	require.Equal(t, "42", k.heard()[len(k.heard())-1], "keys by RFC 4733")
	require.Equal(t, "completed", k.status(t))
	k.equal(t, s)
}
