package browser_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/test/browser/cdp"
)

// ownNetwork says that this process has a network of its own.
const ownNetwork = "FLAMETREE_BROWSER_OWN_NETWORK"

// alone runs a test again in a process with an empty network of its own, and
// reports whether this is that one.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(ownNetwork) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=90s")
	cmd.Env = append(os.Environ(), ownNetwork+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
	return false
}

// front passes connections on, until the network under them is gone: then they
// stay open and nothing comes through any more.
type front struct {
	net.Listener
	to string

	mu   sync.Mutex // guards dead
	dead *sync.Map  // replaced when the network changes; connections belong to theirs
	open sync.WaitGroup
}

func newFront(t *testing.T, to string) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &front{Listener: l, to: to, dead: new(sync.Map)}
	t.Cleanup(func() { // behind the browser and the server, which are there later
		_ = l.Close()
		f.open.Wait()
	})
	f.open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.open.Go(func() { f.pass(c) })
		}
	})
	return f
}

// change cuts off all connections there are, without a word.
func (f *front) change() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead.Store("dead", true)
	f.dead = new(sync.Map)
}

func (f *front) pass(c net.Conn) {
	f.mu.Lock()
	dead := f.dead
	f.mu.Unlock()
	s, err := net.Dial("tcp", f.to)
	if err != nil {
		_ = c.Close()
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{c, s}, {s, c}} {
		both.Go(func() {
			_, _ = io.Copy(mortal{way[1], dead}, way[0])
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
}

// mortal swallows what is written once the network is gone.
type mortal struct {
	io.Writer
	dead *sync.Map
}

func (m mortal) Write(b []byte) (int, error) {
	if _, gone := m.dead.Load("dead"); gone {
		return len(b), nil
	}
	return m.Writer.Write(b)
}

// A visitor walks out of the house: the address is gone, another is there, and
// the socket is one of the old network. The agent reads on.
func TestTheCallGoesOnInAnotherNetwork(t *testing.T) {
	if !alone(t) {
		return
	}
	for _, line := range []string{
		"link set lo up", "addr add 10.9.0.1/32 dev lo", "link add home type veth peer name router", "link add street type veth peer name tower",
		"link set router up", "link set tower up", "link set home up", "link set street up", "addr add 10.1.0.2/24 dev home",
	} {
		execute(t, "ip", strings.Fields(line)...)
	}
	s := serve(t, "--webrtc", "10.9.0.1:0", "--turn", "off")
	f := newFront(t, s.HTTP)
	v := visitAt(t, s, f.Addr().String(), "Reader", cdp.Options{Network: true, Microphone: quiet(t)}, "")
	v.call()
	v.Wait("the agent reads", `ear.chunks.filter((c) => c.pcm.some((x) => Math.abs(x) > 2000)).length > 300`)
	before := v.stats()
	require.Equal(t, "10.1.0.2", before.Address, show(before))
	at := time.Duration(len(v.heard())) * time.Second / rateHz

	f.change()
	execute(t, "ip", "addr", "del", "10.1.0.2/24", "dev", "home")
	execute(t, "ip", "addr", "add", "10.2.0.2/24", "dev", "street")
	time.Sleep(8 * time.Second) // what is heard meanwhile is what this is about
	after := v.stats()
	assert.Equal(t, "10.2.0.2", after.Address, show(after))
	v.state("up")

	sound := v.heard()
	gap, last := time.Duration(0), time.Duration(0)
	for _, p := range spurts(sound, 50*time.Millisecond) {
		if last > 0 && p.to > at {
			gap = max(gap, p.from-last)
		}
		last = p.to
	}
	end := time.Duration(len(sound)) * time.Second / rateHz
	t.Logf("figure: through a change of address nothing was heard for %v (the pauses of speech are in it); %v of sound, the last at %v", gap, end, last)
	assert.Less(t, gap, 3*time.Second)
	assert.Greater(t, last, end-2*time.Second, "the agent reads on")
	assert.Less(t, gap, end-at, "and was heard after it")
	v.press(".button.bad")
	v.state("ended")
	assert.Equal(t, "hangup", v.ended().Reason, "the hang-up went by the new socket")
}
