package python

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/engine/tool"
	"flametree/engine/tool/tooltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	here   = tenant.ID{1}
	there  = tenant.ID{2}
	moment = time.Date(2026, 3, 4, 17, 30, 0, 0, time.FixedZone("", 5*3600))
)

// newPool is a pool that has passed its self-test and ends with the test.
func newPool(t testing.TB, opt Options) *Pool {
	t.Helper()
	p, err := New(opt)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	require.NoError(t, p.SelfTest(t.Context()))
	return p
}

// bundle makes a bundle of one file, m.py, with a tool for each function named.
func bundle(source string, functions ...string) Bundle {
	var b strings.Builder
	b.WriteString("kind: Plugin\nname: test\ntools:\n")
	for _, f := range functions {
		name, timeout, _ := strings.Cut(f, " ")
		if timeout == "" {
			timeout = "20"
		}
		fmt.Fprintf(&b, "- {object_name: %s, description: d, implementation: m.%s, timeout: %s}\n", name, name, timeout)
	}
	return Bundle{Plugin: []byte(b.String()), Files: map[string][]byte{"m.py": []byte(source)}}
}

func group(t testing.TB, b Bundle) *Group {
	t.Helper()
	g, _, err := Parse(b)
	require.NoError(t, err)
	return g
}

func opened(t testing.TB, p *Pool, b Bundle) tool.Runner {
	t.Helper()
	r, err := p.Open(t.Context(), here, group(t, b))
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func run(t testing.TB, r tool.Runner, name, args string) (string, error) {
	t.Helper()
	out, err := r.Run(t.Context(), tool.Call{Tenant: here, Name: name, Args: json.RawMessage(args), Scene: tool.Scene{Now: moment, Seed: 7}})
	return string(out.Value), err
}

func TestTheDocumentedLayoutRuns(t *testing.T) {
	var asked []string
	p := newPool(t, Options{KV: &MemoryStore{}, HTTP: func(_ context.Context, r *http.Request) (*http.Response, error) {
		asked = append(asked, r.Method+" "+r.URL.String())
		return &http.Response{StatusCode: 200, Status: "200 OK", Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"free": 3}`))}, nil
	}})
	b, err := ReadDir("testdata/tickets/plugin.yaml")
	require.NoError(t, err)
	r := opened(t, p, b)
	scene := tool.Scene{Session: "s1", Channel: "web", Name: "Aigul", Now: moment, Env: map[string]string{"CUSTOMER": "c-77"}}

	out, err := r.Run(t.Context(), tool.Call{Tenant: here, Name: "FindTickets", Args: json.RawMessage(`{"place":"Almaty","class":"first"}`), Scene: scene})
	require.NoError(t, err)
	require.JSONEq(t, `{"place":"Almaty","price":120,"day":null,"free":3,"channel":"web"}`, string(out.Value))
	require.Equal(t, map[string]string{"town": "Almaty"}, out.Results)
	require.Equal(t, []string{"finding Almaty"}, out.Logs)
	require.Equal(t, []string{"GET http://tickets.example/free?place=Almaty"}, asked)

	out, err = r.Run(t.Context(), tool.Call{Tenant: here, Name: "BookTickets", Args: json.RawMessage(`{"customer":"c-77","price":120}`), Scene: scene})
	require.NoError(t, err)
	require.Equal(t, `"booked for c-77"`, string(out.Value))
	out, err = r.Run(t.Context(), tool.Call{Tenant: here, Name: "ProveIdentity", Scene: scene})
	require.NoError(t, err)
	require.JSONEq(t, `{"verified":true,"customer_id":"c-77"}`, string(out.Value))
	out, err = r.Run(t.Context(), tool.Call{Tenant: here, Name: "LoadCustomer", Scene: scene})
	require.NoError(t, err)
	require.JSONEq(t, `{"greeting":"Hello Aigul","at":"2026-03-04T17:30:00+05:00"}`, string(out.Value))
}

func TestConformance(t *testing.T) {
	p := newPool(t, Options{})
	g := group(t, bundle("import time\ndef good(ctx, n=0): return n\ndef slow(ctx): time.sleep(60)\ndef bad(ctx): raise ValueError('no')\ndef large(ctx): return 'x' * 70000\n",
		"good", "slow 0.2", "bad", "large"))
	tooltest.Run(t, func(t *testing.T) tooltest.Subject {
		r, err := p.Open(t.Context(), here, g)
		require.NoError(t, err)
		c := func(name string) tool.Call { return tool.Call{Tenant: here, Name: name, Args: json.RawMessage("{}")} }
		return tooltest.Subject{Runner: r, Good: c("good"), Slow: c("slow"), Bad: c("bad"), Large: c("large")}
	})
}

// bad are functions that do what they must not, and what is said of it.
func TestBadCode(t *testing.T) {
	p := newPool(t, Options{KV: &MemoryStore{}})
	source := `
import asyncio, os, sys, threading, time, json, random, ctypes

def fine(ctx): return "fine"
def loop(ctx):
    while True: pass
def fork(ctx): os.fork()
def spawn(ctx):
    import subprocess; return subprocess.run(["/usr/bin/id"]).returncode
def replace(ctx): os.execv("/usr/bin/python3", ["python3"])
def flood(ctx):
    for i in range(200000): print("x" * 100)
    os.write(1, b"y" * 1000000); os.write(2, b"y" * 1000000)
    print("z" * 5000000)
    return 1
def pipe(ctx):
    while True: os.write(4, b"\xff" * 4096)
def forge(ctx):
    b = b'{"id":99999,"value":1}'; os.write(4, len(b).to_bytes(4, "big") + b); time.sleep(30)
def memory(ctx): return len(bytearray(16 << 30))
def sock(ctx):
    import socket; socket.create_connection(("127.0.0.1", 1))
def passwd(ctx): return open("/etc/passwd").read()
def proc(ctx): return open("/proc/self/environ").read()
def threads(ctx):
    for i in range(100000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
def stray(ctx):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); return "left one"
def recursion(ctx): return recursion(ctx)
def crash(ctx): ctypes.string_at(0)
def strange(ctx): return object()
def nan(ctx): return {"a": float("nan")}
def surrogate(ctx): return "\ud800"
def large(ctx): return "x" * 2000000
def leave(ctx): sys.exit(3)
def vanish(ctx): os._exit(0)
def waits(ctx): return len(json.dumps(ctx.parameters))
def disk(ctx):
    with open("/tmp/big", "wb") as f:
        while True: f.write(b"x" * 1000000)
def store(ctx): ctx.kv.set("k", "x" * 70000)
def net(ctx): ctx.http("GET", "http://127.0.0.1/")
async def sleeps(ctx):
    async with asyncio.timeout(5): await asyncio.sleep(0.001)
    return "slept"
def deep(ctx):
    v = []
    for i in range(100000): v = [v]
    return v
`
	r := opened(t, p, bundle(source, "fine", "loop 0.2", "fork", "spawn", "replace", "flood", "pipe", "forge", "memory", "sock", "passwd", "proc",
		"threads", "stray", "recursion", "crash", "strange", "nan", "surrogate", "large", "leave", "vanish", "disk", "store", "net", "sleeps", "deep"))
	for name, c := range map[string]struct {
		kind fault.Kind
		text string // part of the error; of the value where kind is ""
	}{
		"fine": {"", `"fine"`}, "sleeps": {"", "slept"}, "flood": {"", "1"}, "stray": {"", "left one"},
		"loop":      {fault.Unavailable, "loop did not end in time and was stopped"},
		"fork":      {fault.Invalid, "PermissionError: [Errno 1] Operation not permitted (m.py, line 7)"},
		"spawn":     {fault.Invalid, "PermissionError"},
		"replace":   {fault.Invalid, "PermissionError"},
		"pipe":      {fault.Unavailable, "wrote into the pipe of the protocol"},
		"forge":     {fault.Unavailable, "answered what was not asked"},
		"memory":    {fault.Exhausted, "MemoryError"},
		"sock":      {fault.Invalid, "PermissionError"},
		"passwd":    {fault.Invalid, "FileNotFoundError: [Errno 2] No such file or directory: '/etc/passwd'"},
		"proc":      {fault.Invalid, "FileNotFoundError"},
		"threads":   {fault.Invalid, "RuntimeError: can't start new thread"},
		"recursion": {fault.Invalid, "RecursionError"},
		"crash":     {fault.Unavailable, "the interpreter ended"},
		"strange":   {fault.Invalid, "TypeError: Object of type object is not JSON serializable"},
		"nan":       {fault.Invalid, "ValueError: Out of range float values are not JSON compliant"},
		"surrogate": {fault.Invalid, "UnicodeEncodeError"},
		"large":     {fault.Invalid, "the result has 2000002 bytes as JSON; 65536 are allowed"},
		"leave":     {fault.Invalid, "SystemExit: 3 (m.py"},
		"vanish":    {fault.Unavailable, "the interpreter ended"},
		"disk":      {fault.Invalid, "OSError"},
		"store":     {fault.Invalid, "ctx.kv: the value has 68 KB; 64 are allowed"},
		"net":       {fault.Unavailable, "ctx.http: no network is set up for tools"},
		"deep":      {fault.Invalid, "RecursionError"},
	} {
		t.Run(name, func(t *testing.T) {
			value, err := run(t, r, name, "{}")
			if c.kind == "" {
				require.NoError(t, err)
				require.Contains(t, value, c.text)
			} else {
				require.ErrorContains(t, err, c.text)
				require.Equal(t, c.kind, fault.KindOf(err), err)
				require.NotContains(t, err.Error(), "/tmp/code")
				require.NotContains(t, err.Error(), "/work")
			}
			value, err = run(t, r, "fine", "{}")
			require.NoError(t, err, "the group does not recover")
			require.Equal(t, `"fine"`, value)
		})
	}
}

func TestHugeArgumentsAreRefusedBeforeTheyAreSent(t *testing.T) {
	r := opened(t, newPool(t, Options{}), bundle("calls = 0\ndef size(ctx, a=''):\n    global calls; calls += 1\n    return [len(a), calls]\n", "size"))
	v, err := run(t, r, "size", `{"a":"`+strings.Repeat("x", 900_000)+`"}`)
	require.NoError(t, err)
	require.Equal(t, "[900000,1]", v)
	_, err = run(t, r, "size", `{"a":"`+strings.Repeat("x", 2_000_000)+`"}`)
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "1024 are allowed")
	_, err = run(t, r, "size", `{"a":`)
	require.ErrorIs(t, err, fault.Invalid)
	v, err = run(t, r, "size", "{}")
	require.NoError(t, err)
	require.Equal(t, "[0,2]", v, "the interpreter was not lost")
}

func TestCodeThatCannotBeImportedIsToldWhenItIsOpened(t *testing.T) {
	p := newPool(t, Options{})
	for source, want := range map[string]string{
		"import nothing_like_it\ndef f(ctx): pass":      "ModuleNotFoundError: No module named 'nothing_like_it' (m.py, line 1)",
		"def f(ctx): pass\n\nx = 1 / 0":                 "ZeroDivisionError: division by zero (m.py, line 3)",
		"def f(ctx) pass":                               "SyntaxError: expected ':' (m.py, line 1)",
		"def f(ctx): pass\nimport sys; sys.exit()":      "SystemExit",
		"def f(ctx): pass\nimport os; os._exit(9)":      "the interpreter ended",
		"def f(ctx): pass\nf = 1":                       "AttributeError: m has no function f",
		"import engine\ndef f(ctx): pass\nengine.now()": "the engine can be asked while a call runs only",
	} {
		_, err := p.Open(t.Context(), here, group(t, bundle(source, "f")))
		require.ErrorContains(t, err, want)
		require.NotEqual(t, fault.Bug, fault.KindOf(err))
	}
}

func TestTenantsShareNothing(t *testing.T) {
	p := newPool(t, Options{KV: &MemoryStore{}, Workers: 4})
	g := group(t, bundle("import os\nkept = []\ndef f(ctx, v):\n    kept.append(v); old = ctx.kv.get('v'); ctx.kv.set('v', v)\n    open('/tmp/' + v, 'w').close()\n    return [kept, ctx.env, old, sorted(x for x in os.listdir('/tmp') if x != 'code')]\n", "f"))
	for _, id := range []tenant.ID{here, there} {
		r, err := p.Open(t.Context(), id, g)
		require.NoError(t, err)
		defer r.Close()
		v := fmt.Sprint("tenant", id[0])
		out, err := r.Run(t.Context(), tool.Call{Tenant: id, Name: "f", Args: json.RawMessage(`{"v":"` + v + `"}`), Scene: tool.Scene{Env: map[string]string{"K": v + "-secret"}}})
		require.NoError(t, err)
		require.JSONEq(t, fmt.Sprintf(`[[%q],{"K":"%s-secret"},null,[%q]]`, v, v, v), string(out.Value))
		_, err = r.Run(t.Context(), tool.Call{Tenant: tenant.ID{9}, Name: "f"})
		require.ErrorIs(t, err, fault.Denied)
	}
}

func TestSecretsAreNotInLogsAndErrors(t *testing.T) {
	r := opened(t, newPool(t, Options{}), bundle(`
def f(ctx):
    for v in ctx.env.values():
        print("value", v); ctx.log("a%sb" % v); print("p" * (995 - len(v)) + v + v); print("q" * 7995 + v)
    for i in range(200): print(i, end=" " if i % 2 else "\n")
    raise KeyError(ctx.env["B"])
`, "f"))
	env := map[string]string{"A": "sesame-open-7", "B": "sesame", "C": "true"}
	out, err := r.Run(t.Context(), tool.Call{Tenant: here, Name: "f", Scene: tool.Scene{Env: env}})
	require.ErrorContains(t, err, "KeyError: '***'")
	all := strings.Join(out.Logs, "\n") + err.Error()
	require.NotContains(t, all, "sesa")
	require.Contains(t, all, "value ***")
	require.Len(t, out.Logs, 100)
}

func TestRunsAreRepeatable(t *testing.T) {
	p := newPool(t, Options{})
	b := bundle("import random\ndef f(ctx): return [random.random(), random.randint(1, 10**9), ctx.now().isoformat()]\n", "f")
	r := opened(t, p, b)
	first, err := run(t, r, "f", "{}")
	require.NoError(t, err)
	again, err := run(t, r, "f", "{}")
	require.NoError(t, err)
	require.Equal(t, first, again)
	out, err := r.Run(t.Context(), tool.Call{Tenant: here, Name: "f", Scene: tool.Scene{Now: moment, Seed: 8}})
	require.NoError(t, err)
	require.NotEqual(t, first, string(out.Value))
}

func TestACallThatDiedIsNotRunAgain(t *testing.T) {
	store := &MemoryStore{}
	r := opened(t, newPool(t, Options{KV: store}), bundle("import os\ndef f(ctx):\n    ctx.kv.set('n', (ctx.kv.get('n') or 0) + 1)\n    os._exit(1)\n", "f"))
	_, err := run(t, r, "f", "{}")
	require.ErrorIs(t, err, fault.Unavailable)
	n, err := store.Get(t.Context(), here, "test", "n")
	require.NoError(t, err)
	require.Equal(t, "1", string(n))
}

func TestClosingEndsWhatRuns(t *testing.T) {
	p := newPool(t, Options{HTTP: func(ctx context.Context, _ *http.Request) (*http.Response, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	r := opened(t, p, bundle("def f(ctx): ctx.http.get('http://a.example/')\n", "f"))
	done := make(chan error, 1)
	go func() {
		_, err := run(t, r, "f", "{}")
		done <- err
	}()
	for busy := 0; busy == 0; {
		p.mu.Lock()
		busy = len(p.busy)
		p.mu.Unlock()
	}
	require.NoError(t, r.Close())
	require.Error(t, <-done)
	require.Empty(t, p.idle)
	require.Zero(t, p.owned)
}

func TestInterpretersAreLimitedAndTheOldestGoesFirst(t *testing.T) {
	p := newPool(t, Options{Workers: 3})
	var runners []tool.Runner
	for i := range 6 {
		runners = append(runners, opened(t, p, bundle(fmt.Sprintf("def f(ctx): return %d\n", i), "f")))
	}
	var all sync.WaitGroup
	for i, r := range runners {
		for range 4 {
			all.Go(func() {
				v, err := run(t, r, "f", "{}")
				if err != nil || v != fmt.Sprint(i) {
					t.Errorf("group %d gave %s, %v", i, v, err)
				}
			})
		}
	}
	all.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.LessOrEqual(t, p.owned, 3)
	require.Len(t, p.idle, p.owned)
}

func TestAnOldInterpreterIsReplacedBetweenCalls(t *testing.T) {
	p := newPool(t, Options{})
	r := opened(t, p, bundle("calls = 0\ndef f(ctx):\n    global calls; calls += 1; return calls\n", "f"))
	var counts []string
	for range maxCalls + 500_000 { // the new one is made beside the calls
		v, err := run(t, r, "f", "{}")
		require.NoError(t, err)
		if counts = append(counts, v); v == "1" && len(counts) > 1 {
			break
		}
	}
	require.Equal(t, "1", counts[len(counts)-1], "it is still the first")
	require.GreaterOrEqual(t, len(counts), maxCalls-1)
}

func TestExpressions(t *testing.T) {
	p := newPool(t, Options{})
	names := map[string]json.RawMessage{"customer": json.RawMessage(`{"age":41,"tags":["a"],"home":{"town":"Almaty"}}`), "results": json.RawMessage(`{}`)}
	eval := func(expr string) (v json.RawMessage, err error) {
		for range 5 { // on a busy machine 50 ms pass before anything is done
			v, err = p.Eval(t.Context(), here, expr, names, moment)
			if err == nil || !strings.Contains(err.Error(), "took longer") {
				break
			}
		}
		return v, err
	}
	for expr, want := range map[string]string{
		"customer.age > 40 and 'a' in customer.tags": "true",
		"customer['home'].town":                      `"Almaty"`,
		"results.get('x') is None":                   "true",
		"datetime.now().hour":                        "17",
		"now() + timedelta(days=1)":                  `"2026-03-05T17:30:00"`,
		"today().isoformat()":                        `"2026-03-04"`,
		"date.today() < date(2026, 4, 1)":            "true",
		"datetime(2026, 3, 4) < datetime.now()":      "true",
		"datetime.now(timezone.utc).hour":            "12",
		"  1 + 1\n":                                  "2",
		"[x * 2 for x in range(3)]":                  "[0,2,4]",
	} {
		v, err := eval(expr)
		require.NoError(t, err, expr)
		require.JSONEq(t, want, string(v), expr)
	}
	for expr, want := range map[string]string{
		"customer.nothing":        "AttributeError: nothing",
		"1 +":                     "SyntaxError",
		"import os":               "SyntaxError",
		"__import__('os').fork()": "PermissionError",
		"open('/etc/passwd')":     "FileNotFoundError",
		"10 ** 10 ** 10":          "took longer than 50ms",
		"object()":                "not JSON serializable",
		strings.Repeat("1", 1001): "1001 characters, 1000 are allowed",
	} {
		_, err := eval(expr)
		require.ErrorContains(t, err, want, expr)
		require.ErrorIs(t, err, fault.Invalid, expr)
	}
}

func TestRequirements(t *testing.T) {
	wheels := t.TempDir()
	wheel(t, wheels, "greeter", "1.0", "def greet(): return 'salem'\n")
	b := bundle("import greeter\ndef f(ctx): return greeter.greet()\n", "f")
	b.Files["requirements.txt"] = []byte("# ours\ngreeter==1.0\n")

	t.Run("from a folder of wheels", func(t *testing.T) {
		opt := Options{Wheels: wheels, Cache: t.TempDir()}
		r := opened(t, newPool(t, opt), b)
		v, err := run(t, r, "f", "{}")
		require.NoError(t, err)
		require.Equal(t, `"salem"`, v)
		require.NoError(t, os.Remove(wheels+"/greeter-1.0-py3-none-any.whl"))
		v, err = run(t, opened(t, newPool(t, opt), b), "f", "{}")
		require.NoError(t, err, "the cache is not used")
		require.Equal(t, `"salem"`, v)
	})
	t.Run("from an index", func(t *testing.T) {
		wheel(t, wheels, "greeter", "1.0", "def greet(): return 'hello'\n")
		r := opened(t, newPool(t, Options{Index: index(t, wheels), Cache: t.TempDir()}), b)
		v, err := run(t, r, "f", "{}")
		require.NoError(t, err)
		require.Equal(t, `"hello"`, v)
	})
	t.Run("from nowhere", func(t *testing.T) {
		_, err := newPool(t, Options{}).Open(t.Context(), here, group(t, b))
		require.ErrorIs(t, err, fault.Unavailable)
		require.ErrorContains(t, err, "requirements.txt asks for greeter==1.0, and there is nothing to install it from")
	})
	t.Run("what is not there", func(t *testing.T) {
		b := bundle("def f(ctx): pass", "f")
		b.Files["requirements.txt"] = []byte("unheard-of==9")
		_, err := newPool(t, Options{Wheels: wheels, Cache: t.TempDir()}).Open(t.Context(), here, group(t, b))
		require.ErrorContains(t, err, "unheard-of==9")
		require.ErrorContains(t, err, "No matching distribution")
	})
	for _, line := range []string{"-r other.txt", "--index-url http://a.example", "x @ file:///etc", "git+https://a.example/x", "./here", "a;b\\", "/abs"} {
		b := bundle("def f(ctx): pass", "f")
		b.Files["requirements.txt"] = []byte("ok>=1\n" + line)
		_, _, err := Parse(b)
		require.ErrorIs(t, err, fault.Invalid, line)
		require.ErrorContains(t, err, "requirements.txt 2:1")
	}
}
