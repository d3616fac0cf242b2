package pacer

import (
	"fmt"
	"runtime"

	"flametree/engine/fault"
)

// Grant tries whether a thread of this process gets the priority that
// Options.RealTime asks for; nil when it does. The error, fault.Denied, says
// what to do. Calls work without: only on a machine that does other things
// besides do packets wait for their turn.
func Grant() error {
	got := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its priority
		got <- raise()
	}()
	if err := <-got; err != nil {
		return fmt.Errorf("packets are paced without real-time priority (%w): give the program CAP_SYS_NICE "+
			"(setcap cap_sys_nice=+ep PROGRAM, or AmbientCapabilities=CAP_SYS_NICE in its unit) "+
			"or an rtprio limit of 1 (ulimit -r 1, or LimitRTPRIO=1): %w", err, fault.Denied)
	}
	return nil
}
