package speech_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAnAgentHearsAndSpeaksThroughEveryVendor asks a question by telephone and
// hears the answer, once for each vendor.
func TestAnAgentHearsAndSpeaksThroughEveryVendor(t *testing.T) {
	t.Parallel()
	var agents []string
	var vendors []*vendor
	names := []string{"deepgram", "elevenlabs", "cartesia", "azure", "google", "openai", "openai live"}
	for _, name := range names {
		v := hire(t, name)
		vendors = append(vendors, v)
		agents = append(agents, file(strings.ReplaceAll(name, " ", "-"), []string{v.line}, []string{v.voiceLine()}, ""))
	}
	o := open(t, agents, vendors...)
	t.Run("calls", func(t *testing.T) {
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				alias := strings.ReplaceAll(name, " ", "-")
				c := dial(t, o, alias, "caller-"+alias)
				c.hears(hello, 5*time.Second)
				begun := time.Now()
				c.asks(question)
				asked := time.Since(begun)
				c.hears(answer, 8*time.Second)
				t.Logf("figure: %s: answered and heard %v after %v of question", name, (time.Since(begun) - asked).Round(10*time.Millisecond), asked.Round(10*time.Millisecond))
				c.understands(question)
				require.Empty(t, c.changes())
				c.ends()
			})
		}
	})
	require.NotContains(t, metrics(t, o), "flametree_voice_provider_fallback_total{")
}
