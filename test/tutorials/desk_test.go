package tutorials

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/cluster/script"
)

// desk is one agent at work in a node.
type desk struct {
	node  *node.Node
	agent node.DemoAgent
	moves []string // of its workflow, as the model calls them
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

// open starts a node with the agents of some folders. model is the file of the
// scripted model they run on, "" = the built-in one. Nodes follow one another,
// because a library of theirs has one logger for the process.
func open(t *testing.T, model string, folders ...string) map[string]*desk {
	t.Helper()
	c, err := config.Load(config.Sources{Getenv: func(string) string { return "" }, Flags: map[string]string{
		"data": t.TempDir(), "http": "127.0.0.1:0", "sip": "off", "webrtc": "off", "rtp": "0-0", "metrics": "off",
		"disk.low": "16MB", "disk.ballast": "1MB",
	}})
	require.NoError(t, err)
	files := make([]node.AgentFile, len(folders))
	for i, folder := range folders {
		path, err := filepath.Abs(filepath.Join(folder, "agent.yaml"))
		require.NoError(t, err)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		files[i] = node.AgentFile{Name: path, Folder: filepath.Dir(path), Text: text}
	}
	n, err := node.Start(t.Context(), node.Options{
		Config: c, Agents: files, Log: slog.New(slog.DiscardHandler),
		Providers: func(string) (node.Providers, error) {
			p, err := node.Builtins(c)
			if err != nil || model == "" {
				return p, err
			}
			text, err := os.ReadFile(model)
			if err != nil {
				return p, err
			}
			p.Completers["builtin"], err = script.ParseModel(text)
			return p, err
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { n.Stop(0) })
	require.Len(t, n.Agents(), len(folders))
	out := make(map[string]*desk, len(folders))
	for i, folder := range folders {
		d := &desk{node: n, agent: n.Agents()[i]}
		if flow := specOf(t, folder).Flow; flow != nil {
			for _, state := range flow.States {
				for _, m := range flow.Moves(state.Name) {
					d.moves = append(d.moves, m.Tool)
				}
			}
		}
		out[folder] = d
	}
	return out
}

// visitor talks with the desk as any client of the Chat API does.
func (d *desk) visitor() *script.Remote {
	return &script.Remote{
		BaseURL: "http://" + d.node.Addresses().HTTP, Agent: d.agent.ID, Token: d.agent.Token, User: "tutorial", Moves: d.moves,
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
	return script.Play(ctx, d.visitor(), s, func(turn script.Turn) {
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
			out[i] += " (refused: " + c.Refused + ")"
		} else if c.Fault != "" {
			out[i] += " (failed: " + c.Fault + ")"
		}
	}
	return out
}
