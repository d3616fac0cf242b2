package canary

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/agent/bundle"
	"flametree/test/house"
)

// canaries are the marked values by what they are. They look like nothing in
// particular, so that only who was told that they are secret can hide them.
func canaries() map[string]string {
	return map[string]string{
		"group":    "wren-Qk4mZ71pTb-group",
		"env":      "robin-Xv8cL20dNs-env",
		"fallback": "finch-Hj3wR95gYe-fallback",
		"model":    "heron-Bt6uF48kMa-model",
		"param":    "stork-Dz9yP13vCx-param",
		"nested":   "raven-Gs2nJ57hWq-nested",
		"amended":  "eagle-Kf5rT86bLu-amended",
		"stray":    "swift-Mp7aV34eOi-stray",
	}
}

// aviary finds canaries, however they are written.
type aviary struct {
	t     *testing.T
	marks map[string]string // written form to name
	texts int
	bytes int
	found map[string]string // place and name to the text around it
}

func newAviary(t *testing.T) *aviary {
	a := &aviary{t: t, marks: map[string]string{}, found: map[string]string{}}
	for name, v := range canaries() {
		for _, form := range []string{v, base64.StdEncoding.EncodeToString([]byte(v)), hex.EncodeToString([]byte(v)), url.QueryEscape(v)} {
			a.marks[form] = name
		}
		core := strings.Split(v, "-")[1] // what is left when the ends are cut off
		a.marks[core] = name
	}
	return a
}

// search notes the canaries in a text. Those that belong there are excepted.
func (a *aviary) search(where, text string, except ...string) {
	a.texts++
	a.bytes += len(text)
	for form, name := range a.marks {
		at := strings.Index(text, form)
		note := where + ": " + name
		if _, known := a.found[note]; at < 0 || known || slices.Contains(except, name) {
			continue
		}
		a.found[note] = text[max(0, at-100):min(len(text), at+40)]
	}
}

// owed are the places where a canary is still to be found, each with what is to
// be done about it. A place that is clean must be struck from here.
func owed() map[string]string { return map[string]string{} }

// verdict fails the test with every place at once.
func (a *aviary) verdict() {
	a.t.Helper()
	debts := owed()
	for _, note := range slices.Sorted(maps.Keys(a.found)) {
		if why, known := debts[note]; known {
			a.t.Logf("owed: %s (%s)", note, why)
		} else {
			a.t.Errorf("found in %s: …%q…", note, a.found[note])
		}
	}
	for note := range debts {
		if _, found := a.found[note]; !found {
			a.t.Errorf("no longer found, so no longer owed: %s", note)
		}
	}
	a.t.Logf("figure: places where a canary is still found: %d", len(a.found))
}

// place writes the agent's folder with the canaries in it.
func place(t *testing.T, o *outside) (file string) {
	t.Helper()
	c, dir := canaries(), t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/till")))
	file = filepath.Join(dir, "agent.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	out := strings.NewReplacer("VALUE_OF_GROUP", c["group"], "VALUE_OF_ENV", c["env"], "VALUE_OF_FALLBACK", c["fallback"],
		"URL_OF_SHOP", o.URL, "URL_OF_MODEL", o.URL).Replace(string(text))
	require.NoError(t, os.WriteFile(file, []byte(out), 0o600))
	return file
}

// desk is the running program with the agent, and what is searched later.
type desk struct {
	t       *testing.T
	server  *house.Server
	chat    *house.Chat
	out     *outside
	file    string
	aviary  *aviary
	answers []string
}

func open(t *testing.T) *desk {
	o := openOutside(t)
	d := &desk{t: t, out: o, file: place(t, o), aviary: newAviary(t)}
	d.server = house.Serve(t, house.Options{
		Whole:  true,
		Agents: []string{d.file}, Log: "debug", Args: []string{"--metrics", "127.0.0.1:0"},
		Env: []string{"CANARY_MODEL_KEY=" + canaries()["model"], "FLAMETREE_EGRESS_ALLOW=" + strings.TrimPrefix(o.URL, "http://")},
	})
	d.chat = d.server.Chat(d.server.Agent(t, "Till"))
	return d
}

// ask sends a request and keeps what was answered.
func (d *desk) ask(what, method, path string, body any) *house.Answer {
	d.t.Helper()
	a := d.chat.JSON(d.t, method, path, body)
	d.answers = append(d.answers, what+" "+string(a.Body))
	return a
}

// say writes a line of the human.
func (d *desk) say(session, line string) {
	d.t.Helper()
	body, kind := house.Form("", line)
	a, err := d.chat.Do(d.t.Context(), house.Request{Method: http.MethodPost, Path: "/session/" + session + "/run_v2", Type: kind, Body: body})
	require.NoError(d.t, err)
	require.Equal(d.t, http.StatusOK, a.Status, "%s: %s", line, a.Body)
	d.answers = append(d.answers, line+" "+string(a.Body))
}

// converse lets everything go wrong in one conversation.
func (d *desk) converse() (session string) {
	t, c := d.t, canaries()
	made := d.ask("open", http.MethodPost, "/session", map[string]any{
		"user_id": "u1", "name": "Ann", "kwargs": map[string]any{
			"_token": c["param"], "customer": "Ann", "profile": map[string]any{"_pin": c["nested"], "plan": "gold"},
		},
	})
	require.Equal(t, http.StatusOK, made.Status, "%s", made.Body)
	var s struct {
		ID string `json:"session_id"`
	}
	made.Into(t, &s)
	changed := d.ask("amend", http.MethodPut, "/session/"+s.ID, map[string]any{"kwargs": map[string]any{"_late": c["amended"]}})
	require.Equal(t, http.StatusOK, changed.Status, "%s", changed.Body)
	for _, line := range []string{
		"please look up my order", "break down", "tell all", "dial out", "pay bound", "what if you are unauthorised", "please babble", "goodbye",
	} {
		d.say(s.ID, line)
	}
	d.ask("look", http.MethodGet, "/session/"+s.ID, nil)
	trace := d.ask("trace", http.MethodGet, "/session/"+s.ID+"/trace", nil)
	for _, tool := range []string{"look_up", "break_down", "tell_all", "dial_out", "pay_bound"} {
		require.Contains(t, string(trace.Body), tool, "the tools ran")
	}
	d.wrong()
	d.ask("end", http.MethodDelete, "/session/"+s.ID, nil)
	return s.ID
}

// wrong sends requests that are refused, with a secret in them.
func (d *desk) wrong() {
	token := map[string]any{"_token": canaries()["stray"]}
	for _, body := range []map[string]any{
		{"user_id": "", "kwargs": token},
		{"kwargs": token},
		{"user_id": "u1", "type": "pigeon", "kwargs": token},
		{"user_id": "u1", "kwargs": []any{token}},
		{"user_id": "u1", "args": token},
	} {
		a := d.ask("refused", http.MethodPost, "/session", body)
		require.GreaterOrEqual(d.t, a.Status, 400, "%s", a.Body)
	}
}

// command runs the program against the server, as an owner would at a terminal.
func (d *desk) command(args ...string) string {
	r := house.Command(d.t, append([]string{"--data", d.server.Data}, args...)...)
	return r.Out + r.Err
}

// spoil saves files that cannot be used; each keeps its secrets near the fault.
func (d *desk) spoil() {
	text, err := os.ReadFile(d.file)
	require.NoError(d.t, err)
	for what, change := range map[string][2]string{
		"a tab":                   {"  TILL_KEY:", "\tTILL_KEY:"},
		"an open brace":           {", secret: true}\n  FALLBACK_KEY", ", secret: true\n  FALLBACK_KEY"},
		"a secret that is a list": {"{value: " + canaries()["env"] + ", secret: true}", "{value: [" + canaries()["env"] + "], secret: true}"},
		"a variable it knows":     {"TILL_KEY:", "MAX_MESSAGE_CHARS:"},
		"a timer it knows":        {"TILL_KEY:", "VOICE_EOT_MS:"},
		"a key twice":             {"  FALLBACK_KEY:", "  TILL_KEY:"},
		"a bad quote":             {canaries()["env"], `"` + canaries()["env"]},
		"a key in place of its name": {
			"key_env: CANARY_MODEL_KEY", "key_env: " + canaries()["model"],
		},
	} {
		bad := strings.Replace(string(text), change[0], change[1], 1)
		require.NotEqual(d.t, string(text), bad, what)
		file := filepath.Join(filepath.Dir(d.file), "bad.yaml")
		require.NoError(d.t, os.WriteFile(file, []byte(bad), 0o600))
		commands := [][]string{{"agent", "validate", file}}
		if !strings.HasPrefix(what, "a key in place") { // nobody could know that a name is a key: it would be kept as a draft
			commands = append(commands, []string{"agent", "save", "--agent", "till", file})
		}
		for _, args := range commands {
			r := house.Command(d.t, append([]string{"--data", d.server.Data}, args...)...)
			require.NotEmpty(d.t, r.Out+r.Err, what)
			d.aviary.search("what is said of "+what, r.Out+r.Err)
		}
	}
}

func TestSecretsReachTheToolsAndNothingElse(t *testing.T) {
	d := open(t)
	session := d.converse()
	d.spoil()
	d.call()

	requests, keys, held := d.out.seen()
	c := canaries()
	for _, name := range []string{"group", "env", "fallback", "param", "nested", "amended"} {
		require.Equal(t, c[name], held[name], "the code of tools holds what it is to work with: %s", name)
	}
	require.Equal(t, c["param"], held["bound"], "an argument bound to a parameter is filled in")
	require.ElementsMatch(t, []string{c["model"], c["fallback"]}, keys, "models are asked with their own keys")
	require.Greater(t, len(requests), 8)

	a := d.aviary
	for _, r := range requests {
		a.search("a request to a model", r)
	}
	for _, r := range d.answers {
		what, text, _ := strings.Cut(r, " ")
		switch what {
		case "open", "amend", "look": // the owner of the token gets back the parameters it gave
			a.search("the answer to "+what, text, "param", "nested", "amended")
		default:
			a.search("the answer to "+what, text)
		}
	}
	a.search("the log", d.server.Log())
	require.Contains(t, d.server.Log(), "level=DEBUG", "all levels are looked at")
	a.search("what the server prints", d.server.Said())
	for _, e := range house.Journal(t, d.server.Data) {
		a.search("journal tail "+e.Kind, e.Raw)
	}
	for _, args := range [][]string{{"agent", "list"}, {"agent", "revisions", "till"}, {"agent", "diff", "till", "0"}} {
		a.search(strings.Join(args, " "), d.command(args...))
	}
	d.metrics()
	d.export()
	d.files()
	t.Logf("figure: searched %d requests to models, %d texts in all, %d KB; session %s", len(requests), a.texts, a.bytes>>10, session)
	a.verdict()
}

// metrics are searched as they are scraped.
func (d *desk) metrics() {
	at := regexp.MustCompile(`http://127\.0\.0\.1:\d+/metrics`).FindString(d.server.Said())
	require.NotEmpty(d.t, at, "%s", d.server.Said())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	got, err := client.Get(at)
	require.NoError(d.t, err)
	body, err := io.ReadAll(got.Body)
	require.NoError(d.t, err)
	require.NoError(d.t, got.Body.Close())
	require.Contains(d.t, string(body), "flametree_")
	d.aviary.search("metrics", string(body))
}

// export opens an export without sensitive data. One with it is for moving an
// agent as it is; only what belongs to conversations may not be in it.
func (d *desk) export() {
	for _, args := range [][]string{{"--remove-sensitive"}, nil} {
		file := filepath.Join(d.t.TempDir(), "till.zip.age")
		said := d.command(append([]string{"agent", "export", "till", "--out", file}, args...)...)
		d.aviary.search("what export prints", said)
		key := regexp.MustCompile(`secret key (\S+)`).FindStringSubmatch(said)
		require.Len(d.t, key, 2, "%s", said)
		sealed, err := os.ReadFile(file)
		require.NoError(d.t, err)
		d.aviary.search("a sealed export", string(sealed))
		b, err := bundle.Open(key[1], sealed)
		require.NoError(d.t, err)
		text, err := json.Marshal(b)
		require.NoError(d.t, err)
		var except []string
		if args == nil {
			except = []string{"group", "env", "fallback"}
		}
		d.aviary.search("an export, opened", string(text)+b.File, except...)
	}
}

// files are those of the data folder, once the server has ended.
func (d *desk) files() {
	require.Zero(d.t, d.server.Stop(d.t))
	require.NoError(d.t, filepath.WalkDir(d.server.Data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(d.server.Data, path)
		var except []string
		if strings.HasPrefix(rel, "journal"+string(filepath.Separator)) { // where agents' files live, secrets and all
			except = []string{"group", "env", "fallback"}
		}
		d.aviary.search("the file "+rel, string(text), except...)
		return err
	}))
	d.aviary.search("the log", d.server.Log())
}
