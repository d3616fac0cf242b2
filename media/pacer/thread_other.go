//go:build !linux

package pacer

import (
	"errors"
	"time"
)

// alarm is Go's own timer where we know of no better.
type alarm struct{}

func newAlarm() *alarm               { return nil }
func (*alarm) close()                {}
func (*alarm) sleep(d time.Duration) { time.Sleep(d) }
func sleep(d time.Duration)          { time.Sleep(d) }
func lower() error                   { return nil }

// raise is refused where we do not know how to ask.
func raise() error { return errors.ErrUnsupported }
