package agents_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

const clerkFile = `name: Clerk
type: inbound_text
identity: Your name is NAME.
task: Help at the desk.
welcome_message: Good day.
workflow:
  - process_name: Desk
    name: STATE
    kind: StateConfig
    init_state: true
    description: Answer what is asked.
    available_tools:
      SingleStatefulOutboundAgent: [SendChatMessage, Stamp]
knowledge:
  core: The desk opens at nine.
tool_groups:
  - {name: stamps, path: tools/plugin.yaml}
models:
  llm: {provider: openai_compatible, base_url: URL/v1, model: obedient}
`

const stampPlugin = `kind: Plugin
name: stamps
description: Stamps.
dependencies: [submodules/stamp.py]
tools:
  - kind: Tool
    object_name: Stamp
    name: stamp
    description: Stamps a paper.
    implementation: stamp.stamp
    parameters: []
`

// clerk writes an agent whose prompt, workflow and tool tell which edition they are.
func (f folder) clerk(url, name, state, stamp string) string {
	f.write("tools/plugin.yaml", stampPlugin)
	f.write("tools/submodules/stamp.py", "def stamp(ctx):\n    return {\"stamp\": \""+stamp+"\"}\n")
	return f.write("agent.yaml", strings.NewReplacer("NAME", name, "STATE", state, "URL", url).Replace(clerkFile))
}

// edition asks an agent by all three ways which edition it is.
func (d talk) edition(name, state, stamp string) {
	d.t.Helper()
	require.Equal(d.t, "My name is "+name+".", d.says("who"), "the prompt")
	require.Contains(d.t, d.says("use Stamp"), stamp, "the tool's code")
	require.Equal(d.t, state, d.trace().State, "the workflow")
}

// TestASavedAgentTakesEffectForNewConversationsOnly changes prompt, workflow
// and tool code of an agent while it talks, without a stop and across a loss of
// power: who has begun goes on with what was there, who comes gets the new one.
func TestASavedAgentTakesEffectForNewConversationsOnly(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	o := serve(t, house.Options{}, th.url)
	a := o.save(f.clerk(th.url, "Ada", "Counter", "first"))
	old := o.talk(a)
	old.edition("Ada", "Counter", "first")

	out := o.must("agent", "save", f.clerk(th.url, "Berta", "Window", "second"))
	require.Contains(t, out, `agent `+a.ID+` "Clerk": revision 2, live`)
	old.edition("Ada", "Counter", "first")
	recent := o.talk(a)
	recent.edition("Berta", "Window", "second")

	// What was saved is enough: the folder may go.
	require.NoError(t, os.RemoveAll(f.dir))
	o.Kill()
	o = serve(t, house.Options{Data: o.Data}, th.url)
	old, recent = old.again(o), recent.again(o)
	old.edition("Ada", "Counter", "first")
	recent.edition("Berta", "Window", "second")
	o.talk(a).edition("Berta", "Window", "second")
	require.Empty(t, th.Refused(), "the model's server has nothing to complain about")
}

// TestPublishRestoreAndDiff goes through the revisions of an agent.
func TestPublishRestoreAndDiff(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	o := serve(t, house.Options{}, th.url)
	a := o.save(f.clerk(th.url, "Ada", "Counter", "first"))
	o.must("agent", "save", f.clerk(th.url, "Berta", "Window", "second"))

	diff := o.must("agent", "diff", "Clerk", "1", "2")
	require.Contains(t, diff, "-identity: Your name is Ada.")
	require.Contains(t, diff, "+identity: Your name is Berta.")
	require.NotContains(t, diff, "welcome_message: Good day.\n+", "what did not change is no change")
	require.Contains(t, o.must("agent", "diff", "Clerk", "2", "2"), "nothing changed")

	require.Contains(t, o.must("agent", "restore", "Clerk", "1"), "revision 3, live")
	o.talk(a).edition("Ada", "Counter", "first") // the tool's code too, though the file says otherwise by now

	held := f.clerk(th.url, "Cora", "Hall", "third")
	text, err := os.ReadFile(held)
	require.NoError(t, err)
	held = f.write("agent.yaml", string(text)+"require_publish: true\n")
	require.Contains(t, o.must("agent", "save", held), "revision 4, 3 is live")
	o.talk(a).edition("Ada", "Counter", "first")
	require.Contains(t, o.must("agent", "publish", "Clerk", "4"), "revision 4, live")
	o.talk(a).edition("Cora", "Hall", "third")

	list := o.must("agent", "revisions", "Clerk")
	require.Equal(t, 1, strings.Count(list, "  live"), list)
	require.Regexp(t, `(?m)^   4 .*  live$`, list)
	require.Contains(t, o.refused("agent", "publish", "Clerk", "9"), "revision 9")
	require.Contains(t, o.refused("agent", "restore", "Clerk", "9"), "revision 9")
	require.Contains(t, o.refused("agent", "diff", "Clerk", "1", "9"), "revision 9")
}

// TestAnAgentAnswersOnlyWhileItRuns refuses what comes to a stopped agent, and
// goes on where it was once it is started.
func TestAnAgentAnswersOnlyWhileItRuns(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	o := serve(t, house.Options{}, th.url)
	a := o.save(f.clerk(th.url, "Ada", "Counter", "first"))
	running := o.talk(a)
	o.must("agent", "stop", "Clerk")
	require.Regexp(t, `Stopped .*Clerk`, o.must("agent", "list"))
	_, opening := o.Chat(a).Open(t.Context(), "late", "")
	_, going := running.chat.Say(t.Context(), running.id, "", "who")
	for _, err := range []error{opening, going} {
		var refusal *house.Answer
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, http.StatusServiceUnavailable, refusal.Status, "%s", refusal.Body)
		require.Contains(t, refusal.Problem(t).Detail, "is stopped")
	}
	o.must("agent", "start", "Clerk")
	running.edition("Ada", "Counter", "first")
	o.talk(a).edition("Ada", "Counter", "first")
}

// TestATextThatCannotBeUsedReplacesNothing saves faulty texts over a running
// agent: each is refused with line and column, kept as a draft, and the running
// revision answers on. The texts are saved by the name that stands in them.
func TestATextThatCannotBeUsedReplacesNothing(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	o := serve(t, house.Options{}, th.url)
	a := o.save(f.clerk(th.url, "Ada", "Counter", "first"))
	good, err := os.ReadFile(filepath.Join(f.dir, "agent.yaml"))
	require.NoError(t, err)
	edit := func(old, text string) string {
		require.Contains(t, string(good), old)
		return strings.Replace(string(good), old, text, 1)
	}
	second := `  - {process_name: Desk, name: Second, kind: StateConfig, init_state: true, description: Wait.}
knowledge:`
	lost := `    transitions:
      - {name: go, trigger: customer_input, next_state: Nowhere, description: away}
knowledge:`
	for name, tt := range map[string]struct {
		text  string
		files map[string]string
		want  string // a pattern
	}{
		"a tab":              {text: edit("task: Help", "\ttask: Help"), want: `file 4:1: .*tab`},
		"two initial states": {text: edit("knowledge:", second), want: `file 1[0-9]:\d+: .*init`},
		"a missing target":   {text: edit("knowledge:", lost), want: `file 1[0-9]:\d+: .*"Nowhere"`},
		"an unknown tool":    {text: edit("SendChatMessage, Stamp", "SendChatMessage, Stomp"), want: `file 13:\d+: .*"Stomp".*did you mean "Stamp"`},
		"a huge prompt":      {text: edit("Your name is Ada.", strings.Repeat("word ", 200_000)), want: `file 3:\d+: .*characters`},
		"a plugin that is no YAML": {
			text: string(good), files: map[string]string{"tools/plugin.yaml": "kind: Plugin\n\tname: x\n"}, want: `plugin.*2:1: .*tab`,
		},
		"a plugin that is not there": {text: edit("tools/plugin.yaml", "tools/gone.yaml"), want: `tools/gone.yaml`},
		"code that is no Python": {
			text: string(good), files: map[string]string{"tools/submodules/stamp.py": "def stamp(ctx:\n    pass\n"}, want: `stamp\.py.*1`,
		},
		"code without the function": {
			text: string(good), files: map[string]string{"tools/submodules/stamp.py": "x = 1\n"}, want: `stamp`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newFolder(t)
			g.clerk(th.url, "Ada", "Counter", "first")
			for path, text := range tt.files {
				g.write(path, text)
			}
			o := owner{Server: o.Server, t: t}
			said := o.refused("agent", "save", g.write("agent.yaml", tt.text))
			require.Regexp(t, tt.want, said)
			require.Contains(t, said, `kept as a draft of "Clerk"; revision 1 stays in force`)
			require.NotContains(t, said, "invalid: invalid", "said once")
			list := o.must("agent", "revisions", a.ID)
			require.Regexp(t, `(?m)^   1 .*  live$`, list)
			require.NotRegexp(t, `(?m)^   2 `, list)
			require.Regexp(t, tt.want, list, "the draft's fault is there to be found again")
		})
	}
	o.talk(a).edition("Ada", "Counter", "first")
	require.Contains(t, o.must("agent", "save", f.clerk(th.url, "Berta", "Window", "second")), "revision 2, live")
	require.NotContains(t, o.must("agent", "revisions", "Clerk"), "draft", "a text that can be used ends the draft")
}

// TestAFileThatIsTooLargeIsRefusedWhole sends ten megabytes: no agent is that
// large, so it is not kept either, and nothing else happens.
func TestAFileThatIsTooLargeIsRefusedWhole(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	o := serve(t, house.Options{}, th.url)
	a := o.save(f.clerk(th.url, "Ada", "Counter", "first"))
	g := newFolder(t)
	file := g.clerk(th.url, strings.Repeat("Ada ", 10<<20/4), "Counter", "first")
	for _, args := range [][]string{{"agent", "save", file}, {"agent", "save", file, "--agent", "Clerk"}, {"agent", "validate", file}} {
		require.Contains(t, o.refused(args...), "at most 8 MB, this one has 10")
	}
	require.NotContains(t, o.must("agent", "revisions", "Clerk"), "draft")
	o.talk(a).edition("Ada", "Counter", "first")
}

// TestUnknownKeysWarn tells of each with its place and saves all the same.
func TestUnknownKeysWarn(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	o := serve(t, house.Options{}, th.url)
	text, err := os.ReadFile(f.clerk(th.url, "Ada", "Counter", "first"))
	require.NoError(t, err)
	file := f.write("agent.yaml", strings.Replace(string(text), "task: Help", "mood: sunny\ntask: Help", 1))
	require.Regexp(t, `(?m)^warning: file 4:1: .*mood`, o.must("agent", "validate", file))
	require.Regexp(t, `(?m)^note: file 4:1: .*mood`, o.must("agent", "save", file))
}
