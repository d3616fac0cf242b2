package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/knowledge/index"
	"flametree/engine/provider"
)

// unread is how long vectors are kept that nobody reads: an embedder that an
// agent went back to, and sources that are gone.
const unread = 90 * 24 * time.Hour

// space is where the vectors of one model at one address lie: a folder with one
// file for each shelf. They can be made again, so nothing is decided by them.
type space struct {
	dir   string
	card  spaceCard
	log   *slog.Logger
	makes sync.Mutex // one at a time makes vectors

	mu      sync.Mutex
	shelves map[string]*index.Shelf
}

// spaceCard says whose a folder is.
type spaceCard struct {
	BaseURL string `json:"base_url"`
	Model   string `json:"model"`
	Dim     int    `json:"dim"` // 0 = never learned
}

func openSpace(dir, url, model string, log *slog.Logger) *space {
	sum := sha256.Sum256([]byte(url + "\x00" + model))
	s := &space{
		dir: filepath.Join(dir, hex.EncodeToString(sum[:8])), card: spaceCard{BaseURL: url, Model: model}, log: log,
		shelves: make(map[string]*index.Shelf),
	}
	raw, err := os.ReadFile(s.cardPath())
	var was spaceCard
	if err == nil && json.Unmarshal(raw, &was) == nil && was.BaseURL == url && was.Model == model && was.Dim <= index.MaxDim {
		s.card.Dim = max(0, was.Dim)
	}
	s.sweep()
	return s
}

func (s *space) cardPath() string         { return filepath.Join(s.dir, "space.json") }
func (s *space) path(shelf string) string { return filepath.Join(s.dir, shelf+".shelf") }

// sweep removes what was not read for long.
func (s *space) sweep() {
	names, _ := filepath.Glob(s.path("*")) // the pattern is right
	for _, name := range names {
		if at, err := os.Stat(name); err == nil && time.Since(at.ModTime()) > unread {
			_ = os.Remove(name) // tried again at the next start
		}
	}
}

// sized is an embedder whose dimension is known from before.
type sized struct {
	provider.Embedder
	dim int
}

// Dim implements provider.Embedder.
func (s sized) Dim() int { return s.dim }

// label names the space for shelves: vectors of two lengths cannot be compared.
func (s *space) label() (name string, dim int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%s %s %d", s.card.BaseURL, s.card.Model, s.card.Dim), s.card.Dim
}

// learn takes in the dimension that the embedder gives now. Vectors of another
// one are worthless.
func (s *space) learn(dim int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if dim == s.card.Dim {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("vectors: %w: %w", fault.Unavailable, err)
	}
	card := s.card
	card.Dim = dim
	if err := writeJSON(s.cardPath(), card); err != nil {
		return err
	}
	s.card = card
	clear(s.shelves)
	return nil
}

// shelf is a shelf with the vectors that there are for it, in memory or on disk.
func (s *space) shelf(ctx context.Context, name string, base *index.Shelf) (*index.Shelf, error) {
	s.mu.Lock()
	have := s.shelves[name]
	s.mu.Unlock()
	if have != nil {
		return have, nil
	}
	label, dim := s.label()
	if dim == 0 {
		return index.Fill(ctx, nil, base.Label(), base.Sources(), nil)
	}
	old, err := s.read(name)
	if err != nil && !errors.Is(err, fault.NotFound) {
		s.log.Warn("vectors cannot be read and are made anew", "err", err, "shelf", name)
	}
	if have, err = base.More(ctx, sized{dim: dim}, label, 0, old); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.shelves[name] = have
	s.mu.Unlock()
	return have, nil
}

func (s *space) read(name string) (*index.Shelf, error) {
	raw, err := os.ReadFile(s.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.NotFound
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fault.Unavailable, err)
	}
	now := time.Now()
	_ = os.Chtimes(s.path(name), now, now) // else it is swept too early, and made again
	return index.Decode(raw)
}

// keep has a shelf found from now on, after a restart too.
func (s *space) keep(name string, shelf *index.Shelf) error {
	s.mu.Lock()
	s.shelves[name] = shelf
	s.mu.Unlock()
	f, err := os.CreateTemp(s.dir, "new-*")
	if err != nil {
		return fmt.Errorf("vectors: %w: %w", fault.Unavailable, err)
	}
	_, err = f.Write(shelf.Encode())
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.path(name))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // of no use
		return fmt.Errorf("vectors: %w: %w", fault.Unavailable, err)
	}
	return nil
}

// saveAfter is how many new vectors are worth a file: one is written whole each
// time, so that a large one is written seldom.
func saveAfter(done int) int { return max(4*window, done/4) }

// window is how many passages are embedded before it is told how far it is.
const window = 256

// fill makes the vectors that a shelf lacks. Each time some are kept, told is
// called: agents may find them.
func (e *embedder) fill(ctx context.Context, name string, base *index.Shelf, told func()) error {
	e.space.makes.Lock()
	defer e.space.makes.Unlock()
	if e.asks.Dim() == 0 {
		if _, err := e.asks.Embed(ctx, []string{"ok"}); err != nil {
			return err
		}
	}
	if err := e.space.learn(e.asks.Dim()); err != nil {
		return err
	}
	label, _ := e.space.label()
	shelf, err := e.space.shelf(ctx, name, base)
	if err != nil {
		return err
	}
	for fresh := 0; shelf.Missing() > 0; {
		lacked := shelf.Missing()
		shelf, err = shelf.More(ctx, e.asks, label, window, nil)
		fresh += lacked - shelf.Missing()
		if fresh > 0 && (err != nil || shelf.Missing() == 0 || fresh >= saveAfter(shelf.Len()-shelf.Missing())) {
			err = errors.Join(err, e.space.keep(name, shelf))
			fresh = 0
			told()
		}
		if err != nil {
			return err
		}
		e.made(name, shelf)
	}
	e.made(name, shelf)
	return nil
}

// marked names what a shelf holds: its content, and how much of it has vectors of what.
func marked(blob string, s *index.Shelf) string {
	return strings.Join([]string{blob, s.Label().Model, fmt.Sprint(s.Missing())}, "/")
}
