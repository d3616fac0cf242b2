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
	"path/filepath"
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
	if kind == "stdio" {
		return s.Run(context.Background(), &sdk.StdioTransport{})
	}
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

// TestAnMCPServerStartsInTheSandbox starts a server by its command, which is
// this very program in the folder for commands; one that lies elsewhere is not
// started, and where there is no sandbox none is.
func TestAnMCPServerStartsInTheSandbox(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	self, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	commands := f.write("commands/weather", string(self))
	elsewhere := f.write("elsewhere/weather", string(self))
	for _, path := range []string{commands, elsewhere} {
		require.NoError(t, os.Chmod(path, 0o700))
	}
	llm := "models:\n  llm: {provider: openai_compatible, base_url: " + th.url + "/v1, model: m}\n"
	with := "FLAMETREE_MCP_COMMANDS=" + filepath.Dir(commands)

	o := serve(t, house.Options{Env: []string{with}}, th.url)
	d := o.talk(o.save(f.forecaster(commands+" stdio", "stdio", llm)))
	require.Contains(t, d.says(`use WEATHER_forecast_daily {"city":"Oslo"}`), "hail")
	out := o.must("agent", "save", f.forecaster(elsewhere+" stdio", "stdio", llm))
	require.Regexp(t, `(?m)^note: it goes without a server for now: .*neither below /usr nor in the folder for commands`, out)

	bare := serve(t, house.Options{Env: []string{with, "PATH=" + t.TempDir()}}, th.url)
	out = bare.must("agent", "save", f.forecaster(commands+" stdio", "stdio", llm))
	require.Regexp(t, `(?m)^note: it goes without a server for now: .*sandbox_unavailable`, out)
	require.Equal(t, "I have understood that.", bare.talk(agentOf(t, out)).says("Hello"))
}

// TestADeclarationOfAServerIsReadWithItsPlace finds what cannot work.
func TestADeclarationOfAServerIsReadWithItsPlace(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	for _, tt := range [][3]string{
		{"weather --stdio", "streamable_http", `file 1[0-9]:\d+: .*needs transport: stdio`},
		{"http://127.0.0.1:1/mcp", "stdio", `file 1[0-9]:\d+: .*needs a start command`},
		{"http://127.0.0.1:1/mcp", "pigeon", `file 1[0-9]:\d+: transport must be one of http_sse, streamable_http, stdio`},
	} {
		r := command(t, nil, "agent", "validate", f.forecaster(tt[0], tt[1], ""))
		require.Equal(t, 2, r.Code)
		require.Regexp(t, tt[2], r.Err)
	}
}
