package portal_test

import (
	"context"
	"iter"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/gateway/gatewaytest"
	"flametree/gateway/ws"
	"flametree/portal"
)

func TestMain(m *testing.M) { gatewaytest.Leaks(m) }

// feed is a live feed: it remembers turns and sends them to all who watch.
type feed struct {
	mu    sync.Mutex
	turns []portal.Turn
	subs  map[chan portal.Turn]struct{}
}

func (f *feed) say(t portal.Turn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turns = append(f.turns, t)
	for c := range f.subs {
		c <- t
	}
}

func (f *feed) watching() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs)
}

func (f *feed) Watch(ctx context.Context) iter.Seq2[portal.Turn, error] {
	return func(yield func(portal.Turn, error) bool) {
		c := make(chan portal.Turn, 100)
		f.mu.Lock()
		for _, t := range f.turns {
			c <- t
		}
		if f.subs == nil {
			f.subs = map[chan portal.Turn]struct{}{}
		}
		f.subs[c] = struct{}{}
		f.mu.Unlock()
		defer func() { f.mu.Lock(); delete(f.subs, c); f.mu.Unlock() }()
		for {
			select {
			case t := <-c:
				if t.State == "full" {
					yield(t, fault.Exhausted)
					return
				}
				if !yield(t, nil) {
					return
				}
			case <-ctx.Done():
				yield(portal.Turn{}, ctx.Err())
				return
			}
		}
	}
}

func start(t *testing.T, demo bool) (*gatewaytest.Site, *feed) {
	t.Helper()
	f := &feed{}
	return gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{Mount: func(s *gatewaytest.Site) {
		portal.Mount(s.Server, portal.Options{Demo: demo, Agents: s.House, Sessions: s.House, Tickets: s.Tickets, Hub: s.Hub, Live: f})
	}}), f
}

const noToken = "Authorization"

func TestThePageIsThereInDemoModeOnly(t *testing.T) {
	s, _ := start(t, true)
	a := s.Do(t, "GET", "/", nil, noToken, "")
	require.Equal(t, 200, a.Status)
	assert.Contains(t, string(a.Body), "Running calls")
	assert.NotContains(t, string(a.Body), "card-token", "no token reaches the browser")
	for _, f := range []string{"app.css", "app.js", "chat.js", "calls.js", "callbox.js"} {
		a := s.Do(t, "GET", "/page/"+f, nil, noToken, "")
		require.Equal(t, 200, a.Status, f)
		assert.NotContains(t, string(a.Body), "innerHTML", "text of customers is never markup")
		assert.NotContains(t, string(a.Body), "https://", "nothing is loaded from elsewhere")
	}
	s, _ = start(t, false)
	a = s.Do(t, "GET", "/", nil, noToken, "")
	require.Equal(t, 200, a.Status)
	assert.Contains(t, string(a.Body), "/api/v1/docs")
	assert.NotContains(t, string(a.Body), "Running calls")
	for _, path := range []string{"/demo/agents", "/demo/ticket", "/demo/live", "/page/app.js"} {
		assert.Equal(t, 404, s.Do(t, "GET", path, nil, noToken, "").Status, path)
	}
}

// A page of the server may use the microphone; nobody it frames may, and no
// other page of ours. The module is there without the demo too.
func TestWhoMayUseTheMicrophone(t *testing.T) {
	s, _ := start(t, true)
	policy := func(path string) string {
		return s.Do(t, "GET", path, nil, noToken, "").Header.Get("Permissions-Policy")
	}
	assert.Equal(t, "camera=(), geolocation=(), microphone=(self)", policy("/"))
	assert.Contains(t, policy("/page/app.css"), "microphone=()")
	csp := s.Do(t, "GET", "/", nil, noToken, "").Header.Get("Content-Security-Policy")
	for _, wide := range []string{"unsafe", "blob:", "*", "media-src", "worker-src"} {
		assert.NotContains(t, csp, wide)
	}
	s, _ = start(t, false)
	assert.Contains(t, policy("/"), "microphone=()", "the signpost has no use for it")
}

func TestTheCallModuleIsWholeAndNeedsNothing(t *testing.T) {
	s, _ := start(t, false)
	wanted := regexp.MustCompile(`from "\./([a-z]+\.js)"`)
	for list := []string{"call.js"}; len(list) > 0; list = list[1:] {
		a := s.Do(t, "GET", "/widget/call/"+list[0], nil, noToken, "")
		require.Equal(t, 200, a.Status, list[0])
		require.Contains(t, a.Header.Get("Content-Type"), "text/javascript")
		body := string(a.Body)
		for _, m := range wanted.FindAllStringSubmatch(body, -1) {
			list = append(list, m[1])
		}
		assert.Equal(t, strings.Count(body, "\nimport "), len(wanted.FindAllString(body, -1)), "%s imports from beside it only", list[0])
		for _, bad := range []string{"https://", "innerHTML", "eval(", "localStorage", "document.cookie"} {
			assert.NotContains(t, body, bad, list[0])
		}
	}
}

func TestAgentsAreListedWithoutTokens(t *testing.T) {
	s, _ := start(t, true)
	a := s.Do(t, "GET", "/demo/agents", nil, noToken, "")
	require.Equal(t, 200, a.Status)
	assert.JSONEq(t, `[{"id":"card","name":"Debit card","alias":"bank","sip":"sip:bank@127.0.0.1:5060","running":true},
		{"id":"mute","name":"Mute","alias":"","sip":"","running":true},
		{"id":"stopped","name":"Stopped","alias":"","sip":"","running":false}]`, string(a.Body))
}

func ask(t *testing.T, s *gatewaytest.Site, body string, header ...string) gatewaytest.Answer {
	t.Helper()
	return s.JSON(t, "POST", "/demo/ticket", body, append([]string{noToken, "", "Origin", s.URL}, header...)...)
}

func TestAChatWithoutAToken(t *testing.T) {
	s, _ := start(t, true)
	a := ask(t, s, `{"agent":"card"}`)
	require.Equal(t, 200, a.Status, string(a.Body))
	got := a.JSON(t)
	assert.Equal(t, "Hello, this is Debit card.", got["greeting"])
	session := got["session"].(string)
	dial := func(ticket any, after string) *websocket.Conn {
		return s.Dial(t, "/chatbot/card/ws/"+session+"?after="+after+"&ticket="+ticket.(string), http.Header{"Origin": {s.URL}})
	}
	c := dial(got["ticket"], "0")
	assert.Equal(t, "Hello, this is Debit card.", gatewaytest.Frame(t, c).Text)
	require.NoError(t, c.WriteJSON(ws.In{Type: ws.InMessage, Text: "hi"}))
	assert.Equal(t, "hi", gatewaytest.Frame(t, c).Text)
	_ = c.Close()

	a = ask(t, s, `{"agent":"card","session":"`+session+`"}`)
	require.Equal(t, 200, a.Status, "the page comes back to its session")
	assert.Equal(t, session, a.JSON(t)["session"])
	c = dial(a.JSON(t)["ticket"], "2")
	assert.Equal(t, "You said: hi", gatewaytest.Frame(t, c).Text)
}

func TestWhatTheTicketOfficeRefuses(t *testing.T) {
	s, _ := start(t, true)
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"no such agent":   {`{"agent":"nobody"}`, 404},
		"a stopped agent": {`{"agent":"stopped"}`, 503},
		"no such session": {`{"agent":"card","session":"nowhere"}`, 404},
		"not JSON":        {`agent=card`, 422},
		"far too much":    {`{"agent":"` + strings.Repeat("x", 5000) + `"}`, 413},
	} {
		t.Run(name, func(t *testing.T) {
			a := ask(t, s, c.body)
			assert.Equal(t, c.status, a.Status, string(a.Body))
			assert.NotEmpty(t, a.JSON(t)["trace_id"])
		})
	}
}

func TestWhoIsNotThePageItself(t *testing.T) {
	s, _ := start(t, true)
	port := s.Addr[strings.LastIndex(s.Addr, ":"):]
	for name, header := range map[string][]string{
		"a page of another site":            {"Origin", "https://evil.example"},
		"a page of another port":            {"Origin", "http://127.0.0.1:1"},
		"a page without an origin":          {"Origin", "null"},
		"a program without an origin":       {"Origin", ""},
		"another site, newly said":          {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
		"a name that leads here":            {"Host", "rebound.example" + port, "Origin", "http://rebound.example" + port},
		"another's address":                 {"Host", "10.0.0.1" + port, "Origin", "http://10.0.0.1" + port},
		"a proxy that says so":              {"X-Forwarded-For", "203.0.113.9"},
		"a proxy that says so the new way":  {"Forwarded", "for=203.0.113.9"},
		"a name that only begins like ours": {"Host", "127.0.0.1.evil.example" + port, "Origin", "http://127.0.0.1.evil.example" + port},
	} {
		t.Run(name, func(t *testing.T) {
			a := hosted(t, s, "POST", "/demo/ticket", header)
			assert.Equal(t, 403, a, "ticket")
			up := append([]string{
				"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
				"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==",
			}, header...)
			assert.Equal(t, 403, hosted(t, s, "GET", "/demo/live", up), "live")
		})
	}
	assert.Equal(t, 200, hosted(t, s, "POST", "/demo/ticket", []string{"Host", "localhost" + port, "Origin", "http://localhost" + port}))
	assert.Equal(t, 403, hosted(t, s, "GET", "/demo/agents", []string{"Host", "rebound.example" + port}))
	a := s.Do(t, "GET", "/", nil, noToken, "", "X-Forwarded-For", "203.0.113.9")
	assert.NotContains(t, string(a.Body), "Running calls", "others find the signpost")
}

// hosted sends a request that may name another host, and gives the status.
func hosted(t *testing.T, s *gatewaytest.Site, method, path string, header []string) int {
	t.Helper()
	var body *strings.Reader
	if method == "POST" {
		body = strings.NewReader(`{"agent":"card"}`)
	} else {
		body = strings.NewReader("")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	require.NoError(t, err)
	req.Header.Set("Origin", s.URL)
	for i := 0; i < len(header); i += 2 {
		switch {
		case header[i] == "Host":
			req.Host = header[i+1]
		case header[i+1] == "":
			req.Header.Del(header[i])
		default:
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := s.Client.Do(req)
	require.NoError(t, err)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestTheLiveFeed(t *testing.T) {
	s, f := start(t, true)
	first := portal.Turn{Session: "s1", Agent: "card", Channel: "sip", Turn: 1, Heard: "hello", State: "thinking"}
	f.say(first)
	c := s.Dial(t, "/demo/live", http.Header{"Origin": {s.URL}})
	var got portal.Turn
	require.NoError(t, c.ReadJSON(&got))
	assert.Equal(t, first, got, "what runs already comes first")
	second := first
	second.Said, second.State, second.Interrupted = "Hi there", "listening", true
	second.Stages = []portal.Stage{{Name: "eot", MS: 150.5}, {Name: "llm_ttft", MS: 12}}
	f.say(second)
	require.NoError(t, c.ReadJSON(&got))
	assert.Equal(t, second, got)
	_ = c.Close()
	require.Eventually(t, func() bool { return f.watching() == 0 }, 5*time.Second, time.Millisecond, "a page that left is not fed")
}

func TestAFeedThatCannotKeepUpSaysComeBack(t *testing.T) {
	s, f := start(t, true)
	c := s.Dial(t, "/demo/live", http.Header{"Origin": {s.URL}})
	require.Eventually(t, func() bool { return f.watching() == 1 }, 5*time.Second, time.Millisecond)
	f.say(portal.Turn{State: "full"})
	assert.Equal(t, ws.CloseSlow, gatewaytest.CloseCode(t, c))
}
