package pacer

import (
	"runtime"
	"time"
)

// thread is where a shard turns: any of Go's threads, or one of its own with
// real-time priority. It belongs to the shard's goroutine.
type thread struct {
	wheel *Wheel
	may   bool // ask for the priority; false once it was denied
	held  bool
	alarm *alarm
}

// curable reports whether there is a priority left to take.
func (t *thread) curable() bool { return t.may && !t.held }

// hold takes the priority or gives it back, and reports whether it was taken
// just now. A thread that cannot give it back is kept: it ends with its
// goroutine, and the priority with it.
func (t *thread) hold(want bool) (taken bool) {
	switch {
	case want == t.held || !t.may:
		return false
	case want:
		runtime.LockOSThread()
		if raise() != nil {
			runtime.UnlockOSThread()
			t.may = false
			return false
		}
		t.held = true
		t.wheel.realTime.Add(1)
		return true
	case lower() != nil:
		t.may = false
		return false
	}
	runtime.UnlockOSThread()
	t.held = false
	t.wheel.realTime.Add(-1)
	return false
}

// sleep waits for d, or less.
func (t *thread) sleep(d time.Duration) {
	if t.held {
		sleep(d)
		return
	}
	t.alarm.sleep(d)
}

func (t *thread) end() {
	t.hold(false)
	t.alarm.close()
}
