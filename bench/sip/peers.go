package sip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/bench/rig"
	"flametree/engine/fault"
)

// BareName is the child that answers calls with sipgo alone.
const BareName = "__sip_bare"

// bareReady is what it says when it answers.
type bareReady struct {
	At string `json:"at"` // address:port
}

// bareSDP answers every offer of the callers; its port takes nothing.
const bareSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"

// Bare is a user agent of sipgo's transport and transactions, joined as its own
// Server joins them: it answers INVITE and BYE, and makes neither media nor
// session nor journal. It ends when in does.
func Bare(_ context.Context, in io.Reader, out io.Writer) error {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("bare sipgo: %w: %w", fault.Unavailable, err)
	}
	transport := sip.NewTransportLayer(net.DefaultResolver, sip.NewParser(), nil)
	transactions := sip.NewTransactionLayer(transport)
	contact := sip.NewHeader("Contact", "<sip:bare@"+conn.LocalAddr().String()+">")
	transactions.OnRequest(func(req *sip.Request, tx *sip.ServerTx) {
		bareAnswer(req, tx, contact)
		if tx != nil {
			tx.TerminateGracefully()
		}
	})
	ended := make(chan error, 1)
	go func() { ended <- transport.ServeUDP(conn) }()
	if err := json.NewEncoder(out).Encode(bareReady{At: conn.LocalAddr().String()}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in)
	transactions.Close()
	err = errors.Join(conn.Close(), transport.Close())
	<-ended //nolint:errcheck // with the error of a socket that is closed
	if errors.Is(err, net.ErrClosed) {
		return nil // the transport has closed it, too
	}
	return err
}

func bareAnswer(req *sip.Request, tx *sip.ServerTx, contact sip.Header) {
	switch req.Method {
	case sip.INVITE:
		res := sip.NewResponseFromRequest(req, sip.StatusOK, "OK", []byte(bareSDP))
		res.AppendHeader(contact)
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		_ = tx.Respond(res)
	case sip.BYE:
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusOK, "OK", nil))
	default: // ACK needs no answer
	}
}

// relayScript has Kamailio relay to %[2]s with transactions, and stay in the
// path of what follows.
const relayScript = `#!KAMAILIO
debug=-1
log_stderror=yes
fork=yes
children=2
disable_tcp=yes
auto_aliases=no
listen=udp:%[1]s
mpath="%[3]s"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483","Too Many Hops"); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404","Not here"); exit;
  }
  record_route();
  $du = "sip:%[2]s";
  t_relay();
}
`

// kamailio is a running relay.
type kamailio struct {
	at  string
	cmd *exec.Cmd
}

// errMissing says that a peer is not installed here.
var errMissing = errors.New("not installed")

// relay starts Kamailio before a user agent. The caller ends it with end.
func relay(ctx context.Context, dir, to string) (*kamailio, error) {
	program, err := exec.LookPath("kamailio")
	if err != nil {
		return nil, errMissing
	}
	modules, _ := filepath.Glob("/usr/lib/*/kamailio/modules")
	if len(modules) == 0 {
		return nil, errMissing
	}
	at, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(file, fmt.Appendf(nil, relayScript, at, to, modules[0]+"/"), 0o600); err != nil {
		return nil, fmt.Errorf("kamailio: %w", err)
	}
	k := &kamailio{at: at, cmd: exec.CommandContext(ctx, program, "-f", file, "-DD", "-E", "-m", "256", "-M", "8", "-w", dir, "-Y", dir)}
	k.cmd.Stderr = os.Stderr
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	k.cmd.Cancel = func() error { return k.cmd.Process.Signal(syscall.SIGTERM) }
	if err := k.cmd.Start(); err != nil {
		return nil, fmt.Errorf("kamailio: %w", err)
	}
	if err := answers(ctx, at); err != nil {
		return nil, errors.Join(err, k.end())
	}
	return k, nil
}

func (k *kamailio) end() error {
	if err := k.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kamailio: %w", err)
	}
	_ = k.cmd.Wait() // its exit code after a signal says nothing
	return nil
}

// cpu is what all its processes have used. It has no others than those it
// forked at its start.
func (k *kamailio) cpu() (time.Duration, error) {
	main := k.cmd.Process.Pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", main, main))
	if err != nil {
		return 0, fmt.Errorf("kamailio's processor time: %w", err)
	}
	sum, err := rig.CPU(main)
	for field := range strings.FieldsSeq(string(text)) {
		pid, bad := strconv.Atoi(field)
		one, gone := rig.CPU(pid)
		sum += one
		err = errors.Join(err, bad, gone)
	}
	return sum, err
}

// answers waits until something at an address answers OPTIONS.
func answers(ctx context.Context, at string) error {
	conn, err := net.Dial("udp4", at)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", at, fault.Unavailable, err)
	}
	defer func() { _ = conn.Close() }()
	me := conn.LocalAddr().String()
	buf := make([]byte, 1<<12)
	for i := range 100 {
		_, _ = fmt.Fprintf(conn, "OPTIONS sip:ping@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%sping%d\r\nFrom: <sip:bench@%s>;tag=1\r\n"+
			"To: <sip:ping@%s>;tag=2\r\nCall-ID: ping-%s\r\nCSeq: %d OPTIONS\r\n%sContent-Length: 0\r\n\r\n", at, me, cookie, i, me, at, me, i+1, maxHops)
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, err := conn.Read(buf); err == nil && n > 0 {
			return nil
		}
		if !until(ctx, time.Now().Add(50*time.Millisecond)) {
			break
		}
	}
	return fmt.Errorf("nothing answers at %s: %w", at, fault.Unavailable)
}

func freePort() (string, error) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("a free port: %w: %w", fault.Unavailable, err)
	}
	return conn.LocalAddr().String(), conn.Close()
}
