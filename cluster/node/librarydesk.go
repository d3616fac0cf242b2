package node

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/knowledge/index"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/ingest/video"
	"flametree/engine/knowledge/library"
	"flametree/engine/tenant"
	"flametree/engine/workflow/located"
	"flametree/persist/readmodel"
)

// SourceCard is a source of knowledge as people are shown it.
type SourceCard struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Title    string          `json:"title"`
	Origin   string          `json:"origin,omitempty"`
	Mode     string          `json:"mode,omitempty"`  // faq: vector or prompt
	Owner    string          `json:"owner,omitempty"` // name of the agent whose file names it
	Status   library.Status  `json:"status"`
	Progress actors.Progress `json:"progress"` // while it is being indexed
	Bytes    uint64          `json:"bytes"`
	Entries  uint32          `json:"entries"` // pages, questions or documents
	Chunks   uint32          `json:"chunks"`
	Agents   []string        `json:"agents"` // names of those that search it
	Failure  string          `json:"failure,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
	Fresh    time.Time       `json:"fresh"` // when agents began to find what they find now
	Run      uint64          `json:"run"`
	Vectors  []VectorCard    `json:"vectors,omitempty"` // those that agents' embedders have yet to make
}

// NewSource is a source to be added.
type NewSource struct {
	Type   string // "" = told by the address or the file's name
	Title  string // "" = the file's name or the address
	Origin string // address of a website or video
	Name   string // of the file
	Mode   string // of a FAQ
	Agent  string // that is to search it, "" = none yet
	Depth  int    // of a website; 0 = the crawler's own
	Pages  int
}

// SourceAdd makes a source of the tenant's library and begins to index it.
// content is what is to be read, unless it is fetched from an address.
func (n *Node) SourceAdd(ctx context.Context, s NewSource, content io.Reader) (SourceCard, error) {
	t, err := n.tenant(ctx)
	if err != nil {
		return SourceCard{}, err
	}
	var to []actors.Connection
	if s.Agent != "" {
		a, state, err := n.agentState(ctx, s.Agent)
		if err != nil {
			return SourceCard{}, err
		}
		t, to = a.Tenant, append(to, actors.Connection{Agent: a.ID, Revision: state.Latest()})
	}
	s.complete()
	saved, err := n.contentOf(ctx, s, content)
	if err != nil {
		return SourceCard{}, err
	}
	n.library.adopting.Lock() // two at a time must not take one title
	defer n.library.adopting.Unlock()
	if err := n.caughtUp(ctx); err != nil {
		return SourceCard{}, err
	}
	if was, err := n.ofLibrary(t, s.Title); err == nil {
		return SourceCard{}, fmt.Errorf("the library has a source %q already (%s): give another --title or remove that one: %w", s.Title, was.ID, fault.Conflict)
	}
	to = append(to, n.waiting(ctx, t, s.Title, to)...)
	saved.Title, saved.Origin = s.Title, s.Origin
	v, err := n.toSource(ctx, t, n.sourceID(), &actors.CreateSource{
		Born: event.SourceCreated{Type: s.Type, Title: s.Title, Origin: s.Origin, Mode: s.Mode}, Saved: &saved, Connect: to, Index: true,
	})
	if err != nil {
		return SourceCard{}, err
	}
	return n.sourceCard(v), n.caughtUp(ctx)
}

func (n *Node) sourceID() string { return n.newID(time.Now()).String() }

// complete fills in what was left to us.
func (s *NewSource) complete() {
	if s.Type == "" {
		s.Type = library.File
		if s.Origin != "" {
			s.Type = library.Website
			if _, err := video.ParseAddress(s.Origin); err == nil {
				s.Type = library.YouTube
			}
		}
	}
	if s.Title == "" {
		s.Title = clipTitle(cmp.Or(filepath.Base(s.Name), s.Origin))
		if s.Name == "" {
			s.Title = clipTitle(s.Origin)
		}
	}
}

// waiting are the agents whose files name a source of the library that was not
// there until now.
func (n *Node) waiting(ctx context.Context, t tenant.ID, title string, besides []actors.Connection) []actors.Connection {
	var out []actors.Connection
	for _, a := range n.model.Agents() {
		state, err := n.casting.read(ctx, t, a.ID)
		if err != nil || a.Tenant != t || slices.ContainsFunc(besides, func(c actors.Connection) bool { return c.Agent == a.ID }) {
			continue
		}
		saved, _ := state.Revision(state.Live)
		if spec, _, err := agent.Parse([]byte(saved.File)); err == nil && slices.Contains(spec.Library, title) {
			out = append(out, actors.Connection{Agent: a.ID, Revision: state.Live})
		}
	}
	return out
}

// contentOf keeps what a source is made of.
func (n *Node) contentOf(ctx context.Context, s NewSource, content io.Reader) (event.SourceSaved, error) {
	switch s.Type {
	case library.YouTube:
		_, err := video.ParseAddress(s.Origin)
		return event.SourceSaved{}, err
	case library.Website:
		return n.library.saveSite(site{Depth: s.Depth, Pages: s.Pages})
	case library.Text:
		return n.library.saveText(content)
	case library.FAQ:
		raw, err := io.ReadAll(io.LimitReader(content, library.MaxFileBytes+1))
		if err != nil {
			return event.SourceSaved{}, err
		}
		list, err := n.library.questions(ctx, raw, s.Name)
		if err != nil {
			return event.SourceSaved{}, err
		}
		return n.library.saveFAQ(list)
	}
	name, size, err := n.library.keep(io.LimitReader(content, library.MaxFileBytes+1))
	switch {
	case err != nil:
		return event.SourceSaved{}, err
	case size > library.MaxFileBytes:
		return event.SourceSaved{}, fmt.Errorf("a file has at most %d MB: split it: %w", library.MaxFileBytes/1_000_000, fault.Invalid)
	case size == 0:
		return event.SourceSaved{}, fmt.Errorf("the file is empty: %w", fault.Invalid)
	}
	return event.SourceSaved{Blob: name, Bytes: size, Name: filepath.Base(s.Name)}, nil
}

func (l *librarian) saveText(content io.Reader) (event.SourceSaved, error) {
	raw, err := io.ReadAll(io.LimitReader(content, library.MaxTextBytes+1))
	if err != nil {
		return event.SourceSaved{}, err
	}
	n := utf8.RuneCount(raw)
	switch {
	case !utf8.Valid(raw) && len(raw) <= library.MaxTextBytes:
		return event.SourceSaved{}, fmt.Errorf("a text must be UTF-8: %w", fault.Invalid)
	case strings.TrimSpace(string(raw)) == "":
		return event.SourceSaved{}, fmt.Errorf("the text is empty: %w", fault.Invalid)
	case n > knowledge.MaxTextRunes:
		return event.SourceSaved{}, fmt.Errorf("a text has at most %d characters: add a longer one as a file: %w", knowledge.MaxTextRunes, fault.Invalid)
	}
	name, size, err := l.keep(bytes.NewReader(raw))
	return event.SourceSaved{Blob: name, Bytes: size}, err
}

func (l *librarian) saveFAQ(list []ingest.QA) (event.SourceSaved, error) {
	raw, err := json.Marshal(list)
	if err != nil {
		return event.SourceSaved{}, err
	}
	name, size, err := l.keep(bytes.NewReader(raw))
	return event.SourceSaved{Blob: name, Bytes: size}, err
}

// questions reads a list of questions with answers: YAML or JSON as written, of
// any other file those that stand in it.
func (l *librarian) questions(ctx context.Context, raw []byte, name string) ([]ingest.QA, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return listed(raw, filepath.Base(name))
	}
	doc, err := l.readWhole(ctx, raw, name)
	if err != nil {
		return nil, err
	}
	list := ingest.FAQs(doc)
	if len(list) == 0 {
		return nil, fmt.Errorf("no questions with answers were found in %s: write them as lines Q: and A:, as headings that ask, or as a table of two columns, or add the file without --faq: %w", filepath.Base(name), fault.Invalid)
	}
	return list, nil
}

// listed reads a YAML list of {question, answer}.
func listed(raw []byte, name string) ([]ingest.QA, error) {
	report := located.NewReport(name)
	root := located.Parse(raw, report)
	var list []ingest.QA
	report.Each("the list of questions", func(n located.Node) {
		var q ingest.QA
		report.Map(n, "a question with its answer",
			located.Key{Name: "question", Read: report.String("question", agent.MaxText, &q.Question)},
			located.Key{Name: "answer", Read: report.String("answer", agent.MaxText, &q.Answer)},
		)
		if n.Kind == located.Absent || n.Kind == located.Map && (q.Question == "" || q.Answer == "") {
			report.Fault(n, "each entry needs a question and an answer")
			return
		}
		list = append(list, q)
	})(root)
	if err := report.Err(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no questions: write a list of {question, answer}: %w", name, fault.Invalid)
	}
	return list, nil
}

// SourcesRead waits until no source is being indexed or embedded and agents find
// what came of it, or ctx ends. It is for those who ask an agent once and leave.
func (n *Node) SourcesRead(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := n.settled(ctx); err != nil {
			return err
		}
		if len(n.model.Sources(func(s readmodel.Source) bool { return s.Running })) == 0 && !n.library.vectors.busy() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("sources are still being indexed: %w", fault.Unavailable)
		case <-tick.C:
		}
	}
}

// findSource finds any source by id, title or origin.
func (n *Node) findSource(ctx context.Context, name string) (readmodel.Source, error) {
	if err := n.caughtUp(ctx); err != nil {
		return readmodel.Source{}, err
	}
	return oneSource(n.model.Sources(nil), name)
}

// SourceDo sends a source a message. When it returns, agents find what came of it.
func (n *Node) SourceDo(ctx context.Context, name string, msg any) (SourceCard, error) {
	s, err := n.findSource(ctx, name)
	if err != nil {
		return SourceCard{}, err
	}
	v, err := n.toSource(ctx, s.Tenant, s.ID, msg)
	if err != nil {
		return SourceCard{}, err
	}
	err = n.settled(ctx) // first: what its vectors are at is known only then
	return n.sourceCard(v), err
}

// settled waits until what is in the journal now is what agents find.
func (n *Node) settled(ctx context.Context) error {
	at := n.journal.Position()
	if err := n.model.Wait(ctx, at); err != nil {
		return err
	}
	return n.library.settled(ctx, at)
}

// SourceShow shows a source. One that is shown as Ready is found by agents.
func (n *Node) SourceShow(ctx context.Context, name string) (SourceCard, error) {
	return n.SourceDo(ctx, name, &actors.LookSource{})
}

// SourceConnect lets an agent search a source, or takes it away from it.
func (n *Node) SourceConnect(ctx context.Context, name, agentName string, off bool) (SourceCard, error) {
	a, s, err := n.agentState(ctx, agentName)
	if err != nil {
		return SourceCard{}, err
	}
	if off {
		return n.SourceDo(ctx, name, &actors.DisconnectSource{Agent: a.ID})
	}
	return n.SourceDo(ctx, name, &actors.ConnectSource{Agent: a.ID, Revision: s.Latest()})
}

// SourceList shows all sources, oldest first.
func (n *Node) SourceList(ctx context.Context) ([]SourceCard, error) {
	if err := n.caughtUp(ctx); err != nil {
		return nil, err
	}
	out := []SourceCard{}
	for _, s := range n.model.Sources(nil) {
		v := &actors.SourceView{ID: s.ID, State: s.State}
		if s.Running {
			if live, err := n.toSource(ctx, s.Tenant, s.ID, &actors.LookSource{}); err == nil {
				v = live
			}
		}
		out = append(out, n.sourceCard(v))
	}
	return out, nil
}

func (n *Node) sourceCard(v *actors.SourceView) SourceCard {
	s := &v.State
	c := SourceCard{
		ID: v.ID, Type: s.Born.Type, Title: s.Title, Origin: s.Origin, Mode: s.Born.Mode, Owner: n.agentName(s.Born.Owner),
		Status: s.Status(), Progress: v.Progress, Bytes: s.Content.Bytes, Failure: s.Failure, Fresh: s.Fresh, Agents: []string{}, Run: s.Run,
	}
	if x := s.Indexed; x != nil {
		c.Entries, c.Chunks, c.Warnings = x.Entries, x.Chunks, x.Warnings
	}
	for _, a := range s.Agents {
		c.Agents = append(c.Agents, n.agentName(a))
	}
	if m, ok := n.model.Source(v.ID); ok {
		c.withVectors(n.library.lacking(m.Tenant, s))
	}
	return c
}

func (n *Node) agentName(id string) string {
	if a, ok := n.model.Agent(id); ok {
		return a.Name
	}
	return id
}

// KnowledgeSearch finds passages as an agent finds them, or in the whole
// library when no agent is named.
func (n *Node) KnowledgeSearch(ctx context.Context, agentName, query string) ([]knowledge.Hit, error) {
	q := knowledge.Query{Text: query, K: knowledge.DefaultK, Min: knowledge.DefaultMin}
	if agentName != "" {
		a, state, err := n.agentState(ctx, agentName)
		if err != nil {
			return nil, err
		}
		rev := cmp.Or(state.Live, state.Latest())
		cast, err := n.casting.Cast(ctx, a.Tenant, a.ID, rev)
		if err != nil {
			return nil, err
		}
		q.K, q.Min = cast.Revision.Settings.TopK, cast.Revision.Settings.MinScore
		return cast.Knowledge.Find(q), n.settled(ctx)
	}
	var all []*index.Shelf
	for _, s := range n.model.Sources(func(s readmodel.Source) bool { return s.Indexed != nil }) {
		shelf, err := n.library.shelf(s.Indexed.Blob)
		if err != nil {
			return nil, err
		}
		all = append(all, shelf)
	}
	x := index.New(index.Options{Lexicon: n.library.lexicon(), Local: local{n.library.embed}})
	if err := x.Change(nil, all...); err != nil {
		return nil, err
	}
	return x.Find(q), nil
}
