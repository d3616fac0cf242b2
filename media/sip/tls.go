package sip

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"flametree/engine/fault"
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
	pair := &keyPair{cert: o.Cert, key: o.Key, log: log}
	if _, err := pair.current(); err != nil {
		return nil, err
	}
	side.client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.current() }
	side.server = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.current() },
	}
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

// keyPair is a certificate whose files may be replaced while we run.
type keyPair struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex // guards what follows
	loaded *tls.Certificate
	seen   [2]stamped // the files as they were read or found unfit
}

// stamped tells one content of a file from another without reading it.
type stamped struct {
	at   time.Time
	size int64
}

// current gives the certificate as its files are now. Looking costs two calls of
// the system, beside a handshake nothing.
func (k *keyPair) current() (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, err := k.look()
	if err == nil && k.loaded != nil && now == k.seen {
		return k.loaded, nil
	}
	if err == nil {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(k.cert, k.key); err == nil {
			k.loaded, k.seen = &pair, now
			return k.loaded, nil
		}
	}
	if k.loaded == nil {
		return nil, fmt.Errorf("load certificate %s with key %s: %w: %w", k.cert, k.key, err, fault.Invalid)
	}
	if now != k.seen { // told once for each change: half a renewal is normal
		k.seen = now
		k.log.Warn("sip certificate not loaded again", "err", err)
	}
	return k.loaded, nil
}

func (k *keyPair) look() ([2]stamped, error) {
	var out [2]stamped
	var errs []error
	for i, file := range []string{k.cert, k.key} {
		info, err := os.Stat(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[i] = stamped{at: info.ModTime(), size: info.Size()}
	}
	return out, errors.Join(errs...)
}
