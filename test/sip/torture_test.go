package sip_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/media/sip/guard"
)

// What the guard makes of a message.
const (
	passes = 0
	drops  = -1
)

// torture is what RFC 4475 asks of one message, for a user agent that takes
// calls, is no registrar and supports no extension.
type torture struct {
	section string
	guard   int // passes, drops, or the code it refuses with
	answer  int // the status of the endpoint's final answer, 0 for silence
}

// tortures is the expectation for each of the 49 messages.
func tortures() map[string]torture {
	return map[string]torture{
		// 3.1.1 valid
		"wsinv":      {"3.1.1.1", passes, 481}, // has a To tag: within a dialog we do not know
		"intmeth":    {"3.1.1.2", passes, 501},
		"esc01":      {"3.1.1.3", passes, 200},
		"escnull":    {"3.1.1.4", passes, 405}, // REGISTER: well formed, and not ours
		"esc02":      {"3.1.1.5", passes, 501},
		"lwsdisp":    {"3.1.1.6", passes, 200},
		"longreq":    {"3.1.1.7", passes, 200},
		"dblreq":     {"3.1.1.8", passes, 405}, // the octets behind the REGISTER are ignored
		"semiuri":    {"3.1.1.9", passes, 200},
		"transports": {"3.1.1.10", passes, 200},
		"mpart01":    {"3.1.1.11", passes, 405},
		"unreason":   {"3.1.1.12", passes, 0},
		"noreason":   {"3.1.1.13", passes, 0},
		// 3.1.2 invalid
		"badinv01":   {"3.1.2.1", 400, 400},
		"clerr":      {"3.1.2.2", 400, 400},
		"ncl":        {"3.1.2.3", 400, 400},
		"scalar02":   {"3.1.2.4", 400, 400},
		"scalarlg":   {"3.1.2.5", drops, 0},
		"quotbal":    {"3.1.2.6", 400, 400},
		"ltgtruri":   {"3.1.2.7", 400, 400},
		"lwsruri":    {"3.1.2.8", 400, 400},
		"lwsstart":   {"3.1.2.9", 400, 400},
		"trws":       {"3.1.2.10", 400, 400},
		"escruri":    {"3.1.2.11", 400, 400},
		"baddate":    {"3.1.2.12", 400, 400},
		"regbadct":   {"3.1.2.13", 400, 400},
		"badaspec":   {"3.1.2.14", 400, 400},
		"baddn":      {"3.1.2.15", 400, 400},
		"badvers":    {"3.1.2.16", 505, 505},
		"mismatch01": {"3.1.2.17", 400, 400},
		"mismatch02": {"3.1.2.18", 400, 400},
		"bigcode":    {"3.1.2.19", drops, 0},
		// 3.2 transactions
		"badbranch": {"3.2.1", passes, 200},
		// 3.3 application
		"insuf":    {"3.3.1", 400, 400},
		"unkscm":   {"3.3.2", 416, 416},
		"novelsc":  {"3.3.3", 416, 416},
		"unksm2":   {"3.3.4", passes, 405},
		"bext01":   {"3.3.5", passes, 420},
		"invut":    {"3.3.6", passes, 415},
		"regaut01": {"3.3.7", passes, 405},
		"multi01":  {"3.3.8", 400, 400},
		"mcl01":    {"3.3.9", 400, 400},
		"bcast":    {"3.3.10", passes, 0}, // no transaction of ours
		"zeromf":   {"3.3.11", passes, 483},
		"cparam01": {"3.3.12", passes, 405},
		"cparam02": {"3.3.13", passes, 405},
		"regescrt": {"3.3.14", passes, 405},
		"sdp01":    {"3.3.15", passes, 406},
		// 3.4 backward compatibility
		"inv2543": {"3.4.1", passes, 200},
	}
}

// read gives one message of the suite.
func read(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "rfc4475", name+".dat"))
	require.NoError(t, err)
	return raw
}

// Each of the 49 messages is let through, refused or dropped as its section says.
func TestTortureMessagesAtTheGuard(t *testing.T) {
	files, err := filepath.Glob("testdata/rfc4475/*.dat")
	require.NoError(t, err)
	require.Len(t, files, 49)
	require.Len(t, tortures(), 49)
	for name, want := range tortures() {
		t.Run(name, func(t *testing.T) {
			msg, err := guard.Parse(read(t, name))
			var refusal *guard.Refusal
			switch {
			case err == nil:
				require.Equal(t, passes, want.guard, "RFC 4475 %s was let through", want.section)
				require.NotNil(t, msg)
			default:
				require.True(t, errors.As(err, &refusal), "%v", err)
				got := refusal.Code
				if got == 0 {
					got = drops
				}
				require.Equal(t, want.guard, got, "RFC 4475 %s: %v", want.section, err)
				require.NotEmpty(t, refusal.Reason)
			}
		})
	}
}
