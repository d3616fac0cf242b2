package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strings"
	"sync"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge/index"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/knowledge/library"
	"flametree/engine/provider/hashed"
	"flametree/engine/tenant"
	"flametree/persist/blob"
	"flametree/persist/journal"
	"flametree/persist/readmodel"
)

// librarian keeps what agents find: a shelf for each source that was indexed,
// and for each agent an index of its own entries and of the sources it is
// connected to, with the vectors of the embedder that its file names. Both
// change in running conversations without a restart.
type librarian struct {
	model   *readmodel.Model
	blobs   *blob.Store
	embed   *hashed.Embedder
	vectors *embedders
	lexicon func() *lexis.Lexicon
	reader  reader
	again   func(s readmodel.Source)          // has a source indexed anew
	forget  func(t tenant.ID, agentID string) // what is always in an agent's prompt has changed
	log     *slog.Logger

	busy     chan struct{} // holds a place for each run of indexing that may go on
	adopting sync.Mutex    // one agent's file at a time

	mu      sync.Mutex
	shelves map[string]*index.Shelf // by blob
	living  map[livingKey]*living
	newest  map[agentKey]*living // by agent: of the newest revision that plays a part
	prompts map[agentKey]string  // what its sources put into its prompt
	goods   map[string]*goods    // by blob
	damaged map[string]bool      // blobs of shelves that could not be read

	moved *sync.Cond // of at
	at    journal.Position
}

// runs is how many sources are read and indexed at a time.
const runs = 2

func newLibrarian(n *Node, lexicon func() *lexis.Lexicon) (*librarian, error) {
	e, err := hashed.New(0)
	if err != nil {
		return nil, err
	}
	l := &librarian{
		model: n.model, blobs: n.blobs, embed: e, lexicon: lexicon, log: n.log, busy: make(chan struct{}, runs),
		shelves: make(map[string]*index.Shelf), living: make(map[livingKey]*living), newest: make(map[agentKey]*living), goods: make(map[string]*goods),
		damaged: make(map[string]bool), prompts: make(map[agentKey]string), vectors: newEmbedders(n),
	}
	l.moved = sync.NewCond(&l.mu)
	return l, nil
}

// follow swaps indexes as sources change, until the events end.
func (l *librarian) follow(ctx context.Context, j journal.Journal, from journal.Position) {
	for e, err := range j.Subscribe(ctx, from) {
		if err != nil {
			if ctx.Err() == nil {
				l.log.Error("the library follows no more", "err", err)
			}
			return
		}
		if e.Stream.Kind == event.SourceStream {
			if l.model.Wait(ctx, e.Position) != nil {
				return
			}
			for _, a := range l.touched(e) {
				l.refresh(ctx, e.Stream.Tenant, a)
				l.forget(e.Stream.Tenant, a)
			}
			l.prune()
		}
		l.mu.Lock()
		l.at = e.Position
		l.mu.Unlock()
		l.moved.Broadcast()
	}
}

// touched are the agents whose answers an event may change.
func (l *librarian) touched(e event.Envelope) []string {
	switch b := e.Body.(type) {
	case event.SourceIndexed:
		s, _ := l.model.Source(e.Stream.ID)
		return s.Agents
	case event.SourceConnected:
		return []string{b.Agent}
	case event.SourceDisconnected:
		return []string{b.Agent}
	default:
		return nil
	}
}

// settled returns when what agents find is what the journal said at that
// position, or ctx ends.
func (l *librarian) settled(ctx context.Context, at journal.Position) error {
	defer context.AfterFunc(ctx, func() { l.moved.Broadcast() })()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.at < at {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		l.moved.Wait()
	}
	return nil
}

// shelf reads a shelf, from memory where it is there.
func (l *librarian) shelf(name string) (*index.Shelf, error) {
	l.mu.Lock()
	s := l.shelves[name]
	l.mu.Unlock()
	if s != nil {
		return s, nil
	}
	raw, err := l.bytes(name)
	if err != nil {
		return nil, err
	}
	if s, err = index.Decode(raw); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.shelves[name] = s
	l.mu.Unlock()
	return s, nil
}

func (l *librarian) bytes(name string) ([]byte, error) {
	r, err := l.blobs.Get(name)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		err = fmt.Errorf("blob %s: %w: %w", name, fault.Unavailable, err)
	}
	_ = r.Close() // it was only read
	return raw, err
}

// lost has a source indexed anew whose shelf cannot be read, once.
func (l *librarian) lost(s readmodel.Source, err error) {
	l.mu.Lock()
	before := l.damaged[s.Indexed.Blob]
	l.damaged[s.Indexed.Blob] = true
	l.mu.Unlock()
	if before || s.Running {
		return
	}
	l.log.Warn("an indexed source cannot be read and is indexed anew", "err", err, "source", s.ID)
	if l.again != nil {
		l.again(s)
	}
}

// prune forgets the shelves that no agent finds any more.
func (l *librarian) prune() {
	used := make(map[string]bool)
	for _, s := range l.model.Sources(func(s readmodel.Source) bool { return s.Indexed != nil && len(s.Agents) > 0 }) {
		used[s.Indexed.Blob] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.shelves, func(name string, _ *index.Shelf) bool { return !used[name] })
}

// standing are the questions of connected sources that are always in an
// agent's prompt, as text; "" for none.
func (l *librarian) standing(t tenant.ID, agentID string) string {
	var parts []string
	for _, s := range l.model.Sources(func(s readmodel.Source) bool {
		return s.Tenant == t && s.Born.Mode == library.Prompt && s.Found(agentID) != ""
	}) {
		shelf, err := l.shelf(s.Indexed.Blob)
		if err != nil {
			l.lost(s, err)
			continue
		}
		for _, q := range shelf.Sources() {
			parts = append(parts, q.Question+"\n"+q.Text)
		}
	}
	return strings.Join(parts, "\n\n")
}

// prompted is a revision with what connected sources put into every prompt.
func (l *librarian) prompted(rev *agent.Revision, of castKey) *agent.Revision {
	if of.agent == "" {
		return rev
	}
	text := l.standing(of.tenant, of.agent)
	l.mu.Lock()
	l.prompts[agentKey{of.tenant, of.agent}] = text
	l.mu.Unlock()
	if text == "" {
		return rev
	}
	spec, with := *rev.Spec, *rev
	spec.Core = strings.TrimSpace(spec.Core + "\n\n" + text)
	with.Spec = &spec
	return &with
}

// startLibrary begins to follow sources, and wakes those whose run the end of
// the last process broke off.
func (n *Node) startLibrary() {
	l := n.library
	l.reader = reader{out: n.egress.Client(), self: []string{"/proc/self/exe"}, ears: n.ears()}
	l.again, l.forget = n.again, n.casting.forgetPrompts
	at := n.journal.Position()
	l.at = at
	n.done.Go(func() { l.follow(n.life, n.journal, at+1) })
	n.done.Go(func() { n.awake(n.life) })
	for _, s := range n.model.Sources(func(s readmodel.Source) bool { return s.Running }) {
		_ = n.dir.Send(actors.ID{Kind: event.SourceStream, Tenant: s.Tenant, Name: s.ID}, &actors.Recover{})
	}
}

// forgetPrompts has the casts of an agent made anew for new sessions when its
// sources put something else into the prompt. Running sessions keep theirs.
func (c *casting) forgetPrompts(t tenant.ID, agentID string) {
	k := agentKey{t, agentID}
	text := c.library.standing(t, agentID)
	c.library.mu.Lock()
	was := c.library.prompts[k]
	c.library.prompts[k] = text
	c.library.mu.Unlock()
	if was == text {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.casts, func(k castKey, _ *castEntry) bool { return k.tenant == t && k.agent == agentID })
}
