package chat_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/event"
	"flametree/engine/tenant"
	"flametree/test/house"
)

func jsonNumber(n uint64) string { return strconv.FormatUint(n, 10) }

// ended waits for a session's end in the journal and returns its status and when it was.
func ended(t *testing.T, s *house.Server, id string) (string, time.Time) {
	t.Helper()
	e := s.Until(t, "end of session "+id, 10*time.Second, func(e house.Event) bool {
		return e.Kind == "session.ended.v1" && e.Session == id
	})
	var b struct{ Status string }
	e.Into(t, &b)
	return b.Status, e.Time
}

// Without a word from the customer the session ends as user_timeout, and says
// so on its socket; every word gives it its time again; a crash does not stop the clock.
func TestSessionTimeout(t *testing.T) {
	t.Parallel()
	s := serve(t, "hasty", "brief")
	chat := s.Chat(s.Agent(t, "Hasty"))
	id := chat.MustOpen(t, "guest")
	sock := chat.Socket(t, id, "")
	time.Sleep(600 * time.Millisecond)
	said := time.Now()
	chat.MustSay(t, id, "What does a ticket cost?")
	var last []house.Frame
	for {
		f, err := sock.Next()
		if err != nil {
			require.True(t, websocket.IsCloseError(err, websocket.CloseNormalClosure), "%v", err)
			break
		}
		last = append(last, f)
	}
	require.GreaterOrEqual(t, len(last), 2)
	timeout, closing := last[len(last)-2], last[len(last)-1]
	require.Equal(t, "timeout", timeout.Type)
	require.Equal(t, "I have to close our conversation now.", timeout.Text)
	require.Equal(t, "close", closing.Type)
	status, at := ended(t, s, id)
	require.Equal(t, "user_timeout", status)
	require.GreaterOrEqual(t, at.Sub(said), time.Second-50*time.Millisecond, "each word counts anew")
	require.Less(t, at.Sub(said), 3*time.Second)
	t.Logf("figure: a session with a timeout of 1 s ended after %v", at.Sub(said).Round(time.Millisecond))
	require.Equal(t, http.StatusNotFound, chat.JSON(t, http.MethodGet, "/session/"+id, nil).Status)

	brief := s.Chat(s.Agent(t, "Brief"))
	longest := brief.MustOpen(t, "guest")
	status, _ = ended(t, s, longest)
	require.Equal(t, "timeout", status, "SESSION_MAX_DURATION")

	id = chat.MustOpen(t, "guest")
	s.Kill()
	s = house.Serve(t, house.Options{Silent: true, Data: s.Data})
	status, _ = ended(t, s, id)
	require.Equal(t, "user_timeout", status, "the clock is in the journal")
	replays(t, s)
}

// refusedOpen is the refusal of a new session.
func refusedOpen(t *testing.T, chat *house.Chat) *house.Answer {
	t.Helper()
	_, err := chat.Open(t.Context(), "one too many", "")
	var no *house.Answer
	require.ErrorAs(t, err, &no)
	require.Equal(t, http.StatusTooManyRequests, no.Problem(t).Status)
	after, err := strconv.Atoi(no.Header.Get("Retry-After"))
	require.NoError(t, err, "Retry-After")
	require.Positive(t, after)
	return no
}

// As many sessions at once, and a day, as the agent's file says; also after a crash.
func TestLimitsOfAnAgent(t *testing.T) {
	t.Parallel()
	s := serve(t, "narrow", "daily")
	narrow, daily := s.Chat(s.Agent(t, "Narrow")), s.Chat(s.Agent(t, "Daily"))
	one := narrow.MustOpen(t, "1")
	narrow.MustOpen(t, "2")
	require.Contains(t, refusedOpen(t, narrow).Problem(t).Detail, "2 open sessions")
	require.Equal(t, http.StatusOK, narrow.JSON(t, http.MethodDelete, "/session/"+one, nil).Status)
	// The place is given back a moment after the answer.
	require.Eventually(t, func() bool { _, err := narrow.Open(t.Context(), "3", ""); return err == nil }, 2*time.Second, 20*time.Millisecond)
	refusedOpen(t, narrow)
	for range 3 {
		id := daily.MustOpen(t, "guest")
		require.Equal(t, http.StatusOK, daily.JSON(t, http.MethodDelete, "/session/"+id, nil).Status)
	}
	require.Contains(t, refusedOpen(t, daily).Problem(t).Detail, "daily limit of 3")
	s.Kill()
	s = house.Serve(t, house.Options{Silent: true, Data: s.Data})
	refusedOpen(t, s.Chat(s.Agent(t, "Narrow")))
	refusedOpen(t, s.Chat(s.Agent(t, "Daily")))
	replays(t, s)
}

// A stopped agent answers 503 and takes no new session, though its token holds.
// Nothing stops an agent from outside yet, so the test writes what stopping writes.
func TestStoppedAgent(t *testing.T) {
	t.Parallel()
	s := house.Serve(t, house.Options{Silent: true, Agents: agents(t, "kayak", "narrow")})
	kayak := s.Agent(t, "Kayak")
	id := s.Chat(kayak).MustOpen(t, "guest")
	require.Zero(t, s.Stop(t))
	stopAgent(t, s.Data, kayak.ID)
	s = house.Serve(t, house.Options{Silent: true, Data: s.Data})
	chat := s.Chat(kayak)
	for name, a := range map[string]*house.Answer{
		"create": chat.JSON(t, http.MethodPost, "/session", map[string]string{"user_id": "u"}),
		"get":    chat.JSON(t, http.MethodGet, "/session/"+id, nil),
		"caps":   chat.JSON(t, http.MethodGet, "/capabilities", nil),
	} {
		p := a.Problem(t)
		require.Equal(t, http.StatusServiceUnavailable, p.Status, name)
		require.Equal(t, "unavailable", p.Kind, name)
	}
	_, err := chat.Say(t.Context(), id, "", "Hello?")
	var no *house.Answer
	require.True(t, errors.As(err, &no), "%v", err)
	require.Equal(t, http.StatusServiceUnavailable, no.Status)
	sock := chat.Socket(t, id, "")
	_, err = sock.Next()
	require.True(t, websocket.IsCloseError(err, 4503), "%v", err)
	s.Chat(s.Agent(t, "Narrow")).MustOpen(t, "another agent goes on")
}

// stopAgent appends to the journal of a folder on which no server runs.
func stopAgent(t *testing.T, data, agent string) {
	t.Helper()
	c, err := config.Load(config.Sources{Flags: map[string]string{"data": data, "disk.low": "16MB", "disk.ballast": "1MB"}, Getenv: func(string) string { return "" }})
	require.NoError(t, err)
	var of tenant.ID
	for _, e := range house.Journal(t, data) {
		if strings.HasSuffix(e.Stream, "/"+agent) {
			of, err = tenant.Parse(e.Tenant)
			require.NoError(t, err)
		}
	}
	j, err := node.OpenJournal(c, quiet(), nil)
	require.NoError(t, err)
	id := actors.ID{Kind: event.AgentStream, Tenant: of, Name: agent}
	require.NoError(t, actors.Close(context.Background(), j, id, []event.Event{event.AgentStopped{Reason: "for a test"}}))
	require.NoError(t, j.Close())
	require.FileExists(t, filepath.Join(data, "demo.json"))
}
