package chat_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/media/caller"
	"flametree/media/sip"
	"flametree/test/house"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// The commands as somebody meets them who has never run a server.
func TestCommandsWithoutAServer(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	require.Regexp(t, `^flametree \S+.* go1\.\d+`, house.Must(t, "version"))
	help := house.Must(t, "--help")
	for _, command := range []string{"serve", "demo", "replay", "sessions", "calls", "journal", "doctor", "config", "version"} {
		require.Contains(t, help, command)
	}
	require.NotContains(t, help, "The caller of demo", "what is not for people is hidden")
	shown := house.Must(t, "config", "print", "--data", data)
	require.Regexp(t, `data:\s+"`+data+`"\s+# flag`, shown)
	require.Regexp(t, `http:\s+"127.0.0.1:8080"\s+# default`, shown)
	require.Regexp(t, `disk\.low:\s+"16MB"\s+# environment`, shown)
	require.Contains(t, house.Must(t, "config", "explain"), "FLAMETREE_SESSION_IDLE")
	require.Contains(t, house.Must(t, "calls", "list", "--data", data), "no server runs")
	require.NoDirExists(t, data, "asking makes nothing")

	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no journal":       {[]string{"--data", data, "sessions", "list"}, 1, data},
		"nothing to check": {[]string{"--data", data, "journal", "verify"}, 1, data},
		"no such session":  {[]string{"--data", data, "replay", "x"}, 1, data},
		"unknown command":  {[]string{"srve"}, 2, "srve"},
		"unknown flag":     {[]string{"serve", "--prot", "1"}, 2, "--prot"},
		"bad address":      {[]string{"serve", "--http", "here"}, 2, "http"},
		"no such file":     {[]string{"serve", "--agent", "/none.yaml"}, 2, "/none.yaml"},
		"bad level":        {[]string{"--log", "loud", "config", "print"}, 2, "log"},
		"no settings file": {[]string{"--config", "/none.yaml", "config", "print"}, 2, "/none.yaml"},
		"not a pair":       {[]string{"--data", data, "replay", "x", "--set", "eot"}, 2, "KEY=VALUE"},
	} {
		r := house.Command(t, c.args...)
		require.Equal(t, c.code, r.Code, "%s: %s%s", name, r.Out, r.Err)
		require.Contains(t, r.Err, c.says, name)
		require.NotContains(t, r.Err, "goroutine ", name)
	}
}

// doctor says what the machine has, also beside a running server.
func TestDoctor(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	args := []string{"doctor", "--config", settings(t, data)}
	checks := func(r house.Result) {
		t.Helper()
		require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
		for _, name := range []string{"clock", "disk", "fsync", "http", "sip", "metrics", "recogniser", "voice"} {
			require.Contains(t, r.Out, name)
		}
	}
	checks(house.Command(t, args...))
	s := house.Serve(t, house.Options{Data: data})
	r := house.Command(t, args...)
	checks(r)
	require.Contains(t, r.Out, "a server runs on this folder")
	require.True(t, s.Running())
}

// settings writes a file of settings with free ports.
func settings(t *testing.T, data string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "flametree.yaml")
	text := "data: " + data + "\nhttp: 127.0.0.1:0\nsip: 127.0.0.1:0\nmetrics: 127.0.0.1:0\n"
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// What the commands print is the same while the server runs and after it ended.
func TestCommandsWithAndWithoutTheServer(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	id := chat.MustOpen(t, "guest")
	chat.MustSay(t, id, "What does a canoe cost for an hour?")
	require.Contains(t, house.Must(t, "--data", s.Data, "calls", "list"), "0 running")
	require.NotZero(t, house.Command(t, "--data", s.Data, "calls", "end", "none").Code)
	require.NotZero(t, house.Command(t, "--data", s.Data, "replay", "none").Code)
	ask := func() []string {
		var out []string
		for _, args := range [][]string{
			{"sessions", "list"},
			{"sessions", "list", "--json"},
			{"journal", "tail"},
			{"journal", "tail", "--json"},
			{"journal", "tail", "--json", "--from", "4"},
			{"journal", "verify"},
			{"replay", id},
			{"replay", id, "--json"},
		} {
			out = append(out, house.Must(t, append([]string{"--data", s.Data}, args...)...))
		}
		return out
	}
	live := ask()
	require.Contains(t, live[0], id)
	require.Contains(t, live[2], "What does a canoe cost for an hour?")
	require.Contains(t, live[5], "the journal is whole")
	require.Contains(t, live[6], "0 differences")
	for line := range strings.Lines(live[3]) {
		var e map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		for _, key := range []string{"pos", "stream", "version", "kind", "time", "tenant"} {
			require.Contains(t, e, key)
		}
	}
	left, err := filepath.Glob(filepath.Join(s.Data, "checkpoint-*"))
	require.NoError(t, err)
	require.Empty(t, left, "copies are removed")
	require.Zero(t, s.Stop(t))
	require.NoFileExists(t, filepath.Join(s.Data, "run.json"))
	require.Equal(t, live, ask())
}

// The pages and documents of the front door are there.
func TestFrontDoor(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + s.HTTP + path) //nolint:noctx // a test
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, string(b)
	}
	for path, want := range map[string]string{
		"/": "<html", "/livez": "", "/readyz": "", "/api/v1/docs": "<html", "/api/v1/openapi.json": `"3.1`,
	} {
		code, body := get(path)
		require.Equal(t, http.StatusOK, code, "%s %s", path, body)
		require.Contains(t, body, want, path)
	}
	_, doc := get("/api/v1/openapi.json")
	for _, path := range []string{
		"/session", "/session/{session}", "/session/{session}/run_v2", "/session/{session}/ticket", "/session/{session}/synthesize",
		"/capabilities", "/transcribe", "/synthesize",
	} {
		require.Contains(t, doc, `"/chatbot/{agent}`+path+`"`)
	}
	http.DefaultClient.CloseIdleConnections()
}

// What is personal never reaches the log, not even at its most talkative: not
// the customer, not what is said, not hidden parameters, not tokens.
func TestLogTellsNothingPersonal(t *testing.T) {
	t.Parallel()
	s := house.Serve(t, house.Options{Agents: agents(t, "kayak"), Log: "debug"})
	chat := s.Chat(s.Agents[0])
	a := chat.JSON(t, http.MethodPost, "/session", map[string]any{
		"user_id": "canary-user", "name": "Canaria Vogelsang", "email": "canary@example.org", "phone": "+49555012345",
		"kwargs": map[string]any{"_secret": "canary-kwarg", "open": "canary-open"}, "args": []string{"canary-arg"},
	})
	var made struct {
		ID string `json:"session_id"`
	}
	a.Into(t, &made)
	chat.MustSay(t, made.ID, "I am canary-words. What does a canoe cost for an hour?")
	sock := chat.Socket(t, made.ID, "")
	sock.Send(message("canary-client", "canary-socket, may I bring my dog?"))
	final(t, sock)
	sock.Send(map[string]string{"type": "canary-type"})
	sock.MustNext()
	chat.JSON(t, http.MethodPut, "/session/"+made.ID, map[string]any{"name": "Canaria Blum", "kwargs": map[string]any{"_secret": "canary-two"}})
	for _, bad := range []string{`{"user_id":"canary-torn`, `{"user_id":5,"name":"canary-type"}`} {
		_, err := chat.Do(t.Context(), jsonRequest(http.MethodPost, "/session", bad))
		require.NoError(t, err)
	}
	_, _ = chat.Say(t.Context(), made.ID, "", strings.Repeat("canary-long ", 1000))
	speak(t, chat, "", "canary synthesized", "")
	phone, err := caller.New(t.Context(), caller.Options{})
	require.NoError(t, err)
	call, err := phone.Call(t.Context(), s.Agents[0].SIP, sip.DialOptions{From: "49555054321", Display: "Canaria Phone"})
	require.NoError(t, err)
	call.Hangup()
	require.NoError(t, phone.Close())
	chat.JSON(t, http.MethodDelete, "/session/"+made.ID, nil)
	require.Zero(t, s.Stop(t))
	log := strings.ToLower(s.Log() + s.Said())
	require.Contains(t, log, "level=debug", "the log was on")
	for _, word := range []string{
		"canar", "vogelsang", "49555012345", "49555054321", "_secret", "example.org", "canoe", strings.ToLower(chat.Token),
	} {
		require.NotContains(t, log, word)
	}
	require.Contains(t, strings.ToLower(house.Must(t, "--data", s.Data, "journal", "tail", "--json")), "vogelsang", "the owner may read it")
	// At rest it is sealed.
	require.NoError(t, filepath.WalkDir(filepath.Join(s.Data, "journal"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		require.NotContains(t, string(b), "Vogelsang", path)
		require.NotContains(t, string(b), "canary-kwarg", path)
		return err
	}))
}
