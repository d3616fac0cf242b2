package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/engine/tool/python"
)

// Resource is a file that several tool groups of a tenant may name among their
// dependencies without having it beside them.
type Resource struct {
	Name  string    `json:"name"` // path, as dependencies name it
	Blob  string    `json:"blob"` // sha256 of what it holds now
	Bytes int       `json:"bytes"`
	At    time.Time `json:"at"`
}

// ResourceUse is a revision that was saved with a resource.
type ResourceUse struct {
	Agent    string `json:"agent"` // id
	Name     string `json:"name"`
	Revision uint64 `json:"revision"`
	Live     bool   `json:"live"`
	Group    string `json:"group"`
	Current  bool   `json:"current"` // it has what the resource holds now
}

// ResourceCard is a resource with the agents that use it.
type ResourceCard struct {
	Resource
	UsedBy []ResourceUse `json:"used_by"`
}

// maxResources bounds the resources of a tenant.
const maxResources = 500

// resources are the shared files of all tenants: one list each, with blobs for
// what they hold. A revision takes what it needs when it is saved, and keeps it:
// a change, and a removal, touch nothing that runs.
type resources struct {
	dir string
	mu  sync.Mutex
}

func (r *resources) path(t tenant.ID) string { return filepath.Join(r.dir, t.String()+".json") }

// list reads the resources of a tenant, in the order of their names.
func (r *resources) list(t tenant.ID) ([]Resource, error) {
	text, err := os.ReadFile(r.path(t))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return []Resource{}, nil
	case err != nil:
		return nil, fmt.Errorf("shared resources: %w: %w", fault.Unavailable, err)
	}
	var out []Resource
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("shared resources: the list %s is damaged: %w: %w", r.path(t), fault.Unavailable, err)
	}
	return out, nil
}

// change replaces the list of a tenant, durably and as a whole.
func (r *resources) change(t tenant.ID, with func([]Resource) ([]Resource, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, err := r.list(t)
	if err != nil {
		return err
	}
	if list, err = with(list); err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b Resource) int { return strings.Compare(a.Name, b.Name) })
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("%w: %w", fault.Bug, err)
	}
	if err := r.write(r.path(t), append(text, '\n')); err != nil {
		return fmt.Errorf("shared resources: %w: %w", fault.Unavailable, err)
	}
	return nil
}

func (r *resources) write(path string, text []byte) error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(r.dir, "new-")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(r.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ResourceAdd keeps a shared file, or what it holds from now on.
func (n *Node) ResourceAdd(ctx context.Context, name string, content io.Reader) (ResourceCard, error) {
	if !python.Proper(name) {
		return ResourceCard{}, fmt.Errorf("the name %q must be a path that leads downwards, as a plugin's dependencies name it, such as shared/money.py: %w", clipTitle(name), fault.Invalid)
	}
	data, err := io.ReadAll(io.LimitReader(content, python.MaxFile+1))
	switch {
	case err != nil:
		return ResourceCard{}, fmt.Errorf("%s: %w: %w", name, fault.Unavailable, err)
	case len(data) > python.MaxFile:
		return ResourceCard{}, fmt.Errorf("%s has more than the %d KB that are allowed: %w", name, python.MaxFile>>10, fault.Exhausted)
	}
	t, err := n.tenant(ctx)
	if err != nil {
		return ResourceCard{}, err
	}
	blob, err := n.blobs.Put(func(w io.Writer) error { _, err := w.Write(data); return err })
	if err != nil {
		return ResourceCard{}, err
	}
	r := Resource{Name: name, Blob: blob, Bytes: len(data), At: time.Now().UTC()}
	err = n.resources.change(t, func(list []Resource) ([]Resource, error) {
		list = slices.DeleteFunc(list, func(x Resource) bool { return x.Name == name })
		if len(list) >= maxResources {
			return nil, fmt.Errorf("there are %d shared resources already, and no more are allowed: %w", len(list), fault.Exhausted)
		}
		return append(list, r), nil
	})
	if err != nil {
		return ResourceCard{}, err
	}
	return n.ResourceShow(ctx, name)
}

// ResourceList shows all shared files with who uses them.
func (n *Node) ResourceList(ctx context.Context) ([]ResourceCard, error) {
	t, err := n.tenant(ctx)
	if err != nil {
		return nil, err
	}
	list, err := n.resources.list(t)
	if err != nil {
		return nil, err
	}
	uses, err := n.resourceUses(ctx, t)
	if err != nil {
		return nil, err
	}
	out := make([]ResourceCard, 0, len(list))
	for _, r := range list {
		card := ResourceCard{Resource: r, UsedBy: []ResourceUse{}}
		for _, u := range uses[r.Name] {
			u.use.Current = u.blob == r.Blob
			card.UsedBy = append(card.UsedBy, u.use)
		}
		out = append(out, card)
	}
	return out, nil
}

// ResourceShow shows one.
func (n *Node) ResourceShow(ctx context.Context, name string) (ResourceCard, error) {
	list, err := n.ResourceList(ctx)
	if err != nil {
		return ResourceCard{}, err
	}
	for _, r := range list {
		if r.Name == name {
			return r, nil
		}
	}
	return ResourceCard{}, fmt.Errorf("there is no shared resource %q (see flametree tool resource list): %w", name, fault.NotFound)
}

// ResourceRemove takes a shared file away. What was saved with it keeps it; the
// next save of an agent that needs it fails, so one that is used goes only by force.
func (n *Node) ResourceRemove(ctx context.Context, name string, force bool) (ResourceCard, error) {
	card, err := n.ResourceShow(ctx, name)
	if err != nil {
		return card, err
	}
	if len(card.UsedBy) > 0 && !force {
		u := card.UsedBy[0]
		return card, fmt.Errorf("%s is used by %d revisions, such as %d of agent %q (see flametree tool resource used-by): they keep it, but cannot be saved again without it; --force removes it all the same: %w",
			name, len(card.UsedBy), u.Revision, u.Name, fault.Conflict)
	}
	t, err := n.tenant(ctx)
	if err != nil {
		return card, err
	}
	return card, n.resources.change(t, func(list []Resource) ([]Resource, error) {
		return slices.DeleteFunc(list, func(x Resource) bool { return x.Name == name }), nil
	})
}

// pinnedUse is a use with what the revision keeps.
type pinnedUse struct {
	use  ResourceUse
	blob string
}

// resourceUses are those of the newest and of the live revision of each agent, by resource.
func (n *Node) resourceUses(ctx context.Context, t tenant.ID) (map[string][]pinnedUse, error) {
	if err := n.caughtUp(ctx); err != nil {
		return nil, err
	}
	out := make(map[string][]pinnedUse)
	for _, a := range n.model.Agents() {
		if a.Tenant != t {
			continue
		}
		s, err := n.casting.read(ctx, t, a.ID)
		if err != nil {
			return nil, err
		}
		numbers := []uint64{s.Live, s.Latest()}
		for _, number := range slices.Compact(numbers) {
			saved, ok := s.Revision(number)
			if !ok {
				continue
			}
			for _, p := range saved.Pins {
				if group, name, ok := resourceOf(p.Key); ok {
					use := ResourceUse{Agent: a.ID, Name: a.Name, Revision: number, Live: number == s.Live, Group: group}
					out[name] = append(out[name], pinnedUse{use, p.Value})
				}
			}
		}
	}
	return out, nil
}

// Pins of resources stand beside the pin of the group that has them in it, so
// that it is known who uses which.
const resourcePin = "resource/"

func resourceKey(group, name string) string { return resourcePin + group + ":" + name }

// resourceOf reads such a key. A resource's name has no colon.
func resourceOf(key string) (group, name string, ok bool) {
	rest, ok := strings.CutPrefix(key, resourcePin)
	if i := strings.LastIndexByte(rest, ':'); ok && i >= 0 {
		return rest[:i], rest[i+1:], true
	}
	return "", "", false
}

// group pins a tool group together with the shared resources it names.
func (p *packer) group(ctx context.Context, g agent.ToolGroup) {
	name := groupName(g)
	if g.Path == "" || p.dir == "" {
		p.regroup(ctx, name)
		return
	}
	var used []event.Pair
	p.pin(ctx, "group/"+name, g.Path, func(_ context.Context, path string) ([]byte, error) {
		b, err := python.ReadDir(path)
		if err != nil {
			return nil, err
		}
		if used, err = p.share(&b, name, b.Missing()); err != nil {
			return nil, err
		}
		return packed(b)
	})
	p.pins = append(p.pins, used...)
}

// regroup keeps a group as it is kept already, with what its shared resources
// hold now. One that is there no more stays as it was.
func (p *packer) regroup(ctx context.Context, group string) {
	var held []string
	for _, o := range p.old {
		if of, name, ok := resourceOf(o.Key); ok && of == group {
			held = append(held, name)
			p.pins = append(p.pins, o)
		}
	}
	was := len(p.pins)
	p.pin(ctx, "group/"+group, "", nil)
	if p.err != nil || len(held) == 0 {
		return
	}
	data, err := p.n.tools.blob(p.pins[was:], "group/"+group)
	var b python.Bundle
	if err == nil {
		b, err = python.Unpack(data)
	}
	var used []event.Pair
	if err == nil {
		used, err = p.share(&b, group, held)
	}
	if err == nil {
		data, err = packed(b)
	}
	if err != nil {
		p.err = fmt.Errorf("group/%s: %w", group, err)
		return
	}
	blob, err := p.n.blobs.Put(func(w io.Writer) error { _, err := w.Write(data); return err })
	if err != nil {
		p.err = err
		return
	}
	p.pins = slices.DeleteFunc(p.pins, func(o event.Pair) bool {
		return o.Key == "group/"+group || slices.ContainsFunc(used, func(u event.Pair) bool { return u.Key == o.Key })
	})
	p.pins = append(append(p.pins, event.Pair{Key: "group/" + group, Value: blob}), used...)
}

// share puts the resources that wanted names, or folders of them, into a bundle,
// and gives their pins.
func (p *packer) share(b *python.Bundle, group string, wanted []string) ([]event.Pair, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	list, err := p.n.resources.list(p.tenant)
	if err != nil {
		return nil, err
	}
	var used []event.Pair
	for _, r := range list {
		if !slices.ContainsFunc(wanted, func(w string) bool { return r.Name == w || strings.HasPrefix(r.Name, w+"/") }) {
			continue
		}
		pin := event.Pair{Key: resourceKey(group, r.Name), Value: r.Blob}
		data, err := p.n.tools.blob([]event.Pair{pin}, pin.Key)
		if err != nil {
			return nil, fmt.Errorf("shared resource %s: %w", r.Name, err)
		}
		b.Files[r.Name] = data
		used = append(used, pin)
	}
	return used, nil
}

// packed is a bundle that can be used, as one blob.
func packed(b python.Bundle) ([]byte, error) {
	missing := b.Missing()
	if _, _, err := python.Parse(b); err != nil {
		if len(missing) > 0 {
			err = fmt.Errorf("%w\n%s: neither beside the plugin nor a shared resource (flametree tool resource add makes one)", err, strings.Join(missing, ", "))
		}
		return nil, err
	}
	return b.Pack()
}
