package python

import (
	_ "embed" // the interpreter's side
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"flametree/engine/fault"
)

//go:embed worker.py
var workerSource []byte

// The descriptors that a sandbox is started with. Those of the protocol stay;
// bubblewrap reads the others to their ends and closes them.
const (
	fdIn = iota + 3
	fdOut
	fdFilter
	fdSource
)

// maxStderr is what is kept of what a start that failed had to say.
const maxStderr = 4 << 10

// walls are the namespaces and mounts that every sandboxed process gets.
func walls() []string {
	return []string{
		"--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--as-pid-1",
		"--clearenv", "--setenv", "PATH", "/usr/bin", "--setenv", "MALLOC_ARENA_MAX", "1",
		"--cap-drop", "ALL", "--uid", "65534", "--gid", "65534", "--hostname", "sandbox",
		"--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
		"--dev-bind", "/dev/null", "/dev/null", "--ro-bind", "/dev/urandom", "/dev/urandom",
		"--size", strconv.Itoa(16 << 20), "--tmpfs", "/tmp",
	}
}

// machinery is what starts sandboxes.
type machinery struct {
	bwrap, python string
	memory        int64 // bytes of address space
}

// find looks the programs up. An error says what is missing.
func find(bwrap, python string) (machinery, error) {
	var m machinery
	var err error
	if m.bwrap, err = exec.LookPath(bwrap); err != nil {
		return m, fmt.Errorf("bubblewrap is not installed (%s)", bwrap)
	}
	if m.python, err = exec.LookPath(python); err == nil {
		m.python, err = filepath.EvalSymlinks(m.python)
	}
	if err != nil {
		return m, fmt.Errorf("python is not installed (%s)", python)
	}
	if !strings.HasPrefix(m.python, "/usr/") {
		return m, fmt.Errorf("python must be installed below /usr, it is %s", m.python)
	}
	return m, nil
}

// arguments are bubblewrap's, for an interpreter with the folder env of
// packages, or "".
func (m machinery) arguments(env string) []string {
	a := append(walls(), "--file", strconv.Itoa(fdSource), "/worker.py")
	if env != "" {
		a = append(a, "--ro-bind", env, "/env")
	}
	a = append(a, "--remount-ro", "/", "--seccomp", strconv.Itoa(fdFilter))
	return append(a, m.python, "-I", "-S", "-B", "/worker.py",
		strconv.Itoa(fdIn), strconv.Itoa(fdOut), strconv.FormatInt(m.memory, 10), secondFilter())
}

// process is a sandbox that runs. in and out are the host's ends.
type process struct {
	cmd     *exec.Cmd
	in, out *os.File
	stderr  *os.File

	mu     sync.Mutex
	reaped bool
}

// kill ends the sandbox. It may be called at any time.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped { // or the number may be another's by now
		_ = unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
	}
}

// begin starts a sandbox. It must run on a thread that lives as long as the
// sandbox shall: the kernel ties --die-with-parent to the thread that forked.
func (m machinery) begin(env string) (_ *process, err error) {
	// What the host was started with, or what C code opened, would be inherited.
	if err := unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return nil, fmt.Errorf("close inherited descriptors: %w", err)
	}
	var theirs, ours []*os.File
	defer func() {
		closeAll(theirs)
		if err != nil {
			closeAll(ours)
		}
	}()
	pipe := func(of func() (*os.File, *os.File, error)) (r, w *os.File) {
		if err == nil {
			r, w, err = of()
		}
		return r, w
	}
	inR, inW := pipe(os.Pipe)
	outR, outW := pipe(answers)
	filterR, filterW := pipe(os.Pipe)
	sourceR, sourceW := pipe(os.Pipe)
	errR, errW := pipe(os.Pipe)
	theirs = []*os.File{inR, outW, filterR, sourceR, errW, filterW, sourceW}
	ours = []*os.File{inW, outR, errR}
	if err != nil {
		return nil, err
	}
	// Both fit into a pipe, so nobody has to read yet.
	for w, text := range map[*os.File][]byte{filterW: firstFilter(), sourceW: workerSource} {
		if _, err := w.Write(text); err != nil {
			return nil, err
		}
	}
	closeAll([]*os.File{filterW, sourceW})
	cmd := exec.Command(m.bwrap, m.arguments(env)...)
	cmd.Env = []string{}
	cmd.Stderr = errW
	// Until it has told the kernel to die with its parent, what bubblewrap forks
	// dies with the group only.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.ExtraFiles = []*os.File{inR, outW, filterR, sourceR}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, in: inW, out: outR, stderr: errR}, nil
}

// answers is a pipe whose reader waits in the kernel and not in Go's poller,
// which would add a third to the time of a call. It never waits for ever: the
// sandbox is killed at the deadline, and that ends the pipe.
func answers() (r, w *os.File, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	return os.NewFile(uintptr(p[0]), "answers"), os.NewFile(uintptr(p[1]), "answers"), nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// wait reaps the sandbox and tells how it ended.
func (p *process) wait() string {
	said, _ := io.ReadAll(io.LimitReader(p.stderr, maxStderr))
	_, _ = io.Copy(io.Discard, p.stderr) // ends when everybody who could write is gone
	p.mu.Lock()
	_ = p.cmd.Wait()
	p.reaped = true
	p.mu.Unlock()
	closeAll([]*os.File{p.in, p.out, p.stderr})
	how := p.cmd.ProcessState.String()
	if text := strings.TrimSpace(string(said)); text != "" {
		how += ": " + text
	}
	return how
}

// starter starts sandboxes on a thread of its own.
type starter struct {
	machinery
	orders chan order
}

type order struct {
	begin func() (*process, error)
	done  chan<- started
}

type started struct {
	process *process
	err     error
}

// run holds the thread until orders is closed. Then the thread ends, and with
// it every sandbox that is still there.
func (s *starter) run() {
	runtime.LockOSThread()
	for o := range s.orders {
		p, err := o.begin()
		o.done <- started{p, err}
	}
}

// start orders a sandbox, while run runs. Whoever gets a process must wait for it.
func (s *starter) start(env string) (*process, error) {
	return s.order(func() (*process, error) { return s.begin(env) })
}

func (s *starter) order(begin func() (*process, error)) (*process, error) {
	done := make(chan started, 1)
	s.orders <- order{begin, done}
	got := <-done
	if got.err != nil {
		return nil, fmt.Errorf("start a sandbox: %w: %w", fault.Unavailable, got.err)
	}
	return got.process, nil
}
