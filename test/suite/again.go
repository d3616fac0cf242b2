package main

import (
	"fmt"
	"sort"
	"strings"
)

const (
	mostUnsteady = 8 // tests, of thousands, that may fail while others run: more are no accident
	chances      = 2 // that a test gets alone
)

// failure is a test that failed.
type failure struct {
	pkg, test string
	flags     []string // of its package
	tests     int      // it and its subtests that failed
	final     bool     // a race or a panic: nothing that a slow machine explains
}

// note keeps a failure. Subtests come before the test they are of.
func (t *tally) note(l line, name string) {
	test, _, _ := strings.Cut(l.Test, "/")
	top := strings.TrimPrefix(l.Package, "flametree/") + "." + test // a package's name has strokes, too
	f := t.broken[top]
	f.pkg, f.test, f.flags = l.Package, test, t.flags[l.Package]
	f.tests++
	f.final = f.final || noAccident(t.output[name])
	t.broken[top] = f
}

// alone keeps a package that failed though each of its tests passed: something
// was left running behind the last.
func (t *tally) alone(pkg string, said []string) {
	for _, f := range t.broken {
		if f.pkg == pkg {
			return
		}
	}
	t.broken[strings.TrimPrefix(pkg, "flametree/")] = failure{pkg: pkg, test: ".*", flags: t.flags[pkg], final: noAccident(said)}
}

// noAccident says whether there is what no slow machine explains.
func noAccident(said []string) bool {
	for _, s := range said {
		for _, sign := range []string{"race detected", "DATA RACE", "panic:", "build failed", "setup failed"} {
			if strings.Contains(s, sign) {
				return true
			}
		}
	}
	return false
}

// again runs tests that failed once more, alone, and those that fail again a last
// time. Calls run in real time here, on machines that others use too. A test that
// passes then is called unsteady and is no failure, but it is shown: its promise
// may hold, its patience does not.
func (t *tally) again(env []string) {
	if len(t.broken) == 0 || len(t.broken) > mostUnsteady {
		return
	}
	var names []string
	for name, f := range t.broken {
		if f.final {
			return
		}
		names = append(names, name)
	}
	sort.Strings(names)
	before := t.broken
	for _, name := range names {
		f := before[name]
		args := append([]string{"-count=1", "-run", "^" + f.test + "$"}, f.flags...)
		for try := 1; try <= chances; try++ {
			fmt.Println("once more, alone:", name)
			t.broken = map[string]failure{}
			t.failed -= f.tests
			t.forgive(f.pkg)
			t.run(env, group{flags: args, packages: []string{f.pkg}})
			now, still := t.stillBroken(f.pkg)
			if !still {
				t.unsteady = append(t.unsteady, name)
				break
			}
			if f = now; f.final {
				break
			}
		}
	}
}

// stillBroken is what failed of a package now.
func (t *tally) stillBroken(pkg string) (failure, bool) {
	for _, f := range t.broken {
		if f.pkg == pkg {
			return f, true
		}
	}
	return failure{}, false
}

// forgive takes a package's failure back.
func (t *tally) forgive(pkg string) {
	for i, b := range t.bad {
		if b == pkg+" failed" {
			t.bad = append(t.bad[:i], t.bad[i+1:]...)
			return
		}
	}
}

// slowest prints the n tests that took longest.
func (t *tally) slowest(n int) {
	names := make([]string, 0, len(t.took))
	for name := range t.took {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool { return t.took[names[i]] > t.took[names[j]] })
	for _, name := range names[:min(n, len(names))] {
		fmt.Printf("slow: %6.1fs %s\n", t.took[name], name)
	}
}
