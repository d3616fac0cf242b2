package rig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The probe's write is about one event, ten times a second: enough to be told
// of a slow disk, too little to make one.
const (
	probeBytes = 352
	probePause = 100 * time.Millisecond
)

// Probe syncs a small append to a file in dir until ctx ends and returns, in
// milliseconds, how long each took. What the disk takes, nobody who promises
// durability can be quicker than; whoever else uses the disk shows here.
func Probe(ctx context.Context, dir string) (took []float64, err error) {
	f, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		return nil, fmt.Errorf("disk probe: %w", err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, probeBytes)
	for wait(ctx, probePause) {
		t := time.Now()
		if _, err := f.Write(block); err != nil {
			return nil, fmt.Errorf("disk probe: %w", err)
		}
		if err := f.Sync(); err != nil {
			return nil, fmt.Errorf("disk probe: %w", err)
		}
		took = append(took, float64(time.Since(t))/float64(time.Millisecond))
	}
	return took, nil
}
