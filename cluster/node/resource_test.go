package node

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tool/python"
)

func blobOf(t *testing.T, n *Node, agent, key string) string {
	t.Helper()
	s, err := n.casting.read(t.Context(), n.model.Tenants()[0], agent)
	require.NoError(t, err)
	saved, ok := s.Revision(s.Latest())
	require.True(t, ok)
	name, _ := pin(saved.Pins, key)
	return name
}

// A text that is saved without the folder of its group takes what the shared
// file holds now, and the group's own files as they were kept.
func TestATextSavedAloneTakesWhatSharedFilesHoldNow(t *testing.T) {
	n := stationHouse(t, station(""), "", "1m")
	a, dir := n.Agents()[0], t.TempDir()
	put(t, filepath.Join(dir, "plugin.yaml"), "kind: Plugin\nname: shop\ndescription: A shop.\ndependencies: [shop.py, lib/words.py]\ntools:\n  - {kind: Tool, object_name: Make, name: make, description: Makes., implementation: shop.make, parameters: []}\n")
	put(t, filepath.Join(dir, "shop.py"), "import words\ndef make(ctx):\n    return words.WORD\n")
	add := func(text string) Resource {
		card, err := n.ResourceAdd(t.Context(), "lib/words.py", strings.NewReader(text))
		require.NoError(t, err)
		return card.Resource
	}
	save := func(folder, more string) error {
		_, err := n.AgentSave(t.Context(), a.ID, AgentFile{Name: "agent.yaml", Folder: folder, Text: station("tool_groups:\n  - {name: shop, path: plugin.yaml}\n" + more)})
		return err
	}
	first := add("WORD = 'a nail'\n")
	require.NoError(t, save(dir, ""))
	key := resourceKey("plugin.yaml", "lib/words.py")
	require.Equal(t, first.Blob, blobOf(t, n, a.ID, key))
	group := blobOf(t, n, a.ID, "group/plugin.yaml")

	second := add("WORD = 'a key'\n")
	require.Equal(t, group, blobOf(t, n, a.ID, "group/plugin.yaml"), "a change alone makes no revision")
	put(t, filepath.Join(dir, "shop.py"), "not python at all(")
	require.NoError(t, save("", "limits: {open_sessions: 9}\n"))
	require.Equal(t, second.Blob, blobOf(t, n, a.ID, key))
	data, err := n.tools.blob([]event.Pair{{Key: "g", Value: blobOf(t, n, a.ID, "group/plugin.yaml")}}, "g")
	require.NoError(t, err)
	b, err := python.Unpack(data)
	require.NoError(t, err)
	require.Equal(t, "WORD = 'a key'\n", string(b.Files["lib/words.py"]))
	require.Contains(t, string(b.Files["shop.py"]), "import words")

	_, err = n.ResourceRemove(t.Context(), "lib/words.py", true)
	require.NoError(t, err)
	require.NoError(t, save("", "limits: {open_sessions: 8}\n"), "what was kept is kept")
	require.Equal(t, second.Blob, blobOf(t, n, a.ID, key))
}

func TestSharedFilesAreBoundedAndTold(t *testing.T) {
	n := stationHouse(t, station(""), "", "1m")
	for _, name := range []string{"", "../up.py", "/etc/passwd", "a:b", "a/../b", "a\\b", strings.Repeat("a", 300)} {
		_, err := n.ResourceAdd(t.Context(), name, strings.NewReader("x"))
		require.ErrorIs(t, err, fault.Invalid, name)
	}
	_, err := n.ResourceAdd(t.Context(), "big.bin", strings.NewReader(strings.Repeat("x", python.MaxFile+1)))
	require.ErrorIs(t, err, fault.Exhausted)
	_, err = n.ResourceAdd(t.Context(), "fits.bin", strings.NewReader(strings.Repeat("x", python.MaxFile)))
	require.NoError(t, err)
	list, err := n.ResourceList(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"fits.bin"}, resourceNames(list))

	path := n.resources.path(n.model.Tenants()[0])
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = n.ResourceAdd(t.Context(), "more.bin", strings.NewReader("x"))
	require.ErrorContains(t, err, path, "a damaged list is told with its place and never written over")
}

func resourceNames(list []ResourceCard) (out []string) {
	for _, r := range list {
		out = append(out, r.Name)
	}
	slices.Sort(out)
	return out
}
