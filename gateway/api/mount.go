package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"flametree/engine/fault"
	"flametree/gateway/auth"
	"flametree/gateway/httpd"
)

// Options gives the Chat API what it stands on. All interfaces and Tickets are
// needed; the other fields have defaults.
type Options struct {
	Agents     auth.Agents
	Sessions   Sessions
	Speech     Speech
	Traces     Traces        // nil = traces are not shown
	Recordings Recordings    // nil = no calls are recorded
	Calls      Calls         // nil = calls are not shown
	Tickets    *auth.Tickets // shared with the sockets
	Version    string        // of the program, shown in the document; "dev"

	RunTime    time.Duration // for a whole text turn, beyond its own 45 s; 60 s
	SpeechTime time.Duration // to hear or speak one request; 60 s
	MaxAttach  int64         // bytes of one attachment; 10 MB
}

// maxAttachments is the number of files a message may carry (spec D8).
const maxAttachments = 5

type chat struct {
	o   Options
	api huma.API
}

// Mount adds the Chat API, its OpenAPI document and its page to s. Call it
// before s serves.
func Mount(s *httpd.Server, o Options) huma.API {
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.RunTime == 0 {
		o.RunTime = time.Minute
	}
	if o.SpeechTime == 0 {
		o.SpeechTime = time.Minute
	}
	if o.MaxAttach == 0 {
		o.MaxAttach = 10 << 20
	}
	c := &chat{o: o, api: httpd.NewAPI(s, huma.Info{
		Title: "Flametree Chat API", Version: o.Version,
		Description: "Sessions, messages and speech of one agent. Every call carries that agent's token: " +
			"`Authorization: Bearer <token>`. Refusals are problem details (RFC 9457) with `kind`, `code` and `trace_id`. " +
			"Replies in pieces come over the socket `/chatbot/{agent}/ws/{session}`, opened with the same header, with the " +
			"subprotocols `bearer, <token>`, or with `?ticket=`; `?after=` the last `seq` you have resumes it. " +
			"Calls of browsers are arranged on the same socket: send `call.servers`, then `call.offer` with `sdp`; " +
			"`call.answer` gives `call`, `session` and `sdp`; `call.candidate`, `call.mute`, `call.digit` and `call.hangup` name the `call`; " +
			"`call.state` tells `ringing`, `up`, `reconnecting` and `ended` with a `reason`, `call.caption` what was said, " +
			"`call.error` the `kind` and `message` of a frame that was refused.",
	})}
	c.api.OpenAPI().Tags = []*huma.Tag{{Name: "Sessions"}, {Name: "Messages"}, {Name: "Speech"}}
	c.api.OpenAPI().Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"agentToken": {Type: "http", Scheme: "bearer", Description: "The agent's token, from its Advanced section."},
	}
	c.sessions()
	c.messages()
	c.speech()
	if o.Traces != nil {
		c.traces()
	}
	if o.Recordings != nil {
		c.recordings()
	}
	if o.Calls != nil {
		c.calls()
	}
	describe(s, c.api)
	return c.api
}

type agentKey struct{}

// agentOf is the agent a request was authorised for.
func agentOf(ctx context.Context) auth.Agent {
	a, _ := ctx.Value(agentKey{}).(auth.Agent)
	return a
}

// authorise admits a request with the token of the agent in its path.
func (c *chat) authorise(ctx huma.Context, next func(huma.Context)) {
	token, ok := auth.Bearer(ctx.Header("Authorization"))
	r := httpd.RequestOf(ctx.Context())
	if !ok {
		r.Fail(httpd.Refuse(http.StatusUnauthorized, "token_missing", "send the agent's token as Authorization: Bearer <token>"))
		return
	}
	a, err := c.o.Agents.Authorize(ctx.Context(), ctx.Param("agent"), token)
	if fault.KindOf(err) == fault.Denied {
		err = httpd.Refuse(http.StatusUnauthorized, "token_invalid", "this is not the token of this agent")
	}
	if err != nil {
		r.Fail(err)
		return
	}
	next(huma.WithValue(ctx, agentKey{}, a))
}

// operation fills in what every operation of the Chat API shares.
func (c *chat) operation(id, method, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: "/chatbot/{agent}" + path, Summary: summary,
		Security:    []map[string][]string{{"agentToken": {}}},
		Middlewares: huma.Middlewares{c.authorise, httpd.Buffer},
		Metadata:    map[string]any{},
		Responses:   refusals(http.StatusUnauthorized, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable),
	}
}

// refusals documents statuses that are answered with a Problem.
func refusals(statuses ...int) map[string]*huma.Response {
	m := make(map[string]*huma.Response, len(statuses))
	for _, st := range statuses {
		m[statusText(st)] = &huma.Response{
			Description: http.StatusText(st),
			Content: map[string]*huma.MediaType{
				"application/problem+json": {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}},
			},
		}
	}
	return m
}

// also adds refusals to an operation.
func also(op huma.Operation, statuses ...int) huma.Operation {
	maps.Copy(op.Responses, refusals(statuses...))
	return op
}

func statusText(st int) string {
	b, _ := json.Marshal(st) // an int always marshals
	return string(b)
}

// register adds an operation whose errors become Problems.
func register[I, O any](c *chat, op huma.Operation, f func(context.Context, *I) (*O, error)) {
	huma.Register(c.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err != nil {
			return nil, httpd.RequestOf(ctx).Problem(err)
		}
		return out, nil
	})
}

// InAgent is the part of every path. It is exported, as its sisters are, because
// huma skips embedded fields that are not.
type InAgent struct {
	Agent string `path:"agent" maxLength:"128" doc:"The agent's id."`
}

// InSession is the part of every path below a session.
type InSession struct {
	InAgent
	Session string `path:"session" maxLength:"128" doc:"The session's id."`
}

// blank reports whether a text holds nothing to read.
func blank(s string) bool { return strings.TrimSpace(s) == "" }
