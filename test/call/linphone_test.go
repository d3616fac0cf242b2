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
func linphone(t *testing.T, s *house.Server, p *tap) {
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
	cmd := exec.CommandContext(ctx, "linphonec", "-c", rc) //nolint:gosec // a foreign phone
	cmd.Env, cmd.Dir = append(os.Environ(), "HOME="+dir), dir
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	for _, x := range []struct {
		line string
		wait time.Duration
	}{
		{"soundcard use files", 500 * time.Millisecond}, {"call sip:harbour@" + s.SIP, 4 * time.Second}, {"play " + sound, 8 * time.Second},
		{"4", 500 * time.Millisecond}, {"2", 500 * time.Millisecond}, {"#", 3 * time.Second}, {"terminate", time.Second}, {"quit", 0},
	} {
		_, err := io.WriteString(in, x.line+"\n")
		require.NoError(t, err, "%s", out.String())
		time.Sleep(x.wait)
	}
	require.NoError(t, in.Close())
	_ = cmd.Wait() // its exit status says nothing
	k := told(t, s, "root")
	if len(k.heard()) < 2 {
		t.Logf("linphonec said:\n%s", out.String())
	}
	require.GreaterOrEqual(t, len(k.heard()), 2)
	right, all := understood(t, []string{question, "[digits: 42]"}, k.heard())
	t.Logf("figure: linphone: %d of %d words right", right, all)
	require.GreaterOrEqual(t, right*100, all*60)
	require.Equal(t, "[digits: 42]", k.heard()[len(k.heard())-1])
	require.Equal(t, "completed", k.status(t))
	k.equal(t, s)
	_ = p
}
