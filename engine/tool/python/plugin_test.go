package python

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/engine/tool"
)

func TestParseReadsTheDocumentedPlugin(t *testing.T) {
	b, err := ReadDir("testdata/tickets/plugin.yaml")
	require.NoError(t, err)
	g, notes, err := Parse(b)
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Equal(t, "tickets", g.Name)
	require.Equal(t, []tool.Spec{
		{
			Name: "FindTickets", Group: "tickets", Timeout: 2 * time.Second,
			Description: "Finds tickets for a place and a day. Call it when the customer asks for tickets.",
			Schema: json.RawMessage(`{"additionalProperties":false,"properties":{"class":{"enum":["first","second"],"type":"string"},` +
				`"day":{"format":"date","type":"string"},"place":{"description":"Town","type":"string"},` +
				`"seats":{"items":{"type":"integer"},"type":"array"}},"required":["place"],"type":"object"}`),
		},
		{
			Name: "BookTickets", Group: "tickets", Timeout: 5 * time.Second, Description: "Books tickets. Ask before.",
			Schema:     json.RawMessage(`{"additionalProperties":false,"properties":{"price":{"type":"number"}},"required":["price"],"type":"object"}`),
			SideEffect: true, Confirm: true, Verified: true, Bind: []tool.Binding{{Arg: "customer", From: "customer.id"}}, Amount: "price", Limit: 250,
		},
		{
			Name: "ProveIdentity", Group: "tickets", Timeout: 2 * time.Second, Description: "Proves who the customer is.", Verifies: true,
			Schema: json.RawMessage(`{"additionalProperties":false,"properties":{},"type":"object"}`),
		},
	}, g.Tools())
	require.Equal(t, []tool.Skill{{Name: "LoadCustomer", Group: "tickets", Moment: tool.SessionStart, Timeout: 2 * time.Second}}, g.Skills())
}

func TestParseSaysWhereAFaultIs(t *testing.T) {
	head := "kind: Plugin\nname: x\n"
	one := head + "tools:\n- object_name: A\n  description: d\n  implementation: m.f\n"
	for name, c := range map[string]struct{ text, want string }{
		"empty":                {"", "plugin 1:1: the plugin is empty"},
		"a list":               {"- a", "plugin 1:1: a plugin must be a mapping"},
		"no tools":             {head, "plugin 1:1: a plugin needs at least one tool or skill"},
		"no name":              {"tools: [{object_name: A, implementation: m.f}]", "a plugin needs a name"},
		"wrong kind":           {"kind: Plugn\n" + one[13:], `plugin 1:7: kind must be Plugin, this is "Plugn"`},
		"wrong kind of entry":  {one + "  kind: Robot\n", "plugin 7:9: kind must be Tool or Skill"},
		"no such module":       {head + "tools: [{object_name: A, implementation: nothing.f}]", "plugin 3:42: no file nothing.py is among the dependencies"},
		"no such function":     {head + "tools: [{object_name: A, implementation: m.nothing}]", "plugin 3:42: m.py has no function nothing"},
		"no function":          {head + "tools: [{object_name: A, implementation: m}]", "implementation must be module.function"},
		"no implementation":    {head + "tools: [{object_name: A}]", `implementation must be module.function, this is ""`},
		"a name with a blank":  {head + "tools: [{object_name: A b, implementation: m.f}]", "plugin 3:23: object_name \"A b\" may have letters"},
		"no name of a tool":    {head + "tools: [{implementation: m.f}]", "needs an object_name"},
		"a name twice":         {one + "- {object_name: A, implementation: m.f}", `plugin 7:17: object_name "A" is there twice`},
		"a file that is not":   {one + "dependencies: [m.py, n.py]", `plugin 7:22: dependency "n.py" is not among the files, did you mean "m.py"?`},
		"a file outside":       {one + "dependencies: [../m.py]", "must lead downwards"},
		"a timeout too long":   {one + "  timeout: 31", "plugin 7:12: timeout must be seconds, from 0.001 to 30"},
		"a timeout of nothing": {one + "  timeout: 0", "timeout must be seconds"},
		"a timeout that is no": {one + "  timeout: NaN", "timeout must be seconds"},
		"an unknown type":      {one + "  parameters: [{name: a, type: strng}]", `type must be string, integer, number, boolean, array, object or date, this is "strng", did you mean "string"?`},
		"a parameter twice":    {one + "  parameters: [{name: a}, {name: a}]", `parameter "a" is there twice`},
		"a parameter of ours":  {one + "  parameters: [{name: ctx}]", `"ctx" cannot be the name`},
		"a parameter's name":   {one + "  parameters: [{name: a-b}]", `"a-b" cannot be the name`},
		"enum of another type": {one + "  parameters: [{name: a, type: int, enum: [1, two]}]", `a value of enum must be a integer, this is "two"`},
		"items of a text":      {one + "  parameters: [{name: a, items: int}]", "items belong to a parameter of type array"},
		"a binding":            {one + "  bind: {a: session.secret}", "an argument is bound to session.id"},
		"an amount":            {one + "  amount: a", "amount must be the name of a parameter that is a number"},
		"a limit alone":        {one + "  limit: 5", "limit needs amount"},
		"a limit of nothing":   {one + "  limit: -1", "limit must be a number above 0"},
		"a trigger":            {one + "skills: [{object_name: B, implementation: m.f, trigger: state_entr}]", `did you mean "state_enter"?`},
		"a tab":                {head + "tools:\n\t- a", "plugin 4:1:"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Parse(Bundle{Plugin: []byte(c.text), Files: map[string][]byte{"m.py": []byte("def f(ctx): pass\n")}})
			require.ErrorIs(t, err, fault.Invalid)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestParseWarnsOfUnknownKeys(t *testing.T) {
	_, notes, err := Parse(Bundle{
		Plugin: []byte("name: x\ncolour: red\ntools:\n- {object_name: A, implementation: submodules.m.f, description: d, tmeout: 1, parameters: [{name: a, typ: int}]}\n"),
		Files:  map[string][]byte{"submodules/m.py": []byte("async def f(ctx): pass\n")},
	})
	require.NoError(t, err)
	require.Len(t, notes, 3)
	require.Equal(t, `4:68: unknown key "tmeout" in a tool is ignored, did you mean "timeout"?`, notes[1].String())
}

func TestPackIsDeterministicAndUnpackGivesItBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Bundle{
			Plugin: rapid.SliceOf(rapid.Byte()).Draw(t, "plugin"),
			Files:  rapid.MapOfN(rapid.StringMatching(`[a-z]{1,8}(/[a-zé ]{1,8}){0,2}`), rapid.SliceOf(rapid.Byte()), 0, 8).Draw(t, "files"),
		}
		packed, err := b.Pack()
		require.NoError(t, err)
		again, err := b.Pack()
		require.NoError(t, err)
		require.Equal(t, packed, again)
		back, err := Unpack(packed)
		require.NoError(t, err)
		require.Equal(t, b.Hash(), back.Hash())
		b.Plugin = append(b.Plugin, 'x')
		require.NotEqual(t, b.Hash(), back.Hash())
	})
}

// zipped makes a zip of entries in their order.
func zipped(t testing.TB, entries ...[2]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, e := range entries {
		w, err := z.Create(e[0])
		require.NoError(t, err)
		_, err = w.Write([]byte(e[1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return out.Bytes()
}

func TestUnpackRefuses(t *testing.T) {
	plugin := [2]string{"plugin.yaml", "name: x"}
	many := [][2]string{plugin}
	for i := range 300 {
		many = append(many, [2]string{"files/" + strings.Repeat("a", i+1), ""})
	}
	for name, c := range map[string]struct {
		zip  []byte
		want string
	}{
		"no zip":             {[]byte("hello"), "not a valid zip"},
		"no plugin":          {zipped(t, [2]string{"files/a", ""}), "there is no plugin.yaml"},
		"a way up":           {zipped(t, plugin, [2]string{"files/../../a", ""}), "does not belong here"},
		"a root":             {zipped(t, plugin, [2]string{"/etc/passwd", ""}), "does not belong here"},
		"a way up elsewhere": {zipped(t, plugin, [2]string{`files/..\a`, ""}), "does not belong here"},
		"a name twice":       {zipped(t, plugin, plugin), "twice"},
		"a folder":           {zipped(t, plugin, [2]string{"files/a/", ""}), "is not a file"},
		"a bomb":             {zipped(t, plugin, [2]string{"files/a", strings.Repeat("\x00", 64<<20)}), "has more bytes"},
		"bombs":              {zipped(t, plugin, [2]string{"files/a", strings.Repeat("\x00", 4<<20)}, [2]string{"files/b", strings.Repeat("\x00", 4<<20)}, [2]string{"files/c", strings.Repeat("\x00", 4<<20)}), "more bytes than"},
		"too many":           {zipped(t, many...), "301 entries; 201 are allowed"},
		"a large plugin":     {zipped(t, [2]string{"plugin.yaml", strings.Repeat("#", MaxPlugin+1)}), "the plugin has 256 KB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Unpack(c.zip)
			require.ErrorIs(t, err, fault.Invalid)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestReadDirStaysInItsFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("secret.txt", "secret")
	write("group/plugin.yaml", "name: x\ndependencies: [lib/, ../secret.txt, m.py]\n")
	write("group/m.py", "")
	write("group/other.py", "")
	write("group/lib/a.py", "1")
	write("group/lib/__pycache__/a.pyc", "x")
	write("group/submodules/b.py", "2")
	b, err := ReadDir(filepath.Join(dir, "group/plugin.yaml"))
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"m.py": {}, "lib/a.py": []byte("1"), "submodules/b.py": []byte("2")}, b.Files)

	require.NoError(t, os.Symlink("../../secret.txt", filepath.Join(dir, "group/submodules/link.py")))
	_, err = ReadDir(filepath.Join(dir, "group/plugin.yaml"))
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "escapes")
	_, err = ReadDir(filepath.Join(dir, "nothing.yaml"))
	require.ErrorIs(t, err, fault.NotFound)
}

func FuzzUnpack(f *testing.F) {
	f.Add(zipped(f, [2]string{"plugin.yaml", "name: x"}, [2]string{"files/a/b.py", "def f(): pass"}))
	f.Add(zipped(f, [2]string{"files/..", "x"}))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Unpack(b)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v is not invalid", err)
			}
			return
		}
		packed, err := got.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Unpack(packed); err != nil || back.Hash() != got.Hash() {
			t.Fatalf("%v: another bundle", err)
		}
	})
}

func FuzzParse(f *testing.F) {
	documented, err := os.ReadFile("testdata/tickets/plugin.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(documented, []byte("requests==2.31.0 ; python_version > '3'\n# x"))
	f.Add([]byte("name: x\ntools: [{object_name: A, implementation: logic.find, parameters: [{name: a, type: list, items: {type: object, properties: [{name: b}]}}]}]"), []byte("a[b]>=1,<2"))
	f.Fuzz(func(t *testing.T, plugin, required []byte) {
		g, _, err := Parse(Bundle{Plugin: plugin, Files: map[string][]byte{"submodules/logic.py": []byte("def find(): pass"), "requirements.txt": required}})
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v is not invalid", err)
			}
			return
		}
		for _, s := range g.Tools() {
			if !json.Valid(s.Schema) || !identifier.MatchString(s.Name) {
				t.Fatalf("%+v", s)
			}
		}
		for _, r := range g.Requirements() {
			if strings.HasPrefix(r, "-") || strings.Contains(r, "@") || strings.Contains(r, "/") && !strings.Contains(r, ";") {
				t.Fatalf("requirement %q", r)
			}
		}
	})
}
