//go:build !linux

package pacer

import (
	"errors"
	"time"
)

func sleep(d time.Duration, _ bool) { time.Sleep(d) }

// raise is refused where we do not know how to ask.
func raise() error { return errors.ErrUnsupported }
