package index

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/knowledge/lexis"
)

// Local embeds a question where it stands: purely, without a wait, and alike to
// the Embedder that filled the shelves. It is safe for concurrent use.
type Local interface {
	EmbedOne(text string) []float32
}

// Options of an Index. The zero value searches by words, and by vectors where
// the question's is given.
type Options struct {
	Lexicon *lexis.Lexicon // nil: one of its own
	Local   Local          // nil: Find searches by words alone
	// Trust is how much a likeness proves that no word supports, 0..1: 0 for
	// vectors made of spelling, about 0.6 for those of a model that knows meanings.
	Trust float64
}

// Index searches shelves. Searches may run in any number while one Change after
// the other is made; a search sees all of a change or nothing. It satisfies
// actors.Retriever.
type Index struct {
	options Options
	writing sync.Mutex // one Change at a time; searches do not know it
	now     atomic.Pointer[state]
}

// state is what searches see. It never changes.
type state struct {
	words   *knowledge.Index
	shelves map[string]*Shelf // by source
	of      []string          // by passage: the source of its shelf
	vectors []vector          // by passage
	model   string
	sketch  *sketch // nil without vectors
}

// New makes an Index without shelves.
func New(o Options) *Index {
	if o.Lexicon == nil {
		o.Lexicon = lexis.New()
	}
	x := &Index{options: o}
	x.now.Store(&state{words: knowledge.BuildWith(o.Lexicon, nil)})
	return x
}

// Change takes away the shelves of some sources and puts others in, each in the
// place of the one of the same source. Sources that are not there are not
// missed. Shelves with vectors must all be of one model, else nothing changes
// and the error wraps fault.Conflict. It takes time in proportion to the whole
// library and much more for the passages that are new (figures in
// bench/retrieval); changes that come together should be made together.
func (x *Index) Change(remove []string, put ...*Shelf) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	old := x.now.Load()
	next := &state{shelves: maps.Clone(old.shelves)}
	if next.shelves == nil {
		next.shelves = make(map[string]*Shelf)
	}
	gone := make(map[string]bool)
	for _, id := range remove {
		gone[id] = true
		delete(next.shelves, id)
	}
	for _, s := range put {
		gone[s.label.Source] = true
		next.shelves[s.label.Source] = s
	}
	dim, err := next.agree()
	if err != nil {
		return err
	}
	var add []knowledge.Source
	for _, s := range put {
		if next.shelves[s.label.Source] == s { // else a later one of the same source came with it
			add = append(add, s.sources...)
		}
	}
	var stayed []int32
	next.words, stayed = old.words.Change(func(p int32) bool { return gone[old.of[p]] }, add)
	next.line(old, stayed, put, dim)
	x.now.Store(next)
	return nil
}

// agree finds the model and the dimensions that all shelves with vectors share.
func (s *state) agree() (dim int, err error) {
	for _, id := range slices.Sorted(maps.Keys(s.shelves)) {
		one := s.shelves[id]
		switch {
		case one.dim == 0:
		case dim == 0:
			dim, s.model = one.dim, one.label.Model
		case dim != one.dim || s.model != one.label.Model:
			return 0, fmt.Errorf("index: source %q was embedded by %s (%d dimensions), others by %s (%d): index it again: %w",
				id, one.label.Model, one.dim, s.model, dim, fault.Conflict)
		}
	}
	return dim, nil
}

// line sets vectors beside passages: first those that stayed, then the new ones.
func (s *state) line(old *state, stayed []int32, put []*Shelf, dim int) {
	n := s.words.Len()
	s.of, s.vectors = make([]string, 0, n), make([]vector, 0, n)
	for _, p := range stayed {
		s.of = append(s.of, old.of[p])
		s.vectors = append(s.vectors, old.vectors[p])
	}
	for _, one := range put {
		if s.shelves[one.label.Source] != one {
			continue
		}
		for i := range one.passages() {
			s.of = append(s.of, one.label.Source)
			v := vector{}
			if one.dim > 0 {
				v = one.vectors[i]
			}
			s.vectors = append(s.vectors, v)
		}
	}
	if s.model != old.model {
		old = &state{}
		stayed = nil
	}
	s.sketch = sketchOf(dim, s.vectors, old.sketch, stayed)
}

// Len is the number of passages.
func (x *Index) Len() int { return x.now.Load().words.Len() }

// Dim is the number of dimensions of the vectors that are searched, 0 where
// there are none.
func (x *Index) Dim() int {
	if s := x.now.Load(); s.sketch != nil {
		return s.sketch.dim
	}
	return 0
}

// Shelves are the shelves that are searched, by the ids of their sources.
func (x *Index) Shelves() []*Shelf {
	s := x.now.Load()
	out := make([]*Shelf, 0, len(s.shelves))
	for _, id := range slices.Sorted(maps.Keys(s.shelves)) {
		out = append(out, s.shelves[id])
	}
	return out
}

// Lexicon is the one the Index reads with.
func (x *Index) Lexicon() *lexis.Lexicon { return x.options.Lexicon }
