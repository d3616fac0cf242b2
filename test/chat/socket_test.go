package chat_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// message is a frame from the customer.
func message(id, text string) map[string]string {
	return map[string]string{"type": "message", "client_id": id, "text": text}
}

// final reads frames up to the agent's final line and returns all of them.
func final(t *testing.T, s *house.Socket) []house.Frame {
	t.Helper()
	var out []house.Frame
	for {
		f := s.MustNext()
		out = append(out, f)
		if f.Type == "message" && f.Role == "AI" {
			return out
		}
		require.Less(t, len(out), 200)
	}
}

// The customer's own line, then the reply in pieces, then the whole reply, with
// numbers that grow; a second socket sees the same.
func TestSocketStreams(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	id := chat.MustOpen(t, "guest")
	one, two := chat.Socket(t, id, ""), chat.Socket(t, id, "?after=0")
	greeting := two.MustNext()
	require.Equal(t, "message", greeting.Type)
	require.Equal(t, "AI", greeting.Role)
	require.Contains(t, greeting.Text, "this is Lena")

	one.Send(message("m-1", "What happens if a thunderstorm comes?"))
	frames := final(t, one)
	own, reply := frames[0], frames[len(frames)-1]
	require.Equal(t, "HUMAN", own.Role)
	require.Equal(t, "m-1", own.Client)
	require.Equal(t, "What happens if a thunderstorm comes?", own.Text)
	require.Contains(t, reply.Text, "leave the water")
	require.Equal(t, "REGULAR", reply.Metadata.Mode)
	require.Greater(t, own.Seq, greeting.Seq)
	require.Greater(t, reply.Seq, own.Seq)
	pieces := ""
	for _, f := range frames[1 : len(frames)-1] {
		require.Equal(t, "chunk", f.Type)
		require.Equal(t, reply.Message, f.Message, "a piece names its message")
		require.GreaterOrEqual(t, f.Seq, own.Seq)
		require.LessOrEqual(t, f.Seq, reply.Seq)
		pieces += f.Text
	}
	require.Greater(t, len(frames), 3, "the reply came in pieces")
	require.True(t, strings.HasPrefix(reply.Text, strings.TrimSpace(pieces)) || strings.TrimSpace(pieces) == reply.Text, "%q %q", pieces, reply.Text)

	other := final(t, two)
	require.Equal(t, reply, other[len(other)-1])
	require.Equal(t, reply.Message, saidAs(t, chat, id, "m-1").Message, "run_v2 knows the same message")
}

// saidAs repeats a message by run_v2.
func saidAs(t *testing.T, chat *house.Chat, session, clientID string) house.Reply {
	t.Helper()
	r, err := chat.Say(t.Context(), session, clientID, "again")
	require.NoError(t, err)
	return r
}

// Nothing is missed over a reconnect: by ?after= and by a resume frame the
// socket gives what came in between, once, in order.
func TestSocketResumes(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	id := chat.MustOpen(t, "guest")
	sock := chat.Socket(t, id, "")
	sock.Send(message("m-1", "When does the boat hire open?"))
	frames := final(t, sock)
	last := frames[len(frames)-1].Seq
	sock.Close()
	first := chat.MustSay(t, id, "What does a kayak cost for an hour?")
	second := chat.MustSay(t, id, "What does a canoe cost for an hour?")
	want := []string{"What does a kayak cost for an hour?", first.Text, "What does a canoe cost for an hour?", second.Text}
	missed := func(sock *house.Socket) {
		t.Helper()
		at := last
		for _, text := range want {
			f := sock.MustNext()
			require.Equal(t, text, f.Text)
			require.Greater(t, f.Seq, at)
			at = f.Seq
		}
	}
	query := "?after=" + jsonNumber(last)
	missed(chat.Socket(t, id, query))
	sock = chat.Socket(t, id, "")
	sock.Send(map[string]any{"type": "resume", "last_seq": last})
	missed(sock)
	// After a crash too.
	s.Kill()
	s = house.Serve(t, house.Options{Silent: true, Data: s.Data})
	chat = s.Chat(s.Agents[0])
	sock = chat.Socket(t, id, query)
	missed(sock)
	sock.Send(message("m-2", "May I bring my dog?"))
	frames = final(t, sock)
	require.Contains(t, frames[len(frames)-1].Text, "canoes")
	replays(t, s)
}

// A token in the header or as a subprotocol, or a ticket that works once, opens
// a socket; anything else is told by the close code.
func TestSocketCredentials(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak", "narrow")
	chat, museum := s.Chat(s.Agent(t, "Kayak")), s.Chat(s.Agent(t, "Narrow"))
	id, foreign := chat.MustOpen(t, "guest"), museum.MustOpen(t, "guest")
	ping := func(sock *house.Socket) {
		t.Helper()
		sock.Send(map[string]string{"type": "ping"})
		require.Equal(t, "state", sock.MustNext().Type)
	}
	ping(chat.Socket(t, id, ""))
	ping(chat.SocketWith(t, id, "", http.Header{"Sec-WebSocket-Protocol": {"bearer, " + chat.Token}}))
	ticket := func() string {
		var b struct{ Ticket string }
		chat.JSON(t, http.MethodPost, "/session/"+id+"/ticket", nil).Into(t, &b)
		require.NotEmpty(t, b.Ticket)
		return "?ticket=" + b.Ticket
	}
	once := ticket()
	ping(chat.SocketWith(t, id, once, nil))
	closed := func(sock *house.Socket) int {
		t.Helper()
		_, err := sock.Next()
		var c *websocket.CloseError
		require.ErrorAs(t, err, &c)
		return c.Code
	}
	require.Equal(t, 4401, closed(chat.SocketWith(t, id, once, nil)), "a ticket works once")
	require.Equal(t, 4401, closed(chat.SocketWith(t, foreign, ticket(), nil)), "for its session")
	require.Equal(t, 4401, closed(chat.SocketWith(t, id, "", nil)))
	require.Equal(t, 4401, closed(chat.SocketWith(t, id, "", http.Header{"Authorization": {"Bearer " + museum.Token}})))
	require.Equal(t, 4401, closed(chat.SocketWith(t, id, "?token="+chat.Token, nil)), "never in the address")
	require.Equal(t, 4404, closed(chat.Socket(t, foreign, "")))
	require.Equal(t, 4404, closed(chat.Socket(t, "none", "")))
	require.Equal(t, http.StatusOK, chat.JSON(t, http.MethodDelete, "/session/"+id, nil).Status)
	require.Equal(t, 4404, closed(chat.Socket(t, id, "")))
}

// Frames that make no sense are told and end nothing; the end of the session
// ends the socket.
func TestSocketBadFramesAndEnd(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	id := chat.MustOpen(t, "guest")
	sock := chat.Socket(t, id, "")
	for name, frame := range map[string]any{
		"unknown type":    map[string]string{"type": "dance", "client_id": "c-1"},
		"no type":         map[string]string{"client_id": "c-1"},
		"no object":       []int{1},
		"blank text":      message("c-1", " "),
		"long text":       message("c-1", strings.Repeat("x", 9000)),
		"attachments":     map[string]any{"type": "message", "text": "x", "attachments": []string{"f"}},
		"long client id":  message(strings.Repeat("c", 129), "x"),
		"a field's type":  map[string]any{"type": "message", "text": 5},
		"a number's sign": map[string]any{"type": "resume", "last_seq": -1},
	} {
		sock.Send(frame)
		f := sock.MustNext()
		require.Equal(t, "error", f.Type, name)
		require.NotEmpty(t, f.Code, name)
		require.NotEmpty(t, f.Text, name)
	}
	sock.Send(map[string]string{"type": "typing"})
	sock.Send(map[string]string{"type": "stop"})
	sock.Send(message("m-1", "When does the boat hire open?"))
	frames := final(t, sock)
	require.Contains(t, frames[len(frames)-1].Text, "nine")
	require.Equal(t, http.StatusOK, chat.JSON(t, http.MethodDelete, "/session/"+id, nil).Status)
	f := sock.MustNext()
	require.Equal(t, "close", f.Type)
	_, err := sock.Next()
	require.True(t, websocket.IsCloseError(err, websocket.CloseNormalClosure), "%v", err)
}

// A server that is asked to end says 1012 to its sockets: come back.
func TestSocketOnDrain(t *testing.T) {
	t.Parallel()
	s := house.Serve(t, house.Options{Silent: true, Agents: agents(t, "kayak")})
	chat := s.Chat(s.Agents[0])
	id := chat.MustOpen(t, "guest")
	sock := chat.Socket(t, id, "")
	code := make(chan int, 1)
	go func() { code <- s.Stop(t) }()
	_, err := sock.Next()
	require.True(t, websocket.IsCloseError(err, websocket.CloseServiceRestart), "%v", err)
	require.Zero(t, <-code)
	equal(t, s.Data, id)
}
