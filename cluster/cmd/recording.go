package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flametree/cluster/node"
	"flametree/engine/fault"
)

type recordingCmd struct {
	List   recordingListCmd   `cmd:"" help:"Show what was recorded."`
	Get    recordingGetCmd    `cmd:"" help:"Write a recording to a WAV file, the caller left and the agent right."`
	Peaks  recordingPeaksCmd  `cmd:"" help:"Draw the outline of a recording."`
	Delete recordingDeleteCmd `cmd:"" help:"Delete a recording."`
}

func recordingPath(session string) string { return "/recordings/" + url.PathEscape(session) }

// recordings opens the recordings of a folder on which no server runs; done is
// to be called.
func (e *Env) recordings(ctx context.Context) (r *node.Recordings, done func() error, err error) {
	c, err := e.settings()
	if err != nil {
		return nil, nil, err
	}
	j, done, err := store(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	m, err := fold(ctx, j)
	if err == nil {
		r, err = node.OpenRecordings(c, j, m)
	}
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return r, done, nil
}

// recorded asks a running server, or where none runs the folder.
func (e *Env) recorded(ctx context.Context, path string, into any, alone func(*node.Recordings) error) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	if err = dial(c.Data).get(ctx, http.MethodGet, path, into); !errors.Is(err, errNoServer) {
		return err
	}
	r, done, err := e.recordings(ctx)
	if err != nil {
		return err
	}
	return errors.Join(alone(r), done())
}

type recordingListCmd struct{}

// Run implements the command.
func (recordingListCmd) Run(ctx context.Context, e *Env) error {
	var list []node.RecordingCard
	err := e.recorded(ctx, "/recordings", &list, func(r *node.Recordings) error {
		list = r.List()
		return nil
	})
	for _, c := range list {
		notes := ""
		if c.Paused > 0 {
			notes += fmt.Sprintf("  %.1f s paused", c.Paused.Seconds())
		}
		if c.Cut {
			notes += "  cut off"
		}
		e.printf("%s  %s  %6.1f s  %5d Hz%s\n", c.Session, c.At.Local().Format(time.DateTime), c.Length.Seconds(), c.RateHz, notes)
	}
	return err
}

type recordingGetCmd struct {
	Session string `arg:"" help:"Id of the session or of its call."`
	Out     string `help:"File to write; - is the standard output (default: SESSION.wav)." placeholder:"FILE"`
}

// Run implements the command. The file appears when it is whole.
func (g *recordingGetCmd) Run(ctx context.Context, e *Env) error {
	src, err := e.sound(ctx, g.Session)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // only read
	if g.Out == "-" {
		_, err := io.Copy(e.Out, src)
		return err
	}
	if g.Out == "" {
		g.Out = g.Session + ".wav"
	}
	out := filepath.Clean(g.Out)
	f, err := os.CreateTemp(filepath.Dir(out), ".recording-*") // mode 0600: it is plain sound
	if err != nil {
		return fmt.Errorf("write recording: %w: %w", fault.Invalid, err)
	}
	n, err := io.Copy(f, src)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), out)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write recording: %w", err), os.Remove(f.Name()))
	}
	e.printf("%s: %d bytes, not sealed any more\n", out, n)
	return nil
}

// sound opens a recording, through a running server or from the folder.
func (e *Env) sound(ctx context.Context, session string) (io.ReadCloser, error) {
	c, err := e.settings()
	if err != nil {
		return nil, err
	}
	body, err := dial(c.Data).do(ctx, http.MethodGet, recordingPath(session), nil)
	if !errors.Is(err, errNoServer) {
		return body, err
	}
	r, done, err := e.recordings(ctx)
	if err != nil {
		return nil, err
	}
	t, err := r.Open(ctx, session)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	return &alone{Reader: t, close: func() error { return errors.Join(t.Close(), done()) }}, nil
}

type alone struct {
	io.Reader
	close func() error
}

// Close implements io.Closer.
func (a *alone) Close() error { return a.close() }

type recordingPeaksCmd struct {
	Session string `arg:"" help:"Id of the session or of its call."`
	JSON    bool   `name:"json" help:"Print the points."`
}

// Run implements the command.
func (p *recordingPeaksCmd) Run(ctx context.Context, e *Env) error {
	var peaks node.Peaks
	err := e.recorded(ctx, recordingPath(p.Session)+"/peaks", &peaks, func(r *node.Recordings) (err error) {
		peaks, err = r.Peaks(ctx, p.Session)
		return err
	})
	if err != nil {
		return err
	}
	if p.JSON {
		return json.NewEncoder(e.Out).Encode(peaks)
	}
	e.printf("caller %s\nagent  %s\n", drawn(peaks.Left), drawn(peaks.Right))
	return nil
}

// wide is how many characters an outline is drawn with.
const wide = 72

// drawn is an outline in one line.
func drawn(points []int) string {
	levels := []rune(" ▁▂▃▄▅▆▇█")
	var b strings.Builder
	for i := range min(wide, len(points)) {
		most := 0
		for _, p := range points[i*len(points)/min(wide, len(points)) : (i+1)*len(points)/min(wide, len(points))] {
			most = max(most, p)
		}
		b.WriteRune(levels[min(8, (min(most, 255)+31)/32)])
	}
	return b.String()
}

type recordingDeleteCmd struct {
	Session string `arg:"" help:"Id of the session or of its call."`
}

// Run implements the command.
func (d *recordingDeleteCmd) Run(ctx context.Context, e *Env) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	var done map[string]bool
	err = dial(c.Data).get(ctx, http.MethodDelete, recordingPath(d.Session), &done)
	if errors.Is(err, errNoServer) {
		return fmt.Errorf("no server runs on this data folder: start one with flametree serve: %w", err)
	}
	if err == nil {
		e.printf("the recording of %s is deleted\n", d.Session)
	}
	return err
}
