package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/knowledge"
	"flametree/engine/knowledge/index"
	"flametree/engine/knowledge/library"
	"flametree/engine/provider/hashed"
	"flametree/engine/tenant"
	"flametree/persist/readmodel"
)

// local is the built-in embedder as an index asks it.
type local struct{ e *hashed.Embedder }

// EmbedOne implements index.Local.
func (l local) EmbedOne(text string) []float32 {
	got, err := l.e.Embed(context.Background(), []string{text})
	if err != nil || len(got) != 1 {
		return nil
	}
	return got[0]
}

// agentKey names an agent.
type agentKey struct {
	tenant tenant.ID
	agent  string
}

// livingKey names what an agent finds: revisions with the same own entries and
// the same embedder share it.
type livingKey struct {
	agentKey
	own [sha256.Size]byte
	by  *embedder // nil = the built-in one
}

// ownName names the vectors of an agent's own entries.
func (k livingKey) ownName() string { return "own-" + hex.EncodeToString(k.own[:16]) }

// living is what an agent finds, as it is at the moment. An agent of the
// built-in embedder without sources beside its file has the plain index and
// nothing else.
type living struct {
	key      livingKey
	revision uint64 // the newest that it belongs to
	own      []knowledge.Source
	plain    *knowledge.Index
	joint    atomic.Pointer[index.Index]

	mu    sync.Mutex              // one refresh at a time
	have  map[string]string       // what is in joint by source
	bases map[string]*index.Shelf // what needs vectors of its embedder, by name
}

var _ actors.Retriever = (*living)(nil)

// ofLibrary begins the ids of what comes out of the tenant's library, and
// ownEntries names the shelf of those that do not.
const (
	ofLibrary  = "source/"
	ownEntries = "own"
)

// seeking is what an agent finds with an embedder outside of the program.
type seeking struct{ *living }

// Seek makes the vector of a question ready, so that Find does not wait for it.
// It returns when that is done, or after the time that a question is worth. Who
// must not wait calls it elsewhere and Find afterwards.
func (s seeking) Seek(ctx context.Context, q knowledge.Query) { s.vector(ctx, q) }

// vector is that of a question, nil where the search goes by words alone.
func (l *living) vector(ctx context.Context, q knowledge.Query) []float32 {
	x := l.joint.Load()
	if l.key.by == nil || x == nil || x.Dim() == 0 || strings.TrimSpace(q.Text) == "" || q.K <= 0 {
		return nil
	}
	return l.key.by.asked.vector(ctx, x.Text(q))
}

// Find implements actors.Retriever. With an embedder outside of the program it
// waits for the question's vector, unless Seek did, and not beyond the time that
// a question is worth.
func (l *living) Find(q knowledge.Query) []knowledge.Hit {
	x := l.joint.Load()
	if x == nil {
		return l.plain.Find(q)
	}
	var hits []knowledge.Hit
	if l.key.by == nil {
		hits = x.Find(q)
	} else {
		hits = x.FindNear(q, l.vector(context.Background(), q))
	}
	for i, h := range hits {
		// Only the file's own questions may stand in the prompt as a whole: the
		// library's are passages like any other.
		if h.Kind == knowledge.FAQ && strings.HasPrefix(h.ID, ofLibrary) {
			hits[i].Kind = knowledge.Text
		}
	}
	return hits
}

// retriever gives an agent what it finds, with all that is indexed by now. A
// fault of the embedder that the file names is fault.Invalid.
func (l *librarian) retriever(ctx context.Context, of castKey, spec *agent.Spec) (actors.Retriever, error) {
	by, err := l.vectors.of(spec)
	if err != nil {
		return nil, fmt.Errorf("models.embedder: %w", err)
	}
	own := spec.Sources()
	text, err := json.Marshal(own)
	if err != nil || of.agent == "" { // a file that is only looked at
		return knowledge.BuildWith(l.lexicon(), own), nil
	}
	k := livingKey{agentKey: agentKey{of.tenant, of.agent}, own: sha256.Sum256(text), by: by}
	v, fresh := l.alive(k, of.revision, own)
	if !fresh {
		v.mu.Lock() // waits for who makes it
	}
	defer v.mu.Unlock()
	if fresh {
		l.fit(ctx, v)
		if v.joint.Load() == nil {
			v.plain = knowledge.BuildWith(l.lexicon(), own)
		}
	}
	if by == nil {
		return v, nil
	}
	l.employ(by)
	return seeking{v}, nil
}

// alive finds or makes what an agent finds; a fresh one is locked.
func (l *librarian) alive(k livingKey, revision uint64, own []knowledge.Source) (v *living, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v = l.living[k]; v == nil {
		v, fresh = &living{key: k, own: own}, true
		v.mu.Lock() // until it can answer
		l.living[k] = v
	}
	v.revision = max(v.revision, revision)
	if was := l.newest[k.agentKey]; was == nil || was.revision <= v.revision {
		l.newest[k.agentKey] = v
	}
	return v, fresh
}

// refresh brings what an agent finds up to date, for all of its revisions.
func (l *librarian) refresh(ctx context.Context, t tenant.ID, agentID string) {
	l.renew(ctx, func(v *living) bool { return v.key.agentKey == agentKey{t, agentID} })
}

// renew brings up to date what some agents find.
func (l *librarian) renew(ctx context.Context, whose func(*living) bool) {
	l.mu.Lock()
	var all []*living
	for _, v := range l.living {
		if whose(v) {
			all = append(all, v)
		}
	}
	l.mu.Unlock()
	for _, v := range all {
		v.mu.Lock()
		l.fit(ctx, v)
		v.mu.Unlock()
	}
}

// fit makes one index hold what is connected and indexed now. What cannot be
// read is left out, and indexed anew.
func (l *librarian) fit(ctx context.Context, v *living) {
	want := make(map[string]string)
	bases := make(map[string]*index.Shelf)
	var put []*index.Shelf
	take := func(source, name string, shelf *index.Shelf) {
		if v.key.by != nil {
			bases[name] = shelf
			shelf = l.embedded(ctx, v, name, shelf)
			name = marked(name, shelf)
		}
		if want[source] = name; v.have[source] != name {
			put = append(put, shelf)
		}
	}
	if v.key.by != nil && len(v.own) > 0 {
		if own, err := index.Fill(ctx, nil, index.Label{Source: ownEntries}, v.own, nil); err == nil {
			take(ownEntries, v.key.ownName(), own)
		}
	}
	for _, s := range l.model.Sources(func(s readmodel.Source) bool {
		return s.Tenant == v.key.tenant && s.Born.Mode != library.Prompt && s.Found(v.key.agent) != ""
	}) {
		shelf, err := l.shelf(s.Indexed.Blob)
		if err != nil {
			l.lost(s, err)
			if was, ok := v.have[s.ID]; ok && strings.HasPrefix(was, s.Indexed.Blob) {
				want[s.ID] = was // it is searched still
			}
			continue
		}
		take(s.ID, s.Indexed.Blob, shelf)
	}
	v.bases = bases
	gone := missing(v.have, want)
	if len(put)+len(gone) == 0 {
		return
	}
	if err := l.change(ctx, v, gone, put); err != nil {
		l.log.Error("what an agent finds was not changed", "err", err, "agent", v.key.agent)
		return
	}
	v.have = want
}

// missing are the names that were there and are not any more.
func missing(have, want map[string]string) (gone []string) {
	for id := range have {
		if want[id] == "" {
			gone = append(gone, id)
		}
	}
	return gone
}

// change puts shelves into what an agent finds. Those of the built-in embedder
// come with their vectors, its own entries among them.
func (l *librarian) change(ctx context.Context, v *living, gone []string, put []*index.Shelf) error {
	x := v.joint.Load()
	if x != nil {
		return x.Change(gone, put...)
	}
	o := index.Options{Lexicon: l.lexicon(), Trust: trusted}
	if v.key.by == nil {
		o.Local, o.Trust = local{l.embed}, 0
		if len(v.own) > 0 {
			own, err := index.Fill(ctx, l.embed, index.Label{Source: ownEntries, Model: hashed.Version}, v.own, nil)
			if err != nil {
				return err
			}
			put = append([]*index.Shelf{own}, put...)
		}
	}
	x = index.New(o)
	if err := x.Change(nil, put...); err != nil {
		return err
	}
	v.joint.Store(x)
	return nil
}
