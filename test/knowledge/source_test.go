package knowledge_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

const (
	sauna   = "The sauna opens at 17:00 and closes at 22:00 every day except Monday. Towels can be borrowed for 3 euros at the reception desk."
	welcome = "Welcome to the harbour of Lindau. We offer berths, a crane and a sauna for our guests all year round, whatever the weather is like."
)

func TestAWebsiteIsAnsweredFromWithoutARestart(t *testing.T) {
	t.Parallel()
	web := newSite(t, map[string]string{"/": page("Harbour", welcome, "/sauna"), "/sauna": page("Sauna", sauna)})
	p := serve(t, "", []*site{web}, "harbour.yaml")
	ask := p.asks("Harbour")
	require.NotContains(t, ask("When does the sauna open?"), "17:00")
	out := p.must("add", web.URL+"/", "--title", "Our site", "--agent", "Harbour office")
	require.Contains(t, out, "reading")
	require.Contains(t, out, `"Our site" is ready: 2 entries, 2 passages`)
	require.Contains(t, ask("When does the sauna open?"), "17:00", "the conversation went on all the time")

	// What is on the site now is known after indexing again.
	web.mu.Lock()
	web.pages["/sauna"] = page("Sauna", strings.ReplaceAll(sauna, "17:00", "15:30"))
	web.mu.Unlock()
	p.must("index", "Our site")
	require.Contains(t, ask("When does the sauna open?"), "15:30")
	require.Equal(t, 0, p.Stop(t))

	// A restart finds what was indexed and asks the site for nothing.
	before := web.requests()
	p = serve(t, p.Data, []*site{web}, "harbour.yaml")
	require.Contains(t, p.asks("Harbour")("When does the sauna open?"), "15:30")
	require.Equal(t, before, web.requests())
}

func TestAFileOfEachKindIsAnsweredFrom(t *testing.T) {
	t.Parallel()
	p := serve(t, "", nil, "harbour.yaml")
	samples := samples(t)
	txt := filepath.Join(t.TempDir(), "dogs.txt")
	require.NoError(t, os.WriteFile(txt, []byte("A dog without a lead costs a fine of 35 euros.\n"), 0o600))
	for _, one := range []struct{ path, question, answer string }{
		{filepath.Join(samples, "chromium.pdf"), "What does an urgent transfer cost?", "9 euros"},
		{filepath.Join(samples, "pandoc.docx"), "What does a second card cost?", "6 euros"},
		{filepath.Join(samples, "libreoffice.xlsx"), "Чайник электрический", "1990.5"},
		{filepath.Join(samples, "prices.csv"), "Плед шерстяной", "4200"},
		{filepath.Join(samples, "tariffs.md"), "How is a lost card blocked?", "+49 30 5550 1234"},
		{filepath.Join(samples, "pandoc.html"), "What do withdrawals outside the euro area cost?", "1.5 percent"},
		{txt, "What does a dog without a lead cost?", "35 euros"},
	} {
		name := filepath.Base(one.path)
		out := p.must("add", one.path, "--agent", "Harbour office")
		require.Contains(t, out, "is ready", name)
		require.Contains(t, p.found(one.question, "Harbour office"), one.answer, name)
		p.must("remove", name)
		require.NotContains(t, p.found(one.question, "Harbour office"), one.answer, name)
	}
}

func TestQuestionsWithAnswersAreSearchedOrAlwaysInThePrompt(t *testing.T) {
	t.Parallel()
	p := serve(t, "", nil, "harbour.yaml", "club.yaml")
	p.must("add", "--faq", file(t, "fees.yaml"), "--title", "Fees", "--agent", "Harbour office")
	require.Contains(t, p.asks("Harbour")("What does the crane cost?"), "80 euros")
	p.must("add", "--faq", file(t, "fees.yaml"), "--title", "Always there", "--mode", "prompt", "--agent", "Yacht club")
	require.Contains(t, p.asks("Yacht")("What does the crane cost?"), "80 euros")
	require.NotContains(t, p.found("What does the crane cost?", "Yacht club"), "80 euros", "it stands in the prompt and is not searched")

	docx := filepath.Join(samples(t), "pandoc.docx")
	out := p.must("add", "--faq", docx, "--title", "Taken from a file", "--agent", "Harbour office")
	require.Contains(t, out, "2 entries")
	require.Contains(t, p.asks("Harbour")("How do I close my account?"), "within ten days")
	require.Contains(t, p.must("list"), "faq 3, text 0, website 0, file 0, youtube 0")
}

func TestATextIsTakenUpToItsLimit(t *testing.T) {
	t.Parallel()
	p := serve(t, "", nil, "harbour.yaml")
	p.must("add", "--text", "The lighthouse was built in 1856 and is 33 metres high.", "--title", "Lighthouse", "--agent", "Harbour office")
	require.Contains(t, p.asks("Harbour")("How high is the lighthouse?"), "33 metres")
	require.Contains(t, p.fails("add", "--text", strings.Repeat("ä", 50_001), "--title", "Long"), "at most 50000 characters")
	require.Contains(t, p.fails("add", "--text", "x", "--title", strings.Repeat("t", 256)), "1 to 255 characters")
	require.Contains(t, p.fails("add", "--text", "again", "--title", "Lighthouse"), "already")
	require.Len(t, p.list(), 1)
}

func TestTwoAgentsShareASource(t *testing.T) {
	t.Parallel()
	p := serve(t, "", nil, "harbour.yaml", "club.yaml")
	const question, answer = "How high is the lighthouse?", "33 metres"
	p.must("add", "--text", "The lighthouse was built in 1856 and is 33 metres high.", "--title", "Lighthouse")
	require.Contains(t, p.must("list"), "(unused)")
	harbour, club := p.asks("Harbour"), p.asks("Yacht")
	require.NotContains(t, harbour(question), answer)
	for _, agent := range []string{"Harbour office", "Yacht club"} {
		p.must("connect", "Lighthouse", agent)
	}
	require.ElementsMatch(t, []string{"Harbour office", "Yacht club"}, p.source("Lighthouse", "Ready").Agents)
	require.Contains(t, harbour(question), answer)
	require.Contains(t, club(question), answer)

	p.must("disconnect", "Lighthouse", "Harbour office")
	require.NotContains(t, harbour(question), answer)
	require.Contains(t, club(question), answer)
	require.Contains(t, club(question), "Sources: Lighthouse", "this agent says where it has it from")
	replays(t, p)

	p.must("remove", "Lighthouse")
	require.NotContains(t, club(question), answer)
	require.Empty(t, p.list())
	require.Contains(t, p.fails("connect", "Lighthouse", "Yacht club"), "there is no source")
}

func TestARunIsStoppedAndBegunAgain(t *testing.T) {
	t.Parallel()
	web := newSite(t, map[string]string{"/": page("Harbour", welcome, "/slow"), "/slow": page("Sauna", sauna)})
	p := serve(t, "", []*site{web}, "harbour.yaml")
	p.must("add", web.URL+"/", "--title", "Our site", "--agent", "Harbour office", "--no-wait")
	<-web.slow
	on := p.source("Our site", "Indexing")
	require.Equal(t, 1, on.Progress.Done, "the first page was read: %+v", on)
	require.Contains(t, p.must("index", "Our site", "--stop"), "Pending")
	close(web.held)
	require.NotContains(t, p.found("When does the sauna open?", "Harbour office"), "17:00", "what a stopped run brings is not taken")
	require.Contains(t, p.must("index", "Our site"), "is ready: 2 entries")
	require.Contains(t, p.asks("Harbour")("When does the sauna open?"), "17:00")
}

func TestARunThatTheEndOfTheProcessBrokeOffIsBegunAgain(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *place){
		"kill -9": func(_ *testing.T, p *place) { p.Kill() },
		"stop":    func(t *testing.T, p *place) { require.Zero(t, p.Stop(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			brokenOff(t, end)
		})
	}
}

func brokenOff(t *testing.T, end func(*testing.T, *place)) {
	web := newSite(t, map[string]string{"/": page("Harbour", welcome, "/slow"), "/slow": page("Sauna", sauna)})
	p := serve(t, "", []*site{web}, "harbour.yaml")
	p.must("add", "--text", "The lighthouse was built in 1856 and is 33 metres high.", "--title", "Lighthouse", "--agent", "Harbour office")
	p.must("add", web.URL+"/", "--title", "Our site", "--agent", "Harbour office", "--no-wait")
	<-web.slow
	end(t, p)
	close(web.held)
	p = serve(t, p.Data, []*site{web}, "harbour.yaml")
	ready := p.source("Our site", "Ready")
	require.Equal(t, 2, ready.Run)
	ask := p.asks("Harbour")
	require.Contains(t, ask("When does the sauna open?"), "17:00")
	require.Contains(t, ask("How high is the lighthouse?"), "33 metres", "what was indexed before the kill is there")
}

// What an agent's own file names is read in the background and belongs to it.
func TestWhatAnAgentsFileNamesIsIndexed(t *testing.T) {
	t.Parallel()
	web := newSite(t, map[string]string{"/slow": page("Sauna", sauna)})
	dir := t.TempDir()
	base, err := os.ReadFile(file(t, "harbour.yaml"))
	require.NoError(t, err)
	agent := filepath.Join(dir, "agent.yaml")
	write := func(more string) {
		require.NoError(t, os.WriteFile(agent, append(append([]byte(nil), base...), more...), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dogs.md"), []byte("# Dogs\n\nA dog without a lead costs a fine of 35 euros.\n"), 0o600))
	write(fmt.Sprintf("  files: [dogs.md]\n  websites: [{url: %q, pages: 3}]\n  sources: [Lighthouse]\n", web.URL+"/slow"))
	p := serve(t, "", []*site{web}, agent)
	ask := p.asks("Harbour")
	<-web.slow
	require.Contains(t, ask("How much does a berth cost?"), "14 euros", "the agent answers while its site is being read")
	p.source("dogs.md", "Ready")
	require.Contains(t, ask("What does a dog without a lead cost?"), "35 euros")
	close(web.held)
	own := p.source(web.URL+"/slow", "Ready")
	require.Equal(t, "Harbour office", own.Owner)
	require.Contains(t, ask("When does the sauna open?"), "17:00")
	p.must("add", "--text", "The lighthouse was built in 1856 and is 33 metres high.", "--title", "Lighthouse")
	require.Contains(t, ask("How high is the lighthouse?"), "33 metres", "the file named it before it was there")

	// Another file: what it changes is read again, what it leaves out is gone.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dogs.md"), []byte("# Dogs\n\nA dog without a lead costs a fine of 50 euros.\n"), 0o600))
	write("  files: [dogs.md]\n")
	saved := houseSave(t, p, agent)
	require.Contains(t, saved, "revision 2")
	require.Eventually(t, func() bool {
		return strings.Contains(p.found("What does a dog without a lead cost?", "Harbour office"), "50 euros")
	}, patience, 50_000_000)
	require.Len(t, p.list(), 2, "the site is gone, the library's own source stays: %+v", p.list())
	require.NotContains(t, p.found("When does the sauna open?", "Harbour office"), "17:00")
	require.NotContains(t, p.found("How high is the lighthouse?", "Harbour office"), "33 metres", "the file names it no more")
}

// replays decides every conversation again, though the library is another one
// by now, and finds no difference.
func replays(t *testing.T, p *place) {
	t.Helper()
	for line := range strings.Lines(house.Must(t, "--data", p.Data, "sessions", "list", "--json")) {
		var row struct{ ID string }
		require.NoError(t, json.Unmarshal([]byte(line), &row))
		var report struct{ Differences []any }
		require.NoError(t, json.Unmarshal([]byte(house.Must(t, "--data", p.Data, "replay", row.ID, "--json")), &report))
		require.Empty(t, report.Differences)
	}
}
