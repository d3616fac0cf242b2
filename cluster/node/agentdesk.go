package node

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/agent/bundle"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/readmodel"
)

// Kept is what saving an agent came to.
type Kept struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Token    string   `json:"token,omitempty"` // shown once, when the agent is made
	Revision uint64   `json:"revision"`
	Live     uint64   `json:"live"`
	Notes    []string `json:"notes,omitempty"`
}

// AgentCard is an agent with its revisions.
type AgentCard struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Alias     string         `json:"alias,omitempty"`
	Status    string         `json:"status"`
	Live      uint64         `json:"live"`
	Revisions []RevisionCard `json:"revisions,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	Draft     string         `json:"draft,omitempty"` // why a file that was given later is not a revision
}

// RevisionCard is one revision.
type RevisionCard struct {
	Number uint64    `json:"number"`
	At     time.Time `json:"at"`
	Bytes  int       `json:"bytes"`
}

// findAgent finds an agent by id, alias or name.
func (n *Node) findAgent(what string) (readmodel.Agent, error) {
	if a, ok := n.model.Agent(what); ok {
		return a, nil
	}
	var found []readmodel.Agent
	for _, a := range n.model.Agents() {
		if a.Name == what || a.Alias == what && what != "" {
			found = append(found, a)
		}
	}
	switch len(found) {
	case 0:
		return readmodel.Agent{}, fmt.Errorf("there is no agent %q (see flametree agent list): %w", what, fault.NotFound)
	case 1:
		return found[0], nil
	}
	return readmodel.Agent{}, fmt.Errorf("%d agents are called %q: give the id: %w", len(found), what, fault.Conflict)
}

// What an agent that does not run says of itself while a wizard makes it.
const (
	creating   = "creating"
	failedWith = "error: "
)

// status is an agent's, in the words of the documentation.
func status(running bool, reason string) string {
	switch {
	case running:
		return "Running"
	case reason == creating || strings.HasPrefix(reason, creating+": "):
		return "Creating"
	case strings.HasPrefix(reason, failedWith):
		return "Error"
	}
	return "Stopped"
}

// AgentList shows all agents.
func (n *Node) AgentList() []AgentCard {
	out := []AgentCard{}
	for _, a := range n.model.Agents() {
		out = append(out, AgentCard{ID: a.ID, Name: a.Name, Alias: a.Alias, Status: status(a.Running, a.Reason), Live: a.Published, Reason: a.Reason})
	}
	slices.SortFunc(out, func(a, b AgentCard) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	return out
}

// agentState reads an agent's journal.
func (n *Node) agentState(ctx context.Context, what string) (readmodel.Agent, agent.State, error) {
	if err := n.caughtUp(ctx); err != nil {
		return readmodel.Agent{}, agent.State{}, err
	}
	a, err := n.findAgent(what)
	if err != nil {
		return a, agent.State{}, err
	}
	s, err := n.casting.read(ctx, a.Tenant, a.ID)
	return a, s, err
}

// AgentShow shows one agent with its revisions.
func (n *Node) AgentShow(ctx context.Context, what string) (AgentCard, error) {
	a, s, err := n.agentState(ctx, what)
	if err != nil {
		return AgentCard{}, err
	}
	out := AgentCard{ID: a.ID, Name: s.Name, Alias: s.Alias, Status: status(s.Running, s.Reason), Live: s.Live, Reason: s.Reason, Draft: s.Draft.Fault}
	for _, r := range s.Saved {
		out.Revisions = append(out.Revisions, RevisionCard{Number: r.Number, At: r.At, Bytes: len(r.File)})
	}
	return out, nil
}

// AgentDiff says what changed between two revisions; 0 for to is the newest.
func (n *Node) AgentDiff(ctx context.Context, what string, from, to uint64) ([]agent.Hunk, error) {
	_, s, err := n.agentState(ctx, what)
	if err != nil {
		return nil, err
	}
	if to == 0 {
		to = s.Latest()
	}
	return s.Diff(from, to)
}

// AgentSave makes a revision of a file, of the agent that is named or of the
// one that has the file's name; there may be none: then it is made and started.
func (n *Node) AgentSave(ctx context.Context, what string, f AgentFile) (Kept, error) {
	spec, warnings, err := agent.Parse(f.Text)
	if what == "" {
		what = called(f.Text, spec)
	}
	if err != nil && (what == "" || len(f.Text) > agent.MaxBytes) {
		return Kept{}, err
	}
	a, old, found := n.agentState(ctx, what)
	if err != nil { // an agent that is there keeps the text as a draft
		if found != nil {
			return Kept{}, err
		}
		msg := &actors.Configure{File: string(f.Text), Fault: plainly(err)}
		_, err = ask[*agent.State](ctx, n.dir, actors.ID{Kind: event.AgentStream, Tenant: a.Tenant, Name: a.ID}, msg)
		return Kept{}, drafted(err, old)
	}
	out := Kept{ID: a.ID, Name: spec.Name}
	for _, w := range warnings {
		out.Notes = append(out.Notes, "file "+w.String())
	}
	if len(spec.Settings.ResultsEmailTo) > 0 && n.cfg.Mail.Server == "" {
		out.Notes = append(out.Notes, noMail)
	}
	msg := &actors.Configure{File: string(f.Text)}
	t := a.Tenant
	if found != nil {
		if fault.KindOf(found) != fault.NotFound {
			return Kept{}, found
		}
		if t, err = n.tenant(ctx); err != nil {
			return Kept{}, err
		}
		out.ID = n.newID(time.Now()).String()
		if out.Token, err = newToken(); err != nil {
			return Kept{}, err
		}
		run := true
		msg.Create = &event.AgentCreated{Name: spec.Name, Alias: spec.Alias, TokenHash: agent.TokenHash(out.Token)}
		msg.Run = &run
	}
	if err := n.prepare(ctx, msg, standing{tenant: t, folder: f.Folder, old: old}, spec); err != nil {
		return Kept{}, err
	}
	kept, err := n.send(ctx, t, out, msg)
	if msg.Fault != "" {
		return Kept{}, drafted(err, old)
	}
	return kept, err
}

// called is the name that a file gives its agent. One that cannot be read at
// all may still show it, on a line of its own.
func called(file []byte, spec *agent.Spec) string {
	if spec != nil {
		return spec.Name
	}
	for line := range strings.Lines(string(file[:min(len(file), agent.MaxBytes)])) {
		if name, ok := strings.CutPrefix(line, "name:"); ok {
			return strings.Trim(strings.TrimSpace(name), `"'`)
		}
	}
	return ""
}

// plainly is an error without the name of its kind, for texts that are kept.
func plainly(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+fault.KindOf(err).Error())
}

// drafted tells what became of a file that could not be used.
func drafted(err error, s agent.State) error {
	if fault.KindOf(err) != fault.Invalid {
		return err
	}
	force := "the agent has no revision yet"
	if s.Live > 0 {
		force = fmt.Sprintf("revision %d stays in force", s.Live)
	}
	return fmt.Errorf("%s\nthe file is kept as a draft of %q; %s: %w", plainly(err), s.Name, force, fault.Invalid)
}

func newToken() (string, error) {
	var secret [24]byte
	_, err := rand.Read(secret[:])
	return base64.RawURLEncoding.EncodeToString(secret[:]), err
}

// send gives an agent a change and builds what it needs before anybody writes.
func (n *Node) send(ctx context.Context, t tenant.ID, out Kept, msg *actors.Configure) (Kept, error) {
	s, err := ask[*agent.State](ctx, n.dir, actors.ID{Kind: event.AgentStream, Tenant: t, Name: out.ID}, msg)
	if err != nil {
		return Kept{}, err
	}
	out.Name, out.Revision, out.Live = s.Name, s.Latest(), s.Live
	if s.Live > 0 {
		notes, err := n.adopt(ctx, t, out.ID, s)
		if err != nil {
			return out, err
		}
		out.Notes = append(out.Notes, notes...)
		if notes, err = n.lendCatalogs(ctx, t, out.ID, s); err != nil {
			return out, err
		}
		out.Notes = append(out.Notes, notes...)
		if _, err := n.casting.Cast(ctx, t, out.ID, s.Live); err != nil {
			return out, err
		}
		for _, l := range n.casting.lacks(t, out.ID, s.Live) {
			out.Notes = append(out.Notes, "it goes without a server for now: "+l)
		}
	}
	return out, n.caughtUp(ctx)
}

// AgentChange publishes or restores a revision, or starts or stops the agent.
func (n *Node) AgentChange(ctx context.Context, what string, msg *actors.Configure) (Kept, error) {
	a, err := n.findAgent(what)
	if err != nil {
		return Kept{}, err
	}
	return n.send(ctx, a.Tenant, Kept{ID: a.ID}, msg)
}

// pinKind says as what a pinned blob travels.
func pinKind(key string) (bundle.Kind, string) {
	kind, name, _ := strings.Cut(key, "/")
	switch kind {
	case "group":
		return bundle.Group, name
	case "openapi":
		return bundle.Integration, name
	}
	return bundle.Document, key
}

func pinKey(p bundle.Part) string {
	switch p.Kind {
	case bundle.Group:
		return "group/" + p.Name
	case bundle.Integration:
		return "openapi/" + p.Name
	case bundle.Document:
	}
	return p.Name
}

// AgentExport seals an agent with all it names under a new secret key.
func (n *Node) AgentExport(ctx context.Context, what string, o bundle.Options) (key string, sealed []byte, err error) {
	_, s, err := n.agentState(ctx, what)
	if err != nil {
		return "", nil, err
	}
	saved, ok := s.Revision(s.Latest())
	if !ok {
		return "", nil, fmt.Errorf("agent %q has no revision yet: %w", s.Name, fault.NotFound)
	}
	var parts []bundle.Part
	for _, p := range saved.Pins {
		r, err := n.blobs.Get(p.Value)
		if err != nil {
			return "", nil, err
		}
		data, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil {
			return "", nil, err
		}
		kind, name := pinKind(p.Key)
		parts = append(parts, bundle.Part{Kind: kind, Name: name, Data: data})
	}
	var chance [20]byte
	if _, err := rand.Read(chance[:]); err != nil {
		return "", nil, err
	}
	key = bundle.Key(chance)
	sealed, err = bundle.Export(key, saved.File, parts, o, time.Now())
	return key, sealed, err
}

// AgentImport opens a bundle and says what importing it changes; with apply it
// makes the new agent.
func (n *Node) AgentImport(ctx context.Context, key string, sealed []byte, apply bool) (bundle.Plan, Kept, error) {
	b, err := bundle.Open(key, sealed)
	if err != nil {
		return bundle.Plan{}, Kept{}, err
	}
	plan, err := b.Plan(n.have(ctx))
	if err != nil || !apply {
		return plan, Kept{}, err
	}
	var pins []event.Pair
	there := n.have(ctx).Parts
	for _, step := range plan.Steps {
		if step.Action == bundle.Keep {
			pins = append(pins, event.Pair{Key: pinKey(step.Part), Value: there[step.Part.Kind][step.Part.Name]})
			continue
		}
		name, err := n.blobs.Put(func(w io.Writer) error { _, err := w.Write(step.Part.Data); return err })
		if err != nil {
			return plan, Kept{}, err
		}
		pins = append(pins, event.Pair{Key: pinKey(step.Part), Value: name})
	}
	kept, err := n.plant(ctx, plan.File, pins)
	kept.Notes = append(kept.Notes, plan.Notes...)
	return plan, kept, err
}

// plant makes a new agent of a file and of what is kept for it already. It is
// stopped: somebody looks at it first.
func (n *Node) plant(ctx context.Context, file string, pins []event.Pair) (Kept, error) {
	spec, _, err := agent.Parse([]byte(file))
	if err != nil {
		return Kept{}, err
	}
	t, err := n.tenant(ctx)
	if err != nil {
		return Kept{}, err
	}
	token, err := newToken()
	if err != nil {
		return Kept{}, err
	}
	out := Kept{ID: n.newID(time.Now()).String(), Token: token}
	msg := &actors.Configure{
		Create: &event.AgentCreated{Name: spec.Name, Alias: spec.Alias, TokenHash: agent.TokenHash(token)}, File: file, Pins: pins,
	}
	return n.send(ctx, t, out, msg)
}

// have lists what the installation has of what bundles carry.
func (n *Node) have(ctx context.Context) bundle.Have {
	out := bundle.Have{Parts: map[bundle.Kind]map[string]string{}}
	for _, a := range n.model.Agents() {
		if a.Alias != "" {
			out.Aliases = append(out.Aliases, a.Alias)
		}
		s, err := n.casting.read(ctx, a.Tenant, a.ID)
		if err != nil {
			continue
		}
		saved, _ := s.Revision(s.Latest())
		for _, p := range saved.Pins {
			kind, name := pinKind(p.Key)
			if out.Parts[kind] == nil {
				out.Parts[kind] = map[string]string{}
			}
			out.Parts[kind][name] = p.Value
		}
	}
	return out
}

// AgentCopy makes another agent out of one, with overrides of keys of its file.
func (n *Node) AgentCopy(ctx context.Context, what string, overrides []event.Pair) (Kept, error) {
	_, s, err := n.agentState(ctx, what)
	if err != nil {
		return Kept{}, err
	}
	saved, ok := s.Revision(s.Latest())
	if !ok {
		return Kept{}, fmt.Errorf("agent %q has no revision yet: %w", s.Name, fault.NotFound)
	}
	c, err := bundle.Copy(saved.File, overrides, n.have(ctx).Aliases)
	if err != nil {
		return Kept{}, err
	}
	kept, err := n.plant(ctx, c.File, saved.Pins)
	kept.Notes = append(kept.Notes, c.Notes...)
	return kept, err
}
