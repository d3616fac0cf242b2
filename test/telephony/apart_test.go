package telephony_test

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// apartKey says that this process belongs to one test.
const apartKey = "FLAMETREE_TELEPHONY_APART"

// busy is closed in a process of its own when nothing is left but to wait.
const busy = 3

// apart runs a test again in a process of its own, whose sockets and goroutines
// are that test's alone, and reports whether this is that one. While it works
// no other test runs; while it only waits, see waits, others do.
func apart(t *testing.T) bool {
	t.Helper()
	if os.Getenv(apartKey) != "" {
		syscall.CloseOnExec(busy)
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), apartKey+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	ours, theirs, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _ = ours.Close() }()
	out, err := os.CreateTemp(t.TempDir(), "out")
	require.NoError(t, err)
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, out, []*os.File{theirs}
	require.NoError(t, cmd.Start())
	_ = theirs.Close()
	_, _ = io.Copy(io.Discard, ours) // until it waits or has ended
	t.Parallel()
	err = cmd.Wait()
	said, unread := os.ReadFile(out.Name())
	require.NoError(t, unread)
	t.Logf("%s", said)
	require.NoError(t, err)
	return false
}

// waits tells the tests of the other process that this one only waits from now
// on: an answer that nobody acknowledges is repeated for 32 s, and so is the BYE
// after it (RFC 3261 13.3.1.4).
func waits(t *testing.T) {
	t.Helper()
	require.NoError(t, os.NewFile(busy, "busy").Close())
}
