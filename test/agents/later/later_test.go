// Package later_test shows what an agent does about a server of tools that is
// away when the agent is saved and there afterwards. It runs a node in this
// process, because the wait between two attempts is shortened there.
package later_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/cluster/script"
)

// What goes on after a node has ended belongs to libraries, which start it once
// for the whole process.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/cluster.(*Gossiper).StartGossiping.NewThrottle.func3.1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

const model = `
- human: What will it be like?
  steps:
    - calls: [{name: WEATHER_forecast, args: {city: Oslo}}]
    - text: I have looked.
`

func file(addr string) []byte {
	return []byte(`name: Forecaster
type: inbound_text
identity: You know the weather.
welcome_message: Hello.
knowledge:
  core: The weather station stands on a hill.
mcp:
  - {name: Weather, code: WEATHER, endpoint: "http://` + addr + `/mcp", transport: streamable_http}
`)
}

// place is what the tool is asked about.
type place struct {
	City string `json:"city"`
}

// open starts a node that looks for a missing server again at once.
func open(t *testing.T, addr string) *node.Node {
	t.Helper()
	c, err := config.Load(config.Sources{Getenv: func(string) string { return "" }, Flags: map[string]string{
		"data": t.TempDir(), "http": "127.0.0.1:0", "sip": "off", "webrtc": "off", "rtp": "0-0", "metrics": "off",
		"disk.low": "16MB", "disk.ballast": "1MB", "egress.allow": addr,
	}})
	require.NoError(t, err)
	n, err := node.Start(t.Context(), node.Options{
		Config: c, Agents: []node.AgentFile{{Name: "agent.yaml", Text: file(addr)}}, Log: slog.New(slog.DiscardHandler),
		Retry: time.Nanosecond,
		Providers: func(string) (node.Providers, error) {
			p, err := node.Builtins(c)
			if err != nil {
				return p, err
			}
			p.Completers["builtin"], err = script.ParseModel([]byte(model))
			return p, err
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { n.Stop(0) })
	return n
}

// ask opens a conversation and asks for the weather.
func ask(t *testing.T, n *node.Node) script.Call {
	t.Helper()
	r := &script.Remote{BaseURL: "http://" + n.Addresses().HTTP, Agent: n.Agents()[0].ID, Token: n.Agents()[0].Token, User: "later"}
	_, err := r.Begin(t.Context())
	require.NoError(t, err)
	turn, err := r.Say(t.Context(), "What will it be like?")
	require.NoError(t, err)
	require.NotNil(t, turn.Trace)
	i := slices.IndexFunc(turn.Calls, func(c script.Call) bool { return c.Name == "WEATHER_forecast" })
	require.GreaterOrEqual(t, i, 0, "%v", turn)
	return turn.Calls[i]
}

// TestAServerThatWasAwayIsUsedOnceItIsThere takes an agent whose server of tools
// does not run yet: it answers without, and the conversations that begin after
// the server has come have its tool.
func TestAServerThatWasAwayIsUsedOnceItIsThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	n := open(t, addr)
	require.NotEmpty(t, ask(t, n).Refused, "nobody offers the tool yet")

	s := sdk.NewServer(&sdk.Implementation{Name: "weather", Version: "1"}, nil)
	sdk.AddTool(s, &sdk.Tool{Name: "forecast", Description: "Tells the weather."},
		func(context.Context, *sdk.CallToolRequest, place) (*sdk.CallToolResult, any, error) {
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "hail"}}}, nil, nil
		})
	l, err = net.Listen("tcp", addr)
	require.NoError(t, err)
	web := &httptest.Server{Listener: l, Config: &http.Server{
		Handler:           sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, &sdk.StreamableHTTPOptions{Stateless: true}),
		ReadHeaderTimeout: time.Minute,
	}}
	web.Start()
	t.Cleanup(func() { web.CloseClientConnections(); web.Close() })
	// It is looked for beside the conversations: the next one may still be without.
	var got script.Call
	require.Eventually(t, func() bool { got = ask(t, n); return got.Refused == "" }, 10*time.Second, 20*time.Millisecond)
	require.Empty(t, got.Fault)
	require.Contains(t, got.Result, "hail")
}
