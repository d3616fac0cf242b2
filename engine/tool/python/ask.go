package python

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/engine/fault"
)

// The limits of ctx.http. A body goes through a frame as base64, with headers.
const (
	MaxRequests = 50        // of one call
	MaxBody     = 640 << 10 // bytes of an answer
	maxHeaders  = 32 << 10
)

var errNotThere = fmt.Errorf("there is no such key: %w", fault.NotFound)

// asked answers what one call of a group asks of the host.
type asked struct {
	pool     *Pool
	home     home
	requests int
}

// refusal is the answer to what cannot be done.
type refusal struct {
	Error string `json:"error"`
}

func refused(format string, args ...any) refusal { return refusal{fmt.Sprintf(format, args...)} }

// answer implements asker.
func (a *asked) answer(ctx context.Context, what string, request json.RawMessage) any {
	switch what {
	case "http":
		return a.http(ctx, request)
	case "kv":
		return a.kv(ctx, request)
	}
	return refused("the host knows no %q", shorten(what))
}

// asks is a request as code makes it.
type asks struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`
	Timeout float64           `json:"timeout"` // seconds; 0 = the call's own
}

// gives is an answer as code sees it.
type gives struct {
	Status  int               `json:"status"`
	Reason  string            `json:"reason"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`
}

func (a *asked) http(ctx context.Context, request json.RawMessage) any {
	var r asks
	if err := json.Unmarshal(request, &r); err != nil {
		return refused("ctx.http: a method, a URL, headers and a timeout in seconds were expected")
	}
	if a.pool.opt.HTTP == nil {
		return refused("ctx.http: no network is set up for tools")
	}
	if a.requests++; a.requests > MaxRequests {
		return refused("ctx.http: more than %d requests in one call", MaxRequests)
	}
	if r.Timeout > 0 && r.Timeout < time.Hour.Seconds() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.Timeout*float64(time.Second)))
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil || req.URL.Host == "" || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return refused("ctx.http: %s %q is no request to an http or https address", shorten(r.Method), shorten(r.URL))
	}
	for name, value := range r.Headers {
		if strings.EqualFold(name, "host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	resp, err := a.pool.opt.HTTP(ctx, req) //nolint:bodyclose // given closes it
	if err != nil {
		return refused("ctx.http: %s %s: %s", req.Method, req.URL.Redacted(), reason(ctx, err))
	}
	return given(ctx, req, resp)
}

// given reads an answer to its end.
func given(ctx context.Context, req *http.Request, resp *http.Response) any {
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	switch {
	case err != nil:
		return refused("ctx.http: %s %s: %s", req.Method, req.URL.Redacted(), reason(ctx, err))
	case len(body) > MaxBody:
		return refused("ctx.http: %s %s: the answer has more than %d KB", req.Method, req.URL.Redacted(), MaxBody>>10)
	}
	out := gives{Status: resp.StatusCode, Body: body, Headers: map[string]string{}, URL: req.URL.String()}
	if resp.Request != nil && resp.Request.URL != nil { // after redirects
		out.URL = resp.Request.URL.String()
	}
	_, out.Reason, _ = strings.Cut(resp.Status, " ")
	size := 0
	for name, values := range resp.Header {
		value := strings.Join(values, ", ")
		if size += len(name) + len(value); size > maxHeaders {
			break
		}
		out.Headers[name] = value
	}
	return out
}

// reason says why a request got no answer. An error's own text is shown, since
// it tells the author of the code which address was refused; what is not
// classified stays inside.
func reason(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return "no answer in time"
	case fault.KindOf(err) == fault.Bug:
		return "no answer"
	}
	return err.Error()
}

func (a *asked) kv(ctx context.Context, request json.RawMessage) any {
	var r struct {
		Do    string          `json:"do"`
		Key   string          `json:"key"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(request, &r); err != nil || r.Key == "" || utf8.RuneCountInString(r.Key) > MaxKey {
		return refused("ctx.kv: a key is a text of 1 to %d characters", MaxKey)
	}
	if a.pool.opt.KV == nil {
		return refused("ctx.kv: no store is set up for tools")
	}
	var err error
	var out struct {
		Found bool            `json:"found"`
		Value json.RawMessage `json:"value,omitempty"`
	}
	s, t, g := a.pool.opt.KV, a.home.tenant, a.home.group.Name
	switch r.Do {
	case "get":
		out.Value, err = s.Get(ctx, t, g, r.Key)
		out.Found = err == nil
		if errors.Is(err, fault.NotFound) {
			err = nil
		}
	case "set":
		if len(r.Value) > MaxValue {
			return refused("ctx.kv: the value has %d KB; %d are allowed", len(r.Value)>>10, MaxValue>>10)
		}
		err = s.Set(ctx, t, g, r.Key, r.Value)
	case "delete":
		err = s.Delete(ctx, t, g, r.Key)
	default:
		return refused("ctx.kv: there is get, set and delete")
	}
	if err != nil {
		return refused("ctx.kv: %s failed: %s", r.Do, fault.KindOf(err))
	}
	return out
}
