package agents_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// till writes an agent with a group whose code needs a file that is not beside it.
func (f folder) till(name, url string) string {
	f.write(name+"/plugin.yaml", "kind: Plugin\nname: "+name+"\ndescription: Tools.\ndependencies: [till.py, shared]\ntools:\n"+
		"  - {kind: Tool, object_name: Price, name: price, description: Tells the price., implementation: till.price, parameters: []}\n")
	f.write(name+"/till.py", "import money\n\ndef price(ctx):\n    return money.written(5)\n")
	return f.write(name+".yaml", "name: "+name+`
type: inbound_text
identity: You sell bread.
welcome_message: Hello.
knowledge:
  core: The bakery opens at six.
tool_groups:
  - {name: `+name+`, path: `+name+`/plugin.yaml}
models:
  llm: {provider: openai_compatible, base_url: `+url+`/v1, model: m}
`)
}

// TestToolGroupsShareAFile lets the groups of two agents depend on a file of the
// tenant: each revision keeps what the file held when it was saved, and takes
// what it holds now when it is saved again.
func TestToolGroupsShareAFile(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	o := serve(t, house.Options{}, th.url)
	baker, miller := f.till("Baker", th.url), f.till("Miller", th.url)
	euros := f.write("euros.py", "def written(n):\n    return str(n) + ' euros'\n")

	said := o.refused("agent", "save", baker)
	require.Contains(t, said, `dependency "shared" is not among the files`)
	require.Contains(t, said, "shared: neither beside the plugin nor a shared resource (flametree tool resource add makes one)")
	r := command(t, nil, "agent", "validate", baker)
	require.Zero(t, r.Code, r.Err)
	require.Contains(t, r.Out+r.Err, "shared is not beside the plugin: the server must have it as a shared resource")

	require.Contains(t, o.must("tool", "resource", "add", euros, "--name", "shared/money.py"), "resource shared/money.py: ")
	require.Contains(t, o.must("tool", "resource", "list"), "(unused)")
	first, second := o.save(baker), o.save(miller)
	running := o.talk(first)
	require.Contains(t, running.says("use Price"), "5 euros")
	require.Contains(t, o.talk(second).says("use Price"), "5 euros")

	crowns := f.write("crowns.py", "def written(n):\n    return str(n) + ' crowns'\n")
	out := o.must("tool", "resource", "add", crowns, "--name", "shared/money.py")
	require.Equal(t, 2, strings.Count(out, "runs with the older content until it is saved again"), out)
	require.Contains(t, o.talk(first).says("use Price"), "5 euros", "a change alone changes no agent")
	require.Contains(t, o.must("agent", "save", baker), "revision 2")
	require.Contains(t, o.talk(first).says("use Price"), "5 crowns")
	require.Contains(t, running.says("use Price"), "5 euros", "a conversation keeps what it began with")
	require.Contains(t, o.talk(second).says("use Price"), "5 euros", "nobody saved the other one")
	out = o.must("tool", "resource", "used-by", "shared/money.py")
	require.Regexp(t, `(?m)^agent \S+ "Baker" revision 2 \(live\): Baker/plugin.yaml, as it is now$`, out)
	require.Regexp(t, `(?m)^agent \S+ "Miller" revision 1 \(live\): Miller/plugin.yaml, older content$`, out)

	said = o.refused("tool", "resource", "remove", "shared/money.py")
	oneLine(t, said)
	require.Contains(t, said, "is used by 2 revisions")
	o.must("tool", "resource", "remove", "shared/money.py", "--force")
	require.Contains(t, o.talk(first).says("use Price"), "5 crowns", "what was saved with it keeps it")
	require.Contains(t, o.refused("agent", "save", miller), "neither beside the plugin nor a shared resource")
	require.Contains(t, o.refused("tool", "resource", "used-by", "shared/money.py"), "there is no shared resource")
	require.Contains(t, o.refused("tool", "resource", "add", euros, "--name", "../money.py"), "must be a path that leads downwards")

	dir := f.write("resources/shared/money.py", "def written(n):\n    return str(n) + ' shells'\n")
	out = o.must("tool", "test", strings.TrimSuffix(baker, ".yaml")+"/plugin.yaml", "Price", "--resources", strings.TrimSuffix(dir, "/shared/money.py"))
	require.Contains(t, out, "5 shells")
}
