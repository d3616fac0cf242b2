package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// runMutants applies each patch to a copy of the tracked files and wants the
// named test to fail there.
func runMutants(only string) error {
	patches, err := filepath.Glob("test/mutants/*.patch")
	if err != nil || len(patches) == 0 {
		return errors.Join(err, errors.New("no patches in test/mutants"))
	}
	dir, err := os.MkdirTemp("", "flametree-mutants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if out, err := exec.Command("sh", "-c", "git ls-files -co --exclude-standard -z | xargs -0 cp --parents -t "+dir).CombinedOutput(); err != nil {
		return fmt.Errorf("copy: %w: %s", err, out)
	}
	caught, missed := 0, 0
	for _, p := range patches {
		if only != "" && !strings.Contains(p, only) {
			continue
		}
		begun := time.Now()
		verdict := try(p, dir)
		if verdict == nil {
			caught++
			fmt.Printf("caught  %s (%s)\n", filepath.Base(p), time.Since(begun).Round(time.Second))
			continue
		}
		missed++
		fmt.Printf("MISSED  %s: %v\n", filepath.Base(p), verdict)
	}
	fmt.Printf("%d passed, %d failed\n", caught, missed)
	if missed > 0 {
		return errors.New("a broken promise went unseen")
	}
	return nil
}

// try returns nil when the patch's test fails on the patched copy.
func try(patch, dir string) error {
	text, err := os.ReadFile(patch)
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`(?m)^Caught-by: (\S+) (\S+)$`).FindSubmatch(text)
	if m == nil {
		return errors.New("no line Caught-by: ./package TestName")
	}
	abs, err := filepath.Abs(patch)
	if err != nil {
		return err
	}
	apply := func(flags ...string) ([]byte, error) {
		cmd := exec.Command("patch", append(flags, "-F0", "-p1", "-s", "--no-backup-if-mismatch", "-i", abs)...)
		cmd.Dir = dir
		return cmd.CombinedOutput()
	}
	if out, err := apply(); err != nil {
		_, _ = apply("-R", "-f")
		return fmt.Errorf("does not apply: %s", out)
	}
	defer func() { _, _ = apply("-R") }()
	vet := exec.Command("go", "test", "-run", "^$", string(m[1]))
	vet.Dir = dir
	if out, err := vet.CombinedOutput(); err != nil {
		return fmt.Errorf("does not compile: %s", out)
	}
	test := exec.Command("go", "test", "-count=1", "-timeout=5m", "-run", "^"+string(m[2])+"$", string(m[1]))
	test.Dir = dir
	out, err := test.CombinedOutput()
	switch {
	case err == nil && strings.Contains(string(out), "no tests to run"):
		return errors.New("there is no such test")
	case strings.Contains(string(out), "panic: test timed out"):
		return fmt.Errorf("%s hangs on the broken code and does not say what is wrong", m[2])
	case err == nil:
		return fmt.Errorf("%s passes on the broken code", m[2])
	}
	return nil
}
