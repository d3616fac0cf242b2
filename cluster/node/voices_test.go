package node

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/agent"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/policy"
)

// specOf reads an agent that speaks as text says.
func specOf(t *testing.T, text string) *agent.Spec {
	t.Helper()
	s, _, err := agent.Parse([]byte("name: Clerk\ntype: inbound_voice\nknowledge: {core: Open.}\n" + text))
	require.NoError(t, err)
	return s
}

func speechOnly(env map[string]string) *connectors {
	return &connectors{out: &http.Client{}, secret: func(k string) string { return env[k] }}
}

// TestGoogleTakesWhatGoogleGives reads the forms of a credential, and a file only
// where the process's own environment names it.
func TestGoogleTakesWhatGoogleGives(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "voice@a.example", "token_uri": "http://127.0.0.1:1/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "account.json")
	require.NoError(t, os.WriteFile(path, account, 0o600))
	const plain = "speech: {tts: {vendor: google, key_env: G}}\n"
	for name, tt := range map[string]struct {
		ours, theirs string // value of the variable in the process's environment, or in the agent's
		api, asks    bool   // it is an API key; a token is asked for
		bad          bool
	}{
		"an API key":                       {ours: "AIzaSyCanary", api: true},
		"an access token":                  {ours: "ya29.canary"},
		"a service account":                {ours: string(account), asks: true},
		"the path of one":                  {ours: path, asks: true},
		"the path of none":                 {ours: path + ".gone", bad: true},
		"the path of something else":       {ours: os.Args[0], bad: true},
		"an agent's own account":           {theirs: string(account), asks: true},
		"an agent's own path is no file's": {theirs: path},
	} {
		t.Run(name, func(t *testing.T) {
			s := specOf(t, plain)
			c := speechOnly(map[string]string{"G": tt.ours})
			value, ours := tt.ours, true
			if tt.theirs != "" {
				value, ours = tt.theirs, false
			}
			g, err := c.google(s.TTS, credential{value: value, ours: ours})
			if tt.bad {
				require.ErrorIs(t, err, fault.Invalid)
				require.NotContains(t, err.Error(), path)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.api, g.APIKey)
			ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
			defer stop()
			got, err := g.Key(ctx)
			if tt.asks {
				require.ErrorIs(t, err, fault.Unavailable, "nobody is at the token's address")
				require.NotContains(t, err.Error(), "PRIVATE")
				return
			}
			require.NoError(t, err)
			require.Equal(t, value, got)
		})
	}
}

// TestAKeyOfTheAgentIsTheAgents shows whose variable a key is.
func TestAKeyOfTheAgentIsTheAgents(t *testing.T) {
	c := speechOnly(map[string]string{"K": "ours", "ONLY": "ours"})
	s := specOf(t, "env: {K: {value: theirs, secret: true}}\n")
	for name, want := range map[string]credential{"K": {"theirs", false}, "ONLY": {"ours", true}, "NONE": {"", false}} {
		value, ours := c.keyed(s, name)
		require.Equal(t, want, credential{value, ours}, name)
	}
}

// TestAgentsShareAVendor shows that the health of a vendor and its last words are
// one for all agents with one key, and apart for others; what is wrong is told
// with its place.
func TestAgentsShareAVendor(t *testing.T) {
	watched := 0
	c := speechOnly(map[string]string{"A": "a", "B": "b"})
	c.watch = func(*policy.Health) { watched++ }
	for _, text := range []string{
		"speech: {stt: [{vendor: deepgram, key_env: A}], tts: {vendor: elevenlabs, key_env: A, voice: x}}\n",
		"speech: {stt: [{vendor: deepgram, key_env: A}], tts: {vendor: elevenlabs, key_env: A, voice: y}}\n",
		"speech: {stt: [{vendor: deepgram, key_env: B}]}\n",
		"speech: {stt: [{vendor: deepgram, key_env: B, options: {endpointing_ms: 100}}]}\n",
	} {
		s := specOf(t, text)
		_, err := c.speakers("stt", s, s.STT)
		require.NoError(t, err)
		if s.TTS.Provider != "" {
			_, err = c.mouths(s, kept)
			require.NoError(t, err)
		}
	}
	require.Len(t, c.voices, 4)
	require.Equal(t, 4, watched, "each is asked whether it is well once")
	kinds := map[string]int{}
	for _, h := range c.health() {
		kinds[h.Kind]++
	}
	require.Equal(t, map[string]int{"stt": 3, "tts": 1}, kinds)
	s := specOf(t, "speech: {stt: [{vendor: deepgram, key_env: A}, {vendor: cartesia, key_env: GONE}]}\n")
	_, err := c.ears(s)
	require.ErrorIs(t, err, fault.Invalid)
	require.Contains(t, err.Error(), "speech.stt 2: the variable GONE, which holds the key, is not set")
	s = specOf(t, "models: {tts: nobody}\n")
	_, err = c.mouths(s, kept)
	require.Contains(t, err.Error(), `speech.tts: vendor "nobody" is not known; there are builtin, flite, openai,`)
}

// kept keeps no phrases.
func kept(_ string, s provider.Synthesizer) provider.Synthesizer { return s }

// TestEveryVendorTellsWhenItWasVerified shows that doctor can tell of each vendor
// that an agent file may name.
func TestEveryVendorTellsWhenItWasVerified(t *testing.T) {
	told := map[string]bool{}
	for _, v := range SpeechVerified() {
		told[v.Vendor] = true
		if v.Last != "never" {
			_, err := time.Parse(time.DateOnly, v.Last)
			require.NoError(t, err, v.Vendor)
		}
	}
	for _, v := range agent.SpeechVendors() {
		if !v.Inside && !v.Needs {
			require.True(t, told[v.Name], "%s", v.Name)
		}
	}
}

// A turn of a model that hears and speaks is priced by the name that stands in
// the journal.
func TestRealtimeVendorsAreCalledAsTheFileKnowsThem(t *testing.T) {
	for _, vendor := range agent.RealtimeVendors() {
		s := specOf(t, "speech: {realtime: {vendor: "+vendor+", base_url: 'http://127.0.0.1:1'}}\n")
		m, err := speechOnly(nil).duplexModel(s, s.Realtime)
		require.NoError(t, err)
		name, _ := m.About()
		require.Equal(t, agent.RealtimeName(vendor), name)
	}
}
