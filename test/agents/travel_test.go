package agents_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

const canary = "canary-4711-secret-value"

// traveller is an agent with a secret, an alias, a tool that uses the secret,
// and a file of knowledge.
func (f folder) traveller(url, stamp string) string {
	path := f.clerk(url, "Ada", "Counter", stamp)
	f.write("tools/submodules/stamp.py", "def stamp(ctx):\n    return {\"stamp\": \""+stamp+"\", \"length\": len(ctx.env.get(\"DESK_API_KEY\", \"\"))}\n")
	text, err := os.ReadFile(path)
	require.NoError(f.t, err)
	f.write("prices.csv", "paper,price\nform,3 euros\n")
	return f.write("agent.yaml", strings.Replace(string(text), "core: The desk opens at nine.", "core: The desk opens at nine.\n  files: [prices.csv]", 1)+
		"alias: clerk\nenv:\n  DESK_API_KEY: {value: "+canary+", secret: true}\n")
}

// export seals an agent and returns the file and its key.
func (o owner) export(what string, flags ...string) (file, key string) {
	o.t.Helper()
	file = filepath.Join(o.t.TempDir(), "agent.zip.age")
	out := o.must(append([]string{"agent", "export", what, "--out", file}, flags...)...)
	m := keyLine.FindStringSubmatch(out)
	require.NotNil(o.t, m, out)
	return file, m[1]
}

// TestAnExportedAgentAnswersElsewhere takes an agent with its tool to a second
// server: with the key only, whole only, stopped at first.
func TestAnExportedAgentAnswersElsewhere(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	from := serve(t, house.Options{}, th.url)
	from.save(f.traveller(th.url, "first"))
	file, key := from.export("Clerk")
	sealed, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(sealed), canary)

	to := serve(t, house.Options{}, th.url)
	require.Contains(t, to.refused("agent", "import", file, "--key", "AAAA-BBBB-CCCC-DDDD-EEEE-FFFF-GGGG-HHHH"), "the secret key does not fit this file")
	require.Contains(t, to.refused("agent", "import", file), "--key")
	cut := newFolder(t).write("cut.zip.age", string(sealed[:len(sealed)-20]))
	require.Contains(t, to.refused("agent", "import", cut, "--key", key), "damaged")
	bent := []byte(string(sealed))
	bent[len(bent)/2] ^= 1
	require.Contains(t, to.refused("agent", "import", newFolder(t).write("bent.zip.age", string(bent)), "--key", key), "damaged")
	require.Contains(t, to.refused("agent", "import", newFolder(t).write("text", "hello"), "--key", key), "this is no exported agent")
	require.NotContains(t, to.must("agent", "list"), "Clerk", "nothing of all that made an agent")

	dry := to.must("agent", "import", file, "--key", key, "--dry-run")
	require.Regexp(t, `create +group tools/plugin.yaml`, dry)
	require.NotContains(t, to.must("agent", "list"), "Clerk")
	a := agentOf(t, to.must("agent", "import", file, "--key", strings.ToLower(key)))
	require.Regexp(t, `Stopped .* clerk +Clerk`, to.must("agent", "list"))
	to.must("agent", "start", a.ID)
	require.NoError(t, os.RemoveAll(f.dir))
	d := to.talk(a)
	d.edition("Ada", "Counter", "first")
	require.Contains(t, d.says("use Stamp"), "24", "the secret came along in the sealed file")
}

// TestRemovedSecretsAreAskedFor leaves secrets out of an export: the import
// names them, and the file has none.
func TestRemovedSecretsAreAskedFor(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	from := serve(t, house.Options{}, th.url)
	from.save(f.traveller(th.url, "first"))
	file, key := from.export("Clerk", "--remove-sensitive")
	to := serve(t, house.Options{}, th.url)
	out := to.must("agent", "import", file, "--key", key)
	require.Regexp(t, `(?m)^note: .*DESK_API_KEY`, out)
	require.NotContains(t, to.must("agent", "diff", "Clerk", "0"), canary)
	a := agentOf(t, out)
	to.must("agent", "start", a.ID)
	require.NotContains(t, to.talk(a).says("use Stamp"), "24", "the value is not there")
}

// TestForceFlagsDecideWhatIsReplaced imports an agent where a tool group of that
// name is there with other code: it stays, unless the export was made to replace it.
func TestForceFlagsDecideWhatIsReplaced(t *testing.T) {
	t.Parallel()
	th := newThinker(t)
	from := serve(t, house.Options{}, th.url)
	from.save(newFolder(t).clerk(th.url, "Ada", "Counter", "travelled"))
	to := serve(t, house.Options{}, th.url)
	there := to.save(newFolder(t).clerk(th.url, "Berta", "Window", "resident"))
	for _, tt := range []struct {
		flags        []string
		does, stamps string
	}{
		{nil, "keep", "resident"},
		{[]string{"--force-skills"}, "overwrite", "travelled"},
	} {
		file, key := from.export("Clerk", tt.flags...)
		out := to.must("agent", "import", file, "--key", key)
		require.Regexp(t, tt.does+` +group tools/plugin.yaml`, out)
		a := agentOf(t, out)
		to.must("agent", "start", a.ID)
		require.Contains(t, to.talk(a).says("use Stamp"), tt.stamps)
	}
	require.Contains(t, to.talk(there).says("use Stamp"), "resident", "a revision keeps the code it was saved with")
}

// TestACopyIsAnAgentOfItsOwn has the tool, another name, no secret value and no
// alias; overrides enter values again.
func TestACopyIsAnAgentOfItsOwn(t *testing.T) {
	t.Parallel()
	th, f := newThinker(t), newFolder(t)
	o := serve(t, house.Options{}, th.url)
	original := o.save(f.traveller(th.url, "first"))
	require.NoError(t, os.RemoveAll(f.dir))
	out := o.must("agent", "copy", "Clerk", "--set", "identity=Your name is Dora.")
	require.Regexp(t, `(?m)^note: .*DESK_API_KEY`, out)
	require.Regexp(t, `(?m)^note: .*"clerk".*switched off`, out)
	a := agentOf(t, out)
	require.Equal(t, "Clerk (copy)", a.Name)
	require.NotEqual(t, original.ID, a.ID)
	require.NotEqual(t, original.Token, a.Token)
	require.NotContains(t, o.must("agent", "diff", a.ID, "0"), canary)
	o.must("agent", "start", a.ID)
	o.talk(a).edition("Dora", "Counter", "first")
	d := o.talk(original)
	d.edition("Ada", "Counter", "first")
	require.Contains(t, d.says("use Stamp"), "24", "the original has its secret still")
	require.Contains(t, o.refused("agent", "copy", "Clerk", "--set", "identity"), "write KEY=VALUE")
}

// answersOfTheDocument are the example answers of the wizards' pages.
func answersOfTheDocument() map[string]any {
	sales := map[string]any{
		"Name":  "Mia",
		"About": "I provide professional wardrobe analysis.\nThe goal is to reduce unnecessary purchases and to make the most of what is already in the wardrobe.",
		"Behaviour": "AI Agent tone of voice: Friendly, warm, and supportive. Without pressure\nGreeting language: English\n" +
			"Starting phrase: “Hi! How can I help you with your wardrobe today?”",
		"Results": "- For each conversation, the AI agent should collect: the human’s name, email, and the reason why the customer needs wardrobe analysis and advice.\n" +
			"- The collected details must be sent to the following email address: wardrobe@test.com.",
	}
	return map[string]any{
		"creator_ai_twin": map[string]any{
			"About": "Name: Anna Teacher\nWho I am: Lifestyle blogger and English teacher living in Hanoi.\nMy mission: I believe life doesn’t have to be perfect.",
			"Behaviour": "You are my AI Twin — a digital assistant that represents me.\nYour main tasks:\n- Answer questions about everyday life in Vietnam\n\n" +
				"Communication style:\n- Speak in my voice: calm, warm\n- Use short sentences",
			"Files": []string{"notes.txt"},
			"Token": "1234567890:AAEisSLYpWrb0q18rlpuj7yQbJcOoM1PuLQ",
		},
		"telegram_ai_sales": with(sales, "Token", "1234567890:AAEisSLYpWrb0q18rlpuj7yQbJcOoM1PuLQ"),
		"website_ai_sales":  sales,
	}
}

func with(m map[string]any, key string, v any) map[string]any {
	out := maps.Clone(m)
	out[key] = v
	return out
}

// TestEachWizardMakesAnAgentThatAnswers takes the answers of the document and
// the built-in model.
func TestEachWizardMakesAnAgentThatAnswers(t *testing.T) {
	t.Parallel()
	o, f := serve(t, house.Options{}), newFolder(t)
	f.write("notes.txt", "In Hanoi a bowl of soup for breakfast costs two dollars.")
	for template, answers := range answersOfTheDocument() {
		text, err := json.Marshal(answers)
		require.NoError(t, err)
		out := o.must("agent", "wizard", template, "--answers", f.write(template+".json", string(text)))
		require.NotContains(t, out, "AAEisSLYpWrb0q18rlpuj7yQbJcOoM1PuLQ", "the bot's token is shown to nobody")
		a := agentOf(t, out)
		require.Contains(t, out, "it is stopped: try it, then flametree agent start "+a.ID)
		o.must("agent", "start", a.ID)
		d := o.talk(a)
		for line, says := range map[string]map[string]string{
			"What is your mission?":             {"creator_ai_twin": "life doesn’t have to be perfect"},
			"Do you provide wardrobe analysis?": {"telegram_ai_sales": "wardrobe analysis", "website_ai_sales": "wardrobe analysis"},
		} {
			if want := says[template]; want != "" {
				require.Contains(t, d.says(line), want, template)
			}
		}
	}
	require.Contains(t, o.must("agent", "list"), "Anna Teacher (AI twin)")
	require.Contains(t, o.refused("agent", "wizard", "shop", "--answers", f.write("x.json", "{}")), "creator_ai_twin, telegram_ai_sales and website_ai_sales")
	said := o.refused("agent", "wizard", "website_ai_sales", "--answers", f.write("x.json", `{"Name": "Mia"}`))
	require.Contains(t, said, "about: ")
	require.Contains(t, o.refused("agent", "wizard", "website_ai_sales", "--answers", f.write("x.json", `{"Name": `)), "x.json")
	require.Contains(t, o.must("agent", "wizard"), "website_ai_sales")
}
