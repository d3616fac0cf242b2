package pebble_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"flametree/persist/journal/pebble"
)

// Some failures of the disk end or freeze the engine, so they are tried in a
// process of their own: the test binary, called with these set.
const (
	childMode = "JOURNAL_CHILD"
	childDir  = "JOURNAL_CHILD_DIR"
)

// lethal chooses the operations that fail, by mode.
func lethal(mode string) func(op errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		base := filepath.Base(op.Path)
		switch strings.TrimSuffix(mode, " and goes on") {
		case "no new log":
			return isNewLog(op)
		case "no manifest":
			return strings.HasPrefix(base, "MANIFEST") && op.Kind == errorfs.OpFileWrite
		}
		return false
	}
}

func isNewLog(op errorfs.Op) bool {
	return filepath.Ext(op.Path) == ".log" && (op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpReuseForWrite)
}

// child appends large events until the journal fails. It prints how many were
// acknowledged, the last word before the process may end at any time.
func child(mode, dir string) {
	in := inject(vfs.Default, syscall.ENOSPC, lethal(mode))
	opt := in.options()
	opt.Fatal = func(err error) {
		fmt.Println("fatal:", err)
		if !strings.HasSuffix(mode, "and goes on") {
			os.Exit(3)
		}
	}
	j, err := pebble.Open(dir, opt)
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	in.armed.Store(true)
	var work sync.WaitGroup
	var mu sync.Mutex
	for w := range 4 {
		work.Go(func() {
			for i := range uint64(2000) {
				if _, err := j.Append(context.Background(), batch(w, i, strings.Repeat("x", 20_000))); err != nil {
					fmt.Println("told:", err)
					return
				}
				mu.Lock()
				fmt.Println("acked", w, i+1)
				mu.Unlock()
			}
		})
	}
	work.Wait()
	if !strings.HasSuffix(mode, "and goes on") {
		select {} // Fatal ends the process
	}
	start := time.Now()
	_ = j.Close()
	fmt.Println("closed in time:", time.Since(start) < 10*time.Second)
	os.Exit(4)
}

func TestADiskThatEndsTheEngineDoesNotDoItInSilence(t *testing.T) {
	for mode, exit := range map[string]int{
		"no new log": 3, "no new log and goes on": 4, "no manifest": 3, "no manifest and goes on": 4,
	} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), childMode+"="+mode, childDir+"="+dir)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			err := cmd.Run()
			var ended *exec.ExitError
			require.ErrorAs(t, err, &ended)
			text := out.String()
			require.Equal(t, exit, ended.ExitCode(), text)
			require.Equal(t, 1, strings.Count(text, "fatal:"), "it is said once")
			require.Contains(t, text, "no space left on device")
			if exit == 4 {
				require.Equal(t, 4, strings.Count(text, "told:"), "every writer is told")
				require.Contains(t, text, "closed in time: true")
			}
			j := open(t, dir, options(nil))
			require.GreaterOrEqual(t, j.Position(), acked(t, text))
			report, err := j.Verify(t.Context(), nil)
			require.NoError(t, err)
			require.Empty(t, report.Problems)
		})
	}
}

// acked adds up what the child's writers were told last.
func acked(t *testing.T, text string) (sum uint64) {
	t.Helper()
	last := map[string]uint64{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "acked" {
			n, err := strconv.ParseUint(f[2], 10, 64)
			require.NoError(t, err)
			last[f[1]] = n
		}
	}
	for _, n := range last {
		sum += n
	}
	require.Positive(t, sum)
	return sum
}
