package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/video"
	"flametree/engine/knowledge/library"
	"flametree/engine/tenant"
	"flametree/persist/readmodel"
)

// ownSource is a source with its content, before it is there.
type ownSource struct {
	born  event.SourceCreated
	saved event.SourceSaved
}

// adopt makes the sources that the live revision of an agent's file names,
// takes those away that it names no more, and connects those of the library. It
// waits for none to be read. What is missing is told and is no error: the agent
// answers from the rest.
func (n *Node) adopt(ctx context.Context, t tenant.ID, id string, s *agent.State) ([]string, error) {
	saved, ok := s.Revision(s.Live)
	if !ok {
		return nil, nil
	}
	spec, _, err := agent.Parse([]byte(saved.File))
	if err != nil {
		return nil, err
	}
	n.library.adopting.Lock()
	defer n.library.adopting.Unlock()
	if err := n.caughtUp(ctx); err != nil {
		return nil, err
	}
	own := n.model.Sources(func(x readmodel.Source) bool { return x.Tenant == t && x.Born.Owner == id })
	if len(own)+len(spec.Files)+len(spec.Websites)+len(spec.YouTube)+len(spec.Library) == 0 {
		return nil, nil
	}
	want, err := n.ownSources(id, spec, saved.Pins)
	if err != nil {
		return nil, err
	}
	for _, w := range want {
		at := slices.IndexFunc(own, func(x readmodel.Source) bool { return x.Born.Type == w.born.Type && x.Born.Origin == w.born.Origin })
		if at < 0 {
			if err := n.plantSource(ctx, t, w, actors.Connection{Agent: id, Revision: saved.Number}); err != nil {
				return nil, err
			}
			continue
		}
		was := own[at]
		own = slices.Delete(own, at, at+1)
		if _, err := n.toSource(ctx, t, was.ID, &actors.SaveSource{Saved: w.saved, Index: true}); err != nil {
			return nil, err
		}
	}
	for _, x := range own {
		if _, err := n.toSource(ctx, t, x.ID, &actors.RemoveSource{}); err != nil {
			return nil, err
		}
	}
	return n.lend(ctx, t, id, spec, s)
}

// ownSources lists what a file names by itself.
func (n *Node) ownSources(id string, spec *agent.Spec, pins []event.Pair) ([]ownSource, error) {
	var out []ownSource
	add := func(typ, title, origin string, saved event.SourceSaved) {
		saved.Title, saved.Origin = title, origin
		out = append(out, ownSource{born: event.SourceCreated{Type: typ, Title: title, Origin: origin, Owner: id}, saved: saved})
	}
	for _, f := range spec.Files {
		name, ok := pin(pins, "file/"+f)
		if !ok {
			continue // a revision from before files were kept
		}
		size, err := n.library.size(name)
		if err != nil {
			return nil, err
		}
		add(library.File, filepath.Base(f), f, event.SourceSaved{Blob: name, Bytes: size, Name: filepath.Base(f)})
	}
	for _, w := range spec.Websites {
		saved, err := n.library.saveSite(site{Depth: w.Depth, Pages: w.Pages})
		if err != nil {
			return nil, err
		}
		add(library.Website, clipTitle(w.URL), w.URL, saved)
	}
	for _, v := range spec.YouTube {
		if _, err := video.ParseAddress(v); err != nil {
			return nil, err
		}
		add(library.YouTube, clipTitle(v), v, event.SourceSaved{})
	}
	return out, nil
}

func clipTitle(text string) string {
	r := []rune(text)
	return string(r[:min(len(r), library.MaxTitle)])
}

// saveSite keeps how far a site is to be read.
func (l *librarian) saveSite(s site) (event.SourceSaved, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return event.SourceSaved{}, err
	}
	name, size, err := l.keep(bytes.NewReader(raw))
	return event.SourceSaved{Blob: name, Bytes: size}, err
}

// keep stores a content.
func (l *librarian) keep(r io.Reader) (name string, size uint64, err error) {
	name, err = l.blobs.Put(func(w io.Writer) error {
		n, err := io.Copy(w, r)
		size = uint64(n)
		return err
	})
	return name, size, err
}

func (l *librarian) size(name string) (uint64, error) {
	r, err := l.blobs.Get(name)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, r)
	_ = r.Close() // it was only read
	return uint64(n), err
}

// plantSource makes a source with its content, connects it and has it read.
func (n *Node) plantSource(ctx context.Context, t tenant.ID, w ownSource, to ...actors.Connection) error {
	_, err := n.toSource(ctx, t, n.sourceID(), &actors.CreateSource{Born: w.born, Saved: &w.saved, Connect: to, Index: true})
	return err
}

// toSource asks a source.
func (n *Node) toSource(ctx context.Context, t tenant.ID, id string, msg any) (*actors.SourceView, error) {
	return ask[*actors.SourceView](ctx, n.dir, actors.ID{Kind: event.SourceStream, Tenant: t, Name: id}, msg)
}

// lend connects an agent to the sources of the library that its file names, and
// takes those away that only the revision before named.
func (n *Node) lend(ctx context.Context, t tenant.ID, id string, spec *agent.Spec, s *agent.State) (notes []string, err error) {
	for _, name := range spec.Library {
		src, err := n.ofLibrary(t, name)
		if err != nil {
			notes = append(notes, plainly(err)+": the agent answers without it")
			continue
		}
		if _, err := n.toSource(ctx, t, src.ID, &actors.ConnectSource{Agent: id, Revision: s.Live}); err != nil {
			return notes, err
		}
	}
	was, ok := s.Revision(s.Live - 1)
	if !ok || s.Live < 2 {
		return notes, nil
	}
	before, _, err := agent.Parse([]byte(was.File))
	if err != nil {
		return notes, nil //nolint:nilerr // a revision of long ago that is read otherwise today
	}
	for _, name := range before.Library {
		src, err := n.ofLibrary(t, name)
		if err != nil || slices.Contains(spec.Library, name) || !slices.Contains(src.Agents, id) {
			continue
		}
		if _, err := n.toSource(ctx, t, src.ID, &actors.DisconnectSource{Agent: id}); err != nil {
			return notes, err
		}
	}
	return notes, nil
}

// ofLibrary finds a source of the library's own by title or id.
func (n *Node) ofLibrary(t tenant.ID, name string) (readmodel.Source, error) {
	return oneSource(n.model.Sources(func(x readmodel.Source) bool { return x.Tenant == t && x.Born.Owner == "" }), name)
}

// oneSource chooses by id, then by title or origin.
func oneSource(all []readmodel.Source, name string) (readmodel.Source, error) {
	var found []readmodel.Source
	for _, x := range all {
		if x.ID == name {
			return x, nil
		}
		if x.Title == name || x.Origin == name {
			found = append(found, x)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return readmodel.Source{}, fmt.Errorf("there is no source %q in the library (see flametree knowledge list): %w", name, fault.NotFound)
	}
	return readmodel.Source{}, fmt.Errorf("%d sources are called %q: give the id: %w", len(found), name, fault.Conflict)
}
