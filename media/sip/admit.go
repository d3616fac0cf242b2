package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
	"flametree/media/sip/digest"
)

// Trunk is a carrier or PBX known by where it sends from.
type Trunk struct {
	Name     string // Invite.Trunk of its calls
	Prefixes []netip.Prefix
	// Limits of what it may send; zero is none.
	Limits Limits
}

// Admit says who may begin something with us: a call, or a request outside of
// one.
type Admit string

// The policies. Sources of a trunk and registrars of an account are admitted by
// each of them.
const (
	AdmitOpen   Admit = "open"   // everybody
	AdmitTrunks Admit = "trunks" // nobody else: 403
	AdmitDigest Admit = "digest" // others by user name and password: 401
)

// trunkOf finds the trunk of a source, the first that has it.
func trunkOf(trunks []Trunk, from netip.Addr) *Trunk {
	for i := range trunks {
		for _, p := range trunks[i].Prefixes {
			if p.Contains(from.Unmap()) {
				return &trunks[i]
			}
		}
	}
	return nil
}

// checkAdmission reports what is wrong with the options about who may call.
func (o *Options) checkAdmission() []error {
	var errs []error
	switch o.Admit {
	case "", AdmitOpen, AdmitTrunks:
	case AdmitDigest:
		if o.Password == nil || o.Realm == "" {
			errs = append(errs, errors.New("admit by digest without a realm or passwords"))
		}
	default:
		errs = append(errs, fmt.Errorf("admit %q: want open, trunks or digest", o.Admit))
	}
	return append(errs, checkTrunks(o.Trunks)...)
}

// SetTrunks replaces Options.Trunks: calls and counts from now on follow them,
// running calls go on. The error is of kind fault.Invalid and nothing changes.
func (e *Endpoint) SetTrunks(trunks []Trunk) error {
	if errs := checkTrunks(trunks); len(errs) > 0 {
		return fmt.Errorf("sip trunks: %w: %w", errors.Join(errs...), fault.Invalid)
	}
	trunks = slices.Clone(trunks)
	e.gate.trunks.Store(&trunks)
	return nil
}

func checkTrunks(trunks []Trunk) []error {
	var errs []error
	for _, t := range trunks {
		if t.Name == "" || len(t.Prefixes) == 0 {
			errs = append(errs, fmt.Errorf("trunk %q: want a name and addresses", t.Name))
		}
		for _, p := range t.Prefixes {
			if !p.IsValid() {
				errs = append(errs, fmt.Errorf("trunk %q: an address is not valid", t.Name))
			}
		}
	}
	return errs
}

// gatekeeper knows logins. It may be used from any goroutine.
type gatekeeper struct {
	mu    sync.Mutex // guards guard
	guard *digest.Guard
}

// origin is who a request comes from, as far as it was found out.
type origin struct {
	trunk, account, user string
}

// admit reports whether a request outside of any call may go on; one that may
// not is answered.
func (e *Endpoint) admit(in *inbound) bool {
	in.from = e.originOf(in.req, in.link)
	if e.opt.Admit == "" || e.opt.Admit == AdmitOpen || in.from != (origin{}) {
		return true
	}
	if in.req.Method == sip.REGISTER { // nobody registers here, with or without a password
		return true // and is told so by its method: 405
	}
	if e.opt.Admit == AdmitTrunks {
		in.respond(403, "Forbidden")
		return false
	}
	return e.login(in)
}

func (e *Endpoint) originOf(req *sip.Request, l link) origin {
	var o origin
	if t := trunkOf(*e.gate.trunks.Load(), l.source().Addr()); t != nil {
		o.trunk = t.Name
	}
	o.account = e.accountOf(req, l)
	return o
}

// login checks the credentials of a request, and asks for them with 401.
func (e *Endpoint) login(in *inbound) bool {
	verdict := digest.Wrong
	now := time.Now()
	var user string
	for _, h := range in.req.GetHeaders("Authorization") {
		c, err := digest.ParseCredentials(h.Value())
		if err != nil {
			in.respond(400, "Malformed Authorization")
			return false
		}
		if c.Realm != e.opt.Realm {
			continue
		}
		user = c.User
		e.keeper.mu.Lock()
		verdict = e.keeper.guard.Check(now, c, string(in.req.Method), in.req.Recipient.String(), e.opt.Password)
		e.keeper.mu.Unlock()
		break
	}
	if verdict == digest.Good {
		in.from.user = user
		return true
	}
	e.keeper.mu.Lock()
	challenges := e.keeper.guard.Challenges(now, verdict == digest.Stale)
	e.keeper.mu.Unlock()
	var extra []header
	for _, c := range challenges {
		extra = append(extra, header{"WWW-Authenticate", c.String()})
	}
	in.respond(401, "Unauthorized", extra...)
	return false
}
