package script

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flametree/engine/fault"
)

const (
	maxAnswer = 8 << 20 // bytes of one answer of the server
	goodbye   = 10 * time.Second
)

// Remote is a conversation over the documented Chat API. It belongs to one
// goroutine. State, calls and the rest of the inside come from the session's
// trace; where the server does not show one, they are not known.
type Remote struct {
	BaseURL string   // of the server, such as http://127.0.0.1:8080
	Agent   string   // id
	Token   string   // the agent's; never part of an error
	User    string   // the customer's id; "" = terminal
	Moves   []string // names under which the model calls moves, where the server does not tell them from tools

	session string
	open    bool
	turn    uint64 // the last one read from the trace
	state   string
	results map[string]string
	client  *http.Client
}

var _ Conversation = (*Remote)(nil)

// Session is the id of the session, "" before Begin.
func (r *Remote) Session() string { return r.session }

// Begin implements Conversation.
func (r *Remote) Begin(ctx context.Context) (Turn, error) {
	begun := time.Now()
	if r.session != "" {
		return Turn{}, fmt.Errorf("the conversation has begun already: %w", fault.Conflict)
	}
	base, err := url.Parse(r.BaseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return Turn{}, fmt.Errorf("the server must be an http or https address: %w", fault.Invalid)
	}
	r.client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}
	user := r.User
	if user == "" {
		user = "terminal"
	}
	body, err := json.Marshal(map[string]string{"user_id": user})
	if err != nil {
		return Turn{}, err
	}
	var made sessionWire
	if err := r.ask(ctx, request{method: http.MethodPost, body: body, kind: "application/json"}, &made); err != nil {
		return Turn{}, fmt.Errorf("open a session: %w", err)
	}
	if made.ID == "" {
		return Turn{}, fmt.Errorf("open a session: the answer names none: %w", fault.Unavailable)
	}
	r.session, r.open, r.results = made.ID, true, map[string]string{}
	t := Turn{Took: time.Since(begun)}
	if made.Greeting != nil && *made.Greeting != "" {
		t.Says = []string{*made.Greeting}
	}
	return t, r.look(ctx, &t)
}

// Say implements Conversation.
func (r *Remote) Say(ctx context.Context, text string) (Turn, error) {
	begun := time.Now()
	if !r.open {
		return Turn{}, fmt.Errorf("say: no open session: %w", fault.NotFound)
	}
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	err := errors.Join(form.WriteField("message", text), form.WriteField("client_id", rand.Text()), form.Close())
	if err != nil {
		return Turn{}, err
	}
	var reply struct {
		Response string
		Metadata struct{ Options []string }
	}
	if err := r.ask(ctx, request{method: http.MethodPost, path: "/run_v2", body: b.Bytes(), kind: form.FormDataContentType()}, &reply); err != nil {
		return Turn{}, fmt.Errorf("say: %w", err)
	}
	t := Turn{Took: time.Since(begun), Options: reply.Metadata.Options}
	if strings.TrimSpace(reply.Response) != "" {
		t.Says = []string{reply.Response}
	}
	return t, r.look(ctx, &t)
}

// look fills in what the session and its trace show after a turn.
func (r *Remote) look(ctx context.Context, t *Turn) error {
	var s sessionWire
	switch err := r.ask(ctx, request{method: http.MethodGet}, &s); {
	case errors.Is(err, fault.NotFound):
		r.open, t.Ended = false, true
	case err != nil:
		return fmt.Errorf("read the session: %w", err)
	default:
		r.results = make(map[string]string, len(s.Results))
		for name, v := range s.Results {
			if text := bare(v); text != "" {
				r.results[name] = text
			}
		}
		t.Results = r.results
	}
	var trace traceWire
	switch err := r.ask(ctx, request{method: http.MethodGet, path: "/trace"}, &trace); {
	case errors.Is(err, fault.NotFound): // this server shows none, or not of a session that has ended
	case err != nil:
		return fmt.Errorf("read the trace: %w", err)
	default:
		r.fold(trace, t)
	}
	return nil
}

// fold takes the turns that are new in a trace.
func (r *Remote) fold(trace traceWire, t *Turn) {
	t.Trace = &Trace{}
	t.Calls = []Call{}
	for _, w := range trace.Turns {
		if w.State != "" {
			r.state = w.State
		}
		if w.Turn <= r.turn {
			continue
		}
		w.into(t, r.Moves)
	}
	for _, w := range trace.Turns {
		r.turn = max(r.turn, w.Turn)
	}
	t.State = r.state
	if t.Ended && trace.Results != nil { // the session itself is not shown any more
		t.Results = make(map[string]string, len(trace.Results))
		for _, v := range trace.Results {
			t.Results[v.Name] = v.Value
		}
	}
}

// Close implements Conversation.
func (r *Remote) Close() error {
	if r.client == nil {
		return nil
	}
	defer r.client.CloseIdleConnections()
	if !r.open {
		return nil
	}
	r.open = false
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	err := r.ask(ctx, request{method: http.MethodDelete}, nil)
	if errors.Is(err, fault.NotFound) { // it has ended by itself
		return nil
	}
	return err
}

// request is one request below the session, or to make one.
type request struct {
	method, path string
	body         []byte
	kind         string // Content-Type
}

// ask sends a request and reads the JSON it is answered with.
func (r *Remote) ask(ctx context.Context, q request, into any) error {
	at := strings.TrimSuffix(r.BaseURL, "/") + "/chatbot/" + url.PathEscape(r.Agent) + "/session"
	if r.session != "" {
		at += "/" + url.PathEscape(r.session) + q.path
	}
	req, err := http.NewRequestWithContext(ctx, q.method, at, bytes.NewReader(q.body))
	if err != nil {
		return fmt.Errorf("%w: %w", fault.Invalid, err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	if q.kind != "" {
		req.Header.Set("Content-Type", q.kind)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", fault.KindOf(ctx.Err()), err)
		}
		return fmt.Errorf("%w: %w", fault.Unavailable, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w: %w", fault.Unavailable, err)
	case len(body) > maxAnswer:
		return fmt.Errorf("the answer is larger than %d MB: %w", maxAnswer>>20, fault.Exhausted)
	case resp.StatusCode/100 != 2:
		return refusal(resp.StatusCode, body)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the answer is not the JSON of the Chat API: %w: %w", fault.Unavailable, err)
	}
	return nil
}

// refusal is what the server says of a request it does not carry out, problem
// details of RFC 9457.
func refusal(status int, body []byte) error {
	var p struct{ Detail string }
	if json.Unmarshal(body, &p) != nil || p.Detail == "" {
		p.Detail = http.StatusText(status)
	}
	return fmt.Errorf("%d: %s: %w", status, clip(p.Detail), kindOf(status))
}

func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Denied
	case http.StatusNotFound, http.StatusGone:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusTooManyRequests:
		return fault.Exhausted
	}
	if status/100 == 5 {
		return fault.Unavailable
	}
	return fault.Invalid
}
