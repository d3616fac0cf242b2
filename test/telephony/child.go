package telephony

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Child is a foreign program. It ends with the test at the latest.
type Child struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{}

	mu  sync.Mutex // guards out
	out bytes.Buffer
}

var _ io.Writer = (*Child)(nil)

// Run starts a program in a folder of its own.
func Run(t testing.TB, dir, name string, args ...string) *Child {
	t.Helper()
	c := &Child{name: name, cmd: exec.Command(name, args...), done: make(chan struct{})} // arguments are ours
	c.cmd.Dir, c.cmd.Env = dir, append(os.Environ(), "HOME="+dir, "TERM=xterm")
	c.cmd.Stdout, c.cmd.Stderr = c, c
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true} // kamailio has children of its own
	c.cmd.WaitDelay = time.Second
	var err error
	c.in, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start(), "%s is to be installed, see .ci/setup", name)
	go func() {
		defer close(c.done)
		_ = c.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		c.End()
		if t.Failed() {
			text := c.Said()
			t.Logf("%s said:\n%s", name, text[max(0, len(text)-3000):])
		}
	})
	return c
}

// Write implements io.Writer.
func (c *Child) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

// Said is what the program printed so far.
func (c *Child) Said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

// Enter types a line.
func (c *Child) Enter(t testing.TB, line string) {
	t.Helper()
	_, err := io.WriteString(c.in, line+"\n")
	require.NoError(t, err, "%s", c.name)
}

// Says waits until the program has printed something.
func (c *Child) Says(t testing.TB, what string, most time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(c.Said(), what) }, most, 20*time.Millisecond, "%s does not say %q", c.name, what)
}

// End ends the program and waits for it.
func (c *Child) End() {
	_ = c.in.Close()
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(3 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // what it left of its group
}

// Wait waits until the program has ended by itself; nil is exit code 0.
func (c *Child) Wait(most time.Duration) error {
	select {
	case <-c.done:
	case <-time.After(most):
		return fmt.Errorf("%s runs on after %v", c.name, most)
	}
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with exit code %d", c.name, code)
	}
	return nil
}

// Scenario is what sipp is to do, step by step.
type Scenario struct{ strings.Builder }

// offered is the sound of sipp; the verbs are version and direction.
const offered = "v=0\no=u 1 %d IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP %s\n" +
	"a=rtpmap:101 telephone-event/8000\na=%s\n"

// Sound describes sipp's sound: a version, the payload types and a direction.
func Sound(version int, types, direction string) string {
	return fmt.Sprintf(offered, version, types, direction)
}

// Request sends one as the caller; the user is who is called. Requests after
// the first INVITE go to where the other side wants them, by the routes it gave.
func (s *Scenario) Request(method, user string, cseq int, body string, headers ...string) *Scenario {
	to, line, routes := "[peer_tag_param]", "[next_url]", "[routes]\n"
	if method == "INVITE" && cseq == 1 {
		to, line, routes = "", "sip:"+user+"@[remote_ip]:[remote_port]", ""
	}
	if method == "CANCEL" {
		to, line, routes = "", "sip:"+user+"@[remote_ip]:[remote_port]", ""
	}
	retrans := ` retrans="500"`
	if method == "ACK" {
		retrans = ""
	}
	branch := "[branch]"
	if method == "CANCEL" {
		branch = "[branch-1]"
	}
	_, _ = fmt.Fprintf(s, "<send%s><![CDATA[\n\n%s %s SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=%s\n%s"+
		"From: <sip:[$from]@[local_ip]:[local_port]>;tag=[call_number]\nTo: <sip:%s@[remote_ip]:[remote_port]>%s\nCall-ID: [call_id]\nCSeq: %d %s\n"+
		"Contact: <sip:[$from]@[local_ip]:[local_port];transport=[transport]>\nMax-Forwards: 70\n%s", retrans, method, line, branch, routes, user, to, cseq, method, headed(headers))
	return s.body(body)
}

// Answer answers what came last, with the routes it came by.
func (s *Scenario) Answer(status, body string, headers ...string) *Scenario {
	retrans := ""
	if strings.HasPrefix(status, "200") && body != "" {
		retrans = ` retrans="500"`
	}
	_, _ = fmt.Fprintf(s, "<send%s><![CDATA[\n\nSIP/2.0 %s\n[last_Via:]\n[last_Record-Route:]\n[last_From:]\n[last_To:];tag=[pid][call_number]\n[last_Call-ID:]\n[last_CSeq:]\n"+
		"Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n%s", retrans, status, headed(headers))
	return s.body(body)
}

// Reply is Answer within the dialog: the tag is there already.
func (s *Scenario) Reply(status, body string, headers ...string) *Scenario {
	_, _ = fmt.Fprintf(s, "<send><![CDATA[\n\nSIP/2.0 %s\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"+
		"Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n%s", status, headed(headers))
	return s.body(body)
}

// First keeps of the INVITE what Late needs.
const First = `<action><ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/><ereg regexp=".*" search_in="hdr" header="From:" assign_to="who"/></action>`

// Late answers the INVITE after other requests have come.
func (s *Scenario) Late(status, body string) *Scenario {
	_, _ = fmt.Fprintf(s, "<send><![CDATA[\n\nSIP/2.0 %s\nVia: [$via]\nFrom: [$who]\nTo: <sip:sipp@[local_ip]>;tag=[pid][call_number]\n[last_Call-ID:]\nCSeq: 1 INVITE\n"+
		"Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n", status)
	return s.body(body)
}

// Raw adds a step in sipp's own words.
func (s *Scenario) Raw(text string) *Scenario {
	s.WriteString(text + "\n")
	return s
}

// Gets waits for a response (a number) or a request; inside holds actions.
func (s *Scenario) Gets(what, inside string) *Scenario {
	kind, more := "request", ""
	if what[0] <= '9' {
		kind = "response"
		if what[0] == '2' {
			more = ` rrs="true"`
		}
	}
	_, _ = fmt.Fprintf(s, "<recv %s=%q%s>%s</recv>\n", kind, what, more, inside)
	return s
}

// Maybe passes over a response that may come.
func (s *Scenario) Maybe(codes ...string) *Scenario {
	for _, c := range codes {
		_, _ = fmt.Fprintf(s, "<recv response=%q optional=\"true\"/>\n", c)
	}
	return s
}

// Pause waits.
func (s *Scenario) Pause(d time.Duration) *Scenario {
	_, _ = fmt.Fprintf(s, "<pause milliseconds=\"%d\"/>\n", d.Milliseconds())
	return s
}

// Wants is an action that fails the scenario unless a header matches.
func Wants(header, regexp string) string {
	return fmt.Sprintf("<action><ereg regexp=%q search_in=\"hdr\" header=%q check_it=\"true\" assign_to=\"seen\"/></action>", regexp, header)
}

// WantsText is Wants for the whole message.
func WantsText(regexp string) string {
	return fmt.Sprintf("<action><ereg regexp=%q search_in=\"msg\" check_it=\"true\" assign_to=\"seen\"/></action>", regexp)
}

func (s *Scenario) body(body string) *Scenario {
	if body != "" && strings.HasPrefix(body, "v=0") {
		s.WriteString("Content-Type: application/sdp\n")
	}
	_, _ = fmt.Fprintf(s, "Content-Length: [len]\n\n%s\n]]></send>\n", body)
	return s
}

func headed(headers []string) string {
	var b strings.Builder
	for _, h := range headers {
		b.WriteString(h + "\n")
	}
	return b.String()
}

// Sipp plays a scenario once; from is the user in its From header.
func (s *Scenario) Sipp(t testing.TB, from string, args ...string) *Child {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "scenario.xml")
	text := "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"s\">\n<nop><action><assignstr assign_to=\"from\" value=\"" + from + "\"/></action></nop>\n"
	if strings.HasPrefix(s.String(), "<recv") { // a phone that is called begins by being called
		text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"s\">\n"
	}
	text += s.String()
	var used []string
	for _, v := range []string{"from", "via", "who", "seen", "rseq"} { // sipp insists that each is used
		if strings.Contains(text, `assign_to="`+v+`"`) {
			used = append(used, v)
		}
	}
	if len(used) > 0 {
		text += `<Reference variables="` + strings.Join(used, ",") + "\"/>\n"
	}
	require.NoError(t, os.WriteFile(file, []byte(text+"</scenario>\n"), 0o600))
	all := append([]string{
		"-sf", file, "-nostdin", "-m", "1", "-timeout", "25s", "-timeout_error",
		"-trace_err", "-error_file", filepath.Join(dir, "errors"),
	}, args...)
	c := Run(t, dir, "sipp", all...)
	t.Cleanup(func() {
		if wrong, err := os.ReadFile(filepath.Join(dir, "errors")); err == nil && t.Failed() {
			t.Logf("sipp complains: %s", wrong)
		}
	})
	return c
}

// Listens waits until somebody has bound a UDP port, or listens on a TCP port,
// without disturbing whoever does.
func Listens(t testing.TB, network, address string) {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		for _, table := range []string{"/proc/net/" + network, "/proc/net/" + network + "6"} {
			text, err := os.ReadFile(table)
			if err != nil {
				continue
			}
			for line := range strings.Lines(string(text)) {
				f := strings.Fields(line)
				if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) && (network == "udp" || f[3] == "0A") {
					return true
				}
			}
		}
		return false
	}, 15*time.Second, 20*time.Millisecond, "nobody listens on %s %s", network, address)
}
