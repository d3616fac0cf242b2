package pacer

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes a goroutine through Go's poller, within 0.1 ms where nothing else
// runs. Go's own timers wake by its milliseconds. It belongs to one goroutine.
type alarm struct {
	file *os.File
	fd   int
	read [8]byte
}

// newAlarm makes an alarm, nil when the system has no more files to give:
// time.Sleep serves then.
func newAlarm() *alarm {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	return &alarm{file: os.NewFile(uintptr(fd), "pacer"), fd: fd}
}

func (a *alarm) close() {
	if a != nil {
		_ = a.file.Close()
	}
}

// sleep waits for d in the poller: no thread waits with it.
func (a *alarm) sleep(d time.Duration) {
	if a == nil || unix.TimerfdSettime(a.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil) != nil {
		time.Sleep(d)
		return
	}
	_, _ = a.file.Read(a.read[:])
}

// sleep is nanosleep on the shard's own thread: it wakes within 0.1 ms even
// where everything else waits for a processor. It may return early, for the
// runtime interrupts threads with signals; the wheel looks again.
func sleep(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil)
}

// raise asks for round-robin real-time priority for this thread.
func raise() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_RR, Priority: 1}, 0)
}

// lower gives the priority back.
func lower() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_NORMAL}, 0)
}
