package pacer

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sleep is nanosleep on the shard's own thread: it wakes within 0.1 ms, where
// Go's timers go through the poller and its milliseconds. It may return early,
// for the runtime interrupts threads with signals; the wheel looks again. Those
// signals are also why hold, which keeps Go's scheduler out of it, does not keep
// the collector waiting.
func sleep(d time.Duration, hold bool) {
	ts := unix.NsecToTimespec(int64(d))
	if hold {
		_, _, _ = unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		return
	}
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil)
}

// raise asks for round-robin real-time priority for this thread.
func raise() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_RR, Priority: 1}, 0)
}
