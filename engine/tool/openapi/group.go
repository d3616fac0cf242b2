package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"flametree/engine/fault"
	"flametree/engine/tool"
	"flametree/engine/tool/remote"
)

// MaxOperations is the most of one document that become tools (spec D6).
const MaxOperations = 50

// Options are a document and how its service is reached.
type Options struct {
	Name     string // of the group
	Document []byte // OpenAPI 3.0 or 3.1, JSON or YAML, at most MaxDocument
	// Operations chooses by operationId, or by "GET /path" where there is none;
	// empty = all, up to MaxOperations.
	Operations []string
	Auth       remote.Auth
	BaseURL    string        // stands for the document's servers; "" = its first one
	HTTP       *http.Client  // the way out, through the guard
	Timeout    time.Duration // of a call, at most tool.MaxTimeout; 0 = tool.DefaultTimeout
}

// group is the tools of one document. It does not change but for its end.
type group struct {
	client *http.Client
	auth   remote.Auth
	specs  []tool.Spec
	ops    map[string]*operation
	life   context.Context
	stop   context.CancelFunc
	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
}

// New makes the tools. Warnings name operations that cannot be tools and why.
// Errors wrap fault.Invalid, or fault.NotFound for an operation that is chosen
// but not there. ctx is not kept: nothing runs before the first call.
func New(o Options) (tool.Runner, []string, error) {
	if err := o.validate(); err != nil {
		return nil, nil, err
	}
	life, stop := context.WithCancel(context.Background())
	g := &group{auth: o.Auth, ops: map[string]*operation{}, life: life, stop: stop}
	g.client = within(o.HTTP, o.Auth)
	warnings, err := g.fill(o)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return g, warnings, nil
}

func (o Options) validate() error {
	why := ""
	switch {
	case o.HTTP == nil:
		return fmt.Errorf("openapi: no way out is given: %w", fault.Denied)
	case o.Timeout < 0 || o.Timeout > tool.MaxTimeout:
		why = fmt.Sprintf("the timeout is between 0 and %v", tool.MaxTimeout)
	case len(o.Operations) > MaxOperations:
		why = fmt.Sprintf("%d operations are chosen, at most %d can be", len(o.Operations), MaxOperations)
	default:
		if err := o.Auth.Validate(); err != nil {
			return fmt.Errorf("openapi: %w", err)
		}
		return nil
	}
	return fmt.Errorf("openapi: %s: %w", why, fault.Invalid)
}

func (g *group) fill(o Options) ([]string, error) {
	d, warnings, err := parse(g.life, o.Document)
	if err != nil {
		return nil, err
	}
	base, err := d.base(o.BaseURL)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(d.methods(), o.Operations)
	if err != nil {
		return nil, err
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = tool.DefaultTimeout
	}
	left := 0
	for _, m := range chosen {
		if len(g.specs) == MaxOperations {
			left++
			continue
		}
		op, err := d.operation(m, base, o.BaseURL != "", timeout, o.Auth)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("%s %s is left out: %s", m.verb, remote.Printable(m.path, 200), remote.Printable(err.Error(), 300)))
			continue
		}
		name := g.unique(toolName(m))
		if m.op.OperationID != "" && name != m.op.OperationID {
			warnings = append(warnings, fmt.Sprintf("%s %s is called %s", m.verb, remote.Printable(m.path, 200), name))
		}
		op.spec.Name, op.spec.Group = name, o.Name
		g.ops[name] = op
		g.specs = append(g.specs, op.spec)
	}
	if left > 0 {
		warnings = append(warnings, fmt.Sprintf("%d operations more than %d are left out; choose", left, MaxOperations))
	}
	if len(g.specs) == 0 {
		return nil, fmt.Errorf("openapi: no operation of the document can be a tool: %s: %w", strings.Join(warnings[:min(3, len(warnings))], "; "), fault.Invalid)
	}
	return warnings, nil
}

// choose picks methods by name, in the document's order.
func choose(all []method, names []string) ([]method, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []method
	found := map[string]bool{}
	for _, m := range all {
		where := m.verb + " " + m.path
		for _, n := range names {
			if n != "" && (n == m.op.OperationID || n == where) {
				found[n] = true
				if !slices.ContainsFunc(chosen, func(c method) bool { return c.op == m.op }) {
					chosen = append(chosen, m)
				}
			}
		}
	}
	for _, n := range names {
		if !found[n] {
			return nil, fmt.Errorf("openapi: the document has no operation %q: %w", remote.Printable(n, 100), fault.NotFound)
		}
	}
	return chosen, nil
}

// unique gives the second of two equal names a number.
func (g *group) unique(name string) string {
	for i, try := 2, name; ; i++ {
		if g.ops[try] == nil {
			return try
		}
		end := "_" + strconv.Itoa(i)
		try = name[:min(len(name), tool.MaxName-len(end))] + end
	}
}

// within is the client with our rules of redirects: only reads follow one, and
// our secret stays with the origin it is for.
func within(given *http.Client, auth remote.Auth) *http.Client {
	secret, _ := auth.Field()
	c := *given
	c.Jar = nil
	next := given.CheckRedirect
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if first := via[0].Method; first != http.MethodGet && first != http.MethodHead {
			return http.ErrUseLastResponse
		}
		if origin(r.URL) != origin(via[0].URL) {
			for _, h := range []string{"Authorization", "Cookie", "Referer", secret} {
				r.Header.Del(h)
			}
		}
		if next != nil {
			return next(r, via)
		}
		if len(via) >= 5 {
			return fmt.Errorf("more than 5 redirects: %w", fault.Denied)
		}
		return nil
	}
	return &c
}

func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Scheme + "://" + u.Hostname() + ":" + port)
}

// Tools implements tool.Runner.
func (g *group) Tools() []tool.Spec { return slices.Clone(g.specs) }

// Skills implements tool.Runner. A document has none.
func (g *group) Skills() []tool.Skill { return nil }

// Close implements tool.Runner.
func (g *group) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.stop()
	g.calls.Wait()
	return nil
}

// Run implements tool.Runner. A request is sent once.
func (g *group) Run(ctx context.Context, c tool.Call) (tool.Outcome, error) {
	began := time.Now()
	value, err := g.run(ctx, c)
	if err != nil {
		return tool.Outcome{Took: time.Since(began)}, fmt.Errorf("openapi: %s: %w", remote.Printable(c.Name, tool.MaxName), err)
	}
	return tool.Outcome{Value: value, Took: time.Since(began)}, nil
}

func (g *group) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.calls.Add(1)
	}
	return !g.closed
}

func (g *group) run(ctx context.Context, c tool.Call) (json.RawMessage, error) {
	op := g.ops[c.Name]
	if op == nil {
		return nil, fmt.Errorf("there is no such tool: %w", fault.NotFound)
	}
	if !g.enter() {
		return nil, fmt.Errorf("the group is closed: %w", fault.Unavailable)
	}
	defer g.calls.Done()
	ctx, cancel := context.WithTimeout(ctx, op.spec.Timeout)
	defer cancel()
	defer context.AfterFunc(g.life, cancel)()
	r, err := op.prepare(ctx, c, g.auth)
	if err != nil {
		return nil, fmt.Errorf("the arguments do not fit: %w: %w", err, fault.Invalid)
	}
	res, err := g.client.Do(r)
	if err == nil {
		defer func() { _ = res.Body.Close() }()
		var shown []byte
		// One byte more than is shown tells a full answer from a longer one.
		if shown, err = io.ReadAll(io.LimitReader(res.Body, tool.MaxResult+1)); err == nil {
			return g.answer(res, shown)
		}
	}
	if g.life.Err() != nil {
		return nil, fmt.Errorf("the group is closed: %w", fault.Unavailable)
	}
	return nil, unsent(ctx, err)
}

// prepare checks the arguments and fills the request, before anything leaves.
func (o *operation) prepare(ctx context.Context, c tool.Call, auth remote.Auth) (*http.Request, error) {
	args, err := decoded(c.Args)
	if err != nil {
		return nil, err
	}
	var loose any // the validator wants plain numbers
	if err := json.Unmarshal(orEmpty(c.Args), &loose); err != nil {
		return nil, err
	}
	if err := o.schema.Fits(loose); err != nil {
		return nil, err
	}
	return o.request(ctx, args, c.Key, auth)
}

func orEmpty(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage(`{}`)
	}
	return raw
}

// answer is what a model sees of a response.
func (g *group) answer(res *http.Response, body []byte) (json.RawMessage, error) {
	whole := len(body) <= tool.MaxResult
	body = body[:min(len(body), tool.MaxResult)]
	if res.StatusCode >= 300 {
		return nil, fmt.Errorf("the service answers HTTP %d%s: %w", res.StatusCode, g.detail(body), kindOf(res.StatusCode))
	}
	if !whole {
		return nil, fmt.Errorf("the answer is larger than %d bytes; ask for less: %w", tool.MaxResult, fault.Invalid)
	}
	text := g.auth.Hide(string(body))
	switch {
	case len(strings.TrimSpace(text)) == 0:
		return json.RawMessage(`{"status":` + strconv.Itoa(res.StatusCode) + `}`), nil
	case json.Valid([]byte(text)):
		return json.RawMessage(text), nil
	case isJSON(res.Header.Get("Content-Type")):
		return nil, fmt.Errorf("the answer is broken JSON: %w", fault.Unavailable)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return nil, fmt.Errorf("the answer, of type %q, is no text: %w", remote.Printable(res.Header.Get("Content-Type"), 80), fault.Invalid)
	}
	raw, err := encode(text)
	if err == nil && len(raw) > tool.MaxResult {
		return nil, fmt.Errorf("the answer is larger than %d bytes; ask for less: %w", tool.MaxResult, fault.Invalid)
	}
	return raw, err
}

// encode writes JSON for a model, not for a page: "<" stays "<".
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// detail is the reason a service gives: a problem's title and detail (RFC 9457,
// section 3.1), a message, or the beginning of a text.
func (g *group) detail(body []byte) string {
	var p map[string]any
	var said []string
	if json.Unmarshal(body, &p) == nil {
		for _, k := range []string{"title", "detail", "message", "error", "error_description"} {
			if s, ok := p[k].(string); ok && s != "" && !slices.Contains(said, s) {
				said = append(said, s)
			}
			if m, ok := p[k].(map[string]any); ok {
				if s, ok := m["message"].(string); ok {
					said = append(said, s)
				}
			}
		}
	}
	text := strings.Join(said, ": ")
	if text == "" && utf8.Valid(body) && !strings.HasPrefix(strings.TrimSpace(string(body)), "<") {
		text = string(body)
	}
	if text = remote.Printable(g.auth.Hide(text), 500); text != "" {
		return ": " + text
	}
	return ""
}
