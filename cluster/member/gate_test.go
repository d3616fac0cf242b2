package member

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/actors/wire"
	"flametree/engine/event"
	"flametree/engine/fault"
)

// relay is a directory that is known only after the actors that use it.
type relay struct{ actors.Directory }

// node starts a member with real actors on a journal in memory.
func node(t *testing.T) (*Member, *actorstest.House) {
	t.Helper()
	h := actorstest.New(t, time.Minute)
	dir := &relay{}
	m := Start(Options{Log: slog.New(slog.DiscardHandler), Kinds: h.Kinds(dir)})
	dir.Directory = m
	t.Cleanup(func() { m.Shutdown(false) })
	return m, h
}

// role is what this process plays; empty in the one that the user started.
// Each node is a process of its own: protoactor sets gRPC's logger at every
// start, which is a race when a process has two.
const role = "FLAMETREE_MEMBER_TEST"

// again runs one test of this package in a process that plays a role.
func again(t *testing.T, test, plays string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // it outlives the test by its own clean-up
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), role+"="+plays)
	return cmd
}

// TestNode is the other node: it tells its address and lives until its input ends.
func TestNode(t *testing.T) {
	if os.Getenv(role) != "there" {
		return
	}
	m, _ := node(t)
	fmt.Println("address", m.Address())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// other starts the other node and returns its address.
func other(t *testing.T) string {
	t.Helper()
	cmd := again(t, "TestNode", "there")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		require.NoError(t, cmd.Wait(), "the other node did not survive")
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "address "); ok {
			return address
		}
	}
	t.Fatal("the other node did not start")
	return ""
}

func born(h *actorstest.House, name string) event.SessionCreated {
	return event.SessionCreated{
		Agent: "echo", Revision: 1, Conversation: name, Channel: "web", UserID: event.P("u1"), Greeting: h.Cast.Revision.Greeting(), Timeout: time.Hour,
	}
}

// TestTwoNodes starts its nodes once: protoactor takes a second to start one.
func TestTwoNodes(t *testing.T) {
	if os.Getenv(role) == "" {
		out, err := again(t, "TestTwoNodes", "here").CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	there := other(t)
	here, h := node(t)
	id := h.Session("s")
	ask := func(t *testing.T, msg any) (any, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return here.AskAt(ctx, there, id, msg)
	}

	t.Run("a session of the other node is asked", func(t *testing.T) {
		_, err := ask(t, &actors.Look{})
		require.ErrorIs(t, err, fault.NotFound, "an error keeps its kind")
		began, err := ask(t, &actors.Begin{Born: born(h, "s")})
		require.NoError(t, err)
		answered, err := ask(t, &actors.Write{ClientID: "c1", Text: "hello"})
		require.NoError(t, err)
		require.Equal(t, "You said: hello", answered.(*actors.Answered).Text)
		v, err := ask(t, &actors.Look{})
		require.NoError(t, err)
		require.Len(t, began.(*actors.View).State.Lines, 1)
		require.Equal(t, born(h, "s"), v.(*actors.View).Born)
		require.Equal(t, "hello", v.(*actors.View).State.Lines[1].Text)
		require.Zero(t, here.Live(), "nothing of it lives here")
	})

	t.Run("messages keep their order", func(t *testing.T) {
		for i := range 200 {
			require.NoError(t, here.SendTo(there, id, &actors.Amend{Change: event.SessionUpdated{
				Kwargs: []event.PrivatePair{{Key: "n", Value: event.P(fmt.Sprint(i))}},
			}}))
		}
		v, err := ask(t, &actors.Look{})
		require.NoError(t, err)
		require.Equal(t, "199", v.(*actors.View).State.Born.Kwargs[0].Value.Text)
	})

	t.Run("one's own address is no detour", func(t *testing.T) {
		_, err := here.AskAt(t.Context(), here.Address(), id, &actors.Watch{Sink: func(actors.Frame) bool { return true }})
		require.ErrorIs(t, err, fault.NotFound, "also what cannot cross reaches an actor here")
	})

	t.Run("what does not cross is refused before it leaves", func(t *testing.T) {
		_, err := ask(t, &actors.Watch{})
		require.ErrorIs(t, err, fault.Invalid)
		require.ErrorIs(t, here.SendTo(there, id, &actors.Watch{}), fault.Invalid)
	})

	t.Run("an envelope that cannot be read is answered by an error", func(t *testing.T) {
		for name, e := range map[string]*wire.Envelope{
			"nothing in it":   {},
			"an unknown type": {Type: "teleport", Version: 1, Id: "s", Kind: "session", Tenant: id.Tenant[:], Bytes: []byte("{}")},
			"a later version": {Type: "look", Version: 9, Id: "s", Kind: "session", Tenant: id.Tenant[:], Bytes: []byte("{}")},
			"no such kind":    {Type: "look", Version: 1, Id: "s", Kind: "tenant", Tenant: id.Tenant[:], Bytes: []byte("{}")},
		} {
			n, answer := here.asked.ask(there)
			e.Reply = n
			here.sys.Root.RequestWithCustomSender(actor.NewPID(there, gateName), e, here.gate)
			select {
			case r := <-answer:
				_, err := wire.DecodeAnswer(r)
				require.ErrorIs(t, err, fault.Invalid, name)
			case <-time.After(10 * time.Second):
				t.Fatal("never answered: ", name)
			}
		}
	})

	t.Run("what nobody can read costs the connection and no more", func(t *testing.T) {
		stranger(t, there)
		for range 3 {
			_, err := ask(t, &actors.Look{})
			require.NoError(t, err)
		}
	})

	t.Run("whoever gives up waiting is let go", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := here.AskAt(ctx, there, id, &actors.Look{})
		require.ErrorIs(t, err, context.Canceled)
		here.asked.mu.Lock()
		defer here.asked.mu.Unlock()
		require.Empty(t, here.asked.waiting)
	})

	t.Run("a node that is not there", func(t *testing.T) {
		begun := time.Now()
		_, err := here.AskAt(t.Context(), "127.0.0.1:1", id, &actors.Look{})
		require.ErrorIs(t, err, fault.Unavailable)
		require.Less(t, time.Since(begun), 9*time.Second)
	})
}

// stranger speaks remote's protocol as no node of ours does: types that are not
// registered, places that do not exist, methods that nobody has written.
func stranger(t *testing.T, address string) {
	t.Helper()
	conn, err := grpc.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	client := remote.NewRemotingClient(conn)
	data, err := proto.Marshal(&wire.Envelope{Type: "look"})
	require.NoError(t, err)
	target := []*actor.PID{actor.NewPID(address, gateName)}
	for name, b := range map[string]*remote.MessageBatch{
		"a type that is not registered": {TypeNames: []string{"no.such.Type"}, Targets: target, Envelopes: []*remote.MessageEnvelope{{MessageData: data}}},
		"no types at all":               {Targets: target, Envelopes: []*remote.MessageEnvelope{{MessageData: data}}},
		"no target":                     {TypeNames: []string{"flametree.actors.wire.Envelope"}, Envelopes: []*remote.MessageEnvelope{{MessageData: data}}},
		"an unknown serializer":         {TypeNames: []string{"x"}, Targets: target, Envelopes: []*remote.MessageEnvelope{{SerializerId: 99}}},
	} {
		s, err := client.Receive(ctx)
		require.NoError(t, err, name)
		require.NoError(t, s.Send(&remote.RemoteMessage{MessageType: &remote.RemoteMessage_MessageBatch{MessageBatch: b}}))
		_, err = s.Recv()
		require.Error(t, err, name)
		require.NoError(t, ctx.Err(), "%s: the connection was not ended", name)
	}
	_, err = client.ListProcesses(ctx, &remote.ListProcessesRequest{})
	require.Error(t, err)
}
