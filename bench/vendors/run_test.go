package vendors_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/bench/vendors"
	"flametree/engine/fault"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == vendors.ServerName {
		if err := vendors.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// TestARunMeasuresEveryVendor shows that every connector is heard, spoken and
// cut off, that no figure lies below the delay the server was given, and that
// nothing is left behind.
func TestARunMeasuresEveryVendor(t *testing.T) {
	r, err := vendors.Run(t.Context(), vendors.Options{Utterances: 2, Audio: 2 * time.Second, Final: 30 * time.Millisecond, Sound: 20 * time.Millisecond})
	require.NoError(t, err)
	require.NoError(t, r.Failed())
	require.Len(t, r.Metrics, 7)
	for _, g := range r.Gates {
		require.GreaterOrEqual(t, g.Got, 0.0, g.Name)
	}
	require.NoError(t, r.Table(t.Output()))
	_, err = vendors.Run(t.Context(), vendors.Options{Utterances: -1})
	require.ErrorIs(t, err, fault.Invalid)
}
