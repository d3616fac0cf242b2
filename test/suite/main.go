// Command suite runs the project's tests and says at the end how many ran,
// failed and were skipped, and which took longest. It fails when a test fails,
// when a test other than TestLive… is skipped, or when test/features.csv names a
// test that did not run. What fails once and passes alone is unsteady: see again.go.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

func main() {
	fuzz := flag.Duration("fuzz", 0, "run every fuzz target for this long instead of the tests")
	mutants := flag.Bool("mutants", false, "apply every patch of test/mutants to a copy and see its test fail")
	only := flag.String("only", "", "mutants: only patches whose name contains this")
	long := flag.Bool("long", false, "run the long forms of tests too")
	flag.Parse()
	var err error
	switch {
	case *fuzz > 0:
		err = runFuzz(*fuzz)
	case *mutants:
		err = runMutants(*only)
	default:
		err = runTests(*long)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(1)
	}
}

// tally is what the tests said. Streams tell it at the same time.
type tally struct {
	mu             sync.Mutex // guards what follows
	passed, failed int
	skipped        map[string]string // test → why
	ran            map[string]string // package.Test → pass fail skip
	output         map[string][]string
	bad            []string
	broken         map[string]failure // top tests that failed, by package.Test
	unsteady       []string
	took           map[string]float64  // seconds of top tests
	flags          map[string][]string // of packages that were run, for trying them again
}

func newTally() *tally {
	return &tally{
		skipped: map[string]string{}, ran: map[string]string{}, output: map[string][]string{},
		broken: map[string]failure{}, took: map[string]float64{}, flags: map[string][]string{},
	}
}

// runTests runs all groups of packages and looks at what came of it.
func runTests(long bool) error {
	begun := time.Now()
	all, err := streams(long)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "flametree-suite-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	variables, err := prepare(dir)
	if err != nil {
		return err
	}
	env := append(os.Environ(), variables...)
	if long {
		env = append(env, "FLAMETREE_TEST_LONG=1")
	}
	t := newTally()
	t.sideBySide(env, all)
	t.again(env)
	features := checkFeatures("test/features.csv", t.ran)
	for _, f := range features {
		fmt.Println("features:", f)
	}
	for name, why := range t.skipped {
		fmt.Printf("skipped: %s: %s\n", name, why)
		if !strings.HasPrefix(name[strings.LastIndex(name, ".")+1:], "TestLive") {
			t.bad = append(t.bad, name+" was skipped")
		}
	}
	sort.Strings(t.bad)
	for _, b := range t.bad {
		fmt.Println("bad:", b)
	}
	t.slowest(20)
	for _, u := range t.unsteady {
		fmt.Println("unsteady:", u, "failed once, see above, and passed alone")
	}
	fmt.Printf("tests took %s\n", time.Since(begun).Round(time.Second))
	fmt.Printf("%d passed, %d failed, %d skipped, %d unsteady\n", t.passed, t.failed, len(t.skipped), len(t.unsteady))
	if t.failed > 0 || len(t.bad) > 0 || len(features) > 0 {
		return errors.New("not everything is well")
	}
	return nil
}

// line is one line of go test -json.
type line struct {
	Action, Package, Test, Output string
	Elapsed                       float64
	ImportPath                    string
}

// sideBySide runs streams at the same time, the groups of each one after the other.
func (t *tally) sideBySide(env []string, all [][]group) {
	begun := time.Now()
	var running sync.WaitGroup
	for i, stream := range all {
		running.Go(func() {
			for _, g := range stream {
				if len(g.packages) > 0 {
					t.run(env, g)
				}
			}
			fmt.Printf("stream %d of %d took %s\n", i+1, len(all), time.Since(begun).Round(time.Second))
		})
	}
	running.Wait()
}

// run runs the packages of a group with its flags of go test.
func (t *tally) run(env []string, g group) {
	// Compilers and linkers yield to all tests: calls of another stream may be on.
	line := slices.Concat([]string{"go", "test", "-json", "-toolexec=nice -n 7"}, g.flags, g.packages)
	if g.yields {
		line = append([]string{"nice", "-n", "8"}, line...)
	}
	t.mu.Lock()
	for _, p := range g.packages {
		t.flags[p] = g.flags
	}
	t.mu.Unlock()
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env, cmd.Stderr = env, os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	failed := 0
	if err == nil {
		failed = t.read(out)
		err = cmd.Wait()
	}
	if err != nil && failed == 0 { // what failed has no name, and no second try
		t.mu.Lock()
		t.bad = append(t.bad, "go test: "+err.Error())
		t.mu.Unlock()
	}
}

// read takes what go test says and counts the packages that failed.
func (t *tally) read(out io.Reader) (failed int) {
	sc := bufio.NewScanner(out)
	sc.Buffer(make([]byte, 1<<20), 16<<20)
	for sc.Scan() {
		var l line
		if json.Unmarshal(sc.Bytes(), &l) != nil {
			fmt.Println(sc.Text())
			continue
		}
		t.take(l)
		if l.Action == "fail" && l.Test == "" {
			failed++
		}
	}
	return failed
}

func (t *tally) take(l line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := strings.TrimPrefix(l.Package, "flametree/") + "." + l.Test
	switch l.Action {
	case "output", "build-output":
		if l.Action == "build-output" {
			fmt.Print(l.Output)
			return
		}
		t.output[name] = append(t.output[name], l.Output)
	case "pass", "fail", "skip":
		if l.Test == "" {
			t.closePackage(l, name)
			return
		}
		t.ran[name] = l.Action
		if !strings.Contains(l.Test, "/") {
			t.took[name] = l.Elapsed
		}
		switch l.Action {
		case "pass":
			t.passed++
		case "fail":
			t.failed++
			t.note(l, name)
			fmt.Printf("--- FAIL %s\n%s", name, strings.Join(t.output[name], ""))
		case "skip":
			t.skipped[name] = strings.TrimSpace(lastLine(t.output[name]))
		}
		t.figures(name)
		delete(t.output, name)
	}
}

// figures prints what a test wants to be seen: lines that start with "figure:".
func (t *tally) figures(name string) {
	for _, o := range t.output[name] {
		if i := strings.Index(o, "figure:"); i >= 0 {
			fmt.Printf("%s %s\n", name, strings.TrimSpace(o[i:]))
		}
	}
}

func (t *tally) closePackage(l line, name string) {
	if l.Action == "fail" {
		said := t.rest(l.Package)
		fmt.Printf("--- FAIL %s\n%s", l.Package, strings.Join(said, ""))
		t.bad = append(t.bad, l.Package+" failed")
		t.alone(l.Package, said)
	}
	if l.Action != "skip" {
		fmt.Printf("%-4s %s (%.1fs)\n", l.Action, strings.TrimPrefix(l.Package, "flametree/"), l.Elapsed)
	}
	delete(t.output, name)
}

// rest is what a package said that no test was shown with: go test gives what is
// said after the last test, such as of goroutines that are left, to that test.
func (t *tally) rest(pkg string) (said []string) {
	prefix := strings.TrimPrefix(pkg, "flametree/") + "."
	for _, name := range slices.Sorted(maps.Keys(t.output)) {
		if strings.HasPrefix(name, prefix) && !strings.Contains(name[len(prefix):], ".") {
			said = append(said, t.output[name]...)
		}
	}
	return said
}

func lastLine(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if s := strings.TrimSpace(line); s != "" && !strings.HasPrefix(s, "---") {
			return s
		}
	}
	return "no reason given"
}
