package agent

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/engine/fault"
)

func TestRealtimeIsRead(t *testing.T) {
	file := "name: A\ntype: inbound_voice\nspeech:\n  realtime: "
	for name, c := range map[string]struct {
		text string
		want Model
		why  string
	}{
		"openai": {
			text: "{vendor: OpenAI, model: gpt-realtime, voice: marin, key_env: KEY, options: {transcribe: whisper-1}}",
			want: Model{Provider: "openai", Model: "gpt-realtime", KeyEnv: "KEY", Speech: Speech{Voice: "marin", Options: []event.Pair{{Key: "transcribe", Value: "whisper-1"}}}},
		},
		"a server of one's own": {text: "{vendor: gemini, base_url: 'http://127.0.0.1:1'}", want: Model{Provider: "gemini", BaseURL: "http://127.0.0.1:1"}},
		"prices of text and of sound": {
			text: "{vendor: openai, key_env: KEY, price: {input: 4, output: 16, audio_input: 32, audio_output: 64}}",
			want: Model{Provider: "openai", KeyEnv: "KEY", Price: Price{Input: 4, Output: 16, AudioInput: 32, AudioOutput: 64}},
		},
		"a price that is none": {text: "{vendor: openai, key_env: KEY, price: {audio_input: dear}}", why: "audio_input must be what a million tokens cost"},
		"a stranger":           {text: "{vendor: nobody, key_env: KEY}", why: `must be openai or gemini, this is "nobody"`},
		"no vendor":            {text: "{key_env: KEY}", why: "realtime needs a vendor"},
		"no key":               {text: "{vendor: openai}", why: "openai needs key_env"},
		"an option it has not": {text: "{vendor: gemini, key_env: KEY, options: {transcribe: x}}", why: `no option "transcribe"`},
		"a key in the file":    {text: "{vendor: openai, key: sk-1}", why: "key"},
	} {
		rev, _, err := Compile("a", 1, []byte(file+c.text+"\n"))
		if c.why != "" {
			require.ErrorIs(t, err, fault.Invalid, name)
			require.Contains(t, err.Error(), c.why, name)
			require.Contains(t, err.Error(), " 4:", name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.want, rev.Spec.Realtime, name)
	}
}
