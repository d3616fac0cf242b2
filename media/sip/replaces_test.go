package sip_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/sip"
)

// at has a house use an address of its own.
func at(host string) func(*sip.Options) {
	return func(o *sip.Options) { o.UDP, o.TCP = host+":0", "" }
}

// Who knows all of a call's tags takes its place only from the side the call is
// with; to others it does not exist, as one that never was.
func TestOnlyTheOtherSideReplacesItsCall(t *testing.T) {
	trunk := func(name string, hosts ...string) sip.Trunk {
		out := sip.Trunk{Name: name}
		for _, h := range hosts {
			out.Prefixes = append(out.Prefixes, netip.PrefixFrom(netip.MustParseAddr(h), 32))
		}
		return out
	}
	for name, test := range map[string]struct {
		trunks []sip.Trunk
		from   string
		code   int // 0 is an answer
	}{
		"the same address":              {from: "127.0.0.1"},
		"another address":               {from: "127.0.0.2", code: 481},
		"another of the trunk":          {trunks: []sip.Trunk{trunk("a", "127.0.0.1", "127.0.0.2")}, from: "127.0.0.2"},
		"another trunk":                 {trunks: []sip.Trunk{trunk("a", "127.0.0.1"), trunk("b", "127.0.0.2")}, from: "127.0.0.2", code: 481},
		"a trunk, of a call of nobody":  {trunks: []sip.Trunk{trunk("b", "127.0.0.2")}, from: "127.0.0.2", code: 481},
		"nobody, of a call of a trunk":  {trunks: []sip.Trunk{trunk("a", "127.0.0.1")}, from: "127.0.0.2", code: 481},
		"nobody, where trunks may call": {trunks: []sip.Trunk{trunk("a", "127.0.0.1")}, from: "127.0.0.3", code: 403},
	} {
		for _, dialled := range []bool{false, true} {
			t.Run(map[bool]string{false: "a call that came in/", true: "a call of ours/"}[dialled]+name, func(t *testing.T) {
				us := open(t, func(o *sip.Options) {
					o.Rules.TakeOver, o.Trunks = true, test.trunks
					if test.code == 403 {
						o.Admit = sip.AdmitTrunks
					}
				})
				peer, friend := open(t, nil), open(t, at(test.from))
				var old *sip.Call
				var err error
				if dialled {
					old, err = us.Dial(t.Context(), peer.uri("bob", "UDP"), sip.DialOptions{})
				} else {
					_, err = peer.Dial(t.Context(), us.uri("bank", "UDP"), sip.DialOptions{})
					old = (<-us.invites).Call
				}
				require.NoError(t, err)
				eventually(t, "the call is up", func() bool { return us.Stats().Live == 1 })
				call, err := friend.Dial(t.Context(), us.uri("bank", "UDP"), sip.DialOptions{Replaces: sip.Replacing(old)})
				if test.code == 0 {
					require.NoError(t, err)
					require.Equal(t, old, (<-us.invites).Replaces)
					select {
					case <-old.Gone():
					case <-time.After(5 * time.Second):
						t.Fatal("the old call goes on")
					}
					call.Hangup("completed")
					return
				}
				var no *sip.Refused
				require.ErrorAs(t, err, &no)
				require.Equal(t, test.code, no.Code)
				_, never := friend.Dial(t.Context(), us.uri("bank", "UDP"), sip.DialOptions{Replaces: "x;to-tag=y;from-tag=z"})
				var other *sip.Refused
				require.ErrorAs(t, never, &other)
				require.Equal(t, no, other, "a call that is there looks like one that is not")
				require.Empty(t, us.invites)
				require.Equal(t, 1, us.Stats().Live, "the call was not touched")
				old.Hangup("completed")
				<-old.Gone()
			})
		}
	}
}

// One that was answered, or one that nobody may replace, keeps its call when the
// offer of who wants its place cannot be taken.
func TestARefusedReplacementLeavesTheCall(t *testing.T) {
	for name, test := range map[string]struct {
		codecs []string
		answer error
		code   int
	}{
		"no common codec":   {codecs: []string{"PCMA"}, code: 488},
		"the owner says no": {answer: sip.ErrDecline, code: 603},
	} {
		t.Run(name, func(t *testing.T) {
			calls := make(chan *sip.Call, 1)
			us := open(t, func(o *sip.Options) {
				o.Rules.TakeOver, o.Codecs = true, []string{"PCMU"}
				o.Answer = func(_ context.Context, inv sip.Invite) error {
					if inv.Replaces == nil {
						calls <- inv.Call
						return nil
					}
					return test.answer
				}
			})
			peer := open(t, nil)
			first, err := peer.Dial(t.Context(), us.uri("bank", "UDP"), sip.DialOptions{})
			require.NoError(t, err)
			old := <-calls
			_, err = peer.Dial(t.Context(), us.uri("bank", "UDP"), sip.DialOptions{Codecs: test.codecs, Replaces: sip.Replacing(old)})
			var no *sip.Refused
			require.ErrorAs(t, err, &no)
			require.Equal(t, test.code, no.Code)
			require.NoError(t, first.Hold(t.Context()), "the call goes on")
			first.Hangup("completed")
			<-old.Gone()
		})
	}
}

// Whose a call is, is what its owner said last.
func TestACallKnowsItsOwner(t *testing.T) {
	us, peer := open(t, nil), open(t, nil)
	call, err := us.Dial(t.Context(), peer.uri("bob", "UDP"), sip.DialOptions{})
	require.NoError(t, err)
	require.Nil(t, call.Owner())
	call.Belong("ann")
	call.Belong("bea")
	require.Equal(t, "bea", call.Owner())
	call.Hangup("completed")
	<-call.Gone()
}

// Where callers prove who they are, a call is replaced by who called alone,
// wherever he is.
func TestALoginReplacesItsOwnCall(t *testing.T) {
	for name, test := range map[string]struct {
		user, from string
		taken      bool
	}{
		"the same, elsewhere":        {"ann", "127.0.0.2", true},
		"another at the same place":  {"bea", "127.0.0.1", false},
		"another at another address": {"bea", "127.0.0.2", false},
	} {
		t.Run(name, func(t *testing.T) {
			us := open(t, func(o *sip.Options) {
				o.Rules.TakeOver, o.Admit, o.Realm = true, sip.AdmitDigest, "here"
				o.Password = func(user string) (string, bool) { return user + "-secret", true }
			})
			dial := func(h *house, user, replaces string) (*sip.Call, error) {
				return h.Dial(t.Context(), us.uri("bank", "UDP"), sip.DialOptions{
					Replaces: replaces, Auth: sip.Authorize(sip.Credentials{User: user, Password: user + "-secret"}),
				})
			}
			first, err := dial(open(t, nil), "ann", "")
			require.NoError(t, err)
			old := (<-us.invites).Call
			call, err := dial(open(t, at(test.from)), test.user, sip.Replacing(old))
			if test.taken {
				require.NoError(t, err)
				<-old.Gone()
				call.Hangup("completed")
				return
			}
			var no *sip.Refused
			require.ErrorAs(t, err, &no)
			require.Equal(t, 481, no.Code)
			first.Hangup("completed")
			<-old.Gone()
		})
	}
}
