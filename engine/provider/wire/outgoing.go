package wire

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"
	"time"

	"flametree/engine/fault"
)

// Outgoing is a request that is not JSON in both directions, or the opening of
// a socket.
type Outgoing struct {
	Path   string // with its query; no secret stands in it
	Header http.Header
	Secret string // the key that stands in Header, to be kept out of errors; "" = the Client's
	Type   string // of Body; "" = application/json
	Body   []byte
	Accept string // what the answer's type must begin with: "audio/"; "" = anything
}

// Incoming is the answer to an Outgoing. The consumer closes Body; reading it
// ends with a classified error when nothing comes for too long.
type Incoming struct {
	Type   string            // without parameters, in lower case
	Params map[string]string // of the type
	Body   io.ReadCloser
}

// Fetch posts o and gives the answer as soon as its headers are there. ctx
// bounds all of it, reading the body too.
func (c *Client) Fetch(ctx context.Context, o Outgoing) (*Incoming, error) {
	ctx, stop := context.WithCancelCause(ctx)
	idle := time.AfterFunc(c.idle, func() { stop(errIdle) })
	in, err := c.fetch(ctx, o)
	idle.Stop()
	if err != nil {
		stop(nil)
		return nil, err
	}
	in.Body = &incoming{client: c, ctx: ctx, stop: stop, body: in.Body, in: &watched{in: in.Body, timer: idle, idle: c.idle}}
	return in, nil
}

func (c *Client) fetch(ctx context.Context, o Outgoing) (*Incoming, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+o.Path, bytes.NewReader(o.Body))
	if err != nil {
		return nil, fmt.Errorf("%s: the address cannot be used: %w", c.vendor, fault.Invalid)
	}
	maps.Copy(req.Header, c.header)
	maps.Copy(req.Header, o.Header)
	req.Header.Set("Content-Type", "application/json")
	if o.Type != "" {
		req.Header.Set("Content-Type", o.Type)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }() // read only
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
		return nil, refusal(c.vendor, o.secret(c), resp, text)
	}
	kind, params, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if !strings.HasPrefix(kind, o.Accept) {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s: the answer is not of type %s; is the address right? %w", c.vendor, o.Accept, fault.Unavailable)
	}
	return &Incoming{Type: kind, Params: params, Body: resp.Body}, nil
}

func (o Outgoing) secret(c *Client) string {
	if o.Secret != "" {
		return o.Secret
	}
	return c.secret
}

// incoming is a body whose errors are classified.
type incoming struct {
	client *Client
	ctx    context.Context // of this one request
	stop   context.CancelCauseFunc
	body   io.Closer
	in     io.Reader
}

func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if err != nil && (err != io.EOF || context.Cause(b.ctx) != nil) { //nolint:errorlint // Read gives io.EOF itself
		err = b.client.broken(b.ctx, err)
	}
	return n, err
}

func (b *incoming) Close() error {
	b.stop(nil)
	return b.body.Close()
}

// ReadAll reads the rest of an answer, at most most bytes, and closes it.
func (c *Client) ReadAll(in *Incoming, most int) ([]byte, error) {
	defer func() { _ = in.Body.Close() }() // read only
	all, err := io.ReadAll(io.LimitReader(in.Body, int64(most)+1))
	if err == nil && len(all) > most {
		err = fmt.Errorf("%s: the answer is longer than %d bytes: %w", c.vendor, most, fault.Unavailable)
	}
	return all, err
}

// Vendor is the name that stands in errors.
func (c *Client) Vendor() string { return c.vendor }
