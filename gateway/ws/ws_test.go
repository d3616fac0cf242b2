package ws_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/gateway/gatewaytest"
	"flametree/gateway/httpd"
	"flametree/gateway/ws"
)

func TestMain(m *testing.M) { gatewaytest.Leaks(m) }

func start(t *testing.T, l ws.Limits) (*gatewaytest.Site, string) {
	t.Helper()
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{Limits: l})
	return s, s.Session(t)
}

func path(session string) string { return "/chatbot/card/ws/" + session }

// await turns the wheel until ok, for what has no channel to wait on.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 5*time.Second, time.Millisecond, what)
}

func TestAMessageIsAnsweredInChunksThenWhole(t *testing.T) {
	s, id := start(t, ws.Limits{})
	c := s.Dial(t, path(id), nil)
	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InMessage, ClientID: "c1", Text: "hello"}))
	own := gatewaytest.Frame(t, c)
	assert.Equal(t, ws.Frame{Seq: 2, Type: "message", Role: "HUMAN", ClientID: "c1", Text: "hello"}, own)
	text := ""
	for {
		f := gatewaytest.Frame(t, c)
		if f.Type == ws.TypeMessage {
			assert.Equal(t, text, f.Text, "the chunks make the message")
			assert.Equal(t, uint64(3), f.Seq)
			assert.Equal(t, "REGULAR", f.Metadata.Mode)
			break
		}
		require.Equal(t, ws.TypeChunk, f.Type)
		assert.Equal(t, uint64(2), f.Seq, "a preview stands at the place before its message")
		text += f.Text
	}
}

func TestFramesOfTheDocumentedForm(t *testing.T) {
	b, err := json.Marshal(ws.Frame{
		Seq: 7, Type: "message", Role: "AI", MessageID: "m", Text: "x", Options: []string{"a"},
		Metadata: &ws.Metadata{Mode: "OPERATOR"},
	})
	require.NoError(t, err)
	assert.JSONEq(t, `{"seq":7,"type":"message","role":"AI","message_id":"m","text":"x","options":["a"],"metadata":{"mode":"OPERATOR"}}`, string(b))
}

func TestTheSameConversationOnSocketAndREST(t *testing.T) {
	s, id := start(t, ws.Limits{})
	c := s.Dial(t, path(id)+"?after=1", nil)
	await(t, "attached", func() bool { return s.House.Following(id) == 1 })
	require.Equal(t, 200, s.Say(t, id, "by REST").Status)
	assert.Equal(t, "by REST", gatewaytest.Frame(t, c).Text)
}

func TestOrderHolds(t *testing.T) {
	s, id := start(t, ws.Limits{Rate: 1000})
	c := s.Dial(t, path(id), nil)
	for i := range 20 {
		require.NoError(t, c.WriteJSON(ws.In{Type: ws.InMessage, ClientID: fmt.Sprint(i), Text: fmt.Sprint("n", i)}))
	}
	last, answers := uint64(0), 0
	for answers < 20 {
		f := gatewaytest.Frame(t, c)
		require.GreaterOrEqual(t, f.Seq, last)
		if f.Type != ws.TypeChunk {
			require.Greater(t, f.Seq, last, "what is remembered has growing numbers")
		}
		last = f.Seq
		if f.Type == ws.TypeMessage && f.Role == "AI" {
			require.Equal(t, fmt.Sprint("You said: n", answers), f.Text)
			answers++
		}
	}
}

func TestNothingIsMissedOverAReconnect(t *testing.T) {
	s, id := start(t, ws.Limits{})
	c := s.Dial(t, path(id)+"?after=0", nil)
	assert.Equal(t, "Hello, this is Debit card.", gatewaytest.Frame(t, c).Text)
	_ = c.Close()
	await(t, "detached", func() bool { return s.House.Following(id) == 0 })
	require.Equal(t, 200, s.Say(t, id, "meanwhile").Status)

	c = s.Dial(t, path(id)+"?after=1", nil)
	assert.Equal(t, "meanwhile", gatewaytest.Frame(t, c).Text)
	f := gatewaytest.Frame(t, c)
	assert.Equal(t, "You said: meanwhile", f.Text)
	assert.Equal(t, uint64(3), f.Seq)

	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InResume, LastSeq: 2}))
	f = gatewaytest.Frame(t, c)
	assert.Equal(t, uint64(3), f.Seq, "resume gives again what came after")
	assert.Equal(t, 1, s.House.Following(id), "and follows once")
	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InMessage, Text: "on"}))
	assert.Equal(t, "on", gatewaytest.Frame(t, c).Text)
}

func TestALongHistoryIsNotTooFast(t *testing.T) {
	s, id := start(t, ws.Limits{Queue: 4})
	for i := range 100 {
		require.Equal(t, 200, s.Say(t, id, fmt.Sprint("n", i)).Status)
	}
	c := s.Dial(t, path(id)+"?after=0", nil)
	for i := range 201 {
		require.EqualValues(t, i+1, gatewaytest.Frame(t, c).Seq)
	}
}

func TestWhoGetsWhichCloseCode(t *testing.T) {
	s, id := start(t, ws.Limits{})
	ended := s.Session(t)
	require.Equal(t, 200, s.JSON(t, "DELETE", "/chatbot/card/session/"+ended, "").Status)
	for name, c := range map[string]struct {
		path, token string
		code        int
	}{
		"no token":              {path(id), "", ws.CloseDenied},
		"a wrong token":         {path(id), "mute-token", ws.CloseDenied},
		"a ticket nobody gave":  {path(id) + "?ticket=abc", "", ws.CloseDenied},
		"no such agent":         {"/chatbot/nobody/ws/" + id, "card-token", ws.CloseNotFound},
		"no such session":       {path("nowhere"), "card-token", ws.CloseNotFound},
		"a session that ended":  {path(ended), "card-token", ws.CloseNotFound},
		"another's session":     {"/chatbot/mute/ws/" + id, "mute-token", ws.CloseNotFound},
		"an agent that stopped": {"/chatbot/stopped/ws/" + id, "stopped-token", ws.CloseUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			if c.token != "" {
				h.Set("Authorization", "Bearer "+c.token)
			}
			assert.Equal(t, c.code, gatewaytest.CloseCode(t, s.Dial(t, c.path, h)))
		})
	}
}

func TestATokenMayComeAsSubprotocol(t *testing.T) {
	s, id := start(t, ws.Limits{})
	c := s.Dial(t, path(id)+"?after=0", http.Header{"Sec-Websocket-Protocol": {"bearer, card-token"}})
	assert.Equal(t, "bearer", c.Subprotocol())
	assert.Equal(t, uint64(1), gatewaytest.Frame(t, c).Seq)
	c = s.Dial(t, path(id), http.Header{"Sec-Websocket-Protocol": {"bearer, wrong"}})
	assert.Equal(t, ws.CloseDenied, gatewaytest.CloseCode(t, c))
}

func TestATicketIsGoodOnceForOneSession(t *testing.T) {
	s, id := start(t, ws.Limits{})
	other := s.Session(t)
	ticket := func() string {
		a := s.JSON(t, "POST", "/chatbot/card/session/"+id+"/ticket", "")
		require.Equal(t, 200, a.Status, string(a.Body))
		assert.EqualValues(t, 60, a.JSON(t)["expires_in"])
		return a.JSON(t)["ticket"].(string)
	}
	k := ticket()
	c := s.Dial(t, path(id)+"?after=0&ticket="+k, http.Header{})
	assert.Equal(t, uint64(1), gatewaytest.Frame(t, c).Seq)
	assert.Equal(t, ws.CloseDenied, gatewaytest.CloseCode(t, s.Dial(t, path(id)+"?ticket="+k, http.Header{})))
	assert.Equal(t, ws.CloseDenied, gatewaytest.CloseCode(t, s.Dial(t, path(other)+"?ticket="+ticket(), http.Header{})))
	assert.Equal(t, 404, s.JSON(t, "POST", "/chatbot/card/session/nowhere/ticket", "").Status)
	assert.Equal(t, 401, s.JSON(t, "POST", "/chatbot/card/session/"+id+"/ticket", "", "Authorization", "Bearer x").Status)
}

func TestBadFramesAreToldAndForgiven(t *testing.T) {
	s, id := start(t, ws.Limits{})
	c := s.Dial(t, path(id), nil)
	for name, f := range map[string]struct{ frame, says string }{
		"not JSON":            {"hello", "frame:"},
		"a list":              {"[1]", "frame:"},
		"no type":             {`{"text":"hi"}`, "type: is missing"},
		"an unknown type":     {`{"type":"dance"}`, `unknown type "dance"`},
		"a type as number":    {`{"type":7}`, "frame:"},
		"a blank message":     {`{"type":"message","text":" "}`, "text: must not be blank"},
		"files":               {`{"type":"message","text":"hi","attachments":[{}]}`, "attachments:"},
		"a negative last_seq": {`{"type":"resume","last_seq":-1}`, "frame:"},
		"a long client_id":    {`{"type":"message","text":"hi","client_id":"` + strings.Repeat("x", 129) + `"}`, "client_id:"},
		"not UTF-8":           {"{\"type\":\"\xff\"}", "frame: is not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte(f.frame)))
			got := gatewaytest.Frame(t, c)
			assert.Equal(t, ws.TypeError, got.Type)
			assert.Equal(t, "invalid", got.Code)
			assert.Contains(t, got.Text, f.says)
		})
	}
	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InMessage, Text: "still here"}))
	assert.Equal(t, "still here", gatewaytest.Frame(t, c).Text)
}

func TestAnErrorNamesTheFrameItAnswers(t *testing.T) {
	s, id := start(t, ws.Limits{})
	c := s.Dial(t, path(id), nil)
	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InMessage, ClientID: "c9", Text: ""}))
	assert.Equal(t, "c9", gatewaytest.Frame(t, c).ClientID)
}

func TestTwoMessagesAtOnceOnASocket(t *testing.T) {
	s, id := start(t, ws.Limits{})
	inside, release := make(chan struct{}), make(chan struct{})
	s.House.Hold = func(context.Context, string) { inside <- struct{}{}; <-release }
	said := make(chan int, 1)
	go func() { said <- s.Say(t, id, "slow").Status }()
	<-inside
	c := s.Dial(t, path(id), nil)
	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InMessage, ClientID: "c2", Text: "impatient"}))
	f := gatewaytest.Frame(t, c)
	assert.Equal(t, "conflict", f.Code)
	assert.Equal(t, "c2", f.ClientID)
	close(release)
	assert.Equal(t, 200, <-said)
	assert.Equal(t, "slow", gatewaytest.Frame(t, c).Text, "the socket is still there")
}

func TestPing(t *testing.T) {
	s, id := start(t, ws.Limits{})
	c := s.Dial(t, path(id)+"?after=0", nil)
	gatewaytest.Frame(t, c)
	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InPing}))
	assert.Equal(t, ws.Frame{Seq: 1, Type: ws.TypeState}, gatewaytest.Frame(t, c))
	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InTyping}))
	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InStop}))
	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InMessage, Text: "x"}))
	assert.Equal(t, "x", gatewaytest.Frame(t, c).Text, "typing and stop are taken without an answer")
}

func TestASessionThatEndsClosesItsSockets(t *testing.T) {
	s, id := start(t, ws.Limits{})
	c := s.Dial(t, path(id), nil)
	await(t, "attached", func() bool { return s.House.Following(id) == 1 })
	require.Equal(t, 200, s.JSON(t, "DELETE", "/chatbot/card/session/"+id, `{"status":"declined"}`).Status)
	f := gatewaytest.Frame(t, c)
	assert.Equal(t, ws.TypeClose, f.Type)
	assert.Equal(t, "declined", f.Text)
	assert.Equal(t, ws.CloseNormal, gatewaytest.CloseCode(t, c))
}

func TestAPeerThatDoesNotReadIsClosed(t *testing.T) {
	s, id := start(t, ws.Limits{Queue: 8, Beat: time.Second, Patience: 50 * time.Millisecond})
	c := s.Dial(t, path(id), nil)
	await(t, "attached", func() bool { return s.House.Following(id) == 1 })
	for range 40 { // far more than the buffers of both kernels
		s.House.Flood(id, 1000)
		if s.Hub.Len() == 0 || s.House.Following(id) == 0 {
			break
		}
	}
	await(t, "given up", func() bool { return s.House.Following(id) == 0 })
	assert.Equal(t, ws.CloseSlow, gatewaytest.CloseCode(t, c), "and told that it may come back")
}

func TestFramesTooLargeTooManyOrBinary(t *testing.T) {
	s, id := start(t, ws.Limits{Message: 1000, Rate: 5})
	for name, c := range map[string]struct {
		do   func(*websocket.Conn) error
		code int
	}{
		"too large": {func(c *websocket.Conn) error {
			return c.WriteMessage(websocket.TextMessage, []byte(strings.Repeat("x", 100_000)))
		}, websocket.CloseMessageTooBig},
		"binary": {func(c *websocket.Conn) error {
			return c.WriteMessage(websocket.BinaryMessage, []byte("x"))
		}, ws.CloseUnsupported},
		"too many": {func(c *websocket.Conn) error {
			for range 6 {
				if err := c.WriteMessage(websocket.TextMessage, []byte(`{"type":"typing"}`)); err != nil {
					return err
				}
			}
			return nil
		}, ws.CloseExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			sock := s.Dial(t, path(id), nil)
			require.NoError(t, c.do(sock))
			assert.Equal(t, c.code, gatewaytest.CloseCode(t, sock))
		})
	}
	await(t, "all sockets gone", func() bool { return s.Hub.Len() == 0 })
}

func TestDrainTellsTheSockets(t *testing.T) {
	s, id := start(t, ws.Limits{})
	one, two := s.Dial(t, path(id), nil), s.Dial(t, path(id), nil)
	await(t, "attached", func() bool { return s.House.Following(id) == 2 })
	stopped := make(chan error, 1)
	go func() { stopped <- s.Close(context.Background()) }()
	assert.Equal(t, ws.CloseRestart, gatewaytest.CloseCode(t, one))
	assert.Equal(t, ws.CloseRestart, gatewaytest.CloseCode(t, two))
	require.NoError(t, <-stopped)
	assert.Zero(t, s.House.Following(id))
}

func TestADrainingServerTakesNoSockets(t *testing.T) {
	s, id := start(t, ws.Limits{})
	s.Server.Drain(t.Context())
	_, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.Addr+path(id), nil)
	require.Error(t, err)
	assert.Equal(t, 503, resp.StatusCode)
	_ = resp.Body.Close()
}

func TestDrainCutsOffWhoDoesNotListen(t *testing.T) {
	s, id := start(t, ws.Limits{})
	c := s.Dial(t, path(id), nil) // never reads: the close is not answered
	await(t, "attached", func() bool { return s.House.Following(id) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_ = s.Close(ctx)
	assert.Zero(t, s.Hub.Len())
	_ = c.Close()
}

func TestSilenceIsNotTakenForLife(t *testing.T) {
	s, id := start(t, ws.Limits{Beat: 250 * time.Millisecond})
	s.Dial(t, path(id), nil) // does not read, so does not answer pings
	await(t, "given up", func() bool { return s.Hub.Len() == 0 })

	c := s.Dial(t, path(id), nil)
	pings := make(chan struct{}, 100)
	pong := c.PingHandler()
	c.SetPingHandler(func(m string) error { pings <- struct{}{}; return pong(m) })
	heard := make(chan ws.Frame, 1)
	go func() { // reading answers the pings
		var f ws.Frame
		_ = c.ReadJSON(&f)
		heard <- f
	}()
	for range 4 { // longer than the silence that was the end above
		select {
		case <-pings:
		case <-time.After(5 * time.Second):
			t.Fatal("no ping came")
		}
	}
	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InPing}))
	assert.Equal(t, ws.TypeState, (<-heard).Type)
}

func TestAFrameInTheSameSegmentAsTheUpgrade(t *testing.T) {
	s, id := start(t, ws.Limits{})
	c, err := net.Dial("tcp", s.Addr)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(5*time.Second)))
	payload := `{"type":"message","text":"early"}`
	frame := append([]byte{0x81, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...) // masked with zeros
	_, err = io.WriteString(c, "GET "+path(id)+" HTTP/1.1\r\nHost: "+s.Addr+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer card-token\r\n\r\n"+
		string(frame))
	require.NoError(t, err)
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	head := make([]byte, 2)
	_, err = io.ReadFull(r, head)
	require.NoError(t, err)
	got := make([]byte, head[1])
	_, err = io.ReadFull(r, got)
	require.NoError(t, err)
	assert.Contains(t, string(got), `"text":"early"`)
}

func TestWhatIsNoUpgrade(t *testing.T) {
	s, id := start(t, ws.Limits{Open: 1})
	a := s.JSON(t, "GET", path(id), "")
	assert.Equal(t, http.StatusUpgradeRequired, a.Status)
	assert.Equal(t, "upgrade_required", a.JSON(t)["code"])
	up := []string{"Connection", "Upgrade", "Upgrade", "websocket"}
	a = s.Do(t, "GET", path(id), nil, append(up, "Sec-WebSocket-Version", "8", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")...)
	assert.Equal(t, http.StatusBadRequest, a.Status)
	a = s.Do(t, "GET", path(id), nil, append(up, "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "short")...)
	assert.Equal(t, http.StatusBadRequest, a.Status)
	a = s.JSON(t, "GET", path(id)+"?after=x", "")
	assert.Equal(t, 422, a.Status)
	s.Dial(t, path(id), nil)
	await(t, "open", func() bool { return s.Hub.Len() == 1 })
	_, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.Addr+path(id), nil)
	require.Error(t, err)
	assert.Equal(t, 503, resp.StatusCode, "the house is full")
	_ = resp.Body.Close()
}

// A connection for another protocol: what media rooms take.
func TestAPlainTextConnection(t *testing.T) {
	wrote := make(chan error, 1)
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{Mount: func(s *gatewaytest.Site) {
		s.Server.Route(httpd.Route{Method: "GET", Pattern: "/plain", Handle: func(r *httpd.Request) {
			s.Hub.Upgrade(r, "", func(ctx context.Context, c *ws.Conn) {
				b, err := c.Read()
				if err != nil {
					return
				}
				_ = c.Write(append([]byte("got "), b...))
				c.Close(4001, "enough")
				<-ctx.Done()
				wrote <- c.Write([]byte("late"))
			})
		}})
	}})
	c := s.Dial(t, "/plain", nil)
	require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte("it")))
	_, b, err := c.ReadMessage()
	require.NoError(t, err)
	assert.Equal(t, "got it", string(b), "what was queued goes out before the close")
	assert.Equal(t, 4001, gatewaytest.CloseCode(t, c))
	assert.ErrorIs(t, <-wrote, fault.Cancelled)
}

func TestAPanicInASocketIsContained(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{Mount: func(s *gatewaytest.Site) {
		s.Server.Route(httpd.Route{Method: "GET", Pattern: "/plain", Handle: func(r *httpd.Request) {
			s.Hub.Upgrade(r, "", func(context.Context, *ws.Conn) { panic("oops") })
		}})
	}})
	assert.Equal(t, ws.CloseBug, gatewaytest.CloseCode(t, s.Dial(t, "/plain", nil)))
	assert.Equal(t, 200, s.JSON(t, "GET", "/livez", "").Status)
}
