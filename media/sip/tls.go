package sip

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"flametree/engine/fault"
	"flametree/media/keypair"
)

// TLS configures SIP over TLS and secure WebSockets (RFC 3261 26, RFC 5922).
// TLS 1.2 is the oldest spoken.
type TLS struct {
	// Cert and Key are PEM files. They are read again when they change; a pair that
	// does not fit is logged and the old one stays. Required to listen.
	Cert, Key string
	// Clients is a PEM file of authorities: who connects to us must show a
	// certificate signed by one of them. "": nobody must show any.
	Clients string
	// Roots is a PEM file of authorities that sign the servers we connect to; "":
	// those of the system.
	Roots string
}

// tlsSide is TLS ready for use.
type tlsSide struct {
	server *tls.Config // nil without a certificate
	client *tls.Config
}

func (o *TLS) build(log *slog.Logger) (*tlsSide, error) {
	side := &tlsSide{client: &tls.Config{MinVersion: tls.VersionTLS12}}
	if o == nil {
		return side, nil
	}
	var err error
	if side.client.RootCAs, err = authorities(o.Roots); err != nil {
		return nil, fmt.Errorf("tls roots: %w", err)
	}
	if o.Cert == "" && o.Key == "" {
		return side, nil
	}
	pair, err := keypair.Load(o.Cert, o.Key, log)
	if err != nil {
		return nil, err
	}
	side.client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.Current() }
	side.server = pair.Server()
	if o.Clients != "" {
		if side.server.ClientCAs, err = authorities(o.Clients); err != nil {
			return nil, fmt.Errorf("tls clients: %w", err)
		}
		side.server.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return side, nil
}

// authorities reads a PEM file of certificates; nil for "".
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w: %w", err, fault.Invalid)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM: %w", file, fault.Invalid)
	}
	return pool, nil
}
