package chat_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// profile is all that a client may say of a customer.
func profile() map[string]any {
	return map[string]any{
		"user_id": "u-17", "name": "Nora Beck", "email": "nora@example.org", "phone": "+4930123456", "type": "mobile", "language": "en",
		"args":   []any{1, "two", map[string]any{"three": 3}},
		"kwargs": map[string]any{"user_profile_info": map[string]any{"age": 41}, "big": json.Number("9007199254740993")},
		"user_info": map[string]any{
			"userAgent": "test", "language": "en", "screenWidth": 800, "screenHeight": 600, "platform": "x", "isMobile": true,
		},
		"something_else": "is ignored",
	}
}

func TestCreateGetUpdate(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	before := time.Now()
	a := chat.JSON(t, http.MethodPost, "/session", profile())
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	var got map[string]any
	a.Into(t, &got)
	id, _ := got["session_id"].(string)
	require.NotEmpty(t, id)
	env, _ := got["env_info"].(map[string]any)
	tenant, _ := env["tenant_id"].(string)
	require.Len(t, tenant, 36)
	for key, want := range map[string]any{
		"session_type": "custom_stateful", "mode": "REGULAR", "conversation_id": id, "ext_type": "mobile", "user_id": "u-17",
		"name": "Nora Beck", "email": "nora@example.org", "phone": "+4930123456", "channel_id": nil, "timeout": 259200.0,
		"greeting_text": "Kayak desk", "inbound_phrase": nil, "start_phrase": "Hello, this is Lena from the boat hire. What can I do for you?",
		"language": "en", "llm_backend": "builtin", "show_thoughts": false, "conversation_result": nil, "operator_id": nil,
		"operator_name": nil, "voice_name": nil,
	} {
		require.Contains(t, got, key)
		require.Equal(t, want, got[key], key)
	}
	require.Equal(t, time.Now().UTC().Format("2006-01-02 Mon"), env["current_date"])
	require.InDelta(t, before.Add(72*time.Hour).Unix(), got["close_time"], 5)
	require.Contains(t, string(a.Body), "9007199254740993", "large numbers survive")
	kwargs, _ := got["kwargs"].(map[string]any)
	require.Equal(t, tenant, kwargs["tenant_id"])

	require.JSONEq(t, string(a.Body), string(chat.JSON(t, http.MethodGet, "/session/"+id, nil).Body))

	a = chat.JSON(t, http.MethodPut, "/session/"+id, map[string]any{
		"name": "Nora Blum", "phone": nil, "email": "", "language": "de", "kwargs": map[string]any{"big": 1, "more": []int{2}},
	})
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	var updated map[string]any
	chat.JSON(t, http.MethodGet, "/session/"+id, nil).Into(t, &updated)
	require.Equal(t, "Nora Blum", updated["name"])
	require.Equal(t, "+4930123456", updated["phone"], "null leaves it as it was")
	require.Nil(t, updated["email"], "an empty text clears it")
	require.Equal(t, "de", updated["language"])
	kwargs, _ = updated["kwargs"].(map[string]any)
	require.Equal(t, map[string]any{
		"tenant_id": tenant, "big": 1.0, "more": []any{2.0}, "user_profile_info": map[string]any{"age": 41.0},
	}, kwargs)
}

// The same Idempotency-Key gives the same session, also at the same moment.
func TestCreatingTwiceWithOneKey(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	ids, errs := make(chan string, 8), make(chan error, 8)
	for range cap(ids) {
		go func() {
			id, err := chat.Open(t.Context(), "u", "the key")
			ids <- id
			errs <- err
		}()
	}
	first := <-ids
	require.NoError(t, <-errs)
	for range cap(ids) - 1 {
		require.Equal(t, first, <-ids)
		require.NoError(t, <-errs)
	}
	other, err := chat.Open(t.Context(), "u", "another key")
	require.NoError(t, err)
	require.NotEqual(t, first, other)
	require.Len(t, sessions(t, s.Data), 2)
}

// Each documented status may be given when a session is closed; afterwards the
// session is gone for everybody.
func TestCloseWithEveryStatus(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	want := map[string]string{}
	for _, status := range []string{
		"completed", "busy", "noanswer", "canceled", "failed", "resolved_by_operator", "escalated_by_operator", "not_found",
		"network_error", "unknown", "user_timeout", "timeout", "declined", "transferred", "daily_limit_exceeded",
	} {
		id := chat.MustOpen(t, status)
		a := chat.JSON(t, http.MethodDelete, "/session/"+id, map[string]string{"status": status})
		require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
		require.JSONEq(t, fmt.Sprintf(`{"session_id":%q,"status":%q}`, id, status), string(a.Body))
		want[id] = status
	}
	id := chat.MustOpen(t, "no body")
	require.Equal(t, http.StatusOK, chat.JSON(t, http.MethodDelete, "/session/"+id, nil).Status)
	want[id] = "completed"
	got := map[string]string{}
	for _, r := range sessions(t, s.Data) {
		got[r.ID] = r.Status
	}
	require.Equal(t, want, got)

	for name, a := range map[string]*house.Answer{
		"get":        chat.JSON(t, http.MethodGet, "/session/"+id, nil),
		"update":     chat.JSON(t, http.MethodPut, "/session/"+id, map[string]string{"name": "x"}),
		"close":      chat.JSON(t, http.MethodDelete, "/session/"+id, nil),
		"ticket":     chat.JSON(t, http.MethodPost, "/session/"+id+"/ticket", nil),
		"synthesize": chat.JSON(t, http.MethodGet, "/session/"+id+"/synthesize?text=x", nil),
	} {
		require.Equal(t, http.StatusNotFound, a.Problem(t).Status, name)
	}
	_, err := chat.Say(t.Context(), id, "", "Hello?")
	var refused *house.Answer
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusNotFound, refused.Problem(t).Status)
	ended := chat.JSON(t, http.MethodDelete, "/session/"+chat.MustOpen(t, "x"), map[string]string{"status": "tired"})
	require.Equal(t, http.StatusUnprocessableEntity, ended.Problem(t).Status)
}

// A session is the same after a crash and after it left memory: what lives is
// what the journal tells.
func TestSessionIsWhatTheJournalTells(t *testing.T) {
	t.Parallel()
	env := []string{"FLAMETREE_SESSION_IDLE=200ms"}
	s := house.Serve(t, house.Options{Silent: true, Agents: agents(t, "kayak"), Env: env})
	chat := s.Chat(s.Agents[0])
	a := chat.JSON(t, http.MethodPost, "/session", profile())
	var made struct {
		ID string `json:"session_id"`
	}
	a.Into(t, &made)
	chat.MustSay(t, made.ID, "What does a canoe cost for an hour?")
	chat.MustSay(t, made.ID, "I would like to reserve a canoe. My name is Peter Vogel.")
	live := string(chat.JSON(t, http.MethodGet, "/session/"+made.ID, nil).Body)
	require.Contains(t, live, "Peter Vogel")
	time.Sleep(700 * time.Millisecond) // it leaves memory
	require.JSONEq(t, live, string(chat.JSON(t, http.MethodGet, "/session/"+made.ID, nil).Body), "woken from the journal")
	s.Kill()
	s = house.Serve(t, house.Options{Silent: true, Data: s.Data, Env: env})
	chat = s.Chat(s.Agents[0])
	require.JSONEq(t, live, string(chat.JSON(t, http.MethodGet, "/session/"+made.ID, nil).Body), "after a crash")
	require.NotEmpty(t, chat.MustSay(t, made.ID, "What does a kayak cost for an hour?").Text)
	replays(t, s)
	require.Zero(t, s.Stop(t))
	equal(t, s.Data, made.ID)
}
