package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/fault"
	"flametree/persist/journal/pebble"
)

// client asks a running server. Every command that needs data asks there first
// and opens the store itself only when nobody answers.
type client struct{ http *http.Client }

func dial(data string) *client {
	path := node.AdminSocket(data)
	return &client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}}
}

// do sends a request; errNoServer when nobody answers. The caller closes the body.
func (c *client) do(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return nil, errNoServer
	}
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w: %w", fault.Unavailable, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		kind := fault.Unavailable
		switch resp.StatusCode {
		case http.StatusNotFound:
			kind = fault.NotFound
		case http.StatusUnprocessableEntity:
			kind = fault.Invalid
		case http.StatusConflict:
			kind = fault.Conflict
		}
		said := strings.TrimSuffix(strings.TrimSpace(string(text)), ": "+kind.Error())
		return nil, fmt.Errorf("%s: %w", said, kind)
	}
	return resp.Body, nil
}

func (c *client) get(ctx context.Context, method, path string, into any) error {
	body, err := c.do(ctx, method, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return json.NewDecoder(body).Decode(into)
}

// post sends a command with a body.
func (c *client) post(ctx context.Context, path string, send, into any) error {
	text, err := json.Marshal(send)
	if err != nil {
		return err
	}
	body, err := c.do(ctx, http.MethodPost, path, bytes.NewReader(text))
	if errors.Is(err, errNoServer) {
		return fmt.Errorf("no server runs on this data folder: start one with flametree serve: %w", err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return json.NewDecoder(body).Decode(into)
}

// store gives the journal to read: a checkpoint of a running server's, or the
// folder's own when no server runs. close must be called.
func store(ctx context.Context, c config.Config) (j *pebble.Journal, closeIt func() error, err error) {
	quiet := slog.New(slog.DiscardHandler)
	var at struct{ Dir string }
	err = dial(c.Data).get(ctx, http.MethodPost, "/checkpoint", &at)
	switch {
	case errors.Is(err, errNoServer):
		if _, err := os.Stat(filepath.Join(c.Data, "journal")); err != nil {
			return nil, nil, fmt.Errorf("no journal in %s: %w", c.Data, fault.NotFound)
		}
		j, err = node.OpenJournal(c, quiet, nil)
		if err != nil {
			return nil, nil, err
		}
		return j, j.Close, nil
	case err != nil:
		return nil, nil, err
	}
	remove := func() error { return os.RemoveAll(at.Dir) }
	j, err = node.OpenCopy(c, filepath.Join(at.Dir, "journal"), quiet)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return j, func() error { return errors.Join(j.Close(), remove()) }, nil
}

type sessionsCmd struct {
	List sessionsListCmd `cmd:"" help:"List conversations, newest first."`
}

type sessionsListCmd struct {
	JSON bool `name:"json" help:"One object a line."`
	Most int  `help:"At most that many." default:"50"`
}

// Run implements the command.
func (s *sessionsListCmd) Run(ctx context.Context, e *Env) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	list, err := sessions(ctx, c, s.Most)
	if err != nil {
		return err
	}
	if !s.JSON {
		e.printf("%-28s %-10s %-19s %-9s %5s  %s\n", "SESSION", "CHANNEL", "STARTED", "LASTED", "TURNS", "STATUS")
	}
	for _, x := range list {
		if s.JSON {
			if err := json.NewEncoder(e.Out).Encode(x); err != nil {
				return err
			}
			continue
		}
		status, lasted := string(x.Status), "open"
		if x.Open() {
			status = "open"
		} else {
			lasted = x.Ended.Sub(x.Started).Round(time.Second).String()
		}
		e.printf("%-28s %-10s %-19s %-9s %5d  %s\n", x.ID, x.Channel, x.Started.Local().Format("2006-01-02 15:04:05"), lasted, x.Turns, status)
	}
	return nil
}

type callsCmd struct {
	List   callsListCmd   `cmd:"" help:"List running calls."`
	End    callsEndCmd    `cmd:"" help:"Hang up a running call."`
	Show   callsShowCmd   `cmd:"" help:"Show how a call went: its story, how it sounded, and what each turn waited for."`
	Ladder callsLadderCmd `cmd:"" help:"Draw the SIP messages of a call."`
}

type callsListCmd struct{}

// Run implements the command.
func (callsListCmd) Run(ctx context.Context, e *Env) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	var list []node.LiveCall
	err = dial(c.Data).get(ctx, http.MethodGet, "/calls", &list)
	if errors.Is(err, errNoServer) {
		e.printf("no server runs on %s\n", c.Data)
		return nil
	}
	if err != nil {
		return err
	}
	for _, x := range list {
		e.printf("%s  session %s  since %s", x.Call, x.ID, x.Started.Local().Format("15:04:05"))
		if x.Quality > 0 {
			e.printf("  %s MOS %.2f", x.Codec, x.Quality)
		}
		for _, o := range x.Onlookers {
			e.printf("  %s by %s", o.What, o.By)
		}
		e.printf("\n")
	}
	e.printf("%d running\n", len(list))
	return nil
}

type callsEndCmd struct {
	ID string `arg:"" help:"Call or session id."`
}

// Run implements the command.
func (x *callsEndCmd) Run(ctx context.Context, e *Env) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	var done map[string]bool
	return dial(c.Data).get(ctx, http.MethodPost, "/calls/"+x.ID+"/end", &done)
}
