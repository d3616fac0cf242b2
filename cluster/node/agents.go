package node

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

// DemoFile is what demo.json holds: how to reach the agents that came from files.
type DemoFile struct {
	HTTP   string      `json:"http"`
	SIP    string      `json:"sip"`
	Agents []DemoAgent `json:"agents"`
}

// DemoAgent is one agent that came from a file, with its token: the journal
// holds only the token's hash, so this file is the only place to find it.
type DemoAgent struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Token string `json:"token"`
	SIP   string `json:"sip"`
}

func demoPath(data string) string { return filepath.Join(data, "demo.json") }

// ReadDemo reads demo.json of a data folder.
func ReadDemo(data string) (DemoFile, error) {
	var d DemoFile
	b, err := os.ReadFile(demoPath(data))
	if err != nil {
		return d, fmt.Errorf("demo.json: %w: %w", fault.NotFound, err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("demo.json: %w: %w", fault.Invalid, err)
	}
	return d, nil
}

// AgentFile is an agent file and where it came from: its name for messages, its
// folder for what it names by path ("" = nothing can be read).
type AgentFile struct {
	Name   string
	Folder string
	Text   []byte
}

// install makes or changes the agents of files, by the same messages as any
// other way of making an agent, starts them, and writes demo.json.
func (n *Node) install(ctx context.Context, files []AgentFile) error {
	if len(files) == 0 {
		return nil
	}
	t, err := n.tenant(ctx)
	if err != nil {
		return err
	}
	old, err := ReadDemo(n.cfg.Data)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	out := DemoFile{HTTP: n.httpAddr, SIP: n.sipAddr}
	specs := make([]*agent.Spec, len(files))
	for i, f := range files {
		spec, warnings, err := agent.Parse(f.Text)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		for _, w := range warnings {
			n.log.Warn("agent file", "file", f.Name, "err", w.String())
		}
		a, err := n.known(spec, old)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		specs[i], out.Agents = spec, append(out.Agents, a)
	}
	// Tokens are kept before agents are made: after a crash in between the next
	// start makes the same agents with the same tokens.
	if err := writeJSON(demoPath(n.cfg.Data), out); err != nil {
		return err
	}
	for i, f := range files {
		if err := n.configure(ctx, t, specs[i], f, out.Agents[i]); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	if err := n.caughtUp(ctx); err != nil {
		return err
	}
	for i, a := range out.Agents {
		if m, ok := n.model.Agent(a.ID); ok {
			out.Agents[i].SIP = n.sipURI(m)
		}
	}
	n.installed = out.Agents
	return writeJSON(demoPath(n.cfg.Data), out)
}

// known finds the agent that a file made before, by its name, or names a new one.
func (n *Node) known(spec *agent.Spec, old DemoFile) (DemoAgent, error) {
	for _, was := range old.Agents {
		if was.Name == spec.Name {
			return was, nil
		}
	}
	if held, ok := n.model.Dialled(spec.Alias); ok && spec.Alias != "" {
		return DemoAgent{}, fmt.Errorf("alias %q belongs to agent %q already: %w", spec.Alias, held.Name, fault.Conflict)
	}
	var secret [24]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return DemoAgent{}, err
	}
	return DemoAgent{
		ID: n.newID(time.Now()).String(), Name: spec.Name, Token: base64.RawURLEncoding.EncodeToString(secret[:]),
	}, nil
}

// configure gives a file to its agent, which is made if it is not there, and starts it.
func (n *Node) configure(ctx context.Context, t tenant.ID, spec *agent.Spec, f AgentFile, a DemoAgent) error {
	running := true
	msg := &actors.Configure{File: string(f.Text), Run: &running}
	var old agent.State
	if _, there := n.model.Agent(a.ID); !there {
		msg.Create = &event.AgentCreated{Name: spec.Name, Alias: spec.Alias, TokenHash: agent.TokenHash(a.Token)}
	} else {
		var err error
		if old, err = n.casting.read(ctx, t, a.ID); err != nil {
			return err
		}
	}
	if err := n.prepare(ctx, msg, standing{tenant: t, folder: f.Folder, old: old}, spec); err != nil {
		return err
	}
	s, err := ask[*agent.State](ctx, n.dir, actors.ID{Kind: event.AgentStream, Tenant: t, Name: a.ID}, msg)
	if err != nil {
		return err
	}
	notes, err := n.adopt(ctx, t, a.ID, s)
	if err != nil {
		return err
	}
	goods, err := n.lendCatalogs(ctx, t, a.ID, s)
	if err != nil {
		return err
	}
	for _, note := range append(notes, goods...) {
		n.log.Warn("agent file", "err", note, "agent", a.ID)
	}
	// The index is built before anybody writes, the vocabulary before anybody calls.
	cast, err := n.casting.Cast(ctx, t, a.ID, 0)
	if err != nil {
		return err
	}
	if ears, ok := cast.Hears.(provider.Preparer); ok && (n.phone != nil || n.browsers != nil) {
		n.done.Go(func() {
			if err := ears.Prepare(cast.Hints); err != nil {
				n.log.Warn("vocabulary", "err", err, "agent", a.ID)
			}
		})
	}
	return nil
}

// standing is where a file stands and what its agent was before it.
type standing struct {
	tenant tenant.ID
	folder string
	old    agent.State
}

// prepare keeps what a file names by path and looks whether the agent can run
// with it. A file that cannot be used becomes a draft of an agent that is there
// already, and its fault is what the sender of msg gets.
func (n *Node) prepare(ctx context.Context, msg *actors.Configure, of standing, spec *agent.Spec) error {
	t, folder, old := of.tenant, of.folder, of.old
	var pinned []event.Pair
	if was, ok := old.Revision(old.Latest()); ok {
		pinned = was.Pins
	}
	pins, err := n.pack(ctx, t, folder, spec, pinned)
	if err == nil {
		msg.Pins = pins
		err = n.casting.examine(ctx, t, msg.File, pins)
	}
	if err != nil && old.Seq > 0 && theFiles(err) {
		msg.Fault = plainly(err)
		return nil
	}
	return err
}

// theFiles reports whether an error is one of a file and what it names: trying
// again with the same one gives the same.
func theFiles(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.Exhausted, fault.Denied:
		return true
	case fault.Unavailable, fault.Cancelled, fault.Bug:
	}
	return false
}

// tenant finds the tenant that files go to, or makes it.
func (n *Node) tenant(ctx context.Context) (tenant.ID, error) {
	if all := n.model.Tenants(); len(all) > 0 {
		return all[0], nil
	}
	var id tenant.ID
	if _, err := rand.Read(id[:]); err != nil {
		return id, err
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // RFC 9562 5.4
	s := event.Stream{Tenant: id, Kind: event.TenantStream, ID: id.String()}
	head, err := n.journal.Claim(ctx, s)
	if err != nil {
		return id, err
	}
	_, err = n.journal.Append(ctx, journal.Batch{
		Stream: s, Epoch: head.Epoch, At: time.Now(),
		Events: []event.Event{event.TenantCreated{Name: "Demo", Timezone: "UTC"}},
	})
	return id, err
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("%w: %w", fault.Unavailable, err)
	}
	return os.Rename(tmp, path)
}
