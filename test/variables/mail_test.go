package variables

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/provider"
)

// mailed is who gets the results of a call, and what they are.
func mailed(t *testing.T, env []string) (out string) {
	ring(t, env, func(h *actorstest.House) {
		h.Model.Read = func(context.Context, provider.Request) string { return `{"HumanFullName":"Aigul Bek"}` }
	}, func(h *actorstest.House, p *actorstest.Phone) {
		p.Say("i am aigul bek")
		time.Sleep(5 * time.Second)
		p.Line.End("hangup")
		time.Sleep(time.Second)
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second) // the bubble is not the test
		defer stop()
		actors.Clerk{Journal: h.Journal, Dir: h.Dir, Log: slog.New(slog.DiscardHandler)}.Run(ctx)
		out = "nobody"
		for _, l := range h.Office.Sent() {
			out = strings.Join(l.To, " ") + ": " + l.Results[0].Value
		}
	})
	return out
}
