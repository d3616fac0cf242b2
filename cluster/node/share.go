package node

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"flametree/engine/dialog"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/engine/tool"
	"flametree/engine/tool/mcp"
)

// share is a runner that several revisions and agents of one tenant use: saving
// again opens nothing anew, and the last one to give it back closes it.
type share struct {
	id     shareID
	once   sync.Once
	runner tool.Runner
	err    error
	users  int // under toolbox.mu
}

// shareID names what a runner is made of: the tenant, and all it is opened with.
type shareID [sha256.Size]byte

func idOf(t tenant.ID, kind string, of any) (shareID, error) {
	text, err := json.Marshal(of)
	if err != nil {
		return shareID{}, fmt.Errorf("%w: %w", fault.Bug, err)
	}
	return sha256.Sum256(slices.Concat(t[:], []byte(kind), []byte{0}, text)), nil
}

// borrow gives the runner of an id, opened by open if nobody uses it. The caller
// gives it back.
func (b *toolbox) borrow(id shareID, open func() (tool.Runner, error)) (*share, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, fmt.Errorf("the tools are closed: %w", fault.Unavailable)
	}
	s := b.shares[id]
	if s == nil {
		if b.shares == nil {
			b.shares = make(map[shareID]*share)
		}
		s = &share{id: id}
		b.shares[id] = s
	}
	s.users++
	b.mu.Unlock()
	s.once.Do(func() { s.runner, s.err = open() })
	if s.err != nil {
		return nil, errors.Join(s.err, b.give(s))
	}
	return s, nil
}

// give ends one use of a share. The last one closes its runner, which may take
// a moment: what it runs is waited for.
func (b *toolbox) give(s *share) error {
	b.mu.Lock()
	s.users--
	last := s.users == 0 && b.shares[s.id] == s
	if last {
		delete(b.shares, s.id)
	}
	b.mu.Unlock()
	if !last || s.runner == nil {
		return nil
	}
	return s.runner.Close()
}

// close ends everything that is open, whoever uses it.
func (b *toolbox) close() error {
	b.mu.Lock()
	b.closed = true
	all := b.shares
	b.shares = nil
	b.mu.Unlock()
	var errs []error
	for _, s := range all {
		s.once.Do(func() { s.err = fault.Cancelled }) // one that is being opened is awaited
		if s.runner != nil {
			errs = append(errs, s.runner.Close())
		}
	}
	return errors.Join(append(errs, b.pool.Close())...)
}

// part is one group or server of a kit.
type part struct {
	share *share
	name  string            // of a server, for what is told about it
	env   map[string]string // of a group, beside the agent's
}

// take adds a part. The kit gives it back when it is closed.
func (k *kit) take(s *share, name string, env map[string]string) {
	k.parts = append(k.parts, part{share: s, name: name, env: env})
}

// close gives back all that the kit uses.
func (k *kit) close() error {
	var errs []error
	for _, p := range slices.Backward(k.parts) {
		errs = append(errs, k.box.give(p.share))
	}
	k.parts = nil
	return errors.Join(errs...)
}

// assemble puts together what the parts offer at this moment, and tells which
// servers are missing. Two of one name are an error; without strict the later
// one is left out, for it came while the agent ran.
func (k *kit) assemble(strict bool) error {
	k.tools, k.skills, k.missing = nil, nil, nil
	k.hands = &hands{by: make(map[string]tool.Runner), env: make(map[string]map[string]string), secrets: k.secrets, concealed: make(map[string][]tool.Binding)}
	for _, p := range k.parts {
		if m, ok := p.share.runner.(mcp.Awaited); ok {
			if why := m.Missing(); why != nil {
				k.missing = append(k.missing, fmt.Errorf("MCP server %s: %w", p.name, why))
			}
		}
		if err := k.add(p, strict); err != nil {
			return err
		}
	}
	return nil
}

// add takes in what one group or server offers.
func (k *kit) add(p part, strict bool) error {
	r := p.share.runner
	for _, t := range r.Tools() {
		if k.hands.by[t.Name] != nil {
			if strict {
				return fmt.Errorf("two tools are called %s: %w", t.Name, fault.Conflict)
			}
			k.box.log.Warn("a tool is left out: another one has its name", "tool", t.Name, "server", p.name)
			continue
		}
		k.hands.by[t.Name], k.hands.env[t.Name] = r, p.env
		for _, b := range t.Bind {
			if dialog.Concealed(b) {
				k.hands.concealed[t.Name] = append(k.hands.concealed[t.Name], b)
			}
		}
		k.tools = append(k.tools, t)
	}
	for _, s := range r.Skills() {
		if k.hands.by[s.Name] != nil {
			return fmt.Errorf("two tools or skills are called %s: %w", s.Name, fault.Conflict)
		}
		k.hands.by[s.Name], k.hands.env[s.Name] = r, p.env
		k.skills = append(k.skills, s)
	}
	return nil
}

// await reaches an MCP server, or goes on trying if it is away.
func (b *toolbox) await(ctx context.Context, t tenant.ID, s mcp.Server) (*share, error) {
	id, err := idOf(t, "mcp", s)
	if err != nil {
		return nil, err
	}
	return b.borrow(id, func() (tool.Runner, error) {
		return mcp.Await(ctx, s, mcp.Options{HTTP: b.out, Log: b.log, Start: b.begin, MaxBackoff: b.retry, Changed: b.changed})
	})
}
