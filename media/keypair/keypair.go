// Package keypair reads a certificate and its key from files that may be replaced
// while the process runs, as whoever renews certificates does.
package keypair

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"flametree/engine/fault"
)

// Pair is a certificate whose files may be replaced. It is safe for concurrent use.
type Pair struct {
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

// Load reads a certificate and its key, PEM files. fault.Invalid when there is
// none or they do not fit.
func Load(cert, key string, log *slog.Logger) (*Pair, error) {
	p := &Pair{cert: cert, key: key, log: log}
	if _, err := p.Current(); err != nil {
		return nil, err
	}
	return p, nil
}

// Server is TLS with the pair for who listens; TLS 1.2 is the oldest spoken.
func (p *Pair) Server() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.Current() },
	}
}

// Current gives the certificate as its files are now; of two that do not fit, half
// of a renewal, it gives the one before. Looking costs two calls of the system,
// beside a handshake nothing.
func (p *Pair) Current() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, err := p.look()
	if err == nil && p.loaded != nil && now == p.seen {
		return p.loaded, nil
	}
	if err == nil {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(p.cert, p.key); err == nil {
			p.loaded, p.seen = &pair, now
			return p.loaded, nil
		}
	}
	if p.loaded == nil {
		return nil, fmt.Errorf("load certificate %s with key %s: %w: %w", p.cert, p.key, err, fault.Invalid)
	}
	if now != p.seen { // told once for each change: half a renewal is normal
		p.seen = now
		p.log.Warn("certificate not loaded again", "err", err, "file", p.cert)
	}
	return p.loaded, nil
}

func (p *Pair) look() ([2]stamped, error) {
	var out [2]stamped
	var errs []error
	for i, file := range []string{p.cert, p.key} {
		info, err := os.Stat(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[i] = stamped{at: info.ModTime(), size: info.Size()}
	}
	return out, errors.Join(errs...)
}
