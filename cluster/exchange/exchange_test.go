package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/actors"
	"flametree/cluster/exchange"
	"flametree/engine/connection"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/media/sip"
	"flametree/media/sip/siptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pbx answers what is dialled, and notes it.
type pbx struct {
	e    *sip.Endpoint
	mu   sync.Mutex
	seen []sip.Invite
	says func(inv sip.Invite) error
}

func newPBX(t *testing.T) *pbx {
	t.Helper()
	p := new(pbx)
	studio := new(siptest.Studio)
	var err error
	p.e, err = sip.Listen(context.WithoutCancel(t.Context()), sip.Options{
		UDP: "127.0.0.1:0", NewMedia: studio.NewMedia, T1: 50 * time.Millisecond, Grace: 200 * time.Millisecond,
		Answer: func(_ context.Context, inv sip.Invite) error {
			p.mu.Lock()
			p.seen = append(p.seen, inv)
			says := p.says
			p.mu.Unlock()
			if says != nil {
				return says(inv)
			}
			return nil
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.e.Close() })
	return p
}

func (p *pbx) at() string {
	udp, _ := p.e.Addrs()
	return udp.String()
}

// answer says what it does with calls from now on.
func (p *pbx) answer(says func(sip.Invite) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.says = says
}

func (p *pbx) invites() []sip.Invite {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]sip.Invite(nil), p.seen...)
}

// house is an exchange on an endpoint of its own, with one connection to a PBX.
type house struct {
	x  *exchange.Exchange
	e  *sip.Endpoint
	at netip.AddrPort
	id actors.ID

	mu     sync.Mutex // guards what follows
	asked  []actors.Dialling
	owners []actors.ID
}

// refer takes every wish that may be granted.
func (h *house) refer(ctx context.Context, r sip.Referral) error {
	by, d, err := h.x.Referred(ctx, r)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked, h.owners = append(h.asked, d), append(h.owners, by)
	r.Report(200, "")
	return nil
}

var bank = tenant.ID{1}

func newHouse(t *testing.T, p *pbx, settings ...string) *house {
	t.Helper()
	h := &house{x: exchange.New(exchange.Options{}), id: actors.ID{Kind: event.ConnectionStream, Tenant: bank, Name: "c1"}}
	studio := new(siptest.Studio)
	var err error
	h.e, err = sip.Listen(context.WithoutCancel(t.Context()), sip.Options{
		UDP: "127.0.0.1:0", NewMedia: studio.NewMedia, T1: 50 * time.Millisecond, Grace: 200 * time.Millisecond,
		Rules: sip.Rules{Refer: h.refer},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.e.Close() })
	h.at, _ = h.e.Addrs()
	var reports []event.ConnectionReported
	down := h.x.Up(h.id, state(t, append([]string{"domain=" + p.at(), "user=100", "register=false", "country=GB"}, settings...)...), func(r event.ConnectionReported) {
		reports = append(reports, r)
	})
	t.Cleanup(down)
	require.Empty(t, reports, "nothing is up before there is an endpoint")
	h.x.Serve(h.e)
	require.Equal(t, connection.Ready, reports[0].State)
	return h
}

func state(t *testing.T, settings ...string) connection.State {
	t.Helper()
	var s connection.State
	saved := event.ConnectionSaved{Name: "PBX"}
	for _, pair := range settings {
		k, v, _ := strings.Cut(pair, "=")
		saved.Settings = slices.DeleteFunc(saved.Settings, func(p event.Pair) bool { return p.Key == k })
		saved.Settings = append(saved.Settings, event.Pair{Key: k, Value: v})
	}
	events, err := s.Create(event.ConnectionCreated{Type: "sip", Name: "PBX"})
	require.NoError(t, err)
	for _, e := range events {
		s.Apply(event.Envelope{Seq: s.Seq + 1, Body: e})
	}
	events, err = s.Save(saved)
	require.NoError(t, err)
	for _, e := range append(events, event.ConnectionAttached{Agent: "a1", Inbound: true}, event.ConnectionAttached{Agent: "a2"}) {
		s.Apply(event.Envelope{Seq: s.Seq + 1, Body: e})
	}
	return s
}

func (h *house) dial(t *testing.T, to string, change func(*actors.Dialling)) (actors.Line, error) {
	t.Helper()
	d := actors.Dialling{Tenant: bank, Agent: "a1", To: to, Ring: 5 * time.Second}
	if change != nil {
		change(&d)
	}
	leg, line, err := h.x.Dial(t.Context(), d, func(actors.DialProgress) {})
	if err == nil {
		t.Cleanup(func() { line.Hangup("completed"); _ = leg.Close() })
	}
	return line, err
}

func TestNumbersGoThroughTheConnection(t *testing.T) {
	p := newPBX(t)
	h := newHouse(t, p, "caller_id=+442079460000")
	_, err := h.dial(t, "020 7946 0018", nil)
	require.NoError(t, err)
	inv := p.invites()[0]
	require.Equal(t, "+442079460018", inv.User)
	require.Contains(t, inv.From, "+442079460000@127.0.0.1", "as the PBX knows us")
	_, err = h.dial(t, "101", func(d *actors.Dialling) { d.From = "+441" })
	require.NoError(t, err)
	require.Contains(t, p.invites()[1].From, "+441@")
	require.Equal(t, map[string]int{"c1": 2}, h.x.Live())
}

func TestWhatWasSaidOfACallThatFailed(t *testing.T) {
	p := newPBX(t)
	h := newHouse(t, p)
	for kind, want := range map[error]event.Status{
		fault.Exhausted: event.Busy, fault.Denied: event.Declined, fault.NotFound: event.Failed, fault.Unavailable: event.Failed,
	} {
		p.answer(func(sip.Invite) error { return kind })
		_, err := h.dial(t, "101", nil)
		n, ok := errors.AsType[*actors.NotReached](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, want, n.Status, "%v: %v", kind, err)
		require.NotZero(t, n.Code)
	}
	require.Zero(t, h.x.Live()["c1"], "what did not come about counts nowhere")
	p.answer(func(sip.Invite) error { time.Sleep(1500 * time.Millisecond); return nil })
	_, err := h.dial(t, "101", func(d *actors.Dialling) { d.Parameters = "transport=udp;timeout=1" })
	n, _ := errors.AsType[*actors.NotReached](err)
	require.Equal(t, event.NoAnswer, n.Status)
}

func TestNothingDearIsDialledWithoutPermission(t *testing.T) {
	p := newPBX(t)
	h := newHouse(t, p, "calls_per_second=0")
	for i := range 200 {
		number := fmt.Sprintf("+1900555%04d", i)
		if i%2 == 0 {
			number = fmt.Sprintf("sip:+44909879%04d@%s", i, p.at()) // hidden in a SIP address
		}
		_, err := h.dial(t, number, nil)
		n, ok := errors.AsType[*actors.NotReached](err)
		require.True(t, ok)
		require.Equal(t, "forbidden", n.Reason, number)
	}
	require.Empty(t, p.invites(), "the PBX saw nothing")
	require.Error(t, h.x.Check(t.Context(), actors.Dialling{Tenant: bank, Agent: "a1", To: "+1 900 555 0100"}))
}

// redirects answers every INVITE with 302 to contacts, and counts them.
func redirects(t *testing.T, contacts ...string) (at string, count func() int) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	seen := map[string]bool{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if !strings.HasPrefix(string(b[:n]), "INVITE ") {
				continue
			}
			out := "SIP/2.0 302 Moved Temporarily\r\n"
			for line := range strings.SplitSeq(string(b[:n]), "\r\n") {
				switch key, _, _ := strings.Cut(line, ":"); key {
				case "To":
					out += line + ";tag=x\r\n"
				case "Call-ID":
					mu.Lock()
					seen[line] = true
					mu.Unlock()
					fallthrough
				case "Via", "From", "CSeq":
					out += line + "\r\n"
				}
			}
			for _, to := range contacts {
				out += "Contact: <" + to + ">\r\n"
			}
			_, _ = c.WriteTo([]byte(out+"Content-Length: 0\r\n\r\n"), from)
		}
	}()
	t.Cleanup(func() { _ = c.Close(); <-done })
	return c.LocalAddr().String(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(seen)
	}
}

func TestARedirectionIsNoWayAroundThePlan(t *testing.T) {
	there := newPBX(t)
	at, count := redirects(t, "sip:+19005550100@"+there.at(), "sip:boss@127.0.0.9:5060", "sip:101@"+there.at())
	h := newHouse(t, there, "domain="+at)
	_, err := h.dial(t, "100", nil)
	require.NoError(t, err, "the one that may be called is")
	require.Equal(t, 1, count())
	require.Len(t, there.invites(), 1)
	require.Equal(t, "101", there.invites()[0].User)
}

func TestAConnectionHasItsLimits(t *testing.T) {
	p := newPBX(t)
	h := newHouse(t, p, "max_calls=2", "calls_per_second=0")
	first, err := h.dial(t, "101", nil)
	require.NoError(t, err)
	_, err = h.dial(t, "102", nil)
	require.NoError(t, err)
	_, err = h.dial(t, "103", nil)
	require.ErrorIs(t, err, fault.Exhausted)
	first.Hangup("completed")
	require.Eventually(t, func() bool { return h.x.Live()["c1"] == 1 }, 5*time.Second, 5*time.Millisecond)
	_, err = h.dial(t, "103", nil)
	require.NoError(t, err)
}

func TestWhoMayDialWhat(t *testing.T) {
	p := newPBX(t)
	h := newHouse(t, p)
	for name, tt := range map[string]struct {
		to     string
		change func(*actors.Dialling)
		kind   fault.Kind
	}{
		"another tenant":           {"101", func(d *actors.Dialling) { d.Tenant = tenant.ID{2} }, fault.Denied},
		"another tenant by name":   {"101", func(d *actors.Dialling) { d.Tenant, d.Connection = tenant.ID{2}, "c1" }, fault.Unavailable},
		"an agent without it":      {"101", func(d *actors.Dialling) { d.Agent = "a3" }, fault.Denied},
		"by name without it":       {"101", func(d *actors.Dialling) { d.Agent, d.Connection = "a3", "c1" }, fault.Denied},
		"a stranger's host":        {"sip:boss@127.0.0.9", nil, fault.Denied},
		"no address":               {"sip:", nil, fault.Invalid},
		"parameters that are none": {"101", func(d *actors.Dialling) { d.Parameters = "colour=red" }, fault.Invalid},
		"a transport that is none": {"101", func(d *actors.Dialling) { d.Parameters = "transport=smoke" }, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.dial(t, tt.to, tt.change)
			require.ErrorIs(t, err, tt.kind)
		})
	}
	require.Empty(t, p.invites())
	_, err := h.dial(t, "sip:anna@"+p.at(), func(d *actors.Dialling) { d.Agent, d.Owner = "a3", true })
	require.NoError(t, err, "the owner of the server may call any address")
}

func TestCallsBelongToTheConnectionTheyComeBy(t *testing.T) {
	p := newPBX(t)
	h := newHouse(t, p, "sources=127.0.0.1", "max_calls=1")
	name := bank.String() + "/c1"
	of, agent, ok := h.x.Whose(sip.Invite{Trunk: name})
	require.True(t, ok)
	require.Equal(t, []any{bank, "a1"}, []any{of, agent})
	_, _, ok = h.x.Whose(sip.Invite{})
	require.False(t, ok)
	h.x.Learn(h.id, connection.State{Agents: []string{"a2"}, Inbound: "a2"})
	_, agent, _ = h.x.Whose(sip.Invite{Account: name})
	require.Equal(t, "a2", agent)
}

func TestWithoutTelephonyAConnectionSaysSo(t *testing.T) {
	x := exchange.New(exchange.Options{})
	x.Serve(nil)
	var got event.ConnectionReported
	x.Up(actors.ID{Name: "c"}, state(t, "domain=pbx.example", "user=1", "register=false"), func(r event.ConnectionReported) { got = r })()
	require.Equal(t, connection.Failed, got.State)
	require.Contains(t, got.Detail, "--sip")
	_, _, err := x.Dial(t.Context(), actors.Dialling{To: "101"}, nil)
	require.ErrorIs(t, err, fault.Unavailable)
}
