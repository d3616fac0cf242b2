package python

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
)

func TestACommandTalksOverItsStandardStreams(t *testing.T) {
	p := tested(t)
	c, err := p.Command(t.Context(), []string{"cat"}, "")
	require.NoError(t, err)
	lines := bufio.NewReader(c)
	for i := range 3 {
		_, err := fmt.Fprintf(c, "line %d\n", i)
		require.NoError(t, err)
		got, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("line %d\n", i), got)
	}
	require.NoError(t, c.Close())
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err)
	require.NoError(t, c.Close(), "twice is harmless")
}

func TestACommandHasWhatASandboxHas(t *testing.T) {
	p := tested(t)
	folder := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("x"), 0o600))
	probe := fmt.Sprintf(`
import os, socket
def tries(name, do):
    try:
        do(); print(name, "worked")
    except BaseException as e:
        print(name, type(e).__name__)
tries("socket", lambda: socket.socket())
tries("other files", lambda: open(%q))
tries("passwords", lambda: open("/etc/passwd"))
tries("write", lambda: open("/usr/x", "w"))
tries("child", lambda: os.fork())
print("environment", sorted(os.environ))
`, secret)
	c, err := p.Command(t.Context(), []string{"/usr/bin/python3", "-I", "-S", "-c", probe}, folder)
	require.NoError(t, err)
	out, _ := io.ReadAll(c)
	require.NoError(t, c.Close())
	require.Equal(t, `socket PermissionError
other files FileNotFoundError
passwords FileNotFoundError
write OSError
child PermissionError
environment ['LC_CTYPE', 'MALLOC_ARENA_MAX', 'PATH', 'PWD']
`, string(out))
}

func TestOnlyProgramsOfTheSystemOrOfTheFolderStart(t *testing.T) {
	p := tested(t)
	for name, argv := range map[string][]string{
		"nothing":        {},
		"unknown":        {"no-such-program"},
		"somewhere else": {filepath.Join(t.TempDir(), "x")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.Command(t.Context(), argv, "")
			require.Error(t, err)
		})
	}
	stranger := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(stranger, []byte("#!/bin/sh\n"), 0o700))
	_, err := p.Command(t.Context(), []string{stranger}, t.TempDir())
	require.ErrorIs(t, err, fault.Denied)
}

// tested is a pool whose sandbox holds.
func tested(t *testing.T) *Pool {
	t.Helper()
	return newPool(t, Options{})
}
