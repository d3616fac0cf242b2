package agents_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider/vendortest"
	"flametree/test/house"
)

const guideFile = `name: Guide
type: inbound_text
identity: You show people round.
welcome_message: Welcome.
knowledge:
  core: The museum opens at ten.
`

// plainTalk offers the model nothing but the two tools that every vendor can be told of.
const plainTalk = `workflow:
  - process_name: Tour
    name: Tour
    kind: StateConfig
    init_state: true
    description: Answer what is asked.
    available_tools:
      SingleStatefulOutboundAgent: [SendChatMessage, FinishSession]
`

// guide writes an agent that runs on some models, given as YAML behind "llm:".
func (f folder) guide(llm, more string) string {
	return f.write("guide.yaml", guideFile+"models:\n  llm: "+llm+"\n"+more)
}

// sayer is a vendor's server that gives one answer to the question of these
// tests; what else it is asked, such as whether it is well, it answers anyhow.
type sayer struct {
	*vendortest.Server
	text  string
	asked atomic.Int32
}

const question = "When do you open?"

func (s *sayer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if bytes.Contains(body, []byte(question)) {
		s.asked.Add(1)
		s.Then(vendortest.Reply{Text: []string{s.text}})
	}
	s.Server.ServeHTTP(w, r)
}

func saying(t testing.TB, s *vendortest.Server, text string) (*sayer, string) {
	t.Helper()
	out := &sayer{Server: s, text: text}
	url, _ := vendortest.Local(t, out)
	return out, url
}

// troubled is a server that fails again and again.
func troubled(t testing.TB, k vendortest.Kind) (s *sayer, url string) {
	t.Helper()
	s, url = saying(t, vendortest.OpenAI(""), "Nobody hears this.")
	for range 100 {
		s.Trouble(vendortest.Trouble{Kind: k})
	}
	return s, url
}

// TestAnAgentAnswersOnEachVendorsModel speaks with local servers that know what
// the vendors published, through the list of allowed addresses, with a key from
// the process's environment that nobody sees again.
func TestAnAgentAnswersOnEachVendorsModel(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		server         *vendortest.Server
		provider, path string
	}{
		"openai":            {vendortest.OpenAI(vendortest.Key), "openai", "/v1"},
		"openai compatible": {vendortest.OpenAI(vendortest.Key), "openai_compatible", "/v1"},
		"vllm":              {&vendortest.Server{}, "vllm", "/v1"},
		"anthropic":         {vendortest.Anthropic(vendortest.Key), "anthropic", ""},
		"gemini":            {vendortest.Gemini(vendortest.Key), "gemini", ""},
	} {
		if name == "vllm" {
			tt.server = vendortest.OpenAI(vendortest.Key)
			tt.server.Style = vendortest.RepeatsNames
		}
		t.Run(name, func(t *testing.T) {
			s, url := saying(t, tt.server, "The museum opens at ten o'clock.")
			o := serve(t, house.Options{Env: []string{"MUSEUM_KEY=" + vendortest.Key}}, url)
			a := o.save(newFolder(t).guide("{provider: "+tt.provider+", base_url: "+url+tt.path+", model: m-1, key_env: MUSEUM_KEY}", plainTalk))
			d := o.talk(a)
			said := d.says(question)
			require.Empty(t, s.Refused())
			require.Equal(t, "The museum opens at ten o'clock.", said)
			require.Empty(t, s.Refused())
			require.Equal(t, int32(1), s.asked.Load(), "one question is one request")
			answered := d.trace().Turns[1].Models[0]
			require.Empty(t, answered.Fault)
			require.Equal(t, tt.provider, answered.Attempts[0].Provider)
			for _, e := range house.Journal(t, o.Data) {
				require.NotContains(t, e.Raw, vendortest.Key)
			}
			require.NotContains(t, o.Log(), vendortest.Key)
		})
	}
}

// TestAModelInsideTheHouseIsNotReachedUnlessAllowed points an agent at an
// address on loopback that nobody allowed: it is not even dialled, and the
// customer gets words.
func TestAModelInsideTheHouseIsNotReachedUnlessAllowed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var dialled atomic.Int32
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			dialled.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	o := serve(t, house.Options{})
	a := o.save(newFolder(t).guide("{provider: openai_compatible, base_url: http://"+l.Addr().String()+"/v1, model: m}",
		"env:\n  REPHRASING_IT_TEXT: Please say that again.\n"))
	d := o.talk(a)
	require.Equal(t, "Please say that again.", d.says(question))
	require.Contains(t, d.trace().Turns[1].Models[0].Attempts[0].Fault, "denied")
	require.Zero(t, dialled.Load(), "the address was dialled")
}

// TestTheNextModelOfTheListAnswers lets the first one fail: the customer does
// not notice, the trace tells.
func TestTheNextModelOfTheListAnswers(t *testing.T) {
	t.Parallel()
	first, a := troubled(t, vendortest.Internal)
	second, b := saying(t, vendortest.Anthropic(vendortest.Key), "The second one speaks.")
	o := serve(t, house.Options{Env: []string{"MUSEUM_KEY=" + vendortest.Key}}, a, b)
	d := o.talk(o.save(newFolder(t).guide("\n    provider: openai_compatible\n    base_url: "+a+"/v1\n    model: m-1\n"+
		"    fallback:\n      - {provider: anthropic, base_url: "+b+", model: m-2, key_env: MUSEUM_KEY}", "")))
	require.Equal(t, "The second one speaks.", d.says(question))
	tries := d.trace().Turns[1].Models[0].Attempts
	require.Len(t, tries, 2)
	require.Equal(t, "m-1", tries[0].Model)
	require.Contains(t, tries[0].Fault, "500")
	require.Equal(t, "m-2", tries[1].Model)
	require.Empty(t, tries[1].Fault)
	require.Positive(t, first.asked.Load())
	require.Empty(t, second.Refused())
}

// TestAModelThatStaysSilentIsNotWaitedFor sets how long the first word may take:
// the next model is asked then, long before what holds without the variable.
func TestAModelThatStaysSilentIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	_, a := troubled(t, vendortest.Silent)
	_, b := saying(t, vendortest.OpenAI(""), "The second one speaks.")
	o := serve(t, house.Options{}, a, b)
	d := o.talk(o.save(newFolder(t).guide("\n    provider: openai_compatible\n    base_url: "+a+"/v1\n    model: m-1\n"+
		"    fallback:\n      - {provider: openai_compatible, base_url: "+b+"/v1, model: m-2}", "env:\n  LLM_FIRST_TOKEN_TIMEOUT_MS: 200\n")))
	begun := time.Now()
	require.Equal(t, "The second one speaks.", d.says(question))
	require.Less(t, time.Since(begun), 8*time.Second, "ten seconds hold where the variable is not set")
	tries := d.trace().Turns[1].Models[0].Attempts
	require.Len(t, tries, 2)
	require.NotEmpty(t, tries[0].Fault)
	t.Logf("figure: answer after %v, the first model was given 200 ms", time.Since(begun).Round(time.Millisecond))
}

// TestWhereNoModelAnswersTheCustomerGetsWords has all models fail: the agent
// says its sentence for that, and hands over where it may.
func TestWhereNoModelAnswersTheCustomerGetsWords(t *testing.T) {
	t.Parallel()
	_, url := troubled(t, vendortest.Internal)
	o, f := serve(t, house.Options{}, url), newFolder(t)
	llm := "{provider: openai_compatible, base_url: " + url + "/v1, model: m}"
	words := "env:\n  REPHRASING_IT_TEXT: Please say that again.\n  OPERATOR_UNAVAILABLE_TEXT: Somebody will answer you here.\n"
	d := o.talk(o.save(f.guide(llm, words)))
	r := d.chat.MustSay(t, d.id, question)
	require.Equal(t, "Please say that again.", r.Text)
	require.NotEmpty(t, d.trace().Turns[1].Models[0].Fault)

	out := o.must("agent", "save", f.write("helped.yaml", "handoff: {allow: true}\n"+guideFile+"models:\n  llm: "+llm+"\n"+words), "--agent", "Guide")
	require.Contains(t, out, "revision 2, live")
	d = o.talk(house.Agent{ID: d.chat.Agent, Token: d.chat.Token})
	r = d.chat.MustSay(t, d.id, question)
	require.NotEmpty(t, r.Text, "never an empty answer")
	require.Equal(t, "OPERATOR", r.Mode)
}

// TestAKeyThatIsNotSetIsToldWhenTheAgentIsSaved and not when a customer writes.
func TestAKeyThatIsNotSetIsToldWhenTheAgentIsSaved(t *testing.T) {
	t.Parallel()
	o, f := serve(t, house.Options{}), newFolder(t)
	require.Contains(t, o.refused("agent", "save", f.guide("{provider: openai, model: m, key_env: NOBODY_SET_THIS}", "")), "NOBODY_SET_THIS")
	require.Contains(t, o.refused("agent", "save", f.guide("{provider: vllm, model: m}", "")), "needs a base_url")
	require.Contains(t, o.refused("agent", "save", f.guide("{provider: oracle, model: m}", "")), "there are builtin, openai")
	require.NotContains(t, o.must("agent", "list"), "Guide")
}
