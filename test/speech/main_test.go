package speech_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/event"
	"flametree/engine/provider/speechtest"
	"flametree/test/telephony"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Calls wait for sound most of the time.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/asynkron/protoactor-go/cluster.(*Gossiper).StartGossiping.NewThrottle.func3.1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// What is said on every call.
const (
	hello    = "hello"
	question = "when do you open"
	answer   = "we open at nine"
	repeat   = "could you put it in other words"
	inGerman = "wann macht ihr auf"
)

// vendor is a local server and how an agent file names it.
type vendor struct {
	*speechtest.Server
	name string
	line string // of stt or tts
	url  string
}

// hire starts the server of a vendor.
func hire(t *testing.T, name string) *vendor {
	t.Helper()
	v := &vendor{name: name}
	more := ""
	switch name {
	case "deepgram":
		v.Server = speechtest.Deepgram()
	case "elevenlabs":
		v.Server = speechtest.ElevenLabs()
	case "cartesia":
		v.Server = speechtest.Cartesia()
	case "azure":
		v.Server = speechtest.Azure()
	case "google":
		v.Server, more = speechtest.Google(), ", options: {project: a-project}"
	case "openai":
		v.Server = speechtest.OpenAI()
	case "openai live":
		v.Server, more = speechtest.OpenAI(), ", options: {live: true}"
	}
	v.Tones, v.Knows = true, []string{question, inGerman}
	v.url = speechtest.Local(t, v.Server)
	v.name, _, _ = strings.Cut(name, " ")
	v.line = fmt.Sprintf("{vendor: %s, base_url: %q, key_env: VENDOR_KEY%s}", v.name, v.url, more)
	return v
}

// voiceLine is how tts names it.
func (v *vendor) voiceLine() string {
	return strings.ReplaceAll(strings.ReplaceAll(v.line, ", options: {project: a-project}", ""), ", options: {live: true}", "")
}

// host is what egress.allow names.
func (v *vendor) host() string { return strings.TrimPrefix(v.url, "http://") }

// file is an agent that hears and speaks through vendors, in their order.
func file(alias string, stt, tts []string, more string) string {
	return fmt.Sprintf(`name: Office %[1]s
alias: %[1]s
type: inbound_voice
identity: You answer for an office.
task: Answer what is asked.
welcome_message: Hello.
knowledge:
  faqs:
    - {question: When do you open?, answer: We open at nine.}
    - {question: Where do you live?, answer: We live in a lane.}
speech:
  stt: [%[2]s]
  tts: [%[3]s]
%[4]s
env:
  VENDOR_KEY: {value: %[5]s, secret: true}
  VOICE_NO_INPUT_TIMEOUT: 60
`, alias, strings.Join(stt, ", "), strings.Join(tts, ", "), more, speechtest.Key)
}

// open starts a server for agents and waits until it has asked every vendor
// whether it is well: what befalls a vendor later befalls a call.
func open(t *testing.T, agents []string, vendors ...*vendor) *telephony.Office {
	t.Helper()
	var allow []string
	for _, v := range vendors {
		allow = append(allow, v.host())
	}
	o := telephony.Open(t, telephony.Plan{
		Agents: agents, Builtin: true, Set: map[string]string{"egress.allow": strings.Join(allow, ","), "metrics": "127.0.0.1:0"},
	})
	for _, v := range vendors {
		require.Eventually(t, func() bool { return v.Opened() > 0 }, time.Minute, 5*time.Millisecond, "%s is asked whether it is well", v.name)
	}
	t.Cleanup(func() {
		require.NotContains(t, o.Log.String(), speechtest.Key)
		for _, e := range o.Events() {
			if _, saved := e.Body.(event.AgentSaved); !saved { // the file itself is sealed
				require.NotContains(t, fmt.Sprintf("%+v", e.Body), speechtest.Key)
			}
		}
		require.NotContains(t, metrics(t, o), speechtest.Key)
	})
	return o
}

// caller is one call that speaks in tones.
type caller struct {
	*telephony.Phone
	t             *testing.T
	o             *telephony.Office
	call, session string
	starved       bool // the machine was too busy for the phone to speak in time
}

func dial(t *testing.T, o *telephony.Office, alias, name string) *caller {
	t.Helper()
	c := &caller{Phone: telephony.NewPhone(t, name, "127.0.0.1"), t: t, o: o}
	require.Equal(t, 200, c.Dial(o.SIP, alias))
	c.call, c.session = o.CallOf(t, name)
	return c
}

// heard is what came in tones so far.
func (c *caller) heard() string {
	l := speechtest.NewToneListener(telephony.LineHz)
	l.Hear(c.Sound())
	return l.Text()
}

// hears waits until text was heard, within a time.
func (c *caller) hears(text string, most time.Duration) {
	c.t.Helper()
	until := time.Now().Add(most)
	for speechtest.Apart(text, c.heard(), true)*5 > len(text) {
		if time.Now().After(until) {
			c.t.Fatalf("%q was not heard within %v, but %q", text, most, c.heard())
		}
		c.Listen(10)
	}
}

// manners is how long a caller lets the line be quiet before it speaks: tones that
// come while the agent's own fade are taken for their echo.
const manners = 35 // frames

// asks says a text in tones, and silence behind it.
func (c *caller) asks(text string) {
	c.t.Helper()
	c.Listen(manners)
	pcm := speechtest.TonesOf(text, telephony.LineHz)
	length := time.Duration(len(pcm)) * time.Second / telephony.LineHz
	for range 3 {
		begun := time.Now()
		c.Say(pcm)
		if time.Since(begun) < length+length/4 {
			return
		}
		c.starved = true // with holes in it nobody would understand it: say it again
		c.t.Logf("figure: %v of speech took %v", length, time.Since(begun).Round(time.Millisecond))
		c.Listen(150)
	}
}

// getsAnswered waits for an answer. Whom the agent asks to say it again, because a
// busy machine was too late with the words, says it again.
func (c *caller) getsAnswered(text, answer string, most time.Duration) {
	c.t.Helper()
	until := time.Now().Add(most)
	for {
		heard := c.heard()
		if speechtest.Apart(answer, heard, true)*5 <= len(answer) {
			return
		}
		if !c.starved && speechtest.Apart(repeat, heard, true)*5 <= len(repeat) {
			c.starved = true
			c.asks(text)
		}
		if time.Now().After(until) {
			c.t.Fatalf("%q was not heard within %v, but %q", answer, most, heard)
		}
		c.Listen(10)
	}
}

// understands checks what was understood of a question: it, and nothing else.
func (c *caller) understands(text string) {
	c.t.Helper()
	got := c.understood()
	if c.starved {
		c.t.Logf("a busy machine cut the question to pieces: %q", got)
		require.NotEmpty(c.t, got)
		return
	}
	require.Equal(c.t, []string{text}, got)
}

// ends hangs up and checks that the call ended as calls should.
func (c *caller) ends() {
	c.t.Helper()
	c.Bye()
	call, session := c.o.Ended(c.t, c.call, c.session)
	require.Equal(c.t, "hangup", call.Reason)
	require.Equal(c.t, event.Completed, session.Status)
}

// understood are the turns of the caller.
func (c *caller) understood() []string {
	var out []string
	for _, e := range c.o.Events() {
		if u, ok := e.Body.(event.UtteranceHeard); ok && e.Stream.ID == c.session {
			out = append(out, u.Text.Text)
		}
	}
	return out
}

// changes are what the journal tells of vendors that failed.
func (c *caller) changes() []event.CallSpeechChanged {
	var out []event.CallSpeechChanged
	for _, e := range c.o.Events() {
		if u, ok := e.Body.(event.CallSpeechChanged); ok && e.Stream.ID == c.call {
			out = append(out, u)
		}
	}
	return out
}

// metrics is what the server counts.
func metrics(t *testing.T, o *telephony.Office) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+o.Addresses().Metrics+"/metrics", nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}
