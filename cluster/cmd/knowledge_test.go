package cmd

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/provider/vendortest"
)

// TestMain makes this binary its own child that reads files.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ingest.Command {
		os.Exit(ingest.Main(os.Args[2:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// owner is a running server with a person at the keyboard.
type owner struct {
	t    *testing.T
	data string
	dir  string
	node *node.Node
}

// serve starts a server with agents of these files, that may reach some hosts.
// Tests here do not run beside each other: a member of a cluster that starts sets
// the process's logger of gRPC.
func serve(t *testing.T, reach string, agents ...string) *owner {
	t.Helper()
	o := &owner{t: t, dir: t.TempDir()}
	data, err := os.MkdirTemp("", "ft") //nolint:usetesting // a socket's path must be short
	require.NoError(t, err)
	o.data = data
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	flags := map[string]string{
		"data": data, "http": "127.0.0.1:0", "sip": "off", "webrtc": "off", "metrics": "off", "disk.low": "16MB", "disk.ballast": "1MB", "egress.allow": reach,
	}
	c, err := config.Load(config.Sources{Flags: flags, Getenv: func(string) string { return "" }})
	require.NoError(t, err)
	var files []node.AgentFile
	for _, a := range agents {
		files = append(files, node.AgentFile{Name: "agent.yaml", Folder: o.dir, Text: []byte(a)})
	}
	o.node, err = node.Start(t.Context(), node.Options{Config: c, Agents: files, Version: "test", Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { o.node.Stop(0) })
	return o
}

func (o *owner) run(args ...string) (code int, out, errs string) {
	o.t.Helper()
	var a, b bytes.Buffer
	code = Main(append([]string{"--data", o.data}, args...), strings.NewReader(""), &a, &b)
	return code, a.String(), b.String()
}

func (o *owner) must(args ...string) string {
	o.t.Helper()
	code, out, errs := o.run(args...)
	require.Zero(o.t, code, "%v\n%s%s", args, out, errs)
	return out
}

func (o *owner) fails(args ...string) string {
	o.t.Helper()
	code, out, errs := o.run(args...)
	require.NotZero(o.t, code, "%v\n%s", args, out)
	return errs
}

func (o *owner) file(name, text string) string {
	o.t.Helper()
	path := filepath.Join(o.dir, name)
	require.NoError(o.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// opens asks to begin a conversation with an agent.
func (o *owner) opens(agent int) (status int, says string) {
	o.t.Helper()
	a := o.node.Agents()[agent]
	r, err := http.NewRequestWithContext(o.t.Context(), http.MethodPost, "http://"+o.node.Addresses().HTTP+"/chatbot/"+a.ID+"/session", strings.NewReader(`{"user_id":"u"}`))
	require.NoError(o.t, err)
	r.Header.Set("Authorization", "Bearer "+a.Token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	require.NoError(o.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(o.t, err)
	return resp.StatusCode, string(body)
}

func host(url string) string { return strings.TrimPrefix(url, "http://") }

const fees = `The harbour of Brack

A berth costs 14 euros per metre and night, electricity included. Guests pay at the office before noon.

The crane lifts 20 tons and costs 80 euros for each boat. It must be booked two days ahead.
`

func TestQuestionsAreWrittenFromAFileShownAndEdited(t *testing.T) {
	model := vendortest.OpenAI("")
	reply := vendortest.Reply{Text: []string{`{"faqs":[
		{"question":"What does a berth cost?","answer":"A berth costs 14 euros per metre and night."},
		{"question":"What does the crane cost?","answer":"It costs 80 euros for each boat."},
		{"question":"What does the sauna cost?","answer":"The sauna costs 7 euros."}]}`}}
	url, _ := vendortest.Local(t, repeats{model, reply})
	o := serve(t, host(url), "name: Harbour\ntype: inbound_text\nknowledge:\n  core: The harbour master is called Jan.\nmodels:\n  llm: {provider: openai_compatible, base_url: "+url+"/v1, model: m-1}\n")
	path, draft := o.file("fees.md", fees), filepath.Join(o.dir, "draft.yaml")

	out := o.must("knowledge", "add", path, "--as-faq", "--agent", "Harbour", "--draft", draft)
	require.Contains(t, out, "writing: 1 of 1 parts read")
	require.Contains(t, out, "1. What does a berth cost?\n     A berth costs 14 euros per metre and night.\n     from: ")
	require.Contains(t, out, "1 answers were left out: no passage of the file supports them")
	require.NotContains(t, out, "sauna")
	require.NotContains(t, o.must("knowledge", "list"), "fees", "a draft is not taken")
	text, err := os.ReadFile(draft)
	require.NoError(t, err)
	require.Contains(t, string(text), "# from: ")
	o.file("draft.yaml", strings.Replace(string(text), "It costs 80", "It costs about 80", 1))
	require.Contains(t, o.must("knowledge", "add", "--faq", draft, "--title", "Edited", "--agent", "Harbour"), `"Edited" is ready: 2 entries`)
	require.Contains(t, o.must("knowledge", "search", "what does the crane cost", "--agent", "Harbour"), "It costs about 80 euros")

	out = o.must("knowledge", "add", path, "--as-faq", "--agent", "Harbour", "--count", "1")
	require.Contains(t, out, `"fees FAQ" is ready: 1 entries`)
	yaml := o.must("knowledge", "faq", "fees FAQ")
	require.Equal(t, "- question: What does a berth cost?\n  answer: A berth costs 14 euros per metre and night.\n", yaml)
	edited := o.file("edited.yaml", yaml+"- question: Who is the harbour master?\n  answer: Jan, since 2019.\n")
	require.Contains(t, o.must("knowledge", "faq", "fees FAQ", "--set", edited), "is ready: 2 entries")
	require.Contains(t, o.must("knowledge", "search", "who is the harbour master", "--agent", "Harbour"), "since 2019")

	broken := o.file("broken.yaml", "- question: Why?\n")
	require.Contains(t, o.fails("knowledge", "faq", "fees FAQ", "--set", broken), "broken.yaml 1:")
	require.Contains(t, o.must("knowledge", "faq", "fees FAQ"), "since 2019", "what cannot be read replaces nothing")
	o.must("knowledge", "add", "--text", "Mooring is free on Sundays.", "--title", "Mooring")
	require.Contains(t, o.fails("knowledge", "faq", "Mooring"), "holds no questions")
}

// repeats answers everything with one reply.
type repeats struct {
	*vendortest.Server
	reply vendortest.Reply
}

func (r repeats) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.Then(r.reply)
	r.Server.ServeHTTP(w, q)
}

func TestWhyNoQuestionsAreWritten(t *testing.T) {
	model := vendortest.OpenAI("")
	url, _ := vendortest.Local(t, repeats{model, vendortest.Reply{Text: []string{"Here are some questions for you!"}}})
	o := serve(t, host(url),
		"name: Harbour\ntype: inbound_text\nknowledge:\n  core: Jan is the harbour master.\n",
		"name: Club\ntype: inbound_text\nknowledge:\n  core: Jan is the harbour master.\nmodels:\n  llm: {provider: openai_compatible, base_url: "+url+"/v1, model: m-1}\n")
	path, empty := o.file("fees.md", fees), o.file("empty.md", " \n")
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no agent":                    {[]string{path, "--as-faq"}, "needs --agent"},
		"an unknown agent":            {[]string{path, "--as-faq", "--agent", "nobody"}, "there is no agent"},
		"an address":                  {[]string{"https://example.com/", "--as-faq", "--agent", "Harbour"}, "takes one FILE"},
		"a file that is not there":    {[]string{path + "x", "--as-faq", "--agent", "Harbour"}, "cannot be opened"},
		"a file without text":         {[]string{empty, "--as-faq", "--agent", "Club"}, "empty.md"},
		"too many":                    {[]string{path, "--as-faq", "--agent", "Club", "--count", "501"}, "1 to 500 questions"},
		"a draft of nothing":          {[]string{path, "--draft", "x.yaml"}, "belong to --as-faq"},
		"a model that keeps no form":  {[]string{path, "--as-faq", "--agent", "Club"}, "fees.md: write questions: part 1 of 1: the model does not keep to the form"},
		"a model that cannot do that": {[]string{path, "--as-faq", "--agent", "Harbour"}, "models.llm"},
	} {
		t.Run(name, func(t *testing.T) {
			o.t = t
			require.Contains(t, o.fails(append([]string{"knowledge", "add"}, c.args...)...), c.says)
		})
	}
	o.t = t
	require.NotContains(t, o.must("knowledge", "list"), "FAQ")
}

func TestAnAgentWithoutASourceOfKnowledgeCannotCommunicate(t *testing.T) {
	o := serve(t, "",
		"name: Empty\ntype: inbound_text\nidentity: You are Lena.\nwelcome_message: Welcome.\n",
		"name: Full\ntype: inbound_text\nidentity: You are Lena.\nwelcome_message: Welcome.\nknowledge:\n  core: The harbour master is called Jan.\n")
	code, says := o.opens(0)
	require.Equal(t, http.StatusConflict, code, says)
	require.Contains(t, says, "has no source of knowledge and cannot communicate")
	require.Contains(t, says, "knowledge connect SOURCE")
	code, says = o.opens(1)
	require.Equal(t, http.StatusOK, code, says)

	o.must("knowledge", "add", "--text", "Mooring is free on Sundays.", "--title", "Mooring", "--agent", "Empty")
	code, says = o.opens(0)
	require.Equal(t, http.StatusOK, code, says)
	o.must("knowledge", "disconnect", "Mooring", "Empty")
	code, _ = o.opens(0)
	require.Equal(t, http.StatusConflict, code)
}

// embeds is a server of embeddings that knows what a dog is in two languages.
type embeds struct {
	mu   sync.Mutex
	down bool
}

func (e *embeds) set(down bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = down
}

func (e *embeds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct{ Input []string }
	_ = json.NewDecoder(r.Body).Decode(&q)
	e.mu.Lock()
	defer e.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if e.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":{"message":"Overloaded."}}`)
		return
	}
	data := []map[string]any{}
	for i, t := range q.Input {
		v := []float64{0, 0, 0.1, 0.1}
		v[i%2+2] += float64(len(t)%7) / 20
		if t = strings.ToLower(t); strings.Contains(t, "dog") || strings.Contains(t, "hund") {
			v[0] = 1
		} else {
			v[1] = 1
		}
		data = append(data, map[string]any{"index": i, "embedding": v})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
}

// The vectors of an agent's knowledge come from the embedder that its file
// names: the commands show how far they are and what keeps them.
func TestTheCommandsTellWhatAnEmbedderIsAt(t *testing.T) {
	e := new(embeds)
	e.set(true)
	url, _ := vendortest.Local(t, e)
	agent := "name: Harbour\ntype: inbound_text\nknowledge:\n  core: The harbour master is called Jan.\n  texts:\n    - {title: Tides, text: High water is at noon today.}\n    - {title: Crane, text: The crane lifts 20 tons.}\nmodels:\n  embedder: {provider: openai_compatible, base_url: " + url + "/v1, model: EMBEDDER}\n"
	o := serve(t, host(url), strings.Replace(agent, "EMBEDDER", "e-1", 1))
	out := o.must("knowledge", "add", "--text", "A dog must be kept on a leash in the whole harbour.", "--title", "Animals", "--agent", "Harbour")
	require.Contains(t, out, `"Animals" is ready: 1 entries, 1 passages`)
	require.Contains(t, out, "warning: 1 of 1 passages are found by their words alone until the embedder openai_compatible e-1 answers again")
	require.Contains(t, o.must("knowledge", "search", "must a dog be kept on a leash", "--agent", "Harbour"), "whole harbour")
	require.NotContains(t, o.must("knowledge", "search", "Darf mein Hund mit?", "--agent", "Harbour"), "leash")

	e.set(false)
	require.Eventually(t, func() bool {
		return strings.Contains(o.must("knowledge", "search", "Darf mein Hund mit?", "--agent", "Harbour"), "leash")
	}, 30*time.Second, 100*time.Millisecond, "the vectors are completed when it answers again")
	require.NotContains(t, o.must("knowledge", "index", "Animals"), "warning")

	// Another model of it: what is there is embedded again, without a restart.
	out = o.must("agent", "save", o.file("harbour.yaml", strings.Replace(agent, "EMBEDDER", "e-2", 1)), "--agent", "Harbour")
	require.Contains(t, out, "revision 2")
	require.Eventually(t, func() bool {
		return strings.Contains(o.must("knowledge", "search", "Darf mein Hund mit?", "--agent", "Harbour"), "leash")
	}, 30*time.Second, 100*time.Millisecond)
	spaces, err := filepath.Glob(filepath.Join(o.data, "vectors", "*", "space.json"))
	require.NoError(t, err)
	require.Len(t, spaces, 2)
	require.Contains(t, o.fails("agent", "save", o.file("bad.yaml", strings.Replace(agent, "openai_compatible", "oracle", 1)), "--agent", "Harbour"),
		`models.embedder: provider "oracle" is not known`)
}

func TestAnEmbedderInsideTheHouseIsNotReachedUnlessAllowed(t *testing.T) {
	touched := make(chan string, 100)
	url, _ := vendortest.Local(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { touched <- r.URL.Path }))
	o := serve(t, "", "name: Harbour\ntype: inbound_text\nknowledge:\n  core: The harbour master is called Jan.\nmodels:\n  embedder: {provider: openai_compatible, base_url: "+url+"/v1, model: e-1}\n")
	out := o.must("knowledge", "add", "--text", "Mooring is free on Sundays.", "--title", "Mooring", "--agent", "Harbour")
	require.Contains(t, out, "warning: 1 of 1 passages are found by their words alone")
	require.Contains(t, out, "it leads to a loopback address")
	require.Contains(t, o.must("knowledge", "search", "is mooring free", "--agent", "Harbour"), "on Sundays")
	require.Empty(t, touched)
}
