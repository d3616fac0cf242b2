package python

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/tool"
)

// script writes a program that plays bubblewrap.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bwrap")
	require.NoError(t, os.WriteFile(file, []byte("#!/bin/bash\n"+text), 0o755))
	return file
}

// without is a bubblewrap that leaves a flag and its values out, and adds some.
func without(flag string, values int, more string) string {
	return fmt.Sprintf(`args=()
while [ $# -gt 0 ]; do
	if [ "$1" = %q ]; then shift %d; continue; fi
	if [ "$1" = --remount-ro ]; then args+=(%s); fi
	args+=("$1"); shift
done
exec bwrap "${args[@]}"
`, flag, values+1, more)
}

func TestTheSelfTestSeesHolesInTheWall(t *testing.T) {
	for name, c := range map[string]struct{ bwrap, want string }{
		"no seccomp filter":   {without("--seccomp", 1, ""), "io_uring_setup"},
		"a way to make users": {without("--seccomp", 1, ""), "unshare(CLONE_NEWUSER)"},
		"files of the host":   {without("", 0, "--ro-bind /etc /etc"), "read /etc/passwd"},
		"processes":           {without("", 0, "--proc /proc"), "read /proc"},
		"a root to write to":  {without("--remount-ro", 1, ""), "write /canary"},
		"a variable":          {without("", 0, "--setenv SECRET x"), "variable SECRET"},
		"another user":        {without("--uid", 1, ""), "user"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := New(Options{Bwrap: script(t, c.bwrap)})
			require.NoError(t, err)
			defer p.Close()
			err = p.SelfTest(t.Context())
			require.ErrorIs(t, err, fault.Unavailable)
			require.True(t, strings.HasPrefix(err.Error(), "sandbox_unavailable"), err)
			require.ErrorContains(t, err, "the sandbox lets through")
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestWithoutASandboxNothingRuns(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "started")
	for name, c := range map[string]struct {
		opt  Options
		test bool // run the self-test
		want string
	}{
		"before the self-test":       {Options{Bwrap: script(t, "touch "+mark)}, false, "the self-test has not run"},
		"bubblewrap is missing":      {Options{Bwrap: "/nowhere/bwrap"}, true, "bubblewrap is not installed"},
		"python is missing":          {Options{Python: "/nowhere/python3"}, true, "python is not installed"},
		"python is outside":          {Options{Python: script(t, "touch "+mark)}, true, "python must be installed below /usr"},
		"user namespaces forbidden":  {Options{Bwrap: script(t, "echo 'bwrap: No permissions to create new namespace' >&2; exit 1")}, true, "No permissions to create new namespace"},
		"an interpreter of no worth": {Options{Python: "/usr/bin/true"}, true, "start a sandbox"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := New(c.opt)
			require.NoError(t, err)
			defer p.Close()
			if c.test {
				require.ErrorContains(t, p.SelfTest(t.Context()), c.want)
			}
			r, err := p.Open(t.Context(), here, group(t, plainBundle()))
			require.NoError(t, err, "a group can be opened all the same")
			_, err = r.Run(t.Context(), typical())
			require.ErrorIs(t, err, fault.Unavailable)
			require.True(t, strings.HasPrefix(err.Error(), "sandbox_unavailable"), err)
			require.ErrorContains(t, err, c.want)
			_, err = p.Eval(t.Context(), here, "1", nil, moment)
			require.True(t, strings.HasPrefix(err.Error(), "sandbox_unavailable"), err)
			require.NoError(t, r.Close())
			require.NoFileExists(t, mark, "an interpreter was started")
		})
	}
}

// TestInheritedDescriptorsAreClosed starts the sandbox through a program that
// leaves descriptors open, as a shell does, and holds a listener and a file open
// that code in C could have opened.
func TestInheritedDescriptorsAreClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	fd, err := syscall.Open("/etc/passwd", syscall.O_RDONLY, 0)
	require.NoError(t, err)
	defer syscall.Close(fd)
	p := newPool(t, Options{Bwrap: script(t, `exec 10</etc/hostname 57</etc/passwd; exec bwrap "$@"`)})
	r := opened(t, p, bundle(`
import os
def f(ctx):
    seen = []
    for fd in range(4096):
        try: os.fstat(fd); seen.append(fd)
        except OSError: pass
    return seen
`, "f"))
	v, err := run(t, r, "f", "{}")
	require.NoError(t, err)
	require.Equal(t, "[0,1,2,3,4]", v)
}

// TestAnOrdinaryUserHasTheSandboxToo runs tests of this package again as nobody.
// Who is no superuser has run them that way already.
func TestAnOrdinaryUserHasTheSandboxToo(t *testing.T) {
	if os.Getuid() != 0 {
		return
	}
	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	dir, err := os.MkdirTemp("/tmp", "ordinary-") //nolint:usetesting // t.TempDir is closed to other users
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.WriteFile(dir+"/tests", self, 0o755))
	cmd := exec.CommandContext(t.Context(), dir+"/tests", "-test.run=^(TestRunsAreRepeatable|TestARunawayIsDeadAtItsDeadline)$", "-test.v")
	cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin", "TMPDIR=/tmp"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, 2, strings.Count(string(out), "--- PASS"), string(out))
}

func TestLogsOfALyingInterpreterAreCut(t *testing.T) {
	f, err := parseFrame([]byte(`{"id":1,"logs":["` + strings.Repeat("é", 3000) + ` key-1234"` + strings.Repeat(`,"a key-1234"`, 500) + `]}`))
	require.NoError(t, err)
	lines := f.logs(hider([]string{"key-1234"}))
	require.Len(t, lines, 100)
	require.Len(t, []rune(lines[0]), 1000)
	require.Equal(t, "a ***", lines[1])
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte("\x00\x00\x00\x3c" + `{"id":1,"value":1,"error":{"kind":"unfit"},"results":{"a":"b"}}`))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := readFrame(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		fr, err := parseFrame(body)
		if err != nil {
			return
		}
		if len(fr.Value) > 0 && !json.Valid(fr.Value) {
			t.Fatalf("%q is no JSON", fr.Value)
		}
		for _, l := range fr.logs(hider(nil)) {
			if len([]rune(l)) > maxLog {
				t.Fatalf("a line of %d characters", len([]rune(l)))
			}
		}
		if fr.Error != nil && fault.KindOf(fr.Error.err()) == fault.Bug {
			t.Fatal("no kind")
		}
	})
}

var _ tool.Runner = (*runner)(nil)
