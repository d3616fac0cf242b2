package chat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"flametree/bench/report"
	"flametree/bench/rig"
	"flametree/engine/fault"
)

// Options of a run. The zero value times turns for 10 s and weighs nothing.
type Options struct {
	Length   time.Duration // for each number of clients
	Clients  []int         // default 1 and 16
	Sessions int           // idle ones to be weighed; 0 = none
	Profile  string        // file for a CPU profile of the server; "" = none
	// Model, when set, answers in this process, over the wire a vendor speaks;
	// Paced sessions write once a second each beside the clients.
	Model bool
	Paced int
}

// The promises.
const (
	wantedTurn   = 3.0  // ms, p50, one client
	wantedLive   = 16.0 // kB
	wantedAsleep = 4.0  // kB
	kilo         = 1000.0
)

// Run measures. It leaves nothing behind.
func Run(ctx context.Context, opt Options) (report.Report, error) {
	if opt.Length == 0 {
		opt.Length = 10 * time.Second
	}
	if len(opt.Clients) == 0 {
		opt.Clients = []int{1, 16}
	}
	if opt.Length < 0 || opt.Sessions < 0 {
		return report.Report{}, fmt.Errorf("bench chat: neither time nor sessions can be negative: %w", fault.Invalid)
	}
	name := "chat"
	if opt.Model {
		name = "engine"
	}
	r := report.Report{Name: name, Machine: report.Here(time.Now())}
	r.Params.Add("seconds", opt.Length.Seconds())
	r.Params.Add("clients", fmt.Sprint(opt.Clients))
	r.Params.Add("sessions", opt.Sessions)
	if err := opt.turns(ctx, &r); err != nil {
		return report.Report{}, err
	}
	if opt.Sessions > 0 {
		if err := opt.weights(ctx, &r); err != nil {
			return report.Report{}, err
		}
	}
	r.Notes = []string{
		"A turn is a run_v2 over a kept-alive connection, from the request to the end of the answer, with a model that answers at once; " +
			"message and answer are on disk before it ends. An idle session has had one turn; its bytes are Go heap and stacks after a collection, " +
			"everything that grows with sessions included.",
	}
	return r, nil
}

// start starts a server for chats.
func start(ctx context.Context, dir string, idle time.Duration) (*rig.Child, rig.Ready, error) {
	return launch(ctx, rig.Server{
		Data: dir, Agent: rig.Agent("inbound_text"), Script: rig.Script{Reply: rig.Reply(30)}, Idle: idle,
	})
}

func launch(ctx context.Context, s rig.Server) (*rig.Child, rig.Ready, error) {
	var ready rig.Ready
	server, err := rig.Spawn(ctx, rig.ServerName, s)
	if err != nil {
		return nil, ready, err
	}
	if err := server.Hear(&ready); err != nil {
		return nil, ready, errors.Join(err, server.End())
	}
	return server, ready, nil
}

func (o Options) turns(ctx context.Context, r *report.Report) (err error) {
	dir, err := os.MkdirTemp("", "bench-chat-")
	if err != nil {
		return fmt.Errorf("bench chat: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server, ready, err := o.server(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.End()) }()
	if o.Profile != "" {
		var begun bool
		if err := errors.Join(server.Tell(rig.Wish{Profile: o.Profile}), server.Hear(&begun)); err != nil {
			return err
		}
	}
	plot := report.Plot{Title: "A text turn over HTTP", Unit: "ms", Lines: []report.Line{{Name: "p50 wanted", At: wantedTurn}}}
	for _, clients := range o.Clients {
		t, err := o.timed(ctx, server, ready, clients)
		if err != nil {
			return err
		}
		d := report.Of(t.millis)
		r.Metrics.Add(fmt.Sprintf("turn_ms_%d", clients), d)
		r.Metrics.Add(fmt.Sprintf("turns_per_second_%d", clients), float64(d.N)/t.took.Seconds())
		r.Metrics.Add(fmt.Sprintf("cpu_ms_per_turn_%d", clients), float64(t.cpu)/float64(time.Millisecond)/max(float64(d.N), 1))
		plot.Series = append(plot.Series, report.Series{Name: fmt.Sprintf("clients: %d", clients), Values: t.millis})
		if clients == 1 {
			r.Gates = append(r.Gates, report.Gate{Name: "text turn p50, 1 client", Want: wantedTurn, Got: d.P50, Unit: "ms"})
		}
	}
	r.Plots = append(r.Plots, plot)
	if o.Paced > 0 {
		return o.pace(ctx, server, ready, r)
	}
	return nil
}

// timed measures with a number of clients, after they have warmed up.
func (o Options) timed(ctx context.Context, server *rig.Child, ready rig.Ready, clients int) (timed, error) {
	c, err := newClient(ready, clients)
	if err != nil {
		return timed{}, err
	}
	defer c.close()
	if _, err := turns(ctx, server, c, clients, o.Length/20); err != nil {
		return timed{}, err
	}
	return turns(ctx, server, c, clients, o.Length)
}

func (o Options) weights(ctx context.Context, r *report.Report) error {
	live, err := weigh(ctx, o.Sessions, awake)
	if err != nil {
		return err
	}
	gone, err := weigh(ctx, o.Sessions, asleep)
	if err != nil {
		return err
	}
	r.Metrics.Add("session_bytes", report.Values{{Name: "live", Of: live.bytes}, {Name: "passivated", Of: gone.bytes}})
	r.Metrics.Add("session_rss_bytes", report.Values{{Name: "live", Of: live.rss}, {Name: "passivated", Of: gone.rss}})
	r.Gates = append(r.Gates,
		report.Gate{Name: "idle session, passivated", Want: wantedAsleep, Got: gone.bytes / kilo, Unit: "kB"},
		report.Gate{Name: "idle session, live", Want: wantedLive, Got: live.bytes / kilo, Unit: "kB"},
	)
	r.Plots = append(r.Plots, report.Plot{
		Title: "Memory of an idle session", Unit: "kB",
		Groups: []report.Group{
			{Name: "live", Bars: []report.Bar{{Name: "kB", Value: live.bytes / kilo}}},
			{Name: "passivated", Bars: []report.Bar{{Name: "kB", Value: gone.bytes / kilo}}},
		},
	})
	return nil
}
