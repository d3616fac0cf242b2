package mcp_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/tool"
	"flametree/engine/tool/mcp"
)

// A server that is not there yet offers nothing and is told once; when it comes,
// somebody is told, and its tools are there.
func TestAServerIsAwaited(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	var said bytes.Buffer
	changed := make(chan struct{}, 10)
	r, err := mcp.Await(t.Context(), mcp.Server{Name: "Weather", Code: "WEATHER", Endpoint: "http://" + addr, Transport: mcp.StreamableHTTP}, mcp.Options{
		HTTP: client(t), Backoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond, Changed: func() { changed <- struct{}{} },
		Log: slog.New(slog.NewTextHandler(&locked{w: &said}, nil)),
	})
	require.NoError(t, err)
	require.ErrorIs(t, r.Missing(), fault.Unavailable)
	require.Empty(t, r.Tools())
	_, err = r.Run(t.Context(), tool.Call{Name: "WEATHER_forecast"})
	require.ErrorIs(t, err, fault.Unavailable)

	s := sdk.NewServer(&sdk.Implementation{Name: "weather", Version: "1"}, nil)
	sdk.AddTool(s, &sdk.Tool{Name: "forecast", Description: "Tells the weather."},
		func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, any, error) {
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "hail"}}}, nil, nil
		})
	l, err = net.Listen("tcp", addr)
	require.NoError(t, err)
	web := &httptest.Server{Listener: l, Config: &http.Server{
		Handler:           sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, &sdk.StreamableHTTPOptions{Stateless: true}),
		ReadHeaderTimeout: time.Minute,
	}}
	web.Start()
	defer web.Close()
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatal("it is not reached")
	}
	require.NoError(t, r.Missing())
	require.Len(t, r.Tools(), 1)
	out, err := r.Run(t.Context(), tool.Call{Name: "WEATHER_forecast", Args: []byte("{}")})
	require.NoError(t, err)
	require.Contains(t, string(out.Value), "hail")
	require.NoError(t, r.Close())
	require.LessOrEqual(t, strings.Count(said.String(), "cannot be reached"), 3, "what stays wrong is told once: %s", said.String())
}

// Closing does not wait for the next attempt.
func TestAnAwaitedServerIsGivenUp(t *testing.T) {
	r, err := mcp.Await(t.Context(), mcp.Server{Name: "Weather", Code: "WEATHER", Endpoint: "http://127.0.0.1:1", Transport: mcp.StreamableHTTP}, mcp.Options{
		HTTP: client(t), Backoff: time.Hour,
	})
	require.NoError(t, err)
	require.Error(t, r.Missing())
	require.NoError(t, r.Close())
	_, err = mcp.Await(t.Context(), mcp.Server{Code: "1 2"}, mcp.Options{HTTP: client(t)})
	require.ErrorIs(t, err, fault.Invalid, "a declaration that cannot work is no server to wait for")
}
