package house

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Result is how a command ended.
type Result struct {
	Code     int
	Out, Err string
}

// Command runs the program with args to its end, as somebody at a terminal
// would, and returns how it ended.
func Command(t testing.TB, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, Program(), args...)
	cmd.Env, cmd.Dir = environment(nil), t.TempDir()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err, "flametree %v", args)
	}
	return Result{Code: cmd.ProcessState.ExitCode(), Out: out.String(), Err: errs.String()}
}

// Must runs a command that has to succeed and returns what it printed.
func Must(t testing.TB, args ...string) string {
	t.Helper()
	r := Command(t, args...)
	require.Zero(t, r.Code, "flametree %v\n%s\n%s", args, r.Out, r.Err)
	return r.Out
}
