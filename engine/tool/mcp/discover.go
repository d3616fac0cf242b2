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
)

// The bounds of what a server lists.
const (
	maxTools       = 500 // that are kept of one server
	maxPages       = 200
	maxListed      = 20_000
	maxListing     = 16 << 20 // bytes of one listing
	maxDescription = 2000     // characters
)

// entry is a tool of ours and what stands behind it.
type entry struct {
	spec     tool.Spec
	original string // the server's own name, which alone it understands
	in       *schema
	out      *schema // nil: anything
}

// catalogue is what a server offers at one moment. It does not change.
type catalogue struct {
	entries map[string]*entry // by Spec.Name
	specs   []tool.Spec       // in the server's order
}

// discover lists all pages and vets what they say: rename, filter, put the code
// in front. A tool that cannot be taken is left out with a warning; a listing
// that does not end is an error.
func discover(ctx context.Context, session *sdk.ClientSession, s Server, log *slog.Logger) (*catalogue, error) {
	var (
		c      = &catalogue{entries: map[string]*entry{}}
		cursor string
		seen   = map[string]bool{}
		listed int
		size   int
		over   int
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
			if !c.add(t, s, log) {
				over++
			}
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
	if over > 0 {
		log.Warn("too many tools, the last are left out; choose with include", "server", s.Code, "kept", maxTools, "left_out", over)
	}
	return c, nil
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

// add takes one tool, and reports false when there is no room for it.
func (c *catalogue) add(t *sdk.Tool, s Server, log *slog.Logger) bool {
	name := s.Rename.Apply(t.Name)
	if !s.wanted(name) {
		return true
	}
	if len(c.specs) == maxTools {
		return false
	}
	e, err := vet(t, s, name)
	if err == nil && c.entries[e.spec.Name] != nil {
		err = errors.New("another tool has this name; rename one of them")
	}
	if err != nil {
		log.Warn("a tool is left out", "server", s.Code, "tool", printable(t.Name, 80), "reason", err.Error())
		return true
	}
	if utf8.RuneCountInString(t.Description) > maxDescription {
		log.Warn("a tool's description is cut", "server", s.Code, "tool", e.spec.Name, "characters", maxDescription)
	}
	c.entries[e.spec.Name] = e
	c.specs = append(c.specs, e.spec)
	return true
}

// vet makes an entry of what a server says about one tool.
func vet(t *sdk.Tool, s Server, renamed string) (*entry, error) {
	if t.Name == "" || !utf8.ValidString(t.Name) || strings.ContainsFunc(t.Name, unicode.IsControl) {
		return nil, errors.New("its name is empty or has control characters")
	}
	name := s.Code + "_" + valid(renamed)
	if len(name) > tool.MaxName || name == s.Code+"_" {
		return nil, fmt.Errorf("its name does not fit into %d characters, letters and digits; rename it", tool.MaxName)
	}
	in, err := compile(t.InputSchema)
	if err != nil {
		return nil, err
	}
	if !in.object() {
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
		Schema:      in.raw,
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
	return printable(text, maxDescription)
}

// valid turns each run of characters that a tool's name cannot have into "_".
func valid(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range name {
		if r == '-' || r == '_' || (r < utf8.RuneSelf && strings.ContainsRune(alphanumeric, r)) {
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

// printable keeps at most n characters of a stranger's text, without those that
// move a cursor or hide others.
func printable(text string, n int) string {
	var b strings.Builder
	for _, r := range text {
		if n--; n < 0 {
			break
		}
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String())
}
