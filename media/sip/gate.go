package sip

import (
	"bytes"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"flametree/media/sip/guard"
)

// Limits bound what one source may send, by token buckets that hold one second's
// worth. Zero takes the default, less than zero is no limit. IPv6 sources are
// counted by /64, which one subscriber has.
type Limits struct {
	Invites  float64 // INVITEs a second, repetitions included; zero is 600
	Messages float64 // all other messages a second; zero is 4000
}

const (
	defaultInvites  = 600
	defaultMessages = 4000
	// maxSources bounds the sources counted apart; more than that share one count,
	// for then the addresses are most likely forged.
	maxSources = 8192
	// refill is how long a bucket takes to fill: one that old says nothing.
	refill = time.Second
	// tellEvery is how often a source over its limit gets an answer: enough for a
	// trunk to back off, too little to be used against others.
	tellEvery = time.Second
)

// gate counts messages by source before anything reads them. It may be used
// from any goroutine.
type gate struct {
	strangers Limits
	trunks    atomic.Pointer[[]Trunk]

	mu      sync.Mutex // guards what follows
	sources map[netip.Addr]*bucket
	shared  bucket    // of all sources beyond maxSources
	swept   time.Time // when old buckets were dropped last
}

// bucket is what one source has left.
type bucket struct {
	at                time.Time
	invites, messages float64
	told              time.Time
}

func newGate(o *Options) *gate {
	g := &gate{strangers: o.Limits.orDefault(), sources: make(map[netip.Addr]*bucket)}
	g.trunks.Store(&o.Trunks)
	return g
}

func (l Limits) orDefault() Limits {
	return Limits{Invites: orDefault(l.Invites, defaultInvites), Messages: orDefault(l.Messages, defaultMessages)}
}

// limits are those of a source: a trunk without limits of its own has none.
func (g *gate) limits(from netip.Addr) Limits {
	if t := trunkOf(*g.trunks.Load(), from); t != nil {
		return Limits{Invites: orDefault(t.Limits.Invites, -1), Messages: orDefault(t.Limits.Messages, -1)}
	}
	return g.strangers
}

// pass takes a token for a message; tell says that a refused one should be
// answered.
func (g *gate) pass(now time.Time, from netip.Addr, invite bool) (ok, tell bool) {
	most := g.limits(from)
	if most.Invites < 0 && most.Messages < 0 {
		return true, false
	}
	if from.Is6() && !from.Is4In6() {
		if p, err := from.Prefix(64); err == nil {
			from = p.Addr()
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.bucket(now, from, most)
	passed := now.Sub(b.at).Seconds()
	b.at = now
	b.invites = min(b.invites+passed*most.Invites, most.Invites)
	b.messages = min(b.messages+passed*most.Messages, most.Messages)
	left, limit := &b.messages, most.Messages
	if invite {
		left, limit = &b.invites, most.Invites
	}
	if limit < 0 || *left >= 1 {
		*left--
		return true, false
	}
	if tell = invite && now.Sub(b.told) >= tellEvery; tell {
		b.told = now
	}
	return false, tell
}

// bucket finds or makes the bucket of a source, full.
func (g *gate) bucket(now time.Time, from netip.Addr, most Limits) *bucket {
	b := g.sources[from]
	if b != nil {
		return b
	}
	full := bucket{at: now, invites: most.Invites, messages: most.Messages}
	if len(g.sources) >= maxSources && now.Sub(g.swept) > refill { // looking costs as much as 4000 messages
		g.swept = now
		for a, old := range g.sources {
			if now.Sub(old.at) > refill {
				delete(g.sources, a)
			}
		}
	}
	if len(g.sources) >= maxSources {
		if g.shared.at.IsZero() {
			g.shared = full
		}
		return &g.shared
	}
	b = &full
	g.sources[from] = b
	return b
}

// let reports whether a message may go on to the parser. What it drops costs no
// more than this, save one answer a second for each source.
func (e *Endpoint) let(l link, raw []byte) bool {
	ok, tell := e.gate.pass(time.Now(), l.source().Addr(), bytes.HasPrefix(raw, []byte("INVITE ")))
	if ok {
		return true
	}
	e.stats.shed.Add(1)
	if tell {
		e.tellShed(l, raw)
	}
	return false
}

// tellShed answers one of many dropped INVITEs with 503.
func (e *Endpoint) tellShed(l link, raw []byte) {
	defer e.contain("message")
	if _, err := guard.Parse(raw); err != nil {
		if _, ok := errors.AsType[*guard.Refusal](err); ok {
			return // what is malformed too gets no answer
		}
	}
	e.refuseRaw(l, raw, &guard.Refusal{Code: 503, Reason: "Service Unavailable", RetryAfter: busyRetry})
}
