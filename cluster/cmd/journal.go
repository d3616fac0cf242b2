package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/persist/journal/pebble"
	"flametree/persist/readmodel"
)

type sessionRow = readmodel.Session

// sessions lists conversations, from a running server or from the folder.
func sessions(ctx context.Context, c config.Config, most int) ([]readmodel.Session, error) {
	var list []readmodel.Session
	err := dial(c.Data).get(ctx, http.MethodGet, fmt.Sprintf("/sessions?most=%d", most), &list)
	if !errors.Is(err, errNoServer) {
		return list, err
	}
	j, done, err := store(ctx, c)
	if err != nil {
		return nil, err
	}
	m, err := fold(ctx, j)
	if err == nil {
		list = m.Sessions(most, nil)
	}
	return list, errors.Join(err, done())
}

// fold reads a whole journal into a read model.
func fold(ctx context.Context, j *pebble.Journal) (*readmodel.Model, error) {
	m := readmodel.New()
	last := j.Position()
	if last == 0 {
		return m, nil
	}
	return m, m.Run(func(yield func(event.Envelope, error) bool) {
		for e, err := range j.Subscribe(ctx, 1) {
			if !yield(e, err) || err != nil || e.Position >= last {
				return
			}
		}
	})
}

type journalCmd struct {
	Verify verifyCmd `cmd:"" help:"Read everything and check hashes, gaps and pointers."`
	Tail   tailCmd   `cmd:"" help:"Print events."`
}

type verifyCmd struct{}

// Run implements the command.
func (verifyCmd) Run(ctx context.Context, e *Env) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	j, done, err := store(ctx, c)
	if err != nil {
		return err
	}
	shown := uint64(0)
	report, err := j.Verify(ctx, func(at, total uint64) {
		if at == total || at-shown >= 100_000 {
			shown = at
			_, _ = fmt.Fprintf(e.Err, "\rverified %d of %d events", at, total)
		}
	})
	_, _ = fmt.Fprintln(e.Err)
	if err := errors.Join(err, done()); err != nil {
		return err
	}
	b, err := json.Marshal(report)
	if err == nil && report.Found > 0 {
		return fmt.Errorf("the journal is damaged: %s: %w", b, fault.Unavailable)
	}
	e.printf("the journal is whole: %s\n", b)
	return err
}

type tailCmd struct {
	JSON   bool   `name:"json" help:"One object a line."`
	Follow bool   `short:"f" help:"Go on with events to come (needs a running server)."`
	From   uint64 `help:"First position." default:"1"`
}

// Run implements the command.
func (t *tailCmd) Run(ctx context.Context, e *Env) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	follow := 0
	if t.Follow {
		follow = 1
	}
	body, err := dial(c.Data).do(ctx, http.MethodGet, fmt.Sprintf("/journal?from=%d&follow=%d", t.From, follow), nil)
	if errors.Is(err, errNoServer) {
		return t.offline(ctx, e, c)
	}
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return t.lines(ctx, e, body)
}

func (t *tailCmd) lines(ctx context.Context, e *Env, r io.Reader) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		var l node.EventLine
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			return err
		}
		t.print(e, l)
	}
	err := sc.Err()
	if ctx.Err() != nil { // the user has seen enough
		err = nil
	}
	return err
}

func (t *tailCmd) offline(ctx context.Context, e *Env, c config.Config) error {
	j, done, err := store(ctx, c)
	if err != nil {
		return err
	}
	last, lines := j.Position(), &node.Lines{Journal: j}
	for ev, err := range j.Subscribe(ctx, t.From) {
		if last == 0 || t.From > last {
			break
		}
		if err != nil {
			return errors.Join(err, done())
		}
		t.print(e, lines.Of(ctx, ev))
		if ev.Position >= last {
			break
		}
	}
	return done()
}

func (t *tailCmd) print(e *Env, l node.EventLine) {
	if t.JSON {
		_ = json.NewEncoder(e.Out).Encode(l)
		return
	}
	e.printf("%8d %s %-22s %-40s %s\n", l.Pos, l.Time.Format("15:04:05.000"), l.Kind, l.Stream, l.Text)
}
