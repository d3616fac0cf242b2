package kv

import (
	"encoding/json"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/tenant"
)

func TestValuesLastAndDoNotMeet(t *testing.T) {
	fs := vfs.NewMem()
	s, err := open("kv", fs)
	require.NoError(t, err)
	a, b := tenant.ID{1}, tenant.ID{2}
	require.NoError(t, s.Set(t.Context(), a, "crm", "k", json.RawMessage(`1`)))
	require.NoError(t, s.Set(t.Context(), a, "cr", "mk", json.RawMessage(`2`)))
	for _, other := range []struct {
		t          tenant.ID
		group, key string
	}{{b, "crm", "k"}, {a, "other", "k"}, {a, "crm", "K"}} {
		_, err := s.Get(t.Context(), other.t, other.group, other.key)
		require.ErrorIs(t, err, fault.NotFound)
	}
	require.NoError(t, s.Close())

	s, err = open("kv", fs)
	require.NoError(t, err)
	v, err := s.Get(t.Context(), a, "crm", "k")
	require.NoError(t, err)
	require.JSONEq(t, `1`, string(v), "it lasts, and names cannot be cut elsewhere")
	require.NoError(t, s.Delete(t.Context(), a, "crm", "k"))
	require.NoError(t, s.Delete(t.Context(), a, "crm", "never there"))
	_, err = s.Get(t.Context(), a, "crm", "k")
	require.ErrorIs(t, err, fault.NotFound)
	require.NoError(t, s.Close())
}
