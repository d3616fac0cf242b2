package tutorials

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/cluster/script"
	"flametree/engine/event"
)

// desk is one agent at work in a node of its own.
type desk struct {
	node  *node.Node
	agent node.DemoAgent
}

// folders are the agents of the document.
func folders(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*/agent.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	out := make([]string, len(files))
	for i, f := range files {
		out[i] = filepath.Dir(f)
	}
	return out
}

// open starts a node with the agent of a folder: on the built-in model, or on
// the scripted one where the folder has a model.yaml.
func open(t *testing.T, folder string) *desk {
	t.Helper()
	c, err := config.Load(config.Sources{Getenv: func(string) string { return "" }, Flags: map[string]string{
		"data": t.TempDir(), "http": "127.0.0.1:0", "sip": "off", "rtp": "0-0", "metrics": "off",
		"disk.low": "16MB", "disk.ballast": "1MB",
	}})
	require.NoError(t, err)
	path, err := filepath.Abs(filepath.Join(folder, "agent.yaml"))
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	n, err := node.Start(t.Context(), node.Options{
		Config: c, Agents: []node.AgentFile{{Name: path, Text: text}}, Log: slog.New(slog.DiscardHandler),
		Providers: func(string) (node.Providers, error) {
			p, err := node.Builtins(c)
			if err != nil {
				return p, err
			}
			model, err := os.ReadFile(filepath.Join(folder, "model.yaml"))
			if os.IsNotExist(err) {
				return p, nil
			}
			if err != nil {
				return p, err
			}
			p.Completers["builtin"], err = script.ParseModel(model)
			return p, err
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { n.Stop(0) })
	require.Len(t, n.Agents(), 1)
	return &desk{node: n, agent: n.Agents()[0]}
}

// visitor talks with the desk as any client does, and looks into the journal
// for what the answers do not show.
type visitor struct {
	*script.Remote
	t    *testing.T
	desk *desk
	seen uint64 // the last event of the session that was looked at
	all  script.Turn
}

func (d *desk) visitor(t *testing.T) *visitor {
	return &visitor{t: t, desk: d, Remote: &script.Remote{
		BaseURL: "http://" + d.node.Addresses().HTTP, Agent: d.agent.ID, Token: d.agent.Token, User: "tutorial",
	}}
}

// Begin implements script.Conversation.
func (v *visitor) Begin(ctx context.Context) (script.Turn, error) {
	turn, err := v.Remote.Begin(ctx)
	if err == nil {
		v.look(ctx, &turn)
	}
	return turn, err
}

// Say implements script.Conversation.
func (v *visitor) Say(ctx context.Context, text string) (script.Turn, error) {
	turn, err := v.Remote.Say(ctx, text)
	if err == nil {
		v.look(ctx, &turn)
	}
	return turn, err
}

// look folds what the journal tells of the session since the last look.
func (v *visitor) look(ctx context.Context, turn *script.Turn) {
	turn.Trace, turn.Calls = &script.Trace{}, []script.Call{}
	if v.all.Results == nil {
		v.all.Results = map[string]string{}
	}
	j := v.desk.node.Journal()
	last := j.Position()
	ids := map[string]int{}
	for e, err := range j.Subscribe(ctx, 1) {
		require.NoError(v.t, err)
		if e.Stream.Kind == event.SessionStream && e.Stream.ID == v.Session() && e.Seq > v.seen {
			v.seen = e.Seq
			v.fold(e.Body, turn, ids)
		}
		if e.Position >= last {
			break
		}
	}
	turn.State, turn.Results = v.all.State, v.all.Results
}

func (v *visitor) fold(body event.Event, turn *script.Turn, ids map[string]int) {
	switch b := body.(type) {
	case event.StateEntered:
		v.all.State = b.State
		if n := len(turn.Calls); n > 0 && b.Move != "" && turn.Calls[n-1].Result == "" && turn.Calls[n-1].Refused == "" {
			turn.Calls[n-1].Move = turn.Calls[n-1].Name == b.Move
		}
	case event.ToolCalled:
		ids[b.Call.ID] = len(turn.Calls)
		turn.Calls = append(turn.Calls, script.Call{Name: b.Call.Name, Args: b.Call.Args.Text, Refused: b.Refused})
	case event.ToolAnswered:
		if i, ok := ids[b.CallID]; ok {
			turn.Calls[i].Result, turn.Calls[i].Took = b.Result.Text, b.Took
			if strings.HasPrefix(b.Fault, "denied") && turn.Calls[i].Refused == "" {
				turn.Calls[i].Refused = b.Fault
			}
		}
	case event.ResultSet:
		v.all.Results[b.Field] = b.Value.Text
	default:
	}
}

// read reads a script and names it as messages shall.
func read(t *testing.T, path string) *script.Script {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	s, notes, err := script.Parse(text)
	require.NoError(t, err, path)
	require.Empty(t, notes, path)
	s.File = filepath.Base(path)
	return s
}

// play plays a script with a visitor of its own; loud shows the dialogue.
func (d *desk) play(t *testing.T, s *script.Script, loud bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lines := []string{""} // the greeting answers nothing
	for _, step := range s.Steps {
		if step.Human != "" {
			lines = append(lines, step.Human)
		}
	}
	at := 0
	return script.Play(ctx, d.visitor(t), s, func(turn script.Turn) {
		human := lines[at]
		at++
		if !loud {
			return
		}
		if human != "" {
			t.Logf("human  %s", human)
		}
		for _, w := range turn.Says {
			t.Logf("agent  %s", w)
		}
		t.Logf("       state %q, calls %v, results %v, ended %v", turn.State, names(turn.Calls), turn.Results, turn.Ended)
	})
}

func names(calls []script.Call) []string {
	out := make([]string, len(calls))
	for i, c := range calls {
		out[i] = c.Name
		if c.Refused != "" {
			out[i] += "(refused: " + c.Refused + ")"
		}
	}
	return out
}
