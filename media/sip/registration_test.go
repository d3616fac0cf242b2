package sip_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/media/sip"
	"flametree/media/sip/digest"
	"flametree/media/sip/locate"
	"flametree/media/sip/register"
)

// office is a registrar of a test: it answers each REGISTER as it is told.
type office struct {
	t    *testing.T
	conn net.PacketConn
	done sync.WaitGroup
	got  chan string // the REGISTERs, in order
}

// openOffice starts a registrar; answer gives status line and extra headers.
func openOffice(t *testing.T, answer func(n int, req string) (string, []string)) *office {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	o := &office{t: t, conn: conn, got: make(chan string, 100)}
	o.done.Go(func() {
		buf := make([]byte, 8192)
		seen := 0
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			text := string(buf[:n])
			if !strings.HasPrefix(text, "REGISTER ") {
				continue
			}
			seen++
			o.got <- text
			status, extra := answer(seen, text)
			if status == "" {
				continue
			}
			out := "SIP/2.0 " + status + "\r\n"
			for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
				v := value(text, name)
				if name == "To" {
					v += ";tag=reg"
				}
				out += name + ": " + v + "\r\n"
			}
			for _, h := range extra {
				out += h + "\r\n"
			}
			_, _ = conn.WriteTo([]byte(out+"Content-Length: 0\r\n\r\n"), from)
		}
	})
	t.Cleanup(func() { _ = conn.Close(); o.done.Wait() })
	return o
}

func (o *office) account() sip.Account {
	return sip.Account{Name: "desk", Registrar: "sip:" + o.conn.LocalAddr().String(), AOR: "sip:100@pbx.test", Login: "auth-100", Password: "opensesame", Expires: time.Minute}
}

// binding is our own Contact, among others, as a registrar lists them.
func binding(req string, expires int) string {
	return fmt.Sprintf("Contact: <sip:other@192.0.2.1>;expires=9, %s;expires=%d;q=0.5", value(req, "Contact"), expires)
}

func (o *office) hears() string {
	o.t.Helper()
	select {
	case text := <-o.got:
		return text
	case <-time.After(5 * time.Second):
		o.t.Fatal("no REGISTER came")
		return ""
	}
}

// From the first REGISTER to the last: the challenge is met with the strongest
// algorithm, the binding's own time counts, the Service-Route is kept, and
// closing takes the binding back; the password reaches no log.
func TestRegistration(t *testing.T) {
	guard := digest.NewGuard("pbx", 0, true)
	o := openOffice(t, func(_ int, req string) (string, []string) {
		c, err := digest.ParseCredentials(value(req, "Authorization"))
		ok := err == nil && guard.Check(time.Now(), c, "REGISTER", c.URI, func(u string) (string, bool) { return "opensesame", u == "auth-100" }) == digest.Good
		if !ok {
			all := guard.Challenges(time.Now(), false)
			return "401 Unauthorized", []string{"WWW-Authenticate: " + all[1].String(), "WWW-Authenticate: " + all[0].String()}
		}
		return "200 OK", []string{binding(req, 40), "Service-Route: <sip:edge.test;lr>, <sip:core.test:5070;lr>", "Expires: 7"}
	})
	var log lockedBuffer
	var mu sync.Mutex
	var phases []register.Phase
	h := open(t, func(opt *sip.Options) {
		opt.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	a := o.account()
	a.OnStatus = func(s sip.RegisterStatus) { mu.Lock(); defer mu.Unlock(); phases = append(phases, s.Phase) }
	r, err := h.Register(a)
	require.NoError(t, err)
	first, second := o.hears(), o.hears()
	require.True(t, strings.HasPrefix(first, "REGISTER sip:127.0.0.1:"), first)
	require.Equal(t, "<sip:100@pbx.test>", value(first, "To"))
	require.Equal(t, "60", value(first, "Expires"))
	require.Contains(t, value(first, "Contact"), "<sip:100@127.0.0.1:")
	require.Equal(t, "1 REGISTER", value(first, "CSeq"))
	require.Equal(t, "2 REGISTER", value(second, "CSeq"))
	require.Equal(t, value(first, "Call-ID"), value(second, "Call-ID"))
	require.Equal(t, value(first, "Contact"), value(second, "Contact"))
	require.Contains(t, value(second, "Authorization"), "algorithm=SHA-256")
	require.Contains(t, value(second, "Authorization"), `username="auth-100"`)
	eventually(t, "registered", func() bool { return r.Status().Phase == register.Registered })
	require.InDelta(t, 40, time.Until(r.Status().Until).Seconds(), 5)
	require.InDelta(t, 35, time.Until(r.Status().Next).Seconds(), 5)
	routes := r.Route()
	require.Len(t, routes, 2)
	require.Equal(t, "sip:core.test:5070;lr", routes[1].String())

	require.NoError(t, r.Close())
	last := o.hears()
	require.Equal(t, "0", value(last, "Expires"))
	require.Contains(t, value(last, "Authorization"), "nc=00000002", "the nonce is used again")
	require.Equal(t, register.Gone, r.Status().Phase)
	require.NoError(t, r.Close(), "twice is fine")
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []register.Phase{register.Trying, register.Registered, register.Leaving, register.Gone}, dedupe(phases))
	require.NotContains(t, log.String()+fmt.Sprintf("%v %+v %#v", a, a, a), "opensesame")
}

func dedupe(in []register.Phase) []register.Phase {
	var out []register.Phase
	for _, p := range in {
		if len(out) == 0 || out[len(out)-1] != p {
			out = append(out, p)
		}
	}
	return out
}

// What stops a registration, what delays it, and how often a password is tried.
func TestRegistrarsThatRefuse(t *testing.T) {
	challenge := `WWW-Authenticate: Digest realm="pbx", nonce="%d", qop="auth"`
	for name, test := range map[string]struct {
		answer   func(n int, req string) (string, []string)
		phase    register.Phase
		requests int
		says     string
	}{
		"forbidden": {func(int, string) (string, []string) { return "403 Forbidden", nil }, register.Refused, 1, "403 Forbidden"},
		"a wrong password is tried once": {func(n int, _ string) (string, []string) {
			return "401 Unauthorized", []string{fmt.Sprintf(challenge, n)}
		}, register.Refused, 2, "credentials are not accepted"},
		"a stale nonce is tried again": {func(n int, req string) (string, []string) {
			if n < 3 {
				return "401 Unauthorized", []string{fmt.Sprintf(challenge, n) + ", stale=" + fmt.Sprint(n == 2)}
			}
			return "200 OK", []string{binding(req, 60)}
		}, register.Registered, 3, ""},
		"a challenge nobody can meet": {func(int, string) (string, []string) {
			return "401 Unauthorized", []string{`WWW-Authenticate: Digest realm="pbx", nonce="1", algorithm=SHA3-512`}
		}, register.Refused, 1, "not accepted"},
		"too brief": {func(_ int, req string) (string, []string) {
			if value(req, "Expires") == "60" {
				return "423 Interval Too Brief", []string{"Min-Expires: 900"}
			}
			return "200 OK", []string{"Expires: " + value(req, "Expires")}
		}, register.Registered, 2, ""},
		"overloaded": {func(int, string) (string, []string) {
			return "503 Service Unavailable", []string{"Retry-After: 300 (later)"}
		}, register.Failed, 1, "503"},
		"silent": {func(int, string) (string, []string) { return "", nil }, register.Failed, 0, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := openOffice(t, test.answer)
			h := open(t, nil)
			r, err := h.Register(o.account())
			require.NoError(t, err)
			eventually(t, string(test.phase), func() bool { return r.Status().Phase == test.phase })
			if test.requests > 0 {
				require.Len(t, o.got, test.requests)
			}
			require.Contains(t, r.Status().LastError, test.says)
		})
	}
}

// Accounts that cannot be meant.
func TestBrokenAccounts(t *testing.T) {
	h := open(t, nil)
	_, err := h.Register(sip.Account{Registrar: "http://pbx", AOR: "sip:pbx.test", Proxy: "x", Transport: "sctp", Password: "a\r\nb"})
	require.ErrorIs(t, err, fault.Invalid)
	for _, want := range []string{"registrar", "want sip:user@domain", "proxy", "transport", "line end"} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "a\r\nb")
}

// A call to the Contact of an account is told which account it came by, and a
// stranger's is not; a registrar may also write its own URI.
func TestCallsByAccount(t *testing.T) {
	o := openOffice(t, func(_ int, req string) (string, []string) { return "200 OK", []string{binding(req, 60)} })
	h := open(t, func(opt *sip.Options) { opt.Admit = sip.AdmitTrunks })
	for _, name := range []string{"sales", "support"} {
		a := o.account()
		a.Name, a.AOR = name, "sip:"+name+"@pbx.test"
		r, err := h.Register(a)
		require.NoError(t, err)
		eventually(t, "registered", func() bool { return r.Status().Phase == register.Registered })
	}
	contacts := map[string]string{}
	for range 2 {
		contact := strings.Trim(value(o.hears(), "Contact"), "<>")
		user, _, _ := strings.Cut(strings.TrimPrefix(contact, "sip:"), "@")
		contacts[user] = contact
	}
	caller := open(t, nil)
	for name, contact := range contacts {
		call, err := caller.Dial(t.Context(), contact, sip.DialOptions{})
		require.NoError(t, err)
		require.Equal(t, name, (<-h.invites).Account)
		call.Hangup("completed")
		<-call.Gone()
	}
	// Nobody else is admitted, except from the registrar's address: that is
	// loopback here, so a stranger must not name a user of ours.
	_, err := caller.Dial(t.Context(), h.uri("nobody", "UDP"), sip.DialOptions{})
	refused := &sip.Refused{}
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 403, refused.Code)
	call, err := caller.Dial(t.Context(), h.uri("sales", "UDP"), sip.DialOptions{})
	require.NoError(t, err)
	require.Equal(t, "sales", (<-h.invites).Account)
	call.Hangup("completed")
	<-call.Gone()
}

// A connection that breaks is made again and the registration with it, over
// the next address when the first is gone.
func TestRegistrationFollowsItsConnection(t *testing.T) {
	first, second := newStreamOffice(t), newStreamOffice(t)
	names := &book{addrs: map[string]string{"a.test": "127.0.0.1"}, srv: map[string][]locate.SRV{
		"_sip._tcp.pbx.test": {{Priority: 1, Port: first.port(), Target: "a.test"}, {Priority: 2, Port: second.port(), Target: "a.test"}},
	}}
	h := open(t, func(o *sip.Options) { o.Resolver = names })
	r, err := h.Register(sip.Account{Name: "desk", Registrar: "sip:pbx.test;transport=tcp", AOR: "sip:100@pbx.test", KeepAlive: 20 * time.Millisecond})
	require.NoError(t, err)
	eventually(t, "registered", func() bool { return r.Status().Phase == register.Registered })
	eventually(t, "kept alive", func() bool { return first.pings.Load() > 1 })
	first.end()
	eventually(t, "registered at the second", func() bool { return second.registers.Load() == 1 && r.Status().Phase == register.Registered })
	require.NoError(t, r.Close())
	eventually(t, "taken back", func() bool { return second.registers.Load() == 2 })
}

// The way back through a NAT is kept open by datagrams.
func TestKeepAliveDatagrams(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer conn.Close()
	h := open(t, nil)
	a := sip.Account{Name: "desk", Registrar: "sip:" + conn.LocalAddr().String(), AOR: "sip:1@x.test", KeepAlive: 10 * time.Millisecond}
	_, err = h.Register(a)
	require.NoError(t, err)
	buf := make([]byte, 4096)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	n, from, err := conn.ReadFrom(buf)
	require.NoError(t, err)
	text := string(buf[:n])
	_, err = conn.WriteTo([]byte(strings.Replace(reply(text, "200 OK", ""), "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 1)), from)
	require.NoError(t, err)
	for {
		n, again, err := conn.ReadFrom(buf)
		require.NoError(t, err)
		if bytes.Equal(buf[:n], []byte("\r\n\r\n")) {
			require.Equal(t, from.String(), again.String(), "the keep-alive comes from the socket that registered")
			break
		}
	}
	_ = netip.MustParseAddrPort(from.String())
}

// Routes of a registrar: read whole or not at all.
func TestServiceRoutes(t *testing.T) {
	for value, want := range map[string]int{
		"<sip:a;lr>": 1, "<sip:a;lr>,<sips:b:5061;lr> , \"x\" <sip:c>;p=1": 3, "": 0, "sip:a": 0, "<sip:a>, <": 0, "<http://a>": 0,
		strings.Repeat("<sip:a>,", 9): 0,
	} {
		require.Len(t, sip.ReadRoutes(value), want, value)
	}
}

// Whatever a registrar sends as its route, it is read or left.
func FuzzServiceRoute(f *testing.F) {
	f.Add("<sip:a;lr>, <sip:b>")
	f.Add("<<>,>")
	f.Fuzz(func(t *testing.T, value string) {
		if got := sip.ReadRoutes(value); len(got) > 8 {
			t.Fatalf("%d routes", len(got))
		}
	})
}
