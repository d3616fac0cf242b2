package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/parse"
	"flametree/engine/knowledge/ingest/transcript"
	"flametree/engine/provider"
	"flametree/engine/wizard"
)

// ears are the server's own recogniser, for recordings that belong to no call;
// nil when there is none.
func (n *Node) ears() provider.Transcriber {
	t, err := named(n.casting.providers.Transcribers, "stt", "")
	if err != nil {
		return nil
	}
	return t
}

// transcriber makes words of the sound of videos, as a part of a run of indexing.
func (l *librarian) transcriber(r actors.Run) func(context.Context, io.Reader) (string, error) {
	if l.reader.ears == nil {
		return nil
	}
	return func(ctx context.Context, sound io.Reader) (string, error) {
		doc, err := transcript.Read(ctx, transcript.Options{
			Read: l.options(), Ears: l.reader.ears,
			Hints: provider.Hints{Key: "source/" + r.ID, Texts: []string{r.Source.Title}},
			Told: func(heard time.Duration) {
				r.Told(actors.Progress{Doing: "hearing", Done: int(heard.Minutes()), What: minutes(heard)})
			},
		}, sound, r.Source.Title)
		return words(doc, " "), err
	}
}

// words are a document's, without the times.
func words(doc parse.Document, between string) string {
	var out []string
	for _, s := range doc.Sections {
		out = append(out, s.Text)
	}
	return strings.Join(out, between)
}

func minutes(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// tellEvery is how often a wizard tells how far it has heard.
const tellEvery = 15 * time.Second

// listen makes words of the recordings among a wizard's uploads. One that cannot
// be understood is noted, and the agent goes without it.
func (n *Node) listen(ctx context.Context, id string, a *wizard.Answers, folder string) (notes []string, err error) {
	for _, m := range a.Media() {
		path := m
		if !filepath.IsAbs(m) {
			path = filepath.Join(folder, m)
		}
		text, err := n.listenTo(ctx, id, *a, path)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("hearing %s: %w", m, errors.Join(fault.Cancelled, ctx.Err()))
		case err != nil:
			notes = append(notes, plainly(err)+": add its text with knowledge add")
		default:
			a.Heard = append(a.Heard, wizard.Heard{File: m, Text: text})
			notes = append(notes, filepath.Base(m)+" was heard; its words may hold mistakes: read them in the agent's texts")
		}
	}
	return notes, nil
}

// listenTo hears one file, in the place of a run of indexing: no more go on at a
// time than the library allows.
func (n *Node) listenTo(ctx context.Context, id string, a wizard.Answers, path string) (string, error) {
	name := filepath.Base(path)
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return "", fmt.Errorf("%s: there is no such file to be heard: %w", name, fault.NotFound)
	}
	defer func() { _ = f.Close() }()
	select {
	case n.library.busy <- struct{}{}:
		defer func() { <-n.library.busy }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	var told time.Time
	tell := func(heard time.Duration) {
		if time.Since(told) < tellEvery {
			return
		}
		told = time.Now()
		run := false
		reason := fmt.Sprintf("%s: hearing %s, %s so far", creating, name, minutes(heard))
		if _, err := n.AgentChange(ctx, id, &actors.Configure{Run: &run, Reason: reason}); err != nil && ctx.Err() == nil {
			n.log.Warn("a wizard's progress is not recorded", "agent", id, "err", err)
		}
	}
	tell(0)
	doc, err := transcript.Read(ctx, transcript.Options{
		Read: n.library.options(), Ears: n.ears(), Told: tell,
		Hints: provider.Hints{Key: "wizard/" + id, Texts: []string{a.Name, a.About, a.Behaviour}},
	}, f, name)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, s := range doc.Sections {
		out.WriteString(s.Heading + "\n" + s.Text + "\n\n")
	}
	return strings.TrimSpace(out.String()), nil
}
