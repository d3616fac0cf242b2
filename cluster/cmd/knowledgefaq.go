package cmd

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"flametree/cluster/node"
	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/library"
)

// write has a model write questions from a file, shows them with the passages
// that support them, and adds them or keeps them as a draft.
func (k *knowledgeAddCmd) write(ctx context.Context, e *Env) error {
	switch {
	case k.What == "" || k.Text != "" || k.FAQ != "" || strings.Contains(k.What, "://"):
		return fmt.Errorf("--as-faq takes one FILE: %w", fault.Invalid)
	case k.Agent == "":
		return fmt.Errorf("--as-faq needs --agent: its model writes the questions: %w", fault.Invalid)
	}
	found, err := k.written(ctx, e)
	if err != nil {
		return err
	}
	for i, w := range found.Written {
		e.printf("%3d. %s\n     %s\n     from: %s\n", i+1, w.Question, w.Answer, shortened(w.Passage))
	}
	if found.Refused > 0 {
		e.printf("%d answers were left out: no passage of the file supports them\n", found.Refused)
	}
	if k.Draft != "" {
		text, err := faqText(found.Written)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Clean(k.Draft), text, 0o600); err != nil {
			return fmt.Errorf("the draft cannot be written: %w: %w", fault.Invalid, err)
		}
		e.printf("%d questions are in %s: edit them, then flametree knowledge add --faq %s\n", len(found.Written), k.Draft, k.Draft)
		return nil
	}
	list := make([]ingest.QA, len(found.Written))
	for i, w := range found.Written {
		list[i] = w.QA
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return err
	}
	base := filepath.Base(k.What)
	k.Title = cmp.Or(k.Title, strings.TrimSuffix(base, filepath.Ext(base))+" FAQ")
	return k.add(ctx, e, url.Values{"type": {library.FAQ}, "name": {base + ".json"}}, bytes.NewReader(raw))
}

// written asks the server, and shows how far the model is.
func (k *knowledgeAddCmd) written(ctx context.Context, e *Env) (*node.WrittenFAQ, error) {
	f, err := os.Open(filepath.Clean(k.What))
	if err != nil {
		return nil, fmt.Errorf("the file cannot be opened: %w: %w", fault.Invalid, err)
	}
	defer func() { _ = f.Close() }()
	q := url.Values{"agent": {k.Agent}, "name": {filepath.Base(k.What)}}
	if k.Count != 0 {
		q.Set("count", fmt.Sprint(k.Count))
	}
	c, err := e.settings()
	if err != nil {
		return nil, err
	}
	body, err := dial(c.Data).do(ctx, http.MethodPost, "/questions?"+q.Encode(), f)
	if errors.Is(err, errNoServer) {
		return nil, fmt.Errorf("no server runs on %s: start one with flametree serve: %w", c.Data, fault.Unavailable)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	for lines := json.NewDecoder(body); ; {
		var l node.WritingLine
		if err := lines.Decode(&l); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("the server broke off: %w: %w", fault.Unavailable, err)
		}
		switch {
		case l.Fault != "":
			return nil, &failure{code: exitFailed, err: errors.New(l.Fault)}
		case l.FAQ != nil:
			return l.FAQ, nil
		}
		e.printf("  writing: %d of %d parts read\n", l.Done, l.Of)
	}
}

// maxShown is how many characters of a passage are shown.
const maxShown = 160

func shortened(passage string) string {
	r := []rune(strings.Join(strings.Fields(passage), " "))
	if len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return string(r)
}

// faqText is a list of questions as YAML that knowledge add --faq takes. The
// passages stand beside them as comments.
func faqText(list []ingest.Written) ([]byte, error) {
	var out bytes.Buffer
	for _, w := range list {
		if w.Passage != "" {
			fmt.Fprintf(&out, "# from: %s\n", shortened(w.Passage))
		}
		text, err := yaml.Marshal([]struct{ Question, Answer string }{{w.Question, w.Answer}})
		if err != nil {
			return nil, fmt.Errorf("the questions cannot be written: %w: %w", err, fault.Bug)
		}
		out.Write(text)
	}
	return out.Bytes(), nil
}

type knowledgeFAQCmd struct {
	Source string `arg:"" help:"Id or title of a source of questions."`
	Set    string `help:"Take the questions of this file in place of those that are there: a YAML list of {question, answer}, or any file that holds some." type:"existingfile"`
	Wait   bool   `help:"With --set: wait until they are indexed." default:"true" negatable:""`
}

// Run implements the command.
func (k *knowledgeFAQCmd) Run(ctx context.Context, e *Env) error {
	path := sourcePath(k.Source) + "/questions"
	if k.Set == "" {
		var list []ingest.QA
		if err := e.ask(ctx, path, &list); err != nil {
			return err
		}
		all := make([]ingest.Written, len(list))
		for i, q := range list {
			all[i].QA = q
		}
		text, err := faqText(all)
		if err != nil {
			return err
		}
		_, err = e.Out.Write(text)
		return err
	}
	f, err := os.Open(filepath.Clean(k.Set))
	if err != nil {
		return fmt.Errorf("the file cannot be opened: %w: %w", fault.Invalid, err)
	}
	defer func() { _ = f.Close() }()
	var card node.SourceCard
	if err := e.alter(ctx, http.MethodPut, path+"?"+url.Values{"name": {filepath.Base(k.Set)}}.Encode(), f, &card); err != nil {
		return err
	}
	if !k.Wait {
		e.printf("%q is %s\n", card.Title, card.Status)
		return nil
	}
	return e.awaitSource(ctx, card.ID)
}
