package flite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider"
	"flametree/engine/provider/providertest"
)

func TestContract(t *testing.T) {
	s, err := New(Options{})
	require.NoError(t, err)
	providertest.RunSynthesizer(t, s, provider.Voice{Name: "rms"})
}
