package speech_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider/speechtest"
	"flametree/test/telephony"
)

// TestALanguageChangesInTheMiddleOfACall sets the language of a conversation by
// the API while its caller is on the line: the recogniser is opened for German,
// the voice is the German one of the agent's file, and the call goes on.
func TestALanguageChangesInTheMiddleOfACall(t *testing.T) {
	t.Parallel()
	ears, mouth := hire(t, "deepgram"), hire(t, "deepgram")
	voice := strings.Replace(mouth.voiceLine(), "}", ", voice: aura-2-thalia-en, voices: {de: aura-2-viktoria-de}}", 1)
	o := open(t, []string{file("polyglot", []string{ears.line}, []string{voice}, "  languages: [en, de]")}, ears, mouth)
	c := dial(t, o, "polyglot", "caller-polyglot")
	c.hears(hello, 10*time.Second)
	require.Equal(t, "en", ears.Asked().Get("language"))
	require.Equal(t, "aura-2-thalia-en", mouth.Asked().Get("model"))
	setLanguage(t, o, c.session, "de")
	require.Eventually(t, func() bool {
		return ears.Asked().Get("language") == "de" && mouth.Asked().Get("model") == "aura-2-viktoria-de"
	}, 10*time.Second, 10*time.Millisecond, "both are opened for German: %v, %v", ears.Asked(), mouth.Asked())
	c.asks(inGerman)
	require.Eventually(t, func() bool { return len(c.understood()) > 0 }, 15*time.Second, 20*time.Millisecond, "German is understood")
	c.understands(inGerman)
	said := len(mouth.Said())
	require.Eventually(t, func() bool { return len(mouth.Said()) > said || said > 2 }, 10*time.Second, 20*time.Millisecond, "it is answered")
	require.Empty(t, c.changes(), "nobody failed")
	c.ends()
}

// setLanguage changes a session by the Chat API.
func setLanguage(t *testing.T, o *telephony.Office, session, tag string) {
	t.Helper()
	a := o.Agents()[0]
	url := fmt.Sprintf("http://%s/chatbot/%s/session/%s", o.Addresses().HTTP, a.ID, session)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(`{"language":"`+tag+`"}`))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+a.Token)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// TestTheTimesOfWordsDecideWhatWasHeard interrupts a long answer of a voice that
// tells times of words: the journal has what the sound held until then.
func TestTheTimesOfWordsDecideWhatWasHeard(t *testing.T) {
	t.Parallel()
	ears, mouth := hire(t, "deepgram"), hire(t, "cartesia")
	text := strings.Replace(file("teller", []string{ears.line}, []string{mouth.voiceLine()}, ""), "answer: We open at nine.",
		"answer: We open at nine and we close at six but on the day of the fair we stay until the last guest is gone.", 1)
	o := open(t, []string{text}, ears, mouth)
	c := dial(t, o, "teller", "caller-teller")
	c.hears(hello, 10*time.Second)
	c.asks(question)
	c.hears("we open at nine and we close", 12*time.Second)
	c.Say(speechtest.TonesOf("when do you open", telephony.LineHz))
	line := spoken(c)
	require.True(t, line.Interrupted)
	heard := c.heard()
	at := strings.LastIndex(line.Text.Text, " ")
	require.Positive(t, at, line.Text.Text)
	t.Logf("in the journal %q; heard %q", line.Text.Text, heard)
	said := strings.ToLower(strings.Trim(line.Text.Text, ".…, "))
	require.LessOrEqual(t, speechtest.Apart(said, heard, true), len(said)/5, "what the journal holds was heard")
	require.Less(t, len(line.Text.Text), len(line.Full.Text))
	words := len(strings.Fields(heard)) - len(strings.Fields(hello)) - len(strings.Fields(said))
	if c.starved { // it heard more than one answer
		words = 0
	}
	require.LessOrEqual(t, words, 4, "and no more than a few words beyond it")
	c.Bye()
}
