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
type group struct{ flags, packages []string }

// groups are run one after the other:
//
//   - rooms with the race detector;
//   - rooms that compute or measure, which have the detector by night: it makes
//     them many times slower and has next to nothing to look at there;
//   - scenarios that work at desks: messages, files, crashes;
//   - scenarios whose calls mostly wait, and whose voices are mostly tones;
//   - scenarios in which several calls at once are listened to by the recogniser,
//     and whatever is new here: one package at a time.
//
// The linter has looked for what go vet knows.
func groups(long bool) ([]group, error) {
	all, err := packages()
	if err != nil {
		return nil, err
	}
	var rooms, counting, desks, calls, alone []string
	for _, p := range all {
		name := strings.TrimPrefix(p, "flametree/")
		switch {
		case slices.Contains(atDesks(), name):
			desks = append(desks, p)
		case slices.Contains(waiting(), name):
			calls = append(calls, p)
		case strings.HasPrefix(name, "test/"):
			alone = append(alone, p)
		case !long && computes(name):
			counting = append(counting, p)
		default:
			rooms = append(rooms, p)
		}
	}
	slices.SortStableFunc(rooms, func(a, b string) int { return rank(a, slow()) - rank(b, slow()) })
	slices.SortStableFunc(desks, func(a, b string) int { return rank(a, atDesks()) - rank(b, atDesks()) })
	slices.SortStableFunc(calls, func(a, b string) int { return rank(a, waiting()) - rank(b, waiting()) })
	const common, patience = "-vet=off", "-timeout=20m"
	return []group{
		{[]string{common, patience, "-race", "-shuffle=on"}, rooms},
		{[]string{common, patience, "-shuffle=on"}, counting},
		{[]string{common, patience, "-p=2"}, desks},
		{[]string{common, patience, "-p=2"}, calls},
		{[]string{common, patience, "-p=1"}, alone},
	}, nil
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

// waiting are scenarios with calls that leave most of the machine idle, the
// longest first.
func waiting() []string {
	return []string{
		"test/demo", "test/telephony", "test/recording", "test/matrix", "test/webrtc", "test/speech", "test/canary",
		"test/twilio", "test/sip",
	}
}

// slow are the rooms that take longest under the race detector.
func slow() []string {
	return []string{
		"cluster/node", "persist/journal/pebble", "media/leg", "cluster/cmd", "engine/tool/python", "actors", "engine/tool/mcp",
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

// buildOnce builds the program that the scenarios run, and gives the variable
// that names it to them.
func buildOnce(dir string) (string, error) {
	bin := filepath.Join(dir, "flametree")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", bin, ".")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build the program: %w", err)
	}
	return "FLAMETREE_BIN=" + bin, nil
}
