// Package sip_test drives the SIP endpoint from outside: sipp as a foreign
// phone, and the torture messages of RFC 4475. It needs sipp, ip and the right
// to make a network namespace; where one is missing the tests fail.
package sip_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/media/sip"
	"flametree/media/sip/siptest"
)

// insideKey tells the helper process which part it has.
const insideKey = "FLAMETREE_SIP_TORTURE"

func TestMain(m *testing.M) {
	if os.Getenv(insideKey) != "" {
		os.Exit(torturedServer())
	}
	goleak.VerifyTestMain(m, // what a whole server's libraries leave
		goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/cluster.(*Gossiper).StartGossiping.NewThrottle.func3.1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// server is an endpoint whose users behave as their names say.
type server struct {
	*sip.Endpoint
	studio siptest.Studio

	mu      sync.Mutex // guards what follows
	invites []sip.Invite
	ears    []*siptest.Ear
}

func (s *server) answer(ctx context.Context, inv sip.Invite) error {
	ear := &siptest.Ear{}
	inv.Line.Start(ear.Hear)
	s.mu.Lock()
	s.invites = append(s.invites, inv)
	s.ears = append(s.ears, ear)
	s.mu.Unlock()
	switch inv.User {
	case "nobody":
		return fmt.Errorf("agent: %w", fault.NotFound)
	case "full":
		return &sip.RetryAfter{Err: fmt.Errorf("agent: %w", fault.Exhausted), After: 30 * time.Second}
	case "pensive":
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	case "slow":
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// serve starts a server on loopback; T1 is short so that a lost ACK is noticed
// within 64 of it.
func serve(t *testing.T) *server {
	t.Helper()
	s := &server{}
	e, err := sip.Listen(t.Context(), sip.Options{
		UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Answer: s.answer, NewMedia: s.studio.NewMedia,
		T1: 20 * time.Millisecond,
	})
	require.NoError(t, err)
	s.Endpoint = e
	t.Cleanup(func() {
		require.NoError(t, e.Close())
		require.Zero(t, s.studio.Unbalanced(), "media not closed exactly once")
		require.Zero(t, e.Stats().Bugs)
	})
	return s
}

// calls is how many INVITEs were decided about.
func (s *server) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.invites)
}

// ear is what the line of one call told.
func (s *server) ear(i int) *siptest.Ear {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ears[i]
}

// sipp runs the foreign phone against an address and fails the test with what it
// said when it was not satisfied.
func sipp(t *testing.T, at netip.AddrPort, args ...string) string {
	t.Helper()
	for i, arg := range args {
		if arg == "-sf" {
			abs, err := filepath.Abs(filepath.Join("scenarios", args[i+1]+".xml"))
			require.NoError(t, err)
			args[i+1] = abs
		}
	}
	dir := t.TempDir()
	all := append([]string{
		at.String(), "-i", "127.0.0.1", "-nostdin", "-timeout", "30s", "-timeout_error",
		"-trace_err", "-error_file", filepath.Join(dir, "errors"),
	}, args...)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "sipp", all...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TERM=xterm")
	out, err := cmd.CombinedOutput()
	if err != nil {
		errors, _ := os.ReadFile(filepath.Join(dir, "errors"))
		t.Fatalf("sipp %s: %v\n%s\n%s", strings.Join(args, " "), err, errors, tail(string(out)))
	}
	return string(out)
}

func tail(s string) string { return s[max(0, len(s)-2500):] }
