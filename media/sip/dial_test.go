package sip_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/sip"
	"flametree/media/sip/siptest"
)

// house is an endpoint that takes calls, with what it saw.
type house struct {
	*sip.Endpoint
	studio  siptest.Studio
	invites chan sip.Invite
	ears    chan *siptest.Ear
}

// open starts a house on loopback; change may alter its options.
func open(t *testing.T, change func(*sip.Options)) *house {
	t.Helper()
	h := &house{invites: make(chan sip.Invite, 64), ears: make(chan *siptest.Ear, 64)}
	o := sip.Options{
		UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", NewMedia: h.studio.NewMedia, T1: 20 * time.Millisecond, Grace: 200 * time.Millisecond,
		Answer: func(_ context.Context, inv sip.Invite) error {
			ear := &siptest.Ear{}
			inv.Line.Start(ear.Hear)
			h.invites <- inv
			h.ears <- ear
			return nil
		},
	}
	if change != nil {
		change(&o)
	}
	e, err := sip.Listen(t.Context(), o)
	require.NoError(t, err)
	h.Endpoint = e
	t.Cleanup(func() {
		require.NoError(t, e.Close())
		require.Zero(t, h.studio.Unbalanced(), "media not closed exactly once")
		require.Zero(t, e.Stats().Bugs)
		require.Zero(t, e.Stats().Live)
	})
	return h
}

// uri is how a house is called.
func (h *house) uri(user, transport string) string {
	udp, tcp := h.Addrs()
	if transport == "TCP" {
		return fmt.Sprintf("sip:%s@%s;transport=tcp", user, tcp)
	}
	return fmt.Sprintf("sip:%s@%s", user, udp)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 5*time.Second, time.Millisecond, what)
}

// The life of a call, both ways over both transports: the callee learns who
// calls, both agree on media, and one BYE ends both sides.
func TestCallFromDialToHangup(t *testing.T) {
	for _, transport := range []string{"UDP", "TCP"} {
		t.Run(transport, func(t *testing.T) {
			callee, caller := open(t, nil), open(t, nil)
			call, err := caller.Dial(t.Context(), callee.uri("bank%20desk", transport), sip.DialOptions{
				From: "alice", Display: "Alice A", Codecs: []string{"PCMA"}, Transport: transport,
			})
			require.NoError(t, err)
			inv, ear := <-callee.invites, <-callee.ears
			require.Equal(t, "bank desk", inv.User)
			require.Equal(t, "Alice A", inv.Display)
			require.Equal(t, transport, inv.Transport)
			require.Equal(t, call.CallID(), inv.CallID)
			require.True(t, strings.HasPrefix(inv.From, "sip:alice@127.0.0.1"), inv.From)

			theirs, ours := callee.studio.Made()[0], caller.studio.Made()[0]
			got := theirs.Last()
			require.Equal(t, sip.MediaParams{
				Codec: "PCMA", PayloadType: 8, DTMFType: 101, DTMFHz: 8000, NoiseType: 255, Direction: "sendrecv", PtimeMS: 20,
				Remote:     netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(ours.Port())),
				RemoteRTCP: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(ours.Port())+1),
				Local:      netip.MustParseAddr("127.0.0.1"),
			}, got)
			require.Equal(t, uint16(theirs.Port()), ours.Last().Remote.Port())
			require.Equal(t, "PCMA", ours.Last().Codec)

			eventually(t, "the callee sees the ACK", func() bool { return len(ear.Kinds()) == 1 })
			call.Hangup("completed")
			<-call.Gone()
			eventually(t, "the callee sees the BYE", func() bool { return len(ear.Kinds()) == 2 })
			facts := ear.Facts()
			require.Equal(t, actors.FactLineUp, facts[0].Kind)
			require.Equal(t, actors.FactLineEnded, facts[1].Kind)
			require.Equal(t, "hangup", facts[1].Reason)
		})
	}
}

// When the callee hangs up, the caller is told, and nobody is told twice.
func TestCalleeHangsUp(t *testing.T) {
	callee, caller := open(t, nil), open(t, nil)
	call, err := caller.Dial(t.Context(), callee.uri("bank", "UDP"), sip.DialOptions{})
	require.NoError(t, err)
	var ear siptest.Ear
	call.Start(ear.Hear)
	inv, theirs := <-callee.invites, <-callee.ears
	eventually(t, "up", func() bool { return len(theirs.Kinds()) == 1 })
	inv.Line.Hangup("completed")
	inv.Line.Hangup("completed")
	<-call.Gone()
	require.Equal(t, []actors.FactKind{actors.FactLineUp, actors.FactLineEnded}, ear.Kinds())
	require.Equal(t, []actors.FactKind{actors.FactLineUp}, theirs.Kinds(), "a Hangup is not reported to who asked for it")
}

// A Hangup before the ACK waits for it (RFC 3261 15), and before the answer it is 480.
func TestHangupBeforeTheCallIsUp(t *testing.T) {
	callee := open(t, func(o *sip.Options) {
		o.Answer = func(ctx context.Context, inv sip.Invite) error {
			inv.Line.Hangup("nobody_home")
			<-ctx.Done()
			return ctx.Err()
		}
	})
	caller := open(t, nil)
	_, err := caller.Dial(t.Context(), callee.uri("bank", "UDP"), sip.DialOptions{})
	var refused *sip.Refused
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 480, refused.Code)
}

// Hold and resume are seen by the held side and reach both media.
func TestHoldAndResume(t *testing.T) {
	callee, caller := open(t, nil), open(t, nil)
	call, err := caller.Dial(t.Context(), callee.uri("bank", "TCP"), sip.DialOptions{})
	require.NoError(t, err)
	<-callee.invites
	ear := <-callee.ears
	eventually(t, "up", func() bool { return len(ear.Kinds()) == 1 })
	require.NoError(t, call.Hold(t.Context()))
	require.Equal(t, "recvonly", callee.studio.Made()[0].Last().Direction)
	require.Equal(t, "sendonly", caller.studio.Made()[0].Last().Direction)
	// The second offer may meet the ACK of the first on its way.
	eventually(t, "resumed", func() bool { return call.Resume(t.Context()) == nil })
	require.Equal(t, "sendrecv", callee.studio.Made()[0].Last().Direction)
	require.Equal(t, []actors.FactKind{actors.FactLineUp, actors.FactLineHeld, actors.FactLineResumed}, ear.Kinds())
	call.Hangup("completed")
	<-call.Gone()
	require.ErrorIs(t, call.Hold(t.Context()), fault.Unavailable)
}

// A caller that gives up sends CANCEL: the callee's decision is told, and the
// call ends as cancelled at both sides.
func TestDialGivesUp(t *testing.T) {
	told := make(chan struct{})
	ear := &siptest.Ear{}
	callee := open(t, func(o *sip.Options) {
		o.Answer = func(ctx context.Context, inv sip.Invite) error {
			inv.Line.Start(ear.Hear)
			<-ctx.Done()
			close(told)
			return nil // too late to matter
		}
	})
	caller := open(t, nil)
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	_, err := caller.Dial(ctx, callee.uri("bank", "UDP"), sip.DialOptions{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	<-told
	eventually(t, "ended", func() bool { return len(ear.Kinds()) == 1 })
	require.Equal(t, "canceled", ear.Facts()[0].Reason)
	eventually(t, "gone", func() bool { return callee.Stats().Live == 0 && caller.Stats().Live == 0 })
}

// Each kind of refusal reaches the caller as its code, and as the same kind.
func TestRefusalsReachTheCaller(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		code int
		kind fault.Kind
	}{
		{"no such agent", fmt.Errorf("agent: %w", fault.NotFound), 404, fault.NotFound},
		{"agent is full", fmt.Errorf("limit: %w", fault.Exhausted), 486, fault.Exhausted},
		{"agent is stopped", fmt.Errorf("stopped: %w", fault.Unavailable), 503, fault.Unavailable},
		{"not allowed", fmt.Errorf("acl: %w", fault.Denied), 403, fault.Denied},
		{"request is wrong", fmt.Errorf("user: %w", fault.Invalid), 400, fault.Invalid},
		{"a bug", fmt.Errorf("oops"), 500, fault.Unavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			callee := open(t, func(o *sip.Options) {
				o.Answer = func(context.Context, sip.Invite) error { return test.err }
			})
			caller := open(t, nil)
			_, err := caller.Dial(t.Context(), callee.uri("bank", "UDP"), sip.DialOptions{})
			var refused *sip.Refused
			require.ErrorAs(t, err, &refused)
			require.Equal(t, test.code, refused.Code)
			require.ErrorIs(t, err, test.kind)
		})
	}
}

// A panic in Answer or in the media ends that call with 500, not the process.
func TestPanicsAreContained(t *testing.T) {
	callee, err := sip.Listen(t.Context(), sip.Options{
		UDP:      "127.0.0.1:0",
		NewMedia: func(sip.MediaParams) (sip.Media, error) { panic("no media today") },
	})
	require.NoError(t, err)
	defer callee.Close()
	caller := open(t, nil)
	udp, _ := callee.Addrs()
	for range 3 {
		_, err = caller.Dial(t.Context(), fmt.Sprintf("sip:x@%s", udp), sip.DialOptions{})
		var refused *sip.Refused
		require.ErrorAs(t, err, &refused)
		require.Equal(t, 500, refused.Code)
	}
	require.Equal(t, uint64(3), callee.Stats().Bugs)
}

// Drain refuses new calls and lets running ones go on; Close ends them by BYE.
func TestDrainAndClose(t *testing.T) {
	callee, caller := open(t, nil), open(t, nil)
	call, err := caller.Dial(t.Context(), callee.uri("bank", "UDP"), sip.DialOptions{})
	require.NoError(t, err)
	ear := <-callee.ears
	eventually(t, "up", func() bool { return len(ear.Kinds()) == 1 })
	callee.Drain()
	_, err = caller.Dial(t.Context(), callee.uri("bank", "UDP"), sip.DialOptions{})
	var refused *sip.Refused
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 503, refused.Code)
	require.NoError(t, call.Hold(t.Context()), "a running call is not drained")
	require.NoError(t, callee.Close())
	<-call.Gone()
	require.Equal(t, "failed", ear.Facts()[len(ear.Facts())-1].Reason)
}

// What Dial cannot do is said at once.
func TestDialRefusesNonsense(t *testing.T) {
	caller := open(t, nil)
	for name, target := range map[string]string{
		"no uri": "bank", "other scheme": "tel:+15551234", "no host": "sip:", "unknown transport": "sip:a@127.0.0.1;transport=sctp",
	} {
		_, err := caller.Dial(t.Context(), target, sip.DialOptions{})
		require.ErrorIs(t, err, fault.Invalid, name)
	}
	_, err := caller.Dial(t.Context(), "sip:a@127.0.0.1", sip.DialOptions{Codecs: []string{"OPUS"}})
	require.ErrorIs(t, err, fault.Invalid)
	_, err = caller.Dial(t.Context(), "sip:a@127.0.0.1", sip.DialOptions{From: "a b"})
	require.ErrorIs(t, err, fault.Invalid)
	_, err = sip.Listen(t.Context(), sip.Options{})
	require.ErrorIs(t, err, fault.Invalid)
}

// The endpoint tells each peer an address that peer can reach, also from a
// wildcard socket, over IPv6, and when it is told which.
func TestAddressTold(t *testing.T) {
	for name, test := range map[string]struct {
		udp    string
		public string
		dial   string
		told   string
	}{
		"wildcard":  {"0.0.0.0:0", "", "127.0.0.1", "127.0.0.1"},
		"ipv6":      {"[::1]:0", "", "[::1]", "::1"},
		"public ip": {"127.0.0.1:0", "127.0.0.5", "127.0.0.1", "127.0.0.5"},
	} {
		t.Run(name, func(t *testing.T) {
			callee := open(t, func(o *sip.Options) {
				o.UDP, o.TCP = test.udp, ""
				if test.public != "" {
					o.PublicIP = netip.MustParseAddr(test.public)
				}
			})
			caller := open(t, func(o *sip.Options) {
				if test.dial == "[::1]" {
					o.UDP = test.udp
				}
			})
			udp, _ := callee.Addrs()
			ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer stop()
			_, err := caller.Dial(ctx, fmt.Sprintf("sip:bank@%s:%d", test.dial, udp.Port()), sip.DialOptions{})
			inv := <-callee.invites
			require.Equal(t, test.told, inv.Media.Local.String())
			require.NoError(t, err)
			require.Equal(t, test.told, caller.studio.Made()[0].Last().Remote.Addr().String())
		})
	}
}
