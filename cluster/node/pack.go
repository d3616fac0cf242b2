package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/engine/tool/openapi"
)

// pack keeps what an agent file names by path: a revision is to run with what
// stood there when it was saved. What was kept before and is not there any more
// stays as old pins say.
func (n *Node) pack(ctx context.Context, t tenant.ID, dir string, s *agent.Spec, old []event.Pair) ([]event.Pair, error) {
	p := packer{n: n, tenant: t, dir: dir, old: old}
	for _, g := range s.ToolGroups {
		p.group(ctx, g)
	}
	for _, o := range s.OpenAPI {
		p.pin(ctx, "openapi/"+o.Document, o.Document, n.packDocument)
	}
	for _, c := range s.Catalogs {
		if c.Path != "" { // else one of the tenant's, as it is at the moment
			p.pin(ctx, "catalog/"+catalogName(c), c.Path, readFile)
		}
	}
	for _, f := range s.Files {
		p.pin(ctx, "file/"+f, f, readFile)
	}
	if p.err != nil {
		return nil, p.err
	}
	slices.SortFunc(p.pins, func(a, b event.Pair) int { return strings.Compare(a.Key, b.Key) })
	return slices.Compact(p.pins), nil
}

func catalogName(c agent.Catalog) string {
	if c.Path != "" {
		return c.Path
	}
	return c.Name
}

// packer collects pins and keeps the first error.
type packer struct {
	n      *Node
	tenant tenant.ID
	dir    string
	old    []event.Pair
	pins   []event.Pair
	err    error
}

func (p *packer) pin(ctx context.Context, key, path string, read func(ctx context.Context, path string) ([]byte, error)) {
	if p.err != nil {
		return
	}
	if path == "" || p.dir == "" && !web(path) { // by name, or from nowhere: what is kept already
		if name, ok := pin(p.old, key); ok {
			p.pins = append(p.pins, event.Pair{Key: key, Value: name})
			return
		}
		p.err = fmt.Errorf("%s: there is no file of that name to be read: %w", key, fault.NotFound)
		return
	}
	if !web(path) && !filepath.IsAbs(path) {
		path = filepath.Join(p.dir, path)
	}
	data, err := read(ctx, path)
	if err != nil {
		p.err = fmt.Errorf("%s: %w", key, err)
		return
	}
	name, err := p.n.blobs.Put(func(w io.Writer) error { _, err := w.Write(data); return err })
	if err != nil {
		p.err = err
		return
	}
	p.pins = append(p.pins, event.Pair{Key: key, Value: name})
}

func web(path string) bool {
	return strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://")
}

// maxKept bounds one file that a revision keeps.
const maxKept = 100 << 20

func readFile(_ context.Context, path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", fault.NotFound, err)
	case info.Size() > maxKept:
		return nil, fmt.Errorf("%d MB are more than the %d allowed: %w", info.Size()>>20, maxKept>>20, fault.Exhausted)
	}
	return os.ReadFile(path)
}

func (n *Node) packDocument(ctx context.Context, path string) ([]byte, error) {
	if web(path) {
		return openapi.Import(ctx, path, n.egress.Client())
	}
	return readFile(ctx, path)
}
