package index

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/provider"
)

// The limits of a Shelf.
const (
	MaxDim = 8192
	batch  = 64 // texts of one request to an Embedder
)

// Label says whose a Shelf is.
type Label struct {
	Source   string // id of the library source
	Revision uint64 // of its content
	Model    string // of the embedder: only vectors of one model can be compared; "" without vectors
}

// Shelf is what a library source says, read and embedded once. It is immutable
// and safe for concurrent use.
type Shelf struct {
	label   Label
	dim     int // 0: without vectors
	sources []knowledge.Source
	vectors []vector // one a passage, in the order of sources; nil without vectors, without numbers where one is missing
}

// Fill makes a Shelf: each passage is embedded together with its title and
// question. With a nil Embedder it has no vectors and is found by words only.
// Passages that old (nil = none) holds with the same words are not embedded
// again. The sources must not be changed afterwards. An error of the Embedder is
// wrapped; vectors of a wrong size or without length are its fault.Bug.
func Fill(ctx context.Context, e provider.Embedder, label Label, sources []knowledge.Source, old *Shelf) (*Shelf, error) {
	s := &Shelf{label: label, sources: sources}
	if e == nil {
		s.label.Model = ""
		return s, nil
	}
	s.dim = e.Dim()
	if label.Model == "" || s.dim < 1 || s.dim > MaxDim {
		return nil, fmt.Errorf("index: an embedder needs a model's name and 1 to %d dimensions, not %q and %d: %w", MaxDim, label.Model, s.dim, fault.Invalid)
	}
	texts := s.texts()
	missing := s.keep(texts, old)
	for some := range slices.Chunk(missing, batch) {
		if err := s.embed(ctx, e, texts, some); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// More makes a Shelf of what s says with the vectors of another embedder, of
// which it need not have all at once: those that s or old (nil = none) has of
// that model stay, and at most so many of the missing ones are made. A passage
// without a vector is found by its words. Where the embedder fails, More gives
// what it has by then beside the error, which is that of Fill.
func (s *Shelf) More(ctx context.Context, e provider.Embedder, model string, most int, old *Shelf) (*Shelf, error) {
	out := &Shelf{label: s.label, dim: e.Dim(), sources: s.sources}
	out.label.Model = model
	if model == "" || out.dim < 1 || out.dim > MaxDim {
		return s, fmt.Errorf("index: an embedder needs a model's name and 1 to %d dimensions, not %q and %d: %w", MaxDim, model, out.dim, fault.Invalid)
	}
	texts := out.texts()
	missing := out.keep(texts, s, old)
	for some := range slices.Chunk(missing[:min(most, len(missing))], batch) {
		if err := out.embed(ctx, e, texts, some); err != nil {
			return out, err
		}
	}
	return out, nil
}

// Missing is how many passages have no vector.
func (s *Shelf) Missing() int {
	n := s.passages()
	for _, v := range s.vectors {
		if v.numbers != nil {
			n--
		}
	}
	return n
}

// Len is the number of passages.
func (s *Shelf) Len() int { return s.passages() }

// keep takes over the vectors of the same texts from other shelves of the same
// model, and lists the passages that are left without one.
func (s *Shelf) keep(texts []string, from ...*Shelf) (missing []int) {
	s.vectors = make([]vector, len(texts))
	var known []map[string]vector
	for _, one := range from {
		known = append(known, one.known(s.label.Model, s.dim))
	}
next:
	for i, t := range texts {
		for _, k := range known {
			if v, ok := k[t]; ok {
				s.vectors[i] = v
				continue next
			}
		}
		missing = append(missing, i)
	}
	return missing
}

// embed embeds the texts of some passages.
func (s *Shelf) embed(ctx context.Context, e provider.Embedder, texts []string, some []int) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("index: embedding was stopped: %w: %w", fault.Cancelled, err)
	}
	ask := make([]string, len(some))
	for i, n := range some {
		ask[i] = texts[n]
	}
	got, err := e.Embed(ctx, ask)
	if err != nil {
		return fmt.Errorf("index: passages %d to %d of %d cannot be embedded: %w", some[0]+1, some[len(some)-1]+1, len(texts), err)
	}
	if len(got) != len(some) {
		return fmt.Errorf("index: the embedder gave %d vectors for %d texts: %w", len(got), len(some), fault.Bug)
	}
	for i, v := range got {
		p, ok := pack(v)
		if len(v) != s.dim || !ok {
			return fmt.Errorf("index: the vector of passage %d has %d numbers and must have %d that are not all zero: %w", some[i]+1, len(v), s.dim, fault.Bug)
		}
		s.vectors[some[i]] = p
	}
	return nil
}

// texts are the passages as they are embedded.
func (s *Shelf) texts() []string {
	var out []string
	for _, one := range s.sources {
		for _, t := range one.Passages() {
			out = append(out, strings.TrimSpace(strings.Join([]string{one.Title, one.Question, t}, "\n")))
		}
	}
	return out
}

// known are the vectors of a shelf by their texts.
func (s *Shelf) known(model string, dim int) map[string]vector {
	if s == nil || s.label.Model != model || s.dim != dim {
		return nil
	}
	out := make(map[string]vector, len(s.vectors))
	for i, t := range s.texts() {
		if s.vectors[i].numbers != nil {
			out[t] = s.vectors[i]
		}
	}
	return out
}

// Label says whose the shelf is.
func (s *Shelf) Label() Label { return s.label }

// Sources are the texts as they were given. The caller must not change them.
func (s *Shelf) Sources() []knowledge.Source { return s.sources }

// passages is how many there are.
func (s *Shelf) passages() int {
	if s.dim > 0 {
		return len(s.vectors)
	}
	n := 0
	for _, one := range s.sources {
		n += len(one.Passages())
	}
	return n
}
