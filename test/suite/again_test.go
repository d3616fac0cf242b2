package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module is a package of its own with these tests.
func module(t *testing.T, tests string) {
	t.Helper()
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("go.mod", []byte("module flametree\n\ngo 1.25\n"), 0o600))
	require.NoError(t, os.MkdirAll("rooms/one", 0o700))
	require.NoError(t, os.WriteFile("rooms/one/x_test.go", []byte("package x\nimport (\"os\"; \"testing\")\n"+
		"var _ = os.Getenv\n"+tests), 0o600))
}

// passesAt is a test that passes when it is run for the nth time.
const passesAt = `
	func at(t *testing.T, n int) {
		f, _ := os.OpenFile(t.Name(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		f.WriteString("x")
		if been, _ := f.Stat(); been.Size() < int64(n) { t.Fatal("slow") }
	}
`

func TestWhatFailsOnceIsTriedAlone(t *testing.T) {
	var many strings.Builder
	for c := range mostUnsteady + 1 {
		fmt.Fprintf(&many, "func Test%c(t *testing.T) { at(t, 2) }\n", 'A'+c)
	}
	for name, tt := range map[string]struct {
		tests         string
		failed        int
		unsteady, bad int
		ranA          string
	}{
		"it passes then": {`
			func TestA(t *testing.T) {
				t.Run("part", func(t *testing.T) {
					if os.WriteFile("been", nil, 0o600); len(os.Args) > 0 {
						if _, err := os.Stat("twice"); err != nil { os.WriteFile("twice", nil, 0o600); t.Fatal("slow") }
					}
				})
			}
			func TestB(t *testing.T) {}`, 0, 1, 0, "pass"},
		"it passes the last time": {passesAt + `
			func TestA(t *testing.T) { at(t, 3) }
			func TestB(t *testing.T) { at(t, 3) }
			func TestC(t *testing.T) { at(t, 2) }`, 0, 3, 0, "pass"},
		"it fails again": {passesAt + `
			func TestA(t *testing.T) { t.Run("part", func(t *testing.T) { t.Fatal("broken") }) }
			func TestB(t *testing.T) { at(t, 2) }`, 2, 1, 0, "fail"},
		"it panics when it is alone": {passesAt + `
			func TestA(t *testing.T) { if _, err := os.Stat(t.Name()); err == nil { panic("x") }; at(t, 2) }`, 1, 0, 1, "fail"},
		"a panic is no accident": {
			`
			func TestA(t *testing.T) { if _, err := os.Stat("twice"); err != nil { os.WriteFile("twice", nil, 0o600); panic("x") } }`,
			1, 0, 1, "fail",
		},
		"something was left behind the last test": {`
			func TestA(t *testing.T) {}
			func TestMain(m *testing.M) {
				code := m.Run()
				if _, err := os.Stat("twice"); err != nil { os.WriteFile("twice", nil, 0o600); os.Exit(1) }
				os.Exit(code)
			}`, 0, 1, 0, "pass"},
		"too many": {passesAt + many.String(), mostUnsteady + 1, 0, 1, "fail"},
	} {
		t.Run(name, func(t *testing.T) {
			module(t, tt.tests)
			ta := newTally()
			ta.run(os.Environ(), group{packages: []string{"./rooms/one"}})
			ta.again(os.Environ())
			require.Equal(t, tt.failed, ta.failed)
			require.Len(t, ta.unsteady, tt.unsteady)
			require.Len(t, ta.bad, tt.bad)
			require.Equal(t, tt.ranA, ta.ran["rooms/one.TestA"])
		})
	}
}

// Streams tell one tally; one in which go test itself fails is bad, whatever
// became of the others.
func TestStreamsAreCountedTogether(t *testing.T) {
	module(t, `func TestA(t *testing.T) { t.Run("part", func(*testing.T) {}) }
		func TestB(t *testing.T) { if len(os.Args) > 0 { t.Fatal("broken") } }`)
	ta := newTally()
	one := group{packages: []string{"./rooms/one"}, yields: true}
	ta.sideBySide(os.Environ(), [][]group{{one, {}}, {{flags: []string{"-p=x"}, packages: one.packages}}, {one}})
	require.Equal(t, 4, ta.passed)
	require.Equal(t, 2, ta.failed)
	require.Len(t, ta.bad, 3, "%v", ta.bad)
	ta.again(os.Environ())
	require.Contains(t, ta.bad, "go test: exit status 2")
}
