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
	ticked := make(chan struct{})
	s := w.Join(&once{func() { close(ticked) }})
	<-ticked
	s.Leave()
	if w.RealTime() {
		t.Fatal("a priority that was denied is told as had")
	}
}

// once does something at its first tick.
type once struct{ f func() }

func (o *once) Tick(time.Time, time.Time, int) {
	if o.f != nil {
		o.f()
		o.f = nil
	}
}
