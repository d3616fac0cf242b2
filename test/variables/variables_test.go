package variables

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/agent"
	"flametree/test/house"
)

// row is a variable with what can be seen of it.
type row struct {
	key, value string            // another value than the default
	with       map[string]string // further variables, also where this one has its default
	chat       func(*testing.T, *house.Chat) string
	call       func(*testing.T, []string) string
	byDefault  string
	changed    string
	idle       string // why this build does not act on it
}

const apology = "Sorry, I did not get that. Could you put it in other words?"

func rows() []row {
	return append(textRows(), callRows()...)
}

func textRows() []row {
	soon := map[string]string{"SESSION_TIMEOUT": "1"}
	return []row{
		{key: "GAC_SYSTEM", value: "Speak like a sailor.", chat: saying("rules"), byDefault: "Yes.", changed: "Aye."},
		{key: "REPHRASING_IT_TEXT", value: "Say it again.", chat: saying("nothing"), byDefault: apology, changed: "Say it again."},
		{key: "START_PHRASE", value: "Ahoy.", chat: greeting, byDefault: "Welcome.", changed: "Ahoy."},
		{key: "START_PHRASE_APPENDIX", value: "Ask me.", chat: greeting, byDefault: "Welcome.", changed: "Welcome. Ask me."},
		{key: "START_META", value: `{"buttons":["Fees"]}`, chat: buttons, byDefault: "none", changed: "Fees"},
		{key: "SESSION_TIMEOUT", value: "1", chat: ending, byDefault: "open", changed: "ended as user_timeout"},
		{key: "SESSION_MAX_DURATION", value: "1", chat: ending, byDefault: "open", changed: "ended as timeout"},
		{key: "TIMEOUT_MESSAGE", value: "Until soon.", with: soon, chat: ending, byDefault: "ended as user_timeout", changed: "ended Until soon. as user_timeout"},
		{key: "MAX_MESSAGE_CHARS", value: "10", chat: long, byDefault: "200 for 8000, 422 for 8001", changed: "422 for 8000, 422 for 8001"},
		{key: "MAX_TOOL_CALLS_PER_TURN", value: "2", chat: granted(1, 7), byDefault: "5", changed: "2"},
		{key: "MAX_TOOL_CALLS_PER_SESSION", value: "8", chat: granted(11, 5), byDefault: "50", changed: "8"},
		{key: "LLM_TEMPERATURE", value: "0.9", chat: saying("temperature"), byDefault: "0.3", changed: "0.9"},
		{key: "LLM_MAX_TOKENS", value: "77", chat: saying("tokens"), byDefault: "1024", changed: "77"},
		{key: "LLM_TIMEOUT_MS", value: "1500", chat: saying("deadline"), byDefault: "20s", changed: "1.5s"},
		{key: "HISTORY_MAX_MESSAGES", value: "3", chat: saying("a", "b", "c", "history"), byDefault: "8", changed: "3"},
		{key: "RAG_TOP_K", value: "2", chat: saying("leaflets about fees"), byDefault: "6", changed: "2"},
		{key: "RAG_MIN_SCORE", value: "1", chat: saying("leaflets about fees"), byDefault: "6", changed: "0"},
		{key: "OPERATOR_WAIT_SECONDS", value: "1", chat: resumed, byDefault: "OPERATOR", changed: "REGULAR"},
		{key: "OPERATOR_UNAVAILABLE_TEXT", value: "Nobody is in.", chat: saying("person please"), byDefault: "All of my colleagues are busy right now. Somebody will answer you here as soon as possible.", changed: "Nobody is in."},
		{key: "SHOW_THOUGHTS", value: "True", chat: thoughts, byDefault: "hidden", changed: "shown"},
		{key: "VOICE_NOISE_SUPPRESSION", value: "on", chat: besideARoad, byDefault: "loud", changed: "soft"},
		{key: "VOICE_LANGUAGE", value: "de-AT", chat: saying("style"), byDefault: "Plain.\nBegin in English, unless the style above names another language. Follow the language of the human, also when it changes.", changed: "Plain.\nBegin in the language \"de-AT\". Follow the language of the human, also when it changes."},
	}
}

func callRows() []row {
	const hello = "Hello, this is Echo."
	return []row{
		{key: "RESULTS_EMAIL_TO", value: "desk@mail.example", call: mailed, byDefault: "nobody", changed: "desk@mail.example: Aigul Bek"},
		{key: "ENABLE_FILLER_PHRASES", value: "True", call: waiting, byDefault: "at once", changed: "after a phrase"},
		{key: "FILLER_PHRASES_WITH_CHAIN", value: "True", with: map[string]string{"ENABLE_FILLER_PHRASES": "True"}, call: bridged, byDefault: "of the list", changed: "of the model"},
		{key: "LLM_FIRST_TOKEN_TIMEOUT_MS", value: "900", call: configured("llm_first_token_timeout"), byDefault: "2.5s", changed: "900ms"},
		{key: "LLM_TIMEOUT_MS", value: "1500", call: patience, byDefault: "waits", changed: "gave up"},
		{key: "VOICE_RECORD", value: "True", call: taped, byDefault: "no recording", changed: "a recording"},
		{key: "VOICE_RECORD_NOTICE", value: "This is recorded.", with: map[string]string{"VOICE_RECORD": "True"}, call: greeted, byDefault: hello, changed: "This is recorded. " + hello},
		{key: "VOICE_TTS_VOICE", value: "slt", call: voiced, byDefault: "voice", changed: "voice slt"},
		{key: "VOICE_LANGUAGE", value: "de", call: configured("language"), byDefault: "", changed: "de"},
		{key: "VOICE_NO_INPUT_TEXT", value: "Anybody?", call: silence, byDefault: "Are you still there?", changed: "Anybody?"},
		{key: "VOICE_AMD", value: "False", call: placed, byDefault: "nothing", changed: hello},
		{key: "VOICE_VOICEMAIL_ACTION", value: "message", with: map[string]string{"VOICE_VOICEMAIL_MESSAGE": "Call us."}, call: placed, byDefault: "nothing", changed: "Call us."},
		{key: "VOICE_VOICEMAIL_MESSAGE", value: "Call us.", with: map[string]string{"VOICE_VOICEMAIL_ACTION": "message"}, call: placed, byDefault: "nothing", changed: "Call us."},
		{key: "VOICE_TRANSFER_TARGETS", value: `{"desk":"sip:desk@example.net"}`, call: throughTo, byDefault: "nobody", changed: "refer sip:desk@example.net"},
		{key: "VOICE_TRANSFER_MODE", value: "attended", with: map[string]string{"VOICE_TRANSFER_TARGETS": `{"desk":"sip:desk@example.net"}`}, call: throughTo, byDefault: "refer sip:desk@example.net", changed: "dial sip:desk@example.net, refer to the other call"},
	}
}

func greeting(t *testing.T, c *house.Chat) string { return begin(t, c).StartPhrase }

// buttons are those under the greeting.
func buttons(t *testing.T, c *house.Chat) string {
	s := begin(t, c)
	first := c.Socket(t, s.ID, "?after=0").MustNext()
	if len(first.Options) == 0 {
		return "none"
	}
	return strings.Join(first.Options, ", ")
}

func thoughts(t *testing.T, c *house.Chat) string {
	if begin(t, c).Thoughts {
		return "shown"
	}
	return "hidden"
}

func long(t *testing.T, c *house.Chat) string {
	s := begin(t, c)
	status := func(n int) int {
		body, kind := house.Form("", strings.Repeat("x", n))
		a, err := c.Do(t.Context(), house.Request{Method: http.MethodPost, Path: "/session/" + s.ID + "/run_v2", Type: kind, Body: body})
		require.NoError(t, err)
		return a.Status
	}
	return fmt.Sprintf("%d for 8000, %d for 8001", status(8000), status(8001))
}

// No variable is documented without a row here, and none has a row that is not
// documented.
func TestEveryVariableHasARow(t *testing.T) {
	documented, proven := map[string]bool{}, map[string]bool{}
	for _, s := range agent.Table() {
		documented[s.Key] = true
	}
	for _, r := range rows() {
		proven[r.key] = true
		require.True(t, r.idle != "" || (r.chat != nil) != (r.call != nil), "%s is seen in one place", r.key)
		require.True(t, r.idle != "" || r.byDefault != r.changed, "%s is to make a difference", r.key)
	}
	require.Equal(t, slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(proven)))
	t.Logf("figure: variables of an agent: %d", len(documented))
}

func TestEveryVariableMakesADifference(t *testing.T) {
	agents := map[string]map[string]string{}
	for i, r := range rows() {
		if r.chat == nil {
			continue
		}
		plain, changed := maps.Clone(r.with), map[string]string{r.key: r.value}
		maps.Copy(changed, r.with)
		agents[fmt.Sprintf("plain %d", i)], agents[fmt.Sprintf("changed %d", i)] = plain, changed
	}
	visit := serve(t, agents)
	t.Run("seen", func(t *testing.T) {
		for i, r := range rows() {
			switch {
			case r.idle != "":
			case r.chat != nil:
				t.Run("chat/"+r.key, func(t *testing.T) {
					t.Parallel()
					require.Equal(t, r.byDefault, r.chat(t, visit(fmt.Sprintf("plain %d", i))), "by default")
					require.Equal(t, r.changed, r.chat(t, visit(fmt.Sprintf("changed %d", i))), "with %q", r.value)
				})
			default:
				t.Run("call/"+r.key, func(t *testing.T) {
					var env []string
					for _, k := range slices.Sorted(maps.Keys(r.with)) {
						env = append(env, fmt.Sprintf("%s: %q", k, r.with[k]))
					}
					require.Equal(t, r.byDefault, r.call(t, env), "by default")
					require.Equal(t, r.changed, r.call(t, append(env, fmt.Sprintf("%s: %q", r.key, r.value))), "with %q", r.value)
				})
			}
		}
	})
}

// A variable that nothing reads is found by the program's own text, so that none
// is idle in silence, and none is called idle that is not.
func TestIdleVariablesAreNamed(t *testing.T) {
	read := selectors(t)
	var found, named []string
	for _, r := range rows() {
		if slices.Contains(found, r.key) {
			continue
		}
		if !slices.ContainsFunc(fields(t, r), func(f string) bool { return read[f] }) {
			found = append(found, r.key)
		}
		if r.idle != "" {
			named = append(named, r.key)
			t.Logf("figure: no effect yet: %s (%s)", r.key, r.idle)
		}
	}
	require.Equal(t, named, found)
}

// fields are those of agent.Settings that a variable sets.
func fields(t *testing.T, r row) (out []string) {
	t.Helper()
	s, d := agent.Defaults(), agent.Defaults()
	require.NoError(t, s.Set(r.key, r.value))
	a, b := reflect.ValueOf(s), reflect.ValueOf(d)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			out = append(out, a.Type().Field(i).Name)
		}
	}
	require.NotEmpty(t, out, "%s=%s sets nothing", r.key, r.value)
	return out
}

// selectors are the names that the program selects anywhere outside of the
// table itself.
func selectors(t *testing.T) map[string]bool {
	t.Helper()
	root, err := house.Root()
	require.NoError(t, err)
	out := map[string]bool{}
	for _, dir := range []string{"actors", "cluster", "engine", "gateway"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
				strings.HasSuffix(path, filepath.Join("engine", "agent", "settings.go")) {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					out[s.Sel.Name] = true
				}
				return true
			})
			return nil
		}))
	}
	return out
}
