package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"flametree/cluster/node"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/knowledge/library"
)

type knowledgeCmd struct {
	Add        knowledgeAddCmd        `cmd:"" help:"Add a file, a website, a video, a text or questions with answers, and index it."`
	List       knowledgeListCmd       `cmd:"" help:"List all sources and who uses them."`
	Index      knowledgeIndexCmd      `cmd:"" help:"Index a source again, or stop that."`
	Connect    knowledgeConnectCmd    `cmd:"" help:"Let an agent search a source."`
	Disconnect knowledgeDisconnectCmd `cmd:"" help:"Take a source away from an agent."`
	Remove     knowledgeRemoveCmd     `cmd:"" help:"Take a source away from all agents and out of the library."`
	FAQ        knowledgeFAQCmd        `cmd:"" name:"faq" help:"Print the questions with answers of a source as YAML, or take an edited list in their place."`
	Search     knowledgeSearchCmd     `cmd:"" help:"Show the passages that are found for a question, with scores."`
	Unanswered unansweredCmd          `cmd:"" help:"Questions that agents could not answer."`
}

type knowledgeAddCmd struct {
	What  string `arg:"" optional:"" help:"File, or address of a website or video."`
	Text  string `help:"Add this text (- = what is typed or piped in)."`
	FAQ   string `name:"faq" help:"Add the questions with answers of this file: a YAML list of {question, answer}, or any file that holds some." type:"existingfile"`
	Mode  string `help:"Of a FAQ: vector (searched) or prompt (always in the prompt)." enum:",vector,prompt" default:""`
	Title string `help:"Name in the library."`
	Agent string `help:"Agent that is to search it (id, alias or name)."`
	Depth int    `help:"Of a website: links from its first page (default 5)."`
	Pages int    `help:"Of a website: at most that many pages (default 200)."`
	AsFAQ bool   `name:"as-faq" help:"Have the model of --agent write questions with answers from the file, each supported by a passage of it, and add those in place of the file."`
	Count int    `help:"With --as-faq: at most that many questions (default 100)."`
	Draft string `help:"With --as-faq: write them to this YAML file, to be looked at and added with --faq, and add nothing yet."`
	Wait  bool   `help:"Wait until it is indexed." default:"true" negatable:""`
}

// Run implements the command.
func (k *knowledgeAddCmd) Run(ctx context.Context, e *Env) error {
	if k.AsFAQ {
		return k.write(ctx, e)
	}
	if k.Count != 0 || k.Draft != "" {
		return fmt.Errorf("--count and --draft belong to --as-faq: %w", fault.Invalid)
	}
	q := url.Values{}
	content, err := k.content(e, q)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	return k.add(ctx, e, q, content)
}

// add sends a source to the server and waits for it.
func (k *knowledgeAddCmd) add(ctx context.Context, e *Env, q url.Values, content io.Reader) error {
	for name, v := range map[string]string{"title": k.Title, "mode": k.Mode, "agent": k.Agent} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for name, v := range map[string]int{"depth": k.Depth, "pages": k.Pages} {
		if v != 0 {
			q.Set(name, strconv.Itoa(v))
		}
	}
	var card node.SourceCard
	if err := e.alter(ctx, http.MethodPost, "/knowledge?"+q.Encode(), content, &card); err != nil {
		return err
	}
	e.printf("source %s %q\n", card.ID, card.Title)
	if !k.Wait {
		return nil
	}
	return e.awaitSource(ctx, card.ID)
}

// content opens what is to be added and says in q what it is.
func (k *knowledgeAddCmd) content(e *Env, q url.Values) (io.ReadCloser, error) {
	given := 0
	for _, v := range []string{k.What, k.Text, k.FAQ} {
		if v != "" {
			given++
		}
	}
	if given != 1 {
		return nil, fmt.Errorf("give one of FILE, URL, --text and --faq: %w", fault.Invalid)
	}
	path := k.What
	switch {
	case k.Text != "":
		q.Set("type", library.Text)
		if k.Title == "" {
			return nil, fmt.Errorf("a text needs a --title: %w", fault.Invalid)
		}
		if k.Text == "-" {
			return io.NopCloser(e.In), nil
		}
		return io.NopCloser(strings.NewReader(k.Text)), nil
	case strings.Contains(k.What, "://"):
		q.Set("origin", k.What)
		return http.NoBody, nil
	case k.FAQ != "":
		q.Set("type", library.FAQ)
		path = k.FAQ
	}
	q.Set("name", filepath.Base(path))
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("the file cannot be opened: %w: %w", fault.Invalid, err)
	}
	return f, nil
}

// alter sends a request with any body to the running server.
func (e *Env) alter(ctx context.Context, method, path string, send io.Reader, into any) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	body, err := dial(c.Data).do(ctx, method, path, send)
	if errors.Is(err, errNoServer) {
		return fmt.Errorf("no server runs on %s: start one with flametree serve: %w", c.Data, fault.Unavailable)
	}
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return json.NewDecoder(body).Decode(into)
}

func sourcePath(name string) string { return "/knowledge/" + url.PathEscape(name) }

// awaitSource shows how far indexing is, until it has ended.
func (e *Env) awaitSource(ctx context.Context, id string) error {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for {
		var card node.SourceCard
		if err := e.ask(ctx, sourcePath(id), &card); err != nil {
			return err
		}
		if card.Status != library.Indexing {
			return e.indexed(card)
		}
		if p := card.Progress; p.Doing != "" {
			line := strings.TrimSpace(fmt.Sprintf("  %s %d  %s", p.Doing, p.Done, p.What))
			if line != last {
				e.printf("  %s\n", line)
			}
			last = line
		}
		select {
		case <-ctx.Done():
			e.printf("indexing goes on in the server\n")
			return nil
		case <-tick.C:
		}
	}
}

// indexed tells how a run ended.
func (e *Env) indexed(card node.SourceCard) error {
	switch card.Status {
	case library.Error:
		return &failure{code: exitFailed, err: fmt.Errorf("%q was not indexed: %s", card.Title, card.Failure)}
	case library.Ready:
		e.printf("%q is ready: %d entries, %d passages\n", card.Title, card.Entries, card.Chunks)
	case library.Pending, library.Modified, library.Indexing:
		e.printf("%q is %s: indexing was stopped\n", card.Title, card.Status)
	}
	for _, w := range card.Warnings {
		e.printf("warning: %s\n", w)
	}
	if len(card.Agents) == 0 {
		e.printf("no agent uses it yet: flametree knowledge connect %q AGENT\n", card.Title)
	}
	return nil
}

type knowledgeListCmd struct {
	Type string `help:"Only sources of this type: faq text website file youtube."`
	JSON bool   `name:"json" help:"One object a line."`
}

// Run implements the command.
func (k *knowledgeListCmd) Run(ctx context.Context, e *Env) error {
	var list []node.SourceCard
	if err := e.ask(ctx, "/knowledge", &list); err != nil {
		return err
	}
	if !k.JSON {
		e.printf("%-28s %-8s %-9s %8s  %-30s %s\n", "SOURCE", "TYPE", "STATUS", "PASSAGES", "TITLE", "AGENTS")
	}
	counts := map[string]int{}
	for _, s := range list {
		counts[s.Type]++
		if k.Type != "" && s.Type != k.Type {
			continue
		}
		if k.JSON {
			if err := json.NewEncoder(e.Out).Encode(s); err != nil {
				return err
			}
			continue
		}
		used := strings.Join(s.Agents, ", ")
		if used == "" {
			used = "(unused)"
		}
		e.printf("%-28s %-8s %-9s %8d  %-30s %s\n", s.ID, s.Type, s.Status, s.Chunks, s.Title, used)
		if s.Failure != "" {
			e.printf("    %s\n", s.Failure)
		}
	}
	if !k.JSON {
		var parts []string
		for _, t := range []string{library.FAQ, library.Text, library.Website, library.File, library.YouTube} {
			parts = append(parts, fmt.Sprintf("%s %d", t, counts[t]))
		}
		e.printf("%s\n", strings.Join(parts, ", "))
	}
	return nil
}

type knowledgeIndexCmd struct {
	Source string `arg:"" help:"Id, title or address."`
	Stop   bool   `help:"Stop the run that is on; agents go on finding what was there."`
	Wait   bool   `help:"Wait until it is indexed." default:"true" negatable:""`
}

// Run implements the command.
func (k *knowledgeIndexCmd) Run(ctx context.Context, e *Env) error {
	var card node.SourceCard
	if err := e.tell(ctx, sourcePath(k.Source)+"/index", node.IndexBody{Stop: k.Stop}, &card); err != nil {
		return err
	}
	if k.Stop || !k.Wait {
		e.printf("%q is %s\n", card.Title, card.Status)
		return nil
	}
	return e.awaitSource(ctx, card.ID)
}

type knowledgeConnectCmd struct {
	Source string `arg:"" help:"Id, title or address."`
	Agent  string `arg:"" help:"Id, alias or name."`
}

// Run implements the command.
func (k *knowledgeConnectCmd) Run(ctx context.Context, e *Env) error {
	return e.connect(ctx, k.Source, node.ConnectBody{Agent: k.Agent})
}

type knowledgeDisconnectCmd struct {
	Source string `arg:"" help:"Id, title or address."`
	Agent  string `arg:"" help:"Id, alias or name."`
}

// Run implements the command.
func (k *knowledgeDisconnectCmd) Run(ctx context.Context, e *Env) error {
	return e.connect(ctx, k.Source, node.ConnectBody{Agent: k.Agent, Off: true})
}

func (e *Env) connect(ctx context.Context, source string, b node.ConnectBody) error {
	var card node.SourceCard
	if err := e.tell(ctx, sourcePath(source)+"/connect", b, &card); err != nil {
		return err
	}
	used := strings.Join(card.Agents, ", ")
	if used == "" {
		used = "nobody"
	}
	e.printf("%q is searched by %s\n", card.Title, used)
	return nil
}

type knowledgeRemoveCmd struct {
	Source string `arg:"" help:"Id, title or address."`
}

// Run implements the command.
func (k *knowledgeRemoveCmd) Run(ctx context.Context, e *Env) error {
	var card node.SourceCard
	if err := e.alter(ctx, http.MethodDelete, sourcePath(k.Source), bytes.NewReader(nil), &card); err != nil {
		return err
	}
	e.printf("%q is removed\n", card.Title)
	return nil
}

type knowledgeSearchCmd struct {
	Query string `arg:"" help:"Question."`
	Agent string `help:"Search as this agent does (default: the whole library)."`
	JSON  bool   `name:"json" help:"One object a line."`
}

// Run implements the command.
func (k *knowledgeSearchCmd) Run(ctx context.Context, e *Env) error {
	var hits []knowledge.Hit
	if err := e.ask(ctx, "/passages?"+url.Values{"query": {k.Query}, "agent": {k.Agent}}.Encode(), &hits); err != nil {
		return err
	}
	for _, h := range hits {
		if k.JSON {
			if err := json.NewEncoder(e.Out).Encode(h); err != nil {
				return err
			}
			continue
		}
		e.printf("%.2f  %s\n", h.Score, h.Source)
		if h.Question != "" {
			e.printf("      %s\n", h.Question)
		}
		e.printf("      %s\n", strings.ReplaceAll(strings.TrimSpace(h.Text), "\n", "\n      "))
	}
	if len(hits) == 0 && !k.JSON {
		e.printf("nothing fits\n")
	}
	return nil
}

type unansweredCmd struct {
	List    unansweredListCmd    `cmd:"" default:"1" help:"List them, those that most people asked first."`
	Answer  unansweredAnswerCmd  `cmd:"" help:"Answer one: question and answer go into a FAQ that the agents who were asked search."`
	Dismiss unansweredDismissCmd `cmd:"" help:"Take one off the list."`
}

type unansweredListCmd struct {
	JSON bool `name:"json" help:"One object a line."`
}

// Run implements the command.
func (u *unansweredListCmd) Run(ctx context.Context, e *Env) error {
	var list []node.QuestionCard
	if err := e.ask(ctx, "/unanswered", &list); err != nil {
		return err
	}
	for _, q := range list {
		if u.JSON {
			if err := json.NewEncoder(e.Out).Encode(q); err != nil {
				return err
			}
			continue
		}
		e.printf("%s  %3d sessions  %s  (%s)\n", q.ID, q.Sessions, q.Question, strings.Join(q.Agents, ", "))
	}
	if !u.JSON {
		e.printf("%d questions wait for an answer\n", len(list))
	}
	return nil
}

type unansweredAnswerCmd struct {
	Question string `arg:"" help:"Id or words of the question."`
	Answer   string `arg:"" help:"The answer."`
	Source   string `help:"FAQ that takes it (default: one for such answers)."`
}

// Run implements the command.
func (u *unansweredAnswerCmd) Run(ctx context.Context, e *Env) error {
	var card node.SourceCard
	if err := e.tell(ctx, "/unanswered", node.AnswerBody{Question: u.Question, Answer: u.Answer, Source: u.Source}, &card); err != nil {
		return err
	}
	return e.awaitSource(ctx, card.ID)
}

type unansweredDismissCmd struct {
	Question string `arg:"" help:"Id or words of the question."`
}

// Run implements the command.
func (u *unansweredDismissCmd) Run(ctx context.Context, e *Env) error {
	var done map[string]bool
	if err := e.tell(ctx, "/unanswered", node.AnswerBody{Question: u.Question, Dismiss: true}, &done); err != nil {
		return err
	}
	e.printf("dismissed\n")
	return nil
}
