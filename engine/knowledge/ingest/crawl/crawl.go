package crawl

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"golang.org/x/time/rate"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/parse"
)

// Options of a walk. Client and Read are needed; zero values of the rest are good.
type Options struct {
	// Client makes all requests. Its transport decides which addresses may be
	// dialled; an error of its that wraps fault.Denied says that one may not.
	Client *http.Client
	// Read reads one page or file, in UTF-8 when it is a page.
	Read func(ctx context.Context, r io.Reader, name string) (parse.Document, error)
	// Each is given every page that was asked for or left out, in order; its
	// error ends the walk and is returned. It may be nil.
	Each func(Page) error

	Agent    string        // product token of User-Agent, as robots.txt names it; default "flametree"
	MaxPages int           // pages and files asked for; default 200
	MaxDepth int           // links from the start; default 5
	MaxPage  int64         // bytes of one page; default 5 MB
	MaxFile  int64         // bytes of one file; default 100 MB
	MaxBytes int64         // of the whole walk; default 500 MB
	Every    time.Duration // between two requests at least; default 500 ms. A longer crawl-delay is obeyed up to 10 s
	Timeout  time.Duration // for one page; default 15 s
}

// Status is how the asking for one page ended.
type Status string

// The ways a page can end.
const (
	Read      Status = "read"      // Doc is its text
	Empty     Status = "empty"     // it holds no text without its scripts
	Duplicate Status = "duplicate" // another page says the same
	Robots    Status = "robots"    // its owner does not want it read
	Login     Status = "login"     // only for those who are logged in
	Missing   Status = "missing"   // 404 or 410
	Outside   Status = "outside"   // it leads to another site
	Blocked   Status = "blocked"   // the guard refused its address
	TooLong   Status = "too long"
	Unread    Status = "unread"  // of a kind that is not read, or damaged
	Endless   Status = "endless" // one of a row of pages that seem to have no end
	Failed    Status = "failed"  // the server did not answer, or with an error
)

// Page is one page or file.
type Page struct {
	Address string // where it was found, after redirects when it was read
	From    string // the page that linked to it, "" for the start and sitemaps
	Depth   int
	Status  Status
	Code    int    // of HTTP; 0 without an answer
	Reason  string // for the user, "" when read
	Bytes   int64
	Doc     parse.Document
}

// Report sums up a walk.
type Report struct {
	Pages map[Status]int
	Bytes int64
	Left  int    // known addresses that were not asked for because of a limit
	Limit string // which limit ended the walk, "" for none
}

func (o Options) filled() Options {
	o.Agent = cmp.Or(o.Agent, "flametree")
	o.MaxPages = cmp.Or(o.MaxPages, 200)
	o.MaxDepth = cmp.Or(o.MaxDepth, 5)
	o.MaxPage = cmp.Or(o.MaxPage, 5<<20)
	o.MaxFile = cmp.Or(o.MaxFile, 100<<20)
	o.MaxBytes = cmp.Or(o.MaxBytes, 500<<20)
	o.Every = cmp.Or(o.Every, 500*time.Millisecond)
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	if o.Each == nil {
		o.Each = func(Page) error { return nil }
	}
	return o
}

// Run walks from the start's address through its site, breadth first, until
// nothing is left, a limit is reached or ctx ends (fault.Cancelled). The report
// holds in every case. An address that is none, or that cannot be asked for at
// all, is an error; so is a site of which no page could be read.
func Run(ctx context.Context, start string, opt Options) (Report, error) {
	opt = opt.filled()
	if opt.Client == nil || opt.Read == nil {
		return Report{}, fmt.Errorf("crawl: a client and a reader are needed: %w", fault.Bug)
	}
	at, err := address(start)
	if err != nil {
		return Report{}, err
	}
	client := *opt.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w := &walk{
		opt: opt, client: &client, start: at, pace: rate.NewLimiter(rate.Every(opt.Every), 1),
		report: Report{Pages: map[Status]int{}}, known: map[string]bool{}, texts: map[[32]byte]string{},
		poor: map[string]int{}, rules: map[string]*rules{},
	}
	w.enqueue(visit{at: at})
	err = w.run(ctx)
	w.report.Left = len(w.queue)
	if ctx.Err() != nil {
		return w.report, fmt.Errorf("crawl %s: %w: %w", at, ctx.Err(), fault.Cancelled)
	}
	return w.report, err
}

// visit is an address to be asked for.
type visit struct {
	at    *url.URL
	from  string
	depth int
}

// walk is the state of one Run.
type walk struct {
	opt    Options
	client *http.Client
	start  *url.URL
	pace   *rate.Limiter
	report Report
	queue  []visit
	known  map[string]bool     // keys of addresses that are in the queue or done
	texts  map[[32]byte]string // what pages say, without figures, to their address
	poor   map[string]int      // by form of address: pages that said nothing new
	rules  map[string]*rules   // by origin
	first  Page
}

func (w *walk) run(ctx context.Context) error {
	asked := 0
	for len(w.queue) > 0 && ctx.Err() == nil {
		switch {
		case asked >= w.opt.MaxPages:
			w.report.Limit = fmt.Sprintf("%d pages", w.opt.MaxPages)
			return nil
		case w.report.Bytes >= w.opt.MaxBytes:
			w.report.Limit = fmt.Sprintf("%d MB", w.opt.MaxBytes>>20)
			return nil
		}
		v := w.queue[0]
		w.queue = w.queue[1:]
		page := w.visit(ctx, v)
		if ctx.Err() != nil {
			break
		}
		if page.Status != Robots && page.Status != Endless {
			asked++
		}
		w.report.Pages[page.Status]++
		w.report.Bytes += page.Bytes
		if v.depth == 0 && v.from == "" && asked <= 1 {
			w.first = page
			w.seed(ctx)
		}
		if err := w.opt.Each(page); err != nil {
			return err
		}
	}
	if w.report.Pages[Read]+w.report.Pages[Duplicate] == 0 && ctx.Err() == nil {
		return w.nothing()
	}
	return nil
}

// nothing says why no page could be read.
func (w *walk) nothing() error {
	kind := fault.Invalid
	switch w.first.Status {
	case Robots, Login, Blocked:
		kind = fault.Denied
	case Missing:
		kind = fault.NotFound
	case Failed:
		kind = fault.Unavailable
	case Read, Empty, Duplicate, Outside, TooLong, Unread, Endless:
	}
	return fmt.Errorf("no page of %s could be read: %s: %w", w.start, cmp.Or(w.first.Reason, "they hold no text"), kind)
}

// seed adds the pages that the site's own maps name.
func (w *walk) seed(ctx context.Context) {
	for _, a := range w.sitemaps(ctx) {
		w.enqueue(visit{at: a, depth: 1})
	}
}

// enqueue takes an address that was not known yet.
func (w *walk) enqueue(v visit) {
	k := key(v.at)
	// What is known is bounded, too: a page can name a great many others.
	if w.known[k] || v.depth > w.opt.MaxDepth || len(w.known) > 50*w.opt.MaxPages {
		return
	}
	w.known[k] = true
	w.queue = append(w.queue, v)
}

// visit asks for one address and reads what comes.
func (w *walk) visit(ctx context.Context, v visit) Page {
	page := Page{Address: v.at.String(), From: v.from, Depth: v.depth}
	if winding(v.at) || w.poor[form(v.at)] >= patience {
		page.Status, page.Reason = Endless, "pages like this one repeat without end, they are left out"
		return page
	}
	got := w.fetch(ctx, v.at)
	page.Status, page.Reason, page.Code, page.Bytes = got.status, got.reason, got.code, got.size
	if got.status != Read {
		return page
	}
	if key(got.at) != key(v.at) {
		if w.known[key(got.at)] {
			page.Status, page.Reason = Duplicate, "leads to "+got.at.String()
			return page
		}
		w.known[key(got.at)] = true
	}
	page.Address = got.at.String()
	w.read(ctx, got, v, &page)
	return page
}

// read makes text of an answer and follows its links.
func (w *walk) read(ctx context.Context, got answer, v visit, page *Page) {
	var links outline
	if got.page != nil {
		links = outlined(got.at, got.page)
		if !links.nofollow && !got.nofollow {
			for _, a := range links.to {
				if sameSite(a, w.start) {
					w.enqueue(visit{at: a, from: got.at.String(), depth: v.depth + 1})
				}
			}
		}
	}
	switch {
	case links.noindex || got.noindex:
		page.Status, page.Reason = Robots, "the page asks not to be indexed"
		return
	case links.canonical != nil && sameSite(links.canonical, w.start) && key(links.canonical) != key(got.at):
		// Its own address is queued, or done already.
		w.enqueue(visit{at: links.canonical, from: got.at.String(), depth: v.depth})
		page.Status, page.Reason = Duplicate, "says that it is "+links.canonical.String()
		return
	}
	doc, err := got.doc, got.err
	if got.page != nil {
		doc, err = w.opt.Read(ctx, bytes.NewReader(got.page), name(got.at, "html"))
	}
	switch {
	case errors.Is(err, fault.Unavailable), errors.Is(err, context.DeadlineExceeded):
		page.Status, page.Reason = Failed, err.Error()
		return
	case err != nil:
		page.Status, page.Reason = Unread, err.Error()
		return
	}
	doc.Source = got.at.String()
	said, text := digest(doc)
	switch {
	case links.password && text < fewLetters:
		page.Status, page.Reason = Login, "the page is a login form: only public pages can be read"
	case text == 0:
		page.Status, page.Reason = Empty, "the page holds no text without its scripts"
		if got.page == nil && len(doc.Warnings) > 0 {
			page.Reason = doc.Warnings[0]
		}
	case w.texts[said] != "":
		w.poor[form(got.at)]++
		page.Status, page.Reason = Duplicate, "says the same as "+w.texts[said]
	default:
		w.texts[said] = got.at.String()
		page.Doc = doc
	}
}

const (
	// patience is how many pages of one form of address may say nothing new.
	patience = 5
	// fewLetters is what a page beside its login form may say.
	fewLetters = 600
)

// digest tells documents apart by their letters, so that a calendar without
// entries is the same for every day, and counts them.
func digest(d parse.Document) (sum [32]byte, letters int) {
	h := sha256.New()
	for _, s := range d.Sections {
		kept := strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, months.ReplaceAllString(s.Heading+" "+s.Text, ""))
		letters += len(kept)
		_, _ = io.WriteString(h, kept)
	}
	const few = 40 // a page of so few letters may differ in its figures alone
	for _, s := range d.Sections {
		if letters < few {
			_, _ = io.WriteString(h, s.Text)
		}
	}
	return [32]byte(h.Sum(nil)), letters
}
