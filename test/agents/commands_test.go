package agents_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// listed are the commands that a help text lists, with the words before them.
func listed(t testing.TB, before []string) [][]string {
	t.Helper()
	r := command(t, nil, append(slices.Clone(before), "--help")...)
	require.Zero(t, r.Code, "%v", before)
	require.Empty(t, r.Err)
	require.Contains(t, r.Out, "Usage: flametree", "%v", before)
	_, rest, ok := strings.Cut(r.Out, "\nCommands:\n")
	if !ok {
		return nil
	}
	var out [][]string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z][a-z ]*[a-z])(?:  +| <| \[|$)`).FindAllStringSubmatch(rest, -1) {
		words := strings.Fields(m[1])
		words = words[min(len(before), len(words)):] // a list may repeat the words before
		if len(words) > 0 {
			out = append(out, append(slices.Clone(before), words[0]))
		}
	}
	return out
}

// TestEveryCommandExplainsItself walks through the help of all commands.
func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	todo := [][]string{nil}
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		name := strings.Join(next, " ")
		if seen[name] {
			continue
		}
		require.Less(t, len(seen), 100, "help that goes in circles")
		seen[name] = true
		todo = append(todo, listed(t, next)...)
	}
	for _, c := range []string{
		"agent validate", "agent run", "agent list", "agent save", "agent publish", "agent revisions", "agent diff", "agent restore",
		"agent start", "agent stop", "agent export", "agent import", "agent copy", "agent wizard", "tool test", "tool list", "serve",
	} {
		require.True(t, seen[c], "no help lists flametree %s: %v", c, seen)
	}
	t.Logf("figure: %d commands and groups of them explain themselves", len(seen)-1)
}

// oneLine wants one clear line of a refusal, without traces of our own.
func oneLine(t testing.TB, said string) {
	t.Helper()
	require.True(t, strings.HasPrefix(said, "flametree: "), said)
	require.Equal(t, 1, strings.Count(said, "\n"), said)
	for _, bad := range []string{"panic", "goroutine", "%!", "0x", "nil pointer", "admin.sock", "not found: not found"} {
		require.NotContains(t, said, bad)
	}
}

// TestEveryCommandSaysWhatToDoWithoutAServer and needs nothing but that line.
func TestEveryCommandSaysWhatToDoWithoutAServer(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	file := f.write("agent.yaml", guideFile)
	answers := f.write("answers.json", "{}")
	for _, args := range [][]string{
		{"agent", "list"},
		{"agent", "save", file},
		{"agent", "publish", "Guide", "1"},
		{"agent", "revisions", "Guide"},
		{"agent", "diff", "Guide", "1"},
		{"agent", "restore", "Guide", "1"},
		{"agent", "start", "Guide"},
		{"agent", "stop", "Guide"},
		{"agent", "export", "Guide"},
		{"agent", "import", file, "--key", "x"},
		{"agent", "copy", "Guide"},
		{"agent", "wizard", "website_ai_sales", "--answers", answers},
	} {
		r := command(t, nil, args...)
		require.NotZero(t, r.Code, "%v", args)
		oneLine(t, r.Err)
		require.Contains(t, r.Err, "no server runs on ./data: start one with flametree serve", "%v", args)
	}
}

// TestEveryCommandNamesAnAgentThatIsNotThere and leads to the list.
func TestEveryCommandNamesAnAgentThatIsNotThere(t *testing.T) {
	t.Parallel()
	o := serve(t, house.Options{})
	for _, args := range [][]string{
		{"agent", "publish", "Nobody", "1"},
		{"agent", "revisions", "Nobody"},
		{"agent", "diff", "Nobody", "1"},
		{"agent", "restore", "Nobody", "1"},
		{"agent", "start", "Nobody"},
		{"agent", "stop", "Nobody"},
		{"agent", "export", "Nobody"},
		{"agent", "copy", "Nobody"},
	} {
		said := o.refused(args...)
		oneLine(t, said)
		require.Contains(t, said, `there is no agent "Nobody" (see flametree agent list)`, "%v", args)
	}
	f := newFolder(t)
	o.save(f.guide("{provider: builtin}", ""))
	o.must("agent", "copy", "Guide")
	o.must("agent", "copy", "Guide")
	said := o.refused("agent", "start", "Guide (copy)")
	oneLine(t, said)
	require.Contains(t, said, `2 agents are called "Guide (copy)": give the id`)
}

// TestEveryCommandSaysWhatIsWrongWithAFile that is not there, or is something else.
func TestEveryCommandSaysWhatIsWrongWithAFile(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	picture := f.write("picture.yaml", "\x89PNG\x00\x01\x02")
	for _, args := range [][]string{
		{"agent", "validate", "none.yaml"},
		{"agent", "run", "none.yaml"},
		{"agent", "save", "none.yaml"},
		{"agent", "import", "none.yaml", "--key", "x"},
		{"tool", "test", "none.yaml", "X"},
		{"tool", "list", "none.yaml"},
		{"serve", "--agent", "none.yaml"},
		{"agent", "wizard", "website_ai_sales", "--answers", "none.yaml"},
	} {
		r := command(t, nil, args...)
		require.Equal(t, 2, r.Code, "%v: %s", args, r.Err)
		oneLine(t, r.Err)
		require.Contains(t, r.Err, "none.yaml: no such file", "%v", args)
	}
	for _, args := range [][]string{{"agent", "validate", picture}, {"agent", "run", picture}, {"tool", "list", picture}, {"tool", "test", picture, "X"}} {
		r := command(t, nil, args...)
		require.Equal(t, 2, r.Code, "%v: %s", args, r.Err)
		first, _, _ := strings.Cut(r.Err, "\n")
		oneLine(t, first+"\n")
		require.Regexp(t, `1:1: this is not UTF-8 text`, first, "%v", args)
	}
	for _, args := range [][]string{{"agent", "publish", "Guide", "first"}, {"agent", "nonsense"}, {"agent", "diff", "Guide", "-1"}} {
		r := command(t, nil, args...)
		require.Equal(t, 2, r.Code, "%v: %s", args, r.Err)
		oneLine(t, r.Err)
	}
}

const counterCode = `
import re

def fine(ctx, word, times=1):
    ctx.log("writing", word)
    return {"text": word * times, "key": len(ctx.env.get("INK_KEY", "")), "color": ctx.env.get("INK")}

def broken(ctx):
    return 1 / 0

def endless(ctx):
    while True:
        pass
`

// TestAToolIsTriedWithoutAnAgent runs single tools of a plugin in the sandbox.
func TestAToolIsTriedWithoutAnAgent(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	plugin := f.write("tools/plugin.yaml", `kind: Plugin
name: writer
description: Writes.
dependencies: [submodules/pen.py]
tools:
  - kind: Tool
    object_name: Write
    name: write
    description: Writes a word.
    implementation: pen.fine
    parameters:
      - {name: word, type: string, description: The word, required: true}
      - {name: times, type: int, description: How often, required: false}
  - {kind: Tool, object_name: Break, name: break_it, description: Breaks., implementation: pen.broken, parameters: []}
  - {kind: Tool, object_name: Wait, name: wait, description: Waits., implementation: pen.endless, timeout: 0.3, parameters: []}
`)
	f.write("tools/submodules/pen.py", counterCode)
	agent := f.write("agent.yaml", guideFile+"env:\n  INK_KEY: {value: "+canary+", secret: true}\n  INK: blue\n"+
		"tool_groups:\n  - {name: writer, path: tools/plugin.yaml, env: {INK: red}}\n")
	run := func(args ...string) house.Result { return command(t, nil, append([]string{"tool"}, args...)...) }

	r := run("list", plugin)
	require.Zero(t, r.Code, r.Err)
	require.Regexp(t, `(?m)^tool +Write +2s +Writes a word\.$`, r.Out)

	r = run("test", plugin, "Write", "--args", `{"word":"ha","times":2}`, "--agent", agent)
	require.Zero(t, r.Code, r.Err)
	require.Contains(t, r.Out, `"text":"haha"`)
	require.Contains(t, r.Out, `"color":"red"`, "the group's variable wins over the agent's")
	require.Contains(t, r.Out, `"key":24`)
	require.Regexp(t, `(?m)^log +.*writing`, r.Out)
	require.Regexp(t, `(?m)^took +\d`, r.Out)
	require.NotContains(t, r.Out, canary)
	require.Contains(t, run("test", plugin, "Write", "--args", `{"word":"a"}`, "--env", "INK=a,b=c").Out, `"color":"a,b=c"`)

	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a tool that is not there":   {[]string{plugin, "Paint"}, `has no tool or skill "Paint"; it has Write, Break, Wait`},
		"arguments that are no JSON": {[]string{plugin, "Write", "--args", "word"}, "--args must be one JSON object"},
		"a variable without a value": {[]string{plugin, "Write", "--env", canary}, "--env: write KEY=VALUE"},
		"a missing argument":         {[]string{plugin, "Write"}, "word"},
		"code that fails":            {[]string{plugin, "Break"}, `ZeroDivisionError.*submodules/pen\.py, line 9`},
		"code that does not end":     {[]string{plugin, "Wait"}, "did not end in time"},
		"a folder":                   {[]string{f.dir, "Write"}, "."},
	} {
		r := run(append([]string{"test"}, tt.args...)...)
		require.NotZero(t, r.Code, name)
		oneLine(t, r.Err)
		require.Regexp(t, tt.want, r.Err, name)
		require.NotContains(t, r.Err, canary, name)
	}
	r = command(t, []string{"PATH=" + t.TempDir()}, "tool", "test", plugin, "Write", "--args", `{"word":"a"}`)
	require.NotZero(t, r.Code)
	require.Contains(t, r.Err, "nothing was run: sandbox_unavailable")
	f.write("tools/submodules/pen.py", "def fine(ctx:\n")
	r = run("test", plugin, "Write")
	require.Equal(t, 2, r.Code)
	require.Regexp(t, `plugin\.yaml: .*pen\.py`, r.Err)
}
