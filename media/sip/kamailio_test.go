package sip_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	uri "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"

	"flametree/media/keypair/keypairtest"
	"flametree/media/sip"
	"flametree/media/sip/register"
)

// proxy is a Kamailio that registers users by digest and passes calls to them.
type proxy struct {
	udp, tcp, tls string
	log           *lockedBuffer
}

type lockedBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// kamailioScript asks for digest with %[1]s, keeps bindings in memory, and sends
// calls to them with Record-Route. A REGISTER for fewer than 60 s is too brief.
const kamailioScript = `#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
enable_tls=yes
listen=udp:%[2]s
listen=tcp:%[3]s
listen=tls:%[4]s
tcp_accept_no_cl=yes
tcp_connection_lifetime=600
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "%[5]s")
modparam("tls", "private_key", "%[6]s")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 60)
modparam("registrar", "max_expires", 120)
modparam("registrar", "default_expires", 90)
modparam("auth", "algorithm", "%[1]s")
modparam("auth", "nonce_expire", 300)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483","Too Many Hops"); exit; }
  if (is_method("OPTIONS") && uri==myself) { sl_send_reply("200","OK"); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404","Not here"); exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("pbx.test", "open sesame", "0")) { www_challenge("pbx.test", "1"); exit; }
    if ($au != "auth-" + $tU) { sl_send_reply("403", "Not yours"); exit; }
    if (!save("location")) sl_reply_error();
    exit;
  }
  record_route();
  if (!lookup("location")) { sl_send_reply("404","Not registered"); exit; }
  t_relay();
}
`

// startKamailio runs it as a child until the test ends.
func startKamailio(t *testing.T, algorithm string, a *keypairtest.Authority) *proxy {
	t.Helper()
	cert, key := a.Issue("proxy", "pbx.test")
	dir := t.TempDir()
	p := &proxy{udp: freePort(t, "udp"), tcp: freePort(t, "tcp"), tls: freePort(t, "tcp"), log: &lockedBuffer{}}
	file := filepath.Join(dir, "kamailio.cfg")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, kamailioScript, algorithm, p.udp, p.tcp, p.tls, cert, key), 0o600))
	cmd := exec.Command("kamailio", "-f", file, "-DD", "-E", "-m", "64", "-M", "8", "-w", dir, "-Y", dir)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	require.NoError(t, cmd.Start(), "kamailio and kamailio-tls-modules must be installed")
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("kamailio: %s", p.log)
		}
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", p.tls)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond, "kamailio did not start: %s", p.log)
	return p
}

func freePort(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer conn.Close()
		return conn.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// A foreign registrar and proxy, by MD5 and SHA-256, over UDP, TCP and TLS: an
// account registers with a login that is not its user, after an interval that was
// too brief; a call to its address arrives through the proxy, goes by its Record-Route,
// and ends; closing takes the binding back.
func TestKamailio(t *testing.T) {
	for _, algorithm := range []string{"MD5", "SHA-256"} {
		t.Run(algorithm, func(t *testing.T) {
			a := keypairtest.New(t)
			p := startKamailio(t, algorithm, a)
			for network, at := range map[string]string{"udp": p.udp, "tcp": p.tcp, "tls": p.tls} {
				t.Run(network, func(t *testing.T) { throughKamailio(t, a, network, at) })
			}
		})
	}
}

func throughKamailio(t *testing.T, a *keypairtest.Authority, network, at string) {
	names := &book{addrs: map[string]string{"pbx.test": "127.0.0.1"}}
	h := open(t, func(o *sip.Options) { everywhere(a)(o); o.Resolver, o.Admit, o.T1 = names, sip.AdmitTrunks, 0 })
	_, port, _ := strings.Cut(at, ":")
	account := sip.Account{
		Name: "desk", Registrar: "sip:pbx.test:" + port + ";transport=" + network, AOR: "sip:100@pbx.test:" + port,
		Login: "auth-100", Password: "open sesame", Expires: 20 * time.Second,
	}
	r, err := h.Register(account)
	require.NoError(t, err)
	eventually(t, "registered", func() bool { return r.Status().Phase == register.Registered })
	require.InDelta(t, 60, time.Until(r.Status().Until).Seconds(), 5, "423 told us to ask for longer")

	caller := open(t, func(o *sip.Options) { everywhere(a)(o); o.Resolver, o.T1 = names, 0 })
	target := "sip:100@pbx.test:" + port + ";transport=" + network
	// The account's own way leads there too: the target's host is never looked up.
	call, err := caller.Dial(t.Context(), "sip:100@pbx.test:"+port, sip.DialOptions{From: "alice", Transport: strings.ToUpper(network), Route: way(t, at)})
	require.NoError(t, err)
	inv, ear := <-h.invites, <-h.ears
	require.Equal(t, "desk", inv.Account)
	require.Equal(t, strings.ToUpper(network), inv.Transport)
	eventually(t, "the ACK comes through the proxy", func() bool { return len(ear.Kinds()) == 1 })
	inv.Line.Hangup("completed")
	select {
	case <-call.Gone():
	case <-time.After(5 * time.Second):
		t.Fatal("the BYE did not come through the proxy")
	}
	require.NoError(t, r.Close())
	_, err = caller.Dial(t.Context(), target, sip.DialOptions{})
	require.ErrorContains(t, err, "404", "the binding was taken back")

	wrong := account
	wrong.Password = "guess"
	refused, err := h.Register(wrong)
	require.NoError(t, err)
	eventually(t, "refused", func() bool { return refused.Status().Phase == register.Refused })
	wrong.Password, wrong.Login = account.Password, "auth-200"
	foreign, err := h.Register(wrong)
	require.NoError(t, err)
	eventually(t, "another's address", func() bool { return foreign.Status().Phase == register.Refused })
	require.Contains(t, foreign.Status().LastError, "403")
}

// way is a route through the proxy by its address.
func way(t *testing.T, at string) []uri.Uri {
	t.Helper()
	var u uri.Uri
	require.NoError(t, uri.ParseUri("sip:"+at+";lr", &u))
	return []uri.Uri{u}
}
