package telephony

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/media/keypair/keypairtest"
)

// Papers are a certificate of 127.0.0.1 and ::1, its key, and the authority
// that signed it, as files.
type Papers struct{ Cert, Key, Both, Root string }

// Issue makes Papers that are good for an hour.
func Issue(t testing.TB) Papers {
	t.Helper()
	a := keypairtest.New(t)
	p := Papers{Both: filepath.Join(a.Dir, "both.pem"), Root: a.File}
	p.Cert, p.Key = a.Issue("papers", "localhost")
	var both []byte
	for _, file := range []string{p.Cert, p.Key} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		both = append(both, text...)
	}
	require.NoError(t, os.WriteFile(p.Both, both, 0o600))
	return p
}

// Kamailio is a registrar and proxy. Users log in as auth-USER with Password.
// Calls to uas-PORT go to that port of 127.0.0.1, to fork-PORT-PORT to both, to
// hop-PORT-PORT-USER to the proxy at the first port and on to USER at the
// second; all others to who has registered.
type Kamailio struct {
	*Child
	UDP, TLS, WS string // host:port; TCP is at UDP
}

// Password is that of every user of a Kamailio.
const Password = "open sesame"

const kamailioScript = `#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
enable_tls=yes
listen=udp:%[2]s
listen=tcp:%[2]s
listen=tcp:%[4]s
listen=tls:%[3]s
tcp_accept_no_cl=yes
tcp_connection_lifetime=600
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
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
loadmodule "corex.so"
loadmodule "xhttp.so"
loadmodule "nathelper.so"
loadmodule "websocket.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "%[5]s")
modparam("tls", "private_key", "%[6]s")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 60)
modparam("registrar", "max_expires", 120)
modparam("auth", "algorithm", "%[1]s")
modparam("auth", "nonce_expire", 300)
modparam("tm", "fr_inv_timer", 20000)
event_route[xhttp:request] {
  if ($hdr(Upgrade) =~ "websocket" && ws_handle_handshake()) exit;
  xhttp_reply("404", "Not Found", "", "");
}
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
    if (!pv_www_authenticate("pbx.test", "%[7]s", "0")) { www_challenge("pbx.test", "1"); exit; }
    if ($au != "auth-" + $tU) { sl_send_reply("403", "Not yours"); exit; }
    if (!save("location")) sl_reply_error();
    exit;
  }
  record_route();
  if ($rU =~ "^uas-") { $du = "sip:127.0.0.1:" + $(rU{s.select,1,-}); t_relay(); exit; }
  if ($rU =~ "^fork-") {
    $var(second) = "sip:second@127.0.0.1:" + $(rU{s.select,2,-});
    $ru = "sip:first@127.0.0.1:" + $(rU{s.select,1,-});
    append_branch("$var(second)");
    t_relay(); exit;
  }
  if ($rU =~ "^hop-") {
    $du = "sip:127.0.0.1:" + $(rU{s.select,1,-});
    $rU = "last-" + $(rU{s.select,2,-}) + "-" + $(rU{s.select,3,-});
    t_relay(); exit;
  }
  if ($rU =~ "^last-") {
    $ru = "sip:" + $(rU{s.select,2,-}) + "@127.0.0.1:" + $(rU{s.select,1,-});
    t_relay(); exit;
  }
  if (!lookup("location")) { sl_send_reply("404","Not registered"); exit; }
  t_relay();
}
`

// StartKamailio runs one until the test ends.
func StartKamailio(t testing.TB, algorithm string, papers Papers) *Kamailio {
	t.Helper()
	dir := t.TempDir()
	at := func() string { return fmt.Sprintf("127.0.0.1:%d", FreePort(t, "127.0.0.1")) }
	k := &Kamailio{UDP: at(), TLS: at(), WS: at()}
	file := filepath.Join(dir, "kamailio.cfg")
	text := fmt.Sprintf(kamailioScript, algorithm, k.UDP, k.TLS, k.WS, papers.Cert, papers.Key, Password)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	k.Child = Run(t, dir, "kamailio", "-f", file, "-DD", "-E", "-m", "64", "-M", "8", "-w", dir, "-Y", dir)
	Listens(t, "tcp", k.TLS)
	Listens(t, "udp", k.UDP)
	return k
}
