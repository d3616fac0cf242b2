package sip_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/telephony"
)

// servedKey says that this process is alone in a network namespace, to be a
// whole server there.
const servedKey = "FLAMETREE_SIP_SERVED"

// inNamespace runs the test again in a process of its own, in a network namespace
// of its own.
func inNamespace(t *testing.T) {
	t.Helper()
	name := fmt.Sprintf("flametree-served-%d", os.Getpid())
	run(t, "ip", "netns", "add", name)
	defer run(t, "ip", "netns", "del", name)
	run(t, "ip", "netns", "exec", name, "ip", "link", "set", "lo", "up")
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", name, self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), servedKey+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

// strangers are the INVITEs that are well formed: the endpoint alone would take
// them, the server finds that they are for nobody it knows.
func strangers() map[string]bool {
	return map[string]bool{"esc01": true, "longreq": true, "inv2543": true}
}

// The 49 messages over UDP to the whole server, with agents, journal and media
// behind its endpoint: each has the outcome that the endpoint alone gives it, but
// for INVITEs to users whom nobody knows. OPTIONS are answered within 100 ms after
// each, nothing of them is kept as a call, and the next caller is taken and hears
// the agent.
func TestTortureMessagesOverUDPToAServer(t *testing.T) {
	if os.Getenv(servedKey) == "" {
		inNamespace(t)
		return
	}
	const at = "127.0.0.1:5060"
	o := telephony.Open(t, telephony.Plan{Agents: []string{telephony.Agent("bank", "inbound_voice")}, Set: map[string]string{"sip": at}})
	tormentor, err := newTormentor()
	require.NoError(t, err)
	defer tormentor.close()
	begun := time.Now()
	for _, name := range slices.Sorted(maps.Keys(tortures())) {
		want := tortures()[name]
		answer := want.answer
		if strangers()[name] {
			require.Equal(t, 200, answer)
			answer = 404
		}
		require.Equal(t, answer, tormentor.send(read(t, name), name), "%s, RFC 4475 %s", name, want.section)
		took, err := tormentor.probe(name)
		require.NoError(t, err, "OPTIONS after %s", name)
		require.Less(t, took, 100*time.Millisecond, "OPTIONS after %s", name)
	}
	t.Logf("figure: 49 messages and 49 OPTIONS in %v", time.Since(begun).Round(10*time.Millisecond))
	require.Zero(t, o.Active())

	phone := telephony.NewPhone(t, "anna", "127.0.0.3")
	require.Equal(t, 200, phone.Dial(at, "bank"))
	require.Greater(t, telephony.Loudest(phone.Listen(100), telephony.AgentHz, 8000), -12.0, "the agent's tone is heard")
	phone.Bye()
	o.Quiet(t, 5*time.Second)
}
