package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"flametree/engine/agent"
	"flametree/engine/fault"
)

// Security is how the connection to the server is kept from others.
type Security string

// The kinds of Security.
const (
	StartTLS Security = "starttls" // begins in clear, goes on encrypted or not at all
	TLS      Security = "tls"      // encrypted from the first byte
	Plain    Security = "none"     // in clear: no password is ever sent over it
)

// Options of a Sender. Server and From are needed.
type Options struct {
	Server   string // host:port
	Security Security
	User     string // "" = without authentication
	Password string
	From     string         // name@example.com, or Name <name@example.com>
	Roots    *x509.CertPool // who may vouch for the server; nil = whom the system trusts
	AtOnce   int            // connections at a time; default 4
	Timeout  time.Duration  // for one letter, waiting for a connection included; default 1 min
}

// Sender gives letters to one server. It is safe for concurrent use.
type Sender struct {
	opt    Options
	host   string
	places chan struct{}
}

// New checks the options; what is wrong with them is fault.Invalid, all of it at
// once. It does not dial.
func New(o Options) (*Sender, error) {
	o.Security = cmp.Or(o.Security, StartTLS)
	o.AtOnce = cmp.Or(o.AtOnce, 4)
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	host, port, err := net.SplitHostPort(o.Server)
	var errs []error
	if err != nil || host == "" || port == "" {
		errs = append(errs, fmt.Errorf("the server %q is not host:port", o.Server))
	}
	if o.Security != StartTLS && o.Security != TLS && o.Security != Plain {
		errs = append(errs, fmt.Errorf("%q is not %s, %s or %s", o.Security, StartTLS, TLS, Plain))
	}
	if _, err := CheckFrom(o.From); err != nil {
		errs = append(errs, err)
	}
	if (o.User == "") != (o.Password == "") {
		errs = append(errs, errors.New("user and password are needed both, or neither"))
	}
	if o.Password != "" && o.Security == Plain {
		errs = append(errs, errors.New("the password would go in clear: use starttls or tls"))
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("mail: %w: %w", errors.Join(errs...), fault.Invalid)
	}
	return &Sender{opt: o, host: host, places: make(chan struct{}, o.AtOnce)}, nil
}

// CheckFrom reads a sender, with or without a name, and gives its address. What
// is no address that mail can be sent from is an error.
func CheckFrom(from string) (string, error) {
	a, err := netmail.ParseAddress(from)
	if err == nil {
		var all agent.Addresses
		if all, err = agent.ParseAddresses(a.Address); err == nil && len(all) == 1 {
			return a.Address, nil
		}
	}
	return "", fmt.Errorf("the sender %q is not like name@example.com or Name <name@example.com>: %w", from, fault.Invalid)
}

// bare is the address of a sender that was checked.
func bare(from string) string {
	a, err := CheckFrom(from)
	if err != nil {
		return ""
	}
	return a
}

// Send gives the letter to the server for all addresses, and reports for each
// of them what became of it: nil when the server has taken it on,
// fault.Unavailable where trying again may help, fault.Denied where the server
// refuses it for good, fault.Invalid for what is no address. When ctx ends or a
// connection breaks the server may have it all the same. Errors name neither
// addresses nor what is in the letter.
func (s *Sender) Send(ctx context.Context, l Letter, to []string) []error {
	out := make([]error, len(to))
	all := func(err error) []error {
		for i := range out {
			if out[i] == nil {
				out[i] = err
			}
		}
		return out
	}
	for _, a := range to {
		if ok, err := agent.ParseAddresses(a); err != nil || len(ok) != 1 {
			return all(fmt.Errorf("it is no address: %w", fault.Invalid))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	case <-ctx.Done():
		return all(fmt.Errorf("no connection was free in time: %w", fault.Unavailable))
	}
	text, err := l.compose(s.opt.From, to, time.Now())
	if err != nil {
		return all(err)
	}
	c, err := s.open(ctx)
	if err != nil {
		return all(err)
	}
	defer c.close()
	if err := c.deliver(bare(s.opt.From), to, text, out); err != nil {
		return all(err)
	}
	return out
}

// connection is one to the server. It is closed when its context ends.
type connection struct {
	*smtp.Client
	raw  net.Conn
	stop func() bool
}

func (c *connection) close() {
	c.stop()
	_ = c.raw.Close()
}

// open dials, secures the connection and logs in.
func (s *Sender) open(ctx context.Context) (*connection, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", s.opt.Server)
	if err != nil {
		return nil, later("the mail server is not reached", err)
	}
	c := &connection{raw: raw, stop: context.AfterFunc(ctx, func() { _ = raw.Close() })}
	if err := s.greet(ctx, c); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (s *Sender) greet(ctx context.Context, c *connection) error {
	secure := &tls.Config{ServerName: s.host, RootCAs: s.opt.Roots, MinVersion: tls.VersionTLS12}
	conn := c.raw
	if s.opt.Security == TLS {
		t := tls.Client(conn, secure)
		if err := t.HandshakeContext(ctx); err != nil {
			return later("the mail server does not speak TLS with us", err)
		}
		conn = t
	}
	var err error
	if c.Client, err = smtp.NewClient(conn, s.host); err != nil {
		return later("the mail server does not greet", err)
	}
	c.SkipSMTPUTF8(true) // addresses are ASCII
	_, domain, _ := strings.Cut(bare(s.opt.From), "@")
	if err := c.Hello(domain); err != nil {
		return later("the mail server does not greet back", err)
	}
	if s.opt.Security == StartTLS {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return later("the mail server offers no STARTTLS: set mail.tls", nil)
		}
		if err := c.StartTLS(secure); err != nil {
			return later("the mail server does not speak TLS with us", err)
		}
	}
	if s.opt.User == "" {
		return nil
	}
	return s.login(c)
}

func (s *Sender) login(c *connection) error {
	_, offered := c.Extension("AUTH")
	known := strings.Fields(strings.ToUpper(offered))
	for _, m := range []struct {
		name string
		auth smtp.Auth
	}{
		{"SCRAM-SHA-256", smtp.ScramSHA256Auth(s.opt.User, s.opt.Password)},
		{"PLAIN", smtp.PlainAuth("", s.opt.User, s.opt.Password, s.host, false)},
		{"LOGIN", smtp.LoginAuth(s.opt.User, s.opt.Password, s.host, false)},
		{"CRAM-MD5", smtp.CRAMMD5Auth(s.opt.User, s.opt.Password)},
	} {
		for _, k := range known {
			if k != m.name {
				continue
			}
			if err := c.Auth(m.auth); err != nil {
				return later("the mail server does not take user and password", err)
			}
			return nil
		}
	}
	return later("the mail server offers no way to log in that is known here", nil)
}

// deliver is one transaction. An error is about all addresses that out has no
// error for.
func (c *connection) deliver(from string, to []string, text []byte, out []error) error {
	if err := c.Mail("<" + from + ">"); err != nil {
		return later("the mail server does not take the sender", err)
	}
	taken := 0
	for i, a := range to {
		if err := c.Rcpt("<" + a + ">"); err != nil {
			out[i] = refused("the mail server does not take the address", err)
			continue
		}
		taken++
	}
	if taken == 0 {
		return nil
	}
	w, err := c.Data()
	if err != nil {
		return refused("the mail server does not take the letter", err)
	}
	if _, err := w.Write(text); err != nil {
		return later("the connection to the mail server broke", err)
	}
	if err := w.Close(); err != nil {
		return refused("the mail server does not take the letter", err)
	}
	_ = c.Quit() // it has the letter, whatever it says now
	return nil
}

// later is an error after which trying again may help.
func later(what string, err error) error { return tell(what, err, fault.Unavailable) }

// refused is for good when the server answered 5xx (RFC 5321 4.2.1).
func refused(what string, err error) error {
	if t, ok := errors.AsType[*textproto.Error](err); ok && t.Code >= 500 && t.Code < 600 {
		return tell(what, err, fault.Denied)
	}
	return tell(what, err, fault.Unavailable)
}

// tell gives the server's code and not its words: they may repeat an address.
func tell(what string, err error, kind fault.Kind) error {
	if t, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Errorf("%s: it answers %d%s: %w", what, t.Code, enhanced(t.Msg), kind)
	}
	switch why := transport(err); why {
	case "":
		return fmt.Errorf("%s: %w", what, kind)
	default:
		return fmt.Errorf("%s: %s: %w", what, why, kind)
	}
}

// transport is what a network says of itself.
func transport(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, net.ErrClosed): // closed by us, because time was up
		return "it took too long"
	}
	if c, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return c.Err.Error()
	}
	if o, ok := errors.AsType[*net.OpError](err); ok {
		return o.Err.Error()
	}
	return err.Error()
}

// enhanced is the code of RFC 3463 at the beginning of an answer, with a blank
// before it; "" = none.
func enhanced(msg string) string {
	code, _, _ := strings.Cut(strings.TrimSpace(msg), " ")
	parts := strings.Split(code, ".")
	if len(parts) != 3 || len(code) > 9 || strings.Trim(code, "0123456789.") != "" {
		return ""
	}
	return " " + code
}
