package spokenscenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/wav"
	"flametree/test/house"
)

func TestMain(m *testing.M) { os.Exit(house.Main(m)) }

// report is what `scenario run --json` promises.
type report struct {
	Scenario, File, Session, Status, Fault, Ended string
	Passed                                        bool
	Length                                        int64 `json:"length_ms"`
	Answers                                       []struct {
		Step int
		Took int64 `json:"took_ms"`
	}
	Expectations []struct {
		Step      int
		Key       string `json:"expectation"`
		Want, Got string
		Met       bool
		Place     struct{ Line, Col int }
	}
	Caller     []span
	AgentHeard []span  `json:"agent_heard"`
	Breaks     []int64 `json:"interruptions_ms"`
	Packets    struct {
		Sent, Heard, Missing int
		RoadSeen             int `json:"road_seen"`
		RoadLost             int `json:"road_lost"`
		Overtaken            int
	}
}

type span struct {
	From int64 `json:"from_ms"`
	To   int64 `json:"to_ms"`
	Text string
}

// run runs the command as at a terminal; it may take longer than others do.
func run(t *testing.T, args ...string) house.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, house.Program(), append([]string{"scenario"}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "FLAMETREE_ADMISSION_PACER_LATE_P99=10s")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return house.Result{Code: cmd.ProcessState.ExitCode(), Out: out.String(), Err: errs.String()}
}

// play runs scenarios and gives what became of each, by its file's name.
func play(t *testing.T, args ...string) (map[string]report, house.Result) {
	t.Helper()
	r := run(t, append([]string{"run", "--json"}, args...)...)
	out := map[string]report{}
	for line := range strings.Lines(r.Out) {
		var one report
		require.NoError(t, json.Unmarshal([]byte(line), &one), line)
		name, _, _ := strings.Cut(filepath.Base(one.File), ".")
		out[name] = one
	}
	return out, r
}

// place copies the scenarios and their agents into a folder, with the agent of
// a tutorial turned into one for calls.
func place(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata")))
	root, err := house.Root()
	require.NoError(t, err)
	hub, err := os.ReadFile(filepath.Join(root, "test/tutorials/testdata/eventhub/agent.yaml"))
	require.NoError(t, err)
	spoken := bytes.Replace(hub, []byte("type: inbound_text"), []byte("type: inbound_voice"), 1)
	require.NotEqual(t, hub, spoken)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hub.yaml"), spoken, 0o600))
	return dir
}

// attempts is how often a conversation may be played until it goes as expected:
// it runs in real time, and the machine may be busy with something else just then.
const attempts = 3

// TestConversationsGoAsExpected plays real conversations with the bank of the
// demo, an agent of a tutorial and one that nobody else knows: interruption, sign
// of listening, cough, keys, noise, a road that loses packets, results, silence.
func TestConversationsGoAsExpected(t *testing.T) {
	t.Parallel()
	dir, out := place(t), t.TempDir()
	left := []string{"interruption", "contact", "tutorial", "noise", "backchannel", "cough", "digits", "loss", "harbour", "silence"}
	for try := 1; len(left) > 0; try++ {
		begun := time.Now()
		args := []string{"--parallel", strconv.Itoa(4 / try), "--out", out} // fewer at once each time
		for _, n := range left {
			args = append(args, filepath.Join(dir, n+".scenario.yaml"))
		}
		all, r := play(t, args...)
		again := left[:0:0]
		for _, n := range left {
			one, ok := all[n]
			if ok && one.Passed {
				tell(t, one)
				if n == "noise" {
					require.Len(t, one.Breaks, 1, "the noise itself cuts nothing off")
				}
				continue
			}
			again = append(again, n)
			if try == attempts {
				t.Errorf("%s did not go as expected in %d attempts: %s %+v\n%s", n, attempts, one.Fault, one.Expectations, r.Err)
			}
		}
		require.Equal(t, len(again) > 0, r.Code == 1, "exit code %d: %s", r.Code, r.Err)
		t.Logf("figure: attempt %d, %d of %d conversations went as expected in %.0f s", try, len(left)-len(again), len(left), time.Since(begun).Seconds())
		if left = again; try == attempts {
			break
		}
	}
	t.Run("what is kept can be heard and seen", func(t *testing.T) { kept(t, out) })
}

func tell(t *testing.T, r report) {
	took := int64(0)
	for _, a := range r.Answers {
		took = max(took, a.Took)
	}
	t.Logf("figure: %-45s %4.1f s, slowest answer %4d ms, %d of %d packets lost on the road, %d interruptions", r.Scenario, float64(r.Length)/1000, took,
		r.Packets.RoadLost, r.Packets.RoadSeen, len(r.Breaks))
}

// kept looks at the files of a run: the caller is on the left where the report
// says that it spoke, the agent on the right.
func kept(t *testing.T, dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "harbour.json"))
	require.NoError(t, err)
	var r report
	require.NoError(t, json.Unmarshal(text, &r))
	sound, err := os.ReadFile(filepath.Join(dir, "harbour.wav"))
	require.NoError(t, err)
	a, err := wav.Decode(sound)
	require.NoError(t, err)
	require.Equal(t, 2, a.Channels)
	require.InDelta(t, float64(r.Length)/1000, a.Length().Seconds(), 2)
	for side, spans := range [][]span{r.Caller[:1], r.AgentHeard} {
		require.NotEmpty(t, spans)
		for _, s := range spans {
			part := a.Channel(side)[s.From*8 : min(s.To*8, int64(len(a.PCM)/2))]
			require.Greater(t, level(part), 300.0, "side %d is silent from %d to %d ms", side, s.From, s.To)
		}
	}
	require.NotEmpty(t, r.AgentHeard)
	before := a.Channel(1)[:max(1, (r.AgentHeard[0].From-100)*8)]
	require.Less(t, level(before), 60.0, "the agent is heard before the report says so")
	for _, name := range []string{"harbour.svg", "harbour.html"} {
		page, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Contains(t, string(page), "berth")
		require.NotRegexp(t, regexp.MustCompile(`(src|href)="https?:`), string(page), "%s loads something from elsewhere", name)
	}
}

func level(pcm []int16) float64 {
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(max(1, len(pcm))))
}

// TestAWrongExpectationFails: whatever is expected and not so is told with its
// line and with what there was instead; what is so is not.
func TestAWrongExpectationFails(t *testing.T) {
	t.Parallel()
	dir := place(t)
	all, r := play(t, filepath.Join(dir, "wrong.scenario.yaml"))
	require.Equal(t, 1, r.Code, r.Err)
	require.Contains(t, r.Err, "1 of 1 scenarios failed")
	one := all["wrong"]
	require.False(t, one.Passed)
	require.Empty(t, one.Fault, "the conversation itself came to its end")
	require.Equal(t, "completed", one.Status)
	missed := map[string]string{}
	for _, e := range one.Expectations {
		require.Positive(t, e.Place.Line)
		if !e.Met {
			missed[e.Key] = e.Got
		}
	}
	require.Len(t, missed, 5, "%+v", one.Expectations)
	require.NotContains(t, missed["says"], "elephants", "only what was heard is heard")
	require.Contains(t, missed["answers_within"], "ms")
	require.Equal(t, "none", missed["calls"])
	require.Equal(t, "unset", missed["results"])
	require.Equal(t, "completed", missed["status"])
}

// TestPeopleAreToldWhatWentWrong runs the same for a reader: marks, lines, both
// lanes, and what was measured beside what was wanted.
func TestPeopleAreToldWhatWentWrong(t *testing.T) {
	t.Parallel()
	dir := place(t)
	r := run(t, "run", "--seed", "77", filepath.Join(dir, "wrong.scenario.yaml"))
	require.Equal(t, 1, r.Code)
	for _, want := range []string{
		"What nobody says: FAILED", "✗ says: wanted “seventeen purple elephants”", "(line 7)", "✗ answers_within: wanted 1 ms, measured ",
		"✗ status: wanted transferred, measured completed", "  caller  ·", "  agent   ·", "█", "seed 77", "0 of 1 passed",
	} {
		require.Contains(t, r.Out, want)
	}
}

// TestAConversationThatDoesNotEndIsEnded: the timeout of the scenario holds, and
// what was expected later is not met.
func TestAConversationThatDoesNotEndIsEnded(t *testing.T) {
	t.Parallel()
	dir := place(t)
	all, r := play(t, filepath.Join(dir, "stuck.scenario.yaml"))
	require.Equal(t, 1, r.Code, r.Err)
	require.Contains(t, all["stuck"].Fault, "timeout of 4s")
	require.Contains(t, all["stuck"].Fault, "line 6")
	require.Len(t, all["stuck"].Expectations, 1)
	require.False(t, all["stuck"].Expectations[0].Met)
	require.Equal(t, "completed", all["stuck"].Status, "the session is over too")
}

// TestAServerThatRunsIsCalled: by its data folder all is known; by its SIP
// address alone the sound is judged, and what only the journal knows is not met.
func TestAServerThatRunsIsCalled(t *testing.T) {
	t.Parallel()
	dir := place(t)
	agent := filepath.Join(dir, "harbour.yaml")
	s := house.Serve(t, house.Options{Agents: []string{agent}})
	file := filepath.Join(dir, "served.scenario.yaml")
	require.NoError(t, os.WriteFile(file, []byte("agent: harbour.yaml\nsteps:\n- expect: {says_any: [this is the harbour, hello]}\n- hang_up\nend: {status: completed}\n"), 0o600))
	all, r := play(t, "--server", s.Data, file)
	require.Zero(t, r.Code, "%s %+v", r.Err, all)
	require.NotEmpty(t, all["served"].Session)
	all, r = play(t, "--server", s.SIP, file)
	require.Equal(t, 1, r.Code)
	for _, e := range all["served"].Expectations {
		if e.Key == "status" {
			require.False(t, e.Met)
			require.Contains(t, e.Got, "not known: the server is known by its SIP address alone")
			continue
		}
		require.True(t, e.Met, "%+v", e)
	}
	require.Zero(t, s.Stop(t))
	_, r = play(t, "--server", s.SIP, file)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.Err, "no server answers SIP at "+s.SIP)
	_, r = play(t, "--server", t.TempDir(), file)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.Err, "no server runs on ")
}

// TestFilesAreCheckedWithoutACall: faults stand with line and column, an unknown
// key is a warning, an unknown expectation a fault, and the example is good.
func TestFilesAreCheckedWithoutACall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		at := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(at, []byte(text), 0o600))
		return at
	}
	r := run(t, "example")
	require.Zero(t, r.Code)
	r = run(t, "validate", write("example.yaml", r.Out))
	require.Zero(t, r.Code, r.Err)
	require.Contains(t, r.Out, "steps, good")
	require.NotContains(t, r.Out, "warning")

	r = run(t, "validate", write("warned.yaml", "agent: bank\ncolour: red\nsteps:\n- say: Hello\n"))
	require.Zero(t, r.Code, r.Err)
	require.Contains(t, r.Out, "2:1")
	require.Contains(t, r.Out, "colour")

	bad := write("bad.yaml", "agent: bank\nsteps:\n- say: Hello\n  when: some day\n  expect: {sayz: [x]}\n- digits: 12x\n")
	for _, command := range []string{"validate", "run"} {
		r = run(t, command, bad)
		require.Equal(t, 2, r.Code, r.Err)
		for _, want := range []string{"4:9: when \"some day\" is not understood", "5:12: nobody knows the expectation \"sayz\", did you mean \"says\"?", "6:11: \"x\" is not a key of a telephone"} {
			require.Contains(t, r.Err, want)
		}
	}
	r = run(t, "run", write("nobody.yaml", "agent: nobody\nsteps:\n- say: Hello\n"))
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.Err, `agent "nobody" is neither a file`)
	r = run(t, "run", write("mute.yaml", "agent: bank\nvoice: caruso\nsteps:\n- say: Hello\n"))
	require.NotZero(t, r.Code)
	require.Contains(t, r.Err, "step 1 (line 4)")
	require.Contains(t, r.Err, "caruso")
}
