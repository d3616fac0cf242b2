// Package readmodel folds the journal into what lists, limits and look-ups
// need: which agents there are, which sessions, which of them are open. It
// writes nothing and decides nothing; it can be dropped and folded again at
// any time. For now it lives in memory.
package readmodel

import (
	"context"
	"iter"
	"maps"
	"sort"
	"sync"
	"time"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/knowledge/library"
	"flametree/engine/session"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

// Agent is one configured agent.
type Agent struct {
	Tenant    tenant.ID
	ID        string
	Name      string
	Alias     string
	TokenHash []byte
	Published uint64
	Running   bool
	Reason    string // why it was stopped
	Created   time.Time
}

// Session is one conversation.
type Session struct {
	Tenant       tenant.ID
	ID           string
	Agent        string
	Conversation string
	Channel      string
	Call         string
	Started      time.Time
	Ended        time.Time
	Status       event.Status // "" while open
	Turns        int
	Pending      bool   // a reply is started and not closed
	CallEnded    bool   // its call, if it has one, is over
	Recording    string // blob, "" = none or deleted
	Recorded     Recorded
	Revision     uint64 // of the agent, to the end of the conversation
}

// Recorded is what is known of a session's recording.
type Recorded struct {
	Peaks          string // blob, "" = none
	At             time.Time
	Length, Paused time.Duration
	RateHz         uint32
	Bytes          uint64 // of the WAV file
	Cut            bool
}

// Open reports whether the conversation goes on.
func (s Session) Open() bool { return s.Status == "" }

// Model is the fold. It is safe for concurrent use; what it returns are copies.
type Model struct {
	mu       sync.RWMutex
	moved    *sync.Cond
	at       journal.Position
	failed   error
	tenants  map[tenant.ID]event.TenantCreated
	agents   map[string]*Agent
	sessions map[string]*Session
	byCall   map[string]string    // call id → session id
	running  map[string]tenant.ID // calls that were offered and have not ended
	order    []string
	serving  map[servingKey]int // open sessions

	catalogs  catalogs
	channels  map[string]*Channel
	sources   map[string]*Source
	questions map[tenant.ID]*library.Questions
	lexicon   *lexis.Lexicon // of questions; nil before the first
}

// New returns an empty Model.
func New() *Model {
	m := &Model{
		tenants: make(map[tenant.ID]event.TenantCreated), agents: make(map[string]*Agent),
		sessions: make(map[string]*Session), byCall: make(map[string]string), running: make(map[string]tenant.ID),
		sources: make(map[string]*Source), questions: make(map[tenant.ID]*library.Questions),
		serving:  make(map[servingKey]int),
		catalogs: catalogs{byID: make(map[string]*Catalog), invited: make(map[string]string)},
	}
	m.moved = sync.NewCond(m.mu.RLocker())
	return m
}

// Run folds events until the sequence ends, and reports why it did.
func (m *Model) Run(events iter.Seq2[event.Envelope, error]) error {
	for e, err := range events {
		m.mu.Lock()
		if err == nil {
			m.fold(e)
			m.at = e.Position
		}
		m.failed = err
		m.mu.Unlock()
		m.moved.Broadcast()
		if err != nil {
			return err
		}
	}
	return nil
}

// Wait returns when position at has been folded, or ctx ends.
func (m *Model) Wait(ctx context.Context, at journal.Position) error {
	stop := context.AfterFunc(ctx, func() { m.moved.Broadcast() })
	defer stop()
	m.mu.RLock()
	defer m.mu.RUnlock()
	for m.at < at {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if m.failed != nil {
			return m.failed
		}
		m.moved.Wait()
	}
	return nil
}

// Position is the last one folded.
func (m *Model) Position() journal.Position {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.at
}

func (m *Model) fold(e event.Envelope) {
	switch e.Stream.Kind {
	case event.TenantStream:
		if b, ok := e.Body.(event.TenantCreated); ok {
			m.tenants[e.Stream.Tenant] = b
		}
		m.foldQuestion(e)
	case event.AgentStream:
		m.foldAgent(e)
	case event.SessionStream:
		m.foldSession(e)
		m.foldQuestion(e)
	case event.SourceStream:
		m.foldSource(e)
	case event.CatalogStream:
		m.foldCatalog(e)
	case event.ConnectionStream:
		m.foldChannel(e)
	case event.CallStream:
		m.foldCall(e)
	}
}

func (m *Model) foldCall(e event.Envelope) {
	if b, ok := e.Body.(event.CallOffered); ok {
		m.byCall[e.Stream.ID] = b.Session
		m.running[e.Stream.ID] = e.Stream.Tenant
		return
	}
	if _, over := e.Body.(event.CallEnded); over {
		delete(m.running, e.Stream.ID)
	}
	s := m.sessions[m.byCall[e.Stream.ID]]
	if s == nil {
		return
	}
	switch b := e.Body.(type) {
	case event.CallEnded:
		s.CallEnded = true
	case event.RecordingClosed:
		s.Recording = b.Blob
		s.Recorded = Recorded{
			Peaks: b.Peaks, At: e.Time, Length: b.Length, Paused: b.Paused, RateHz: b.RateHz, Bytes: b.Bytes, Cut: b.Cut,
		}
	case event.RecordingDeleted:
		if s.Recording == b.Blob {
			s.Recording, s.Recorded = "", Recorded{}
		}
	default:
	}
}

func (m *Model) foldAgent(e event.Envelope) {
	a := m.agents[e.Stream.ID]
	if b, ok := e.Body.(event.AgentCreated); ok {
		m.agents[e.Stream.ID] = &Agent{
			Tenant: e.Stream.Tenant, ID: e.Stream.ID, Name: b.Name, Alias: b.Alias, TokenHash: b.TokenHash, Created: e.Time,
		}
		return
	}
	if a == nil {
		return
	}
	switch b := e.Body.(type) {
	case event.AgentSaved:
		if name := agent.Title(b.File.Text); name != "" {
			a.Name = name
		}
	case event.AgentPublished:
		a.Published = b.Revision
	case event.AgentStarted:
		a.Running, a.Reason = true, ""
	case event.AgentStopped:
		a.Running, a.Reason = false, b.Reason
	default:
	}
}

func (m *Model) foldSession(e event.Envelope) {
	s := m.sessions[e.Stream.ID]
	if b, ok := e.Body.(event.SessionCreated); ok {
		m.sessions[e.Stream.ID] = &Session{
			Tenant: e.Stream.Tenant, ID: e.Stream.ID, Agent: b.Agent, Conversation: b.Conversation,
			Channel: b.Channel, Call: b.Call, Started: e.Time, Revision: b.Revision,
		}
		m.serving[servingKey{e.Stream.Tenant, b.Agent, b.Revision}]++
		m.order = append(m.order, e.Stream.ID)
		if b.Call != "" {
			m.byCall[b.Call] = e.Stream.ID
		}
		return
	}
	if s == nil {
		return
	}
	switch b := e.Body.(type) {
	case event.MessageReceived, event.UtteranceHeard:
		s.Turns++
	case event.ReplyStarted:
		s.Pending = true
	case event.ReplySent:
		s.Pending = s.Pending && session.IsFiller(b.Message)
	case event.ReplySpoken, event.ReplyLost:
		s.Pending = false
	case event.SessionEnded:
		if s.Open() {
			m.served(servingKey{s.Tenant, s.Agent, s.Revision})
		}
		s.Status, s.Ended, s.Pending = b.Status, e.Time, false
	default:
	}
}

// servingKey is a revision of an agent.
type servingKey struct {
	tenant   tenant.ID
	agent    string
	revision uint64
}

func (m *Model) served(k servingKey) {
	if m.serving[k]--; m.serving[k] <= 0 {
		delete(m.serving, k)
	}
}

// Serving is how many open sessions run on a revision of an agent, also those
// that sleep.
func (m *Model) Serving(t tenant.ID, agent string, revision uint64) int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.serving[servingKey{t, agent, revision}]
}

// Agents lists all agents, oldest first.
func (m *Model) Agents() []Agent {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make([]Agent, 0, len(m.agents))
	for _, a := range m.agents {
		out = append(out, *a)
	}
	sort.Slice(out, func(i, j int) bool {
		if !out[i].Created.Equal(out[j].Created) {
			return out[i].Created.Before(out[j].Created)
		}
		return out[i].ID < out[j].ID
	})
	return out
}

// Agent finds an agent by its id.
func (m *Model) Agent(id string) (Agent, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	a, ok := m.agents[id]
	if !ok {
		return Agent{}, false
	}
	return *a, true
}

// Dialled finds the agent that a SIP user name means: its id or its alias.
func (m *Model) Dialled(user string) (Agent, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if a, ok := m.agents[user]; ok {
		return *a, true
	}
	for _, a := range m.agents {
		if a.Alias != "" && a.Alias == user {
			return *a, true
		}
	}
	return Agent{}, false
}

// Tenants lists the tenants there are.
func (m *Model) Tenants() []tenant.ID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make([]tenant.ID, 0, len(m.tenants))
	for id := range m.tenants {
		out = append(out, id)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].String() < out[j].String() })
	return out
}

// Session finds a session by its id.
func (m *Model) Session(id string) (Session, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s, ok := m.sessions[id]
	if !ok {
		return Session{}, false
	}
	return *s, true
}

// Sessions lists the newest sessions first, at most that many that keep accepts.
func (m *Model) Sessions(most int, keep func(Session) bool) []Session {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Session
	for i := len(m.order) - 1; i >= 0 && len(out) < most; i-- {
		if s := m.sessions[m.order[i]]; keep == nil || keep(*s) {
			out = append(out, *s)
		}
	}
	return out
}

// Open implements actors.Census: the open sessions of an agent.
func (m *Model) Open(t tenant.ID, agent string) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []string
	for _, s := range m.sessions {
		if s.Tenant == t && s.Agent == agent && s.Open() {
			out = append(out, s.ID)
		}
	}
	return out
}

// Begun implements actors.Census: how many sessions an agent began since a time.
func (m *Model) Begun(t tenant.ID, agent string, since time.Time) int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := 0
	for _, s := range m.sessions {
		if s.Tenant == t && s.Agent == agent && !s.Started.Before(since) && s.Status != event.DailyLimitExceeded {
			n++
		}
	}
	return n
}

// Running lists the calls that were offered and have not ended, with their tenants.
func (m *Model) Running() map[string]tenant.ID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return maps.Clone(m.running)
}

// OfCall finds the session that was born with a call.
func (m *Model) OfCall(call string) (Session, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s, ok := m.sessions[m.byCall[call]]
	if !ok {
		return Session{}, false
	}
	return *s, true
}
