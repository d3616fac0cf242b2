package mcp_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/tool"
	"flametree/engine/tool/mcp"
	"flametree/engine/tool/python"
	"flametree/engine/tool/remote"
)

// The same server in another process says and does the same over each transport.
func TestEveryTransportListsAndCalls(t *testing.T) {
	for _, kind := range []mcp.Transport{mcp.Stdio, mcp.HTTPSSE, mcp.StreamableHTTP} {
		t.Run(string(kind), func(t *testing.T) {
			s := mcp.Server{Transport: kind}
			if kind != mcp.Stdio {
				s.Endpoint = url(kind, start(t, string(kind), "127.0.0.1:0").addr)
			}
			r := reach(t, s, mcp.Options{})
			assert.ElementsMatch(t, []string{
				"SHOP_math_sum", "SHOP_echo", "SHOP_fail", "SHOP_wait", "SHOP_order_then_die", "SHOP_grow",
			}, names(r), "all pages of two tools each")
			for _, spec := range r.Tools() {
				assert.Equal(t, "SHOP", spec.Group)
				assert.Equal(t, spec.Name != "SHOP_math_sum" && spec.Name != "SHOP_echo", spec.SideEffect, spec.Name)
				assert.Contains(t, string(spec.Schema), `"type":"object"`)
			}

			got, err := call(t, r, "SHOP_math_sum", `{"a":2,"b":3}`)
			require.NoError(t, err)
			assert.JSONEq(t, `{"sum":5}`, got, "structured content")
			got, err = call(t, r, "SHOP_echo", `{"text":"héllo \"you\""}`)
			require.NoError(t, err)
			assert.JSONEq(t, `"héllo \"you\""`, got)
			got, err = call(t, r, "SHOP_echo", `{"text":" {\"a\": [1]} "}`)
			require.NoError(t, err)
			assert.JSONEq(t, `{"a":[1]}`, got, "a text that is an object is taken as one")

			_, err = call(t, r, "SHOP_fail", `{}`)
			require.ErrorIs(t, err, fault.Invalid)
			assert.ErrorContains(t, err, "the stock is empty", "the model reads why")
			_, err = call(t, r, "SHOP_math_sum", `{"a":"two","b":3}`)
			require.ErrorIs(t, err, fault.Invalid)
			assert.ErrorContains(t, err, `/a: it wants "integer"`)
			assert.NotContains(t, err.Error(), "two", "values may be a person's")
			_, err = call(t, r, "SHOP_math_sum", `{"a":1}`)
			assert.ErrorContains(t, err, `required: missing properties: ["b"]`)
			_, err = call(t, r, "math.sum", `{}`)
			assert.ErrorIs(t, err, fault.NotFound, "the server's own name is not ours")
		})
	}
}

// The SDK's own examples, built from its module: names of theirs that no model
// may call get valid ones, and the call still goes under the original.
func TestTheSDKsOwnExamples(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"hello", "everything"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "github.com/modelcontextprotocol/go-sdk/examples/server/"+name)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	hello := reach(t, mcp.Server{Code: "HI", Transport: mcp.Stdio, Endpoint: filepath.Join(dir, "hello")}, mcp.Options{Start: plain()})
	every := reach(t, mcp.Server{
		Code: "ALL", Transport: mcp.Stdio, Endpoint: filepath.Join(dir, "everything"), Exclude: []string{"*icons*", "*Icons*"},
	}, mcp.Options{Start: plain()})
	assert.Equal(t, []string{"HI_greet"}, names(hello))
	assert.Contains(t, names(every), "ALL_greet_structured")
	assert.NotContains(t, names(every), "ALL_greet_with_Icons")
	got, err := call(t, hello, "HI_greet", `{"name":"Ada"}`)
	require.NoError(t, err)
	assert.Equal(t, `"Hi Ada"`, got)
	got, err = call(t, every, "ALL_greet_structured", `{"name":"Ada"}`)
	require.NoError(t, err)
	assert.Contains(t, got, "Ada")

	pool, err := python.New(python.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = pool.Close() })
	require.NoError(t, pool.SelfTest(t.Context()))
	inside := reach(t, mcp.Server{Code: "IN", Transport: mcp.Stdio, Endpoint: filepath.Join(dir, "hello")}, mcp.Options{
		Start: func(ctx context.Context, argv []string) (io.ReadWriteCloser, error) {
			return pool.Command(ctx, argv, dir)
		},
	})
	got, err = call(t, inside, "IN_greet", `{"name":"Ada"}`)
	require.NoError(t, err)
	assert.Equal(t, `"Hi Ada"`, got, "the same server in the sandbox of tools")
}

func TestNamesAreChangedFilteredAndCalledAsTheServerKnowsThem(t *testing.T) {
	r := reach(t, mcp.Server{
		Transport: mcp.Stdio,
		Rename: mcp.Rename{
			Names:   map[string]string{"math.sum": "add_up"},
			Replace: []mcp.Replacement{{Old: "_then_", New: "-"}},
			Prefix:  "do_", Suffix: "_now",
		},
		Include: []string{"add_up", "do_*"},
		Exclude: []string{"do_fail_now", "*order*"},
	}, mcp.Options{})
	assert.ElementsMatch(t, []string{"SHOP_add_up", "SHOP_do_echo_now", "SHOP_do_wait_now", "SHOP_do_grow_now"}, names(r))
	got, err := call(t, r, "SHOP_add_up", `{"a":40,"b":2}`)
	require.NoError(t, err)
	assert.JSONEq(t, `{"sum":42}`, got)
	_, err = call(t, r, "SHOP_do_fail_now", `{}`)
	assert.ErrorIs(t, err, fault.NotFound, "what is excluded cannot be called either")
}

func TestServersStandBesideEachOther(t *testing.T) {
	one := mcp.Server{Name: "first", Code: "ONE", Transport: mcp.Stdio}
	two := mcp.Server{Name: "second", Code: "TWO", Transport: mcp.StreamableHTTP, Endpoint: url(mcp.StreamableHTTP, start(t, "streamable_http", "127.0.0.1:0").addr)}
	require.NoError(t, mcp.Codes([]mcp.Server{one, two}))
	a, b := reach(t, one, mcp.Options{}), reach(t, two, mcp.Options{})
	for _, name := range names(a) {
		assert.NotContains(t, names(b), name)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			got, err := call(t, a, "ONE_echo", `{"text":"one"}`)
			assert.NoError(t, err)
			assert.Equal(t, `"one"`, got)
			got, err = call(t, b, "TWO_echo", `{"text":"two"}`)
			assert.NoError(t, err)
			assert.Equal(t, `"two"`, got)
		})
	}
	wg.Wait()
	_, err := call(t, a, "TWO_echo", `{"text":"x"}`)
	require.ErrorIs(t, err, fault.NotFound)
	two.Code = "one"
	assert.ErrorIs(t, mcp.Codes([]mcp.Server{one, two}), fault.Conflict)
}

func TestAuthentication(t *testing.T) {
	cases := map[string]struct {
		auth remote.Auth
		want string
	}{
		"a bearer token":    {remote.Auth{Kind: remote.AuthBearer, Value: "s3cret-token"}, "Bearer s3cret-token"},
		"user and password": {remote.Auth{Kind: remote.AuthBasic, Value: "me:s3cret-word"}, "Basic bWU6czNjcmV0LXdvcmQ="},
		"a header":          {remote.Auth{Kind: remote.AuthHeader, Header: "X-Key", Value: "s3cret-key"}, "s3cret-key"},
	}
	for name, c := range cases {
		for _, kind := range []mcp.Transport{mcp.HTTPSSE, mcp.StreamableHTTP} {
			t.Run(name+" over "+string(kind), func(t *testing.T) {
				p := start(t, string(kind), "127.0.0.1:0", withAuth+"="+c.want)
				s := mcp.Server{Code: "SHOP", Transport: kind, Endpoint: url(kind, p.addr), Auth: c.auth}
				r := reach(t, s, mcp.Options{})
				_, err := call(t, r, "SHOP_fail", `{}`)
				require.Error(t, err)
				assert.Contains(t, err.Error(), "header was")
				assert.NotContains(t, err.Error(), c.auth.Value, "a server that tells our secret back")

				s.Auth.Value = "wrong:word"
				_, err = mcp.Connect(t.Context(), s, mcp.Options{HTTP: client(t)})
				require.ErrorIs(t, err, fault.Denied)
				assert.ErrorContains(t, err, "refuses the authentication")
				assert.NotContains(t, err.Error(), "wrong:word")
			})
		}
	}
}

func TestAChangedListIsReadAgain(t *testing.T) {
	for _, kind := range []mcp.Transport{mcp.Stdio, mcp.HTTPSSE, mcp.StreamableHTTP} {
		t.Run(string(kind), func(t *testing.T) {
			s := mcp.Server{Transport: kind}
			if kind != mcp.Stdio {
				s.Endpoint = url(kind, start(t, string(kind), "127.0.0.1:0").addr)
			}
			r := reach(t, s, mcp.Options{})
			_, err := call(t, r, "SHOP_grow", `{}`)
			require.NoError(t, err)
			require.Eventually(t, func() bool { return slices.Contains(names(r), "SHOP_grown") }, 20*time.Second, 5*time.Millisecond)
			got, err := call(t, r, "SHOP_grown", `{}`)
			require.NoError(t, err)
			assert.Equal(t, `"new"`, got)
		})
	}
}

// The connection breaks under a call that has changed something: it fails once,
// is not sent again, and the next call goes over a new connection.
func TestACallUnderWhichTheConnectionBreaksIsNotRepeated(t *testing.T) {
	for _, kind := range []mcp.Transport{mcp.Stdio, mcp.HTTPSSE, mcp.StreamableHTTP} {
		t.Run(string(kind), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "orders")
			env := writeTo + "=" + file
			s := mcp.Server{Transport: kind}
			var p *process
			if kind != mcp.Stdio {
				p = start(t, string(kind), "127.0.0.1:0", env)
				s.Endpoint = url(kind, p.addr)
			}
			r := reach(t, s, mcp.Options{}, env)
			_, err := call(t, r, "SHOP_order_then_die", `{}`)
			require.ErrorIs(t, err, fault.Unavailable)
			if p != nil {
				p.stop()
				start(t, string(kind), p.addr, env)
			}
			require.Eventually(t, func() bool {
				got, err := call(t, r, "SHOP_echo", `{"text":"back"}`)
				return err == nil && got == `"back"`
			}, 20*time.Second, 10*time.Millisecond)
			orders, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, "ordered\n", string(orders), "once")
		})
	}
}

func TestWhileAServerIsAwayItsToolsStayAndCallsFailAtOnce(t *testing.T) {
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&locked{w: &said}, nil))
	p := start(t, "streamable_http", "127.0.0.1:0")
	r := reach(t, mcp.Server{Transport: mcp.StreamableHTTP, Endpoint: url(mcp.StreamableHTTP, p.addr)}, mcp.Options{Log: log})
	before := names(r)
	p.stop()
	require.Eventually(t, func() bool {
		_, err := call(t, r, "SHOP_echo", `{"text":"x"}`)
		return err != nil && strings.Contains(err.Error(), "cannot be reached")
	}, 20*time.Second, 5*time.Millisecond)
	assert.Equal(t, before, names(r))
	require.NoError(t, r.Close())
	assert.Contains(t, said.String(), "is lost")
}

func TestACallEndsInItsTime(t *testing.T) {
	r := reach(t, mcp.Server{Transport: mcp.Stdio, Timeout: 200 * time.Millisecond}, mcp.Options{})
	_, err := call(t, r, "SHOP_wait", `{}`)
	require.ErrorIs(t, err, fault.Unavailable)
	assert.ErrorContains(t, err, "in time")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Run(ctx, tool.Call{Name: "SHOP_wait", Args: []byte(`{}`)})
	assert.ErrorIs(t, err, fault.Cancelled)
}

func TestCloseEndsACallInProgress(t *testing.T) {
	r := reach(t, mcp.Server{Transport: mcp.Stdio}, mcp.Options{})
	failed := make(chan error, 1)
	go func() {
		_, err := r.Run(context.Background(), tool.Call{Name: "SHOP_wait", Args: []byte(`{}`)})
		failed <- err
	}()
	require.NoError(t, r.Close())
	assert.ErrorIs(t, <-failed, fault.Unavailable)
	_, err := call(t, r, "SHOP_echo", `{"text":"x"}`)
	assert.ErrorIs(t, err, fault.Unavailable)
}

// A session that is over is said to be over, once; else the server keeps it.
func TestCloseSaysGoodbye(t *testing.T) {
	one := shop()
	var goodbyes atomic.Int32
	h := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return one }, nil)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			goodbyes.Add(1)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	r := reach(t, mcp.Server{Transport: mcp.StreamableHTTP, Endpoint: srv.URL}, mcp.Options{})
	_, err := call(t, r, "SHOP_echo", `{"text":"x"}`)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close(), "twice does no harm")
	assert.Equal(t, int32(1), goodbyes.Load())
}

// locked makes a buffer safe for a logger of another goroutine.
type locked struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
