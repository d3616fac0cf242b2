package chat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"flametree/bench/report"
	"flametree/bench/rig"
)

// The promises with a model of its own process.
const (
	wantedPaced = 25.0   // ms, p99, 200 sessions
	wantedRate  = 1000.0 // turns a second
	chunks      = 10     // pieces of a streamed reply
)

// server starts the server, with the model in its own process or in this one.
func (o Options) server(ctx context.Context, dir string) (*rig.Child, rig.Ready, error) {
	if !o.Model {
		return start(ctx, dir, 0)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, rig.Ready{}, fmt.Errorf("bench chat: %w", err)
	}
	model := &http.Server{Handler: http.HandlerFunc(stream), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = model.Serve(ln) }()
	context.AfterFunc(ctx, func() { _ = model.Close() })
	llm := fmt.Sprintf("models:\n  llm: {provider: openai_compatible, base_url: %q, model: bench}\n", "http://"+ln.Addr().String()+"/v1")
	agent := strings.Replace(rig.Agent("inbound_text"), "models:\n  llm: fake\n", llm, 1)
	return launch(ctx, rig.Server{Data: dir, Agent: agent, Script: rig.Script{Reply: rig.Reply(30)}, Egress: ln.Addr().String()})
}

// stream answers a request for a chat completion at once, in ten pieces, as
// compatible servers do.
func stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	words := strings.SplitAfter(rig.Reply(30), " ")
	each := max(1, len(words)/chunks)
	for len(words) > 0 {
		n := min(each, len(words))
		_, _ = fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", strings.Join(words[:n], ""))
		words = words[n:]
		_ = http.NewResponseController(w).Flush()
	}
	_, _ = fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	_ = r.Body.Close()
}

// pace lets many sessions write once a second each, evenly spread.
func (o Options) pace(ctx context.Context, server *rig.Child, ready rig.Ready, r *report.Report) error {
	c, err := newClient(ready, o.Paced)
	if err != nil {
		return err
	}
	defer c.close()
	before, err := rig.CPU(server.PID())
	if err != nil {
		return err
	}
	begun := time.Now()
	each, errs := make([][]float64, o.Paced), make([]error, o.Paced)
	var work sync.WaitGroup
	for i := range o.Paced {
		work.Go(func() {
			each[i], errs[i] = c.paced(ctx, fmt.Sprintf("paced-%d", i), begun.Add(time.Duration(i)*time.Second/time.Duration(o.Paced)), begun.Add(o.Length))
		})
	}
	work.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var all []float64
	for _, e := range each {
		all = append(all, e...)
	}
	after, err := rig.CPU(server.PID())
	if err != nil {
		return err
	}
	d := report.Of(all)
	r.Metrics.Add(fmt.Sprintf("paced_turn_ms_%d", o.Paced), d)
	r.Metrics.Add("paced_cpu_ms_per_turn", float64(after-before)/float64(time.Millisecond)/max(float64(d.N), 1))
	r.Gates = append(r.Gates, report.Gate{Name: fmt.Sprintf("turn p99, %d sessions that write once a second", o.Paced), Want: wantedPaced, Got: d.P99, Unit: "ms"})
	return nil
}

func (c *client) paced(ctx context.Context, user string, from, until time.Time) ([]float64, error) {
	session, err := c.open(ctx, user)
	if err != nil {
		return nil, err
	}
	var out []float64
	for at := from.Add(time.Second); at.Before(until); at = at.Add(time.Second) {
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
			return out, ctx.Err()
		}
		t := time.Now()
		if err := c.say(ctx, session); err != nil {
			return nil, err
		}
		out = append(out, float64(time.Since(t))/float64(time.Millisecond))
	}
	return out, nil
}
