package drain_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/caller"
	"flametree/test/house"
)

// A server whose packets are late takes no more calls, says when to try again,
// and keeps those it has; when packets have been in time for a while it takes
// calls again, and does not change its mind in between. It falls behind because
// its process is stopped again and again, as a machine that is too small would.
func TestLatePacketsCloseTheDoorAndNobodyIsThrownOut(t *testing.T) {
	t.Parallel()
	const few = 10 // so many are always taken
	s := serve(t, house.Options{
		Args: []string{"--metrics", "127.0.0.1:0"},
		Env:  []string{"FLAMETREE_ADMISSION_PACER_LATE_P99=100ms"},
	})
	p := phone(t)
	var calls []*caller.Call
	for i := range few {
		calls = append(calls, call(t, p, s, fmt.Sprintf("guest-%d", i)))
	}
	require.Equal(t, 200, ask(t, s, "INVITE").code, "packets are in time")
	require.Equal(t, "1", metric(t, s, "flametree_voice_admission_open"))

	t.Cleanup(func() { _ = syscall.Kill(s.PID, syscall.SIGCONT) })
	refused := reply{}
	for range 40 {
		require.NoError(t, syscall.Kill(s.PID, syscall.SIGSTOP))
		<-time.After(250 * time.Millisecond)
		require.NoError(t, syscall.Kill(s.PID, syscall.SIGCONT))
		<-time.After(150 * time.Millisecond)
		if refused = ask(t, s, "INVITE"); refused.code != 200 {
			break
		}
	}
	require.Equal(t, 503, refused.code)
	require.Positive(t, refused.after, "Retry-After")
	require.Equal(t, "0", metric(t, s, "flametree_voice_admission_open"))
	require.Equal(t, "1", metric(t, s, `flametree_voice_calls_rejected_total{reason="unavailable"}`))

	eventually(t, 40*time.Second, "calls are refused", func() bool { return ask(t, s, "INVITE").code == 200 })
	require.Equal(t, 1, strings.Count(s.Log(), "new calls are refused"), "it closed once:\n%s", s.Log())
	require.Equal(t, 1, strings.Count(s.Log(), "new calls are taken"), "and opened once")
	for _, c := range calls {
		select {
		case <-c.Gone():
			t.Error("a running call was ended")
		default:
		}
		c.Hangup()
	}
	require.Zero(t, s.Stop(t))
	_, sessions := endings(t, s.Data)
	require.GreaterOrEqual(t, len(sessions), few)
}

// metric is the value of one, named with its labels.
func metric(t *testing.T, s *house.Server, name string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, metrics(t, s), nil)
	require.NoError(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}
