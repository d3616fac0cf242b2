package python

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"flametree/engine/fault"
)

// The limits of a command, set by prlimit of util-linux.
const (
	commandData  = "--data=536870912"
	commandFiles = "--nofile=128"
)

// Command starts a program in the sandbox that interpreters get, without the
// second filter: it has no network, no files but /usr and folder ("" = none),
// both read-only, no secrets, no children, and it dies with the pool. argv[0] is
// a path below /usr or folder, or the name of a program in /usr/bin. What is
// returned is its standard input and output; closing it, or the end of ctx,
// kills it. Before the self-test has passed nothing starts.
func (p *Pool) Command(ctx context.Context, argv []string, folder string) (io.ReadWriteCloser, error) {
	if err := p.Ready(); err != nil {
		return nil, err
	}
	argv, err := program(argv, folder)
	if err != nil {
		return nil, err
	}
	got, err := p.starter.order(func() (*process, error) { return p.starter.command(argv, folder) })
	if err != nil {
		return nil, err
	}
	c := &command{process: got, gone: make(chan struct{})}
	c.unhook = context.AfterFunc(ctx, got.kill)
	p.tasks.Go(func() {
		defer close(c.gone)
		stop := context.AfterFunc(p.life, got.kill)
		defer stop()
		got.wait()
	})
	return c, nil
}

// program checks what is to be started.
func program(argv []string, folder string) ([]string, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, fmt.Errorf("there is no command: %w", fault.Invalid)
	}
	path := argv[0]
	if !strings.Contains(path, "/") {
		path = filepath.Join("/usr/bin", path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("there is no program %q: %w", argv[0], fault.NotFound)
	}
	inside := strings.HasPrefix(real, "/usr/")
	if folder != "" {
		home, err := filepath.EvalSymlinks(folder)
		inside = inside || err == nil && strings.HasPrefix(real, home+"/")
	}
	if !inside {
		return nil, fmt.Errorf("the program %q is neither below /usr nor in the folder for commands: %w", argv[0], fault.Denied)
	}
	return append([]string{real}, argv[1:]...), nil
}

// command is a running program.
type command struct {
	process *process
	unhook  func() bool
	once    sync.Once
	gone    chan struct{}
}

// Read implements io.Reader: what the program says.
func (c *command) Read(b []byte) (int, error) { return c.process.out.Read(b) }

// Write implements io.Writer: what the program hears.
func (c *command) Write(b []byte) (int, error) { return c.process.in.Write(b) }

// Close ends the program and waits until it is gone.
func (c *command) Close() error {
	c.once.Do(func() {
		c.unhook()
		c.process.kill()
	})
	<-c.gone
	return nil
}

// command starts one; see begin for the thread.
func (m machinery) command(argv []string, folder string) (_ *process, err error) {
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
	inR, inW, errIn := os.Pipe()
	outR, outW, errOut := os.Pipe()
	errR, errW, errErr := os.Pipe()
	filterR, filterW, errFilter := os.Pipe()
	theirs, ours = []*os.File{inR, outW, errW, filterR, filterW}, []*os.File{inW, outR, errR}
	if err := errors.Join(errIn, errOut, errErr, errFilter); err != nil {
		return nil, err
	}
	if _, err := filterW.Write(firstFilter()); err != nil {
		return nil, err
	}
	closeAll([]*os.File{filterW})
	args := walls()
	if folder != "" {
		args = append(args, "--ro-bind", folder, folder)
	}
	args = append(args, "--remount-ro", "/", "--seccomp", "3", "/usr/bin/prlimit", commandData, commandFiles)
	cmd := exec.Command(m.bwrap, append(args, argv...)...)
	cmd.Env = []string{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, errW
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.ExtraFiles = []*os.File{filterR}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, in: inW, out: outR, stderr: errR}, nil
}
