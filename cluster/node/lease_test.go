package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/cluster/config"
	"flametree/cluster/script"
	"flametree/engine/event"
	"flametree/engine/replay"
)

// weather is a server of one tool, on an address of its own or on one that is given.
func weather(t *testing.T, addr string) (url string, stop func()) {
	t.Helper()
	s := sdk.NewServer(&sdk.Implementation{Name: "weather", Version: "1"}, nil)
	type place struct {
		City string `json:"city"`
	}
	sdk.AddTool(s, &sdk.Tool{Name: "forecast", Description: "Tells the weather."},
		func(context.Context, *sdk.CallToolRequest, place) (*sdk.CallToolResult, any, error) {
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "hail"}}}, nil, nil
		})
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	web := &httptest.Server{Listener: l, Config: &http.Server{
		Handler:           sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, &sdk.StreamableHTTPOptions{Stateless: true}),
		ReadHeaderTimeout: time.Minute,
	}}
	web.Start()
	stop = func() { web.CloseClientConnections(); web.Close() }
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

// station is an agent with a server of tools, or with a group in place of it.
func station(rest string) []byte {
	return []byte(`name: Station
type: inbound_text
identity: You know the weather.
welcome_message: Hello.
knowledge:
  core: The station stands on a hill.
` + rest)
}

func server(addr string) string {
	return `mcp:
  - {name: Weather, code: WEATHER, endpoint: "http://` + addr + `/mcp", transport: streamable_http}
`
}

const forecasts = `
- human: What will it be like?
  steps:
    - calls: [{name: WEATHER_forecast, args: {city: Oslo}}]
    - text: I have looked.
- human: And now?
  steps:
    - calls: [{name: WEATHER_forecast, args: {city: Oslo}}]
    - text: I have looked again.
- human: And then?
  steps:
    - calls: [{name: WEATHER_forecast, args: {city: Oslo}}]
    - text: I have looked once more.
`

// stationHouse is a node with one agent whose sessions fall asleep soon.
func stationHouse(t *testing.T, file []byte, allow, idle string) *Node {
	t.Helper()
	c, err := config.Load(config.Sources{Getenv: func(string) string { return "" }, Flags: map[string]string{
		"data": t.TempDir(), "http": "127.0.0.1:0", "sip": "off", "webrtc": "off", "rtp": "0-0", "metrics": "off",
		"disk.low": "16MB", "disk.ballast": "1MB", "egress.allow": allow, "session.idle": idle,
	}})
	require.NoError(t, err)
	n, err := Start(t.Context(), Options{
		Config: c, Agents: []AgentFile{{Name: "agent.yaml", Text: file}}, Log: slog.New(slog.DiscardHandler),
		Retry: 5 * time.Millisecond,
		Providers: func(string) (Providers, error) {
			p, err := Builtins(c)
			if err == nil {
				p.Completers["builtin"], err = script.ParseModel([]byte(forecasts))
			}
			return p, err
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { n.Stop(0) })
	return n
}

// shared is how many groups and servers are open.
func (n *Node) shared() int {
	n.tools.mu.Lock()
	defer n.tools.mu.Unlock()
	return len(n.tools.shares)
}

// soon waits until something holds.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, 20*time.Second, 10*time.Millisecond, what)
}

// visitor is a customer of the node's agent.
type visitor struct {
	*script.Remote
	t  *testing.T
	id string
}

func visit(t *testing.T, n *Node) visitor {
	t.Helper()
	a := n.Agents()[0]
	r := &script.Remote{BaseURL: "http://" + n.Addresses().HTTP, Agent: a.ID, Token: a.Token, User: "visitor"}
	_, err := r.Begin(t.Context())
	require.NoError(t, err)
	return visitor{r, t, n.model.Sessions(1, nil)[0].ID}
}

// asks says something and returns what became of the forecast.
func (v visitor) asks(text string) script.Call {
	v.t.Helper()
	turn, err := v.Say(v.t.Context(), text)
	require.NoError(v.t, err)
	i := slices.IndexFunc(turn.Calls, func(c script.Call) bool { return c.Name == "WEATHER_forecast" })
	require.GreaterOrEqual(v.t, i, 0, "%v", turn)
	return turn.Calls[i]
}

// A server of tools that was down when the agent was saved comes back while a
// conversation runs: from its next turn on it has the tools, each turn records
// what it was offered, and a replay decides everything as it was, whatever it
// knows of tools.
func TestARunningSessionGetsTheToolsOfAServerThatCameBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	n := stationHouse(t, station(server(addr)), addr, "1m")
	a := n.Agents()[0]
	require.NotEmpty(t, n.casting.lacks(n.model.Tenants()[0], a.ID, 1), "the owner is told what is missing")
	v := visit(t, n)
	require.NotEmpty(t, v.asks("What will it be like?").Refused, "nobody offers the tool yet")

	_, stop := weather(t, addr)
	soon(t, "the server is found", func() bool { return len(n.casting.lacks(n.model.Tenants()[0], a.ID, 1)) == 0 })
	got := v.asks("And now?")
	require.Empty(t, got.Refused)
	require.Contains(t, got.Result, "hail")
	stop()
	got = v.asks("And then?")
	require.Empty(t, got.Refused, "a server that went away again keeps its tools")
	require.NotEmpty(t, got.Fault)

	var events []event.Envelope
	var offered []bool
	for e, err := range n.journal.Read(t.Context(), event.Stream{Tenant: n.model.Tenants()[0], Kind: event.SessionStream, ID: v.id}, 1) {
		require.NoError(t, err)
		events = append(events, e)
		if m, ok := e.Body.(event.ModelAnswered); ok && m.Step == 0 {
			offered = append(offered, slices.Contains(m.Offered, "WEATHER_forecast"))
		}
	}
	require.Equal(t, []bool{false, true, true}, offered, "each turn records what it was offered")
	cast, err := n.casting.Cast(t.Context(), n.model.Tenants()[0], a.ID, 1)
	require.NoError(t, err)
	require.Len(t, cast.Revision.Tools, 1)
	require.Empty(t, replay.Session(events, cast.Revision).Differences, "with the tools of today")
	require.Empty(t, replay.Session(events, cast.Revision.With(nil, nil)).Differences, "with none")
}

// A revision is saved in place of another: what only the old one used stays open
// while a conversation runs on it, also while that sleeps, and is closed when
// the conversation has ended. What both use is opened once.
func TestToolsOfAnOldRevisionAreClosedWhenNobodyUsesThem(t *testing.T) {
	old, _ := weather(t, "127.0.0.1:0")
	both, _ := weather(t, "127.0.0.1:0")
	second := `  - {name: Other, code: OTHER, endpoint: "http://` + both + `/mcp", transport: streamable_http}
`
	n := stationHouse(t, station(server(old)+second), old+","+both, "50ms")
	a := n.Agents()[0]
	require.Equal(t, 2, n.shared())
	v := visit(t, n)
	require.Contains(t, v.asks("What will it be like?").Result, "hail")

	for i := range 3 {
		_, err := n.AgentSave(t.Context(), a.ID, AgentFile{Name: "agent.yaml", Text: station(fmt.Sprintf("mcp:\n%slimits: {open_sessions: %d}\n", second, i+5))})
		require.NoError(t, err)
	}
	soon(t, "the session sleeps, and two revisions play a part: the newest, and the one that is talked to", func() bool {
		n.casting.mu.Lock()
		defer n.casting.mu.Unlock()
		awake := 0
		for e := range n.casting.open {
			awake += e.users
		}
		return awake == 0 && len(n.casting.open) == 2
	})
	require.Equal(t, 2, n.shared(), "saving again opens nothing twice, and the conversation keeps its server")
	require.Contains(t, v.asks("And now?").Result, "hail")

	_, err := n.dir.Ask(t.Context(), actors.ID{Kind: event.SessionStream, Tenant: n.model.Tenants()[0], Name: v.id}, &actors.End{Status: event.Completed})
	require.NoError(t, err)
	soon(t, "the old server is left", func() bool { return n.shared() == 1 })
	require.NotNil(t, n.casting.casts[castKey{n.model.Tenants()[0], a.ID, 4}])
	require.Nil(t, n.casting.casts[castKey{n.model.Tenants()[0], a.ID, 1}])
}

// A file that cannot be used, and one that is only looked at, leave nothing open.
func TestWhatAFileIsLookedAtWithIsClosed(t *testing.T) {
	addr, _ := weather(t, "127.0.0.1:0")
	n := stationHouse(t, station(""), addr, "1m")
	a := n.Agents()[0]
	flow := "workflow:\n  - {name: Talk, kind: StateConfig, init_state: true, description: Talk., available_tools: [WEATHER_forcast]}\n"
	_, err := n.AgentSave(t.Context(), a.ID, AgentFile{Name: "agent.yaml", Text: station(server(addr) + flow)})
	require.ErrorContains(t, err, "WEATHER_forcast")
	require.Zero(t, n.shared())
	_, err = n.AgentSave(t.Context(), a.ID, AgentFile{Name: "agent.yaml", Text: station(server(addr) + "require_publish: true\n")})
	require.NoError(t, err)
	n.casting.poke()
	soon(t, "nobody runs the draft", func() bool { return n.shared() == 0 })
}

// Code of an old revision ends with it, and the interpreters of a new one run.
func TestInterpretersOfAnOldRevisionEnd(t *testing.T) {
	if _, err := exec.LookPath("bwrap"); err != nil {
		t.Fatal("bubblewrap is needed")
	}
	dir := t.TempDir()
	write := func(answer string) AgentFile {
		put(t, filepath.Join(dir, "plugin.yaml"), "kind: Plugin\nname: shop\ndescription: A shop.\ndependencies: [shop.py]\ntools:\n  - {kind: Tool, object_name: Make, name: make, description: Makes., implementation: shop.make, parameters: []}\n")
		put(t, filepath.Join(dir, "shop.py"), "def make(ctx):\n    return \""+answer+"\"\n")
		return AgentFile{Name: "agent.yaml", Folder: dir, Text: station("tool_groups:\n  - {name: shop, path: plugin.yaml}\n")}
	}
	n := stationHouse(t, station(""), "", "50ms")
	a := n.Agents()[0]
	for i, answer := range []string{"a nail", "a key", "a lock"} {
		_, err := n.AgentSave(t.Context(), a.ID, write(answer))
		require.NoError(t, err)
		require.NoError(t, n.tools.pool.Ready())
		soon(t, "one version is open", func() bool { return n.shared() == 1 })
		require.Equal(t, uint64(i+2), n.model.Agents()[0].Published)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}
