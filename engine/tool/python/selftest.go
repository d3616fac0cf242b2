package python

import (
	"context"
	_ "embed" // the probe
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"flametree/engine/fault"
)

//go:embed probe.py
var probeSource []byte

// SelfTest tries to get out of a real sandbox in every way that probe.py knows.
// Only when all of them fail does the Pool run anything. An error is a
// fault.Unavailable that begins with sandbox_unavailable and names what went
// wrong. It may be repeated; the last result counts.
func (p *Pool) SelfTest(ctx context.Context) error {
	err := p.tryEscapes(ctx)
	p.mu.Lock()
	if !p.closed {
		p.verdict = err
	}
	err = p.ready()
	p.mu.Unlock()
	if err != nil {
		p.opt.Log.Warn("no code of customers runs", "err", err)
		return err
	}
	p.refill()
	return nil
}

// escape is one group of attempts: a function of the probe and its arguments.
// It answers with what it could do.
type escape struct {
	name string
	args map[string]any
}

func (p *Pool) tryEscapes(ctx context.Context) error {
	if p.missing != nil {
		return p.missing
	}
	canary, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a listener on loopback does not wait
	if err != nil {
		return fmt.Errorf("canary: %w", err)
	}
	defer func() { _ = canary.Close() }()
	w, err := p.start(ctx, "")
	if err != nil {
		return err
	}
	defer func() {
		w.kill()
		<-w.ended
	}()
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	attempts := escapes(canary.Addr())
	probe := &Group{Name: "probe", files: map[string][]byte{"probe.py": probeSource}, paths: []string{"."}, entries: map[string]entryPoint{}}
	for _, e := range attempts {
		probe.entries[e.name] = entryPoint{"probe", e.name}
	}
	if err := w.adopt(ctx, identity{group: "probe"}, probe); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	var escaped []string
	for _, e := range attempts {
		done, err := try(ctx, w, e)
		if err != nil {
			return fmt.Errorf("probe of %s: %w", e.name, err)
		}
		escaped = append(escaped, done...)
	}
	if len(escaped) > 0 {
		return fmt.Errorf("the sandbox lets through: %s", strings.Join(escaped, ", "))
	}
	return nil
}

func try(ctx context.Context, w *worker, e escape) (done []string, err error) {
	args, err := json.Marshal(e.args)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fault.Bug, err)
	}
	f, err := w.talk(ctx, request{Op: "call", body: callBody{Name: e.name, Args: args, Now: "2026-01-01T00:00:00+00:00"}}, nil)
	if err != nil {
		return nil, w.explain(err, e.name)
	}
	if f.Error != nil {
		return nil, f.Error.err()
	}
	if err := json.Unmarshal(f.Value, &done); err != nil {
		return nil, errors.New("it answered something else")
	}
	return done, nil
}

func escapes(canary net.Addr) []escape {
	port := 0
	if a, ok := canary.(*net.TCPAddr); ok {
		port = a.Port
	}
	readable := []string{"/etc/passwd", "/etc", "/proc", "/proc/self/environ", "/root", "/home", "/sys", "/var", "/dev/mem", "/work"}
	writable := []string{"/usr/canary", "/canary", "/dev/canary", "/worker.py", "/lib/canary"}
	if exe, err := os.Executable(); err == nil && !strings.HasPrefix(exe, "/tmp/") && !strings.HasPrefix(exe, "/usr/") {
		readable = append(readable, exe, filepath.Dir(exe))
	}
	return []escape{
		{"syscalls", map[string]any{"calls": forbidden()}},
		{"files", map[string]any{"readable": readable, "writable": writable}},
		{"network", map[string]any{"port": port}},
		{"processes", map[string]any{}},
		{"memory", map[string]any{}},
		{"descriptors", map[string]any{}},
	}
}

// forbidden are calls that must be denied, by name, with their number and
// arguments that do nothing where they are not.
func forbidden() map[string][]int {
	const minus = -1
	return map[string][]int{
		"socket(AF_INET)":        {unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0, 0, 0},
		"socket(AF_UNIX)":        {unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM, 0, 0, 0},
		"socket(AF_NETLINK)":     {unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, 0, 0, 0},
		"clone":                  {unix.SYS_CLONE, int(unix.SIGCHLD), 0, 0, 0, 0},
		"clone3":                 {unix.SYS_CLONE3, 0, 0, 0, 0, 0},
		"execve":                 {unix.SYS_EXECVE, 0, 0, 0, 0, 0},
		"execveat":               {unix.SYS_EXECVEAT, minus, 0, 0, 0, 0},
		"unshare(CLONE_NEWUSER)": {unix.SYS_UNSHARE, unix.CLONE_NEWUSER, 0, 0, 0, 0},
		"setns":                  {unix.SYS_SETNS, minus, 0, 0, 0, 0},
		"ptrace":                 {unix.SYS_PTRACE, minus, 0, 0, 0, 0},
		"mount":                  {unix.SYS_MOUNT, 0, 0, 0, 0, 0},
		"bpf":                    {unix.SYS_BPF, minus, 0, 0, 0, 0},
		"keyctl":                 {unix.SYS_KEYCTL, 0, -3, 0, 0, 0},
		"add_key":                {unix.SYS_ADD_KEY, 0, 0, 0, 0, 0},
		"io_uring_setup":         {unix.SYS_IO_URING_SETUP, 1, 0, 0, 0, 0},
		"perf_event_open":        {unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0},
		"userfaultfd":            {unix.SYS_USERFAULTFD, minus, 0, 0, 0, 0},
		"memfd_create":           {unix.SYS_MEMFD_CREATE, 0, 0, 0, 0, 0},
		"process_vm_readv":       {unix.SYS_PROCESS_VM_READV, minus, 0, 0, 0, 0},
		"open_by_handle_at":      {unix.SYS_OPEN_BY_HANDLE_AT, minus, 0, 0, 0, 0},
		"pidfd_open":             {unix.SYS_PIDFD_OPEN, minus, 0, 0, 0, 0},
		"personality":            {unix.SYS_PERSONALITY, 0xffffffff, 0, 0, 0, 0},
		"prctl(PR_SET_DUMPABLE)": {unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1, 0, 0, 0},
		"seccomp":                {unix.SYS_SECCOMP, minus, 0, 0, 0, 0},
		"kill":                   {unix.SYS_KILL, 1, 0, 0, 0, 0},
		"ioctl(TIOCSTI)":         {unix.SYS_IOCTL, minus, unix.TIOCSTI, 0, 0, 0},
		"socketpair(AF_NETLINK)": {unix.SYS_SOCKETPAIR, unix.AF_NETLINK, 0, 0, 0, 0},
		"landlock_restrict_self": {unix.SYS_LANDLOCK_RESTRICT_SELF, minus, 0, 0, 0, 0},
	}
}
