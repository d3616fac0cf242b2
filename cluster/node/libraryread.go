package node

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/knowledge/index"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/ingest/crawl"
	"flametree/engine/knowledge/ingest/parse"
	"flametree/engine/knowledge/ingest/video"
	"flametree/engine/knowledge/library"
	"flametree/engine/provider"
	"flametree/engine/provider/hashed"
)

// reader is what reading sources needs from outside.
type reader struct {
	out    *http.Client         // the guarded way out
	self   []string             // starts this program, for the child that reads files
	dir    string               // where files lie while they are read, "" = the system's folder
	videos string               // where the pages of videos are, "" = where they are
	ears   provider.Transcriber // for videos without captions, nil = such have no words
}

// site is the content of a website source: how far it is read.
type site struct {
	Depth int `json:"depth,omitempty"`
	Pages int `json:"pages,omitempty"`
}

// The limits of what is told of a run.
const (
	maxWarnings = 50
	maxWarning  = 500       // bytes
	maxJoined   = 40 << 10  // bytes of the sections that make one text
	maxRead     = 128 << 20 // bytes of text of one source
)

// harvest collects what a source holds.
type harvest struct {
	id       string // of the source
	found    []knowledge.Source
	warnings []string
	entries  uint32
	bytes    int
}

func (h *harvest) add(s knowledge.Source) {
	h.bytes += len(s.Text) + len(s.Question)
	s.ID = ofLibrary + h.id + "/" + strconv.Itoa(len(h.found)+1)
	h.found = append(h.found, s)
}

func (h *harvest) warn(text string) {
	if len(h.warnings) < maxWarnings && text != "" {
		h.warnings = append(h.warnings, text[:min(len(text), maxWarning)])
	}
}

// document adds a document's sections, several of them as one text: a passage
// of a long text is judged by its neighbours.
func (h *harvest) document(title string, sections []parse.Section) {
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			h.add(knowledge.Source{Kind: knowledge.Text, Title: title, Text: b.String()})
			b.Reset()
		}
	}
	heading := ""
	for _, s := range sections {
		if strings.TrimSpace(s.Text) == "" {
			continue
		}
		if b.Len() > 0 && b.Len()+len(s.Text) > maxJoined {
			flush()
		}
		if s.Heading != "" && (s.Heading != heading || b.Len() == 0) {
			b.WriteString("# " + s.Heading + "\n\n")
		}
		heading = s.Heading
		b.WriteString(strings.TrimSpace(s.Text) + "\n\n")
	}
	flush()
}

// Index implements actors.Indexer.
func (l *librarian) Index(ctx context.Context, r actors.Run) (event.SourceIndexed, error) {
	select {
	case l.busy <- struct{}{}:
		defer func() { <-l.busy }()
	case <-ctx.Done():
		return event.SourceIndexed{}, fmt.Errorf("indexing: %w: %w", fault.Cancelled, ctx.Err())
	}
	begun := time.Now()
	h := harvest{id: r.ID}
	if err := l.read(ctx, r, &h); err != nil {
		return event.SourceIndexed{}, err
	}
	if len(h.found) == 0 {
		return event.SourceIndexed{}, fmt.Errorf("no text was found in %q%s: %w", r.Source.Title, because(h.warnings), fault.Invalid)
	}
	r.Told(actors.Progress{Doing: "embedding", Done: len(h.found)})
	var old *index.Shelf
	if r.Source.Indexed != nil {
		old, _ = l.shelf(r.Source.Indexed.Blob) // nil: everything is embedded anew
	}
	label := index.Label{Source: r.ID, Revision: r.Source.Content.Revision, Model: hashed.Version}
	shelf, err := index.Fill(ctx, l.embed, label, h.found, old)
	if err != nil {
		return event.SourceIndexed{}, err
	}
	raw := shelf.Encode()
	name, err := l.blobs.Put(func(w io.Writer) error { _, err := w.Write(raw); return err })
	if err != nil {
		return event.SourceIndexed{}, err
	}
	if _, err := l.shelf(name); err != nil { // read back: what is kept can be found again
		return event.SourceIndexed{}, err
	}
	chunks := 0
	for _, s := range h.found {
		chunks += len(s.Passages())
	}
	return event.SourceIndexed{
		Blob: name, Entries: max(h.entries, 1), Chunks: uint32(chunks), Warnings: h.warnings, Took: time.Since(begun),
	}, nil
}

func because(warnings []string) string {
	if len(warnings) == 0 {
		return ""
	}
	return ": " + warnings[0]
}

func (l *librarian) read(ctx context.Context, r actors.Run, h *harvest) error {
	switch r.Source.Born.Type {
	case library.FAQ:
		return l.readFAQ(r, h)
	case library.Text:
		text, err := l.bytes(r.Source.Content.Blob)
		if err == nil && strings.TrimSpace(string(text)) != "" {
			h.entries = 1
			h.add(knowledge.Source{Kind: knowledge.Text, Title: r.Source.Title, Text: string(text)})
		}
		return err
	case library.File:
		return l.readFile(ctx, r, h)
	case library.Website:
		return l.readSite(ctx, r, h)
	case library.YouTube:
		return l.readVideos(ctx, r, h)
	}
	return fmt.Errorf("a source of type %q cannot be read: %w", r.Source.Born.Type, fault.Bug)
}

func (l *librarian) readFAQ(r actors.Run, h *harvest) error {
	list, err := l.faqs(r.Source.Content.Blob)
	if err != nil {
		return err
	}
	runes := 0
	for _, q := range list {
		runes += utf8.RuneCountInString(q.Question) + utf8.RuneCountInString(q.Answer)
		h.add(knowledge.Source{Kind: knowledge.FAQ, Title: r.Source.Title, Question: q.Question, Text: q.Answer})
	}
	if r.Source.Born.Mode == library.Prompt && runes > knowledge.MaxTextRunes {
		return fmt.Errorf("%d characters are too many for every prompt, %d are allowed: use mode vector: %w", runes, knowledge.MaxTextRunes, fault.Invalid)
	}
	h.entries = uint32(len(list))
	return nil
}

// faqs reads the content of a FAQ source.
func (l *librarian) faqs(blob string) ([]ingest.QA, error) {
	raw, err := l.bytes(blob)
	if err != nil {
		return nil, err
	}
	var list []ingest.QA
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("questions and answers: %w: %w", fault.Invalid, err)
	}
	return list, nil
}

func (l *librarian) options() ingest.Options {
	return ingest.Options{Self: l.reader.self, Dir: l.reader.dir}
}

func (l *librarian) readFile(ctx context.Context, r actors.Run, h *harvest) error {
	file, err := l.blobs.Get(r.Source.Content.Blob)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	var sections []parse.Section
	opt := l.options()
	opt.MaxText = maxRead
	opt.Each = func(s parse.Section) error {
		sections = append(sections, s)
		r.Told(actors.Progress{Doing: "reading", Done: len(sections), What: where(s)})
		return nil
	}
	doc, err := ingest.Parse(ctx, opt, file, cmp.Or(r.Source.Content.Name, r.Source.Title))
	if err != nil {
		return err
	}
	for _, w := range doc.Warnings {
		h.warn(w)
	}
	h.entries = 1
	h.document(r.Source.Title, sections)
	return nil
}

func where(s parse.Section) string {
	if s.Page > 0 {
		return "page " + strconv.Itoa(s.Page)
	}
	return s.Heading
}

func (l *librarian) readSite(ctx context.Context, r actors.Run, h *harvest) error {
	var limits site
	if name := r.Source.Content.Blob; name != "" {
		raw, err := l.bytes(name)
		if err == nil {
			err = json.Unmarshal(raw, &limits)
		}
		if err != nil {
			return fmt.Errorf("how far the site is to be read: %w", err)
		}
	}
	opt := crawl.Options{
		Client: l.reader.out, MaxDepth: limits.Depth, MaxPages: limits.Pages,
		Read: func(ctx context.Context, in io.Reader, name string) (parse.Document, error) {
			return ingest.Parse(ctx, l.options(), in, name)
		},
		Each: func(p crawl.Page) error {
			if p.Status == crawl.Read {
				h.entries++
				h.document(cmp.Or(strings.TrimSpace(p.Doc.Title), p.Address), p.Doc.Sections)
			} else if p.Status != crawl.Duplicate {
				h.warn(p.Address + ": " + p.Reason)
			}
			r.Told(actors.Progress{Doing: "reading", Done: int(h.entries), What: p.Address})
			return tooMuch(h)
		},
	}
	report, err := crawl.Run(ctx, r.Source.Origin, opt)
	if err != nil {
		return err
	}
	if report.Limit != "" {
		h.warn(fmt.Sprintf("only %s were read, %d known pages were left: raise the limit or add the parts apart", report.Limit, report.Left))
	}
	return nil
}

func tooMuch(h *harvest) error {
	if h.bytes > maxRead {
		return fmt.Errorf("more than %d MB of text: add the parts apart: %w", maxRead>>20, fault.Exhausted)
	}
	return nil
}

func (l *librarian) readVideos(ctx context.Context, r actors.Run, h *harvest) error {
	at, err := video.ParseAddress(r.Source.Origin)
	if err != nil {
		return err
	}
	from, err := video.New(video.Options{Client: l.reader.out, Base: l.reader.videos, Transcribe: l.transcriber(r)})
	if err != nil {
		return err
	}
	list := []video.Video{{ID: at.Video}}
	if at.Video == "" {
		if list, err = from.List(ctx, at.Channel); err != nil {
			return err
		}
	}
	var first error
	for _, v := range list {
		doc, err := from.Read(ctx, v.ID)
		if ctx.Err() != nil {
			return fmt.Errorf("videos: %w: %w", fault.Cancelled, ctx.Err())
		}
		if err != nil { // one of a channel may be private
			first = cmp.Or(first, err)
			h.warn(cmp.Or(v.Title, v.ID) + ": " + plainly(err))
			continue
		}
		for _, w := range doc.Warnings {
			h.warn(cmp.Or(doc.Title, v.Title, v.ID) + ": " + w)
		}
		h.entries++
		h.document(cmp.Or(doc.Title, v.Title, v.ID), doc.Sections)
		r.Told(actors.Progress{Doing: "reading", Done: int(h.entries), What: doc.Title})
	}
	if h.entries == 0 {
		return first
	}
	return nil
}

// readWhole reads a file as one document, for what is made of it at once.
func (l *librarian) readWhole(ctx context.Context, content []byte, name string) (parse.Document, error) {
	return ingest.Parse(ctx, l.options(), bytes.NewReader(content), name)
}
