package agents_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// folder is a folder of files that an owner writes.
type folder struct {
	t   testing.TB
	dir string
}

func newFolder(t testing.TB) folder { return folder{t: t, dir: t.TempDir()} }

// write puts a file there and returns its path.
func (f folder) write(name, text string) string {
	f.t.Helper()
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	require.NoError(f.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(f.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// owner gives commands to a running server.
type owner struct {
	*house.Server
	t testing.TB
}

// serve starts a server whose agents may reach some addresses.
func serve(t testing.TB, o house.Options, allow ...string) owner {
	t.Helper()
	if len(allow) > 0 {
		o.Env = append(o.Env, "FLAMETREE_EGRESS_ALLOW="+strings.Join(hosts(allow), ","))
	}
	o.Silent = true
	return owner{Server: house.Serve(t, o), t: t}
}

func hosts(addresses []string) []string {
	out := make([]string, len(addresses))
	for i, a := range addresses {
		out[i] = a
		if u, err := url.Parse(a); err == nil && u.Host != "" {
			out[i] = u.Host
		}
	}
	return out
}

// do runs a command against the server.
func (o owner) do(args ...string) house.Result {
	o.t.Helper()
	return house.Command(o.t, append([]string{"--data", o.Data}, args...)...)
}

// must runs a command that has to succeed.
func (o owner) must(args ...string) string {
	o.t.Helper()
	r := o.do(args...)
	require.Zero(o.t, r.Code, "flametree %v\n%s\n%s", args, r.Out, r.Err)
	return r.Out
}

// refused runs a command that has to fail and returns what it says.
func (o owner) refused(args ...string) string {
	o.t.Helper()
	r := o.do(args...)
	require.NotZero(o.t, r.Code, "flametree %v\n%s", args, r.Out)
	require.True(o.t, strings.HasPrefix(r.Err, "flametree: "), r.Err)
	return r.Err
}

var (
	madeLine  = regexp.MustCompile(`(?m)^agent (\S+) "([^"]*)"(?:: revision (\d+), (.*)| is being made)$`)
	tokenLine = regexp.MustCompile(`(?m)^token (\S+) \(shown once\)$`)
	keyLine   = regexp.MustCompile(`(?m)^secret key (\S+) \(shown once`)
)

// agentOf reads which agent a command made.
func agentOf(t testing.TB, out string) house.Agent {
	t.Helper()
	made, token := madeLine.FindStringSubmatch(out), tokenLine.FindStringSubmatch(out)
	require.NotNil(t, made, out)
	require.NotNil(t, token, "a new agent's token is shown: %s", out)
	return house.Agent{ID: made[1], Name: made[2], Token: token[1]}
}

// save makes an agent of a file.
func (o owner) save(file string) house.Agent {
	o.t.Helper()
	return agentOf(o.t, o.must("agent", "save", file))
}

// talk is an open session.
type talk struct {
	t    testing.TB
	chat *house.Chat
	id   string
}

func (o owner) talk(a house.Agent) talk {
	o.t.Helper()
	c := o.Chat(a)
	return talk{t: o.t, chat: c, id: c.MustOpen(o.t, "visitor")}
}

// again goes on with a session at another run of the server.
func (d talk) again(o owner) talk {
	chat := *d.chat
	chat.HTTP = o.HTTP
	return talk{t: d.t, chat: &chat, id: d.id}
}

func (d talk) says(line string) string {
	d.t.Helper()
	return d.chat.MustSay(d.t, d.id, line).Text
}

// trace is what the trace of a session shows that is looked at here.
type trace struct {
	State string
	Turns []struct {
		Turn   uint64
		Calls  []call
		Models []struct {
			Provider, Name, Fault string
			Offered               []string
			Attempts              []struct {
				Provider, Model, Fault string
			}
		}
	}
}

type call struct {
	Name, Refused, Result, Fault string
	Took                         float64 `json:"took_ms"`
}

func (d talk) trace() trace {
	d.t.Helper()
	a := d.chat.JSON(d.t, http.MethodGet, "/session/"+d.id+"/trace", nil)
	require.Equal(d.t, http.StatusOK, a.Status, "%s", a.Body)
	var out trace
	require.NoError(d.t, json.Unmarshal(a.Body, &out), "%s", a.Body)
	return out
}

// last is the last call of the session.
func (d talk) last() call {
	d.t.Helper()
	var out *call
	for _, u := range d.trace().Turns {
		for _, c := range u.Calls {
			out = &c
		}
	}
	require.NotNil(d.t, out, "no call in the trace")
	return *out
}

// command runs the program with variables of its own, in a folder.
func command(t testing.TB, env []string, args ...string) house.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, house.Program(), args...)
	cmd.Env = append(append(os.Environ(), "FLAMETREE_DISK_LOW=16MB", "FLAMETREE_DISK_BALLAST=1MB"), env...)
	cmd.Dir = t.TempDir()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return house.Result{Code: cmd.ProcessState.ExitCode(), Out: out.String(), Err: errs.String()}
}
