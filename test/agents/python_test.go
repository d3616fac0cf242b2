package agents_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// workshop writes an agent with a group of tools; each is a function of the
// same name in lower case, in code.
func (f folder) workshop(url, code string, tools ...string) string {
	plugin := "kind: Plugin\nname: workshop\ndescription: Tools.\ndependencies: [submodules/shop.py]\ntools:\n"
	for _, t := range tools {
		plugin += fmt.Sprintf("  - {kind: Tool, object_name: %s, name: %s, description: Works., implementation: shop.%s, timeout: 1, parameters: []}\n",
			t, strings.ToLower(t), strings.ToLower(t))
	}
	f.write("tools/plugin.yaml", plugin)
	f.write("tools/submodules/shop.py", code)
	return f.write("agent.yaml", `name: Smith
type: inbound_text
identity: You work in a shop.
welcome_message: Hello.
knowledge:
  core: The shop opens at eight.
tool_groups:
  - {name: workshop, path: tools/plugin.yaml}
models:
  llm: {provider: openai_compatible, base_url: `+url+`/v1, model: m}
env:
  MAX_TOOL_CALLS_PER_SESSION: 50
`)
}

const wild = `
import os
import socket

def fine(ctx):
    return {"made": "a nail"}

def spin(ctx):
    while True:
        pass

def fork(ctx):
    while True:
        os.fork()

def flood(ctx):
    for i in range(100000):
        print("x" * 1000)
    return "y" * (4 << 20)

def eat(ctx):
    return len(bytearray(2 << 30))

def dial(ctx):
    s = socket.create_connection(("127.0.0.1", CANARY), 1)
    s.send(b"hello")
    return "sent"

def peek(ctx):
    return open("/etc/passwd").read()

def throw(ctx):
    return {}["nothing"]

def fetch(ctx):
    return ctx.http.get("http://127.0.0.1:CANARY/").status
`

// listener counts who dials it.
func listener(t testing.TB) (port string, dialled *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dialled = new(atomic.Int32)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			dialled.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	_, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port, dialled
}

// TestWildCodeDoesNotDisturbAConversation calls tools that do what none may, one
// after the other in one conversation: each fails, the trace and the journal say
// why, and the next tool works.
func TestWildCodeDoesNotDisturbAConversation(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	port, dialled := listener(t)
	o := serve(t, house.Options{}, th.url)
	d := o.talk(o.save(f.workshop(th.url, strings.ReplaceAll(wild, "CANARY", port),
		"Fine", "Spin", "Fork", "Flood", "Eat", "Dial", "Peek", "Throw", "Fetch")))
	for _, tt := range []struct{ tool, why string }{
		{"Spin", "time|deadline"},
		{"Fork", "(?i)process|fork|perm|not allowed|denied|killed|resource|died|ended"},
		{"Flood", "4194306 bytes as JSON; 65536 are allowed"},
		{"Eat", "(?i)memory"},
		{"Dial", "(?i)perm|not allowed|denied|network|socket"},
		{"Peek", "(?i)no such file|perm|FileNotFound"},
		{"Throw", `KeyError.*shop\.py`},
		{"Fetch", "loopback|denied|refused"},
	} {
		require.NotEmpty(t, d.says("use "+tt.tool), tt.tool)
		last := d.last()
		require.Equal(t, tt.tool, last.Name)
		require.Regexp(t, tt.why, last.Fault, tt.tool)
		t.Logf("%s: %s (%.0f ms)", tt.tool, last.Fault, last.Took)
		require.Contains(t, d.says("use Fine"), "a nail", "after %s", tt.tool)
	}
	require.Zero(t, dialled.Load(), "nobody was reached from the sandbox")
	told := 0
	for _, e := range house.Journal(t, o.Data) {
		if e.Session == d.id && strings.Contains(e.Raw, "KeyError") {
			told++
		}
	}
	require.Positive(t, told, "the journal says why a tool failed")
}

// TestWithoutASandboxNothingOfAGroupRuns starts a server that finds no
// bubblewrap: the agent is there and answers, its tools fail, and no process
// was started for them.
func TestWithoutASandboxNothingOfAGroupRuns(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	o := serve(t, house.Options{Env: []string{"PATH=" + t.TempDir()}}, th.url)
	d := o.talk(o.save(f.workshop(th.url, wild, "Fine")))
	require.NotEmpty(t, d.says("use Fine"))
	require.Contains(t, d.last().Fault, "sandbox_unavailable")
	require.Equal(t, "I have understood that.", d.says("Hello"))
	require.Contains(t, o.Log(), "sandbox_unavailable")
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", o.PID))
	require.NoError(t, err)
	require.NotEmpty(t, children)
	for _, c := range children {
		list, err := os.ReadFile(c)
		if err == nil { // a thread may have ended meanwhile
			require.Empty(t, strings.TrimSpace(string(list)), "a process was started")
		}
	}
}

// wheel writes a package of one module (PEP 427).
func wheel(t testing.TB, dir, name, source string) {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	info := name + "-1.0.dist-info/"
	for _, f := range [][2]string{
		{name + ".py", source},
		{info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	} {
		w, err := z.Create(f[0])
		require.NoError(t, err)
		_, err = w.Write([]byte(f[1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+"-1.0-py3-none-any.whl"), out.Bytes(), 0o600))
}

// hammered is a workshop that requires a package.
func (f folder) hammered(url string) string {
	path := f.workshop(url, "import hammer\n\ndef fine(ctx):\n    return hammer.hit()\n", "Fine")
	f.write("tools/requirements.txt", "hammer==1.0\n")
	plugin, err := os.ReadFile(filepath.Join(f.dir, "tools", "plugin.yaml"))
	require.NoError(f.t, err)
	f.write("tools/plugin.yaml", strings.Replace(string(plugin), "submodules/shop.py]", "submodules/shop.py, requirements.txt]", 1))
	return path
}

// TestRequirementsComeFromAFolderOfWheels installs what a group asks for when
// the agent is saved, and says what to do where there is nothing to install from.
func TestRequirementsComeFromAFolderOfWheels(t *testing.T) {
	t.Parallel()
	th, f, wheels := newThinker(t), newFolder(t), t.TempDir()
	wheel(t, wheels, "hammer", "def hit():\n    return {\"hit\": \"the nail\"}\n")
	file := f.hammered(th.url)
	o := serve(t, house.Options{Env: []string{"FLAMETREE_PYTHON_WHEELS=" + wheels}}, th.url)
	require.Contains(t, o.talk(o.save(file)).says("use Fine"), "the nail")

	f.write("tools/requirements.txt", "saw==2.0\n")
	require.Contains(t, o.refused("agent", "save", file), "saw")
	require.Regexp(t, `(?m)^   1 .*  live$`, o.must("agent", "revisions", "Smith"))

	bare := serve(t, house.Options{}, th.url)
	require.Contains(t, bare.refused("agent", "save", newFolder(t).hammered(th.url)),
		"requirements.txt asks for hammer==1.0, and there is nothing to install it from")
	require.NotContains(t, bare.must("agent", "list"), "Smith")
}
