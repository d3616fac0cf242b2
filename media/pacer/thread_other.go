//go:build !linux

package pacer

import "time"

func sleep(d time.Duration) { time.Sleep(d) }

// raise is refused where we do not know how to ask.
func raise() bool { return false }
