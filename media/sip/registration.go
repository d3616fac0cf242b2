package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
	"flametree/media/sip/digest"
	"flametree/media/sip/register"
)

// Account is one registration to keep up.
type Account struct {
	Name      string // ours; Invite.Account of calls that come by it
	Registrar string // URI, such as sip:pbx.example.com or sips:pbx.example.com:5061
	AOR       string // the address calls are for, such as sip:100@pbx.example.com
	Login     string // user name of the digest; "" is the user of AOR
	Password  string // never in a log
	Proxy     string // URI of an outbound proxy; "": none
	Transport string // UDP TCP TLS WS WSS; "" follows the URI and its DNS records
	Expires   time.Duration
	// KeepAlive is the time between packets that keep the way back open: zero is
	// 25 s over UDP and 110 s over connections (RFC 5626 4.4.1), less than zero none.
	KeepAlive time.Duration
	// OnStatus is told each change, one at a time; it must not block. May be nil.
	OnStatus func(RegisterStatus)
}

// String implements fmt.Stringer without the password.
func (a Account) String() string { return fmt.Sprintf("account %q of %s", a.Name, a.Registrar) }

// GoString implements fmt.GoStringer without the password.
func (a Account) GoString() string { return a.String() }

// RegisterStatus is where a registration stands.
type RegisterStatus = register.Status

// Registration keeps one account registered until Close or the end of the
// endpoint. Its methods may be called from any goroutine.
type Registration struct {
	e         *Endpoint
	account   Account
	registrar sip.Uri
	aor       sip.Uri
	proxy     *sip.Uri
	auth      Authorizer
	line      string // names us in our Contact
	callID    string
	stop      chan struct{}
	stopOnce  sync.Once
	gone      chan struct{}

	mu     sync.Mutex // guards what follows
	status RegisterStatus
	link   link      // it was made over, nil before
	routes []sip.Uri // Service-Route
	seq    uint32
}

// Register begins to keep an account registered; how that goes is told by
// Account.OnStatus and Status. The error is of kind fault.Invalid when the
// account cannot be read.
func (e *Endpoint) Register(a Account) (*Registration, error) {
	r := &Registration{
		e: e, account: a, line: newTag(), callID: newTag(), stop: make(chan struct{}), gone: make(chan struct{}),
		status: RegisterStatus{Phase: register.Idle},
	}
	if err := r.read(); err != nil {
		return nil, fmt.Errorf("register %q: %w", a.Name, err)
	}
	r.auth = Authorize(Credentials{User: orDefault(a.Login, r.aor.User), Password: a.Password})
	e.mu.Lock()
	e.accounts[r.line] = r
	e.mu.Unlock()
	if !e.start(r.run) {
		r.forget()
		return nil, fmt.Errorf("register %q: endpoint is closed: %w", a.Name, fault.Unavailable)
	}
	return r, nil
}

// read checks the account, all faults at once.
func (r *Registration) read() error {
	var errs []error
	var err error
	a := r.account
	if r.registrar, err = readTarget(a.Registrar); err != nil {
		errs = append(errs, fmt.Errorf("registrar %q: %w", a.Registrar, err))
	}
	if r.aor, err = readTarget(a.AOR); err != nil || r.aor.User == "" {
		errs = append(errs, fmt.Errorf("address %q: want sip:user@domain: %w", a.AOR, fault.Invalid))
	}
	if a.Proxy != "" {
		proxy, err := readTarget(a.Proxy)
		if err != nil {
			errs = append(errs, fmt.Errorf("proxy %q: %w", a.Proxy, err))
		}
		r.proxy = &proxy
	}
	if strings.ContainsAny(a.Login+a.Password, "\r\n\x00") {
		errs = append(errs, fmt.Errorf("login holds a line end: %w", fault.Invalid))
	}
	if a.Transport != "" && !isNetwork(strings.ToUpper(a.Transport)) {
		errs = append(errs, fmt.Errorf("transport %.20q: %w", a.Transport, fault.Invalid))
	}
	r.registrar.User, r.aor.UriParams, r.aor.Headers = "", nil, nil
	return errors.Join(errs...)
}

// Name is the account's.
func (r *Registration) Name() string { return r.account.Name }

// AOR is the address of record.
func (r *Registration) AOR() string { return r.aor.String() }

// Auth meets challenges to requests of the account, such as its calls.
func (r *Registration) Auth() Authorizer { return r.auth }

// Route is the route calls of the account take (RFC 3608 6.1): what the registrar
// said last, else the outbound proxy.
func (r *Registration) Route() []sip.Uri {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.routes) > 0 {
		return slices.Clone(r.routes)
	}
	if r.proxy != nil {
		return []sip.Uri{looseRoute(*r.proxy)}
	}
	return nil
}

// Status reports where the registration stands.
func (r *Registration) Status() RegisterStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Close takes the registration back and waits for that, at most the endpoint's
// Grace. It may be called twice.
func (r *Registration) Close() error {
	r.stopOnce.Do(func() { close(r.stop) })
	<-r.gone
	return nil
}

// Gone is closed when the registration has ended.
func (r *Registration) Gone() <-chan struct{} { return r.gone }

func (r *Registration) forget() {
	r.hold(nil)
	r.e.mu.Lock()
	delete(r.e.accounts, r.line)
	r.e.mu.Unlock()
	close(r.gone)
}

// exchanged is what one exchange with the registrar brought.
type exchanged struct {
	res  *sip.Response
	link link
	err  error
}

// flight is a REGISTER under way.
type flight struct {
	done      chan exchanged
	cancel    context.CancelFunc
	expires   time.Duration
	challenge *sip.Response // that it answers, nil without one
}

// run is the life of the registration.
func (r *Registration) run() {
	defer r.forget()
	m := register.New(r.account.Expires, rand.Float64) // spreads load, keeps no secret
	wake, keep, grace := idleTimer(), idleTimer(), idleTimer()
	defer wake.Stop()
	defer keep.Stop()
	defer grace.Stop()
	stop, closing := (<-chan struct{})(r.stop), (<-chan struct{})(r.e.closing)
	var f flight
	defer func() { f.end() }()
	do := m.Start(time.Now())
	for {
		if do.Send {
			f.end()
			f = r.send(do, f)
		}
		r.tell(m.Status())
		if do.Done {
			return
		}
		wake.Stop()
		if !do.At.IsZero() {
			wake.Reset(time.Until(do.At))
		}
		do = register.Do{At: do.At}
		select {
		case out := <-f.done:
			do = r.landed(m, &f, out)
			r.rearm(keep)
		case <-wake.C:
			do = m.Wake(time.Now())
		case <-keep.C:
			r.ping()
			r.rearm(keep)
		case <-r.lost():
			r.hold(nil)
			do = m.Lost(time.Now())
		case <-stop:
			stop, closing = nil, nil
			grace.Reset(r.e.opt.Grace)
			do = m.Close(time.Now())
		case <-closing:
			stop, closing = nil, nil
			grace.Reset(r.e.opt.Grace)
			do = m.Close(time.Now())
		case <-grace.C:
			return
		case <-r.e.cut:
			return
		}
	}
}

func idleTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// tell shows a change.
func (r *Registration) tell(s RegisterStatus) {
	r.mu.Lock()
	changed := r.status != s
	was := r.status.Phase
	r.status = s
	r.mu.Unlock()
	if !changed {
		return
	}
	if s.Phase != was {
		switch s.Phase {
		case register.Refused, register.Failed:
			r.e.log.Warn("sip registration "+string(s.Phase), "trunk", r.account.Name, "err", s.LastError) //nolint:sloglint // one of two constants
		case register.Registered:
			r.e.log.Info("sip registration registered", "trunk", r.account.Name)
		case register.Idle, register.Trying, register.Leaving, register.Gone:
		}
	}
	if r.account.OnStatus != nil {
		r.account.OnStatus(s)
	}
}

// landed reads what the REGISTER in flight brought.
func (r *Registration) landed(m *register.Machine, f *flight, out exchanged) register.Do {
	f.done = nil
	now := time.Now()
	if out.err != nil {
		r.hold(nil)
		return m.Fail(now, out.err.Error())
	}
	if m.Status().Phase != register.Leaving {
		r.hold(out.link)
	}
	a := r.answer(out.res, f)
	if a.Code >= 200 && a.Code < 300 {
		r.mu.Lock()
		r.routes = readRoutes(out.res.GetHeaders("Service-Route"))
		r.mu.Unlock()
	}
	return m.Answer(now, a)
}

// answer takes from a response what the machine wants to know.
func (r *Registration) answer(res *sip.Response, f *flight) register.Answer {
	a := register.Answer{Code: res.StatusCode, Reason: res.Reason, Expires: f.expires}
	a.MinExpires = seconds(res, "Min-Expires")
	a.RetryAfter = seconds(res, "Retry-After")
	if a.Code == 401 || a.Code == 407 {
		// A second challenge to an answer of this attempt refuses the password, unless
		// it says that only the nonce was too old.
		a.Met = f.challenge == nil || f.challenge.StatusCode != res.StatusCode || isStale(res)
		f.challenge = res
	}
	if e := seconds(res, "Expires"); e > 0 {
		a.Expires = e
	}
	for _, h := range res.GetHeaders("Contact") {
		c, ok := h.(*sip.ContactHeader)
		if !ok || c.Address.UriParams.GetOr(lineParam, "") != r.line {
			continue
		}
		if n, err := strconv.ParseUint(c.Params.GetOr("expires", ""), 10, 31); err == nil && n > 0 {
			a.Expires = time.Duration(n) * time.Second
		}
	}
	return a
}

func isStale(res *sip.Response) bool {
	for _, name := range []string{"WWW-Authenticate", "Proxy-Authenticate"} {
		for _, h := range res.GetHeaders(name) {
			all, _ := digest.ParseChallenges(h.Value())
			for _, c := range all {
				if c.Stale {
					return true
				}
			}
		}
	}
	return false
}

// seconds reads a header that begins with a number of seconds.
func seconds(res *sip.Response, name string) time.Duration {
	h := res.GetHeader(name)
	if h == nil {
		return 0
	}
	text, _, _ := strings.Cut(h.Value(), ";")
	text, _, _ = strings.Cut(text, "(")
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

func (f *flight) end() {
	if f.cancel != nil {
		f.cancel()
	}
}
