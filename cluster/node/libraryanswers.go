package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/library"
	"flametree/engine/tenant"
	"flametree/persist/journal"
	"flametree/persist/readmodel"
)

// answered is the title of the FAQ that takes the answers to questions nobody
// named another one for.
const answered = "Answered questions"

// QuestionCard is a question that agents could not answer.
type QuestionCard struct {
	ID       string    `json:"id"`
	Question string    `json:"question"`
	Sessions int       `json:"sessions"`
	Count    int       `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Agents   []string  `json:"agents"` // names of those that were asked
}

// questionID names a group of questions for as long as its first words stand.
func questionID(question string) string {
	sum := sha256.Sum256([]byte(question))
	return hex.EncodeToString(sum[:4])
}

// QuestionList shows the questions that wait for an answer.
func (n *Node) QuestionList(ctx context.Context) ([]QuestionCard, error) {
	if err := n.caughtUp(ctx); err != nil {
		return nil, err
	}
	out := []QuestionCard{}
	for _, t := range n.model.Tenants() {
		for _, g := range n.model.Unanswered(t) {
			c := QuestionCard{
				ID: questionID(g.Question), Question: g.Common, Sessions: g.Sessions, Count: g.Count, First: g.First, Last: g.Last, Agents: []string{},
			}
			for _, a := range n.askedOf(g) {
				c.Agents = append(c.Agents, n.agentName(a))
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// askedOf are the agents that a question was put to.
func (n *Node) askedOf(g library.Group) []string {
	var out []string
	for _, id := range g.Names {
		if s, ok := n.model.Session(id); ok && !slices.Contains(out, s.Agent) {
			out = append(out, s.Agent)
		}
	}
	return out
}

func (n *Node) findQuestion(ctx context.Context, what string) (tenant.ID, library.Group, error) {
	if err := n.caughtUp(ctx); err != nil {
		return tenant.ID{}, library.Group{}, err
	}
	for _, t := range n.model.Tenants() {
		for _, g := range n.model.Unanswered(t) {
			if questionID(g.Question) == what || g.Question == what || g.Common == what {
				return t, g, nil
			}
		}
	}
	return tenant.ID{}, library.Group{}, fmt.Errorf("no such question waits for an answer (see flametree knowledge unanswered list): %w", fault.NotFound)
}

// QuestionAnswer turns an unanswered question into a question with its answer
// in a FAQ of the library, which the agents that were asked then search.
// source is the FAQ's title or id, "" = one for such answers.
func (n *Node) QuestionAnswer(ctx context.Context, what, answer, source string) (SourceCard, error) {
	answer = strings.TrimSpace(answer)
	if answer == "" {
		return SourceCard{}, fmt.Errorf("the answer is empty: %w", fault.Invalid)
	}
	t, g, err := n.findQuestion(ctx, what)
	if err != nil {
		return SourceCard{}, err
	}
	v, err := n.enter(ctx, t, cmp.Or(source, answered), ingest.QA{Question: g.Common, Answer: answer}, source == "")
	if err != nil {
		return SourceCard{}, err
	}
	for _, id := range n.askedOf(g) {
		state, err := n.casting.read(ctx, t, id)
		if err != nil {
			return SourceCard{}, err
		}
		if v, err = n.toSource(ctx, t, v.ID, &actors.ConnectSource{Agent: id, Revision: state.Latest()}); err != nil {
			return SourceCard{}, err
		}
	}
	return n.sourceCard(v), n.resolve(ctx, t, g, library.Answered, v.ID)
}

// enter adds a question to a FAQ of the library and has it indexed.
func (n *Node) enter(ctx context.Context, t tenant.ID, title string, q ingest.QA, create bool) (*actors.SourceView, error) {
	n.library.adopting.Lock()
	defer n.library.adopting.Unlock()
	if err := n.caughtUp(ctx); err != nil {
		return nil, err
	}
	src, err := n.ofLibrary(t, title)
	if err != nil && (!create || fault.KindOf(err) != fault.NotFound) {
		return nil, err
	}
	list := []ingest.QA{q}
	if err == nil {
		if src.Born.Type != library.FAQ {
			return nil, fmt.Errorf("%q is a source of type %s: an answer goes to a FAQ: %w", src.Title, src.Born.Type, fault.Invalid)
		}
		old, err := n.library.faqs(src.Content.Blob)
		if err != nil {
			return nil, err
		}
		old = slices.DeleteFunc(old, func(o ingest.QA) bool { return o.Question == q.Question })
		list = append(old, q)
	}
	saved, errSave := n.library.saveFAQ(list)
	if errSave != nil {
		return nil, errSave
	}
	saved.Title = cmp.Or(src.Title, title)
	if err == nil {
		saved.Origin, saved.Name = src.Origin, src.Content.Name
		return n.toSource(ctx, t, src.ID, &actors.SaveSource{Saved: saved, Index: true})
	}
	born := event.SourceCreated{Type: library.FAQ, Title: saved.Title}
	return n.toSource(ctx, t, n.sourceID(), &actors.CreateSource{Born: born, Saved: &saved, Index: true})
}

// QuestionDismiss takes a question off the list.
func (n *Node) QuestionDismiss(ctx context.Context, what string) error {
	t, g, err := n.findQuestion(ctx, what)
	if err != nil {
		return err
	}
	return n.resolve(ctx, t, g, library.Dismissed, "")
}

// resolve ends a group of questions in the tenant's stream. Its words are sealed
// with the key of whoever asked first: with them it can be forgotten.
func (n *Node) resolve(ctx context.Context, t tenant.ID, g library.Group, how, source string) error {
	events, err := n.model.Resolve(t, g.Question, how, source)
	if err != nil {
		return err
	}
	s := event.Stream{Tenant: t, Kind: event.TenantStream, ID: t.String()}
	n.library.adopting.Lock() // nobody else writes this stream after it was made
	defer n.library.adopting.Unlock()
	head, err := n.journal.Claim(ctx, s)
	if err != nil {
		return err
	}
	_, err = n.journal.Append(ctx, journal.Batch{
		Stream: s, Expected: head.Version, Epoch: head.Epoch, Subject: g.Names[0], At: time.Now(), Events: events,
	})
	if err != nil {
		return err
	}
	return n.caughtUp(ctx)
}

// again has a source indexed anew.
func (n *Node) again(s readmodel.Source) {
	_ = n.dir.Send(actors.ID{Kind: event.SourceStream, Tenant: s.Tenant, Name: s.ID}, &actors.IndexSource{}) // told by the next look at it
}
