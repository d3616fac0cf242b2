package tutorials

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/cluster/script"
	"flametree/engine/agent"
)

// TestTheAgentsOfTheDocumentAreWithoutFault reads each agent file as the
// program does.
func TestTheAgentsOfTheDocumentAreWithoutFault(t *testing.T) {
	for _, folder := range folders(t) {
		spec := specOf(t, folder)
		require.NotEmpty(t, spec.Name, folder)
		require.NotEmpty(t, spec.Identity, folder)
		require.NotEmpty(t, spec.Sources(), folder)
	}
}

func specOf(t *testing.T, folder string) *agent.Spec {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "agent.yaml"))
	require.NoError(t, err)
	spec, _, err := agent.Parse(text)
	require.NoError(t, err, folder)
	return spec
}

// TestTheAgentsSayWhatTheDocumentSays compares a few texts with the document,
// so that nobody improves them.
func TestTheAgentsSayWhatTheDocumentSays(t *testing.T) {
	for folder, texts := range map[string][]string{
		"debit-card": {"You are the multilingual AI Banking Knowledge Base Agent for the bank. Your name is Alex."},
		"eventhub":   {"You are Ted, a helpful AI assistant for EventHub."},
		"consultant": {"Your name is John. You are a digital consultant at Example Inc."},
		"ai-twin":    {"Lifestyle blogger and English teacher living in Hanoi."},
	} {
		spec := specOf(t, filepath.Join("testdata", folder))
		for _, text := range texts {
			require.Contains(t, strings.Join(strings.Fields(spec.Identity), " "), text)
		}
	}
	bank := specOf(t, "testdata/debit-card")
	require.Equal(t, "SalesSupport", bank.Flow.Start())
	state, ok := bank.Flow.State("SalesSupport")
	require.True(t, ok)
	require.Equal(t, "SalesProcess", state.Process)
	require.Equal(t, []string{"SendChatMessage", "FinishSession"}, state.Tools)
	require.Len(t, bank.Results, 2)
	budget, ok := specOf(t, "testdata/consultant").Result("Budget")
	require.True(t, ok)
	require.Equal(t, []string{"500", "1000", "2000"}, budget.Options)
	require.Equal(t, "Name", specOf(t, "testdata/consultant").Results[0].Title)
}

// TestDialoguesOfTheDocument plays every script of every agent, and then each
// of its twins: the same dialogue with one expectation that is wrong.
func TestDialoguesOfTheDocument(t *testing.T) {
	scripted, builtin := "scripted model", "built-in model"
	groups := map[string][]string{}
	for _, folder := range folders(t) {
		if _, err := os.Stat(filepath.Join(folder, "model.yaml")); err == nil {
			groups[scripted] = append(groups[scripted], folder)
		} else {
			groups[builtin] = append(groups[builtin], folder)
		}
	}
	require.NotEmpty(t, groups[builtin])
	t.Run(builtin, func(t *testing.T) { playAll(t, open(t, "", groups[builtin]...)) })
	for _, folder := range groups[scripted] {
		t.Run(scripted, func(t *testing.T) { playAll(t, open(t, filepath.Join(folder, "model.yaml"), folder)) })
	}
}

func playAll(t *testing.T, desks map[string]*desk) {
	for _, folder := range slices.Sorted(maps.Keys(desks)) {
		paths, err := filepath.Glob(filepath.Join(folder, "*.script.yaml"))
		require.NoError(t, err)
		require.NotEmpty(t, paths, folder)
		for _, path := range paths {
			name := filepath.Base(folder) + "/" + strings.TrimSuffix(filepath.Base(path), ".script.yaml")
			t.Run(name, func(t *testing.T) { playOne(t, desks[folder], specOf(t, folder), read(t, path)) })
		}
	}
}

func playOne(t *testing.T, d *desk, spec *agent.Spec, s *script.Script) {
	require.NoError(t, d.play(t, s, true))
	checked := map[string]int{}
	for _, w := range twins(s) {
		w.fails(t, d)
		checked[w.key]++
	}
	require.Positive(t, checked["says"], "every script expects words")
	require.Positive(t, checked["calls"], "every script expects calls, or none")
	require.Equal(t, spec.Flow != nil, checked["state"] > 0, "the states of an agent that has some are expected")
	require.Equal(t, len(spec.Results) > 0, checked["results"] > 0, "the results of an agent that has some are expected")
	t.Logf("figure: %d wrong twins, each found at its step: %v", len(twins(s)), checked)
}

// twin is a script with one wrong expectation, in step at.
type twin struct {
	key    string
	at     int
	line   int
	script *script.Script
}

func (w twin) fails(t *testing.T, d *desk) {
	t.Helper()
	err := d.play(t, w.script, false)
	u, ok := errors.AsType[*script.Unmet](err)
	require.True(t, ok, "the twin with wrong %s in step %d passes: %v", w.key, w.at+1, err)
	require.Equal(t, w.key, u.Key, "%v", err)
	require.Equal(t, w.at+1, u.Step, "%v", err)
	require.Equal(t, w.line, u.Line, "%v", err)
	require.Contains(t, err.Error(), fmt.Sprintf("%s: step %d (line %d): ", w.script.File, w.at+1, w.line))
	require.NotContains(t, err.Error(), "\n", "one line")
}

const wrong = "Something that nobody says"

// twins are all wrong twins of a script.
func twins(s *script.Script) []twin {
	var out []twin
	for i, step := range s.Steps {
		add := func(key string, line int, change func(*script.Expect)) {
			c := *s
			c.Steps = slices.Clone(s.Steps)
			change(&c.Steps[i].Expect)
			out = append(out, twin{key: key, at: i, line: line, script: &c})
		}
		e := step.Expect
		for j, text := range e.Says {
			add("says", text.Line, func(e *script.Expect) {
				e.Says = slices.Clone(e.Says)
				e.Says[j].Text = wrong
			})
			if j > 0 {
				continue
			}
			add("says_not", text.Line, func(e *script.Expect) { e.SaysNot = append(slices.Clone(e.SaysNot), text) })
		}
		if e.State.Text != "" {
			add("state", e.State.Line, func(e *script.Expect) { e.State.Text = "Elsewhere" })
		}
		for j, r := range e.Results {
			add("results", r.Line, func(e *script.Expect) {
				e.Results = slices.Clone(e.Results)
				e.Results[j].Value = wrong
			})
		}
		if e.Calls == nil {
			continue
		}
		add("calls", e.Calls.Line, func(e *script.Expect) {
			e.Calls = &script.Calls{Line: e.Calls.Line, List: append(slices.Clone(e.Calls.List), script.CallWanted{Line: e.Calls.Line, Name: "Nothing"})}
		})
		for j, call := range e.Calls.List {
			add("calls", call.Line, func(e *script.Expect) {
				e.Calls = &script.Calls{Line: e.Calls.Line, List: slices.Clone(e.Calls.List)}
				e.Calls.List[j].Refused = !call.Refused
			})
			if call.Refused {
				continue
			}
			add("calls", e.Calls.Line, func(e *script.Expect) {
				e.Calls = &script.Calls{Line: e.Calls.Line, List: slices.Delete(slices.Clone(e.Calls.List), j, j+1)}
			})
		}
	}
	return out
}
