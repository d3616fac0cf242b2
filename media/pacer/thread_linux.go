package pacer

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleep is nanosleep on the shard's own thread: it wakes within 0.1 ms, where
// Go's timers go through the poller and its milliseconds. It may return early,
// for the runtime interrupts threads with signals; the wheel looks again.
func sleep(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil)
}

// raise asks for round-robin real-time priority for this thread.
func raise() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_RR, Priority: 1}, 0)
}
