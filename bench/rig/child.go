package rig

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"flametree/engine/fault"
)

// Child is a process of this very program, started with other arguments. It is
// spoken to in lines of JSON, and ends when its input does.
type Child struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// grace is how long a child may take to end before it is killed.
const grace = 20 * time.Second

// Spawn starts a child and gives it its first line. What it logs goes to our
// own standard error. The caller ends it with End.
func Spawn(ctx context.Context, name string, first any) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	cmd := exec.CommandContext(ctx, self, name)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = grace
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &Child{name: name, cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<20)}
	if err := c.Tell(first); err != nil {
		return nil, errors.Join(err, c.End())
	}
	return c, nil
}

// PID is the child's process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Tell sends a line.
func (c *Child) Tell(v any) error {
	if err := json.NewEncoder(c.in).Encode(v); err != nil {
		return fmt.Errorf("tell %s: %w", c.name, err)
	}
	return nil
}

// Hear waits for the next line. The end of the child is fault.Unavailable.
func (c *Child) Hear(v any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("%s has ended: %w: %w", c.name, fault.Unavailable, err)
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("hear %s: %w: %w", c.name, fault.Bug, err)
	}
	return nil
}

// End closes the child's input and waits for its end.
func (c *Child) End() error {
	_ = c.in.Close() // it may have ended by itself
	kill := time.AfterFunc(grace, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	_, _ = io.Copy(io.Discard, c.out)
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}
