// Package mailtest is a real mail server for tests: Debian's python3-aiosmtpd on
// loopback, with a certificate of an authority of its own. It is told how to
// misbehave and tells what it was given; it delivers nothing anywhere.
package mailtest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	netmail "net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

//go:embed smtpd.py
var script string

// Options of a Server.
type Options struct {
	Address        string // where to listen; "" = any free port of 127.0.0.1
	Security       string // starttls tls none
	User, Password string // "" = everybody may send
}

// Rule makes the server answer otherwise.
type Rule struct {
	Stage   string `json:"stage"`   // mail rcpt data
	Address string `json:"address"` // whose; "" = anybody's
	Answer  string `json:"answer"`  // such as "451 4.7.1 come back later"
	Times   int    `json:"times"`
	Hold    bool   `json:"hold"` // data: takes the mail and never answers
}

// Mail is what the server was given.
type Mail struct {
	From      string   `json:"from"`
	To        []string `json:"to"`
	Text      string   `json:"text"` // with its headers
	Encrypted bool     `json:"encrypted"`
	User      string   `json:"user"`
}

// Message reads the mail.
func (m Mail) Message(t testing.TB) *netmail.Message {
	t.Helper()
	msg, err := netmail.ReadMessage(strings.NewReader(m.Text))
	require.NoError(t, err)
	return msg
}

// Server is a running mail server. It ends with the test, or by Stop.
type Server struct {
	Address string
	CA      string         // file of the authority's certificate
	Roots   *x509.CertPool // the same

	cmd   *exec.Cmd
	in    io.WriteCloser
	ruled chan bool
	mails chan Mail
	ended chan struct{}
}

// Python is Debian's own interpreter: aiosmtpd is installed for it.
const Python = "/usr/bin/python3"

// Start starts a server.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	dir := t.TempDir()
	s := &Server{CA: filepath.Join(dir, "ca.pem"), ruled: make(chan bool, 1), mails: make(chan Mail, 1000), ended: make(chan struct{})}
	s.certify(t, dir)
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	args, err := json.Marshal(map[string]string{
		"address": o.Address, "security": o.Security, "user": o.User, "password": o.Password,
		"cert": filepath.Join(dir, "cert.pem"), "key": filepath.Join(dir, "key.pem"),
	})
	require.NoError(t, err)
	name := filepath.Join(dir, "smtpd.py")
	require.NoError(t, os.WriteFile(name, []byte(script), 0o600))
	s.cmd = exec.Command(Python, "-W", "ignore", name, string(args))
	s.cmd.Stderr = t.Output()
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.in, err = s.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	ready := make(chan int, 1)
	go s.listen(out, ready)
	t.Cleanup(s.Stop)
	select {
	case port := <-ready:
		host, _, _ := net.SplitHostPort(o.Address)
		s.Address = net.JoinHostPort(host, fmt.Sprint(port))
	case <-s.ended:
		t.Fatal("the mail server ended: is python3-aiosmtpd installed?")
	}
	return s
}

// listen takes in what the server tells, until it ends.
func (s *Server) listen(out io.Reader, ready chan<- int) {
	defer close(s.ended)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var told struct {
			Ready int
			Ruled bool
			Mail  *Mail
		}
		if json.Unmarshal(lines.Bytes(), &told) != nil {
			continue
		}
		switch {
		case told.Mail != nil:
			s.mails <- *told.Mail
		case told.Ruled:
			s.ruled <- true
		default:
			ready <- told.Ready
		}
	}
	_ = s.cmd.Wait() // it was killed
}

// Rule has the server misbehave from now on.
func (s *Server) Rule(t testing.TB, r Rule) {
	t.Helper()
	if r.Times == 0 {
		r.Times = 1
	}
	line, err := json.Marshal(r)
	require.NoError(t, err)
	_, err = s.in.Write(append(line, '\n'))
	require.NoError(t, err)
	select {
	case <-s.ruled:
	case <-s.ended:
		t.Fatal("the mail server has ended")
	}
}

// Next waits for a mail that was not seen yet.
func (s *Server) Next(t testing.TB) Mail {
	t.Helper()
	select {
	case m := <-s.mails:
		return m
	case <-time.After(30 * time.Second):
		t.Fatal("no mail came")
		return Mail{}
	}
}

// Waiting is how many mails came that were not seen yet.
func (s *Server) Waiting() int { return len(s.mails) }

// Stop ends the server; connections break. It may be called twice.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// certify makes an authority and its certificate for 127.0.0.1.
func (s *Server) certify(t testing.TB, dir string) {
	t.Helper()
	caKey, key := newKey(t), newKey(t)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "mail.example"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{
		s.CA: {Type: "CERTIFICATE", Bytes: caDER}, filepath.Join(dir, "cert.pem"): {Type: "CERTIFICATE", Bytes: der},
		filepath.Join(dir, "key.pem"): {Type: "PRIVATE KEY", Bytes: private},
	} {
		require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(block), 0o600))
	}
	parsed, err := x509.ParseCertificate(caDER)
	require.NoError(t, err)
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(parsed)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return k
}
