package drain_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// A server that is asked to end lets the calls on it end by themselves, those of
// a foreign phone too; whoever calls meanwhile is sent elsewhere, and none is
// placed. Then it ends well.
func TestRunningCallsEndByThemselvesAndNewOnesAreRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, house.Options{Args: []string{"--grace", "60s"}})
	require.Equal(t, 200, ask(t, s, "OPTIONS").code, "before the signal")
	p := phone(t)
	ours := call(t, p, s, "guest")
	foreign := sipp(t, s, "-m", "1", "-d", "4000")
	eventually(t, 10*time.Second, "the foreign call is not there", func() bool { return running(t, s) == 2 })

	require.NoError(t, syscall.Kill(s.PID, syscall.SIGTERM))
	eventually(t, 10*time.Second, "the server still takes calls", func() bool { return ask(t, s, "OPTIONS").code == 503 })
	for _, method := range []string{"OPTIONS", "INVITE"} {
		got := ask(t, s, method)
		require.Equal(t, 503, got.code, method)
		require.Positive(t, got.after, "%s: Retry-After", method)
	}
	placed := house.Command(t, "--data", s.Data, "call", "sip:anna@127.0.0.1:9", "--agent", "porter", "--no-wait")
	require.NotZero(t, placed.Code)
	require.Contains(t, placed.Err, "the server is ending")

	require.NoError(t, foreign(), "the foreign call ends as it would have")
	require.True(t, s.Running(), "one call is left")
	select {
	case <-ours.Gone():
		t.Fatal("a running call was cut off")
	default:
	}
	ours.Hangup()
	require.Zero(t, s.Wait(t, 20*time.Second), "exit code")
	calls, sessions := endings(t, s.Data)
	require.Equal(t, []string{"peer hangup", "peer hangup"}, calls)
	require.Equal(t, []string{"completed", "completed"}, sessions)
}

// A call that outlives the time of grace is hung up by us, and told so in the
// journal; the server ends well all the same.
func TestACallThatOutlivesTheGraceIsHungUp(t *testing.T) {
	t.Parallel()
	s := serve(t, house.Options{Args: []string{"--grace", "1s"}})
	c := call(t, phone(t), s, "guest")
	require.NoError(t, syscall.Kill(s.PID, syscall.SIGTERM))
	select {
	case <-c.Gone():
	case <-time.After(30 * time.Second):
		t.Fatal("the call is never ended")
	}
	require.Zero(t, s.Wait(t, 20*time.Second), "exit code")
	calls, sessions := endings(t, s.Data)
	require.Len(t, calls, 1)
	require.Len(t, sessions, 1)
	require.NotEqual(t, "completed", sessions[0], "nobody completed it")
	require.NotContains(t, calls[0], "crash")
}

// running counts the calls that were answered and have not ended.
func running(t *testing.T, s *house.Server) int {
	t.Helper()
	events, err := s.Events(t.Context(), 1)
	require.NoError(t, err)
	n := 0
	for _, e := range events {
		switch e.Kind {
		case "call.answered.v1":
			n++
		case "call.ended.v1":
			n--
		}
	}
	return n
}

// sipp has a foreign phone call the porter; the returned function waits for its
// end and says what it was not content with.
func sipp(t *testing.T, s *house.Server, args ...string) (wait func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	all := slices.Concat([]string{s.SIP, "-sn", "uac", "-s", "porter", "-i", "127.0.0.1", "-nostdin"}, args)
	cmd := exec.CommandContext(ctx, "sipp", all...)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "TERM=xterm")
	require.NoError(t, cmd.Start(), "sipp must be installed")
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() { cancel(); <-done })
	return func() error {
		err := <-done
		done <- err
		return err
	}
}
