package pacer

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"flametree/engine/fault"
)

// deniedKey makes the test binary ask for the priority where it is not granted.
const deniedKey = "FLAMETREE_PACER_DENIED"

// A process that may not have the priority is told what to do, and its wheel
// turns without. It is this one, started anew by a process that has given the
// right away.
func TestPriorityThatIsDeniedIsSaidWithWhatToDo(t *testing.T) {
	switch os.Getenv(deniedKey) {
	case "":
		cmd := exec.Command(os.Args[0], "-test.run=^TestPriorityThatIsDeniedIsSaidWithWhatToDo$")
		cmd.Env = append(os.Environ(), deniedKey+"=drop")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	case "drop":
		runtime.LockOSThread() // the right is the thread's, and exec takes the thread's
		// Who is not root has not got it, and needs not give it away.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_NICE, 0, 0, 0); err != nil && os.Getuid() == 0 {
			t.Fatal(err)
		}
		if err := unix.Setrlimit(unix.RLIMIT_RTPRIO, &unix.Rlimit{}); err != nil {
			t.Fatal(err)
		}
		t.Setenv(deniedKey, "denied")
		t.Fatal(syscall.Exec(os.Args[0], os.Args, os.Environ()))
	case "denied":
		denied(t)
	}
}

func denied(t *testing.T) {
	t.Helper()
	err := Grant()
	if !errors.Is(err, fault.Denied) || !strings.Contains(err.Error(), "CAP_SYS_NICE") || !strings.Contains(err.Error(), "LimitRTPRIO") {
		t.Fatalf("denied: %v", err)
	}
	w := New(Options{Shards: 1, RealTime: true})
	defer w.Close()
	lag(w)
	if w.RealTime() != 0 {
		t.Fatal("a priority that was denied is told as had")
	}
}

// A shard whose ticks come late takes the priority where it is granted, and
// gives it back when nobody is left to be late for.
func TestLatenessTakesThePriority(t *testing.T) {
	want := 1
	if Grant() != nil {
		want = 0
	}
	w := New(Options{Shards: 1, RealTime: true})
	defer w.Close()
	if w.RealTime() != 0 {
		t.Fatal("taken before anything was late")
	}
	leave := lag(w)
	w.recent.mu.Lock()
	told := w.recent.old.Count() + w.recent.new.Count()
	w.recent.mu.Unlock()
	if all := w.all.Count(); want == 1 && told == all {
		t.Fatalf("what the priority cured is told as lateness: %d ticks of %d", told, all)
	}
	if got := w.RealTime(); got != want {
		t.Fatalf("shards with priority: %d, the system grants %d", got, want)
	}
	leave()
	deadline := time.Now().Add(10 * time.Second)
	for w.RealTime() != 0 {
		if time.Now().After(deadline) {
			t.Fatal("kept though nobody is there")
		}
		runtime.Gosched()
	}
}

// lag makes a shard late until it has looked at its lateness, more than once.
func lag(w *Wheel) (leave func()) {
	enough := make(chan struct{})
	var count int
	slow := w.Join(tickFunc(func() {
		begun := time.Now()
		for time.Since(begun) < 2*gripLate { // in the way of its neighbour
		}
		if count++; count == int(3*gripLook/Period) {
			close(enough)
		}
	}))
	beside := slow.Beside(tickFunc(func() {}))
	<-enough
	return func() {
		slow.Leave()
		beside.Leave()
	}
}

type tickFunc func()

func (f tickFunc) Tick(time.Time, time.Time, int) { f() }
