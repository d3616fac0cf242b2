package house

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Event is a line of `journal tail --json`.
type Event struct {
	Pos     uint64          `json:"pos"`
	Stream  string          `json:"stream"`
	Version uint64          `json:"version"`
	Kind    string          `json:"kind"`
	Time    time.Time       `json:"time"`
	Tenant  string          `json:"tenant"`
	Session string          `json:"session"`
	Turn    *uint64         `json:"turn"`
	Role    string          `json:"role"`
	Text    string          `json:"text"`
	Body    json.RawMessage `json:"body"`

	Raw string `json:"-"` // the line
}

// Into reads the event's body.
func (e Event) Into(t testing.TB, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(e.Body, into), "%s", e.Raw)
}

// Journal reads all events of a folder by `journal tail --json`, whether a
// server runs on it or not.
func Journal(t testing.TB, data string) []Event {
	t.Helper()
	var out []Event
	err := lines(strings.NewReader(Must(t, "--data", data, "journal", "tail", "--json")), func(e Event) bool {
		out = append(out, e)
		return true
	})
	require.NoError(t, err)
	return out
}

// OfStream are the events of one stream, such as session/ID.
func OfStream(events []Event, stream string) []Event {
	var out []Event
	for _, e := range events {
		if e.Stream == stream {
			out = append(out, e)
		}
	}
	return out
}

// Follow gives each event from a position on to take, first those there are,
// then those that come, until take returns false, the server ends or ctx does.
func (s *Server) Follow(ctx context.Context, from uint64, take func(Event) bool) error {
	return s.tail(ctx, fmt.Sprintf("from=%d&follow=1", from), take)
}

// Events reads the events there are from a position on, faster than the command.
func (s *Server) Events(ctx context.Context, from uint64) ([]Event, error) {
	var out []Event
	err := s.tail(ctx, fmt.Sprintf("from=%d", from), func(e Event) bool {
		out = append(out, e)
		return true
	})
	return out, err
}

func (s *Server) tail(ctx context.Context, query string, take func(Event) bool) error {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(s.Data, "admin.sock"))
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://admin/journal?"+query, nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	return lines(resp.Body, take)
}

// lines reads events; a last line that was cut off is left out.
func lines(r io.Reader, take func(Event) bool) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), 16<<20)
	for sc.Scan() {
		e := Event{Raw: sc.Text()}
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			return fmt.Errorf("journal line %q: %w", sc.Text(), err)
		}
		if !take(e) {
			return nil
		}
	}
	return sc.Err()
}

// Until follows the journal until an event fits, or fails the test.
func (s *Server) Until(t testing.TB, what string, most time.Duration, fits func(Event) bool) Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	var found *Event
	err := s.Follow(ctx, 1, func(e Event) bool {
		if fits(e) {
			found = &e
		}
		return found == nil
	})
	if found == nil {
		t.Fatalf("no event after %v: %s (%v)", most, what, err)
	}
	return *found
}
