// Package model examines the built-in model on agents that were written after
// its code: an insurer's claims desk, a town's pool and library, an internet
// provider, a car-sharing club, an evening school, a garden nursery. The score
// each had when it was first asked stands at the head of its questions; what
// was learned from it went into the language tables, so the scores printed here
// are those of agents the model has met.
package model

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/knowledge"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider"
	"flametree/engine/provider/builtin"
)

// What must be reached in percent, by all agents together and by each alone: of
// sixteen unanswerable questions two are more than a tenth.
const (
	rightShare    = 80 // of the answerable questions
	declinedShare = 90 // of the unanswerable
	rightEach     = 70
	declinedEach  = 80
)

func agents() []string {
	return []string{"insurer", "leisure", "broadband", "carsharing", "college", "garden"}
}

// agent is as much of an agent file as a conversation needs.
type agent struct {
	Type      string
	Identity  string
	Style     string `yaml:"speech_style"`
	Task      string
	Welcome   string `yaml:"welcome_message"`
	Workflow  string
	Results   string `yaml:"conversation_result"`
	Knowledge struct {
		Core  string
		FAQs  []struct{ Question, Answer string }
		Texts []struct{ Title, Text string }
	}
}

type state struct {
	Name        string
	Init        bool `yaml:"init_state"`
	Description string
	Scenarios   []struct {
		Next        string `yaml:"next_state"`
		Name        string `yaml:"transition_name"`
		Description string
	} `yaml:"state_scenarios"`
}

type result struct {
	Name        string `yaml:"field_name"`
	Title       string `yaml:"field_title"`
	Description string `yaml:"field_description"`
	Type        string `yaml:"field_type"`
}

// exam is what an agent is asked.
type exam struct {
	Answerable   []struct{ Q, Says string }
	Unanswerable []string
	Dialogues    []struct {
		Name  string
		Turns []struct {
			Hear, Says, State, Finish string
		}
		Results map[string]string
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file + ".yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalWithOptions(raw, into, yaml.Strict()), file)
}

// desk is an agent at work.
type desk struct {
	agent  agent
	states map[string]state
	state  string
	fields []provider.Field
	index  *knowledge.Index
	model  *builtin.Model
	msgs   []provider.Message
	passed []string // all passages shown since the last reply
}

// model and lexicon are shared by all tests: their tables take time to read.
var (
	model   = sync.OnceValue(builtin.New)
	lexicon = sync.OnceValue(lexis.New)
)

func open(t *testing.T, name string) *desk {
	t.Helper()
	d := &desk{states: map[string]state{}, model: model()}
	raw, err := os.ReadFile("testdata/" + name + ".yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(raw, &d.agent))
	var states []state
	require.NoError(t, yaml.Unmarshal([]byte(d.agent.Workflow), &states))
	for _, s := range states {
		d.states[s.Name] = s
		if s.Init {
			d.state = s.Name
		}
	}
	var results []result
	require.NoError(t, yaml.Unmarshal([]byte(d.agent.Results), &results))
	for _, r := range results {
		d.fields = append(d.fields, field(r))
	}
	var sources []knowledge.Source
	for i, f := range d.agent.Knowledge.FAQs {
		sources = append(sources, knowledge.Source{ID: fmt.Sprint("faq", i), Kind: knowledge.FAQ, Question: f.Question, Text: f.Answer})
	}
	for i, x := range d.agent.Knowledge.Texts {
		sources = append(sources, knowledge.Source{ID: fmt.Sprint("text", i), Kind: knowledge.Text, Title: x.Title, Text: x.Text})
	}
	require.GreaterOrEqual(t, len(sources), 25)
	d.index = knowledge.BuildWith(lexicon(), sources)
	d.msgs = []provider.Message{{Role: provider.RoleAssistant, Text: d.agent.Welcome}}
	return d
}

var literal = regexp.MustCompile(`'([^']*)'`)

func field(r result) provider.Field {
	f := provider.Field{Name: r.Name, Title: r.Title, Description: r.Description, Type: r.Type}
	if strings.HasPrefix(r.Type, "Literal") {
		f.Type = "Literal"
		for _, m := range literal.FindAllStringSubmatch(r.Type, -1) {
			f.Options = append(f.Options, m[1])
		}
	}
	return f
}

// request assembles a turn as documented in engine/provider.
func (d *desk) request() provider.Request {
	s := d.states[d.state]
	fields, _ := json.Marshal(map[string]any{"fields": d.fields})
	parts := []provider.Part{
		{Kind: provider.PartRules, Text: "Answer from the knowledge only."},
		{Kind: provider.PartIdentity, Text: d.agent.Identity},
		{Kind: provider.PartStyle, Text: d.agent.Style},
		{Kind: provider.PartTask, Text: d.agent.Task},
		{Kind: provider.PartState, Title: s.Name, Text: s.Description},
		{Kind: provider.PartCore, Text: d.agent.Knowledge.Core},
	}
	d.passed = []string{d.agent.Identity, d.agent.Task, s.Description, d.agent.Knowledge.Core}
	var users []string
	last := ""
	for _, m := range d.msgs {
		switch m.Role {
		case provider.RoleUser:
			users = append(users, m.Text)
			d.passed = append(d.passed, m.Text)
		case provider.RoleAssistant:
			last = m.Text
		case provider.RoleTool:
		}
	}
	for _, h := range d.index.Find(knowledge.Asked(users, last)) {
		title := h.Title
		if h.Kind == knowledge.FAQ {
			title = h.Question
		}
		parts = append(parts, provider.Part{Kind: provider.PartKnowledge, Title: title, Text: h.Text, Source: h.Source, Score: h.Score})
		d.passed = append(d.passed, title, h.Text)
	}
	parts = append(parts, provider.Part{Kind: provider.PartResults, Text: string(fields)})
	tools := []provider.Tool{{Name: "FinishSession", Description: "says the last message and closes the session", Schema: json.RawMessage(`{"type":"object","properties":{"last_message":{"type":"string"}}}`)}}
	for _, sc := range s.Scenarios {
		tools = append(tools, provider.Tool{Name: sc.Name, Description: sc.Description, Move: true, Schema: json.RawMessage(`{"type":"object"}`)})
	}
	return provider.Request{System: parts, Messages: d.msgs, Tools: tools, Voice: strings.Contains(d.agent.Type, "voice")}
}

func complete(t *testing.T, m *builtin.Model, r provider.Request) (string, *provider.ToolCall) {
	t.Helper()
	var b strings.Builder
	var call *provider.ToolCall
	for x, err := range m.Complete(context.Background(), r) {
		require.NoError(t, err)
		b.WriteString(x.Text)
		if x.Call != nil {
			call = x.Call
		}
	}
	return b.String(), call
}

// hear lets the customer speak and returns all that is said until it is their
// turn again, and the last message when the session is closed.
func (d *desk) hear(t *testing.T, text string) (said, finish string) {
	t.Helper()
	d.msgs = append(d.msgs, provider.Message{Role: provider.RoleUser, Text: text})
	for range 8 {
		out, call := complete(t, d.model, d.request())
		assert.Empty(t, invented(out, d.passed), "figures from nowhere in %q", out)
		said += out + " "
		m := provider.Message{Role: provider.RoleAssistant, Text: out}
		if call == nil {
			d.msgs = append(d.msgs, m)
			return strings.TrimSpace(said), ""
		}
		m.Calls = []provider.ToolCall{*call}
		d.msgs = append(d.msgs, m, provider.Message{Role: provider.RoleTool, CallID: call.ID, Text: "ok"})
		if call.Name == "FinishSession" {
			var args struct {
				Last string `json:"last_message"`
			}
			require.NoError(t, json.Unmarshal([]byte(call.Args), &args))
			return said, args.Last
		}
		for _, sc := range d.states[d.state].Scenarios {
			if sc.Name == call.Name {
				d.state = sc.Next
				break
			}
		}
	}
	t.Fatalf("eight moves after %q", text)
	return "", ""
}

// invented are the figures of a reply that stand in no passage shown and were
// not said.
func invented(reply string, shown []string) []string {
	have := map[string]bool{}
	for _, s := range shown {
		for _, w := range lexis.Words(s) {
			have[w.Text] = true
		}
	}
	var out []string
	for _, w := range lexis.Words(reply) {
		if lexis.HasDigit(w.Text) && !have[w.Text] {
			out = append(out, w.Text)
		}
	}
	return out
}

// knows reports whether a reply says anything from the knowledge: four words in
// a row of an answer or a text.
func (d *desk) knows(reply string) bool {
	r := " " + flat(reply) + " "
	for _, f := range d.agent.Knowledge.FAQs {
		if shares(r, f.Answer) {
			return true
		}
	}
	for _, x := range d.agent.Knowledge.Texts {
		if shares(r, x.Text) {
			return true
		}
	}
	return shares(r, d.agent.Knowledge.Core)
}

func shares(reply, text string) bool {
	w := strings.Fields(flat(text))
	for i := 0; i+4 <= len(w); i++ {
		if strings.Contains(reply, " "+strings.Join(w[i:i+4], " ")+" ") {
			return true
		}
	}
	return false
}

func flat(s string) string {
	var out []string
	for _, w := range lexis.Words(s) {
		out = append(out, w.Text)
	}
	return strings.Join(out, " ")
}

var declines = regexp.MustCompile(`(?i)\b(do not (have|know)|cannot say|not sure that I understood|did not understand|have no information)\b`)

// tally counts what an exam came to.
type tally struct{ right, asked, declined, strange, figures int }

func (c tally) String() string {
	return fmt.Sprintf("%d of %d answered from the right passage (%d %%), %d of %d declined (%d %%), %d invented figures",
		c.right, c.asked, c.right*100/c.asked, c.declined, c.strange, c.declined*100/c.strange, c.figures)
}

func TestUnseenAgents(t *testing.T) {
	var all tally
	for _, name := range agents() {
		t.Run(name, func(t *testing.T) {
			c := examine(t, name)
			t.Log(name, c)
			assert.GreaterOrEqual(t, c.right*100, rightEach*c.asked)
			assert.GreaterOrEqual(t, c.declined*100, declinedEach*c.strange)
			assert.Zero(t, c.figures)
			all.right += c.right
			all.asked += c.asked
			all.declined += c.declined
			all.strange += c.strange
			all.figures += c.figures
		})
	}
	t.Log("all", all)
	assert.GreaterOrEqual(t, all.right*100, rightShare*all.asked)
	assert.GreaterOrEqual(t, all.declined*100, declinedShare*all.strange)
}

// examine asks one agent all its questions, each in a conversation of its own.
func examine(t *testing.T, name string) tally {
	t.Helper()
	var e exam
	read(t, name+".questions", &e)
	require.GreaterOrEqual(t, len(e.Answerable), 25)
	require.GreaterOrEqual(t, len(e.Unanswerable), 15)
	c := tally{asked: len(e.Answerable), strange: len(e.Unanswerable)}
	fresh := *open(t, name)
	for _, q := range e.Answerable {
		d := fresh
		said, _ := d.hear(t, q.Q)
		c.figures += len(invented(said, d.passed))
		if strings.Contains(flat(said), flat(q.Says)) {
			c.right++
		} else {
			t.Logf("not right: %-60s %s", q.Q, said)
		}
	}
	for _, q := range e.Unanswerable {
		d := fresh
		said, _ := d.hear(t, q)
		c.figures += len(invented(said, d.passed))
		if !d.knows(said) && declines.MatchString(said) {
			c.declined++
		} else {
			t.Logf("not declined: %-57s %s", q, said)
		}
	}
	return c
}

// The exam asks nothing that is not in the knowledge.
func TestTheExamIsFair(t *testing.T) {
	for _, name := range agents() {
		d := open(t, name)
		raw, err := os.ReadFile("testdata/" + name + ".yaml")
		require.NoError(t, err)
		var e exam
		read(t, name+".questions", &e)
		for _, q := range e.Answerable {
			assert.Contains(t, flat(string(raw)), flat(q.Says), q.Q)
		}
		for _, dl := range e.Dialogues {
			for _, turn := range dl.Turns {
				if turn.State != "" {
					assert.Contains(t, d.states, turn.State)
				}
			}
		}
	}
}

func TestDialogues(t *testing.T) {
	for _, name := range agents() {
		var e exam
		read(t, name+".questions", &e)
		for _, dl := range e.Dialogues {
			t.Run(name+": "+dl.Name, func(t *testing.T) {
				d := open(t, name)
				for _, turn := range dl.Turns {
					said, finish := d.hear(t, turn.Hear)
					t.Logf("> %s\n< %s %s", turn.Hear, said, finish)
					if turn.Says != "" {
						assert.Contains(t, flat(said), flat(turn.Says), "after %q", turn.Hear)
					}
					if turn.State != "" {
						assert.Equal(t, turn.State, d.state, "after %q", turn.Hear)
					}
					assert.Equal(t, turn.Finish != "", finish != "", "after %q", turn.Hear)
					assert.Contains(t, flat(finish), flat(turn.Finish))
				}
				assert.Equal(t, dl.Results, d.results(t))
			})
		}
	}
}

// results asks for the results as the dialog does.
func (d *desk) results(t *testing.T) map[string]string {
	t.Helper()
	properties := map[string]any{}
	for _, f := range d.fields {
		if strings.Contains(f.Name, "Topic") || strings.Contains(f.Name, "Summary") {
			continue
		}
		p := map[string]any{"type": "string", "description": f.Description, "title": f.Title}
		if len(f.Options) > 0 {
			p["enum"] = f.Options
		}
		if f.Type == "date" {
			p["format"] = "date"
		}
		properties[f.Name] = p
	}
	r := d.request()
	raw, err := json.Marshal(map[string]any{"type": "object", "properties": properties})
	require.NoError(t, err)
	r.Schema = raw
	text, _ := complete(t, d.model, r)
	out := map[string]string{}
	require.NoError(t, json.Unmarshal([]byte(text), &out), text)
	return out
}
