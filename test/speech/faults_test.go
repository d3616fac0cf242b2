package speech_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/engine/provider"
	"flametree/engine/provider/flite"
	"flametree/engine/provider/pocketsphinx"
	"flametree/engine/provider/speechtest"
	"flametree/media/resample"
	"flametree/test/telephony"
)

// mishap befalls the first vendor of an agent.
type mishap struct {
	vendor, second string
	kind           speechtest.Kind
	seed           int
	times          int    // how many connections it befalls; 0 = 1
	fault          string // what the journal says of it; "" = nobody is replaced
	welcome        string // in place of hello
}

func (m mishap) befall(v *vendor) {
	for range max(1, m.times) {
		v.Trouble(speechtest.Trouble{Kind: m.kind, Seed: m.seed})
	}
}

// run makes an agent for each mishap and a call for each agent.
func run(t *testing.T, role string, all map[string]mishap, call func(c *caller, welcome string)) {
	t.Helper()
	var agents []string
	var vendors []*vendor
	first := map[string]*vendor{}
	alias := func(name string) string { return strings.ReplaceAll(name, " ", "-") }
	for name, m := range all {
		bad, good := hire(t, m.vendor), hire(t, m.second)
		first[name] = bad
		vendors = append(vendors, bad, good)
		stt, tts := []string{good.line}, []string{good.voiceLine()}
		if role == "stt" {
			stt = []string{bad.line, good.line, "builtin"}
		} else {
			tts = []string{bad.voiceLine(), good.voiceLine(), "builtin"}
		}
		text := file(alias(name), stt, tts, "")
		if m.welcome != "" {
			// The greeting may be kept from when the vendor was well; the answer is long
			// enough that its length cannot be right.
			text = strings.Replace(text, "welcome_message: Hello.", "welcome_message: "+m.welcome+".", 1)
			text = strings.Replace(text, "answer: We open at nine.", "answer: We open at nine and we close at six in the evening.", 1)
		}
		agents = append(agents, text)
	}
	o := open(t, agents, vendors...)
	t.Run("calls", func(t *testing.T) {
		for name, m := range all {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m.befall(first[name])
				c := dial(t, o, alias(name), "caller-"+alias(name))
				call(c, cmp.Or(m.welcome, hello))
				c.ends()
				c.changed(role, m)
			})
		}
	})
	text := metrics(t, o)
	for name, m := range all {
		if m.fault != "" {
			require.Contains(t, text, fmt.Sprintf("flametree_voice_provider_fallback_total{from=%q,kind=%q,to=%q}", first[name].name, role, m.second))
		}
	}
}

// changed compares what the journal tells with what befell the vendor.
func (c *caller) changed(role string, m mishap) {
	c.t.Helper()
	got := c.changes()
	if m.fault == "" {
		require.Empty(c.t, got)
		return
	}
	require.Len(c.t, got, 1, "%+v", got)
	vendor, _, _ := strings.Cut(m.vendor, " ")
	require.Equal(c.t, event.CallSpeechChanged{Role: role, From: vendor, To: m.second, Fault: got[0].Fault, Offset: got[0].Offset}, got[0])
	require.True(c.t, strings.HasPrefix(got[0].Fault, m.fault+": "), "%q is to be %s", got[0].Fault, m.fault)
	require.NotContains(c.t, got[0].Fault, question)
}

// TestARecogniserFailsInTheMiddleOfACall lets a recogniser fail while the caller
// speaks: what was said reaches the next one out of the ring, once and whole, and
// the caller hears the answer.
func TestARecogniserFailsInTheMiddleOfACall(t *testing.T) {
	t.Parallel()
	run(t, "stt", map[string]mishap{
		"the socket dies":           {"deepgram", "elevenlabs", speechtest.Dies, 2, 0, "unavailable", ""},
		"it hangs up":               {"cartesia", "deepgram", speechtest.HangsUp, 1, 0, "unavailable", ""},
		"it drips":                  {"elevenlabs", "deepgram", speechtest.Drips, 0, 0, "", ""},
		"it repeats finals":         {"deepgram", "elevenlabs", speechtest.Repeats, 0, 0, "", ""},
		"it goes silent":            {"azure", "deepgram", speechtest.Silent, 2, 0, "unavailable", ""},
		"it talks rubbish":          {"elevenlabs", "deepgram", speechtest.BadJSON, 2, 0, "unavailable", ""},
		"429 in the middle":         {"deepgram", "cartesia", speechtest.Throttled, 2, 0, "exhausted", ""},
		"401 in the middle":         {"elevenlabs", "deepgram", speechtest.Expelled, 2, 0, "denied", ""},
		"401 at the door":           {"deepgram", "azure", speechtest.Refuse, 0, 9, "denied", ""},
		"429 of a request":          {"openai", "deepgram", speechtest.TooMany, 0, 9, "exhausted", ""},
		"a request that is cut off": {"google", "deepgram", speechtest.Dies, 0, 9, "unavailable", ""},
	}, func(c *caller, welcome string) {
		c.hears(welcome, 6*time.Second)
		c.asks(question)
		begun := time.Now()
		c.getsAnswered(question, answer, 25*time.Second)
		c.t.Logf("figure: the answer is heard %v after the question", time.Since(begun).Round(100*time.Millisecond))
		c.understands(question)
	})
}

// TestAVoiceFailsInTheMiddleOfACall lets a voice fail while it speaks: the clause
// that broke off is said again by the next one.
func TestAVoiceFailsInTheMiddleOfACall(t *testing.T) {
	t.Parallel()
	run(t, "tts", map[string]mishap{
		"the socket dies":     {"elevenlabs", "deepgram", speechtest.Dies, 1, 0, "unavailable", ""},
		"it goes silent":      {"deepgram", "cartesia", speechtest.Silent, 2, 0, "unavailable", ""},
		"it gives no sound":   {"openai", "deepgram", speechtest.Mute, 0, 9, "unavailable", ""},
		"zero bytes":          {"deepgram", "elevenlabs", speechtest.Mute, 0, 9, "unavailable", ""},
		"it has a wrong rate": {"elevenlabs", "deepgram", speechtest.WrongRate, 0, 9, "unavailable", "welcome to the museum of the north"},
		"429 in the middle":   {"cartesia", "deepgram", speechtest.Throttled, 1, 0, "exhausted", ""},
		"401 in the middle":   {"deepgram", "azure", speechtest.Expelled, 2, 0, "denied", ""},
		"401 at the door":     {"azure", "deepgram", speechtest.Refuse, 0, 9, "denied", ""},
		"it is down":          {"google", "elevenlabs", speechtest.Down, 0, 9, "unavailable", ""},
	}, func(c *caller, welcome string) {
		begun := time.Now()
		c.hears(welcome, 12*time.Second)
		c.t.Logf("figure: the greeting is heard after %v", time.Since(begun).Round(100*time.Millisecond))
		c.asks(question)
		c.hears(answer, 25*time.Second)
		c.understands(question)
	})
}

// TestTheBuiltInSpeechIsTheLastResort lets all vendors of an agent fail for good:
// a person with a voice is understood all the same, and answered in words that a
// recogniser understands.
func TestTheBuiltInSpeechIsTheLastResort(t *testing.T) {
	t.Parallel()
	var vendors []*vendor
	var stt, tts []string
	for _, name := range []string{"deepgram", "cartesia"} {
		v := hire(t, name)
		vendors = append(vendors, v)
		stt, tts = append(stt, v.line), append(tts, v.voiceLine())
	}
	o := open(t, []string{file("last", append(stt, "builtin"), append(tts, "{vendor: builtin, voice: rms}"), "")}, vendors...)
	for _, v := range vendors {
		mishap{kind: speechtest.Down, times: 60}.befall(v)
	}
	begun := time.Now()
	c := dial(t, o, "last", "caller-last")
	quietly(c)
	t.Logf("figure: greeted after %v", time.Since(begun).Round(10*time.Millisecond))
	got := ""
	for range 4 { // a phone of a busy machine speaks with holes: it asks again
		c.Say(human(t, question))
		from, turns := len(c.Sound()), len(c.understood())
		require.Eventually(t, func() bool { return len(c.understood()) > turns }, 20*time.Second, 20*time.Millisecond, "the caller is understood")
		c.Listen(150)
		if got = words(t, c.Sound()[from:]); strings.Contains(got, "nine") {
			break
		}
	}
	t.Logf("understood %q; the answer sounds like %q", c.understood(), got)
	require.Contains(t, strings.Join(c.understood(), " "), "open")
	require.Contains(t, got, "nine")
	to := map[string]bool{}
	for _, x := range c.changes() {
		to[x.Role+" "+x.To] = true
	}
	require.True(t, to["stt builtin"] && to["tts builtin"], "%v", c.changes())
	c.ends()
}

// quietly waits for the greeting of a voice that is no tone, and its end.
func quietly(c *caller) {
	c.t.Helper()
	loud := func(pcm []int16) bool {
		sum := 0.0
		for _, v := range pcm {
			sum += float64(v) * float64(v)
		}
		return sum/float64(max(1, len(pcm))) > 200*200
	}
	spoke := false
	for range 60 { // of 200 ms
		if l := loud(c.Listen(10)); spoke && !l {
			c.Listen(20)
			return
		} else if l {
			spoke = true
		}
	}
	c.t.Fatal("no greeting is heard")
}

// human is a person's voice.
func human(t *testing.T, text string) []int16 {
	t.Helper()
	y, err := flite.New(flite.Options{Voice: "awb"})
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	s, err := y.Open(ctx, provider.Voice{})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, s.Speak(text, 1, 1))
	var pcm []int16
	for a, err := range s.Audio() {
		require.NoError(t, err)
		part, err := resample.All(a.PCM, a.RateHz, telephony.LineHz)
		require.NoError(t, err)
		if pcm = append(pcm, part...); a.Last {
			break
		}
	}
	return pcm
}

// words are what a recogniser of its own makes of sound.
func words(t *testing.T, pcm []int16) string {
	t.Helper()
	ears := pocketsphinx.New(pocketsphinx.Options{Dir: t.TempDir()})
	wide, err := resample.All(pcm, telephony.LineHz, 16000)
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	s, err := ears.Open(ctx, provider.Format{RateHz: 16000, BandHz: 8000, Hints: provider.Hints{Key: "judge", Texts: []string{"We open at nine.", "We live in a lane.", "Hello."}}})
	require.NoError(t, err)
	require.NoError(t, s.Write(wide))
	require.NoError(t, s.Finalize())
	require.NoError(t, s.CloseSend())
	var out []string
	for h, err := range s.Heard() {
		require.NoError(t, err)
		if h.Final {
			out = append(out, h.Text)
		}
	}
	return strings.Join(out, " ")
}
