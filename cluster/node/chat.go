package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sort"
	"sync"
	"time"
	"unicode/utf8"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/session"
	"flametree/gateway/api"
	"flametree/gateway/auth"
	"flametree/gateway/ws"
)

// chat joins the front door to the actors: it turns requests into messages and
// views into answers, and decides nothing.
type chat struct{ n *Node }

var (
	_ api.Sessions = chat{}
	_ ws.Sockets   = chat{}
)

func sessionID(a auth.Agent, id string) actors.ID {
	return actors.ID{Kind: event.SessionStream, Tenant: a.Tenant, Name: id}
}

// mine refuses sessions of other agents as if they did not exist.
func (c chat) mine(ctx context.Context, a auth.Agent, id string) (*actors.View, error) {
	if _, known := c.n.model.Session(id); !known {
		// The read model may be a moment behind a session that was just made; a
		// stranger's guess is not worth waking an actor for.
		if err := c.n.caughtUp(ctx); err != nil {
			return nil, err
		}
	}
	if s, known := c.n.model.Session(id); !known || s.Tenant != a.Tenant || s.Agent != a.ID {
		return nil, fmt.Errorf("session %q: %w", id, fault.NotFound)
	}
	v, err := ask[*actors.View](ctx, c.n.dir, sessionID(a, id), &actors.Look{})
	if err == nil && v.State.Ended {
		err = fmt.Errorf("session is closed (%s): %w", v.State.Status, fault.NotFound)
	}
	return v, err
}

func ask[A any](ctx context.Context, dir actors.Directory, to actors.ID, m any) (A, error) {
	var none A
	got, err := dir.Ask(ctx, to, m)
	if err != nil {
		return none, err
	}
	a, ok := got.(A)
	if !ok {
		return none, fmt.Errorf("%s answered %T: %w", to.Kind, got, fault.Bug)
	}
	return a, nil
}

// Create implements api.Sessions.
func (c chat) Create(ctx context.Context, a auth.Agent, n api.NewSession) (api.Session, error) {
	id := c.n.newID(time.Now()).String()
	if n.IdempotencyKey != "" {
		// The key is the id: the same key finds the session that it made.
		sum := sha256.Sum256([]byte(a.ID + "\x00" + n.IdempotencyKey))
		id = event.ID(sum[:16]).String()
	}
	born, err := c.born(ctx, a, n, id)
	if err != nil {
		return api.Session{}, err
	}
	agentID := actors.ID{Kind: event.AgentStream, Tenant: a.Tenant, Name: a.ID}
	place, err := ask[*actors.Admitted](ctx, c.n.dir, agentID, &actors.Admit{Session: id})
	if err != nil {
		c.n.blocked(ctx, sessionID(a, id), born, err)
		return api.Session{}, err
	}
	born.Revision = place.Revision
	v, err := ask[*actors.View](ctx, c.n.dir, sessionID(a, id), &actors.Begin{Born: born})
	if err != nil {
		_ = c.n.dir.Send(agentID, &actors.Release{Session: id})
		return api.Session{}, err
	}
	return c.show(a, v)
}

// blocked records a conversation that an agent's daily limit keeps from beginning.
func (n *Node) blocked(ctx context.Context, id actors.ID, born event.SessionCreated, why error) {
	var full *actors.Full
	if !errors.As(why, &full) || !full.Daily {
		return
	}
	born.Call = "" // it was never answered
	if _, err := n.dir.Ask(ctx, id, &actors.Block{Born: born, Status: event.DailyLimitExceeded}); err != nil {
		n.log.Error("blocked session not recorded", "err", err)
	}
}

func (c chat) born(ctx context.Context, a auth.Agent, n api.NewSession, id string) (event.SessionCreated, error) {
	cast, err := c.n.casting.Cast(ctx, a.Tenant, a.ID, 0)
	if err != nil {
		return event.SessionCreated{}, err
	}
	set := cast.Revision.Settings
	born := event.SessionCreated{
		Agent: a.ID, Revision: cast.Revision.Number, Conversation: id, Channel: cmp.Or(n.Type, "web"), UserID: event.P(n.UserID), Name: event.P(n.Name),
		Email: event.P(n.Email), Phone: event.P(n.Phone), Language: cmp.Or(n.Language, set.Language),
		Kwargs: pairs(n.Kwargs), UserInfo: pairs(n.UserInfo), Greeting: cast.Revision.Greeting(), Buttons: cast.Revision.Buttons(),
		Timeout: min(set.SessionTimeout, c.n.cfg.SessionTimeout), MaxDuration: set.SessionMax, IdempotencyKey: n.IdempotencyKey,
	}
	for _, x := range n.Args {
		born.Args = append(born.Args, event.P(string(x)))
	}
	return born, nil
}

// pairs orders a map, as events want it.
func pairs(m map[string]json.RawMessage) []event.PrivatePair {
	out := make([]event.PrivatePair, 0, len(m))
	for k, v := range m {
		out = append(out, event.PrivatePair{Key: k, Value: event.P(string(v))})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

func unpair(in []event.PrivatePair) map[string]json.RawMessage {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]json.RawMessage, len(in))
	for _, p := range in {
		if p.Value.Erased || p.Value.Text == "" {
			continue
		}
		out[p.Key] = json.RawMessage(p.Value.Text)
	}
	return out
}

func (c chat) show(a auth.Agent, v *actors.View) (api.Session, error) {
	cast, err := c.n.casting.Cast(context.Background(), a.Tenant, a.ID, v.Born.Revision)
	if err != nil {
		return api.Session{}, err
	}
	set, born := cast.Revision.Settings, v.Born
	out := api.Session{
		ID: v.ID, ConversationID: born.Conversation, Mode: v.State.Mode, ExtType: born.Channel,
		UserID: born.UserID.Text, Name: born.Name.Text, Email: born.Email.Text, Phone: born.Phone.Text,
		Timeout: born.Timeout, Greeting: a.Name, StartPhrase: born.Greeting, Language: born.Language,
		LLMBackend:   cmp.Or(cast.Revision.Spec.LLM.Provider, "builtin"),
		ShowThoughts: set.ShowThoughts, Created: v.State.Started, Kwargs: unpair(born.Kwargs), Voice: set.TTSVoice,
		Results: results(cast.Revision, v.State.Results),
	}
	if at, _ := v.State.Expires(); !at.IsZero() {
		out.Closes = at
	}
	return out, nil
}

// results shows canonical values as JSON of their type.
func results(rev *agent.Revision, in []session.Result) map[string]json.RawMessage {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]json.RawMessage, len(in))
	for _, r := range in {
		for _, f := range rev.Spec.Results {
			if f.Name == r.Field {
				out[r.Field] = typed(f.Type, r.Value)
			}
		}
	}
	return out
}

// typed writes a canonical value as JSON of its type.
func typed(t agent.FieldType, value string) json.RawMessage {
	switch t {
	case agent.Int, agent.Bool, agent.StrList:
		if json.Valid([]byte(value)) {
			return json.RawMessage(value)
		}
	case agent.Str, agent.Date, agent.Datetime, agent.Literal:
	}
	b, _ := json.Marshal(value) //nolint:errchkjson // a string always encodes
	return b
}

// Get implements api.Sessions.
func (c chat) Get(ctx context.Context, a auth.Agent, id string) (api.Session, error) {
	v, err := c.mine(ctx, a, id)
	if err != nil {
		return api.Session{}, err
	}
	return c.show(a, v)
}

// Update implements api.Sessions.
func (c chat) Update(ctx context.Context, a auth.Agent, id string, u api.Update) (api.Session, error) {
	if _, err := c.mine(ctx, a, id); err != nil {
		return api.Session{}, err
	}
	private := func(s *string) *event.Private {
		if s == nil {
			return nil
		}
		p := event.P(*s)
		return &p
	}
	v, err := ask[*actors.View](ctx, c.n.dir, sessionID(a, id), &actors.Amend{Change: event.SessionUpdated{
		Name: private(u.Name), Email: private(u.Email), Phone: private(u.Phone), Language: u.Language, Kwargs: pairs(u.Kwargs),
	}})
	if err != nil {
		return api.Session{}, err
	}
	return c.show(a, v)
}

// End implements api.Sessions.
func (c chat) End(ctx context.Context, a auth.Agent, id string, status event.Status) error {
	if _, err := c.mine(ctx, a, id); err != nil {
		return err
	}
	_, err := ask[*actors.View](ctx, c.n.dir, sessionID(a, id), &actors.End{Status: status})
	return err
}

// Run implements api.Sessions.
func (c chat) Run(ctx context.Context, a auth.Agent, id string, m api.Message) (api.Reply, error) {
	if err := c.fits(ctx, a, id, m.Text); err != nil {
		return api.Reply{}, err
	}
	if len(m.Attachments) > 0 {
		return api.Reply{}, fmt.Errorf("this agent takes no attachments yet: %w", fault.Invalid)
	}
	got, err := ask[*actors.Answered](ctx, c.n.dir, sessionID(a, id), &actors.Write{ClientID: m.ClientID, Text: m.Text})
	if err != nil {
		return api.Reply{}, err
	}
	return api.Reply{Response: got.Text, Mode: got.Mode, MessageID: got.Message, Options: got.Options}, nil
}

// fits checks the session's owner and the length of a message.
func (c chat) fits(ctx context.Context, a auth.Agent, id, text string) error {
	v, err := c.mine(ctx, a, id)
	if err != nil {
		return err
	}
	cast, err := c.n.casting.Cast(ctx, a.Tenant, a.ID, v.Born.Revision)
	if err != nil {
		return err
	}
	if n, most := utf8.RuneCountInString(text), cast.Revision.Settings.MaxMessage; n > most {
		return fmt.Errorf("message has %d characters, %d are allowed: %w", n, most, fault.Invalid)
	}
	return nil
}

// Send implements ws.Sockets.
func (c chat) Send(ctx context.Context, a auth.Agent, id string, in ws.In) error {
	switch in.Type {
	case ws.InMessage:
		if err := c.fits(ctx, a, id, in.Text); err != nil {
			return err
		}
		_, err := ask[*actors.Answered](ctx, c.n.dir, sessionID(a, id), &actors.Write{ClientID: in.ClientID, Text: in.Text, Early: true})
		return err
	case ws.InStop:
		return c.n.dir.Send(sessionID(a, id), &actors.StopReply{})
	}
	return nil // typing concerns nobody yet
}

// watchQueue is how many frames a socket may be behind; one that is further
// behind misses chunks first and then is cut off.
const watchQueue = 256

// Attach implements ws.Sockets.
func (c chat) Attach(ctx context.Context, a auth.Agent, id string, after uint64) (iter.Seq2[ws.Frame, error], error) {
	v, err := c.mine(ctx, a, id)
	if err != nil {
		return nil, err
	}
	if after == ws.FromNow {
		after = v.Latest
	}
	q := &frameQueue{ch: make(chan actors.Frame, watchQueue)}
	to := sessionID(a, id)
	w, err := ask[*actors.Watching](ctx, c.n.dir, to, &actors.Watch{After: after, Sink: q.put})
	if err != nil {
		return nil, err
	}
	return func(yield func(ws.Frame, error) bool) {
		defer func() { q.stop(); _ = c.n.dir.Send(to, &actors.Unwatch{ID: w.ID}) }()
		last := after
		for {
			select {
			case <-ctx.Done():
				return
			case f, open := <-q.ch:
				if !open {
					yield(ws.Frame{}, fmt.Errorf("socket fell behind: %w", fault.Exhausted))
					return
				}
				last = max(last, f.Seq)
				if !yield(socketFrame(f, last), nil) || f.Type == ws.TypeClose {
					return
				}
			}
		}
	}, nil
}

// frameQueue lies between the session actor, which never waits, and a socket.
type frameQueue struct {
	mu     sync.Mutex
	closed bool
	ch     chan actors.Frame
}

func (q *frameQueue) put(f actors.Frame) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	select {
	case q.ch <- f:
		return true
	default:
	}
	if f.Type == ws.TypeChunk {
		return true // a preview less
	}
	q.closed = true
	close(q.ch)
	return false
}

func (q *frameQueue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func socketFrame(f actors.Frame, seq uint64) ws.Frame {
	return ws.Frame{
		Seq: seq, Type: f.Type, Role: f.Role, MessageID: f.Message, ClientID: f.Client, Text: f.Text, Options: f.Options,
		Metadata: &ws.Metadata{Mode: f.Mode}, Code: f.Code,
	}
}
