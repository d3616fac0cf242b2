package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"time"

	"flametree/engine/fault"
)

// TicketLife is how long a ticket may be redeemed.
const TicketLife = time.Minute

// maxTickets bounds the memory of tickets nobody redeems.
const maxTickets = 20_000

// Grant is what a ticket stands for: one agent's one session.
type Grant struct {
	Agent   Agent
	Session string
}

// Tickets gives and redeems tickets: 256 bits of chance that may stand in a
// URL, because they are good once and for a minute. The zero value is ready.
// Only hashes are kept, so that looking one up tells nothing by its duration.
type Tickets struct {
	mu   sync.Mutex // guards open
	open map[[32]byte]ticket
}

type ticket struct {
	grant   Grant
	expires time.Time
}

// Issue gives a ticket, or fails with fault.Exhausted when too many are open.
func (t *Tickets) Issue(now time.Time, g Grant) (string, error) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	s := base64.RawURLEncoding.EncodeToString(b[:])
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = make(map[[32]byte]ticket)
	}
	if len(t.open) >= maxTickets {
		t.sweep(now)
	}
	if len(t.open) >= maxTickets {
		return "", fmt.Errorf("issue a ticket: too many are open: %w", fault.Exhausted)
	}
	t.open[sha256.Sum256([]byte(s))] = ticket{g, now.Add(TicketLife)}
	return s, nil
}

// Redeem takes a ticket back. It works once; what is unknown, used or older
// than TicketLife is fault.Denied.
func (t *Tickets) Redeem(now time.Time, s string) (Grant, error) {
	key := sha256.Sum256([]byte(s))
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.open[key]
	delete(t.open, key)
	if !ok || !now.Before(k.expires) {
		return Grant{}, fmt.Errorf("redeem a ticket: unknown, used or expired: %w", fault.Denied)
	}
	return k.grant, nil
}

// sweep drops what has expired. The caller holds mu.
func (t *Tickets) sweep(now time.Time) {
	for k, v := range t.open {
		if !now.Before(v.expires) {
			delete(t.open, k)
		}
	}
}
