package agent

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/event"
)

const whoSpeaks = `name: Clerk
type: inbound_voice
knowledge: {core: We open at nine.}
`

// TestSpeechIsNamedInItsOrder reads the lists of an agent file: the first is the
// one, the others take its place in their order.
func TestSpeechIsNamedInItsOrder(t *testing.T) {
	s, notes, err := Parse([]byte(whoSpeaks + `speech:
  languages: [en, de-AT]
  stt:
    - {vendor: deepgram, model: nova-3, language: multi, key_env: DG, options: {endpointing_ms: 200}}
    - {vendor: Azure, key_env: AZ, options: {region: westeurope}}
    - builtin
  tts:
    - vendor: elevenlabs
      key_env: EL
      voice: 21m00Tcm4TlvDq8ikWAM
      voices: {de: pNInz6obpgDQGcFmaJgB}
      rate: 1.1
    - {vendor: openai_compatible, base_url: "http://voices.example/v1", model: kokoro}
    - {vendor: flite, voice: rms}
`))
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Equal(t, []string{"en", "de-AT"}, s.Languages)
	require.Equal(t, "en", s.Settings.Language, "it begins in the first")
	require.Equal(t, "deepgram", s.STT.Provider)
	require.Equal(t, "multi", s.STT.Speech.Language)
	require.Equal(t, "200", s.STT.Speech.Option("endpointing_ms"))
	require.Len(t, s.STT.Fallback, 2)
	require.Equal(t, "westeurope", s.STT.Fallback[0].Speech.Option("region"))
	require.Equal(t, "builtin", s.STT.Fallback[1].Provider)
	require.Equal(t, Speech{Voice: "21m00Tcm4TlvDq8ikWAM", Voices: []event.Pair{{Key: "de", Value: "pNInz6obpgDQGcFmaJgB"}}, Rate: 1.1}, s.TTS.Speech)
	require.Len(t, s.TTS.Fallback, 2)
	require.Equal(t, "rms", s.TTS.Fallback[1].Speech.Voice)
}

// TestOneWhoSpeaksMayStandAlone reads the short forms, and those under models.
func TestOneWhoSpeaksMayStandAlone(t *testing.T) {
	for name, text := range map[string]string{
		"a name":         "speech: {stt: builtin, tts: flite}\n",
		"a mapping":      "speech: {stt: {vendor: builtin}, tts: {provider: flite}}\n",
		"under models":   "models: {stt: builtin, tts: flite}\n",
		"a fallback too": "models:\n  stt: {provider: builtin, fallback: [pocketsphinx]}\n  tts: {provider: flite, fallback: builtin}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s, notes, err := Parse([]byte(whoSpeaks + text))
			require.NoError(t, err)
			require.Empty(t, notes)
			require.Equal(t, "builtin", s.STT.Provider)
			require.Equal(t, "flite", s.TTS.Provider)
		})
	}
}

// TestFaultsOfSpeechTellTheirPlace names what a vendor does not have, where it
// stands, and what was meant.
func TestFaultsOfSpeechTellTheirPlace(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a vendor that is unknown":       {"  stt: [deepgrem]\n", `5:9: stt: the vendor must be one of builtin, pocketsphinx, openai, openai_compatible, deepgram, elevenlabs, cartesia, azure, google, this is "deepgrem", did you mean "deepgram"?`},
		"one who cannot hear":            {"  stt: flite\n", "5:8: flite speaks and does not hear: name it under tts"},
		"one who cannot speak":           {"  tts: {vendor: pocketsphinx}\n", "pocketsphinx hears and does not speak: name it under stt"},
		"no vendor":                      {"  tts: {voice: rms}\n", "tts needs a vendor"},
		"no key":                         {"  stt: {vendor: cartesia}\n", "5:17: cartesia needs key_env: the name of the variable that holds the key"},
		"the key itself":                 {"  stt: {vendor: cartesia, key_env: sk-canary-1}\n", "key_env must name an environment variable"},
		"no address":                     {"  tts: openai_compatible\n", "openai_compatible needs a base_url"},
		"no region":                      {"  stt: {vendor: azure, key_env: K}\n", "azure needs the option region"},
		"no project":                     {"  stt: {vendor: google, key_env: K}\n", "google needs the option project"},
		"an option of another":           {"  stt: {vendor: azure, key_env: K, options: {regoin: x}}\n", `azure has no option "regoin" here; there is region, did you mean "region"?`},
		"an option where there is none":  {"  tts: {vendor: deepgram, key_env: K, options: {region: x}}\n", `deepgram has no option "region" here`},
		"an option that is no number":    {"  stt: {vendor: deepgram, key_env: K, options: {endpointing_ms: soon}}\n", "endpointing_ms must be milliseconds"},
		"a voice there is not":           {"  tts: {vendor: flite, voice: rns}\n", `5:31: flite has no voice "rns"; there is slt, rms, awb, kal16, did you mean "rms"?`},
		"a voice that cannot be":         {"  tts: {vendor: google, key_env: K, voice: Charon}\n", `a voice of google is named like en-US-Neural2-F, this is "Charon"`},
		"a voice of another language":    {"  tts: {vendor: azure, key_env: K, options: {region: x}, voices: {de: en-US-JennyNeural}}\n", `the voice "en-US-JennyNeural" speaks en, not de`},
		"a language there is not":        {"  tts: {vendor: azure, key_env: K, options: {region: x}, language: zz-ZZ}\n", "zz-ZZ"},
		"a language that is not spoken":  {"  stt: {vendor: builtin, language: de}\n", "builtin knows English only, not de"},
		"a language of nobody":           {"  languages: [en, klingon-1]\n", "a language must be a language tag such as en or pt-BR"},
		"a language twice":               {"  languages: [en, en]\n", "the language en is listed already"},
		"a rate that is none":            {"  tts: {vendor: flite, rate: fast}\n", "rate must be a number from 0.25 to 4"},
		"a key for what needs none":      {"  tts: {vendor: flite, key_env: K}\n", "flite is part of this program: it has neither key_env nor base_url"},
		"an address that is none":        {"  tts: {vendor: deepgram, base_url: \"ftp://x\"}\n", "base_url must be an http or https address"},
		"the same under models as well":  {"  stt: builtin\nmodels:\n  stt: builtin\n", "7:8: stt stands under models and under speech: name it in one place"},
		"a token address that is none":   {"  tts: {vendor: google, key_env: K, options: {token_url: here}}\n", "token_url must be an http or https address"},
		"more than one thing in a voice": {"  tts: {vendor: flite, voices: {en: [a]}}\n", "must be a text"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Parse([]byte(whoSpeaks + "speech:\n" + tt.text))
			require.Error(t, err)
			assert.Contains(t, err.Error(), tt.want)
			assert.NotContains(t, err.Error(), "canary")
		})
	}
}

// TestAStrangeVoiceIsWarnedOf lets voices pass that a vendor may have added.
func TestAStrangeVoiceIsWarnedOf(t *testing.T) {
	_, notes, err := Parse([]byte(whoSpeaks + "speech:\n  tts: {vendor: openai, key_env: K, voice: alloi}\n"))
	require.NoError(t, err)
	require.Len(t, notes, 1)
	require.Contains(t, notes[0].Text, `did you mean "alloy"`)
}

// TestLanguagesAnAgentSpeaks finds the language that a tag means.
func TestLanguagesAnAgentSpeaks(t *testing.T) {
	s := &Spec{Languages: []string{"en-GB", "de", "pt-BR"}}
	for tag, want := range map[string]string{"de": "de", "DE-at": "de", "en": "en-GB", "pt": "pt-BR", "fr": "", "": ""} {
		got, ok := s.Speaks(tag)
		assert.Equal(t, want, got, tag)
		assert.Equal(t, want != "", ok, tag)
	}
	_, ok := (&Spec{}).Speaks("de")
	assert.False(t, ok, "an agent without a list speaks English")
}

// TestNoKeyIsInAFaultOfSpeech writes a key wherever a name may stand: no message
// may repeat it.
func TestNoKeyIsInAFaultOfSpeech(t *testing.T) {
	const key = "sk-canary-0123456789abcdef"
	for _, text := range []string{"  stt: {vendor: deepgram, key_env: " + key + "}\n", "  tts: [{vendor: azure, key_env: " + key + ", options: {region: x}}]\n"} {
		_, notes, err := Parse([]byte(whoSpeaks + "speech:\n" + text))
		require.Error(t, err)
		require.NotContains(t, err.Error(), key)
		for _, n := range notes {
			require.False(t, strings.Contains(n.Text, key))
		}
	}
}
