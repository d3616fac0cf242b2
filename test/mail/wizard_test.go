package mail_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// A wizard's answer may be a film: what is said in it is what the agent knows.
// One that cannot be heard is noted, and the agent is made without it.
func TestAWizardHearsRecordings(t *testing.T) {
	t.Parallel()
	s := house.Serve(t, house.Options{Silent: true})
	dir := t.TempDir()
	run := func(program string, args ...string) {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	run("flite", "-voice", "slt", "-o", "said.wav", "-t", "In the winter the market opens at seven. Bring a warm coat and twenty dollars.")
	run("ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=5", "-i", "said.wav",
		"-shortest", "-c:v", "mpeg4", "-c:a", "aac", "talk.mp4")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "broken.mp3"), []byte("no sound"), 0o600))
	answers, err := json.Marshal(map[string]any{
		"About":     "Name: Anna Teacher\nWho I am: I show people the market in winter, when it opens, which warm coat to bring and how many dollars.",
		"Behaviour": "Answer questions about the market.\nLanguage: English\n",
		"Files":     []string{"talk.mp4", "broken.mp3"},
		"Token":     "1234567890:AAEisSLYpWrb0q18rlpuj7yQbJcOoM1PuLQ",
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "answers.json"), answers, 0o600))
	out := house.Must(t, "--data", s.Data, "agent", "wizard", "creator_ai_twin", "--answers", filepath.Join(dir, "answers.json"))
	require.Contains(t, out, "hearing talk.mp4")
	require.Contains(t, out, "talk.mp4 was heard; its words may hold mistakes")
	require.Contains(t, out, `"broken.mp3": the file is no recording that is known here`)
	require.Contains(t, out, "add its text with knowledge add")
	id := agentOf(t, out).ID
	found := house.Must(t, "--data", s.Data, "knowledge", "search", "--agent", id, "when does the market open")
	require.Contains(t, found, "talk.mp4")
	require.Contains(t, found, "opens at seven")
}

// An agent is called what its newest revision calls it, wherever it is listed,
// and keeps its id, its alias and its token.
func TestAnAgentIsRenamedByItsFile(t *testing.T) {
	t.Parallel()
	s := house.Serve(t, house.Options{Silent: true})
	file := filepath.Join(t.TempDir(), "desk.yaml")
	save := func(name string, args ...string) string {
		text := "name: " + name + "\nalias: desk\ntype: inbound_text\nwelcome_message: Good day!\nknowledge: {core: The harbour opens at six.}\n"
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return house.Must(t, append([]string{"--data", s.Data, "agent", "save", file}, args...)...)
	}
	a := agentOf(t, save("Harbour"))
	id := a.ID
	require.Contains(t, save("Port authority", "--agent", id), "Port authority")
	for _, args := range [][]string{{"agent", "list"}, {"agent", "revisions", id}} {
		said := house.Must(t, append([]string{"--data", s.Data}, args...)...)
		require.Contains(t, said, "Port authority")
		require.NotContains(t, said, "Harbour")
	}
	require.NotZero(t, house.Command(t, "--data", s.Data, "agent", "revisions", "Harbour").Code, "the old name is free")
	require.Contains(t, house.Must(t, "--data", s.Data, "agent", "revisions", "desk"), "Port authority")
	require.NotEmpty(t, s.Chat(a).MustOpen(t, "u1"), "its token is the same")
	require.Zero(t, s.Stop(t))
	s = house.Serve(t, house.Options{Data: s.Data, Silent: true})
	require.Contains(t, house.Must(t, "--data", s.Data, "agent", "list"), "Port authority", "also after a restart")
}
