package mcp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/tool"
	"flametree/engine/tool/mcp"
)

// The test binary is its own servers: started again with this variable, it is
// one, in a process of its own.
const (
	asServer = "FLAMETREE_TEST_MCP" // stdio, http_sse or streamable_http
	atAddr   = "FLAMETREE_TEST_MCP_ADDR"
	withAuth = "FLAMETREE_TEST_MCP_AUTH" // the Authorization that is asked for
	writeTo  = "FLAMETREE_TEST_MCP_FILE" // a line for each call that changes something
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(asServer); kind != "" {
		if err := serve(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

type sumIn struct {
	A int `json:"a"`
	B int `json:"b"`
}
type sumOut struct {
	Sum int `json:"sum"`
}
type line struct {
	Text string `json:"text"`
}

// shop is the server of the tests, on the official SDK.
func shop() *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "shop", Version: "1"}, &sdk.ServerOptions{PageSize: 2})
	read := &sdk.ToolAnnotations{ReadOnlyHint: true}
	text := func(t string) *sdk.CallToolResult {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: t}}}
	}
	sdk.AddTool(s, &sdk.Tool{Name: "math.sum", Description: "adds", Annotations: read},
		func(_ context.Context, _ *sdk.CallToolRequest, in sumIn) (*sdk.CallToolResult, sumOut, error) {
			return nil, sumOut{in.A + in.B}, nil
		})
	sdk.AddTool(s, &sdk.Tool{Name: "echo", Description: "says it again", Annotations: read},
		func(_ context.Context, _ *sdk.CallToolRequest, in line) (*sdk.CallToolResult, any, error) {
			return text(in.Text), nil, nil
		})
	sdk.AddTool(s, &sdk.Tool{Name: "fail", Description: "fails"},
		func(context.Context, *sdk.CallToolRequest, any) (*sdk.CallToolResult, any, error) {
			return nil, nil, errors.New("the stock is empty, header was " + os.Getenv(withAuth))
		})
	sdk.AddTool(s, &sdk.Tool{Name: "wait", Description: "never ends"},
		func(ctx context.Context, _ *sdk.CallToolRequest, _ any) (*sdk.CallToolResult, any, error) {
			<-ctx.Done()
			return nil, nil, ctx.Err()
		})
	sdk.AddTool(s, &sdk.Tool{Name: "order_then_die", Description: "changes something and takes the server down"},
		func(context.Context, *sdk.CallToolRequest, any) (*sdk.CallToolResult, any, error) {
			f, err := os.OpenFile(os.Getenv(writeTo), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err == nil {
				fmt.Fprintln(f, "ordered")
				f.Close()
			}
			os.Exit(3)
			return nil, nil, nil
		})
	sdk.AddTool(s, &sdk.Tool{Name: "grow", Description: "adds a tool"},
		func(context.Context, *sdk.CallToolRequest, any) (*sdk.CallToolResult, any, error) {
			sdk.AddTool(s, &sdk.Tool{Name: "grown", Description: "new"},
				func(context.Context, *sdk.CallToolRequest, any) (*sdk.CallToolResult, any, error) {
					return text("new"), nil, nil
				})
			return text("ok"), nil, nil
		})
	return s
}

func serve(kind string) error {
	if kind == "stdio" {
		return shop().Run(context.Background(), &sdk.StdioTransport{})
	}
	one := shop()
	get := func(*http.Request) *sdk.Server { return one }
	var h http.Handler = sdk.NewStreamableHTTPHandler(get, nil)
	if kind == "http_sse" {
		h = sdk.NewSSEHandler(get, nil)
	}
	l, err := net.Listen("tcp", os.Getenv(atAddr))
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() { // the parent holds our standard input; when it goes, so do we
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if want := os.Getenv(withAuth); want != "" && r.Header.Get("Authorization") != want && r.Header.Get("X-Key") != want {
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
}

// process is a server over HTTP in a process of its own.
type process struct {
	addr string
	cmd  *exec.Cmd
	in   io.Closer
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

func start(t *testing.T, kind, addr string, env ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, asServer+"="+kind, atAddr+"="+addr)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &process{cmd: cmd, in: in}
	t.Cleanup(p.stop)
	got, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the server did not start")
	p.addr = strings.TrimSpace(got)
	return p
}

// command is a started stdio server. Closing ends it and waits for it.
type command struct {
	io.Reader
	io.WriteCloser
	cmd  *exec.Cmd
	once sync.Once
}

func (c *command) Close() error {
	c.once.Do(func() {
		_ = c.WriteCloser.Close()
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	return nil
}

// plain starts commands without a sandbox, which belongs to another room.
func plain(env ...string) func(context.Context, []string) (io.ReadWriteCloser, error) {
	return func(ctx context.Context, argv []string) (io.ReadWriteCloser, error) {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), env...)
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		return &command{Reader: out, WriteCloser: in, cmd: cmd}, nil
	}
}

// client is a way out without a guard. Its connections end with the test.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// reach connects to the tests' server over one transport.
func reach(t *testing.T, s mcp.Server, o mcp.Options, env ...string) tool.Runner {
	t.Helper()
	if o.Backoff == 0 {
		o.Backoff = 10 * time.Millisecond
	}
	if s.Code == "" {
		s.Code = "SHOP"
	}
	if s.Transport == mcp.Stdio && s.Endpoint == "" {
		s.Endpoint = "'" + os.Args[0] + "'"
		o.Start = plain(append(env, asServer+"=stdio")...)
	}
	if s.Timeout == 0 {
		s.Timeout = 20 * time.Second // a busy machine
	}
	if o.HTTP == nil {
		o.HTTP = client(t)
	}
	r, err := mcp.Connect(t.Context(), s, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func url(kind mcp.Transport, addr string) string {
	if kind == mcp.HTTPSSE {
		return "http://" + addr + "/sse"
	}
	return "http://" + addr + "/mcp"
}

func names(r tool.Runner) []string {
	var all []string
	for _, s := range r.Tools() {
		all = append(all, s.Name)
	}
	return all
}

func call(t *testing.T, r tool.Runner, name, args string) (string, error) {
	t.Helper()
	out, err := r.Run(t.Context(), tool.Call{Name: name, Key: "k1", Args: []byte(args)})
	return string(out.Value), err
}
