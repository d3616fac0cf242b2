package builtin_test

import (
	"testing"

	"flametree/engine/provider/builtin"
	"flametree/engine/provider/providertest"
)

func TestContract(t *testing.T) { providertest.RunCompleter(t, builtin.New()) }
