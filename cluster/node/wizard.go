package node

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/ingest/crawl"
	"flametree/engine/knowledge/ingest/parse"
	"flametree/engine/wizard"
)

// How much of a business' website a wizard reads.
const (
	sitePages = 12
	siteTime  = 2 * time.Minute
)

// AgentWizard begins to make an agent of a template; it may take minutes. The
// agent is there at once with the status Creating, and ends as Stopped, to be
// looked at, or as Error with the reason.
func (n *Node) AgentWizard(ctx context.Context, t wizard.Template, a wizard.Answers, folder string) (Kept, error) {
	form, err := wizard.Find(t)
	if err != nil {
		return Kept{}, err
	}
	if err := form.Validate(a); err != nil {
		return Kept{}, err
	}
	name, err := wizardName(t, a)
	if err != nil {
		return Kept{}, err
	}
	token, err := newToken()
	if err != nil {
		return Kept{}, err
	}
	tenant, err := n.tenant(ctx)
	if err != nil {
		return Kept{}, err
	}
	run := false
	kept, err := n.send(ctx, tenant, Kept{ID: n.newID(time.Now()).String(), Token: token}, &actors.Configure{
		Create: &event.AgentCreated{Name: name, TokenHash: agent.TokenHash(token)}, Run: &run, Reason: creating,
	})
	if err != nil {
		return kept, err
	}
	n.done.Go(func() { n.conjure(kept.ID, t, a, folder) })
	return kept, nil
}

// wizardName is how the agent of some answers is called from the beginning.
func wizardName(t wizard.Template, a wizard.Answers) (string, error) {
	b, err := wizard.Build(t, a, nil, nil)
	if err != nil {
		return "", err
	}
	spec, _, err := agent.Parse([]byte(b.File))
	if err != nil {
		return "", err
	}
	return spec.Name, nil
}

// conjure makes what a wizard has begun.
func (n *Node) conjure(id string, t wizard.Template, a wizard.Answers, folder string) {
	notes, err := n.fulfil(n.life, id, t, a, folder)
	run, reason := false, strings.Join(notes, "; ")
	if err != nil {
		reason = failedWith + err.Error()
		n.log.Warn("a wizard failed", "agent", id, "err", err)
	}
	if _, err := n.AgentChange(n.life, id, &actors.Configure{Run: &run, Reason: reason}); err != nil && n.life.Err() == nil {
		n.log.Error("a wizard's end is not recorded", "agent", id, "err", err)
	}
}

func (n *Node) fulfil(ctx context.Context, id string, t wizard.Template, a wizard.Answers, folder string) ([]string, error) {
	site, err := n.website(ctx, a.About)
	if err != nil {
		return nil, err
	}
	notes, err := n.listen(ctx, id, &a, folder)
	if err != nil {
		return nil, err
	}
	b, err := wizard.Build(t, a, site, nil)
	if err != nil {
		return nil, err
	}
	spec, _, err := agent.Parse([]byte(b.File))
	if err != nil {
		return nil, err
	}
	found, err := n.findAgent(id)
	if err != nil {
		return nil, err
	}
	msg := &actors.Configure{File: b.File}
	if err := n.prepare(ctx, msg, standing{tenant: found.Tenant, folder: folder}, spec); err != nil {
		return nil, err
	}
	if _, err := n.AgentChange(ctx, id, msg); err != nil {
		return nil, err
	}
	return append(b.Notes, notes...), nil
}

// website reads the pages of a business whose description is an address; nil
// if it is not.
func (n *Node) website(ctx context.Context, about string) (*wizard.Site, error) {
	about = strings.TrimSpace(about)
	u, err := url.Parse(about)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(about, " \n\t") {
		return nil, nil // a description in words
	}
	out := &wizard.Site{URL: about}
	ctx, cancel := context.WithTimeout(ctx, siteTime)
	defer cancel()
	_, err = crawl.Run(ctx, about, crawl.Options{
		Client: n.egress.Client(), MaxPages: sitePages, MaxDepth: 2,
		Read: func(ctx context.Context, r io.Reader, name string) (parse.Document, error) {
			return ingest.Parse(ctx, n.library.options(), r, name)
		},
		Each: func(p crawl.Page) error {
			var text []string
			for _, s := range p.Doc.Sections {
				text = append(text, strings.TrimSpace(s.Heading+"\n"+s.Text))
			}
			if len(text) > 0 {
				out.Pages = append(out.Pages, wizard.SitePage{URL: p.Address, Title: p.Doc.Title, Text: strings.Join(text, "\n\n")})
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	if len(out.Pages) == 0 {
		return nil, fmt.Errorf("nothing could be read on %s: describe the business in words", about)
	}
	return out, nil
}
