package node

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/library"
)

// maxWritten is how many questions a model may be asked to write of one file.
const maxWritten = 500

// WriteFAQ is a file that a model is to write questions with answers from.
type WriteFAQ struct {
	Agent   string // whose model writes: id, alias or name
	Name    string // of the file
	Content []byte
	Count   int                // at most so many; 0 = 100
	Told    func(done, of int) // parts of the file that were read
}

// WrittenFAQ is what a model wrote. Refused counts answers that no passage of
// the file supports.
type WrittenFAQ struct {
	Written []ingest.Written `json:"written"`
	Refused int              `json:"refused"`
}

// QuestionsWrite has an agent's model write questions with answers that a file
// supports. Nothing is kept of it: who asked looks at them first.
func (n *Node) QuestionsWrite(ctx context.Context, w WriteFAQ) (WrittenFAQ, error) {
	if w.Count < 0 || w.Count > maxWritten {
		return WrittenFAQ{}, fmt.Errorf("a model writes 1 to %d questions of a file, not %d: %w", maxWritten, w.Count, fault.Invalid)
	}
	a, state, err := n.agentState(ctx, w.Agent)
	if err != nil {
		return WrittenFAQ{}, err
	}
	cast, err := n.casting.Cast(ctx, a.Tenant, a.ID, cmp.Or(state.Live, state.Latest()))
	if err != nil {
		return WrittenFAQ{}, err
	}
	doc, err := n.library.readWhole(ctx, w.Content, w.Name)
	if err != nil {
		return WrittenFAQ{}, err
	}
	if len(doc.Sections) == 0 {
		return WrittenFAQ{}, fmt.Errorf("no text was found in %s%s: %w", filepath.Base(w.Name), because(doc.Warnings), fault.Invalid)
	}
	llm := cast.Revision.Spec.LLM
	list, refused, err := ingest.Writer{Model: cast.Thinks, Name: llm.Model, Most: w.Count, Told: w.Told}.Write(ctx, doc)
	if err != nil {
		return WrittenFAQ{}, fmt.Errorf("%s: %w", filepath.Base(w.Name), err)
	}
	if len(list) == 0 {
		return WrittenFAQ{}, fmt.Errorf("the model %s wrote no question that %s answers (%d answers were not supported by it): name another one under models.llm of the agent, or add the file without --as-faq: %w",
			cmp.Or(llm.Model, llm.Provider, "that is built in"), filepath.Base(w.Name), refused, fault.Invalid)
	}
	return WrittenFAQ{Written: list, Refused: refused}, nil
}

// QuestionsOf are the questions with answers of a source.
func (n *Node) QuestionsOf(ctx context.Context, source string) ([]ingest.QA, error) {
	s, err := n.findSource(ctx, source)
	if err != nil {
		return nil, err
	}
	if s.Born.Type != library.FAQ {
		return nil, fmt.Errorf("%q is a source of type %s and holds no questions with answers: %w", s.Title, s.Born.Type, fault.Invalid)
	}
	return n.library.faqs(s.Content.Blob)
}

// QuestionsSet gives a source of questions another list of them, and has it
// indexed. name tells the form of raw, as in SourceAdd.
func (n *Node) QuestionsSet(ctx context.Context, source, name string, raw []byte) (SourceCard, error) {
	if _, err := n.QuestionsOf(ctx, source); err != nil {
		return SourceCard{}, err
	}
	list, err := n.library.questions(ctx, raw, name)
	if err != nil {
		return SourceCard{}, err
	}
	n.library.adopting.Lock()
	defer n.library.adopting.Unlock()
	s, err := n.findSource(ctx, source)
	if err != nil {
		return SourceCard{}, err
	}
	saved, err := n.library.saveFAQ(list)
	if err != nil {
		return SourceCard{}, err
	}
	saved.Title, saved.Origin, saved.Name = s.Title, s.Origin, s.Content.Name
	v, err := n.toSource(ctx, s.Tenant, s.ID, &actors.SaveSource{Saved: saved, Index: true})
	if err != nil {
		return SourceCard{}, err
	}
	return n.sourceCard(v), n.settled(ctx)
}
