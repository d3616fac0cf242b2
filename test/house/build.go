package house

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// programKey names the program to test. Set beforehand, nothing is built: that
// is for a build with the race detector.
const programKey = "FLAMETREE_BIN"

// vocabulariesKey names the folder in which servers under test keep what their
// recognisers are made of: the same for the same agents, and a second of
// computing each time.
const vocabulariesKey = "FLAMETREE_TEST_VOCABULARIES"

// share gives a new data folder the vocabularies of the servers before it. What
// cannot be shared is made anew.
func share(data string) {
	shared := os.Getenv(vocabulariesKey)
	if shared == "" {
		return
	}
	cache := filepath.Join(data, "cache")
	if os.MkdirAll(cache, 0o700) == nil {
		_ = os.Symlink(shared, filepath.Join(cache, "stt"))
	}
}

// Main is the TestMain of a scenario package: it builds the program once, runs
// the tests and looks for goroutines that outlived them. It returns the exit code.
func Main(m *testing.M) int {
	done, err := prepare()
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "house:", err)
		code = 1
	}
	if err := done(); err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
	}
	return code
}

// prepare builds the program and names it and the shared folder in the
// environment of this process, unless they are there.
func prepare() (done func() error, err error) {
	done = func() error { return nil }
	if os.Getenv(programKey) != "" && os.Getenv(vocabulariesKey) != "" {
		return done, nil
	}
	root, err := Root()
	if err != nil {
		return done, err
	}
	dir, err := os.MkdirTemp("", "flametree-house-")
	if err != nil {
		return done, err
	}
	done = func() error { return os.RemoveAll(dir) }
	vocabularies := filepath.Join(dir, "vocabularies")
	if err := errors.Join(os.Mkdir(vocabularies, 0o700), os.Setenv(vocabulariesKey, vocabularies)); err != nil {
		return done, errors.Join(err, done())
	}
	if os.Getenv(programKey) != "" {
		return done, nil
	}
	bin := filepath.Join(dir, "flametree")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", bin, ".")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return done, errors.Join(fmt.Errorf("build: %w\n%s", err, out), done())
	}
	return done, os.Setenv(programKey, bin)
}

// Program is the path of the program under test.
func Program() string { return os.Getenv(programKey) }

// Root is the folder of our module.
func Root() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(bytes.TrimSpace(out)))), nil
}
