package canary

import (
	"context"
	"os/exec"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// call lets the program's own caller ask the agent by telephone.
func (d *desk) call() {
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	before, _, _ := d.out.seen()
	cmd := exec.CommandContext(ctx, house.Program(), "caller", d.server.Agent(d.t, "Till").SIP)
	cmd.Stdin = strings.NewReader(`[{"say":"please look up my order"}]`)
	out, err := cmd.CombinedOutput()
	require.NoError(d.t, err, "%s", out)
	after, _, _ := d.out.seen()
	require.Greater(d.t, len(after), len(before), "the model was asked on the telephone")
	d.aviary.search("what the caller prints", string(out))
}
