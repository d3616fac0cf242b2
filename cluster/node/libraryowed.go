package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"flametree/engine/agent"
	"flametree/engine/fault"
	"flametree/engine/knowledge/index"
	"flametree/engine/knowledge/library"
	"flametree/engine/tenant"
)

// embedded is a shelf with the vectors that there are of an agent's embedder.
// What is missing is noted, to be made.
func (l *librarian) embedded(ctx context.Context, v *living, name string, base *index.Shelf) *index.Shelf {
	s, err := v.key.by.space.shelf(ctx, name, base)
	if err != nil {
		l.log.Error("vectors are left out", "err", err, "agent", v.key.agent)
		return base
	}
	if s.Missing() > 0 && l.isNewest(v) {
		v.key.by.owe(name, s)
	}
	return s
}

// isNewest reports whether a living is of an agent's newest revision: for
// conversations that go on with an older one no vectors are made any more.
func (l *librarian) isNewest(v *living) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest[v.key.agentKey] == v
}

// employ has an embedder make what it owes, from now on and once.
func (l *librarian) employ(e *embedder) {
	e.owing.Lock()
	defer e.owing.Unlock()
	if e.employed || l.vectors.life.Err() != nil {
		return
	}
	e.employed = true
	l.vectors.spawn(func() { l.repay(l.vectors.life, e) })
}

// repay makes vectors until ctx ends. While the embedder does not answer it is
// asked now and then.
func (l *librarian) repay(ctx context.Context, e *embedder) {
	first := cmp.Or(l.vectors.pause, firstPause)
	pause := first
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-t.C:
		}
		err := l.embedAll(ctx, e)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			if pause > first {
				l.log.Info("an embedder answers again", "embedder", e.name)
			}
			pause = first
			e.failed(nil)
			t.Stop()
			continue
		}
		if e.failed(err); pause == first {
			l.log.Warn("an embedder makes no vectors: knowledge is found by words until it does", "err", err, "embedder", e.name)
		}
		pause = min(2*pause, longestPause)
		t.Reset(pause / 2)
	}
}

// embedAll makes what agents of an embedder lack.
func (l *librarian) embedAll(ctx context.Context, e *embedder) error {
	jobs, names := l.jobs(e)
	e.only(jobs)
	var first error
	for _, name := range names {
		err := e.fill(ctx, name, jobs[name], func() {
			l.renew(ctx, func(v *living) bool { return v.key.by == e && v.searches(name) })
		})
		first = cmp.Or(first, err)
		switch fault.KindOf(err) {
		case fault.Unavailable, fault.Exhausted, fault.Denied, fault.NotFound, fault.Cancelled:
			return first // the next would fare no better
		case fault.Invalid, fault.Conflict, fault.Bug:
		}
	}
	return first
}

// jobs are the shelves that agents search by an embedder, the shortest first.
func (l *librarian) jobs(e *embedder) (jobs map[string]*index.Shelf, names []string) {
	l.mu.Lock()
	var all []*living
	for _, v := range l.newest {
		if v.key.by == e {
			all = append(all, v)
		}
	}
	l.mu.Unlock()
	jobs = make(map[string]*index.Shelf)
	for _, v := range all {
		v.mu.Lock()
		maps.Copy(jobs, v.bases)
		v.mu.Unlock()
	}
	for name := range jobs {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(jobs[a].Len(), jobs[b].Len()), cmp.Compare(a, b)) })
	return jobs, names
}

func (l *living) searches(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bases[name] != nil
}

// VectorCard is how far the vectors of a source are that one embedder makes.
type VectorCard struct {
	Embedder string `json:"embedder"`
	Done     int    `json:"done"`
	Of       int    `json:"of"`
	Failure  string `json:"failure,omitempty"` // why they are not made at the moment
}

// lacking are the vectors that a source's agents wait for.
func (l *librarian) lacking(t tenant.ID, s *library.State) []VectorCard {
	if s.Indexed == nil || s.Born.Mode == library.Prompt {
		return nil
	}
	l.mu.Lock()
	var by []*embedder
	for _, a := range s.Agents {
		if v := l.newest[agentKey{t, a}]; v != nil && v.key.by != nil && !slices.Contains(by, v.key.by) {
			by = append(by, v.key.by)
		}
	}
	l.mu.Unlock()
	var out []VectorCard
	for _, e := range by {
		if o, why, ok := e.owed(s.Indexed.Blob); ok {
			out = append(out, VectorCard{Embedder: e.name, Done: o.done, Of: o.of, Failure: why})
		}
	}
	return out
}

// withVectors adds to a source's card what its vectors are at. A source is ready
// when agents find it as they are meant to; where an embedder fails it is found
// by its words, and that is said.
func (c *SourceCard) withVectors(list []VectorCard) {
	c.Vectors = list
	for _, v := range list {
		if v.Failure == "" {
			if c.Status == library.Ready {
				c.Status = library.Indexing
				c.Progress.Doing, c.Progress.Done, c.Progress.What = "embedding", v.Done, fmt.Sprintf("of %d passages by %s", v.Of, v.Embedder)
			}
			continue
		}
		c.Warnings = append(slices.Clone(c.Warnings), fmt.Sprintf(
			"%d of %d passages are found by their words alone until the embedder %s answers again: %s", v.Of-v.Done, v.Of, v.Embedder, v.Failure))
	}
}

// awake compiles the agents that run with an embedder of their own, so that
// what the end of the last process left undone is made before anybody asks.
func (n *Node) awake(ctx context.Context) {
	for _, a := range n.model.Agents() {
		if !a.Running || ctx.Err() != nil {
			continue
		}
		state, err := n.casting.read(ctx, a.Tenant, a.ID)
		if err != nil || !embedsOutside(&state) {
			continue
		}
		if _, err := n.casting.Cast(ctx, a.Tenant, a.ID, state.Live); err != nil && !errors.Is(err, context.Canceled) {
			n.log.Warn("an agent cannot be made ready", "err", err, "agent", a.ID)
		}
	}
}

// embedsOutside reports whether an agent's live file names an embedder that is
// not the built-in one.
func embedsOutside(s *agent.State) bool {
	saved, ok := s.Revision(s.Live)
	if !ok {
		return false
	}
	spec, _, err := agent.Parse([]byte(saved.File))
	return err == nil && !builtinEmbedder(spec.Embedder)
}
