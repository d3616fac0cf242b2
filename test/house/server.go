package house

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Options of a Server. The zero value serves no agent from a folder of its own.
type Options struct {
	Data   string   // folder; "" = one that is removed with the test
	Agents []string // agent files
	Demo   bool     // the demo agents too
	Silent bool     // nobody can call: such a server need not learn what callers may say
	Log    string   // level; "" = info
	Whole  bool     // all its files are in its folder: for tests that look at every one
	Env    []string // KEY=VALUE, beside those of this process
	Args   []string // further flags of serve
}

// Server is a running program. Its fields do not change once it runs.
type Server struct {
	Data   string
	PID    int
	HTTP   string // host:port
	SIP    string
	Agents []Agent
	Took   time.Duration // from its start until it said ready

	out, err sink
	cmd      *exec.Cmd
	ended    chan struct{}
}

// Agent is an agent as demo.json names it.
type Agent struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Token string `json:"token"`
	SIP   string `json:"sip"`
}

// patience bounds how long a server may take to say ready or to end.
const patience = 30 * time.Second

// Ended is how a server ended that was expected to run.
type Ended struct {
	Code     int    // exit code, -1 after a signal
	Out, Err string // what it printed
}

// Error implements error.
func (e *Ended) Error() string {
	return fmt.Sprintf("the server ended with exit code %d:\n%s\n%s", e.Code, e.Out, e.Err)
}

// Serve starts a server and fails the test when it does not come up. It is
// killed at the end of the test if it still runs.
func Serve(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(t, o)
	require.NoError(t, err)
	return s
}

// Start is Serve for servers that may refuse to start: the error is then an *Ended.
func Start(t testing.TB, o Options) (*Server, error) {
	t.Helper()
	s := &Server{Data: o.Data, ended: make(chan struct{})}
	if s.Data == "" {
		s.Data = filepath.Join(t.TempDir(), "data")
	}
	args := []string{"serve", "--data", s.Data, "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--rtp", "0-0", "--metrics", "off"}
	if o.Silent {
		args = append(args, "--sip", "off", "--webrtc", "off")
	}
	if o.Demo {
		args = append(args, "--demo")
	}
	for _, a := range o.Agents {
		args = append(args, "--agent", a)
	}
	if o.Log != "" {
		args = append(args, "--log", o.Log)
	}
	if !o.Silent && !o.Whole {
		share(s.Data)
	}
	s.cmd = exec.Command(Program(), append(args, o.Args...)...)
	s.cmd.Env = environment(o.Env)
	// It must not outlive a test process that is killed.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.err
	begun := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.PID = s.cmd.Process.Pid
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() { s.Kill(); s.tell(t) })
	if err := s.await(begun.Add(patience)); err != nil {
		return nil, err
	}
	s.Took = time.Since(begun)
	return s, s.read()
}

// environment fits a test machine: a small ballast, a low floor of free space,
// and calls also when others keep its processors busy; extra wins.
func environment(extra []string) []string {
	return append(append(os.Environ(),
		"FLAMETREE_DISK_LOW=16MB", "FLAMETREE_DISK_BALLAST=1MB", "FLAMETREE_ADMISSION_PACER_LATE_P99=10s"), extra...)
}

// await waits for the line that says ready.
func (s *Server) await(until time.Time) error {
	for {
		changed := s.out.changed()
		if strings.Contains(s.out.String(), "\nready\n") {
			return nil
		}
		select {
		case <-s.ended:
			return &Ended{Code: s.cmd.ProcessState.ExitCode(), Out: s.out.String(), Err: s.err.String()}
		case <-time.After(time.Until(until)):
			return fmt.Errorf("not ready after %v:\n%s", patience, s.err.String())
		case <-changed:
		}
	}
}

// read takes addresses and agents from where the program writes them.
func (s *Server) read() error {
	var run struct {
		PID       int
		HTTP, SIP string
	}
	var demo struct{ Agents []Agent }
	if err := readJSON(filepath.Join(s.Data, "run.json"), &run); err != nil {
		return err
	}
	if run.PID != s.PID {
		return fmt.Errorf("run.json names process %d, this one is %d", run.PID, s.PID)
	}
	s.HTTP, s.SIP = run.HTTP, run.SIP
	if err := readJSON(filepath.Join(s.Data, "demo.json"), &demo); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	s.Agents = demo.Agents
	return nil
}

func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Agent finds an agent by a part of its name.
func (s *Server) Agent(t testing.TB, name string) Agent {
	t.Helper()
	for _, a := range s.Agents {
		if strings.Contains(a.Name, name) {
			return a
		}
	}
	t.Fatalf("no agent %q among %v", name, s.Agents)
	return Agent{}
}

// Kill ends the server as a loss of power would end it, as far as a process
// can, and waits for it.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended by itself
	<-s.ended
}

// Stop asks the server to end and returns its exit code.
func (s *Server) Stop(t testing.TB) int {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	return s.Wait(t, patience)
}

// Wait waits until the server has ended by itself and returns its exit code.
func (s *Server) Wait(t testing.TB, most time.Duration) int {
	t.Helper()
	select {
	case <-s.ended:
	case <-time.After(most):
		t.Fatalf("the server runs on after %v:\n%s", most, s.err.String())
	}
	return s.cmd.ProcessState.ExitCode()
}

// Running reports whether the process is there.
func (s *Server) Running() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// Log is what the server wrote to its standard error so far.
func (s *Server) Log() string { return s.err.String() }

// Said is what the server wrote to its standard output so far.
func (s *Server) Said() string { return s.out.String() }

// Readyz asks for the server's health: the status and what it says.
func (s *Server) Readyz(ctx context.Context) (int, string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.HTTP+"/readyz", nil)
	if err != nil {
		return 0, err.Error()
	}
	resp, err := quickly.RoundTrip(req)
	if err != nil {
		return 0, err.Error()
	}
	b, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, string(b)
}

// tell shows the server's log when the test has failed.
func (s *Server) tell(t testing.TB) {
	if !t.Failed() {
		return
	}
	log := s.err.String()
	t.Logf("log of server %d:\n%s", s.PID, log[max(0, len(log)-8000):])
	if strings.Contains(log, "panic") {
		sc := bufio.NewScanner(strings.NewReader(log))
		for sc.Scan() {
			if strings.Contains(sc.Text(), "panic") {
				t.Log(sc.Text())
			}
		}
	}
}

// sink collects what a process prints and tells when there is more.
type sink struct {
	mu   sync.Mutex
	text []byte
	more chan struct{}
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, p...)
	if s.more != nil {
		close(s.more)
		s.more = nil
	}
	return len(p), nil
}

// String is all there is by now.
func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

// changed is closed at the next Write.
func (s *sink) changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil {
		s.more = make(chan struct{})
	}
	return s.more
}
