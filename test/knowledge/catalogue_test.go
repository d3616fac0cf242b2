package knowledge_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

func TestProductsOfACatalogueAreRecommendedWithTheirLinks(t *testing.T) {
	t.Parallel()
	kept := filepath.Join(t.TempDir(), "data")
	out := house.Must(t, "agent", "run", file(t, "shop.yaml"), "--script", file(t, "shop.script.yaml"), "--model", file(t, "shop.model.yaml"), "--keep", kept)
	require.Contains(t, out, "1 steps as expected")
	var told []string
	for _, e := range house.Journal(t, kept) {
		if e.Kind == "tool.answered.v1" {
			told = append(told, e.Raw)
		}
	}
	require.Len(t, told, 2)
	require.Contains(t, told[0], "https://shop.example/l-1")
	require.Contains(t, told[0], "https://shop.example/l-2")
	require.NotContains(t, told[0], "Anchor")
	require.Contains(t, told[1], "150 newtons")
}

func TestACatalogueWithAFaultIsRefusedByItsRow(t *testing.T) {
	t.Parallel()
	p := serve(t, "", nil, "harbour.yaml")
	dir := t.TempDir()
	for _, name := range []string{"shop.yaml", "wares.csv"} {
		text, err := os.ReadFile(file(t, name))
		require.NoError(t, err)
		if name == "wares.csv" {
			text = []byte(strings.Replace(string(text), "120,EUR", "a lot,EUR", 1))
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	r := house.Command(t, "--data", p.Data, "agent", "save", filepath.Join(dir, "shop.yaml"))
	require.NotZero(t, r.Code)
	require.Contains(t, r.Err, "wares.csv")
	require.Contains(t, r.Err, "row 4")
	require.Contains(t, r.Err, "a lot")
}
