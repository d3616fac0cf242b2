// Package keypairtest makes certificates for tests.
package keypairtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Authority signs certificates into a folder of the test's.
type Authority struct {
	t    testing.TB
	Dir  string // where its files lie
	key  *ecdsa.PrivateKey
	Cert *x509.Certificate
	File string // of its own certificate
	n    int64
}

// New makes an Authority.
func New(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, Dir: t.TempDir(), n: 1}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := a.template("authority")
	template.IsCA, template.BasicConstraintsValid = true, true
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.Cert, err = x509.ParseCertificate(raw)
	require.NoError(t, err)
	a.File = filepath.Join(a.Dir, "authority.pem")
	a.write(a.File, "CERTIFICATE", raw)
	return a
}

func (a *Authority) template(name string) *x509.Certificate {
	a.n++
	return &x509.Certificate{
		SerialNumber: big.NewInt(a.n), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func (a *Authority) write(file, kind string, raw []byte) {
	a.t.Helper()
	require.NoError(a.t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600))
}

// Issue writes <file>.crt and <file>.key for loopback and a name.
func (a *Authority) Issue(file, name string) (cert, key string) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template := a.template(name)
	template.DNSNames = []string{name}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.Cert, &private.PublicKey, a.key)
	require.NoError(a.t, err)
	cert, key = filepath.Join(a.Dir, file+".crt"), filepath.Join(a.Dir, file+".key")
	a.write(cert, "CERTIFICATE", raw)
	secret, err := x509.MarshalECPrivateKey(private)
	require.NoError(a.t, err)
	a.write(key, "EC PRIVATE KEY", secret)
	return cert, key
}
