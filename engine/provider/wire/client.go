package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flametree/engine/fault"
)

// The defaults and bounds of a Client.
const (
	DefaultIdle = 30 * time.Second
	maxError    = 64 << 10
	maxAnswer   = 64 << 20
	drainFor    = 100 * time.Millisecond // the end of a chunked body comes with its last event
)

// Options of a Client.
type Options struct {
	Vendor  string      // for errors: "openai"
	BaseURL string      // http or https, without query and user
	Secret  string      // the key; it stands in Header, and is given here to be kept out of errors
	Header  http.Header // sent with every request; not changed
	// HTTP is used without its Timeout's help: replies are long. Redirects are not
	// followed, because they would carry the key elsewhere. nil = a client of its own.
	HTTP *http.Client
	Idle time.Duration // most time without a byte; 0 = DefaultIdle
	// Dial opens sockets. nil = as HTTP's own transport does; a HTTP whose transport
	// is another's own needs it.
	Dial Dialer
}

// Client asks one server. It is safe for concurrent use.
type Client struct {
	vendor, base, secret string
	header               http.Header
	http                 *http.Client
	idle                 time.Duration
	dial                 Dialer
}

// New checks o and tells all of its faults at once, as fault.Invalid.
func New(o Options) (*Client, error) {
	var bad []string
	u, err := url.Parse(o.BaseURL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		bad = append(bad, "the base URL must be http:// or https:// with a host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		bad = append(bad, "the base URL must have no user, query or fragment: the key has its own setting")
	}
	for name, values := range o.Header {
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") {
				bad = append(bad, fmt.Sprintf("header %s holds a line break", name))
			}
		}
	}
	if len(bad) > 0 {
		return nil, fmt.Errorf("%s: %w: %s", o.Vendor, fault.Invalid, strings.Join(bad, "; "))
	}
	h := &http.Client{Transport: transport()}
	if o.HTTP != nil {
		h = &http.Client{Transport: o.HTTP.Transport, Jar: nil, Timeout: 0}
		if h.Transport == nil {
			h.Transport = transport()
		}
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &Client{vendor: o.Vendor, base: strings.TrimRight(o.BaseURL, "/"), secret: o.Secret, header: o.Header.Clone(), http: h, idle: o.Idle, dial: o.Dial}
	if c.idle <= 0 {
		c.idle = DefaultIdle
	}
	return c, nil
}

func transport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     90 * time.Second,
	}
}

// Within bounds ctx by the deadline of a request; 0 = only by what it has.
func Within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// errIdle is the cause of a request that ended because nothing came.
var errIdle = fmt.Errorf("nothing came for too long: %w", fault.Unavailable)

// Stream posts body as JSON and yields the events of the answer. last tells the
// event after which none follows; nil = the end of the stream tells it.
// Breaking out of the loop cancels the request. An error is the last element.
func (c *Client) Stream(ctx context.Context, path string, body any, last func(Event) bool) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		idle := time.AfterFunc(c.idle, func() { stop(errIdle) })
		defer idle.Stop()
		resp, err := c.send(ctx, path, body, "text/event-stream")
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer func() { _ = resp.Body.Close() }() // read only
		idle.Stop()
		r := NewReader(&watched{in: resp.Body, timer: idle, idle: c.idle})
		for {
			e, err := r.Next()
			if errors.Is(err, io.EOF) && context.Cause(ctx) == nil {
				return
			}
			if err != nil {
				yield(Event{}, c.broken(ctx, err))
				return
			}
			if !yield(e, nil) {
				return
			}
			if last != nil && last(e) {
				idle.Reset(drainFor)
				_, _ = io.CopyN(io.Discard, resp.Body, maxError) // so that the connection can be used again
				return
			}
		}
	}
}

// Post posts body as JSON and reads the answer's JSON into out.
func (c *Client) Post(ctx context.Context, path string, body, out any) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	idle := time.AfterFunc(c.idle, func() { stop(errIdle) })
	defer idle.Stop()
	resp, err := c.send(ctx, path, body, "application/json")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // read only
	all, err := io.ReadAll(io.LimitReader(&watched{in: resp.Body, timer: idle, idle: c.idle}, maxAnswer+1))
	switch {
	case err != nil:
		return c.broken(ctx, err)
	case len(all) > maxAnswer:
		return fmt.Errorf("%s: the answer is longer than %d bytes: %w", c.vendor, maxAnswer, fault.Unavailable)
	}
	if json.Unmarshal(all, out) != nil { // its error may quote the answer
		return c.Unreadable()
	}
	return nil
}

// Unreadable is the error for an answer that is not what the vendor publishes.
func (c *Client) Unreadable() error {
	return fmt.Errorf("%s: the answer cannot be read as JSON of the expected form: %w", c.vendor, fault.Unavailable)
}

// Cut is the error for a stream that ended before the reply did.
func (c *Client) Cut() error {
	return fmt.Errorf("%s: the stream ended in the middle of the reply: %w", c.vendor, fault.Unavailable)
}

// Withheld is the error for a reply that the vendor's own filter held back.
func (c *Client) Withheld(reason string) error {
	return fmt.Errorf("%s: the reply was withheld by a filter (%s): %w", c.vendor, identifier(reason, c.secret), fault.Denied)
}

// Failed is the error for a reply that the model gave up.
func (c *Client) Failed(reason string) error {
	return fmt.Errorf("%s: the model gave up the reply (%s): %w", c.vendor, identifier(reason, c.secret), fault.Unavailable)
}

func (c *Client) send(ctx context.Context, path string, body any, accept string) (*http.Response, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%s: a schema or an argument of the request is no JSON: %w", c.vendor, fault.Invalid)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: the address cannot be used: %w", c.vendor, fault.Invalid)
	}
	maps.Copy(req.Header, c.header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }() // read only
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
		return nil, refusal(c.vendor, c.secret, resp, text)
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != accept {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s: the answer is not of type %s; is this the address of a model? %w", c.vendor, accept, fault.Unavailable)
	}
	return resp, nil
}

// broken says what ended a request. A kind that is known already, such as that
// of a guard that forbids the address, stays.
func (c *Client) broken(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return ended(c.vendor, cause)
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err // the address is the operator's; it is left out as the rest of the request is
	}
	if k := fault.Kind(""); errors.As(err, &k) {
		return fmt.Errorf("%s: %w", c.vendor, err)
	}
	return fmt.Errorf("%s: %w: %w", c.vendor, fault.Unavailable, err)
}

func ended(vendor string, cause error) error {
	if k := fault.Kind(""); errors.As(cause, &k) {
		return fmt.Errorf("%s: %w", vendor, cause)
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return fmt.Errorf("%s: the reply was not there in time: %w: %w", vendor, fault.Unavailable, cause)
	}
	return fmt.Errorf("%s: %w: %w", vendor, fault.Cancelled, cause)
}

// watched ends a request whose body stays silent. Only the time spent reading
// counts: a slow consumer is not the vendor's fault.
type watched struct {
	in    io.Reader
	timer *time.Timer
	idle  time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.idle)
	defer w.timer.Stop()
	return w.in.Read(p)
}
