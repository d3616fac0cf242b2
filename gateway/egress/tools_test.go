package egress

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/tool"
	"flametree/engine/tool/mcp"
	"flametree/engine/tool/openapi"
)

const document = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"operationId":"a","responses":{"200":{"description":"x"}}}}}}`

// The edges that take addresses from tenants, through the guard.
func TestToolsGoThroughTheGuard(t *testing.T) {
	port, hits := canary(t)
	inner := "http://127.0.0.1:" + port
	closed := guard(t, Options{})
	for _, kind := range []mcp.Transport{mcp.HTTPSSE, mcp.StreamableHTTP} {
		_, err := mcp.Connect(t.Context(), mcp.Server{Code: "IN", Transport: kind, Endpoint: inner}, mcp.Options{HTTP: closed.Client()})
		require.ErrorIs(t, err, fault.Denied)
		assert.ErrorContains(t, err, "loopback")
	}
	_, err := openapi.Import(t.Context(), inner, closed.Client())
	require.ErrorIs(t, err, fault.Denied)
	r, _, err := openapi.New(openapi.Options{Name: "in", Document: []byte(document), BaseURL: inner, HTTP: closed.Client()})
	require.NoError(t, err)
	_, err = r.Run(t.Context(), tool.Call{Name: "a"})
	require.ErrorIs(t, err, fault.Denied)
	require.NoError(t, r.Close())

	// A service that the house allows sends on to one that it does not.
	srv := httptest.NewServer(http.RedirectHandler(inner, http.StatusFound))
	t.Cleanup(srv.Close)
	some := guard(t, Options{Allow: []string{strings.TrimPrefix(srv.URL, "http://")}})
	r, _, err = openapi.New(openapi.Options{Name: "in", Document: []byte(document), BaseURL: srv.URL, HTTP: some.Client()})
	require.NoError(t, err)
	_, err = r.Run(t.Context(), tool.Call{Name: "a"})
	require.ErrorIs(t, err, fault.Denied)
	require.NoError(t, r.Close())
	assert.Zero(t, hits.Load())
}

func TestAnAllowedServerOfToolsWorksThroughTheGuard(t *testing.T) {
	one := sdk.NewServer(&sdk.Implementation{Name: "s", Version: "1"}, nil)
	sdk.AddTool(one, &sdk.Tool{Name: "hi"}, func(_ context.Context, _ *sdk.CallToolRequest, _ any) (*sdk.CallToolResult, any, error) {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "hi"}}}, nil, nil
	})
	get := func(*http.Request) *sdk.Server { return one }
	for kind, h := range map[mcp.Transport]http.Handler{mcp.HTTPSSE: sdk.NewSSEHandler(get, nil), mcp.StreamableHTTP: sdk.NewStreamableHTTPHandler(get, nil)} {
		srv := httptest.NewServer(h)
		g := guard(t, Options{Allow: []string{strings.TrimPrefix(srv.URL, "http://")}})
		r, err := mcp.Connect(t.Context(), mcp.Server{Code: "IN", Transport: kind, Endpoint: srv.URL, Timeout: 20 * time.Second}, mcp.Options{HTTP: g.Client()})
		require.NoError(t, err)
		out, err := r.Run(t.Context(), tool.Call{Name: "IN_hi", Args: []byte(`{}`)})
		require.NoError(t, err)
		assert.Equal(t, `"hi"`, string(out.Value))
		require.NoError(t, r.Close())
		srv.CloseClientConnections()
		srv.Close()
	}
}
