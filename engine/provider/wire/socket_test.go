package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"flametree/engine/fault"
)

// closing serves a socket that is closed at once with a code and a reason.
func closing(t *testing.T, code int, reason string) string {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := websocket.Upgrader{}
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
		_ = c.Close()
	}))
	t.Cleanup(h.Close)
	return h.URL
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	o.Vendor = "vendor"
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestHowASocketEnds shows which close codes mean what, and that the reason,
// which may quote anything, is passed on only when it is a plain code.
func TestHowASocketEnds(t *testing.T) {
	const secret = "sk-very-secret"
	for name, x := range map[string]struct {
		code   int
		reason string
		kind   fault.Kind
		shows  string
	}{
		"regularly":              {1000, "bye", "", ""},
		"in the middle":          {1011, "NET-0001", fault.Unavailable, "NET-0001"},
		"come back later":        {1013, "", fault.Exhausted, "1013"},
		"the key is not known":   {4401, "no " + secret, fault.Denied, "4401"},
		"unauthorized":           {3000, secret, fault.Denied, "3000"},
		"a policy":               {1008, "said: my card number is 4111", fault.Unavailable, "1008"},
		"too many of a vendor's": {4429, "", fault.Exhausted, "4429"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := client(t, Options{BaseURL: closing(t, x.code, x.reason)}).Connect(t.Context(), Outgoing{Secret: secret})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			_, err = s.Read()
			switch {
			case x.kind == "" && !errors.Is(err, io.EOF):
				t.Errorf("%v, want the end", err)
			case x.kind != "" && (fault.KindOf(err) != x.kind || !strings.Contains(err.Error(), x.shows)):
				t.Errorf("%v, want %s with %s", err, x.kind, x.shows)
			case strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "4111"):
				t.Errorf("%v says too much", err)
			}
		})
	}
}

type opaque struct{}

func (opaque) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no") }

// TestSocketsTakeTheWayOutThatIsGiven shows that a guard of the way out holds for
// sockets: its dialer is used, and where a client hides it, nothing is dialled.
func TestSocketsTakeTheWayOutThatIsGiven(t *testing.T) {
	url := closing(t, 1000, "")
	var dialled atomic.Int32
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	for name, x := range map[string]struct {
		o    Options
		kind fault.Kind
		used int32
	}{
		"the transport's dialer":          {Options{HTTP: &http.Client{Transport: &http.Transport{DialContext: dial}}}, "", 1},
		"a dialer beside a hidden client": {Options{HTTP: &http.Client{Transport: opaque{}}, Dial: dial}, "", 1},
		"a hidden client alone":           {Options{HTTP: &http.Client{Transport: opaque{}}}, fault.Invalid, 0},
		"a dialer that forbids": {Options{Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, fault.Denied
		}}, fault.Denied, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dialled.Store(0)
			x.o.BaseURL = url
			s, err := client(t, x.o).Connect(t.Context(), Outgoing{})
			if fault.KindOf(err) != x.kind || dialled.Load() != x.used {
				t.Errorf("%v, dialled %d times", err, dialled.Load())
			}
			if err == nil {
				s.Close()
			}
		})
	}
}

// TestARedirectIsNotFollowed shows that the key does not travel.
func TestARedirectIsNotFollowed(t *testing.T) {
	var reached atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer other.Close()
	h := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer h.Close()
	c := client(t, Options{BaseURL: h.URL})
	_, err := c.Connect(t.Context(), Outgoing{})
	var r *Refusal
	if !errors.As(err, &r) || r.Status != http.StatusTemporaryRedirect {
		t.Errorf("socket: %v", err)
	}
	if _, err = c.Fetch(t.Context(), Outgoing{Path: "/x"}); !errors.As(err, &r) || r.Status != http.StatusTemporaryRedirect {
		t.Errorf("request: %v", err)
	}
	if reached.Load() {
		t.Error("the other server was asked")
	}
}
