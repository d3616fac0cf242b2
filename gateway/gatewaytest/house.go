// Package gatewaytest holds a small working house behind the front door: agents
// with tokens, sessions that answer, sockets that remember, speech that can be
// checked. Tests of the gateway and the portal use it in place of the actors.
// It is no model of a conversation and keeps nothing.
package gatewaytest

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"strings"
	"sync"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/gateway/api"
	"flametree/gateway/auth"
	"flametree/gateway/ws"
)

// House implements auth.Agents, api.Sessions, api.Speech and ws.Sockets.
// Make it with New.
type House struct {
	mu     sync.Mutex // guards everything below
	agents []*agent
	rooms  map[string]*room
	keys   map[string]string // idempotency key → session
	next   int

	// Hold, when set, is called by Run while the session is busy.
	Hold func(ctx context.Context, session string)
	// Words is what Transcribe hears.
	Words string
	// Answer makes the reply to a text.
	Answer func(text string) string
}

type agent struct {
	auth.Agent
	token string
	caps  api.Capabilities
}

type room struct {
	agent   string
	session api.Session
	status  event.Status // "" while open
	busy    bool
	replies map[string]api.Reply // by client id
	frames  []ws.Frame
	seq     uint64
	subs    map[chan ws.Frame]struct{}
	gone    chan struct{} // closed when the session ends
}

// Tenant is the tenant of every agent of the house.
var Tenant = tenant.ID{0xf1, 0xa3, 15: 1} //nolint:gochecknoglobals // a constant of array type

// New makes a house with a running agent "card" (token "card-token", hears and
// speaks), a mute one "mute" and a stopped one "stopped".
func New() *House {
	h := &House{
		rooms: map[string]*room{}, keys: map[string]string{}, Words: "hello there",
		Answer: func(text string) string { return "You said: " + text },
	}
	h.Add(auth.Agent{ID: "card", Tenant: Tenant, Name: "Debit card", Alias: "bank", SIP: "sip:bank@127.0.0.1:5060", Running: true},
		"card-token", api.Capabilities{HasSTT: true, HasTTS: true})
	h.Add(auth.Agent{ID: "mute", Tenant: Tenant, Name: "Mute", Running: true}, "mute-token", api.Capabilities{})
	h.Add(auth.Agent{ID: "stopped", Tenant: Tenant, Name: "Stopped"}, "stopped-token", api.Capabilities{})
	return h
}

// Add puts an agent into the house.
func (h *House) Add(a auth.Agent, token string, caps api.Capabilities) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.agents = append(h.agents, &agent{a, token, caps})
}

// Switch turns an agent on or off.
func (h *House) Switch(id string, running bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.agents {
		if a.ID == id {
			a.Running = running
		}
	}
}

// Authorize implements auth.Agents.
func (h *House) Authorize(_ context.Context, id, token string) (auth.Agent, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.agents {
		switch {
		case a.ID != id:
		case subtle.ConstantTimeCompare([]byte(a.token), []byte(token)) != 1:
			return auth.Agent{}, fmt.Errorf("agent %q: wrong token: %w", id, fault.Denied)
		case !a.Running:
			return auth.Agent{}, fmt.Errorf("agent %q: stopped: %w", id, fault.Unavailable)
		default:
			return a.Agent, nil
		}
	}
	return auth.Agent{}, fmt.Errorf("agent %q: %w", id, fault.NotFound)
}

// List implements auth.Agents.
func (h *House) List(context.Context) []auth.Agent {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []auth.Agent
	for _, a := range h.agents {
		all = append(all, a.Agent)
	}
	return all
}

// Create implements api.Sessions.
func (h *House) Create(_ context.Context, a auth.Agent, n api.NewSession) (api.Session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id := h.keys[n.IdempotencyKey]; n.IdempotencyKey != "" && id != "" {
		return h.rooms[id].session, nil
	}
	if n.UserID == "one too many" {
		return api.Session{}, fmt.Errorf("create session: limit of open sessions: %w", fault.Exhausted)
	}
	h.next++
	now := time.Date(2025, 6, 26, 10, 0, 0, 250e6, time.UTC)
	s := api.Session{
		ID: fmt.Sprintf("s%d", h.next), ConversationID: fmt.Sprintf("c%d", h.next), Mode: "REGULAR", ExtType: n.Type,
		UserID: n.UserID, Name: n.Name, Email: n.Email, Phone: n.Phone, Language: n.Language,
		Timeout: 72 * time.Hour, Greeting: "Hello, this is " + a.Name + ".", LLMBackend: "builtin",
		Created: now, Closes: now.Add(72 * time.Hour), Kwargs: n.Kwargs,
	}
	h.rooms[s.ID] = &room{
		agent: a.ID, session: s, replies: map[string]api.Reply{}, subs: map[chan ws.Frame]struct{}{}, gone: make(chan struct{}),
	}
	h.rooms[s.ID].say(ws.Frame{Type: ws.TypeMessage, Role: "AI", Text: s.Greeting})
	if n.IdempotencyKey != "" {
		h.keys[n.IdempotencyKey] = s.ID
	}
	return s, nil
}

// room finds an open session. The caller holds mu.
func (h *House) room(a auth.Agent, id string) (*room, error) {
	r := h.rooms[id]
	if r == nil || r.agent != a.ID || r.status != "" {
		return nil, fmt.Errorf("session %q: %w", id, fault.NotFound)
	}
	return r, nil
}

// Get implements api.Sessions.
func (h *House) Get(_ context.Context, a auth.Agent, id string) (api.Session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.room(a, id)
	if err != nil {
		return api.Session{}, err
	}
	return r.session, nil
}

// Update implements api.Sessions.
func (h *House) Update(_ context.Context, a auth.Agent, id string, u api.Update) (api.Session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.room(a, id)
	if err != nil {
		return api.Session{}, err
	}
	for from, to := range map[*string]*string{
		u.Name: &r.session.Name, u.Email: &r.session.Email, u.Phone: &r.session.Phone, u.Language: &r.session.Language,
	} {
		if from != nil {
			*to = *from
		}
	}
	merged := map[string]json.RawMessage{}
	for _, m := range []map[string]json.RawMessage{r.session.Kwargs, u.Kwargs} {
		maps.Copy(merged, m)
	}
	r.session.Kwargs = merged
	return r.session, nil
}

// End implements api.Sessions.
func (h *House) End(_ context.Context, a auth.Agent, id string, status event.Status) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.room(a, id)
	if err != nil {
		return err
	}
	r.status = status
	r.say(ws.Frame{Type: ws.TypeClose, Text: string(status)})
	close(r.gone)
	return nil
}

// Status is how a session ended, "" while it is open.
func (h *House) Status(id string) event.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rooms[id].status
}

// Run implements api.Sessions. A panic is asked for by the text "panic".
func (h *House) Run(ctx context.Context, a auth.Agent, id string, m api.Message) (api.Reply, error) {
	if m.Text == "panic" {
		panic("asked for")
	}
	h.mu.Lock()
	r, err := h.room(a, id)
	switch {
	case err != nil:
	case r.replies[m.ClientID].MessageID != "" && m.ClientID != "":
		defer h.mu.Unlock()
		return r.replies[m.ClientID], nil
	case r.busy:
		err = fmt.Errorf("session %q: another message is being answered: %w", id, fault.Conflict)
	case len(m.Text) > 8000:
		err = fmt.Errorf("message: over 8000 characters: %w", fault.Invalid)
	}
	if err != nil {
		h.mu.Unlock()
		return api.Reply{}, err
	}
	r.busy = true
	hold := h.Hold
	h.mu.Unlock()
	if hold != nil {
		hold(ctx, id)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r.busy = false
	if ctx.Err() != nil {
		return api.Reply{}, fmt.Errorf("reply: %w: %w", fault.Unavailable, ctx.Err())
	}
	return r.answer(h.Answer(m.Text), m), nil
}

// answer streams a reply and remembers its end. The caller holds mu.
func (r *room) answer(text string, m api.Message) api.Reply {
	r.say(ws.Frame{Type: ws.TypeMessage, Role: "HUMAN", ClientID: m.ClientID, Text: m.Text})
	id := fmt.Sprintf("m%d", r.seq+1)
	for _, w := range strings.SplitAfter(text, " ") {
		r.send(ws.Frame{Seq: r.seq, Type: ws.TypeChunk, Role: "AI", MessageID: id, Text: w})
	}
	if n := len(m.Attachments); n > 0 {
		text += fmt.Sprintf(" (%d files, %s)", n, m.Attachments[0].Type)
	}
	r.say(ws.Frame{Type: ws.TypeMessage, Role: "AI", MessageID: id, Text: text, Metadata: &ws.Metadata{Mode: "REGULAR"}})
	reply := api.Reply{Response: text, Mode: "REGULAR", MessageID: id}
	if strings.Contains(m.Text, "options") {
		reply.Options = []string{"Yes", "No"}
	}
	r.replies[m.ClientID] = reply
	return reply
}

// say numbers a frame, remembers it and sends it. The caller holds the house.
func (r *room) say(f ws.Frame) {
	r.seq++
	f.Seq = r.seq
	r.frames = append(r.frames, f)
	r.send(f)
}

// send gives a frame to all who follow; one that does not keep up misses it.
func (r *room) send(f ws.Frame) {
	for c := range r.subs {
		select {
		case c <- f:
		default:
		}
	}
}

// Flood sends n chunks of a kilobyte to all who follow a session, as fast as
// they are taken.
func (h *House) Flood(id string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[id]
	for range n {
		r.send(ws.Frame{Seq: r.seq, Type: ws.TypeChunk, Role: "AI", Text: strings.Repeat("x", 1024)})
	}
}

// Attach implements ws.Sockets.
func (h *House) Attach(ctx context.Context, a auth.Agent, id string, after uint64) (iter.Seq2[ws.Frame, error], error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.room(a, id)
	if err != nil {
		return nil, err
	}
	live := make(chan ws.Frame, 4096)
	r.subs[live] = struct{}{}
	for _, f := range r.frames {
		if f.Seq > after {
			live <- f
		}
	}
	leave := func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(r.subs, live)
	}
	return func(yield func(ws.Frame, error) bool) {
		defer leave()
		for {
			f, ok, err := next(ctx, live, r.gone)
			if err != nil {
				yield(ws.Frame{}, err)
			}
			if !ok || !yield(f, nil) {
				return
			}
		}
	}, nil
}

// next waits for a frame; those that are there come before the end.
func next(ctx context.Context, live <-chan ws.Frame, gone <-chan struct{}) (f ws.Frame, ok bool, err error) {
	select {
	case f = <-live:
		return f, true, nil
	default:
	}
	select {
	case f = <-live:
		return f, true, nil
	case <-gone:
	case <-ctx.Done():
		return f, false, ctx.Err()
	}
	select { // what was said with the last breath
	case f = <-live:
		return f, true, nil
	default:
		return f, false, nil
	}
}

// Following is the number of sockets that follow a session.
func (h *House) Following(id string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.rooms[id].subs)
}

// Send implements ws.Sockets: it answers at once.
func (h *House) Send(_ context.Context, a auth.Agent, id string, in ws.In) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.room(a, id)
	switch {
	case err != nil:
		return err
	case in.Type != ws.InMessage:
		return nil
	case r.busy:
		return fmt.Errorf("session %q: another message is being answered: %w", id, fault.Conflict)
	}
	if _, again := r.replies[in.ClientID]; again && in.ClientID != "" {
		return nil
	}
	r.answer(h.Answer(in.Text), api.Message{Text: in.Text, ClientID: in.ClientID})
	return nil
}

// Capabilities implements api.Speech.
func (h *House) Capabilities(_ context.Context, a auth.Agent) (api.Capabilities, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.agents {
		if k.ID == a.ID {
			return k.caps, nil
		}
	}
	return api.Capabilities{}, fault.NotFound
}

// Transcribe implements api.Speech: a file without samples cannot be heard.
func (h *House) Transcribe(_ context.Context, _ auth.Agent, audio []byte) (string, error) {
	if len(audio) <= 44 {
		return "", fmt.Errorf("wav: no samples: %w", fault.Invalid)
	}
	return h.Words, nil
}

// Synthesize implements api.Speech: the text stands where samples would.
func (h *House) Synthesize(_ context.Context, _ auth.Agent, u api.Utterance) ([]byte, error) {
	if u.Voice == "nobody" {
		return nil, fmt.Errorf("voice %q: unknown: %w", u.Voice, fault.Invalid)
	}
	return append([]byte("RIFF\x00\x00\x00\x00WAVE"), u.Session+"|"+u.Voice+"|"+u.Text...), nil
}
