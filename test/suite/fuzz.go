package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// runFuzz runs every fuzz target there is, one after the other.
func runFuzz(each time.Duration) error {
	all, err := packages()
	if err != nil {
		return err
	}
	passed, failed := 0, 0
	for _, p := range all {
		out, err := exec.Command("go", "test", "-list", "^Fuzz", p).Output()
		if err != nil {
			return fmt.Errorf("list fuzz targets of %s: %w", p, err)
		}
		for name := range strings.FieldsSeq(string(out)) {
			if !strings.HasPrefix(name, "Fuzz") {
				continue
			}
			fmt.Printf("%s %s for %s\n", p, name, each)
			cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+name+"$", "-fuzztime", each.String(), p)
			cmd.Stderr = os.Stderr
			if out, err := cmd.Output(); err != nil {
				failed++
				fmt.Printf("%s\n", out)
				continue
			}
			passed++
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return errors.New("a fuzz target found something")
	}
	return nil
}
