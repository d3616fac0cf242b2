package agents_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

type place struct {
	City string `json:"city"`
}

type weather struct {
	City string `json:"city"`
	Sky  string `json:"sky"`
}

// serveTools is a server of two tools on the official SDK. It wants the token
// "umbrella" and ends with its standard input.
func serveTools(kind string) error {
	s := sdk.NewServer(&sdk.Implementation{Name: "weather", Version: "1"}, nil)
	sdk.AddTool(s, &sdk.Tool{Name: "forecast", Description: "Tells tomorrow's weather of a city."},
		func(_ context.Context, _ *sdk.CallToolRequest, in place) (*sdk.CallToolResult, weather, error) {
			return nil, weather{City: in.City, Sky: "hail"}, nil
		})
	sdk.AddTool(s, &sdk.Tool{Name: "make_rain", Description: "Makes rain."},
		func(context.Context, *sdk.CallToolRequest, place) (*sdk.CallToolResult, weather, error) {
			return nil, weather{Sky: "rain"}, nil
		})
	get := func(*http.Request) *sdk.Server { return s }
	var h http.Handler = sdk.NewStreamableHTTPHandler(get, nil)
	if kind == "http_sse" {
		h = sdk.NewSSEHandler(get, nil)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() { // the parent holds our standard input; when it goes, so do we
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer umbrella" {
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
}

// toolServer starts such a server and returns its host and port.
func toolServer(t testing.TB, kind string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asServer+"="+kind)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = in.Close()
		_ = cmd.Wait()
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the server of tools did not start")
	return strings.TrimSpace(addr)
}

// forecaster writes an agent with one MCP server.
func (f folder) forecaster(endpoint, transport, more string) string {
	return f.write("forecaster.yaml", `name: Forecaster
type: inbound_text
identity: You know the weather.
welcome_message: Hello.
workflow:
  - process_name: Talk
    name: Talk
    kind: StateConfig
    init_state: true
    description: Tell the weather.
    available_tools:
      SingleStatefulOutboundAgent: [SendChatMessage, WEATHER_forecast_daily]
knowledge:
  core: The weather station stands on a hill.
mcp:
  - name: Weather
    code: WEATHER
    endpoint: "`+endpoint+`"
    transport: `+transport+`
    rename: {suffix: _daily}
    exclude: [make_rain_daily]
`+more+`env:
  STATION_TOKEN: {value: umbrella, secret: true}
`)
}

const bearer = "    auth: {kind: bearer, value_env: STATION_TOKEN}\n"

// TestAnAgentUsesTheToolOfAnMCPServer plays a dialogue on a scripted model: the
// tool, called by the name it was given, runs in a server of its own process.
func TestAnAgentUsesTheToolOfAnMCPServer(t *testing.T) {
	t.Parallel()
	for transport, path := range map[string]string{"streamable_http": "/mcp", "http_sse": "/sse"} {
		t.Run(transport, func(t *testing.T) {
			addr, f := toolServer(t, transport), newFolder(t)
			agent := f.forecaster("http://"+addr+path, transport, bearer)
			model := f.write("model.yaml", `
- human: What will it be like in Oslo?
  steps:
    - calls: [{name: WEATHER_forecast_daily, args: {city: Oslo}}]
    - text: There will be hail in Oslo.
- human: Then make rain.
  steps:
    - calls: [{name: WEATHER_make_rain_daily, args: {city: Oslo}}]
    - text: That I cannot do.
`)
			play := f.write("oslo.script.yaml", `
- human: What will it be like in Oslo?
  expect:
    says: [hail in Oslo]
    calls:
      - {name: WEATHER_forecast_daily, args: {city: Oslo}}
- human: Then make rain.
  expect:
    says: [cannot]
    calls:
      - {name: WEATHER_make_rain_daily, refused: true}
`)
			r := command(t, []string{"FLAMETREE_EGRESS_ALLOW=" + addr}, "agent", "run", agent, "--model", model, "--script", play)
			require.Zero(t, r.Code, "%s\n%s", r.Out, r.Err)
			require.Contains(t, r.Out, "2 steps as expected")
			require.NotContains(t, r.Out+r.Err, "umbrella")
		})
	}
}

// TestAnAgentGoesOnWithoutAServerOfTools saves an agent whose server refuses us
// or is not there: the owner is told, and the agent answers.
func TestAnAgentGoesOnWithoutAServerOfTools(t *testing.T) {
	t.Parallel()
	th := newThinker(t)
	addr := toolServer(t, "streamable_http")
	llm := "models:\n  llm: {provider: openai_compatible, base_url: " + th.url + "/v1, model: m}\n"
	o := serve(t, house.Options{}, th.url, addr)
	for name, tt := range map[string]struct{ endpoint, auth, want string }{
		"a server that refuses us":          {"http://" + addr + "/mcp", "", "401|Unauthorized"},
		"an address that nobody allowed":    {"http://127.0.0.1:1/mcp", bearer, "denied|not allowed|not public"},
		"a server that speaks another form": {th.url + "/v1/chat/completions", bearer, "cannot be connected"},
	} {
		t.Run(name, func(t *testing.T) {
			o := owner{Server: o.Server, t: t}
			out := o.must("agent", "save", newFolder(t).forecaster(tt.endpoint, "streamable_http", tt.auth+llm))
			require.Regexp(t, `(?m)^note: it goes without a server for now: MCP server Weather: .*(`+tt.want+`)`, out)
			id := madeLine.FindStringSubmatch(out)[1]
			if m := tokenLine.FindStringSubmatch(out); m != nil {
				d := o.talk(house.Agent{ID: id, Token: m[1]})
				require.Equal(t, "I have understood that.", d.says("Hello"))
				require.NotContains(t, d.trace().Turns[1].Models[0].Offered, "WEATHER_forecast_daily")
			}
		})
	}
}

// TestStdioIsRefusedWithWhatToDoInstead at validate and at save.
func TestStdioIsRefusedWithWhatToDoInstead(t *testing.T) {
	t.Parallel()
	o, f := serve(t, house.Options{}), newFolder(t)
	file := f.forecaster("weather-server --stdio", "stdio", "")
	for _, args := range [][]string{{"agent", "validate", file}, {"agent", "save", file}} {
		said := o.refused(args...)
		require.Contains(t, said, "MCP server Weather: the transport stdio")
		require.Contains(t, said, "use streamable_http or http_sse")
	}
	require.NotContains(t, o.must("agent", "list"), "Forecaster")
}
