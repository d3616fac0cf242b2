package webrtc

import (
	"cmp"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/media/pacer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve opens a server on the loopback that ends with the test.
func serve(t testing.TB, o Options) *Server {
	t.Helper()
	wheel := pacer.New(pacer.Options{})
	o.Pacer = func() *pacer.Wheel { return wheel }
	o.Lost = cmp.Or(o.Lost, 15*time.Second)
	if !o.Listen.IsValid() {
		o.Listen = netip.MustParseAddrPort("127.0.0.1:0")
	}
	s, err := Listen(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.Zero(t, s.Live())
		require.NoError(t, wheel.Close())
	})
	return s
}
