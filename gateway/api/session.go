package api

import (
	"context"
	"net/http"
	"time"

	"flametree/engine/event"
	"flametree/gateway/auth"
	"flametree/gateway/httpd"
)

type createIn struct {
	InAgent
	Key  string `header:"Idempotency-Key" maxLength:"128" doc:"Makes a repeated request harmless for a day."`
	Body createBody
}

type sessionOut struct{ Body sessionBody }

type updateIn struct {
	InSession
	Body updateBody
}

type endIn struct {
	InSession
	Body *endBody
}

type endOut struct {
	Body struct {
		SessionID string `json:"session_id"`
		Status    string `json:"status"`
	}
}

type ticketOut struct {
	Body struct {
		Ticket    string `json:"ticket" doc:"Append it to the socket's address as ?ticket=; it works once."`
		ExpiresIn int    `json:"expires_in" doc:"Seconds."`
	}
}

func (c *chat) sessions() {
	const tag = "Sessions"
	op := also(c.operation("create-session", http.MethodPost, "/session", "Start a session"),
		http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests)
	op.Tags = []string{tag}
	op.Description = "Opens a conversation with the agent. The answer is the session's metadata, without history."
	register(c, op, c.create)

	op = c.operation("get-session", http.MethodGet, "/session/{session}", "Read a session")
	op.Tags = []string{tag}
	register(c, op, c.get)

	op = also(c.operation("update-session", http.MethodPut, "/session/{session}", "Update a session"),
		http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	op.Tags = []string{tag}
	op.Description = "Absent and null fields stay as they are."
	register(c, op, c.update)

	op = also(c.operation("end-session", http.MethodDelete, "/session/{session}", "Close a session"),
		http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	op.Tags = []string{tag}
	op.Description = "The body is optional; without it the session ends as completed."
	register(c, op, c.end)

	op = also(c.operation("issue-ticket", http.MethodPost, "/session/{session}/ticket", "Get a ticket for the socket"),
		http.StatusTooManyRequests)
	op.Tags = []string{tag}
	op.Description = "A ticket opens the session's socket once, within a minute, and may stand in a URL; the token may not."
	register(c, op, c.ticket)
}

func (c *chat) create(ctx context.Context, in *createIn) (*sessionOut, error) {
	a := agentOf(ctx)
	if blank(in.Body.UserID) {
		return nil, httpd.Invalid("body.user_id", "must not be blank")
	}
	s, err := c.o.Sessions.Create(ctx, a, in.Body.session(in.Key))
	if err != nil {
		return nil, err
	}
	return &sessionOut{render(a, s)}, nil
}

func (c *chat) get(ctx context.Context, in *InSession) (*sessionOut, error) {
	a := agentOf(ctx)
	s, err := c.o.Sessions.Get(ctx, a, in.Session)
	if err != nil {
		return nil, err
	}
	return &sessionOut{render(a, s)}, nil
}

func (c *chat) update(ctx context.Context, in *updateIn) (*sessionOut, error) {
	a, b := agentOf(ctx), in.Body
	s, err := c.o.Sessions.Update(ctx, a, in.Session,
		Update{Name: b.Name, Email: b.Email, Phone: b.Phone, Language: b.Language, Kwargs: b.Kwargs})
	if err != nil {
		return nil, err
	}
	return &sessionOut{render(a, s)}, nil
}

func (c *chat) end(ctx context.Context, in *endIn) (*endOut, error) {
	status := event.Completed
	if in.Body != nil && in.Body.Status != nil {
		status = event.Status(*in.Body.Status)
	}
	if !status.Valid() { // the schema holds the same list; this one decides
		return nil, httpd.Invalid("body.status", "not a session status")
	}
	if err := c.o.Sessions.End(ctx, agentOf(ctx), in.Session, status); err != nil {
		return nil, err
	}
	out := &endOut{}
	out.Body.SessionID, out.Body.Status = in.Session, string(status)
	return out, nil
}

func (c *chat) ticket(ctx context.Context, in *InSession) (*ticketOut, error) {
	a := agentOf(ctx)
	if _, err := c.o.Sessions.Get(ctx, a, in.Session); err != nil {
		return nil, err
	}
	t, err := c.o.Tickets.Issue(time.Now(), auth.Grant{Agent: a, Session: in.Session})
	if err != nil {
		return nil, err
	}
	out := &ticketOut{}
	out.Body.Ticket, out.Body.ExpiresIn = t, int(auth.TicketLife.Seconds())
	return out, nil
}
