package node

import (
	"context"
	"reflect"
	"sync"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/tenant"
)

var _ actors.Lender = (*casting)(nil)

// Lend implements actors.Lender.
func (c *casting) Lend(ctx context.Context, t tenant.ID, id string, revision uint64) (actors.Lease, error) {
	var state agent.State
	if revision == 0 {
		var err error
		if state, err = c.read(ctx, t, id); err != nil {
			return nil, err
		}
		revision = state.Live
	}
	e := c.entry(castKey{tenant: t, agent: id, revision: revision})
	e.once.Do(func() {
		if state.Seq == 0 {
			state, e.err = c.read(ctx, t, id)
		}
		if e.err == nil {
			e.err = c.compile(ctx, e.key, state, e)
		}
	})
	if e.err == nil {
		return &lease{c: c, e: e}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.users--
	if c.casts[e.key] == e { // let the next one try again
		delete(c.casts, e.key)
	}
	return nil, e.err
}

// entry is that of a key, in use by one more.
func (c *casting) entry(k castKey) *castEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.casts == nil {
		c.casts = make(map[castKey]*castEntry)
	}
	e := c.casts[k]
	if e == nil {
		e = &castEntry{key: k}
		c.casts[k] = e
	}
	e.users++
	return e
}

// lease implements actors.Lease.
type lease struct {
	c    *casting
	e    *castEntry
	once sync.Once
}

// Cast implements actors.Lease.
func (l *lease) Cast() *actors.Cast {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	return l.e.cast
}

// Return implements actors.Lease.
func (l *lease) Return() {
	l.once.Do(func() {
		l.c.mu.Lock()
		l.e.users--
		idle := l.e.users == 0
		l.c.mu.Unlock()
		if idle {
			l.c.poke()
		}
	})
}

// took keeps what a cast was made with, and tells those who tidy up that there
// is another one: what it replaces may be needed no more.
func (c *casting) took(e *castEntry, cast *actors.Cast, k *kit) {
	c.mu.Lock()
	e.cast, e.kit = cast, k
	if c.open == nil {
		c.open = make(map[*castEntry]bool)
	}
	c.open[e] = true
	c.refresh(e) // a server may have come meanwhile
	c.mu.Unlock()
	c.poke()
}

// refreshAll has casts offer what their servers offer now. Sessions take it from
// their next turn on.
func (c *casting) refreshAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := range c.open {
		c.refresh(e)
	}
}

// refresh needs c.mu.
func (c *casting) refresh(e *castEntry) {
	k := *e.kit
	if k.assemble(false) != nil { // of two skills of one name there is none now that was not there before
		return
	}
	e.lacks = nil
	for _, m := range k.missing {
		e.lacks = append(e.lacks, m.Error())
	}
	if reflect.DeepEqual(k.tools, e.kit.tools) {
		return
	}
	e.kit = &k
	cast := *e.cast
	cast.Revision, cast.Hands = e.cast.Revision.With(k.tools, k.skills), k.hands
	e.cast = &cast
}

// later keeps a kit until the next tidying: what was opened to look at a file is
// needed again at once when the file is saved.
func (c *casting) later(k *kit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spent = append(c.spent, k)
}

// poke asks for tidying. It does not wait for it.
func (c *casting) poke() {
	select {
	case c.pokes <- struct{}{}:
	default: // asked for already
	}
}

// tidy closes what nobody needs any more, until ctx ends. It acts when a session
// has given back its cast or a revision was made, and never by the clock.
func (c *casting) tidy(ctx context.Context, caughtUp func(context.Context) error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.pokes:
		}
		for _, k := range c.sweep(ctx, caughtUp) {
			if err := k.close(); err != nil {
				c.tools.log.Warn("tools not closed", "err", err)
			}
		}
	}
}

// sweep takes out casts that nobody works with, whose revision new sessions do
// not take, and on which no session is open, not even one that sleeps.
func (c *casting) sweep(ctx context.Context, caughtUp func(context.Context) error) []*kit {
	c.mu.Lock()
	spent := c.spent
	c.spent = nil
	var idle []*castEntry
	for e := range c.open {
		if e.users == 0 && (c.casts[e.key] != e || !c.live(e.key)) {
			idle = append(idle, e)
		}
	}
	c.mu.Unlock()
	if len(idle) == 0 || caughtUp(ctx) != nil {
		return spent
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range idle {
		there := c.casts[e.key] == e
		if e.users > 0 || there && (c.live(e.key) || c.sessions.Serving(e.key.tenant, e.key.agent, e.key.revision) > 0) {
			continue
		}
		if there {
			delete(c.casts, e.key)
		}
		delete(c.open, e)
		spent = append(spent, e.kit)
	}
	return spent
}

// live reports whether new sessions take a revision.
func (c *casting) live(k castKey) bool {
	a, ok := c.sessions.Agent(k.agent)
	return ok && a.Published == k.revision
}
