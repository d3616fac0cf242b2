package telephony

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Papers are a certificate of 127.0.0.1 and ::1, its key, and the authority
// that signed it, as files.
type Papers struct{ Cert, Key, Both, Root string }

// Issue makes Papers that are good for a day.
func Issue(t testing.TB) Papers {
	t.Helper()
	dir := t.TempDir()
	p := Papers{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), Both: filepath.Join(dir, "both.pem"), Root: filepath.Join(dir, "root.pem")}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), rootKey)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	for name, text := range map[string][]byte{
		p.Cert: cert, p.Key: secret, p.Both: append(append([]byte(nil), cert...), secret...),
		p.Root: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
	} {
		require.NoError(t, os.WriteFile(name, text, 0o600))
	}
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
