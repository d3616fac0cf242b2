package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/replay"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

type replayCmd struct {
	Session string   `arg:"" help:"Session id (see sessions list)."`
	JSON    bool     `name:"json" help:"Print one object: inputs, decisions, differences."`
	Set     []string `help:"Change a setting of the call first: KEY=VALUE, such as eot=300ms. May be given several times."`
}

// errDiffers is the failure of a comparison.
var errDiffers = errors.New("decisions differ from the recorded ones")

// Run implements the command.
func (r *replayCmd) Run(ctx context.Context, e *Env) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	var set []event.Pair
	for _, s := range r.Set {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("--set %q is not KEY=VALUE: %w", s, fault.Invalid)
		}
		set = append(set, event.Pair{Key: k, Value: v})
	}
	j, done, err := store(ctx, c)
	if err != nil {
		return err
	}
	report, err := again(ctx, j, r.Session, set)
	if err := errors.Join(err, done()); err != nil {
		return err
	}
	if r.JSON {
		if err := json.NewEncoder(e.Out).Encode(report); err != nil {
			return err
		}
	} else {
		r.print(e, report)
	}
	if len(report.Differences) > 0 && len(set) == 0 {
		return errDiffers
	}
	return nil
}

func (r *replayCmd) print(e *Env, report replay.Report) {
	e.printf("%d inputs, %d decisions, %d differences\n", report.Inputs, report.Decisions, len(report.Differences))
	for _, d := range report.Differences {
		e.printf("at position %d\n  recorded   %s\n  recomputed %s\n", d.Pos, d.Recorded, d.Recomputed)
	}
}

// again replays a session and, when it was born with one, its call.
func again(ctx context.Context, j journal.Journal, session string, set []event.Pair) (replay.Report, error) {
	t, events, err := find(ctx, j, session)
	if err != nil {
		return replay.Report{}, err
	}
	born, ok := events[0].Body.(event.SessionCreated)
	if !ok {
		return replay.Report{}, fmt.Errorf("session %q does not begin with its creation: %w", session, fault.Bug)
	}
	rev, err := revision(ctx, j, t, born)
	if err != nil {
		return replay.Report{}, err
	}
	report := replay.Session(events, rev)
	if born.Call == "" {
		return report, nil
	}
	call, err := collect(ctx, j, event.Stream{Tenant: t, Kind: event.CallStream, ID: born.Call})
	if err != nil {
		return report, err
	}
	of, err := replay.Call(call, set)
	report.Add(of)
	return report, err
}

// find reads a session's stream; the journal knows streams by tenant, so the
// session's creation is looked for first.
func find(ctx context.Context, j journal.Journal, session string) (tenant.ID, []event.Envelope, error) {
	type positioned interface{ Position() journal.Position }
	last := j.(positioned).Position()
	for e, err := range j.Subscribe(ctx, 1) {
		if last == 0 {
			break
		}
		if err != nil {
			return tenant.ID{}, nil, err
		}
		if e.Stream.Kind == event.SessionStream && e.Stream.ID == session {
			events, err := collect(ctx, j, e.Stream)
			return e.Stream.Tenant, events, err
		}
		if e.Position >= last {
			break
		}
	}
	return tenant.ID{}, nil, fmt.Errorf("session %q: %w", session, fault.NotFound)
}

func collect(ctx context.Context, j journal.Journal, s event.Stream) ([]event.Envelope, error) {
	var out []event.Envelope
	for e, err := range j.Read(ctx, s, 1) {
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func revision(ctx context.Context, j journal.Journal, t tenant.ID, born event.SessionCreated) (*agent.Revision, error) {
	events, err := collect(ctx, j, event.Stream{Tenant: t, Kind: event.AgentStream, ID: born.Agent})
	if err != nil {
		return nil, err
	}
	var s agent.State
	for _, e := range events {
		s.Apply(e)
	}
	file, ok := s.File(born.Revision)
	if !ok {
		return nil, fmt.Errorf("agent %q revision %d: %w", born.Agent, born.Revision, fault.NotFound)
	}
	rev, _, err := agent.Compile(born.Agent, born.Revision, []byte(file))
	return rev, err
}
