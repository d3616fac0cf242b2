package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// group is packages that go test runs with the same flags.
type group struct {
	flags, packages []string
	yields          bool // whoever is on the telephone has the processor first
}

// streams are run side by side, the groups of each one after the other:
//
//   - scenarios in which several calls at once are listened to by the recogniser,
//     and whatever is new here, one package at a time;
//   - rooms that send and hear sound in real time, with the race detector; then
//     scenarios and benches whose calls mostly wait, and whose voices are mostly
//     tones, one package at a time;
//   - the other rooms with the race detector; then those that compute or measure,
//     which have the detector by night: it makes them many times slower and has
//     next to nothing to look at there; then scenarios that work at desks:
//     messages, files, crashes. All of them yield to the calls, which leave half
//     of the machine idle.
//
// By night there is one stream: what is measured then has the machine to itself.
// The linter has looked for what go vet knows.
func streams(long bool) ([][]group, error) {
	all, err := packages()
	if err != nil {
		return nil, err
	}
	var rooms, timed, counting, desks, calls, alone []string
	for _, p := range all {
		name := strings.TrimPrefix(p, "flametree/")
		switch {
		case slices.Contains(atDesks(), name):
			desks = append(desks, p)
		case slices.Contains(waiting(), name) && !(long && computes(name)):
			calls = append(calls, p)
		case strings.HasPrefix(name, "test/"):
			alone = append(alone, p)
		case !long && computes(name):
			counting = append(counting, p)
		case slices.Contains(inTime(), name):
			timed = append(timed, p)
		default:
			rooms = append(rooms, p)
		}
	}
	for _, in := range []struct{ packages, order []string }{{rooms, slow()}, {desks, atDesks()}, {calls, waiting()}, {alone, listened()}, {timed, inTime()}} {
		slices.SortStableFunc(in.packages, func(a, b string) int { return rank(a, in.order) - rank(b, in.order) })
	}
	flags := func(more ...string) []string { return append([]string{"-vet=off", "-timeout=20m"}, more...) }
	abreast := "-p=3" // many rooms wait, too
	if long {
		abreast = "-p=2"
	}
	one := []group{{flags: flags("-p=1"), packages: alone}}
	two := []group{
		{flags: flags("-p=2", "-race", "-shuffle=on"), packages: timed},
		{flags: flags("-p=1"), packages: calls},
	}
	three := []group{
		{flags: flags(abreast, "-race", "-shuffle=on"), packages: rooms, yields: !long},
		{flags: flags("-p=2", "-shuffle=on"), packages: counting, yields: !long},
		{flags: flags("-p=2"), packages: desks, yields: !long},
	}
	if long {
		return [][]group{slices.Concat(three, two, one)}, nil
	}
	return [][]group{one, two, three}, nil
}

func packages() ([]string, error) {
	out, err := exec.Command("go", "list", "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	return strings.Fields(string(out)), nil
}

// computes reports whether a room spends its time in one thread, in C, in child
// processes, or on measuring.
func computes(name string) bool {
	return strings.HasPrefix(name, "bench/") || slices.Contains([]string{
		"engine/knowledge/ingest", "engine/knowledge/ingest/parse", "engine/knowledge/ingest/transcript",
		"engine/provider/pocketsphinx", "engine/provider/pocketsphinx/lm", "engine/tool/openapi",
		"media/amd", "media/denoise", "media/echo",
	}, name)
}

// atDesks are scenarios in which hardly anybody is on the telephone, the longest
// first.
func atDesks() []string {
	return []string{
		"test/agents", "test/chat", "test/knowledge", "test/crash", "test/mail", "test/catalog", "test/tutorials",
		"test/variables", "test/attacks", "test/agents/later", "test/model", "test/scenario",
	}
}

// waiting are scenarios, and benches of calls, that leave most of the machine
// idle, the longest first.
func waiting() []string {
	return []string{
		"test/telephony", "test/duplex", "bench/turns", "test/matrix", "bench/voice", "test/speech", "test/webrtc", "test/recording",
		"test/drain", "test/sip", "test/twilio", "test/canary", "test/callsee",
	}
}

// listened are scenarios whose calls the recogniser listens to. The demo has one
// call, and is first, for the sake of the rooms beside it that hear in time: a
// browser takes the processor from everybody.
func listened() []string {
	return []string{"test/demo", "test/browser", "test/call", "test/words", "test/spokenscenario", "test/manners"}
}

// inTime are the rooms whose tests hear at once when the processor was with
// somebody else for too long, the longest first.
func inTime() []string {
	return []string{"media/leg", "media/sip", "media/rtp", "media/record", "media/srtp", "media/webrtc", "media/pacer"}
}

// slow are the other rooms that take longest under the race detector.
func slow() []string {
	return []string{
		"cluster/node", "persist/journal/pebble", "cluster/cmd", "engine/tool/python", "actors", "engine/tool/mcp", "engine/knowledge/index",
		"engine/provider/google", "cluster/member", "engine/agent",
	}
}

// rank is the place of a package in a list, the end for one that is not there:
// what takes longest begins first, so that nothing waits for it in the end.
func rank(p string, list []string) int {
	if i := slices.Index(list, strings.TrimPrefix(p, "flametree/")); i >= 0 {
		return i
	}
	return len(list)
}

// prepare builds the program that the scenarios run, makes the folder that its
// servers share, see test/house, and gives the variables that name them.
func prepare(dir string) ([]string, error) {
	bin, vocabularies := filepath.Join(dir, "flametree"), filepath.Join(dir, "vocabularies")
	if err := os.Mkdir(vocabularies, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", bin, ".")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("build the program: %w", err)
	}
	return []string{"FLAMETREE_BIN=" + bin, "FLAMETREE_TEST_VOCABULARIES=" + vocabularies}, nil
}
