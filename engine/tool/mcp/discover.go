package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"flametree/engine/fault"
	"flametree/engine/tool"
	"flametree/engine/tool/remote"
)

// The bounds of what a server lists.
const (
	maxTools       = 500 // that are kept of one server
	maxPages       = 200
	maxListed      = 20_000
	maxListing     = 16 << 20 // bytes of one listing
	maxDescription = 2000     // characters
	maxWarnings    = 20       // about single tools
)

// entry is a tool of ours and what stands behind it.
type entry struct {
	spec     tool.Spec
	original string // the server's own name, which alone it understands
	in       *remote.Schema
	out      *remote.Schema // nil: anything
}

// catalogue is what a server offers at one moment. It does not change.
type catalogue struct {
	entries map[string]*entry // by Spec.Name
	specs   []tool.Spec       // in the server's order
}

// listing is one reading of a server's list.
type listing struct {
	catalogue

	server Server
	log    *slog.Logger
	out    int // tools that cannot be taken
	over   int // tools for which there is no room
}

// discover lists all pages and vets what they say: rename, filter, put the code
// in front. A tool that cannot be taken is left out with a warning; a listing
// that does not end is an error.
func discover(ctx context.Context, session *sdk.ClientSession, s Server, log *slog.Logger) (*catalogue, error) {
	var (
		c      = listing{catalogue: catalogue{entries: map[string]*entry{}}, server: s, log: log}
		cursor string
		seen   = map[string]bool{}
		listed int
		size   int
	)
	for page := 0; ; page++ {
		if page == maxPages {
			return nil, fmt.Errorf("the list of tools has more than %d pages: %w", maxPages, fault.Invalid)
		}
		res, err := session.ListTools(ctx, &sdk.ListToolsParams{Cursor: cursor})
		if err != nil {
			return nil, fmt.Errorf("its tools cannot be listed: %w", err)
		}
		for _, t := range res.Tools {
			size += weigh(t)
			if listed++; listed > maxListed || size > maxListing {
				return nil, fmt.Errorf("the list of tools is longer than %d tools or %d bytes: %w", maxListed, maxListing, fault.Invalid)
			}
			c.add(t)
		}
		if res.NextCursor == "" {
			break
		}
		if seen[res.NextCursor] {
			return nil, fmt.Errorf("the pages of its list of tools go in a circle: %w", fault.Invalid)
		}
		seen[res.NextCursor], cursor = true, res.NextCursor
		size += len(cursor)
	}
	if c.out > maxWarnings {
		log.Warn("more tools are left out", "server", s.Code, "left_out", c.out-maxWarnings)
	}
	if c.over > 0 {
		log.Warn("too many tools, the last are left out; choose with include", "server", s.Code, "kept", maxTools, "left_out", c.over)
	}
	return &c.catalogue, nil
}

// weigh is about what a tool costs in memory.
func weigh(t *sdk.Tool) int {
	n := len(t.Name) + len(t.Description) + len(t.Title) + 256
	for _, s := range []any{t.InputSchema, t.OutputSchema, t.Icons, t.Meta} {
		if b, err := json.Marshal(s); err == nil {
			n += len(b)
		}
	}
	return n
}

// add takes one tool, if it is wanted, can be and has room.
func (l *listing) add(t *sdk.Tool) {
	renamed := l.server.Rename.Apply(t.Name)
	if !l.server.wanted(renamed) {
		return
	}
	if len(l.specs) == maxTools {
		l.over++
		return
	}
	name, err := named(t, l.server, renamed)
	if err == nil && l.entries[name] != nil {
		err = errors.New("another tool has this name; rename one of them")
	}
	var e *entry
	if err == nil {
		e, err = vet(t, l.server, name)
	}
	if err != nil {
		if l.out++; l.out <= maxWarnings { // a stranger does not fill our log
			l.log.Warn("a tool is left out", "server", l.server.Code, "tool", remote.Printable(t.Name, 80), "reason", err.Error())
		}
		return
	}
	if utf8.RuneCountInString(t.Description) > maxDescription {
		l.log.Warn("a tool's description is cut", "server", l.server.Code, "tool", name, "characters", maxDescription)
	}
	l.entries[name] = e
	l.specs = append(l.specs, e.spec)
}

// named is our name of a tool.
func named(t *sdk.Tool, s Server, renamed string) (string, error) {
	if t.Name == "" || !utf8.ValidString(t.Name) || strings.ContainsFunc(t.Name, unicode.IsControl) {
		return "", errors.New("its name is empty or has control characters")
	}
	name := s.Code + "_" + valid(renamed)
	if len(name) > tool.MaxName || name == s.Code+"_" {
		return "", fmt.Errorf("its name does not fit into %d characters, letters and digits; rename it", tool.MaxName)
	}
	return name, nil
}

// vet makes an entry of what a server says about one tool.
func vet(t *sdk.Tool, s Server, name string) (*entry, error) {
	in, err := compile(t.InputSchema)
	if err != nil {
		return nil, err
	}
	if !in.Object() {
		return nil, errNoObject
	}
	e := &entry{original: t.Name, in: in}
	if t.OutputSchema != nil {
		if e.out, err = compile(t.OutputSchema); err != nil {
			return nil, fmt.Errorf("of its results %w", err)
		}
	}
	timeout := s.Timeout
	if timeout == 0 {
		timeout = tool.DefaultTimeout
	}
	e.spec = tool.Spec{
		Name:        name,
		Description: describe(t),
		Schema:      in.Raw,
		Group:       s.Code,
		Timeout:     timeout,
		// Without a word about it a tool may change something (revision
		// 2025-06-18, ToolAnnotations.readOnlyHint).
		SideEffect: t.Annotations == nil || !t.Annotations.ReadOnlyHint,
	}
	return e, nil
}

func describe(t *sdk.Tool) string {
	text := t.Description
	if strings.TrimSpace(text) == "" {
		text = t.Title
	}
	if strings.TrimSpace(text) == "" && t.Annotations != nil {
		text = t.Annotations.Title
	}
	return remote.Printable(text, maxDescription)
}

// valid turns each run of characters that a tool's name cannot have into "_".
func valid(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range name {
		if r == '-' || r == '_' || (r < utf8.RuneSelf && strings.ContainsRune(remote.Alphanumeric, r)) {
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			gap = false
			b.WriteRune(r)
			continue
		}
		gap = true
	}
	return b.String()
}
